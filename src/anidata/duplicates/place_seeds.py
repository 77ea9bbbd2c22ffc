"""Places of two pictures that look alike, as a start: an exact join, and a stop list.

What stands in many pictures (a flat, a frame, a logo, a dot, a balloon) tells of no two of them: a place near
to places of more than MOST other pictures is left out and counted. Crowds are sought before anything is
joined, so ten thousand copies of one frame are never held against each other. All this is a function of the
set of pictures, whatever their order.
"""

from itertools import combinations
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from anidata.duplicates.hamming import pairs_within
from anidata.duplicates.pairs import (
    Flags,
    Index,
    Pairs,
    Words,
    concatenated,
    grouped,
    members,
    ranges,
    sorted_pairs,
)

BITS = 5  # of 63 in which two places may differ to start from
MOST = 32  # other pictures in which a place may stand
TWINS = 2  # places of one code in one picture that may start
QUARTER = 16  # bits: codes are sorted with each two quarters first
WINDOW = 64  # codes behind each in such an order that a crowd is counted by
ROUNDS = 8  # in which crowds are sought, each among what the last one left
BATCH = 1 << 14  # codes of which a crowd is counted at once


class Seeds(NamedTuple):
    """Pairs of places, by their numbers; a stands in the picture that comes first."""

    a: Index  # (m,)
    b: Index  # (m,)
    distance: NDArray[np.uint8]  # (m,) bits
    stopped: int  # places left out


class _Owned(NamedTuple):
    """Distinct codes, and in which pictures each stands: those from start on, up to stop."""

    codes: Words  # (g,)
    pictures: Index  # (k,)
    start: Index  # (g,)
    stop: Index  # (g,)

    @property
    def spread(self) -> Index:
        """(g,): in how many pictures."""
        return self.stop - self.start


def seeds(codes: Words, owner: Index, new: Flags) -> Seeds:
    """Pairs of places of different pictures, one of them new, that differ in at most BITS.

    codes: (n,); owner: (n,), the number of each one's picture, ascending; new: (pictures,).
    """
    groups = grouped(codes)
    owned = _owned(groups.codes, groups.of, owner)
    fresh = groups.any(new[owner])
    stopped = _crowded(owned, fresh)
    left = np.flatnonzero(~stopped)
    near = pairs_within(owned.codes[left], BITS, fresh[left])
    near = Pairs(left[near.i], left[near.j], near.distance)
    more = _wide(near, owned, ~stopped)
    near = Pairs(*(column[~(more[near.i] | more[near.j])] for column in near))
    stopped |= more
    itself = np.flatnonzero(~stopped & fresh & (owned.spread > 1))
    near = concatenated([near, Pairs(itself, itself, np.zeros(len(itself), np.uint8))])
    return _of_places(near, groups.of, owner, new)._replace(stopped=int(stopped[groups.of].sum()))


def _of_places(near: Pairs, of: Index, owner: Index, new: Flags) -> Seeds:
    """The pairs of places for pairs of codes, a code with itself among them."""
    order = np.lexsort((owner, of))
    first = np.flatnonzero(_rank(of[order] * (owner.max(initial=0) + 1) + owner[order]) < TWINS)
    some = np.sort(order[first])
    groups = grouped(of[some].astype(np.uint64))
    at = np.full(int(of.max(initial=0)) + 1, -1)
    at[groups.codes.astype(np.int64)] = np.arange(len(groups.codes))
    pairs = members(Pairs(at[near.i], at[near.j], near.distance), groups, groups)
    a, b = some[np.minimum(pairs.i, pairs.j)], some[np.maximum(pairs.i, pairs.j)]
    keep = (owner[a] != owner[b]) & (new[owner[a]] | new[owner[b]])
    a, b, distance = sorted_pairs(a[keep], b[keep], pairs.distance[keep])
    once = np.append(True, (a[1:] != a[:-1]) | (b[1:] != b[:-1])) if len(a) else np.zeros(0, np.bool_)
    return Seeds(a[once], b[once], distance[once], 0)


