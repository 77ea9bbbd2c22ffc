"""Audit: pictures of one split that another split has too, by their bytes, their pixels or their codes.

What is near by its codes is a candidate, no leak: see `looks`. Vectorized: a million pictures are joined in
minutes.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from anidata.audit.pictures import Index, Pictures
from anidata.duplicates import window_join, windows
from anidata.duplicates.window_join import PicturePairs

MOST_TWINS = 64  # candidates that one picture is compared with: the nearest

Flags = NDArray[np.bool_]


@dataclass(frozen=True)
class Split:
    """A split of one data set."""

    dataset: int
    name: str
    role: str  # train, val or test by whatever name: splits of one role in two data sets are one
    config: str = ""  # color or lineart of an unpaired set

    @property
    def label(self) -> str:
        """Its name, led by the config's."""
        return f"{self.config}-{self.name}" if self.config else self.name


def apart(a: Split, b: Split) -> bool:
    """Whether a picture must not be in both."""
    if a.dataset == b.dataset:
        return (a.name, a.config) != (b.name, b.config)
    return a.role != b.role


class Matches(NamedTuple):
    """`ours` (m,), each once, has the same file or pixels as `theirs` (m,), the first of them."""

    ours: Index
    theirs: Index


class Candidates(NamedTuple):
    """Pairs that are worth a look, those of each of ours together, the nearest first."""

    ours: Index  # (m,)
    theirs: Index  # (m,)
    way: NDArray[np.uint16]  # (m,) how they met, as window_join has it: the later shows the earlier


class Reach(NamedTuple):
    """How far the join reaches, as window_join has it."""

    bits: int
    flips: bool
    share: None = None  # all of it


def rivals(split: Index, splits: Sequence[Split]) -> Iterator[tuple[Index, Index]]:
    """Yield for each split its pictures, and those of earlier splits that it must not share any with.

    split: (n,), of each picture.
    """
    for number, here in enumerate(splits):
        before = [n for n, other in enumerate(splits[:number]) if apart(here, other)]
        ours, theirs = np.flatnonzero(split == number), np.flatnonzero(np.isin(split, before))
        if len(ours) and len(theirs):
            yield ours, theirs


def same(digests: NDArray[np.void], ours: Index, theirs: Index) -> Matches:
    """Files with the same bytes, or pictures with the same pixels. digests: (n,) of either."""
    both = digests[np.concatenate([theirs, ours])]
    _, first, group = np.unique(both.view("S16"), return_index=True, return_inverse=True)
    met = first[group[len(theirs) :]]  # unique gives the first place: of theirs, where they have it
    return Matches(ours[met < len(theirs)], theirs[met[met < len(theirs)]])


class Joined(NamedTuple):
    """Candidates, and of the crowds among ours who stands for them."""

    candidates: Candidates
    center: Index  # (k,) is compared
    others: Index  # (k,) of its very code: each is compared with what the center leaks from, and that alone


def joined(pictures: Pictures, ours: Index, theirs: Index, reach: Reach) -> Joined:
    """The pairs of pictures, one of ours and one of theirs, whose windows are near."""
    is_ours, is_theirs = _flags(pictures, ours), _flags(pictures, theirs)
    (few, stars), (few_theirs, _) = (_crowds(pictures, flags) for flags in (is_ours, is_theirs))
    compared = (is_ours & few) | (is_theirs & few_theirs)
    met = window_join.between(pictures.windows, compared, is_ours, reach)
    center = np.arange(len(few))
    center[stars.j] = stars.i  # owners ascend, so the first of a crowd is the earlier
    # The center of a crowd of wholes may be in one of contents.
    return Joined(_nearest(met, is_ours), center[center][stars.j], stars.j)


def _flags(pictures: Pictures, chosen: Index) -> Flags:
    flags = np.zeros(len(pictures.run), np.bool_)
    flags[chosen] = True
    return flags


def _crowds(pictures: Pictures, chosen: Flags) -> tuple[Flags, PicturePairs]:
    """Which pictures, (n,), are compared for the chosen ones, (n,), and stars of those that aren't."""
    seen = pictures.windows
    wholes = np.flatnonzero((seen["kind"] < len(windows.WHOLES)) & chosen[seen["owner"]])
    return window_join.crowds(seen[wholes], len(chosen))


def _nearest(met: PicturePairs, is_ours: Flags) -> Candidates:
    """Pairs of which one is ours, (n,): of each of ours the MOST_TWINS nearest."""
    mine = np.where(is_ours[met.i], met.i, met.j)
    other = met.i + met.j - mine
    order = np.lexsort((other, met.distance, mine))
    mine, other, way = mine[order], other[order], met.way[order]
    rank = np.arange(len(mine)) - np.searchsorted(mine, mine)
    near = rank < MOST_TWINS
    return Candidates(mine[near], other[near], way[near])
