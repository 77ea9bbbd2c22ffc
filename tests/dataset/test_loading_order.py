"""The order of an epoch: a pure function, exact, and cut into parts that make it whole."""

import hashlib
from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from anidata.dataset.order import part, shuffled, split_mix

counts, seeds, few = st.integers(0, 300), st.integers(0, 2**40), st.integers(1, 7)


def test_numbers_are_those_of_split_mix():
    """The outputs of Vigna's splitmix64.c from the state 1234567, as Rosetta Code lists them."""
    known = [
        6457827717110365317,
        3203168211198807973,
        9817491932198370423,
        4593380528125082431,
        16408922859458223821,
    ]
    assert split_mix(1234567, 5).tolist() == known


def plain(count: int, seed: int, epoch: int) -> list[int]:
    """The same order with Python's own integers and sort."""
    state, drawn = int(hashlib.sha256(f"{seed}:{epoch}".encode()).hexdigest()[:16], 16), []
    for _ in range(count):
        state = (state + 0x9E3779B97F4A7C15) % 2**64
        mixed = (state ^ state >> 30) * 0xBF58476D1CE4E5B9 % 2**64
        mixed = (mixed ^ mixed >> 27) * 0x94D049BB133111EB % 2**64
        drawn.append(mixed ^ mixed >> 31)
    return sorted(range(count), key=drawn.__getitem__)


@given(counts, seeds, seeds)
def test_the_order_is_that_of_a_plain_reimplementation(count, seed, epoch):
    order = shuffled(count, seed, epoch)
    assert order.dtype == np.int64
    assert order.tolist() == plain(count, seed, epoch)


@given(counts, seeds, seeds, few, few)
def test_ranks_and_workers_cut_an_epoch_into_disjoint_parts_that_make_it_whole(
    count, seed, epoch, ranks, workers
):
    whole = shuffled(count, seed, epoch)
    of_ranks = [part(whole, rank, ranks) for rank in range(ranks)]
    of_workers = [part(whole, r, ranks, w, workers) for r, w in product(range(ranks), range(workers))]
    for parts in (of_ranks, of_workers):
        assert sorted(np.concatenate(parts).tolist()) == list(range(count))
        assert max(map(len, parts)) - min(map(len, parts)) <= 1
    for rank in range(ranks):
        mine = of_workers[rank * workers : (rank + 1) * workers]
        assert sorted(np.concatenate(mine).tolist()) == sorted(of_ranks[rank].tolist())


def test_every_sample_comes_first_about_as_often():
    """Chi-squared over 8 samples and 8,000 epochs: 7 degrees of freedom, beyond 24.3 once in a thousand."""
    first = np.bincount([shuffled(8, 0, epoch)[0] for epoch in range(8000)], minlength=8)
    assert ((first - 1000) ** 2 / 1000).sum() < 24.3


def test_seed_and_epoch_each_give_another_order():
    orders = {tuple(shuffled(20, seed, epoch).tolist()) for seed in range(10) for epoch in range(10)}
    assert len(orders) == 100


@pytest.mark.parametrize(("rank", "ranks", "worker", "workers"), [(2, 2, 0, 1), (-1, 2, 0, 1), (0, 1, 3, 3)])
def test_a_rank_or_worker_that_isnt_there_is_refused(rank, ranks, worker, workers):
    with pytest.raises(ValueError, match="count from 0"):
        part(np.arange(9), rank, ranks, worker, workers)
