"""The join of places of a million pictures: seeds, candidates, CPU seconds, memory; exact on a part.

Records are resampled from real pictures' places: each takes as many as a real picture has, any of all of
them, with bits turned. So many are turned that a sample has as many pairs of near places as the real pictures
have. One picture in a hundred is planted: it shows most places of another one, smaller and shifted, as a page
does its panel.
"""

import hashlib
import resource
import time
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from anidata.duplicates import place_agreement, place_codes, place_points, place_seeds
from anidata.errors import BadImage
from anidata.imaging import decode
from placing import unrelated

REAL = 3_000  # pictures whose places are resampled
EVERY = 100  # a planted picture
SHOWN, NOISY = 0.6, 2  # share of places that a planted picture shows; bits turned in each, at most
FEW = 8  # places that are shown so, at least
CHUNK = 20_000  # pictures made at once
PART = 600  # pictures of the part that is checked by brute force
PIXELS = 100_000_000  # of a picture
BITS = 63  # of a code that tell something: all but the lowest

Array = np.ndarray
Rng = np.random.Generator


class Pile(NamedTuple):
    """Places of pictures, as met() takes them, and which pictures show others."""

    places: Array  # (n,) PLACE
    owner: Array  # int64 (n,)
    shows: Array  # int64 (pictures,): another picture; -1: none


def compare(half: str, count: int, art: Path, cache: Path) -> None:
    """Print the figures of so many pictures resampled from a half's."""
    real = real_places(art, cache / f"places-{half}-v{place_codes.VERSION}.npz")
    pictures = int(real[1].max()) + 1
    alike = place_agreement.met(*real, np.ones(pictures, np.bool_))
    print(f"{len(alike.i) / pictures:.2f} candidates a picture among {pictures:,} real ones of {half}")
    noise = fitted_noise(real)
    print(f"\n## {half}: {count:,} pictures of {pictures:,} real ones' places, noise {noise:.3f} a bit\n")
    pile = resampled(*real, count, noise, np.random.default_rng(count))
    print(f"{len(pile.places):,} places, {len(pile.places) / count:.1f} a picture", flush=True)
    everyone = np.ones(count, np.bool_)
    starts = _timed("seeds", lambda: place_seeds.seeds(pile.places["code"], pile.owner, everyone))
    print(f"  {len(starts.a):,} seeds, {starts.stopped:,} places stopped", flush=True)
    met = _timed("all: seeds and agreement", lambda: place_agreement.met(pile.places, pile.owner, everyone))
    planted = np.flatnonzero(pile.shows >= 0)
    pairs = set(zip(met.i.tolist(), met.j.tolist(), strict=True))
    hits = sum((min(n, pile.shows[n]), max(n, pile.shows[n])) in pairs for n in planted)
    print(f"  {len(pairs):,} candidates, {(len(pairs) - hits) / count:.3f} unplanted a picture")
    print(f"  planted pairs: {hits:,} of {len(planted):,}; crowded out {met.crowded:,}")
    one = np.arange(count) == count - 1
    _timed("one more picture", lambda: place_agreement.met(pile.places, pile.owner, one))
    print(f"  {exactness(part(pile, min(PART, count)))}", flush=True)


def _timed(what: str, run: Callable[[], Any]) -> Any:
    begun = time.process_time()
    result = run()
    # ru_maxrss is this process's own highest.
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    print(f"{what}: {time.process_time() - begun:.1f} CPU s, peak so far {peak:.2f} GB", flush=True)
    return result


# --- real ones ----------------------------------------------------------------------------------------------


def real_places(art: Path, cache: Path, count: int = REAL) -> tuple[Array, Array]:
    """Places and owners of so many pictures of a half, kept in a file while the code is the same."""
    code = b"".join(Path(str(part.__file__)).read_bytes() for part in (place_codes, place_points))
    digest = hashlib.sha256(code).hexdigest()
    if cache.exists():
        with np.load(cache) as kept:
            if str(kept["code"]) == digest:
                return kept["places"], kept["owner"]
    begun = time.process_time()
    some = list(islice(_each(art), count))
    print(f"places of {len(some):,} pictures, with opening them: {time.process_time() - begun:.0f} CPU s")
    places = np.concatenate(some)
    owner = np.repeat(np.arange(len(some)), list(map(len, some)))
    np.savez(cache, places=places, owner=owner, code=digest)
    return places, owner


def _each(art: Path) -> Iterator[Array]:
    for _, path in unrelated.in_turn(sorted(one for one in art.iterdir() if one.is_dir())):
        try:
            yield place_codes.codes(decode.decode(path.read_bytes(), PIXELS))
        except BadImage:
            continue


# --- resampling ---------------------------------------------------------------------------------------------


