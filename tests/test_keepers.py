"""Who is kept of a cluster, and what the others are to it: the decision alone, over rows made by hand."""

from hypothesis import given
from hypothesis import strategies as st

from anidata.stages.dedup import decide

DROP = ("exact", "reencoded", "flip", "crop")


def picture(key, area=100, broken=0, form="jpeg", size=10, pixels=None, sharpness=0.5):
    return {
        "key": key,
        "area": area,
        "broken": broken,
        "format": form,
        "bytes": size,
        "pixels": pixels or key.encode(),
        "sharpness": sharpness,
    }


def link(a, b, relation="reencoded", distance=2):
    return {"a": a, "b": b, "relation": relation, "distance": distance}


def decided(pictures, links):
    return {row["key"]: row for row in decide(pictures, links, DROP)}


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
    assert (rows["a"]["keeper"], rows["a"]["relation"], rows["a"]["distance"], rows["a"]["reasons"]) == ("b", "reencoded", 2, ["duplicate"])
    assert rows["a"]["cluster"] == rows["b"]["cluster"] == "a"


def test_of_equal_size_the_lossless_then_the_one_with_more_bytes_then_the_smaller_key():
    assert decided([picture("a"), picture("b", form="png")], [link("a", "b")])["b"]["relation"] == "keeper"
    assert decided([picture("a"), picture("b", size=20)], [link("a", "b")])["b"]["relation"] == "keeper"
    assert decided([picture("a"), picture("b")], [link("a", "b")])["a"]["relation"] == "keeper"


def test_an_enlarged_copy_is_dropped_for_the_smaller_original():
    rows = decided([picture("a", area=225, sharpness=0.2), picture("b", area=100)], [link("a", "b")])
    assert (rows["b"]["relation"], rows["a"]["keeper"]) == ("keeper", "b")


def test_a_copy_at_half_the_size_is_not_kept_for_being_crisper():
    rows = decided([picture("a", area=400, sharpness=0.3), picture("b", area=100, sharpness=0.6)], [link("a", "b")])
    assert rows["a"]["relation"] == "keeper"


def test_a_picture_that_clean_rejects_never_buries_one_that_it_keeps():
    rows = decided([picture("a", area=900, broken=1), picture("b", area=100)], [link("a", "b")])
    assert (rows["b"]["relation"], rows["b"]["reasons"]) == ("keeper", [])


def test_nothing_is_dropped_through_a_chain():
    rows = decided([picture("a", 300), picture("b", 200), picture("c", 100)], [link("a", "b"), link("b", "c")])
    assert rows["b"]["keeper"] == "a"
    assert (rows["c"]["reasons"], rows["c"]["cluster"]) == ([], "a")


def test_a_recolor_is_kept_in_the_same_cluster():
    rows = decided([picture("a", 300), picture("b", 200)], [link("a", "b", "recolor")])
    assert (rows["b"]["relation"], rows["b"]["keeper"], rows["b"]["reasons"], rows["b"]["cluster"]) == ("recolor", "a", [], "a")


def test_equal_pixels_are_exact_though_only_a_star_links_them():
    pictures = [picture("a", size=1, pixels=b"x"), picture("b", size=3, pixels=b"x"), picture("c", size=2, pixels=b"x")]
    rows = decided(pictures, [link("a", "b", "exact", 0), link("a", "c", "exact", 0)])
    assert [rows[k]["relation"] for k in "abc"] == ["exact", "keeper", "exact"]


@given(st.data())
def test_every_dropped_picture_is_linked_to_a_kept_keeper_and_links_never_leave_a_cluster(data):
    keys = [f"{n:02d}" for n in range(data.draw(st.integers(1, 12)))]
    pictures = [picture(k, area=data.draw(st.integers(1, 4)), broken=data.draw(st.integers(0, 1))) for k in keys]
    ends = (
        data.draw(st.lists(st.tuples(st.sampled_from(keys), st.sampled_from(keys)).filter(lambda p: p[0] < p[1]), unique=True))
        if len(keys) > 1
        else []
    )
    links = [link(a, b, data.draw(st.sampled_from(["reencoded", "flip", "recolor"]))) for a, b in ends]
    rows = decided(pictures, links)
    copies = {(a, b) for one in links if one["relation"] in DROP for a, b in ((one["a"], one["b"]), (one["b"], one["a"]))}
    for row in rows.values():
        if row["reasons"]:
            assert (row["key"], row["keeper"]) in copies
            assert not rows[row["keeper"]]["reasons"]
    assert all(rows[one["a"]]["cluster"] == rows[one["b"]]["cluster"] for one in links)
    shuffled = decided(pictures, data.draw(st.permutations(links)))
    assert shuffled == rows
