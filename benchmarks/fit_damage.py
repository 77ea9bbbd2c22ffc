"""Fit the weights by which of two copies the one that has lost more is told (anidata.duplicates.damage).

    python benchmarks/fit_damage.py [--originals 450] [--write]

Copies of so many originals of half `fit` are made as for compare_copies.py (benchmarks/art.py has to have
collected them; ten minutes). Each original is held against each copy of it that is dropped, but for those
that are told by what is around them or by detail. Prints what share of pairs goes wrong: fitted to all, by
four folds of packages, and on 150 originals of half `check`.
"""

import argparse
import csv
import hashlib
import multiprocessing
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from PIL import Image

from anidata.duplicates import alignment, damage, evidence
from anidata.duplicates.page import Page
from anidata.stages.dedup import verify
from compare_copies import ART, MADE
from copies import making, originals
from copies.all import TRANSFORMS

ALONE = (
    *("noise", "clean", "flat", "nearly", "colors", "all colors", "palette", "blocks", "step", "clipped"),
    *("black", "white", "comb", "ringing", "fine", "crisp", "edges", "chroma"),
)
MEASURES = {
    "in place": (
        *(*ALONE, "off on edges", "off in quiet", "off below"),
        *("colors on edges", "colors in quiet", "merged"),
    ),
    "elsewhere": (*ALONE, "area"),
}
TOLD = ("crop", "frame", "bar", "turn", "overlay", "detail")  # before damage is asked about
EACH = 40  # copies
FOLDS = 4
UNITS, STEPS, RATE, DECAY = 16, 400, 0.02, 1e-3


class Row(NamedTuple):
    """Differences of an original and a copy."""

    package: str
    in_place: bool
    left: dict[str, float]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--originals", type=int, default=450)
    parser.add_argument("--write", action="store_true", help=f"put the weights into {damage.WEIGHTS.name}")
    args = parser.parse_args()
    torch.set_num_threads(1)
    fit, check = (_rows(half, count) for half, count in (("fit", args.originals), ("check", 150)))
    networks = {
        part: _tell(
            part, *([row for row in rows if row.in_place == (part == "in place")] for rows in (fit, check))
        )
        for part in MEASURES
    }
    if args.write:
        _write(networks)


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


def _row(name: str, page: Page, copy: Page) -> Row | None:
    one, other = (alignment.View(alignment.thumbnail(p.rgb)) for p in (page, copy))
    related = verify.looked_at(one, other, "no", lambda: (page, copy))
    if related.tried is None or related.relation not in evidence.DROPPED:
        return None
    in_place = evidence.lies_in_place(related.tried, page, copy)
    if not in_place and evidence.compare(related, lambda: (page, copy)).because in TOLD:
        return None
    return Row(name.rsplit("-", 1)[0], in_place, damage.differences(page, copy, in_place=in_place))


def _opened(path: Path) -> Page:
    with Image.open(path) as image:
        return Page(np.ascontiguousarray(np.asarray(image.convert("RGB"))))


# --- network ------------------------------------------------------------------------------------------------


def _tell(part: str, fit: list[Row], check: list[Row]) -> damage.Network:
    """Fit, and print what share of pairs goes wrong: of all, of packages left out, of the other half."""
    network = _fitted(MEASURES[part], fit)
    fold = [hashlib.sha256(row.package.encode()).digest()[0] % FOLDS for row in fit]
    apart = []
    for n in range(FOLDS):
        others = _fitted(MEASURES[part], [row for row, k in zip(fit, fold, strict=True) if k != n])
        apart += [others.odds(row.left) for row, k in zip(fit, fold, strict=True) if k == n]
    print(part)
    for words, odds in (
        ("fit", [network.odds(row.left) for row in fit]),
        ("fit, by folds", apart),
        ("check", [network.odds(row.left) for row in check]),
    ):
        values = np.array(odds)
        is_plain = np.abs(values) > damage.PLAIN
        print(
            f"  {words}: {len(odds)} pairs, wrong {(values <= 0).mean():.4f};"
            f" plain {is_plain.mean():.3f}, wrong of these {(values[is_plain] < 0).mean():.4f}",
            flush=True,
        )
    return network


def _fitted(names: Sequence[str], rows: Sequence[Row]) -> damage.Network:
    """The network by which of all rows the second has lost more, which it has."""
    torch.manual_seed(0)
    table = np.array([[row.left[name] for name in names] for row in rows])
    spread = table.std(axis=0) + 1e-6
    scaled = torch.tensor(np.clip(table / spread, -damage.FAR, damage.FAR))
    start = 0.3 * torch.randn(len(names) + 1, UNITS, dtype=torch.float64)
    hidden, out = (part.clone().requires_grad_() for part in (start[1:], start[0]))
    direct = torch.zeros(len(names), dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.Adam([hidden, out, direct], lr=RATE)
    for _ in range(STEPS):
        odds = torch.tanh(scaled @ hidden) @ out + scaled @ direct
        size = hidden.square().sum() + out.square().sum() + direct.square().sum()
        loss = torch.nn.functional.softplus(-odds).mean() + DECAY * size
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return damage.Network(names, spread, *(p.detach().numpy() for p in (direct, hidden, out)))


def _write(networks: dict[str, damage.Network]) -> None:
    """Write weights, a row a measure; the first of each part has those of the hidden units."""
    with damage.WEIGHTS.open("w", newline="") as file:
        out = csv.writer(file, lineterminator="\n")
        for part, network in networks.items():
            rows = [("hidden units", 1.0, 0.0, network.out)]
            rows += zip(network.names, network.spread, network.direct, network.hidden, strict=True)
            for name, spread, direct, weights in rows:
                out.writerow([part, name, *(f"{float(n):.4g}" for n in (spread, direct, *weights))])


if __name__ == "__main__":
    main()
