"""The exact Hamming join of 64-bit codes: every pair at most so many bits apart.

Many pictures may share one code (10,000 copies are 50 million pairs), so pictures are joined in two steps:
    groups = grouped(codes)                                    pictures with one code are one group
    pairs = pairs_within(groups.codes, bits, groups.any(new))  of groups, never more than there are neighbors
and where members are wanted, `expanded(pairs, groups)`: a group's distance is that of each of its members.

How: cut the 64 bits into b blocks; codes at most `bits` apart agree in at least b - bits of them. For every
choice of so many blocks, sort by their bits and compare within the runs of equal ones. A pair is taken at the
first choice that shows it. So the choices are independent of each other: threads take them in turn, or
several processes a share each. A long list is sorted in passes, each over the codes whose keys leave one
remainder: beside the codes themselves memory holds one pass.
Source: Manku, Jain, Das Sarma 2007, Detecting near-duplicates for web crawling (block permutation).
"""

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import combinations, islice
from math import comb

import numpy as np

from anidata.duplicates.pairs import (
    NO_PAIRS,
    Flags,
    Index,
    Pairs,
    Share,
    Words,
    concatenated,
    expanded,
    grouped,
    members,
    ranges,
    sorted_pairs,
)

WIDTH = 64  # bits of a code
KEY = 32  # bits of a sort key; as many for the place, so lists are shorter than 2^32
SAMPLE = 1 << 14  # codes by which the number of candidates is estimated
TRIALS = 8  # choices of blocks by which the cost of all is estimated
SORT_COST = 12  # what sorting one code costs, in candidates compared; measured
CALL_COST = 20_000  # what a choice costs whatever the number of codes, likewise
PASS = 1 << 24  # codes sorted at once, in some 400 MB with keys and places
THREADED = 1 << 16  # codes from which threads are worth starting
SPREAD = 39  # odd, about 64 / golden ratio: multiples modulo 64 fall evenly into blocks of any size

Choice = tuple[int, ...]  # the blocks that must agree, ascending


def pairs_within(codes: Words, bits: int, new: Flags | None = None, share: Share | None = None) -> Pairs:
    """Every pair i < j of `codes` (n,) at most `bits` apart; with `new` (n,) only those with a new member.

    Equal codes make a pair each with each: where there may be many, join `grouped` codes.
    Raises: ValueError: bits outside 0 … 64.
    """
    groups = grouped(codes)
    if new is None:
        return expanded(_joined(groups.codes, None, bits, share), groups, share)
    pairs = expanded(_fresh_pairs(groups.codes, bits, groups.any(new), share), groups, share)
    fresh = new[pairs.i] | new[pairs.j]
    return Pairs(pairs.i[fresh], pairs.j[fresh], pairs.distance[fresh])


def cross_within(a: Words, b: Words, bits: int, share: Share | None = None) -> Pairs:
    """Every (i, j) with a[i] and b[j] at most `bits` apart, a (n,) and b (m,): phashes against mirrored ones.

    Raises: ValueError: bits outside 0 … 64.
    """
    left, right = grouped(a), grouped(b)
    return sorted_pairs(*members(_joined(left.codes, right.codes, bits, share), left, right))


def _fresh_pairs(codes: Words, bits: int, fresh: Flags, share: Share | None) -> Pairs:
    """Pairs of distinct codes with a fresh one: fresh with fresh, and fresh with the others."""
    ours, others = np.flatnonzero(fresh), np.flatnonzero(~fresh)
    among = _joined(codes[ours], None, bits, share)
    across = _joined(codes[others], codes[ours], bits, share)
    i, j = np.concatenate([ours[among.i], others[across.i]]), np.concatenate([ours[among.j], ours[across.j]])
    return sorted_pairs(np.minimum(i, j), np.maximum(i, j), np.concatenate([among.distance, across.distance]))


