"""Pairs of pictures of which one looks like the other, or like a window of it: a join of their windows."""

from collections.abc import Iterator
from typing import NamedTuple, Protocol

import numpy as np

from anidata.duplicates import hamming, pairs, windows
from anidata.duplicates.ways import MIRRORED, STRAIGHT, TURNS

# Pictures of one and the same code that are compared each with each; of more,
# those beyond with the first alone.
CROWD = 32
# Bits of 256: matches beyond aren't worth a look.
# Copies stay within 78, and of pictures that meet by chance hardly one does.
FAR = 80
UNMET = 255  # bits, more than there are
ENTRY = np.dtype([("owner", "<u4"), *windows.CODE.descr])  # a window and the place of its picture
# The ways in which a pair was found, as bits: beside EQUAL those in which its second shows its first.
EQUAL = 1
BITS = {way: EQUAL << n for n, way in enumerate((STRAIGHT, MIRRORED, *TURNS), 1)}
FIRST_TURN = BITS[TURNS[0]]
LYING = FIRST_TURN - 1  # all others
# Bits of 64 in which a turned window may differ: so 443 of 449 turned copies of the half that is fitted to
# are linked; and the fewer bits, the shorter the join.
TURNED_BITS = 6
TURNED = np.array([window.way.quarters > 0 for window in windows.WINDOWS])  # by kind
# By kind, where the second of a pair asks and where the first does.
WAYS = np.array([BITS[window.way] for window in windows.WINDOWS], np.uint16)
BACK = np.array([BITS[window.way.back] for window in windows.WINDOWS], np.uint16)


class Reach(Protocol):
    """How far a join reaches."""

    @property
    def bits(self) -> int:
        """Of 64, in which two codes may differ."""

    @property
    def flips(self) -> bool:
        """Whether mirror images and quarter turns are met too."""

    @property
    def share(self) -> pairs.Share | None:
        """The share of it that is to be done; None: all, by threads."""


class PicturePairs(NamedTuple):
    """Pairs of pictures by their places, i < j."""

    i: np.ndarray  # int64 (n,)
    j: np.ndarray  # int64 (n,)
    distance: np.ndarray  # uint8 (n,): bits between the nearest two windows
    way: np.ndarray  # uint16 (n,)


def near(seen: np.ndarray, few: np.ndarray, new: np.ndarray, reach: Reach) -> PicturePairs:
    """Pairs of pictures, one of them new: a whole of one and some window of the other are within the bits.

    seen: (n,) ENTRY. few, new: (pictures,): which are joined, and which no earlier join has seen.
    """
    owner = seen["owner"].astype(np.int64)
    used = few[owner] & _is_asked(seen["kind"], reach)
    return _met(seen, owner, _window_pairs(seen, used, new[owner], reach))


def between(seen: np.ndarray, few: np.ndarray, ours: np.ndarray, reach: Reach) -> PicturePairs:
    """The pairs that `near` finds of which exactly one is ours.

    seen: (n,) ENTRY. few, ours: (pictures,): which are joined, and of which of the two heaps they are.
    """
    owner, kind = seen["owner"].astype(np.int64), seen["kind"]
    used, is_ours = few[owner] & _is_asked(kind, reach), ours[owner]
    is_whole = kind < len(windows.WHOLES)
    wholes, theirs = np.flatnonzero(used & is_whole & is_ours), np.flatnonzero(used & ~is_whole & ~is_ours)
    others, mine = np.flatnonzero(used & is_whole & ~is_ours), np.flatnonzero(used & is_ours)
    chunks = [*_asked(seen, wholes, theirs, reach), *_asked(seen, others, mine, reach)]
    return _met(seen, owner, pairs.concatenated([pairs.NO_PAIRS, *chunks]))


def _is_asked(kind: np.ndarray, reach: Reach) -> np.ndarray:
    """(n,): windows that a join of this reach looks at, by kind."""
    return np.ones(len(kind), np.bool_) if reach.flips else WAYS[kind] == BITS[STRAIGHT]


def _asked(seen: np.ndarray, wholes: np.ndarray, asking: np.ndarray, reach: Reach) -> Iterator[pairs.Pairs]:
    """Yield the pairs of rows of `seen` of which the first, of `wholes`, is within the second's bits."""
    code, is_turned = np.ascontiguousarray(seen["code"]), TURNED[seen["kind"][asking]]
    turned_bits = min(reach.bits, TURNED_BITS)
    for rows, bits in ((asking[~is_turned], reach.bits), (asking[is_turned], turned_bits)):
        across = hamming.cross_within(code[wholes], code[rows], bits, reach.share)
        yield pairs.Pairs(wholes[across.i], rows[across.j], across.distance)


