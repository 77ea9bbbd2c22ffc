"""The columns of the table of styles: of each, its pictures, what one of them gives, and the cells of all.

A column's `score` is called in several processes, each picture once; its answers come back in the pictures'
order, so that the figures don't depend on how many processes there are.
"""

import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from anidata.lineart import color_leak
from lines import filled, pictures, scribble, silhouettes, tinted
from lines.pictures import cels, scorer

Draw = Callable[[np.ndarray], np.ndarray]
Cell = tuple[float, int]  # a figure and its digits
CONDITIONS = ("clean", "jpeg50", "soft", "brown")
CELS, TIMES = 16, 30
NOISE = 2.0  # grey levels of sigma, under which lines should stay


@dataclass(frozen=True)
class Column:
    """One yardstick: a column of the table, or some that are measured together."""

    heads: tuple[str, ...]
    items: Callable[[int], Sequence[Any]]  # from `every`: each n-th is taken
    score: Callable[[Draw, Any], Any]
    cells: Callable[[Sequence[Any]], list[Cell]]
    is_alone: bool = False  # measured in one process, for its time
    badness: Callable[[Any], float] | None = None  # of a picture's answer: the greater, the worse


def _pair(draw: Draw, path: Path) -> tuple[str, list[tuple[float, ...]]]:
    rgb, true = pictures.opened_pair(path)
    bgr = rgb[..., ::-1]
    shown = dict(scorer.conditions(np.ascontiguousarray(bgr))) | {"brown": scorer.reink(bgr, true)}
    drawn = [draw(np.ascontiguousarray(shown[name][..., ::-1])) for name in CONDITIONS]
    return path.parent.name, [scorer.score(line, true) for line in drawn]


def _pair_cells(rows: Sequence[Any]) -> list[Cell]:
    lengths = float(np.median([scores[0][3] for _, scores in rows]))
    f1 = [_over_sets([(name, scores[k][2]) for name, scores in rows]) for k in range(len(CONDITIONS))]
    return [(value, 3) for value in f1] + [(lengths, 2)]


def _tinted(draw: Draw, path: Path) -> tuple[str, float, float]:
    rgb, true = pictures.opened_pair(path)
    crisp = tinted.reink(rgb, true, tinted.CRISP_TONE)
    soft = tinted.softened(tinted.reink(rgb, true, tinted.SOFT_TONE))
    tones = ((crisp, tinted.CRISP_TONE), (soft, tinted.SOFT_TONE))
    f1 = [scorer.score(draw(inked), tinted.truth(rgb, true, tone))[2] for inked, tone in tones]
    return path.parent.name, f1[0], f1[1]


def _tinted_cells(rows: Sequence[Any]) -> list[Cell]:
    return [(_over_sets([(row[0], row[k]) for row in rows]), 3) for k in (1, 2)]


def _over_sets(scores: Sequence[tuple[str, float]]) -> float:
    """The mean over sets of a set's mean."""
    of = defaultdict(list)
    for name, value in scores:
        of[name].append(value)
    return float(np.mean([np.mean(values) for values in of.values()]))


def _cel(draw: Draw, seed: int) -> tuple[float, float]:
    cel = cels.paint(seed)
    line = draw(cel.rgb)
    ink = line < scorer.INK
    return scorer.score(line, cel.line)[2], float((ink & cel.bare).sum() / max(1, ink.sum()))


def _silhouette(draw: Draw, sprite: pictures.Sprite) -> dict[str, float] | None:
    """On each ground the share drawn, the share of ink on white, and the half."""
    rgba = pictures.opened_sprite(sprite.path)
    if rgba is None:
        return None
    row: dict[str, Any] = {"half": sprite.half, "package": sprite.path.parent.name}
    for ground in silhouettes.GROUNDS[:-1]:
        rgb = silhouettes.on(rgba, ground)
        edge, line = silhouettes.rim(rgba, rgb, ground), draw(rgb)
        row[ground] = silhouettes.share(line, edge)
        if ground == "white":
            row["ink"] = float((line < silhouettes.INK).mean())
            row["soft"] = silhouettes.share(draw(silhouettes.softened(rgb)), edge)
    return row


