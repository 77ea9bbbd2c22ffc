"""Who is kept of a cluster, and what the others are to it: the decision alone, over rows made by hand."""

from hypothesis import given
from hypothesis import strategies as st

from anidata.stages.dedup.keepers import clusters, tiers
from anidata.stages.dedup.stage import settle

DROP = ("exact", "reencoded", "flip", "crop")


def picture(key, area=100, broken=0, form="jpeg", size=10, pixels=None, sharpness=0.5, frame=None):
    return {
        "key": key,
        "area": area,
        "frame": frame or area,
        "broken": broken,
        "format": form,
        "bytes": size,
        "pixels": pixels or key.encode(),
        "sharpness": sharpness,
    }


def link(a, b, relation="reencoded", distance=2):
    return {"a": a, "b": b, "relation": relation, "distance": distance}


def decided(pictures, links):
    rows, waiting = settle(clusters(pictures, links), DROP, nobody)
    assert waiting == 0
    return {row["key"]: row for row in rows}


def nobody(_links):
    raise AssertionError("every relation is known")


def test_a_picture_without_a_link_is_single():
    assert decided([picture("a")], [])["a"] == {
        "key": "a",
        "cluster": "a",
        "keeper": "a",
        "relation": "single",
        "distance": None,
        "reasons": [],
    }


def test_the_larger_copy_is_kept():
    rows = decided([picture("a", area=50), picture("b", area=200)], [link("a", "b")])
    assert rows["b"]["relation"] == "keeper"
    assert (rows["a"]["keeper"], rows["a"]["relation"], rows["a"]["distance"], rows["a"]["reasons"]) == (
        "b",
        "reencoded",
        2,
        ["duplicate"],
    )
    assert rows["a"]["cluster"] == rows["b"]["cluster"] == "a"


def test_of_equal_size_the_lossless_then_the_one_with_more_bytes_then_the_smaller_key():
    assert decided([picture("a"), picture("b", form="png")], [link("a", "b")])["b"]["relation"] == "keeper"
    assert decided([picture("a"), picture("b", size=20)], [link("a", "b")])["b"]["relation"] == "keeper"
    assert decided([picture("a"), picture("b")], [link("a", "b")])["a"]["relation"] == "keeper"


def test_an_enlarged_copy_is_dropped_for_the_smaller_original():
    rows = decided([picture("a", area=225, sharpness=0.2), picture("b", area=100)], [link("a", "b")])
    assert (rows["b"]["relation"], rows["a"]["keeper"]) == ("keeper", "b")


def test_a_copy_at_half_the_size_is_not_kept_for_being_crisper():
    rows = decided(
        [picture("a", area=400, sharpness=0.3), picture("b", area=100, sharpness=0.6)], [link("a", "b")]
    )
    assert rows["a"]["relation"] == "keeper"


def test_a_picture_that_clean_rejects_never_buries_one_that_it_keeps():
    rows = decided([picture("a", area=900, broken=1), picture("b", area=100)], [link("a", "b")])
    assert (rows["b"]["relation"], rows["b"]["reasons"]) == ("keeper", [])


def test_nothing_is_dropped_through_a_chain():
    rows = decided(
        [picture("a", 300), picture("b", 200), picture("c", 100)], [link("a", "b"), link("b", "c")]
    )
    assert rows["b"]["keeper"] == "a"
    assert (rows["c"]["reasons"], rows["c"]["cluster"]) == ([], "a")


def test_a_recolor_is_kept_in_the_same_cluster():
    rows = decided([picture("a", 300), picture("b", 200)], [link("a", "b", "recolor")])
    assert (rows["b"]["relation"], rows["b"]["keeper"], rows["b"]["reasons"], rows["b"]["cluster"]) == (
        "recolor",
        "a",
        [],
        "a",
    )


def test_equal_pixels_are_exact_though_only_a_star_links_them():
    pictures = [
        picture("a", size=1, pixels=b"x"),
        picture("b", size=3, pixels=b"x"),
        picture("c", size=2, pixels=b"x"),
    ]
    rows = decided(pictures, [link("a", "b", "exact", 0), link("a", "c", "exact", 0)])
    assert [rows[k]["relation"] for k in "abc"] == ["exact", "keeper", "exact"]


