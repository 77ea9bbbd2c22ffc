"""Audit: pictures of one split that another split has too, by their bytes or by their looks.

Vectorized: a million pictures are joined in minutes.
"""

import tempfile
from collections import defaultdict
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
# Of 255: by which the borders of two pictures may differ and still show at the same places of a thumbnail.
SAME_BOX = 16
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


@dataclass(frozen=True, kw_only=True)
class Pictures:
    """Columns over n pictures, in the order of tars and samples.

    Pairs of columns: of the whole picture, and of it without borders.
    """

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
        self._columns: dict[str, list[NDArray[Any]]] = defaultdict(list)

    def add(self, tar: int, pictures: list[Picture]) -> None:
        """Add some pictures of a tar, by its place in the list of tars."""
        if not pictures:
            return
        self._thumbs.write(np.stack([p.thumbs for p in pictures]).tobytes())
        digests = np.frombuffer(b"".join(p.digest for p in pictures), np.uint64)
        chunk: dict[str, NDArray[Any]] = {
            "tar": np.full(len(pictures), tar, np.int64),
            "run": np.array([p.run for p in pictures], np.int64),
            "suffix": np.array([p.suffix for p in pictures], np.object_),
            "digest": digests.reshape(-1, 2),
            "codes": np.array([p.codes for p in pictures], np.uint64),
            "flips": np.array([p.flips for p in pictures], np.uint64),
            "degenerate": np.array([p.degenerate for p in pictures], np.bool_),
            "box": np.array([p.box for p in pictures], np.int16),
        }
        for name, column in chunk.items():
            self._columns[name].append(column)

    def pictures(self) -> Pictures | None:
        """All that was added, in an order that doesn't depend on who came first; None where nothing was."""
        if not self._columns:
            return None
        self._thumbs.flush()
        columns = {name: np.concatenate(chunks) for name, chunks in self._columns.items()}
        # Stable: pictures of one sample stay as they came.
        order = np.lexsort((columns["run"], columns["tar"])).astype(np.int64)
        thumbs = np.memmap(self._thumbs, np.uint8, "r", shape=(len(order), 2, SIDE, SIDE))
        ordered = {name: column[order] for name, column in columns.items()}
        return Pictures(**ordered, row=order, thumbs=thumbs)


