"""Pictures of which parts agree: several places that look alike, all at one scale and shift.

A pair of pictures starts from places that are nearly equal (place_seeds.py). Each tells a scale and a shift;
other places of the two that lie where these say, and look alike, agree. Enough of them make a candidate, with
a hint where the one lies in the other: whether it does is for the pixels to say.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from anidata.duplicates.pairs import Flags, Index, Words, ranges
from anidata.duplicates.place_codes import ALONG, STEPS, halves_of
from anidata.duplicates.place_seeds import Seeds, seeds

# A point p of picture i, in its long sides from its top left, lies at q = scale · p + (dx, dy) in picture j.
HINT = np.dtype([("scale", "<f4"), ("dx", "<f4"), ("dy", "<f4"), ("agreeing", "u1")])
ALIKE = 12  # bits of 63 in which places that agree may differ
APART = 0.35  # half sides that they may lie off
SIZES = 6  # sixteenths of an octave by which their sizes may, × 1.3
ZOOM = 28  # sixteenths of an octave between two pictures' scales, at most: × 3.4
STARTS = 12  # seeds of a pair that are tried
LEAST = 3  # agreeing places of a candidate
CROWD = 64  # candidates of a picture, unless more agree as well
PAIRS = 1 << 9  # pairs of pictures whose places are held against each other at once
SLACK, GROWTH = 0.1, 0.1  # half sides, and share of the size, that a place lies off as a rule
STEPS_OF_FIT = 3

Values = NDArray[np.float64]


class Met(NamedTuple):
    """Candidates, sorted by (i, j)."""

    i: Index  # (m,)
    j: Index  # (m,), behind i
    hint: NDArray[np.void]  # (m,) HINT
    stopped: int  # places left out because they stand in many pictures
    crowded: int  # candidates left out because a picture had too many


class _Places(NamedTuple):
    """All places, in the order of their pictures and within each in that of their fields."""

    x: Values  # (n,) in long sides
    y: Values
    size: Index
    half: Values  # in long sides
    code: Words
    start: Index  # (pictures + 1,): where each one's begin
    rank: Index  # (pictures,): an order of pictures by what their places are, whatever their numbers


class _Matches(NamedTuple):
    """Places a and b of pairs of pictures that look alike, (m,) each, by pair."""

    pair: Index
    a: Index
    b: Index
    distance: NDArray[np.uint8]


def met(places: NDArray[np.void], owner: Index, new: Flags) -> Met:
    """The pairs of pictures, at least one of them new, of which parts agree.

    places: (n,) PLACE; owner: (n,), the number of each one's picture, ascending; new: (pictures,).
    """
    order = np.lexsort((places["code"], places["y"], places["x"], places["size"], owner))
    places = places[order]
    known = _known(places, owner, len(new))
    starts = seeds(known.code, owner, new)
    some = _oriented(starts, owner, known, len(new))
    pairs = np.unique(owner[some.a] * len(new) + owner[some.b])
    i, j = np.divmod(pairs, max(len(new), 1))
    some = _few(some._replace(pair=np.searchsorted(pairs, owner[some.a] * len(new) + owner[some.b])))
    alike = _alike(i, j, known)
    hints, score = _best(some, alike, len(pairs), known)
    keep = score >= LEAST
    i, j, hints, score = i[keep], j[keep], hints[keep], score[keep]
    few = _uncrowded(i, j, score, len(new))
    hints, swap = hints[few], i[few] > j[few]
    hints[swap] = _inverse(hints[swap])
    low, high = np.minimum(i[few], j[few]), np.maximum(i[few], j[few])
    order = np.lexsort((high, low))
    return Met(low[order], high[order], hints[order], starts.stopped, int((~few).sum()))


def _known(places: NDArray[np.void], owner: Index, pictures: int) -> _Places:
    start = np.searchsorted(owner, np.arange(pictures + 1))
    mixed = places["code"].astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    for field, factor in (("x", 0xD6E8FEB86659FD93), ("y", 0xA0761D6478BD642F), ("size", 0xE7037ED1A0B428DB)):
        mixed = (mixed ^ mixed >> np.uint64(29)) + places[field].astype(np.uint64) * np.uint64(factor)
    total = np.concatenate([np.zeros(1, np.uint64), np.cumsum(mixed ^ mixed >> np.uint64(32))])
    sums = total[start[1:]] - total[start[:-1]]
    size = places["size"]
    rank = np.empty(pictures, np.int64)
    rank[np.lexsort((np.arange(pictures), sums))] = np.arange(pictures)
    x, y = places["x"] / ALONG, places["y"] / ALONG
    return _Places(
        x, y, size.astype(np.int64), halves_of(size), places["code"].astype(np.uint64), start, rank
    )


def _oriented(starts: Seeds, owner: Index, known: _Places, pictures: int) -> _Matches:
    """Seeds with the picture first that comes first by rank; without those of far too different sizes."""
    swap = known.rank[owner[starts.a]] > known.rank[owner[starts.b]]
    a, b = np.where(swap, starts.b, starts.a), np.where(swap, starts.a, starts.b)
    near = np.abs(known.size[a] - known.size[b]) <= ZOOM
    return _Matches(np.zeros(int(near.sum()), np.int64), a[near], b[near], starts.distance[near])


def _few(some: _Matches) -> _Matches:
    """By pair, at most STARTS of each, the nearest ones."""
    order = np.lexsort((some.b, some.a, some.distance, some.pair))
    some = _Matches(*(column[order] for column in some))
    rank = np.arange(len(order)) - np.searchsorted(some.pair, some.pair)
    return _Matches(*(column[rank < STARTS] for column in some))


def _alike(i: Index, j: Index, known: _Places) -> _Matches:
    """All places of the pairs of pictures (i, j) that look alike."""
    counts = np.diff(known.start)
    slots = np.arange(int(counts.max(initial=0)))
    at = np.minimum(known.start[:-1, None] + slots, max(len(known.code) - 1, 0))
    codes, real = (
        known.code[at] if len(known.code) else np.zeros(at.shape, np.uint64),
        slots < counts[:, None],
    )
    left, right = np.where(real, codes, ~np.uint64(0)), np.where(real, codes, np.uint64(1 << 63))
    chunks = [_Matches(*(np.zeros(0, np.int64),) * 3, np.zeros(0, np.uint8))]
    for start in range(0, len(i), PAIRS):
        a, b = i[start : start + PAIRS], j[start : start + PAIRS]
        distance = np.bitwise_count(left[a][:, :, None] ^ right[b][:, None, :])
        hits = np.flatnonzero((distance <= ALIKE).ravel())
        pair, row, column = np.unravel_index(hits, distance.shape)
        valid = real[a[pair], row] & real[b[pair], column]
        pair, row, column, hits = pair[valid], row[valid], column[valid], hits[valid]
        places = known.start[a[pair]] + row, known.start[b[pair]] + column
        chunks.append(_Matches(pair + start, *places, distance.ravel()[hits]))
    return _Matches(*(np.concatenate(column) for column in zip(*chunks, strict=True)))


def _best(some: _Matches, alike: _Matches, pairs: int, known: _Places) -> tuple[NDArray[np.void], Values]:
    """(pairs,): the hint of the seed with which most agrees, and how much does."""
    seed, match = _agreeing(some, alike, known)
    agreeing = np.minimum(
        _distinct(seed, alike.a[match], len(some.a)), _distinct(seed, alike.b[match], len(some.a))
    )
    order = np.lexsort((np.arange(len(some.a)), -agreeing, some.pair))
    best = order[np.searchsorted(some.pair[order], np.arange(pairs))]
    chosen = np.full(len(some.a), -1)
    chosen[best] = np.arange(pairs)
    keep = chosen[seed] >= 0
    hints = _fitted(chosen[seed[keep]], match[keep], alike, pairs, known)
    hints["agreeing"] = np.minimum(agreeing[best], 255)
    return hints, agreeing[best].astype(np.float64)


def _agreeing(some: _Matches, alike: _Matches, known: _Places) -> tuple[Index, Index]:
    """Each seed with each match of its pair that lies where the seed says: two (k,) of numbers, by seed."""
    low, high = np.searchsorted(alike.pair, some.pair), np.searchsorted(alike.pair, some.pair, "right")
    seeds_, matches = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)]
    for seed, match in ranges(low, high):
        a, b, c, d = some.a[seed], some.b[seed], alike.a[match], alike.b[match]
        zoom = known.size[b] - known.size[a]
        near = np.abs(known.size[d] - known.size[c] - zoom) <= SIZES
        scale = 2 ** (zoom / STEPS)
        reach = np.square(APART) * known.half[d] * known.half[c] * scale  # the same from either side
        off = np.square(known.x[d] - known.x[b] - scale * (known.x[c] - known.x[a]))
        off += np.square(known.y[d] - known.y[b] - scale * (known.y[c] - known.y[a]))
        near &= off <= reach
        seeds_.append(seed[near])
        matches.append(match[near])
    return np.concatenate(seeds_), np.concatenate(matches)


def _distinct(of: Index, value: Index, count: int) -> Index:
    """(count,): how many different values each has."""
    if not len(of):
        return np.zeros(count, np.int64)
    width = int(value.max()) + 1
    return np.bincount(np.unique(of * width + value) // width, minlength=count)


def _fitted(pair: Index, match: Index, alike: _Matches, pairs: int, known: _Places) -> NDArray[np.void]:
    """(pairs,) HINT: the scale and shift that fit agreeing places best; what lies off weighs little.

    Places tell the scale by where they lie and by their sizes.
    """
    a, b = alike.a[match], alike.b[match]
    slack = SLACK * known.half[b]
    sizes = 2 ** ((known.size[b] - known.size[a]) / STEPS)
    weight = np.ones(len(pair))

    def mean(values: Values, by: Values) -> Values:
        return np.bincount(pair, by * values, pairs) / np.maximum(np.bincount(pair, by, pairs), 1e-300)

    for _ in range(STEPS_OF_FIT):
        by = weight / np.square(slack)
        px, py, qx, qy = (mean(values, by) for values in (known.x[a], known.y[a], known.x[b], known.y[b]))
        u, v, s, t = (
            known.x[a] - px[pair],
            known.y[a] - py[pair],
            known.x[b] - qx[pair],
            known.y[b] - qy[pair],
        )
        prior = weight / np.square(GROWTH * sizes)
        above = np.bincount(pair, by * (u * s + v * t) + prior * sizes, pairs)
        scale = above / np.maximum(np.bincount(pair, by * (u * u + v * v) + prior, pairs), 1e-300)
        off = (np.square(s - scale[pair] * u) + np.square(t - scale[pair] * v)) / np.square(slack)
        weight = 1 / (1 + off)
    hints = np.zeros(pairs, HINT)
    hints["scale"], hints["dx"], hints["dy"] = scale, qx - scale * px, qy - scale * py
    return hints


def _uncrowded(i: Index, j: Index, score: Values, pictures: int) -> Flags:
    """(m,): candidates that are among the CROWD best of one of their two pictures, equal ones too."""
    owner, value = np.concatenate([i, j]), np.concatenate([score, score])
    order = np.lexsort((-value, owner))
    rank = np.empty(len(order), np.int64)
    rank[order] = np.arange(len(order)) - np.searchsorted(owner[order], owner[order])
    least = np.zeros(pictures)
    last = rank == CROWD - 1
    least[owner[last]] = value[last]
    return np.asarray((score >= least[i]) | (score >= least[j]))


def _inverse(hints: NDArray[np.void]) -> NDArray[np.void]:
    """The hints seen from the other picture."""
    back, scale = hints.copy(), hints["scale"].astype(np.float64)
    back["scale"] = 1 / scale
    back["dx"], back["dy"] = -hints["dx"] / scale, -hints["dy"] / scale
    return back
