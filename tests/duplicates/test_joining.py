"""Every pair of pictures of which one shows in a window of the other is found, once.

However the work and the pictures come in.
"""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from anidata.catalog.catalog import Catalog
from anidata.duplicates import windows
from anidata.duplicates.ways import STRAIGHT
from anidata.stages.dedup import candidates
from anidata.stages.dedup.candidates import (
    BITS,
    CROWD,
    ENTRY,
    FAR,
    TURNED_BITS,
    JoinPart,
    crowds,
    merged,
    near,
)
from anidata.workspace import open_workspace
from drawings import drawing, save

SEEDS = st.integers(0, 2**32 - 1)


def family(rng, pictures, bits=6):
    """Windows of pictures of which some are alike: codes a few bits from few centers.

    Now and then far in their fine codes.
    """
    centers = rng.integers(0, 2**64, max(pictures // 4, 1), dtype=np.uint64)
    entries = np.zeros(0, ENTRY)
    for owner in range(pictures):
        kinds = np.flatnonzero(rng.random(len(windows.WINDOWS)) < 0.6)
        some = np.zeros(len(kinds), ENTRY)
        some["owner"], some["kind"] = owner, kinds
        some["code"] = centers[rng.integers(0, len(centers), len(kinds))]
        for _ in range(bits):
            some["code"] ^= np.uint64(1) << rng.integers(0, 64, len(kinds), dtype=np.uint64)
        some["fine"] = np.where(rng.random((len(kinds), 4)) < 0.8, np.uint64(0), np.uint64(2**64 - 1))
        entries = np.concatenate([entries, some])
    return entries


def brute(entries, new, bits, *, flips):
    """(i, j) → (distance, ways), all windows held against all wholes; turns count where nothing else met."""
    met, turned = {}, {}
    for whole in entries[entries["kind"] < len(windows.WHOLES)]:
        for other in entries:
            i, j = int(whole["owner"]), int(other["owner"])
            distance = int(whole["code"] ^ other["code"]).bit_count()
            fine = sum(int(word).bit_count() for word in whole["fine"] ^ other["fine"])
            way = windows.WINDOWS[other["kind"]].way
            if i == j or distance > bits or fine > FAR or not (new[i] or new[j]):
                continue
            if (way != STRAIGHT and not flips) or (way.quarters and distance > TURNED_BITS):
                continue
            pair, some = (min(i, j), max(i, j)), turned if way.quarters else met
            least, ways = some.get(pair, (99, 0))
            some[pair] = (min(least, distance), ways | BITS[way if j > i else way.back])
    both = {pair: (met[pair][0], met[pair][1] | turned[pair][1]) for pair in met.keys() & turned.keys()}
    return turned | met | both


def backwards(ways):
    """The same ways, told of the first of a pair instead of its second."""
    return sum(BITS[way.back] for way, bit in BITS.items() if ways & bit)


def as_dict(met):
    return {(int(i), int(j)): (int(d), int(w)) for i, j, d, w in zip(*met, strict=True)}


def part(bits, *, flips=True, share=(0, 1)):
    return JoinPart(None, bits, flips, share)


@settings(deadline=None, max_examples=40)
@given(SEEDS, st.integers(1, 14), st.integers(0, 12), st.booleans(), st.integers(1, 3))
def test_the_join_finds_what_holding_all_against_all_finds(seed, pictures, bits, flips, shares):
    rng = np.random.default_rng(seed)
    entries, new, everyone = family(rng, pictures), rng.random(pictures) < 0.5, np.ones(pictures, np.bool_)
    for fresh in (everyone, new):
        parts = [
            near(entries, everyone, fresh, part(bits, flips=flips, share=(k, shares))) for k in range(shares)
        ]
        assert as_dict(merged(parts)) == brute(entries, fresh, bits, flips=flips)


@settings(deadline=None, max_examples=30)
@given(SEEDS, st.integers(2, 14), st.integers(0, 12))
def test_increments_find_what_one_join_finds(seed, pictures, bits):
    rng = np.random.default_rng(seed)
    entries, later, everyone = family(rng, pictures), rng.random(pictures) < 0.4, np.ones(pictures, np.bool_)
    earlier = near(entries[~later[entries["owner"]]], everyone, everyone, part(bits))
    assert as_dict(merged([earlier, near(entries, everyone, later, part(bits))])) == as_dict(
        near(entries, everyone, everyone, part(bits))
    )


@settings(deadline=None, max_examples=30)
@given(SEEDS, st.integers(1, 14), st.integers(0, 12))
def test_the_order_of_the_pictures_changes_no_pair(seed, pictures, bits):
    rng = np.random.default_rng(seed)
    entries, everyone, order = family(rng, pictures), np.ones(pictures, np.bool_), rng.permutation(pictures)
    moved = entries.copy()
    moved["owner"] = order[entries["owner"]]
    met = as_dict(near(entries, everyone, everyone, part(bits)))
    wanted = {}
    for (i, j), (distance, ways) in met.items():
        a, b = int(order[i]), int(order[j])
        wanted[min(a, b), max(a, b)] = distance, ways if a < b else backwards(ways)
    assert as_dict(near(moved, everyone, everyone, part(bits))) == wanted


def test_a_crowd_of_one_code_is_a_star_around_its_first():
    entries = np.zeros(2 * CROWD, ENTRY)
    entries["owner"], entries["code"] = np.arange(2 * CROWD), 77
    few, stars = crowds(entries, 2 * CROWD)
    assert few.tolist() == [True] * CROWD + [False] * CROWD
    assert (stars.i.tolist(), stars.j.tolist()) == ([0] * CROWD, list(range(CROWD, 2 * CROWD)))


def edges(work):
    with Catalog(open_workspace(work)) as views:
        return views.select("SELECT a, b, distance, mirrored, turned FROM _links ORDER BY a, b").to_pylist()


@pytest.fixture
def half(tmp_path):
    """Two folders that hold copies of each other's pictures."""
    for n in range(6):
        save(tmp_path / "one" / f"{n}.png", drawing(n))
        save(tmp_path / "two" / f"{n}.jpg", drawing(n)[12:-10, 9:-14], 80)
        save(tmp_path / "two" / f"{n} flip.jpg", drawing(n)[:, ::-1], 80)
    return tmp_path


def test_what_is_added_later_is_joined_as_if_it_had_been_there(half, command, inline):
    command("ingest", half / "at once", half / "one", half / "two")
    command("dedup", half / "at once")
    command("ingest", half / "in turn", half / "two")
    command("dedup", half / "in turn")
    command("ingest", half / "in turn", half / "one")
    command("dedup", half / "in turn")
    asked = "SELECT key, cluster, keeper, relation, distance, keep FROM images ORDER BY key"
    answers = [
        json.loads(command("query", half / work, asked, "--format", "json"))
        for work in ("at once", "in turn")
    ]
    assert answers[0] == answers[1]
    assert {row["relation"] for row in answers[0]} == {"keeper", "crop", "flip"}
    assert edges(half / "at once") == edges(half / "in turn")


def test_large_joins_are_shared_out_among_workers(half, command, monkeypatch):
    command("ingest", half / "here", half / "one", half / "two")
    command("dedup", half / "here")
    monkeypatch.setattr(candidates, "ALONE", 0)
    command("ingest", half / "there", half / "one", half / "two")
    command("dedup", half / "there", "--workers", "3")
    assert edges(half / "here") == edges(half / "there")


def test_a_flat_picture_is_counted_as_too_flat_to_compare(tmp_path, command):
    save(tmp_path / "pile" / "flat.png", np.full((300, 300, 3), 200, np.uint8))
    save(tmp_path / "pile" / "drawn.png", drawing(1))
    command("ingest", tmp_path / "work", tmp_path / "pile")
    assert command("dedup", tmp_path / "work", "--json")["done"]["too_flat"] == 1
