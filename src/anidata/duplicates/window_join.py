"""Pairs of pictures of which one looks like the other, or like a window of it: a join of their windows."""

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
    def share(self) -> pairs.Share:
        """The share of it that is to be done."""


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
    owner, kind = seen["owner"].astype(np.int64), seen["kind"]
    used = few[owner] if reach.flips else few[owner] & (WAYS[kind] == BITS[STRAIGHT])
    a, b, distance = _window_pairs(seen, used, new[owner], reach)
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
    code, is_whole = np.ascontiguousarray(seen["code"]), seen["kind"] < len(windows.WHOLES)
    is_turned = TURNED[seen["kind"]]
    wholes, lying = np.flatnonzero(used & is_whole), np.flatnonzero(used & ~is_whole & ~is_turned)
    within = hamming.pairs_within(code[wholes], reach.bits, fresh[wholes], reach.share)
    chunks = [pairs.Pairs(wholes[within.i], wholes[within.j], within.distance)]
    turned = np.flatnonzero(used & is_turned)
    for others, bits in ((lying, reach.bits), (turned, min(reach.bits, TURNED_BITS))):
        fresh_others, known_others = others[fresh[others]], others[~fresh[others]]
        for index, asking in ((wholes, fresh_others), (wholes[fresh[wholes]], known_others)):
            across = hamming.cross_within(code[index], code[asking], bits, reach.share)
            chunks.append(pairs.Pairs(index[across.i], asking[across.j], across.distance))
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
