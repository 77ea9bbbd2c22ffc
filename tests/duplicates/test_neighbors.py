"""The Hamming join gives every pair once, whatever the codes: an oracle compares all with all."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from anidata.duplicates import hamming, pairs
from anidata.duplicates.hamming import cross_within, pairs_within
from anidata.duplicates.pairs import Pairs, components, expanded, grouped

BITS = st.integers(0, 10)
SEEDS = st.integers(0, 2**32 - 1)
KINDS = ("uniform", "families", "narrow", "half equal", "few", "mostly shared")


def brute(a, b, bits):
    distance = np.bitwise_count(a[:, None] ^ b[None])
    i, j = np.nonzero(distance <= bits)
    return Pairs(i, j, distance[i, j])


def brute_pairs(codes, bits, new=None):
    i, j, distance = brute(codes, codes, bits)
    kept = (i < j) if new is None else (i < j) & (new[i] | new[j])
    return Pairs(i[kept], j[kept], distance[kept])


def uniform(rng, n):
    return rng.integers(0, 2**64, n, dtype=np.uint64)


def flipped(rng, codes, flips):
    for _ in range(flips):
        codes = codes ^ np.where(
            rng.random(len(codes)) < 0.5,
            np.uint64(1) << rng.integers(0, 64, len(codes), dtype=np.uint64),
            np.uint64(0),
        )
    return codes


def drawn(kind, rng, n):
    plain = uniform(rng, n)
    match kind:
        case "families":
            return flipped(rng, plain[rng.integers(0, max(n // 5, 1), n)] if n else plain, 8)
        case "narrow":
            return plain & np.uint64(0xFFF0000F)
        case "half equal":
            return np.where(rng.random(n) < 0.5, np.uint64(7), plain)
        case "few":
            return plain % np.uint64(5)
        case "mostly shared":  # half of the codes are equal in all blocks but one or two
            return np.where(
                rng.random(n) < 0.5, plain & np.uint64(0xFFF << 26) | np.uint64(0xA5A5 << 44), plain
            )
    return plain


def same(pairs, wanted):
    return all(np.array_equal(f, w) for f, w in zip(pairs, wanted, strict=True))


@settings(deadline=None, max_examples=120)
@given(kind=st.sampled_from(KINDS), seed=SEEDS, n=st.integers(0, 300), bits=BITS)
def test_every_pair_is_found_once_and_in_order(kind, seed, n, bits):
    codes = drawn(kind, np.random.default_rng(seed), n)
    assert same(pairs_within(codes, bits), brute_pairs(codes, bits))


@settings(deadline=None, max_examples=60)
@given(st.sampled_from(KINDS), SEEDS, st.integers(0, 300), BITS, st.integers(1, 5), st.booleans())
def test_shares_together_find_what_one_run_finds_and_nothing_twice(kind, seed, n, bits, shares, increment):
    rng = np.random.default_rng(seed)
    codes, other, new = (
        drawn(kind, rng, n),
        drawn(kind, rng, n // 2),
        rng.random(n) < 0.3 if increment else None,
    )
    for join in (
        lambda share: pairs_within(codes, bits, new, share),
        lambda share: cross_within(codes, other, bits, share),
    ):
        parts = [join((k, shares)) for k in range(shares)]
        pairs = Pairs(*(np.concatenate(column) for column in zip(*parts, strict=True)))
        order = np.lexsort((pairs.j, pairs.i))
        assert same([column[order] for column in pairs], join(None))


@pytest.mark.parametrize("kind", KINDS)
def test_passes_and_threads_change_no_pair(monkeypatch, kind):
    codes = drawn(kind, np.random.default_rng(3), 3000)
    other = drawn(kind, np.random.default_rng(4), 1000)
    wanted = pairs_within(codes, 4), cross_within(codes, other, 4)
    monkeypatch.setattr(hamming, "PASS", 700)
    monkeypatch.setattr(hamming, "THREADED", 1)
    monkeypatch.setattr(hamming, "_plan", lambda a, b, bits: (8, 4))
    assert same(pairs_within(codes, 4), wanted[0])
    assert same(cross_within(codes, other, 4), wanted[1])


@pytest.mark.parametrize("bits", range(11))
@pytest.mark.parametrize("kind", ["uniform", "families", "mostly shared"])
def test_lists_long_enough_for_blocks_give_every_pair(kind, bits):
    codes = drawn(kind, np.random.default_rng(bits), 1_500)
    assert same(pairs_within(codes, bits), brute_pairs(codes, bits))


@pytest.mark.parametrize("blocks", [7, 8, 9, 10])
def test_every_number_of_blocks_gives_the_same_pairs(monkeypatch, blocks):
    codes = drawn("families", np.random.default_rng(1), 1_000)
    monkeypatch.setattr(hamming, "_plan", lambda *_: (blocks, blocks - 6))
    assert same(pairs_within(codes, 6), brute_pairs(codes, 6))


@pytest.mark.parametrize("bits", [0, 6])
def test_small_chunks_give_the_same_pairs(monkeypatch, bits):
    codes = drawn("half equal", np.random.default_rng(2), 200)
    monkeypatch.setattr(pairs, "CHUNK", 7)
    assert same(pairs_within(codes, bits), brute_pairs(codes, bits))


@pytest.mark.parametrize("bits", [20, 63, 64])
def test_wide_distances_are_joined_too(bits):
    codes = uniform(np.random.default_rng(3), 120)
    assert same(pairs_within(codes, bits), brute_pairs(codes, bits))


def test_a_pair_lies_just_within_and_just_beyond():
    codes = np.array([0, 0b111111, 0b1111111], np.uint64)
    assert same(pairs_within(codes, 6), Pairs([0, 1], [1, 2], [6, 1]))


@settings(deadline=None, max_examples=60)
@given(kind=st.sampled_from(KINDS), seed=SEEDS, n=st.integers(0, 200), bits=BITS, share=st.floats(0, 1))
def test_an_increment_gives_the_full_join_restricted_to_pairs_with_a_new_member(kind, seed, n, bits, share):
    rng = np.random.default_rng(seed)
    codes, new = drawn(kind, rng, n), rng.random(n) < share
    assert same(pairs_within(codes, bits, new), brute_pairs(codes, bits, new))


@settings(deadline=None, max_examples=60)
@given(kind=st.sampled_from(KINDS), seed=SEEDS, n=st.integers(0, 200), bits=BITS)
def test_the_order_of_the_codes_changes_no_pair(kind, seed, n, bits):
    rng = np.random.default_rng(seed)
    codes, order = drawn(kind, rng, n), rng.permutation(n)
    straight, mixed = pairs_within(codes, bits), pairs_within(codes[order], bits)
    back = {(*sorted((int(order[i]), int(order[j]))), int(d)) for i, j, d in zip(*mixed, strict=True)}
    assert back == {(int(i), int(j), int(d)) for i, j, d in zip(*straight, strict=True)}


@settings(deadline=None, max_examples=80)
@given(kind=st.sampled_from(KINDS), seed=SEEDS, n=st.integers(0, 300), m=st.integers(0, 40), bits=BITS)
def test_two_lists_give_every_pair_across(kind, seed, n, m, bits):
    rng = np.random.default_rng(seed)
    a = drawn(kind, rng, n)
    b = np.concatenate([flipped(rng, a[:m], 9), drawn(kind, rng, m)])
    assert same(cross_within(a, b, bits), brute(a, b, bits))


@pytest.mark.parametrize("bits", [0, 4, 9])
def test_long_lists_of_unlike_length_give_every_pair_across_and_both_ways_the_same(bits):
    rng = np.random.default_rng(bits)
    a = drawn("families", rng, 3_000)
    b = flipped(rng, a[:900], bits)
    there, back = cross_within(a, b, bits), cross_within(b, a, bits)
    assert same(there, brute(a, b, bits))
    assert {(i, j) for i, j, _ in zip(*there, strict=True)} == {(j, i) for i, j, _ in zip(*back, strict=True)}


def test_ten_thousand_equal_codes_are_one_group_and_no_pair():
    codes = np.concatenate([np.full(10_000, 9, np.uint64), np.array([1, 9 ^ 0b11, 2**63], np.uint64)])
    groups = grouped(codes)
    assert groups.codes.tolist() == [1, 9, 10, 2**63]
    assert groups.first.tolist() == [10_000, 0, 10_001, 10_002]
    assert np.array_equal(groups.codes[groups.of], codes)
    assert same(pairs_within(groups.codes, 2), brute_pairs(groups.codes, 2))


def test_a_group_is_new_where_a_member_is():
    groups = grouped(np.array([5, 3, 5, 8], np.uint64))
    assert groups.any(np.array([False, False, True, False])).tolist() == [False, True, False]


@settings(deadline=None, max_examples=40)
@given(seed=SEEDS, n=st.integers(0, 80), bits=BITS)
def test_expanded_pairs_of_groups_are_the_pairs_of_their_members(seed, n, bits):
    rng = np.random.default_rng(seed)
    codes = drawn("families", rng, n)
    codes = codes[rng.integers(0, n, 3 * n)] if n else codes
    groups = grouped(codes)
    assert same(expanded(pairs_within(groups.codes, bits), groups), brute_pairs(codes, bits))


@pytest.mark.parametrize("bits", [-1, 65])
def test_bits_outside_a_code_are_refused(bits):
    with pytest.raises(ValueError, match=f"bits must be in 0 … 64, not {bits}"):
        pairs_within(np.zeros(3, np.uint64), bits)


def naive_components(n, i, j):
    label = list(range(n))
    for _ in range(n):
        for a, b in zip(i, j, strict=True):
            label[a] = label[b] = min(label[a], label[b])
    return label


@settings(deadline=None, max_examples=60)
@given(
    st.integers(1, 12).flatmap(
        lambda n: st.tuples(
            st.just(n), st.lists(st.tuples(st.integers(0, n - 1), st.integers(0, n - 1)), max_size=20)
        )
    )
)
def test_a_component_is_named_by_its_smallest_place(graph):
    n, edges = graph
    i, j = np.array(edges, np.int64).reshape(-1, 2).T
    assert components(n, i, j).tolist() == naive_components(n, i, j)


def test_an_edge_given_256_times_still_connects():
    assert components(2, np.zeros(256, np.int64), np.ones(256, np.int64)).tolist() == [0, 0]


def test_no_place_has_no_component():
    assert components(0, np.empty(0, np.int64), np.empty(0, np.int64)).tolist() == []