def resampled(
    places: Array, owner: Array, count: int, noise: float, rng: Rng, *, plants: bool = True
) -> Pile:
    """So many pictures of places drawn from these, each bit turned with a chance of `noise`.

    plants: one in EVERY is planted.
    """
    sizes = rng.choice(np.bincount(owner), count)
    shows = np.full(count, -1)
    planted = np.arange(EVERY - 1, count, EVERY)[: None if plants else 0]
    shown = planted - 1 - rng.integers(0, EVERY - 1, len(planted))
    enough = np.minimum(sizes[planted], SHOWN * sizes[shown]) >= FEW
    planted = planted[enough]
    shows[planted] = shown[enough]
    made = np.empty(int(sizes.sum()), places.dtype)
    start = np.concatenate([[0], np.cumsum(sizes)])
    for low in range(0, count, CHUNK):
        rows = slice(start[low], start[min(low + CHUNK, count)])
        made[rows] = places[rng.integers(0, len(places), rows.stop - rows.start)]
        made["code"][rows] ^= turned(rows.stop - rows.start, noise, rng)
    for n in planted:
        _plant(made[start[n] : start[n + 1]], made[start[shows[n]] : start[shows[n] + 1]], rng)
    return Pile(made, np.repeat(np.arange(count), sizes), shows)


def turned(count: int, noise: float, rng: Rng) -> Array:
    """uint64 (count,) with each bit of a code set with a chance of `noise`."""
    words = np.zeros(count, np.uint64)
    for bit in range(1, 1 + BITS):
        words |= (rng.random(count, np.float32) < noise).astype(np.uint64) << np.uint64(bit)
    return words


def _plant(places: Array, shown: Array, rng: Rng) -> None:
    """Let a picture, in place, show places of another one: smaller, shifted, with bits turned."""
    some = rng.permutation(len(shown))[: min(len(places), round(SHOWN * len(shown)))]
    octaves = rng.uniform(-1.5, 0)
    copies = shown[some]
    for axis in "xy":
        shift = rng.uniform(0, 8000)
        copies[axis] = np.clip(copies[axis] * 2**octaves + shift, 0, 65535).astype(np.uint16)
    sizes = copies["size"].astype(int) + round(16 * octaves)
    copies["size"] = np.clip(sizes, 0, 255)
    for _ in range(NOISY):
        copies["code"] ^= np.uint64(1) << rng.integers(1, 1 + BITS, len(copies)).astype(np.uint64)
    places[: len(copies)] = copies


def fitted_noise(real: tuple[Array, Array]) -> float:
    """The chance by which as many seeds are among as many resampled pictures as among real ones."""
    places, owner = real
    everyone = np.ones(int(owner.max()) + 1, np.bool_)
    goal, low, high = len(place_seeds.seeds(places["code"], owner, everyone).a), 0.0, 0.3
    for _ in range(8):
        noise = (low + high) / 2
        pile = resampled(places, owner, len(everyone), noise, np.random.default_rng(1), plants=False)
        enough = len(place_seeds.seeds(pile.places["code"], pile.owner, everyone).a) > goal
        low, high = (noise, high) if enough else (low, noise)
    return (low + high) / 2


# --- exactness ----------------------------------------------------------------------------------------------


def part(pile: Pile, count: int) -> tuple[Array, Array]:
    """The first so many pictures."""
    rows = pile.owner < count
    return pile.places["code"][rows], pile.owner[rows]


def exactness(some: tuple[Array, Array]) -> str:
    """Whether the join starts from the same pairs of pictures as brute force does; some: codes, owners."""
    codes, owner = some
    pictures = int(owner.max()) + 1
    starts = place_seeds.seeds(codes, owner, np.ones(pictures, np.bool_))
    own = np.unique(owner[starts.a] * pictures + owner[starts.b])
    other = brute_force(codes, owner)
    same = "the same" if np.array_equal(own, other) else "NOT the same"
    return f"{same} pairs of pictures by brute force over {pictures:,}: {len(own):,} and {len(other):,}"


def brute_force(codes: Array, owner: Array) -> Array:
    """Of the pairs of pictures (i · pictures + j) those that share a near place which stands in few."""
    pictures = int(owner.max()) + 1
    pairs: list[Array] = [np.zeros((0, 2), np.int64)]
    for row, code in enumerate(codes):
        near = np.flatnonzero(np.bitwise_count(codes ^ code) <= place_seeds.BITS)
        near = near[owner[near] != owner[row]]
        pairs.append(np.stack([np.full(len(near), row), near], axis=1))
    near = np.concatenate(pairs)
    # Of each place the other pictures that have a near one; what has too many is out.
    places = np.unique(near[:, 0] * pictures + owner[near[:, 1]]) // pictures
    is_few = np.bincount(places, minlength=len(codes)) <= place_seeds.MOST
    near = near[is_few[near].all(axis=1)]
    i, j = owner[near].T
    return np.unique(i[i < j] * pictures + j[i < j])