@given(st.data())
def test_every_dropped_picture_is_linked_to_a_kept_keeper_and_links_never_leave_a_cluster(data):
    keys = [f"{n:02d}" for n in range(data.draw(st.integers(1, 12)))]
    pictures = [
        picture(k, area=data.draw(st.integers(1, 4)), broken=data.draw(st.integers(0, 1))) for k in keys
    ]
    ends = (
        data.draw(
            st.lists(
                st.tuples(st.sampled_from(keys), st.sampled_from(keys)).filter(lambda p: p[0] < p[1]),
                unique=True,
            )
        )
        if len(keys) > 1
        else []
    )
    links = [link(a, b, data.draw(st.sampled_from(["reencoded", "flip", "recolor"]))) for a, b in ends]
    rows = decided(pictures, links)
    copies = {
        (a, b)
        for one in links
        if one["relation"] in DROP
        for a, b in ((one["a"], one["b"]), (one["b"], one["a"]))
    }
    for row in rows.values():
        if row["reasons"]:
            assert (row["key"], row["keeper"]) in copies
            assert not rows[row["keeper"]]["reasons"]
    assert all(rows[one["a"]]["cluster"] == rows[one["b"]]["cluster"] for one in links)
    shuffled = decided(pictures, data.draw(st.permutations(links)))
    assert shuffled == rows


def test_a_copy_in_bars_is_no_larger_than_its_original():
    rows = decided([picture("a", 100, frame=130), picture("b", 98, form="png")], [link("a", "b", "crop")])
    assert (rows["b"]["relation"], rows["a"]["reasons"]) == ("keeper", ["duplicate"])


def test_a_picture_that_shows_more_is_kept_for_its_part():
    rows = decided([picture("a", 100), picture("b", 70, form="png")], [link("a", "b", "crop")])
    assert rows["a"]["relation"] == "keeper"


@given(st.lists(st.integers(1, 1000)), st.randoms())
def test_tiers_of_size_fall_with_the_area_whatever_its_order(areas, random):
    ranks = tiers(areas)
    assert all(ranks[a] <= ranks[b] for a in areas for b in areas if a >= b)
    random.shuffle(areas)
    assert tiers(areas) == ranks


def piles(data):
    """Pictures, and links with all relations known."""
    keys = [f"{n:02d}" for n in range(data.draw(st.integers(2, 14)))]
    pictures = [
        picture(
            k,
            data.draw(st.integers(1, 4)),
            data.draw(st.integers(0, 1)),
            sharpness=data.draw(st.sampled_from([0.1, 0.5, 0.9])),
        )
        for k in keys
    ]
    pairs = st.tuples(st.sampled_from(keys), st.sampled_from(keys)).filter(lambda p: p[0] < p[1])
    ends = data.draw(st.lists(pairs, unique=True, max_size=60))
    relations = st.sampled_from([*DROP[1:], "recolor", "variant", "unrelated"])
    return pictures, [link(a, b, data.draw(relations)) for a, b in ends]


@given(st.data())
def test_asking_only_where_it_matters_decides_as_knowing_everything_does(data):
    pictures, links = piles(data)
    known = {(one["a"], one["b"]): one["relation"] for one in links}
    asked = []

    def verify(some):
        asked.extend((one["a"], one["b"]) for one in some)
        return {pair: known[pair] for pair in ((one["a"], one["b"]) for one in some)}

    wanting = [one | {"relation": None} for one in links]
    rows, waiting = settle(clusters(pictures, wanting), DROP, verify)
    assert waiting == 0
    assert len(asked) == len(set(asked))
    assert {row["key"]: row for row in rows} == decided(
        pictures, [one for one in links if one["relation"] != "unrelated"]
    )


@given(st.data())
def test_what_nobody_can_tell_is_kept_in_one_cluster_and_waits(data):
    pictures, links = piles(data)
    rows, waiting = settle(
        clusters(pictures, [one | {"relation": None} for one in links]), DROP, lambda _: {}
    )
    assert (waiting > 0) == bool(links)
    by_key = {row["key"]: row for row in rows}
    assert not any(row["reasons"] for row in rows)
    assert all(by_key[one["a"]]["cluster"] == by_key[one["b"]]["cluster"] for one in links)


def test_a_crowd_of_copies_takes_one_look_each():
    keys = [f"{n:02d}" for n in range(20)]
    links = [link(a, b, None) for a in keys for b in keys if a < b]
    asked = []

    def verify(some):
        asked.extend(some)
        return {(one["a"], one["b"]): "reencoded" for one in some}

    rows, _ = settle(clusters([picture(k) for k in keys], links), DROP, verify)
    assert (len(asked), sum(bool(row["reasons"]) for row in rows)) == (19, 19)