def rivals(split: Index, splits: Sequence[Split]) -> Iterator[tuple[Index, Index]]:
    """Yield for each split its pictures, and those of earlier splits that it must not share any with.

    split: (n,), of each picture.
    """
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

    likeness: least correlation of the first differences of 32 × 32 luma. Luma itself agrees between any two
    figures on white.
    """
    left, right = _codes(pictures, theirs, flips=False), _codes(pictures, ours, flips=True)
    match = np.full(len(pictures.run), -1, np.int64)
    for i, j in _candidates(left.groups, right.groups, bits):
        asked = np.flatnonzero(match[right.picture[j]] < 0)
        alike = asked[_likeness(pictures, _looks(left, i[asked]), _looks(right, j[asked])) >= likeness][::-1]
        match[right.picture[j[alike]]] = left.picture[i[alike]]  # from the last to the first, which stands
    leaking = np.flatnonzero(match >= 0)
    return Leaks(leaking, match[leaking])


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
    """The codes of the chosen pictures; flips: of their mirror images too."""
    sides = [(pictures.codes, False), (pictures.flips, True)] if flips else [(pictures.codes, False)]
    words, looks = list[Words](), list[Index]()
    for trimmed in (0, 1):
        sound = chosen[~pictures.degenerate[chosen, trimmed]]
        for codes, mirrored in sides:
            words.append(codes[sound, trimmed])
            looks.append(np.stack([sound, np.full(len(sound), trimmed), np.full(len(sound), mirrored)]))
    picture, trim, mirror = np.concatenate(looks, axis=1)
    groups = pair_arrays.grouped(np.concatenate(words))
    return _Codes(groups, picture, _Looks(picture, trim, mirror.astype(np.bool_)))


def _looks(codes: _Codes, chosen: Index) -> _Looks:
    return _Looks(codes.looks.picture[chosen], codes.looks.trimmed[chosen], codes.looks.mirrored[chosen])


def _candidates(
    left: pair_arrays.Groups, right: pair_arrays.Groups, bits: int
) -> Iterator[tuple[Index, Index]]:
    """Yield (i, j), a CHUNK at once: members of `right`, and of each group of `left` whose code is near.

    With up to MOST_TWINS of a group: all of `right` with one of `left`, then with the next.
    """
    pairs = hamming.cross_within(left.codes, right.codes, bits)
    (order, start, count), (other, low, size) = _layout(left), _layout(right)
    count = np.minimum(count, MOST_TWINS)
    ends = np.cumsum(count[pairs.i] * size[pairs.j])
    for begin in range(0, int(ends[-1]) if len(ends) else 0, CHUNK):
        numbers = np.arange(begin, min(begin + CHUNK, int(ends[-1])))
        pair = np.searchsorted(ends, numbers, "right")
        i, j = pairs.i[pair], pairs.j[pair]
        within = numbers - (ends[pair] - count[i] * size[j])
        yield order[start[i] + within // size[j]], other[low[j] + within % size[j]]


def _layout(groups: pair_arrays.Groups) -> tuple[Index, Index, Index]:
    """Places in the order of their groups, where in it each group starts, and its size."""
    size = np.bincount(groups.of, minlength=len(groups.codes))
    return np.argsort(groups.of, kind="stable"), np.cumsum(size) - size, size


def _likeness(pictures: Pictures, a: _Looks, b: _Looks) -> NDArray[np.float32]:
    """float32 (m,): correlation of the outlines of a and b, the best of nine shifts by up to one of 32 cells.

    Two whole pictures within equal borders are compared without them: a white padding's edge outweighs all
    that is in it.
    """
    off = np.abs(_box(pictures, a) - _box(pictures, b)).max(axis=1, initial=0)
    framed = (a.trimmed == 0) & (b.trimmed == 0) & (off <= SAME_BOX)
    inner = _outlines(_thumbs(pictures, a, framed)[:, 1:-1, 1:-1])
    other = _thumbs(pictures, b, framed)
    windows = [other[:, y : y + SIDE - 2, x : x + SIDE - 2] for y in range(3) for x in range(3)]
    shifted = np.stack([np.einsum("ij,ij->i", inner, _outlines(window)) for window in windows])
    best: NDArray[np.float32] = shifted.max(axis=0)
    return best


def _box(pictures: Pictures, looks: _Looks) -> NDArray[np.int16]:
    """int16 (m, 4): top, bottom, left, right of the content, mirrored where that is asked for."""
    top, bottom, left, right = pictures.box[looks.picture].T
    first = np.where(looks.mirrored, 255 - right, left)
    last = np.where(looks.mirrored, 255 - left, right)
    return np.stack([top, bottom, first, last], axis=1)


def _thumbs(pictures: Pictures, looks: _Looks, framed: Flags) -> NDArray[np.float32]:
    """float32 (m, 32, 32): luma, mirrored where that is asked for."""
    rows, trimmed = pictures.row[looks.picture], np.where(framed, 1, looks.trimmed)
    thumbs = pictures.thumbs[rows, trimmed].astype(np.float32)
    thumbs[looks.mirrored] = thumbs[looks.mirrored, :, ::-1]
    return thumbs


def _outlines(thumbs: NDArray[np.float32]) -> NDArray[np.float32]:
    """float32 (m, d): first differences along both axes, of mean 0 and length 1."""
    size = (SIDE - 2) * (SIDE - 3)
    differences = [np.diff(thumbs, axis=axis).reshape(len(thumbs), size) for axis in (1, 2)]
    steps = np.concatenate(differences, axis=1)
    steps -= steps.mean(axis=1, keepdims=True)
    scaled: NDArray[np.float32] = steps / np.maximum(np.linalg.norm(steps, axis=1, keepdims=True), 1e-6)
    return scaled
