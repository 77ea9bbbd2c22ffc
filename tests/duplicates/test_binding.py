"""Which clusters a shared part joins, and which links alone hold larger parts together."""

import itertools
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from anidata.stages.dedup import binding
from anidata.stages.dedup.binding import FEW, MOST, Bridge, bind


def row(key, cluster=None, relation="single", keeper=None, reasons=()):
    return {
        "key": key,
        "cluster": cluster or key,
        "keeper": keeper or key,
        "relation": relation,
        "distance": None,
        "why": None,
        "reasons": list(reasons),
    }


def link(a, b, relation="part", *, holds=False, agreeing=5, mirrored="places"):
    a, b = sorted((a, b))
    return {
        "a": a,
        "b": b,
        "relation": relation,
        "mirrored": mirrored,
        "turned": 0,
        "distance": 64,
        "scale": 1.0,
        "dx": 0.0,
        "dy": 0.0,
        "agreeing": agreeing,
        "better": None,
        "because": None,
        "holds": holds,
    }


def clusters(bound):
    gathered = {}
    for one in bound.rows:
        gathered.setdefault(one["cluster"], set()).add(one["key"])
    return sorted(map(sorted, gathered.values()))


def a_cluster(name, count):
    """Rows of so many variants of one drawing, and their links."""
    keys = [f"{name}{n:03d}" for n in range(count)]
    rows = [row(keys[0], keys[0], "keeper"), *(row(key, keys[0], "variant", keys[0]) for key in keys[1:])]
    return rows, [link(keys[0], key, "variant", holds=True, mirrored="no") for key in keys[1:]]


def test_two_that_share_a_part_stand_in_one_cluster():
    bound = bind([row("a"), row("b"), row("c")], [link("a", "b")])
    assert clusters(bound) == [["a", "b"], ["c"]]
    assert [(one["relation"], one["keeper"]) for one in bound.rows] == [
        ("keeper", "a"),
        ("part", "a"),
        ("single", "c"),
    ]
    assert not bound.apart
    assert not any(one["reasons"] for one in bound.rows)


def test_what_is_unrelated_or_unseen_joins_nothing():
    links = [link("a", "b", "unrelated"), link("b", "c", None), link("a", "c", "lost")]
    assert clusters(bind([row("a"), row("b"), row("c")], links)) == [["a"], ["b"], ["c"]]


def test_a_chain_of_shared_parts_ends_where_the_cluster_is_full_and_the_rest_is_told():
    keys = [f"k{n:04d}" for n in range(3 * MOST)]
    links = [link(*two) for two in itertools.pairwise(keys)]
    bound = bind([row(key) for key in keys], links)
    assert max(map(len, clusters(bound))) <= MOST
    label = {one["key"]: one["cluster"] for one in bound.rows}
    assert bound.apart == sum(label[one["a"]] != label[one["b"]] for one in links) > 0


def test_the_strongest_links_come_first():
    (big, held), (other, more) = a_cluster("a", MOST - 1), a_cluster("b", MOST - 1)
    weak, strong = link("a000", "lone", agreeing=4), link("b000", "lone", agreeing=9)
    for links in ([weak, strong], [strong, weak]):
        bound = bind([*big, *other, row("lone")], [*held, *more, *links])
        assert next(one for one in bound.rows if one["key"] == "lone")["cluster"] == "b000"
        assert bound.apart == 1


def test_who_is_bound_to_a_dropped_picture_is_told_of_its_keeper():
    rows = [row("a", "a", "keeper"), row("b", "a", "reencoded", "a", ["duplicate"]), row("c")]
    bound = bind(rows, [link("a", "b", "reencoded", holds=True, mirrored="no"), link("b", "c")])
    assert (bound.rows[2]["keeper"], bound.rows[2]["cluster"]) == ("a", "a")


def test_a_link_by_places_that_alone_holds_two_larger_parts_is_a_bridge():
    (some, held), (others, more) = a_cluster("a", FEW + 2), a_cluster("b", FEW)
    joint = link("a001", "b002", "overlay", holds=True)
    rows = [one | {"cluster": "a000"} for one in (*some, *others)]
    assert bind(rows, [*held, *more, joint]).bridges == [Bridge("a001", "b002", "overlay", (FEW + 2, FEW))]
    beside = link("a000", "b000", "variant", holds=True, mirrored="no")
    assert bind(rows, [*held, *more, joint, beside]).bridges == []
    by_windows = joint | {"mirrored": "no"}
    assert bind(rows, [*held, *more, by_windows]).bridges == []
    assert bind(rows[:-1], [*held, *more[:-1], joint]).bridges == []  # too small a part


@settings(deadline=None, max_examples=60)
@given(st.data())
def test_the_order_of_links_changes_nothing_and_bridges_are_those_of_a_plain_search(data):
    keys = [f"k{n:02d}" for n in range(data.draw(st.integers(2, 18)))]
    pairs = data.draw(st.sets(st.tuples(st.sampled_from(keys), st.sampled_from(keys)), max_size=24))
    links = [link(a, b, holds=True) for a, b in sorted({tuple(sorted(p)) for p in pairs if p[0] != p[1]})]
    cluster = {key: min(_reached(key, links)) for key in keys}
    rows = [row(key, cluster[key], "keeper") for key in keys]
    bound = bind(rows, links)
    shuffled = links[:]
    random.Random(0).shuffle(shuffled)
    assert bind(rows, shuffled) == bound
    wanted = set()
    for one in links:
        without = [other for other in links if other is not one]
        sides = _reached(one["a"], without), _reached(one["b"], without)
        if one["b"] not in sides[0] and min(map(len, sides)) >= FEW:
            wanted.add((one["a"], one["b"], (len(sides[0]), len(sides[1]))))
    assert {(bridge.a, bridge.b, bridge.sides) for bridge in bound.bridges} == wanted


def _reached(start, links):
    seen, waiting = {start}, [start]
    while waiting:
        here = waiting.pop()
        for one in links:
            for a, b in ((one["a"], one["b"]), (one["b"], one["a"])):
                if a == here and b not in seen:
                    seen.add(b)
                    waiting.append(b)
    return seen


def test_notes_of_another_are_read_with_care():
    bridge = Bridge("a", "b", "part", (5, 6))
    assert binding.noted({"bridges": [bridge._asdict(), {"a": 1}, 7, None, {"sides": "x"}]}) == [bridge]
    assert binding.noted({"bridges": "none"}) == binding.noted({}) == []


@pytest.mark.parametrize(("made", "count"), [({"parts_apart": 7}, 7), ({}, 0), ({"parts_apart": "x"}, 0)])
def test_a_count_that_is_none_is_nought(made, count):
    assert binding.count_of(made, "parts_apart") == count
