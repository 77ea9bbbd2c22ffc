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
from anidata.duplicates import place_agreement, window_join, windows
from anidata.duplicates.place_agreement import HINT
from anidata.duplicates.window_join import PicturePairs

MOST_TWINS = 64  # candidates that one picture is compared with: the nearest
BEHIND = 1 << 10  # less the number of agreeing places: the distance of what met by them

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
    # (m,) how they met, as window_join has it: the later shows the earlier. 0: by places.
    way: NDArray[np.uint16]
    hint: NDArray[np.void]  # (m,) HINT: of those that met by places how the earlier lies on the later


class Reach(NamedTuple):
    """How far the join reaches, as window_join has it."""

    bits: int
    flips: bool
    places: bool = True
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
    near = [_by_windows(window_join.between(pictures.windows, compared, is_ours, reach), is_ours)]
    if reach.places:
        near.append(_by_places(pictures, compared, is_ours))
    center = np.arange(len(few))
    center[stars.j] = stars.i  # owners ascend, so the first of a crowd is the earlier
    # The center of a crowd of wholes may be in one of contents.
    return Joined(_nearest(near), center[center][stars.j], stars.j)


def _flags(pictures: Pictures, chosen: Index) -> Flags:
    flags = np.zeros(len(pictures.run), np.bool_)
    flags[chosen] = True
    return flags


def _crowds(pictures: Pictures, chosen: Flags) -> tuple[Flags, PicturePairs]:
    """Which pictures, (n,), are compared for the chosen ones, (n,), and stars of those that aren't."""
    seen = pictures.windows
    wholes = np.flatnonzero((seen["kind"] < len(windows.WHOLES)) & chosen[seen["owner"]])
    return window_join.crowds(seen[wholes], len(chosen))


class _Met(NamedTuple):
    """Candidates, and how near they are: the nearest first."""

    candidates: Candidates
    distance: Index  # (m,)


def _by_windows(met: PicturePairs, is_ours: Flags) -> _Met:
    mine = np.where(is_ours[met.i], met.i, met.j)
    candidates = Candidates(mine, met.i + met.j - mine, met.way, np.zeros(len(mine), HINT))
    return _Met(candidates, met.distance.astype(np.int64))


def _by_places(pictures: Pictures, compared: Flags, is_ours: Flags) -> _Met:
    """Pairs of which one is ours, (n,), and places agree: behind all that met by windows."""
    owner = pictures.places["owner"].astype(np.int64)
    used = compared[owner]
    met = place_agreement.met(pictures.places[used], owner[used], is_ours & compared)
    across = is_ours[met.i] != is_ours[met.j]
    i, j, hint = met.i[across], met.j[across], met.hint[across]
    mine = np.where(is_ours[i], i, j)
    candidates = Candidates(mine, i + j - mine, np.zeros(len(mine), np.uint16), hint)
    return _Met(candidates, BEHIND - hint["agreeing"].astype(np.int64))


def _nearest(several: list[_Met]) -> Candidates:
    """Of each of ours the MOST_TWINS nearest."""
    columns = zip(*(met.candidates for met in several), strict=True)
    ours, theirs, way, hint = (np.concatenate(column) for column in columns)
    distance = np.concatenate([met.distance for met in several])
    order = np.lexsort((theirs, distance, ours))
    mine = ours[order]
    order = order[np.arange(len(mine)) - np.searchsorted(mine, mine) < MOST_TWINS]
    return Candidates(ours[order], theirs[order], way[order], hint[order])
