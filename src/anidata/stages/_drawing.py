"""Drawing, in a worker: a part of pictures is read again, fitted once each, drawn in the styles wanted, and published as a tar and a table."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import cv2
import numpy as np

from anidata import canvas, catalog, finish, parts, shards, storage, styles
from anidata.engine import Failure, Watch
from anidata.errors import BadImage
from anidata.finish import Finish
from anidata.stages._memory import within_memory
from anidata.stages._reading import Reader

SUFFIX: dict[canvas.Form, str] = {"jpeg": "jpg", "webp": "webp", "png": "png"}
SCOUT = 256  # px of the short side at which ink is looked for before a picture is cut

Row = dict[str, Any]
Failures = dict[str, tuple[str, str]]  # key → code and message


@dataclass(frozen=True)
class Frame:
    """How a picture is fitted and its color encoded."""

    size: int
    fit: canvas.Fit
    filter: canvas.Filter
    anchor: canvas.Anchor
    color: canvas.Form
    quality: int


@dataclass(frozen=True)
class Pens:
    """How lines are drawn."""

    configs: dict[str, Any]  # style of the shelf → its parameters
    mix: dict[str, float]  # style → weight
    jitter: float
    seed: int
    finish: Finish

    def draw(self, style: str, rgb: np.ndarray, key: str) -> tuple[str, np.ndarray]:
        """The style really drawn in, and the lines."""
        name = styles.pick(self.mix, key, self.seed) if style == styles.MIX else style
        config = styles.jittered(name, self.configs[name], self.jitter, key, self.seed)
        return name, finish.finished(parts.load("lineart", name).draw(rgb, config), self.finish)


@dataclass(frozen=True)
class Part:
    """Pictures to draw: of each its key, the places where its bytes lie, and the files wanted of it."""

    name: str
    pictures: list[Row]
    frame: Frame
    pens: Pens
    fingerprints: dict[str, str]  # file → what it depends on
    reader: Reader


def draw_part(part: Part, watch: Watch) -> tuple[Counter[str], Failures]:
    """Draw one part and publish it: counts, and the pictures that failed with code and message."""
    rows: list[Row] = []
    failures: Failures = {}
    path = part.reader.workspace.folder("pairs") / f"{part.name}.tar"
    storage.delete(path.with_suffix(".parquet"))  # of a worker that died after all: this one's tar may differ
    with storage.publishing(path) as file:
        tar = shards.TarWriter(file)
        for picture, failure in watch.each(part.pictures):
            made = failure or _try(part, picture)
            if isinstance(made, Failure):
                failures[picture["key"]] = (made.code, made.message)
                continue
            for row, data in made:
                member = tar.add(f"{row['key']}.{row['style']}.{row['suffix']}", data)
                rows.append(row | {"tar": path.name, "offset": member.offset, "size": member.size})
        tar.close()
    if rows:
        catalog.write(path.with_suffix(".parquet"), catalog.table(rows, catalog.PAIRS))
    else:
        storage.delete(path)
    return Counter(row["style"] for row in rows), failures


def _try(part: Part, picture: Row) -> list[tuple[Row, bytes]] | Failure:
    try:
        with within_memory():
            return list(_draw(part, picture))
    except BadImage as error:
        return Failure(error.code, error.message)


def _draw(part: Part, picture: Row) -> Iterator[tuple[Row, bytes]]:
    """The files wanted of one picture, all from one fitted picture."""
    wanted, frame = picture["wanted"], part.frame
    page = _Page(part, picture)
    for name in wanted:
        row = {"key": picture["key"], "style": name, "fingerprint": part.fingerprints[name]}
        if name == catalog.COLOR:
            data, suffix, shape = canvas.encode_color(page.rgb, frame.color, frame.quality), SUFFIX[frame.color], page.rgb.shape
        else:
            drawn, line = (name, page.artist()) if name == styles.ARTIST else page.drawn(name)
            data, suffix, shape = canvas.encode_line(finish.stored(line, part.pens.finish)), "png", line.shape
            row |= {"drawn": drawn, **finish.measure(line)._asdict()}
            row["fingerprint"] += picture["line_key"] if name == styles.ARTIST else ""
        yield row | {"suffix": suffix, "width": shape[1], "height": shape[0]}, data


class _Page:
    """A picture, brought to its page once it is asked for."""

    def __init__(self, part: Part, picture: Row) -> None:
        self._part, self._picture, self._frame = part, picture, part.frame

    @cached_property
    def _decoded(self) -> np.ndarray:
        return self._part.reader.decode(self._picture["places"], self._picture["key"]).rgb

    @cached_property
    def rgb(self) -> np.ndarray:
        """The page."""
        return canvas.fit(self._decoded, self._frame.size, self._frame.fit, self._frame.filter, self._at)

    @cached_property
    def _at(self) -> float:
        """Where the picture is cut."""
        if self._frame.fit == "pad" or self._frame.anchor == "center":
            return 0.5
        return anchored(self._decoded, canvas.page_of(self._decoded.shape, self._frame.size, self._frame.fit))

    def drawn(self, style: str) -> tuple[str, np.ndarray]:
        """Lines of what lies on the page alone: the picture's border against paper is no stroke."""
        box = canvas.place(self._decoded.shape, self._frame.size, self._frame.fit)
        line = np.full(self.rgb.shape[:2], finish.PAPER, np.uint8)
        name, line[box] = self._part.pens.draw(style, self.rgb[box], self._picture["key"])
        return name, line

    def artist(self) -> np.ndarray:
        """The artist's own lines, scaled to the color picture's size first, so that both are fitted alike."""
        decoded = self._part.reader.decode(self._picture["lines"], self._picture["line_key"])
        rgb = canvas.resize(decoded.rgb, self._picture["width"], self._picture["height"], self._frame.filter)
        fitted = canvas.fit(rgb, self._frame.size, self._frame.fit, self._frame.filter, self._at)
        return np.asarray(cv2.cvtColor(fitted, cv2.COLOR_RGB2GRAY))


def anchored(rgb: np.ndarray, page: tuple[int, int]) -> float:
    """Where to cut a picture for a page of that width and height so that most of its ink stays."""
    scale = SCOUT / min(rgb.shape[:2])
    small = rgb if scale >= 1 else canvas.shrink(rgb, max(1, round(rgb.shape[1] * scale)), max(1, round(rgb.shape[0] * scale)))
    name, config = scout()
    return canvas.richest(parts.load("lineart", name).draw(small, config) < finish.INK, page)


def scout() -> tuple[str, Any]:
    """The style, with its parameters, that ink is looked for in before a picture is cut."""
    return "ink", styles.config_of("ink", {}, "anchor")
