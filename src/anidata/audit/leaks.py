"""Audit: pictures of one split that another split has too, by their bytes or by their looks. Vectorized: a million pictures are joined in minutes."""

import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from anidata.audit.samples import Picture
from anidata.duplicates import hamming
from anidata.duplicates import pairs as pair_arrays
from anidata.duplicates.phash import SIDE

CHUNK = 4096  # candidates verified at once: some 100 MB of differences
SAME_BOX = 16  # of 255: by which the borders of two pictures may differ and still show at the same places of a thumbnail
MOST_TWINS = 64  # pictures with one and the same code that another is compared with

Index = NDArray[np.int64]
Flags = NDArray[np.bool_]
Words = NDArray[np.uint64]


@dataclass(frozen=True)
class Split:
    """A split of one data set."""

    dataset: int
    name: str
    role: str  # train, val or test by whatever name: splits of one role in two data sets are one


def apart(a: Split, b: Split) -> bool:
    """Whether a picture must not be in both."""
    return a.name != b.name if a.dataset == b.dataset else a.role != b.role


@dataclass(frozen=True)
class Pictures:
    """Columns over n pictures, in the order of tars and samples. Pairs of columns: of the whole picture, and of it without borders."""

    tar: Index  # (n,) place in the list of tars
    run: Index  # (n,) its sample's place in the tar
    suffix: NDArray[np.object_]  # (n,)
    digest: Words  # (n, 2)
    codes: Words  # (n, 2)
    flips: Words  # (n, 2) codes of the mirrored picture
    degenerate: Flags  # (n, 2)
    box: NDArray[np.int16]  # (n, 4) top, bottom, left, right of the content, 0 to 255 across the page
    row: Index  # (n,) of its thumbnails
    thumbs: NDArray[np.uint8]  # (n, 2, 32, 32) luma; in a temporary file


@dataclass(frozen=True)
class Leaks:
    """`ours` (m,) leak: each is `theirs` (m,) again, in a split before its own."""

    ours: Index
    theirs: Index


class Spool:
    """Gathers pictures as they come; their thumbnails go to a temporary file, 2 kB each."""

    def __init__(self) -> None:
        self._thumbs = tempfile.TemporaryFile()  # noqa: SIM115  unnamed: it ends with the spool
        self._columns: list[list[NDArray[Any]]] = []

    def add(self, tar: int, found: list[Picture]) -> None:
        if not found:
            return
        self._thumbs.write(np.stack([p.thumbs for p in found]).tobytes())
        digest = np.frombuffer(b"".join(p.digest for p in found), np.uint64).reshape(-1, 2)
        words = [np.array([getattr(p, name) for p in found], np.uint64) for name in ("codes", "flips")]
        run, suffix = (
            np.array([p.run for p in found], np.int64),
            np.array([p.suffix for p in found], np.object_),
        )
        place = [np.full(len(found), tar, np.int64), run, suffix]
        flat, box = (
            np.array([p.degenerate for p in found], np.bool_),
            np.array([p.box for p in found], np.int16),
        )
        self._columns.append([*place, digest, *words, flat, box])

    def pictures(self) -> Pictures | None:
        """All that was added, in an order that doesn't depend on who came first; None where there is nothing."""
        if not self._columns:
            return None
        self._thumbs.flush()
        tar, run, suffix, digest, codes, flips, flat, box = (
            np.concatenate(column) for column in zip(*self._columns, strict=True)
        )
        order = np.lexsort((run, tar)).astype(np.int64)  # stable: pictures of one sample stay as they came
        thumbs = np.memmap(self._thumbs, np.uint8, "r", shape=(len(order), 2, SIDE, SIDE))
        words = digest[order], codes[order], flips[order]
        return Pictures(tar[order], run[order], suffix[order], *words, flat[order], box[order], order, thumbs)


def rivals(split: Index, splits: Sequence[Split]) -> Iterator[tuple[Index, Index]]:
    """For each split its pictures, and those of the splits before it that it must not share any with; split (n,): of each picture."""
    for number, here in enumerate(splits):
        before = [n for n, other in enumerate(splits[:number]) if apart(here, other)]
        ours, theirs = np.flatnonzero(split == number), np.flatnonzero(np.isin(split, before))
        if len(ours) and len(theirs):
            yield ours, theirs


def exact(pictures: Pictures, ours: Index, theirs: Index) -> Leaks:
    """Files with the same bytes."""
    both = pictures.digest[np.concatenate([theirs, ours])]
    _, first, group = np.unique(both.view("u8,u8").ravel(), return_index=True, return_inverse=True)
    met = first[group[len(theirs) :]]  # unique gives the first place: of theirs, where they have it
    return Leaks(ours[met < len(theirs)], theirs[met[met < len(theirs)]])


def near(pictures: Pictures, ours: Index, theirs: Index, bits: int, likeness: float) -> Leaks:
    """Pictures whose codes, whole or without borders, mirrored or not, are near, and whose outlines agree.

    likeness: least correlation of the first differences of 32 × 32 luma. Luma itself agrees between any two figures on white.
    """
    left, right = _codes(pictures, theirs, flips=False), _codes(pictures, ours, flips=True)
    match = np.full(len(pictures.run), -1, np.int64)
    for i, j in _candidates(left.groups, right.groups, bits):
        asked = np.flatnonzero(match[right.picture[j]] < 0)
        alike = asked[_likeness(pictures, _looks(left, i[asked]), _looks(right, j[asked])) >= likeness][::-1]
        match[right.picture[j[alike]]] = left.picture[i[alike]]  # from the last to the first, which stands
    found = np.flatnonzero(match >= 0)
    return Leaks(found, match[found])


