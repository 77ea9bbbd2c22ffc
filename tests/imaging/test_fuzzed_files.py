"""Damaged and random files are decoded or refused with a code.

benchmarks/fuzz_decoding.py runs the same cases by the million.
"""

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import fuzz_lab
from anidata.engine.engine import Engine
from anidata.errors import BadImage
from fuzz_lab import CODES, EXPECTED, Case, Tally, case, judge_part, outcome, wholes

LIMIT = 1_000_000  # pixels


@settings(max_examples=400, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(0, 2**32 - 1))
def test_any_damaged_file_is_decoded_or_refused_with_a_code(seed, number):
    code, message = outcome(case(seed, number), LIMIT)
    assert code in EXPECTED, message


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=2000))
def test_random_bytes_are_no_picture(data):
    assert outcome(Case("random", data), LIMIT)[0] in CODES


def test_every_form_is_among_the_cases_and_its_sound_files_are_pictures():
    assert {case(0, n).form for n in range(9)} == {*wholes(), "random"}
    for form, files in wholes().items():
        assert [outcome(Case(form, data), LIMIT) for data in files] == [("ok", "")] * len(files), form


def test_a_seed_and_a_number_are_always_the_same_bytes():
    assert [case(3, n) for n in range(50)] == [case(3, n) for n in range(50)]
    assert case(3, 1) != case(4, 1)


def _raises(error):
    def decoder(data, limit):
        raise error

    return decoder


@pytest.mark.parametrize(
    ("error", "judged"),
    [
        (BadImage("corrupt", "its header"), "corrupt"),
        (BadImage("odd", "a code that nobody knows"), "wrong"),
        (BadImage("too_large", "its pixels don't fit in memory"), "memory"),
        (MemoryError(), "memory"),
        (KeyError("tag"), "wrong"),
    ],
)
def test_what_the_decoder_raises_is_judged(monkeypatch, error, judged):
    monkeypatch.setattr(fuzz_lab, "decode", _raises(error))
    assert outcome(Case("png", b"any"), LIMIT)[0] == judged


def test_a_part_of_a_picture_shown_as_whole_is_told(monkeypatch):
    real = fuzz_lab.decode
    whole = wholes()["png"][0]

    def careless(data, limit):
        seen = real(whole, limit)
        return dataclasses.replace(seen, rgb=seen.rgb // 2) if data != whole else seen

    monkeypatch.setattr(fuzz_lab, "decode", careless)
    assert outcome(Case("png", whole[:-40], whole), LIMIT)[0] == "half"
    assert outcome(Case("png", whole, whole), LIMIT)[0] == "ok"


def test_a_picture_over_the_limit_or_of_another_kind_is_wrong(monkeypatch):
    real, data = fuzz_lab.decode, wholes()["png"][0]
    monkeypatch.setattr(fuzz_lab, "decode", lambda data, limit: real(data, LIMIT))
    assert outcome(Case("png", data), 10)[0] == "wrong"
    monkeypatch.setattr(
        fuzz_lab,
        "decode",
        lambda data, limit: dataclasses.replace(real(data, LIMIT), rgb=np.zeros((2, 2, 3), np.float32)),
    )
    assert outcome(Case("png", data), LIMIT)[0] == "wrong"


def test_workers_count_every_case_once():
    tally = Tally()
    with Engine(1) as engine:
        for _, counted in engine.map(judge_part, [(5, range(start, start + 20), LIMIT) for start in (0, 20)]):
            tally.add(counted)
    assert tally.outcomes.total() == 40
    assert tally.faults == []
    assert set(tally.seconds) == {case(5, n).form for n in range(9)}
