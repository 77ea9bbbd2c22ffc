"""The order in which an epoch is read: a pure function of (seed, epoch), and how ranks and workers cut it.

Not numpy's generators, whose streams may change between its versions: a run that resumes years later reads on
in the same order.
"""

import hashlib

import numpy as np
from numpy.typing import NDArray

GOLDEN = np.uint64(0x9E3779B97F4A7C15)
FIRST = np.uint64(0xBF58476D1CE4E5B9)
SECOND = np.uint64(0x94D049BB133111EB)


def shuffled(count: int, seed: int, epoch: int) -> NDArray[np.int64]:
    """The numbers below `count` in an order of their own for each seed and epoch.

    SplitMix64 never repeats itself, so no two tie.
    """
    start = int.from_bytes(hashlib.sha256(f"{seed}:{epoch}".encode()).digest()[:8], "big")
    return np.argsort(split_mix(start, count)).astype(np.int64, copy=False)


def split_mix(start: int, count: int) -> NDArray[np.uint64]:
    """The first numbers of SplitMix64 from a state: uint64 (count,).

    Source: Steele, Lea and Flood 2014, Fast Splittable Pseudorandom Number Generators, with the constants of
        Vigna's splitmix64.c
    """
    mixed = np.uint64(start) + np.arange(1, count + 1, dtype=np.uint64) * GOLDEN
    mixed = (mixed ^ (mixed >> np.uint64(30))) * FIRST
    mixed = (mixed ^ (mixed >> np.uint64(27))) * SECOND
    return mixed ^ (mixed >> np.uint64(31))


def part(
    whole: NDArray[np.int64], rank: int, ranks: int, worker: int = 0, workers: int = 1
) -> NDArray[np.int64]:
    """Every ranks-th place from `rank` on, and of those every workers-th.

    The parts are disjoint, make the whole, and are equally long ±1.
    """
    if not (0 <= rank < ranks and 0 <= worker < workers):
        raise ValueError(f"rank {rank} of {ranks}, worker {worker} of {workers}: they count from 0")
    return whole[rank + worker * ranks :: ranks * workers]