class _Looks(NamedTuple):
    """Pictures to look at, each in one of four ways."""

    picture: Index  # (c,)
    trimmed: Index  # (c,) 0 whole, 1 without borders
    mirrored: Flags  # (c,)


class _Codes(NamedTuple):
    """Codes of pictures, several of each; those of flat pictures, which say nothing, are left out."""

    groups: pair_arrays.Groups
    picture: Index  # (c,)
    looks: _Looks  # (c,)


def _codes(pictures: Pictures, chosen: Index, *, flips: bool) -> _Codes:
    sides = [(pictures.codes, False), (pictures.flips, True)] if flips else [(pictures.codes, False)]
    words, places = list[Words](), list[Index]()
    for trimmed in (0, 1):
        sound = chosen[~pictures.degenerate[chosen, trimmed]]
        for codes, mirrored in sides:
            words.append(codes[sound, trimmed])
            places.append(np.stack([sound, np.full(len(sound), trimmed), np.full(len(sound), mirrored)]))
    picture, trim, mirror = np.concatenate(places, axis=1)
    return _Codes(
        pair_arrays.grouped(np.concatenate(words)), picture, _Looks(picture, trim, mirror.astype(np.bool_))
    )


def _looks(codes: _Codes, chosen: Index) -> _Looks:
    return _Looks(codes.looks.picture[chosen], codes.looks.trimmed[chosen], codes.looks.mirrored[chosen])


def _candidates(
    left: pair_arrays.Groups, right: pair_arrays.Groups, bits: int
) -> Iterator[tuple[Index, Index]]:
    """(i, j): every member of `right` with up to MOST_TWINS members of each group of `left` whose code is near; a CHUNK at once."""
    pairs = hamming.cross_within(left.codes, right.codes, bits)
    (order, start, count), (other, low, size) = _layout(left), _layout(right)
    count = np.minimum(count, MOST_TWINS)
    ends = np.cumsum(count[pairs.i] * size[pairs.j])
    for begin in range(0, int(ends[-1]) if len(ends) else 0, CHUNK):
        places = np.arange(begin, min(begin + CHUNK, int(ends[-1])))
        pair = np.searchsorted(ends, places, "right")
        i, j = pairs.i[pair], pairs.j[pair]
        within = places - (ends[pair] - count[i] * size[j])
        yield (
            order[start[i] + within // size[j]],
            other[low[j] + within % size[j]],
        )  # all of ours with one of theirs, then the rest with the next


def _layout(groups: pair_arrays.Groups) -> tuple[Index, Index, Index]:
    """Places in the order of their groups, where in it each group starts, and its size."""
    size = np.bincount(groups.of, minlength=len(groups.codes))
    return np.argsort(groups.of, kind="stable"), np.cumsum(size) - size, size


def _likeness(pictures: Pictures, a: _Looks, b: _Looks) -> NDArray[np.float32]:
    """float32 (m,): correlation of the outlines of a and b, the best of nine shifts by up to one of 32 cells.

    Two whole pictures within equal borders are compared without them: a white padding's edge outweighs all that is in it.
    """
    framed = (
        (a.trimmed == 0)
        & (b.trimmed == 0)
        & (np.abs(_box(pictures, a) - _box(pictures, b)).max(axis=1, initial=0) <= SAME_BOX)
    )
    inner = _outlines(_thumbs(pictures, a, framed)[:, 1:-1, 1:-1])
    other = _thumbs(pictures, b, framed)
    windows = [other[:, y : y + SIDE - 2, x : x + SIDE - 2] for y in range(3) for x in range(3)]
    shifted: list[NDArray[np.float32]] = [
        np.einsum("ij,ij->i", inner, _outlines(window)) for window in windows
    ]
    best: NDArray[np.float32] = np.stack(shifted).max(axis=0)
    return best


def _box(pictures: Pictures, looks: _Looks) -> NDArray[np.int16]:
    top, bottom, left, right = pictures.box[looks.picture].T
    return np.stack(
        [
            top,
            bottom,
            np.where(looks.mirrored, 255 - right, left),
            np.where(looks.mirrored, 255 - left, right),
        ],
        axis=1,
    )


def _thumbs(pictures: Pictures, looks: _Looks, framed: Flags) -> NDArray[np.float32]:
    """float32 (m, 32, 32): luma, mirrored where that is asked for."""
    thumbs = pictures.thumbs[pictures.row[looks.picture], np.where(framed, 1, looks.trimmed)].astype(
        np.float32
    )
    thumbs[looks.mirrored] = thumbs[looks.mirrored, :, ::-1]
    return thumbs


def _outlines(thumbs: NDArray[np.float32]) -> NDArray[np.float32]:
    """float32 (m, d): first differences along both axes, of mean 0 and length 1."""
    steps = np.concatenate(
        [np.diff(thumbs, axis=axis).reshape(len(thumbs), (SIDE - 2) * (SIDE - 3)) for axis in (1, 2)], axis=1
    )
    steps -= steps.mean(axis=1, keepdims=True)
    scaled: NDArray[np.float32] = steps / np.maximum(np.linalg.norm(steps, axis=1, keepdims=True), 1e-6)
    return scaled