def _rank(values: Index) -> Index:
    """(n,): how many equal ones lie before each of the sorted values."""
    return np.arange(len(values)) - np.searchsorted(values, values)


def _owned(codes: Words, of: Index, owner: Index) -> _Owned:
    pictures = int(owner.max(initial=0)) + 1
    pairs = np.unique(of * pictures + owner)
    stop = np.cumsum(np.bincount(pairs // pictures, minlength=len(codes)))
    return _Owned(codes, pairs % pictures, np.concatenate([[0], stop[:-1]]).astype(np.int64), stop)


def _crowded(owned: _Owned, fresh: Flags) -> Flags:
    """(g,): codes that are surely near to more than MOST other pictures, of crowds above all.

    Among fresh ones alone: of the others a crowd has been left out before.
    """
    stopped = owned.spread > MOST + 1
    for _ in range(ROUNDS):
        left = np.flatnonzero(fresh & ~stopped)
        dense = [_dense_pairs(owned.codes[left], halves) for halves in combinations(range(4), 2)]
        pairs = concatenated(dense)
        more = _wide(Pairs(left[pairs.i], left[pairs.j], pairs.distance), owned, fresh & ~stopped)
        if not more.any():
            break
        stopped |= more
    return stopped


def _dense_pairs(codes: Words, first: tuple[int, int]) -> Pairs:
    """Pairs near each other where codes, (n,), sorted by two quarters and then the others, lie dense."""
    quarters = [*first, *(quarter for quarter in range(4) if quarter not in first)]
    words = np.zeros_like(codes)
    for quarter in quarters:
        words = words << np.uint64(QUARTER) | codes >> np.uint64(QUARTER * quarter) & np.uint64(0xFFFF)
    order = np.argsort(words, kind="stable")
    words, far = words[order], WINDOW // 2
    ahead = np.bitwise_count(words[far:] ^ words[:-far]) <= BITS
    rows = np.flatnonzero(np.append(ahead, np.zeros(min(far, len(words)), np.bool_)))
    chunks = [Pairs(rows[:0], rows[:0], np.zeros(0, np.uint8))]
    for row, column in ranges(rows + 1, np.minimum(rows + 1 + WINDOW, len(words))):
        i = rows[row]
        distance = np.bitwise_count(words[i] ^ words[column])
        near = distance <= BITS
        chunks.append(Pairs(order[i[near]], order[column[near]], distance[near]))
    return concatenated(chunks)


def _wide(near: Pairs, owned: _Owned, among: Flags) -> Flags:
    """(g,): codes that with those near them stand in more than MOST + 1 pictures, of those told."""
    count, spread = len(owned.codes), owned.spread
    i, j = np.concatenate([near.i, near.j]), np.concatenate([near.j, near.i])
    most = spread + np.bincount(i, weights=spread[j], minlength=count)
    suspects = np.flatnonzero(among & (most > MOST + 1))
    wide = np.zeros(count, np.bool_)
    is_suspect = np.zeros(count, np.bool_)
    is_suspect[suspects] = True
    some = is_suspect[i]
    i, j = np.concatenate([i[some], suspects]), np.concatenate([j[some], suspects])
    order = np.argsort(i, kind="stable")
    i, j = i[order], j[order]
    for start in range(0, len(suspects), BATCH):
        batch = suspects[start : start + BATCH]
        rows = slice(int(np.searchsorted(i, batch[0])), int(np.searchsorted(i, batch[-1], "right")))
        wide[batch] = _pictures_near(i[rows], j[rows], owned, count)[batch] > MOST + 1
    return wide


def _pictures_near(i: Index, j: Index, owned: _Owned, count: int) -> Index:
    """(count,): in how many pictures the codes j of each i stand."""
    pictures = int(owned.pictures.max(initial=0)) + 1
    keys = [np.zeros(0, np.int64)]
    for row, column in ranges(owned.start[j], owned.stop[j]):
        keys.append(np.unique(i[row] * pictures + owned.pictures[column]))
    return np.bincount(np.unique(np.concatenate(keys)) // pictures, minlength=count)