def _silhouette_cells(rows: Sequence[Any]) -> list[Cell]:
    """Of the packages to check with, where there are such."""
    rows = [row for row in rows if row]
    checked = [row for row in rows if row["half"] == "check"] or rows
    means = {name: float(np.mean([row[name] for row in checked])) for name in (*silhouettes.GROUNDS, "ink")}
    least = float(np.percentile([row["white"] for row in checked], 10))
    return [
        (means["white"], 3),
        (least, 3),
        *((means[name], 3) for name in (*silhouettes.GROUNDS[1:], "ink")),
    ]


def _filled(draw: Draw, path: Path) -> float:
    rgb = pictures.opened(path)
    return filled.filled(draw(rgb), rgb)


def _lineless(draw: Draw, path: Path) -> tuple[float, float, float]:
    line = draw(pictures.opened(path))
    return scribble.scribble(line), float((line < scorer.INK).mean()), scribble.specks(line)


def _steady(draw: Draw, path: Path) -> float:
    """F1 between the lines of a picture and of the same under noise: 1 where nothing moves."""
    rgb = pictures.opened(path)
    noise = np.random.default_rng(0).normal(0, NOISE, rgb.shape)
    moved = np.clip(np.round(rgb + noise), 0, 255).astype(np.uint8)
    before, after = draw(rgb), draw(moved)
    return scorer.score(after, before)[2] if (before < scorer.INK).any() else 1.0


def _blots(draw: Draw, path: Path) -> float:
    rgb = pictures.opened(path)
    return scorer.blots(draw(rgb), rgb[..., ::-1])


def _milliseconds(draw: Draw, path: Path) -> float:
    rgb = cv2.resize(pictures.opened(path), (512, 512))
    return 1000 * min(_seconds(draw, rgb) for _ in range(TIMES))


def _seconds(draw: Draw, rgb: np.ndarray) -> float:
    begun = time.perf_counter()
    draw(rgb)
    return time.perf_counter() - begun


def _tally(draw: Draw, item: tuple[int, Path]) -> np.ndarray:
    number, path = item
    rgb = pictures.opened(path)
    return color_leak.tally(draw(rgb), rgb, number)


def _leak_cells(rows: Sequence[np.ndarray]) -> list[Cell]:
    return [(color_leak.leak(part).worst, 2) for part in sum(rows)]


def _means(*digits: int) -> Callable[[Sequence[Any]], list[Cell]]:
    def cells(rows: Sequence[Any]) -> list[Cell]:
        means = np.atleast_1d(np.mean(np.array(rows, float), axis=0))
        return [(float(mean), digit) for mean, digit in zip(means, digits, strict=True)]

    return cells


COLUMNS = {
    "pairs": Column(
        ("clean", "JPEG 50", "soft", "brown", "length"),
        pictures.pairs,
        _pair,
        _pair_cells,
        badness=lambda row: 1 - row[1][0][2],
    ),
    "tinted": Column(
        ("65 %", "80 %"), pictures.pairs, _tinted, _tinted_cells, badness=lambda row: 1 - row[1]
    ),
    "cels": Column(("cels", "bare"), lambda every: range(0, CELS, every), _cel, _means(3, 3)),
    "silhouettes": Column(
        ("white", "p10", "gray", "flat", "painted", "blurred", "ink"),
        pictures.sprites,
        _silhouette,
        _silhouette_cells,
        badness=lambda row: 1 - row["white"] if row else 0.0,
    ),
    "blots": Column(
        ("blots",), lambda every: pictures.negatives()[::every], _blots, _means(4), badness=float
    ),
    "filled": Column(
        ("filled", "worst"),
        pictures.mixed,
        _filled,
        lambda rows: [(float(np.mean(rows)), 4), (max(rows), 3)],
        badness=float,
    ),
    "scribble": Column(
        ("scribble", "photos", "specks"),
        pictures.lineless,
        _lineless,
        _means(3, 3, 3),
        badness=lambda row: row[0],
    ),
    "steady": Column(("steady",), pictures.mixed, _steady, _means(3), badness=lambda f1: 1 - f1),
    "ms": Column(("ms",), lambda _: pictures.timed(), _milliseconds, _means(1), is_alone=True),
    "leak": Column(("leak", "binarized"), lambda _: list(enumerate(pictures.bundled())), _tally, _leak_cells),
}
