"""Fit the weights by which of two copies the one that has lost more is told (anidata.duplicates.damage).

    python benchmarks/fit_damage.py [--originals 450]

Copies of so many originals of half `fit` are made as for compare_copies.py (benchmarks/art.py has to have
collected them; ten minutes). Each original is held against each copy of it that is dropped, but for those
that are told by what is around them or by detail; weights are those of a logistic regression. Prints them as
Python, and what share of pairs goes wrong: fitted to all, by four folds of packages, and on 150 originals of
half `check`.
"""

import argparse
import hashlib
import multiprocessing
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

from anidata.duplicates import alignment, damage, evidence, traces
from anidata.stages.dedup import verify
from compare_copies import ART, MADE
from copies import making, originals
from copies.all import TRANSFORMS

IN_PLACE = (
    *("noise", "clean", "colors", "nearly", "blocks", "clipped", "edges", "palette", "only here flat"),
    *("off on edges", "off in quiet", "off below", "colors on edges", "colors in quiet"),
)
ELSEWHERE = ("noise", "flat", "fine", "nearly", "blocks", "clipped", "edges", "chroma", "area")
TOLD = ("crop", "frame", "bar", "turn", "overlay", "detail")  # before damage is asked about
EACH = 40  # copies
FOLDS, ROUNDS, RIDGE = 4, 25, 3.0


class Row(NamedTuple):
    """Differences of an original and a copy."""

    package: str
    in_place: bool
    left: dict[str, float]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--originals", type=int, default=450)
    args = parser.parse_args()
    fit, check = (_rows(half, count) for half, count in (("fit", args.originals), ("check", 150)))
    for name, measures, in_place in (("IN_PLACE", IN_PLACE, True), ("ELSEWHERE", ELSEWHERE, False)):
        mine, others = ([row for row in rows if row.in_place == in_place] for rows in (fit, check))
        _tell(name, measures, mine, others)


def _rows(half: str, count: int) -> list[Row]:
    folder = making.home(MADE, EACH, ())
    chosen = originals.choose(ART / half, count)
    making.make(chosen, folder, EACH)
    with multiprocessing.Pool(2) as pool:
        several = pool.map(partial(_of_one, folder), [one.name for one in chosen], chunksize=4)
    return [row for rows in several for row in rows]


def _of_one(folder: Path, name: str) -> list[Row]:
    home, rows = folder / name, []
    page = _opened(next(home.glob(f"{name}_orig.*")))
    for path in sorted(home.glob(f"{name}_*")):
        transform = TRANSFORMS.get(path.stem.removeprefix(f"{name}_"))
        if transform and transform.keeper == "original" and (row := _row(name, page, _opened(path))):
            rows.append(row)
    return rows


def _row(name: str, page: alignment.Pixels, copy: alignment.Pixels) -> Row | None:
    one, other = (alignment.View(alignment.thumbnail(p)) for p in (page, copy))
    related = verify.looked_at(one, other, "no", lambda: (page, copy))
    if related.tried is None or related.relation not in evidence.DROPPED:
        return None
    in_place = evidence.lies_in_place(related.tried, page, copy)
    if not in_place and evidence.compare(related, lambda: (page, copy)).because in TOLD:
        return None
    left = damage.differences(page, copy, traces.window(page), traces.window(copy), in_place=in_place)
    return Row(name.rsplit("-", 1)[0], in_place, left)


def _opened(path: Path) -> alignment.Pixels:
    with Image.open(path) as image:
        return np.ascontiguousarray(np.asarray(image.convert("RGB")))


# --- regression ---------------------------------------------------------------------------------------------


def _tell(name: str, measures: tuple[str, ...], fit: list[Row], check: list[Row]) -> None:
    table = np.array([[row.left[measure] for measure in measures] for row in fit])
    spread = table.std(axis=0) + 1e-6
    scaled = np.clip(table / spread, -damage.FAR, damage.FAR)
    weights = _fitted(scaled)
    print(f"{name} = {{")
    for measure, unit, weight in zip(measures, spread, weights, strict=True):
        print(f'    "{measure}": Weight({unit:.3g}, {weight:.2f}),')
    print("}")
    fold = np.array([hashlib.sha256(row.package.encode()).digest()[0] % FOLDS for row in fit])
    apart = [scaled[fold == n] @ _fitted(scaled[fold != n]) for n in range(FOLDS)]
    others = np.array([[row.left[measure] for measure in measures] for row in check])
    unseen = np.clip(others / spread, -damage.FAR, damage.FAR) @ weights
    for words, odds in (
        ("fit", scaled @ weights),
        ("fit, by folds", np.concatenate(apart)),
        ("check", unseen),
    ):
        is_plain = np.abs(odds) > damage.PLAIN
        print(
            f"# {words}: {len(odds)} pairs, wrong {(odds <= 0).mean():.3f};"
            f" plain {is_plain.mean():.3f}, wrong of these {(odds[is_plain] < 0).mean():.4f}"
        )


def _fitted(scaled: np.ndarray) -> np.ndarray:
    """Weights of a logistic regression without intercept, all of one side. (n, m) → (m,)."""
    weights = np.zeros(scaled.shape[1])
    for _ in range(ROUNDS):
        likely = 1 / (1 + np.exp(-np.clip(scaled @ weights, -30, 30)))
        slope = scaled.T @ (1 - likely) - RIDGE * weights
        curve = (scaled * (likely * (1 - likely))[:, None]).T @ scaled + RIDGE * np.eye(len(weights))
        weights = weights + 0.8 * np.linalg.solve(curve, slope)
    return weights


if __name__ == "__main__":
    main()
