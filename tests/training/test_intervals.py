"""Intervals hold as often as they say, pair what is compared, and correct for many looks."""

import numpy as np
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st

from anidata.training.evaluation import intervals


def simulated(rng, clusters, seeds):
    """Values (seeds, pictures) about 0 of two colorizers, with the pictures' clusters; seeds shift all."""
    sizes = rng.integers(1, 4, clusters)
    names = np.repeat(np.arange(clusters), sizes)
    base = rng.normal(0, 1, clusters)[names] + rng.normal(0, 0.5, len(names))
    shifts = rng.normal(0, 0.2, (2, seeds, 1)) if seeds > 1 else np.zeros((2, 1, 1))
    one, other = base + shifts + rng.normal(0, 0.3, (2, seeds, len(names)))
    return [str(name) for name in names], one, other


@pytest.mark.parametrize("clusters", [6, 40])
@pytest.mark.parametrize("seeds", [1, 3])
def test_they_hold_in_90_to_99_of_100_repetitions(clusters, seeds):
    rng = np.random.default_rng(clusters + seeds)
    held, apart, trials = 0, 0, 200
    for number in range(trials):
        names, one, other = simulated(rng, clusters, seeds)
        draws = intervals.draws(names, 600, number)
        alone = intervals.interval(one, draws)
        both = intervals.difference(one, other, draws, higher=True)
        held += alone.low <= 0 <= alone.high
        apart += both.low <= 0 <= both.high
    assert 0.90 <= held / trials <= 0.99
    assert 0.90 <= apart / trials <= 0.99


def test_of_many_single_pictures_it_is_the_t_interval():
    values = np.random.default_rng(0).normal(5, 2, 400)
    mean, low, high, pictures = intervals.interval(
        values[None], intervals.draws([str(n) for n in range(400)], 4000, 0)
    )
    expected = scipy.stats.t.interval(0.95, 399, values.mean(), values.std(ddof=1) / 20)
    assert (mean, pictures) == (pytest.approx(values.mean()), 400)
    assert [low, high] == pytest.approx(expected, rel=0.02)


def test_a_difference_is_surer_than_its_two_figures():
    rng = np.random.default_rng(1)
    hard = rng.normal(0, 5, 60)
    one, other = (hard + rng.normal(shift, 0.2, 60) for shift in (0.3, 0))
    draws = intervals.draws([str(n) for n in range(60)], 1000, 0)
    found = intervals.difference(one[None], other[None], draws, higher=True)
    assert found.low > 0
    assert found.wins > 0.7
    assert found.p < 0.01
    alone = intervals.interval(one[None], draws)
    assert alone.high - alone.low > 5 * (found.high - found.low)
    lower = intervals.difference(one[None], other[None], draws, higher=False)
    assert lower.wins == pytest.approx(1 - found.wins)


def test_pictures_of_one_cluster_are_one_witness():
    values = np.repeat(np.random.default_rng(2).normal(0, 1, 20), 10)[None]
    apart = intervals.interval(values, intervals.draws([str(n) for n in range(200)], 1000, 0))
    together = intervals.interval(values, intervals.draws([str(n // 10) for n in range(200)], 1000, 0))
    assert together.high - together.low > 2.5 * (apart.high - apart.low)


def test_p_is_that_of_a_paired_t_test_where_no_picture_hangs_together():
    rng = np.random.default_rng(4)
    one, other = rng.normal(0.05, 1, (2, 80))
    draws = intervals.draws([str(n) for n in range(80)], 8000, 0)
    found = intervals.difference(one[None], other[None], draws, higher=True)
    assert found.p == pytest.approx(scipy.stats.ttest_rel(one, other).pvalue, abs=0.02)


def test_what_isnt_defined_doesnt_count():
    values = np.array([[1.0, np.nan, 3.0]])
    draws = intervals.draws(["a", "b", "c"], 200, 0)
    assert intervals.interval(values, draws)[::3] == (2.0, 2)
    nothing = intervals.interval(np.full((1, 3), np.nan), draws)
    assert np.isnan(nothing.value)
    assert nothing.pictures == 0


@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_holm_is_as_by_hand(ps):
    corrected = intervals.holm([*ps, float("nan")])
    assert np.isnan(corrected[-1])
    order = sorted(range(len(ps)), key=lambda n: ps[n])
    worst = 0.0
    for rank, n in enumerate(order):
        worst = max(worst, min(1.0, ps[n] * (len(ps) - rank)))
        assert corrected[n] == pytest.approx(worst)


def test_more_clusters_than_are_drawn_go_in_groups():
    many = intervals.MOST + 500
    draws = intervals.draws([f"{n:05d}" for n in range(many)], 50, 0)
    assert draws.clusters == intervals.MOST
    values = np.random.default_rng(3).normal(0, 1, (1, many))
    found = intervals.interval(values, draws)
    assert found.value == pytest.approx(values.mean())
    assert found.low < found.value < found.high
