"""Counts over records: what became of each copy, beside its original alone and in a crowd.

one_drawing.csv has pairs of originals that are one drawing, changed, by eye: a link between their copies
counts neither as right nor as wrong.
"""

import csv
import itertools
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import NamedTuple

from copies.all import TRUE_COPIES
from copies.making import Copy
from copies.stated import TRANSFORMS

Row = Mapping[str, str]
OLD = (  # transforms that make_dups.py has too
    *("jpeg_q30", "jpeg_q60", "jpeg_q90", "resize_0.25", "resize_0.5", "resize_1.5", "webp", "gif", "crop_2"),
    *("crop_5", "crop_10", "bright_1.2", "contrast_0.8", "hue_20", "hflip", "watermark", "border_5"),
    *("letterbox", "grayscale", "rotate_1", "rotate_3", "combo"),
)


class Fate(NamedTuple):
    """What a tool did to a copy."""

    copy: Copy
    linked: bool  # in one cluster with its original
    dropped: bool
    lost: str  # the transform that the original was dropped for; empty: it was kept
    relation: str  # of the two: `through others`, `apart`
    why: str

    @property
    def transform(self) -> str:
        return self.copy.transform

    @property
    def is_lost(self) -> bool:
        """Whether of the pair one is gone: the copy, or its original for it."""
        return self.dropped or self.lost == self.transform

    @property
    def is_right(self) -> bool:
        """Whether the relation is."""
        return self.relation in (("exact",) if self.copy.equal else TRANSFORMS[self.transform].right)

    @property
    def is_worse_kept(self) -> bool:
        """Whether the original was dropped for a copy that is worse, of a pair: a mirror image isn't."""
        return self.lost == self.transform and is_worse(self.lost, self.copy.equal)


@dataclass
class Counts:
    """Sums over piles of one half."""

    fates: list[Fate] = field(default_factory=list)
    originals: int = 0
    dropped: int = 0  # of them, for whatever
    lost: Counter[str] = field(default_factory=Counter)  # transform → originals dropped for such a worse copy
    same: int = 0  # pairs of one cluster that are of one original
    other: int = 0  # and of two

    @property
    def precision(self) -> float:
        return self.same / (self.same + self.other) if self.same + self.other else 1.0

    def of(self, transforms: Iterable[str]) -> list[Fate]:
        names = set(transforms)
        return [fate for fate in self.fates if fate.transform in names]


def is_worse(transform: str, equal: bool, *, crowd: bool = False) -> bool:
    """Whether an original is better than its copy; crowd: where others show the side that it shows."""
    keeper = TRANSFORMS[transform].keeper
    return not equal and (keeper == "original" or (crowd and keeper == "sided"))


def wrong(counts: Counts, *, crowd: bool) -> Iterator[tuple[str, Fate]]:
    """What went wrong with copies, in a word, for somebody to look at."""
    for fate in counts.fates:
        drop = TRANSFORMS[fate.transform].drop
        if fate.lost == fate.transform and is_worse(fate.lost, fate.copy.equal, crowd=crowd):
            yield "worse copy kept", fate
        elif drop is False and fate.is_lost and not fate.copy.equal:
            yield "drawing lost", fate
        elif drop and not fate.is_lost:
            yield "copy kept" if fate.linked else "not linked", fate


def kinds(*names: str) -> list[str]:
    """The transforms of some kinds."""
    return [one.name for one in TRANSFORMS.values() if one.kind in names]


def true_copies() -> list[str]:
    """The transforms after which only the file is another."""
    return kinds(*TRUE_COPIES)


def count(copies: Iterable[Copy], records: Iterable[Row], counts: Counts, *, crowd: bool) -> None:
    """Add up what became of one pile; crowd: all copies of an original lie in it, not one."""
    rows = {row["file"].rsplit("/", 1)[-1]: row for row in records}
    label = {copy.file: copy for copy in copies}
    by_key = {row["key"]: label[file] for file, row in rows.items() if file in label and row.get("key")}
    original = {copy.source: copy for copy in label.values() if copy.transform == "orig"}
    for copy in label.values():
        if copy.transform == "orig":
            lost = _dropped_for(rows.get(copy.file), by_key)
            counts.originals += 1
            counts.dropped += copy.file in rows and not kept(rows[copy.file])
            if lost and is_worse(lost.transform, lost.equal, crowd=crowd):
                counts.lost[lost.transform] += 1
        else:
            counts.fates.append(_fate(copy, rows, original[copy.source], by_key))
    same, other = _pairs(label, rows)
    counts.same, counts.other = counts.same + same, counts.other + other


def _fate(copy: Copy, rows: Mapping[str, Row], original: Copy, by_key: Mapping[str, Copy]) -> Fate:
    ours, first = rows.get(copy.file), rows.get(original.file)
    if ours is None or first is None:
        return Fate(copy, linked=False, dropped=False, lost="", relation="absent", why="")
    linked = bool(ours["cluster"]) and ours["cluster"] == first["cluster"]
    lost = _dropped_for(first, by_key)
    relation, why = relation_of(ours, first, linked)
    return Fate(copy, linked, not kept(ours), lost.transform if lost else "", relation, why)


def relation_of(ours: Row, first: Row, linked: bool) -> tuple[str, str]:
    """The relation of a copy to its original, from whichever of the two names the other; and why."""
    if ours.get("key") and ours["key"] == first.get("key"):
        return "exact", ""
    for one, another in ((ours, first), (first, ours)):
        if one.get("keeper") and one["keeper"] == another.get("key"):
            return one["relation"], one.get("why") or ""
    return ("through others" if linked else "apart"), ""


def kept(row: Row) -> bool:
    return row["keep"].lower() in {"true", "1", "t"}


def _dropped_for(row: Row | None, by_key: Mapping[str, Copy]) -> Copy | None:
    """The copy that an original was dropped for; None too of a tool that doesn't say so."""
    if row is None or kept(row):
        return None
    return by_key.get(row.get("keeper") or "")


def _pairs(label: Mapping[str, Copy], rows: Mapping[str, Row]) -> tuple[int, int]:
    """The pairs of one cluster that are of one original, and of two."""
    members: dict[str, Counter[str]] = defaultdict(Counter)
    for file, copy in label.items():
        if file in rows and rows[file]["cluster"]:
            members[rows[file]["cluster"]][copy.source] += 1
    same = sum(n * (n - 1) // 2 for sources in members.values() for n in sources.values())
    pairs = (pair for sources in members.values() for pair in itertools.combinations(sources.items(), 2))
    other = sum(m * n for (a, m), (b, n) in pairs if frozenset((a, b)) not in one_drawing())
    return same, other


@cache
def one_drawing() -> set[frozenset[str]]:
    """Pairs of originals that are one drawing by eye."""
    with Path(__file__).with_name("one_drawing.csv").open(newline="") as file:
        return {frozenset((row["a"], row["b"])) for row in csv.DictReader(file)}


def mean(values: Iterable[bool]) -> float:
    """Share of what is true; NaN of nothing."""
    some = list(values)
    return sum(some) / len(some) if some else float("nan")
