"""Pairs of numbers as arrays: groups, ranges, connected components."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Words = NDArray[np.uint64]
Index = NDArray[np.int64]
Flags = NDArray[np.bool_]
Share = tuple[int, int]  # the k-th of n: one takes every n-th choice; all n together find every pair once
CHUNK = 1 << 18  # candidates compared at once: their arrays stay in the cache


class Pairs(NamedTuple):
    """Pairs sorted by (i, j), each once."""

    i: Index  # (m,)
    j: Index  # (m,)
    distance: NDArray[np.uint8]  # (m,) bits


NO_PAIRS = Pairs(np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0, np.uint8))


class Groups(NamedTuple):
    """Places of a list gathered by code."""

    codes: Words  # (g,) distinct, ascending
    of: Index  # (n,) the group of each place
    first: Index  # (g,) the first place of each group

    def any(self, flags: Flags) -> Flags:
        """(g,): groups with a member whose flag (n,) is set."""
        return np.bincount(self.of, weights=flags, minlength=len(self.codes)) > 0


def grouped(codes: Words) -> Groups:
    """Gather equal codes, (n,)."""
    distinct, first, of = np.unique(codes, return_index=True, return_inverse=True)
    return Groups(distinct, of.astype(np.int64), first.astype(np.int64))


def expanded(pairs: Pairs, groups: Groups, share: Share | None = None) -> Pairs:
    """Pairs of places for pairs of groups; in the first share those within each group too, at distance 0."""
    across = members(pairs, groups, groups)
    is_first = not share or share[0] == 0
    i, j, distance = concatenated([across, _within(groups)]) if is_first else across
    return sorted_pairs(np.minimum(i, j), np.maximum(i, j), distance)


def _within(groups: Groups) -> Pairs:
    """Each member with those behind it in its group, unsorted."""
    order, _, stop = _layout(groups)
    behind = ranges(np.arange(1, len(order) + 1), stop[groups.of[order]])
    chunks = [Pairs(order[i], order[j], np.zeros(len(i), np.uint8)) for i, j in behind]
    return concatenated([NO_PAIRS, *chunks])


def components(n: int, i: Index, j: Index) -> Index:
    """(n,): for each of n places the smallest place that pairs (i, j) connect it to."""
    root = np.arange(n)  # of a tree: never larger than the place itself
    while True:
        a, b = root[i], root[j]
        apart = a != b
        if not apart.any():
            return root
        i, j, a, b = i[apart], j[apart], a[apart], b[apart]
        np.minimum.at(root, np.maximum(a, b), np.minimum(a, b))  # hang the later root under the earlier one
        while not np.array_equal(root, root[root]):  # and flatten
            root = root[root]


def members(pairs: Pairs, left: Groups, right: Groups) -> Pairs:
    """Each member of group i with each of group j, unsorted."""
    (rows_of, start, stop), (columns_of, low, high) = _layout(left), _layout(right)
    chunks = [NO_PAIRS]
    for pair, row in ranges(start[pairs.i], stop[pairs.i]):
        for at, column in ranges(low[pairs.j[pair]], high[pairs.j[pair]]):
            chunks.append(Pairs(rows_of[row[at]], columns_of[column], pairs.distance[pair[at]]))
    return concatenated(chunks)


def _layout(groups: Groups) -> tuple[Index, Index, Index]:
    """Places (n,) in the order of their groups, and where in it each group starts and stops (g,)."""
    stop = np.cumsum(np.bincount(groups.of, minlength=len(groups.codes)))
    return np.argsort(groups.of, kind="stable"), np.concatenate([[0], stop[:-1]]).astype(np.int64), stop


def ranges(low: Index, high: Index) -> Iterator[tuple[Index, Index]]:
    """(row, column) for each column in low[row] … high[row], a CHUNK at once."""
    full = np.flatnonzero(high > low)
    low, counts = low[full], (high - low)[full]
    ends = np.cumsum(counts)
    for start in range(0, int(ends[-1]) if len(ends) else 0, CHUNK):
        stop = min(start + CHUNK, int(ends[-1]))
        some = slice(int(np.searchsorted(ends, start, "right")), int(np.searchsorted(ends, stop, "left")) + 1)
        begins = ends[some] - counts[some]
        times = np.minimum(ends[some], stop) - np.maximum(begins, start)
        yield np.repeat(full[some], times), np.arange(start, stop) + np.repeat(low[some] - begins, times)


def concatenated(chunks: list[Pairs]) -> Pairs:
    return Pairs(*(np.concatenate(column) for column in zip(*chunks, strict=True)))


def sorted_pairs(i: Index, j: Index, distance: NDArray[np.uint8]) -> Pairs:
    order = np.argsort(i << 32 | j)
    return Pairs(i[order], j[order], distance[order])
