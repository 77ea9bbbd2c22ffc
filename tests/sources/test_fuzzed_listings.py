"""Damaged archives, tables, lists and sidecars by the thousand: rows and typed errors, and nothing else."""

import pytest

import listing_lab as lab


@pytest.mark.parametrize("seed", [1, 2])
def test_whatever_is_listed_ends_in_rows_or_a_typed_error(seed, tmp_path):
    outcomes, escaped = lab.tally(seed, range(250), tmp_path)
    assert [(number, repr(error)) for number, error in escaped] == []
    assert {kind for kind, outcome in outcomes if outcome == "listed"} == lab.KINDS.keys()


@pytest.mark.slow
def test_four_thousand_damaged_sources_end_in_rows_or_a_typed_error(tmp_path):
    outcomes, escaped = lab.tally(3, range(4000), tmp_path)
    assert [(number, repr(error)) for number, error in escaped] == []
    assert outcomes.total() == 4000


def test_a_case_is_always_the_same(tmp_path):
    kinds = set()
    for number in range(5):
        for turn in ("one", "two"):
            (tmp_path / f"{number}{turn}").mkdir()
        first, second = (lab.judge(7, number, tmp_path / f"{number}{turn}") for turn in ("one", "two"))
        assert first == second
        kinds.add(first[0])
    assert kinds == lab.KINDS.keys()