def _met(seen: np.ndarray, owner: np.ndarray, within: pairs.Pairs) -> PicturePairs:
    """The pictures of rows of `seen`, a whole and what asked it, that are alike by their fine codes."""
    kind, (a, b, distance) = seen["kind"], within
    apart = np.bitwise_count(seen["fine"][a] ^ seen["fine"][b]).sum(axis=1)
    alike = (owner[a] != owner[b]) & (apart <= FAR)
    a, b, distance = a[alike], b[alike], distance[alike]
    way = np.where(owner[b] > owner[a], WAYS[kind[b]], BACK[kind[b]])
    low, high = np.minimum(owner[a], owner[b]), np.maximum(owner[a], owner[b])
    return merged([PicturePairs(low, high, distance, way)])


def _window_pairs(seen: np.ndarray, used: np.ndarray, fresh: np.ndarray, reach: Reach) -> pairs.Pairs:
    """Rows of `seen`, used ones alone: a whole and a window within its bits, one of them fresh.

    used, fresh: (n,).
    """
    is_whole = seen["kind"] < len(windows.WHOLES)
    wholes, others = np.flatnonzero(used & is_whole), np.flatnonzero(used & ~is_whole)
    code = seen["code"][wholes]
    within = hamming.pairs_within(code, reach.bits, fresh[wholes], reach.share)
    chunks = [pairs.Pairs(wholes[within.i], wholes[within.j], within.distance)]
    chunks += _asked(seen, wholes, others[fresh[others]], reach)
    chunks += _asked(seen, wholes[fresh[wholes]], others[~fresh[others]], reach)
    return pairs.concatenated(chunks)


def merged(several: list[PicturePairs]) -> PicturePairs:
    """Each pair once, with its least distance, by turns only where it met by them alone, and all its ways.

    Sorted.
    """
    i, j, distance, way = (np.concatenate(column) for column in zip(*several, strict=True))
    pair, of = np.unique(i << 32 | j, return_inverse=True)
    nearest, ways = np.full(len(pair), UNMET, np.uint8), np.zeros(len(pair), np.uint16)
    lies = way & LYING > 0
    np.minimum.at(nearest, of[lies], distance[lies])
    alone = nearest[of] == UNMET
    np.minimum.at(nearest, of[alone], distance[alone])
    np.bitwise_or.at(ways, of, way)
    return PicturePairs(pair >> 32, pair & 0xFFFFFFFF, nearest, ways)


def crowds(seen: np.ndarray, count: int) -> tuple[np.ndarray, PicturePairs]:
    """Which pictures are joined, (count,), and stars of those that aren't.

    Where more than CROWD share the code of a whole, those beyond are a star around the first of them.
    """
    few, stars = np.ones(count, np.bool_), [NO_PICTURES]
    for kind in range(len(windows.WHOLES)):
        some = seen[seen["kind"] == kind]
        some = some[few[some["owner"]]]
        owner, groups = some["owner"].astype(np.int64), pairs.grouped(np.ascontiguousarray(some["code"]))
        beyond = np.flatnonzero(_ranks(groups) >= CROWD)
        few[owner[beyond]] = False
        stars.append(star(owner[groups.first[groups.of[beyond]]], owner[beyond], BITS[STRAIGHT]))
    return few, merged(stars)


def _ranks(groups: pairs.Groups) -> np.ndarray:
    """(n,): how many of its group stand before each place; owners ascend, and so within their group."""
    order = np.argsort(groups.of, kind="stable")
    starts = np.searchsorted(groups.of[order], np.arange(len(groups.codes)))
    rank = np.empty(len(order), np.int64)
    rank[order] = np.arange(len(order)) - starts[groups.of[order]]
    return rank


def star(center: np.ndarray, others: np.ndarray, way: int) -> PicturePairs:
    """Each of the others, (n,), with its center, (n,)."""
    return PicturePairs(
        np.minimum(center, others),
        np.maximum(center, others),
        np.zeros(len(others), np.uint8),
        np.full(len(others), way, np.uint16),
    )


NO_PICTURES = star(np.empty(0, np.int64), np.empty(0, np.int64), BITS[STRAIGHT])


def entries(codes: np.ndarray, owner: np.ndarray) -> np.ndarray:
    """(n,) ENTRY of windows.CODE and the places of their pictures, (n,)."""
    rows = np.empty(len(codes), ENTRY)
    rows["owner"] = owner
    for name in windows.CODE.names or ():
        rows[name] = codes[name]
    return rows


def met_in(way: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(n,) each: how the two of a pair met but for turns, and by which turns, as a bit set of `ways.TURNS`.

    As they are (`no`), one of them mirrored (`yes`), in both ways (`both`), or in `neither`.
    """
    both = BITS[STRAIGHT] | BITS[MIRRORED]
    tests = [way & both == both, way & BITS[MIRRORED] > 0, way & (EQUAL | BITS[STRAIGHT]) > 0]
    return np.select(tests, ["both", "yes", "no"], "neither"), (way // FIRST_TURN).astype(np.uint8)