def _joined(a: Words, b: Words | None, bits: int, share: Share | None = None) -> Pairs:
    """Pairs of distinct codes: of `a` with itself where b is None, else of `a` with `b`."""
    if not 0 <= bits <= WIDTH:
        raise ValueError(f"bits must be in 0 … {WIDTH}, not {bits}")
    if not len(a) or (b is not None and not len(b)):
        return NO_PAIRS
    permutation = _bit_permutation(a)
    a, b = _permuted(a, permutation), None if b is None else _permuted(b, permutation)
    blocks, agreeing = _plan(a, b, bits)
    edges = _edges(blocks)
    passes = -(-_total(a, b) // PASS)
    choices = combinations(range(blocks), agreeing)
    work = [(choice, (remainder, passes)) for choice in choices for remainder in range(passes)]

    def join(number: int) -> Pairs:
        choice, remainder = work[number]
        return concatenated([NO_PAIRS, *_agreeing(a, b, bits, edges, choice, remainder)])

    i, j, distance = concatenated([NO_PAIRS, *_each(join, len(work), len(a), share)])
    if b is None:
        i, j = np.minimum(i, j), np.maximum(i, j)
    return sorted_pairs(i, j, distance)


def _each(join: Callable[[int], Pairs], count: int, size: int, share: Share | None) -> Iterator[Pairs]:
    """Yield the pairs of each of `count` joins: those of a share one after the other, or all, by threads."""
    if share or size < THREADED:
        mine, shares = share or (0, 1)
        yield from map(join, range(mine, count, shares))
        return
    with ThreadPoolExecutor(os.cpu_count()) as threads:
        yield from threads.map(join, range(count))


def _agreeing(
    a: Words, b: Words | None, bits: int, edges: list[int], choice: Choice, remainder: Share
) -> Iterator[Pairs]:
    """Yield pairs whose first agreeing blocks are the choice's, of codes whose keys leave this remainder."""
    keys, order = _by_key(a, edges, choice, remainder)
    if b is None:
        other, low, high = order, np.arange(1, len(order) + 1), _run_ends(keys)
    else:
        wanted, other = _by_key(b, edges, choice, remainder)
        low, high = _runs_of(wanted, keys)
    left, right = a[order], a[order] if b is None else b[other]
    for rows, columns in ranges(low, high):
        differing = left[columns] ^ right[rows]
        distance = np.bitwise_count(differing)
        near = np.flatnonzero(distance <= bits)
        near = near[_is_first(differing[near], edges, choice)]
        yield Pairs(order[columns[near]], other[rows[near]], distance[near])


def _by_key(codes: Words, edges: list[int], choice: Choice, remainder: Share = (0, 1)) -> tuple[Words, Index]:
    """The keys of codes (n,), sorted: the bits of the chosen blocks; and where each came from.

    remainder: (r, n): of the keys that leave r, divided by n, alone.
    """
    starts = range(0, max(len(codes), 1), PASS)
    packed = np.concatenate([_packed(codes, start, edges, choice, remainder) for start in starts])
    packed.sort()
    return packed >> np.uint64(KEY), (packed & np.uint64((1 << KEY) - 1)).astype(np.int64)


def _packed(codes: Words, start: int, edges: list[int], choice: Choice, remainder: Share) -> Words:
    """Key and place of the codes of a PASS from `start` whose keys leave the remainder.

    In one word, which sorts faster than an argsort.
    """
    some = codes[start : start + PASS]
    keys, room = np.zeros(len(some), np.uint64), KEY
    for block in choice:
        width = min(edges[block + 1] - edges[block], room)  # what finds no room only makes runs longer
        if width:
            bits = some >> np.uint64(WIDTH - edges[block] - width) & np.uint64((1 << width) - 1)
            keys = keys << np.uint64(width) | bits
        room -= width
    packed = keys << np.uint64(KEY) | np.arange(start, start + len(some), dtype=np.uint64)
    if remainder == (0, 1):
        return packed
    r, n = remainder
    return np.asarray(packed[keys % np.uint64(n) == r])


def _run_ends(keys: Words) -> Index:
    """For each of the sorted keys (n,) the end of its run of equal ones."""
    ends = np.append(np.flatnonzero(keys[1:] != keys[:-1]) + 1, len(keys))
    return np.repeat(ends, np.diff(ends, prepend=0))


def _runs_of(wanted: Words, keys: Words) -> tuple[Index, Index]:
    """For each wanted key (m,) where its run in the sorted keys (n,) starts and stops."""
    return np.searchsorted(keys, wanted, "left"), np.searchsorted(keys, wanted, "right")


def _is_first(differing: Words, edges: list[int], choice: Choice) -> Flags:
    """Whether the first blocks without a differing bit are those of the choice: so a pair shows once."""
    first = np.ones(len(differing), np.bool_)
    for block in range(choice[-1] + 1 if choice else 0):
        mask = ((1 << edges[block + 1] - edges[block]) - 1) << WIDTH - edges[block + 1]
        first &= ((differing & np.uint64(mask)) == 0) == (block in choice)
    return first


def _plan(a: Words, b: Words | None, bits: int) -> tuple[int, int]:
    """How many blocks, and how many of them must agree, by estimated cost; (0, 0) compares all with all."""
    size = _total(a, b)
    best, cost = (0, 0), float(len(a)) * (len(a) / 2 if b is None else len(b))
    for blocks in range(bits + 1, WIDTH + 1):
        choices = comb(blocks, bits)
        sorting = choices * (SORT_COST * size + CALL_COST)
        if sorting >= cost:
            break
        total = sorting + choices * _estimated_candidates(a, b, blocks, blocks - bits)
        if total < cost:
            best, cost = (blocks, blocks - bits), total
    return best


def _estimated_candidates(a: Words, b: Words | None, blocks: int, agreeing: int) -> float:
    """Candidates of one choice, on average, counted on samples."""
    every = max(1, comb(blocks, agreeing) // TRIALS)
    trials = list(islice(combinations(range(blocks), agreeing), 0, None, every))
    left, right = _sample(a), None if b is None else _sample(b)
    counted = sum(_count_candidates(left, right, _edges(blocks), choice) for choice in trials)
    scale = len(a) / len(left)
    scale *= scale if b is None or right is None else len(b) / len(right)
    return counted / len(trials) * scale


def _count_candidates(a: Words, b: Words | None, edges: list[int], choice: Choice) -> int:
    """How many pairs one choice compares."""
    keys, _ = _by_key(a, edges, choice)
    if b is None:
        return int((_run_ends(keys) - np.arange(1, len(keys) + 1)).sum())
    wanted, _ = _by_key(b, edges, choice)
    low, high = _runs_of(wanted, keys)
    return int((high - low).sum())


def _sample(codes: Words) -> Words:
    """At most SAMPLE of the codes: a plan changes time, never pairs."""
    if len(codes) <= SAMPLE:
        return codes
    return codes[np.random.default_rng(0).choice(len(codes), SAMPLE, replace=False)]


def _total(a: Words, b: Words | None) -> int:
    return len(a) + (0 if b is None else len(b))


def _edges(blocks: int) -> list[int]:
    """The first bit of each block, from the left, and the end."""
    return [i * WIDTH // max(blocks, 1) for i in range(blocks + 1)]


def _bit_permutation(codes: Words) -> Index:
    """The new place of each bit, from the right.

    Telling bits are spread evenly, so that no block is left with bits that never change.
    """
    ones = np.array([np.count_nonzero(codes & np.uint64(1 << bit)) for bit in range(WIDTH)])
    permutation = np.empty(WIDTH, np.int64)
    telling_first = np.argsort(np.abs(ones - len(codes) / 2), kind="stable")
    permutation[telling_first] = np.arange(WIDTH) * SPREAD % WIDTH
    return permutation


def _permuted(codes: Words, permutation: Index) -> Words:
    """Codes with their bits in other places; distances stay."""
    out = np.zeros_like(codes)
    for bit, target in enumerate(permutation.tolist()):
        out |= (codes >> np.uint64(bit) & np.uint64(1)) << np.uint64(target)
    return out
