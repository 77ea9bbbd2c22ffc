"""Who is kept of a cluster, and what the others are to it: the decision alone, over rows made by hand."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from anidata.stages.dedup import codes
from anidata.stages.dedup.field import clusters
from anidata.stages.dedup.settling import Seen, settle

DROP = ("exact", "reencoded", "flip", "crop", "turn")


def picture(key, *, area=100, broken=0, pixels=None, preferred=0, unnamed=0, stated=None):
    return {
        "key": key,
        "area": area,
        "broken": broken,
        "pixels": pixels or key.encode(),
        "preferred": preferred,
        "unnamed": unnamed,
        "stated": stated,
    }


def link(a, b, relation="reencoded", distance=2, *, better=None, because=None, mirrored=None, turned=0):
    """A candidate pair; better: the key of the one that pixels call better."""
    a, b = sorted((a, b))
    return {
        "a": a,
        "b": b,
        "relation": relation,
        "distance": distance,
        "better": better and "ab"[better == b],
        "because": because,
        "mirrored": mirrored or {"flip": "yes", "turn": "neither"}.get(relation, "no"),
        "turned": 1 if relation == "turn" else turned,
        "scale": None,
        "dx": None,
        "dy": None,
        "agreeing": 0,
        "holds": True,
    }


def decided(pictures, links):
    copied = [dict(one) for one in links]
    rows, waiting = settle(clusters(sorted(pictures, key=lambda one: one["key"]), copied), DROP, nobody)
    assert waiting == 0
    return {row["key"]: row for row in rows}


def outcome(row):
    """For whom a picture was dropped, and why."""
    assert row["reasons"] == ["duplicate"]
    return row["keeper"], row["relation"], row["why"]


def nobody(_links):
    raise AssertionError("every relation is known")


def test_a_picture_without_a_link_is_single():
    assert decided([picture("a")], [])["a"] == {
        "key": "a",
        "cluster": "a",
        "keeper": "a",
        "relation": "single",
        "distance": None,
        "why": None,
        "reasons": [],
    }


@pytest.mark.parametrize("code", [*codes.DERIVED, *codes.DETAIL, *codes.DAMAGE])
@pytest.mark.parametrize("best", ["a", "b"])
def test_what_the_pixels_tell_decides_before_where_a_picture_was_seen(code, best):
    other = "ab"[best == "a"]
    pictures = [picture(best, area=1, preferred=1, unnamed=2), picture(other, area=900)]
    rows = decided(pictures, [link("a", "b", better=best, because=code)])
    assert (rows[best]["relation"], rows[best]["why"], rows[best]["reasons"]) == ("keeper", None, [])
    assert outcome(rows[other]) == (best, "reencoded", code)
    assert (rows[other]["distance"], rows[other]["cluster"]) == (2, "a")


@pytest.mark.parametrize("best", ["a", "b"])
def test_where_pixels_tell_nothing_prefer_does_then_provenance_then_the_key(best):
    other = "ab"[best == "a"]
    preferred = [picture(best, unnamed=2), picture(other, preferred=1)]
    assert outcome(decided(preferred, [link("a", "b")])[other]) == (best, "reencoded", "prefer")
    named = [picture(best, unnamed=1), picture(other, unnamed=2)]
    assert outcome(decided(named, [link("a", "b")])[other]) == (best, "reencoded", "provenance")
    assert outcome(decided([picture("a"), picture("b")], [link("a", "b")])["b"]) == ("a", "reencoded", "key")


def test_every_code_has_words_and_a_rank_among_all_that_may_decide():
    assert {code for some in codes.ACROSS for code in some} | {codes.CIRCLE} == set(codes.WORDS)
    assert {code for some in codes.STRAIGHT for code in some} < set(codes.WORDS)
    assert codes.words("a later version's") == "a later version's"
    assert codes.words(None) == ""


def test_size_bytes_and_format_decide_nothing():
    rows = decided([picture("a", area=1), picture("b", area=10_000)], [link("a", "b", "crop")])
    assert outcome(rows["b"]) == ("a", "crop", "key")


def test_a_picture_that_clean_rejects_never_buries_one_that_it_keeps():
    pictures = [picture("a", broken=1), picture("b", preferred=1, unnamed=2)]
    for relation in ("reencoded", "crop", "flip", "turn"):
        rows = decided(pictures, [link("a", "b", relation, better="a", because="crop")])
        assert (rows["b"]["relation"], rows["b"]["reasons"]) == ("keeper", [])
        assert outcome(rows["a"]) == ("b", relation, "sound")


def test_nothing_is_dropped_through_a_chain():
    links = [link("a", "b", better="a", because="detail"), link("b", "c", better="b", because="detail")]
    rows = decided([picture(key) for key in "abc"], links)
    assert rows["b"]["keeper"] == "a"
    assert (rows["c"]["reasons"], rows["c"]["cluster"]) == ([], "a")


def test_evidence_in_a_circle_is_undone_at_its_weakest():
    links = [
        link("a", "b", better="a", because="noise"),
        link("b", "c", better="b", because="crop"),
        link("a", "c", better="c", because="detail"),
    ]
    rows = decided([picture(key) for key in "abc"], links)
    assert rows["b"]["relation"] == "keeper"
    assert outcome(rows["a"]) == ("b", "reencoded", "circle")
    assert outcome(rows["c"]) == ("b", "reencoded", "crop")


def test_a_recolor_is_kept_in_the_same_cluster_behind_the_one_that_stands_first():
    for first, why, second in (
        (picture("b"), "prefer", picture("a", preferred=1)),
        (picture("b"), "provenance", picture("a", unnamed=1)),
        (picture("b"), "sound", picture("a", broken=2)),
        (picture("a"), "key", picture("b")),
    ):
        rows = decided([first, second], [link("a", "b", "recolor")])
        row = rows[second["key"]]
        assert (row["relation"], row["keeper"], row["why"]) == ("recolor", first["key"], why)
        assert (row["reasons"], row["cluster"]) == ([], "a")


def test_equal_pixels_are_exact_though_only_a_star_links_them():
    pictures = [picture("a", pixels=b"x", preferred=1), picture("b", pixels=b"x"), picture("c", pixels=b"x")]
    pictures[2]["preferred"] = 1
    rows = decided(pictures, [link("a", "b", "exact", 0), link("a", "c", "exact", 0)])
    assert rows["b"]["relation"] == "keeper"
    assert [outcome(rows[key]) for key in "ac"] == [("b", "exact", "prefer")] * 2


def test_all_of_equal_pixels_go_for_a_better_copy_of_one_of_them():
    pictures = [*(picture(key, pixels=b"x") for key in "abc"), picture("d")]
    links = [
        link("a", "b", "exact", 0),
        link("a", "c", "exact", 0),
        link("b", "d", better="d", because="detail"),
    ]
    rows = decided(pictures, links)
    assert [outcome(rows[key]) for key in "abc"] == [("d", "reencoded", "detail")] * 3


# --- mirror images ------------------------------------------------------------------------------------------


def sides(*, copies=0, mirrored=0, a=None, b=None, across_is="flip", **evidence):
    """The rows of an original a with some copies, and its mirror image b with some, all linked.

    across_is: `turn`: b isn't its mirror image but turned.
    """
    ours, theirs = [f"c{n}" for n in range(copies)], [f"m{n}" for n in range(mirrored)]
    pictures = [picture("a", **(a or {})), picture("b", **(b or {})), *map(picture, (*ours, *theirs))]
    links = [link("a", "b", across_is, **evidence)]
    for way, others, across in (("a", ours, "b"), ("b", theirs, "a")):
        links += [link(way, other, better=way, because="quality") for other in others]
        links += [link(across, other, across_is) for other in others]
    rows = decided(pictures, links)
    assert sum(rows[key]["relation"] == "keeper" for key in "ab") == 1
    for key, row in rows.items():
        assert (row["relation"] == "keeper") == (not row["reasons"]), key
    return rows


@pytest.mark.parametrize("relation", ["flip", "turn"])
@pytest.mark.parametrize(
    ("copies", "mirrored", "stays"), [(1, 0, "a"), (0, 1, "b"), (3, 2, "a"), (2, 3, "b")]
)
def test_of_mirror_images_the_side_that_more_copies_share_stays(relation, copies, mirrored, stays):
    evidence = {"better": "ab"[stays == "a"], "because": "detail"}
    rows = sides(copies=copies, mirrored=mirrored, across_is=relation, **evidence)
    goes = "ab"[stays == "a"]
    assert outcome(rows[goes]) == (stays, relation, "side")
    for n in range(mirrored if stays == "a" else copies):
        assert outcome(rows[f"{'m' if stays == 'a' else 'c'}{n}"]) == (stays, relation, "side")


def test_of_mirror_images_text_outweighs_every_copy():
    assert outcome(sides(mirrored=3, better="a", because="crop")["b"]) == ("a", "flip", "crop")


def test_of_mirror_images_the_derived_one_goes_whatever_its_copies():
    assert outcome(sides(mirrored=3, better="a", because="crop")["b"]) == ("a", "flip", "crop")


def test_cuts_from_a_mirror_image_count_for_less_than_copies_of_its_whole():
    pictures = [picture(key) for key in ("a", "b", "c", "m0", "m1", "m2")]
    links = [link("a", "b", "flip"), link("a", "c")]
    links += [link("b", f"m{n}", "crop", better="b", because="crop") for n in range(3)]
    links += [link("a", f"m{n}", "flip", better="a", because="crop") for n in range(3)]
    assert outcome(decided(pictures, links)["b"]) == ("a", "flip", "side")
    without_copy = [one for one in links if "c" not in (one["a"], one["b"])]
    assert outcome(decided([p for p in pictures if p["key"] != "c"], without_copy)["a"]) == (
        "b",
        "flip",
        "side",
    )


def test_copies_of_equal_pixels_count_once():
    pictures = [picture("a"), picture("b"), picture("c")]
    pictures += [picture(f"m{n}", pixels=b"the same") for n in range(3)]
    links = [link("a", "b", "flip"), link("a", "c"), link("b", "c", "flip")]
    links += [link("b", f"m{n}") for n in range(3)] + [link("a", f"m{n}", "flip") for n in range(3)]
    links += [link("m0", f"m{n}", "exact") for n in (1, 2)]
    assert outcome(decided(pictures, links)["b"]) == ("a", "flip", "key")


def test_of_mirror_images_without_copies_prefer_then_the_date_then_damage_then_provenance_then_the_key():
    late, early = {"stated": 2e9}, {"stated": 1e9}
    for best, other, why in (
        ({}, {"preferred": 1} | early, "prefer"),
        (early, late, "date"),
        (late, {}, "date"),
        ({"unnamed": 1}, {"unnamed": 2}, "provenance"),
    ):
        blamed = {"better": "b", "because": "detail"} if why in {"prefer", "date"} else {}
        assert outcome(sides(a=best, b=other, **blamed)["b"]) == ("a", "flip", why)
        blamed = {"better": "a", "because": "detail"} if blamed else {}
        assert outcome(sides(a=other, b=best, **blamed)["a"]) == ("b", "flip", why)
    assert outcome(sides(better="b", because="blocks", a={"unnamed": 0}, b={"unnamed": 2})["a"]) == (
        "b",
        "flip",
        "blocks",
    )
    assert outcome(sides()["b"]) == ("a", "flip", "key")


def test_a_copy_of_a_mirror_image_that_goes_is_dropped_for_the_side_that_stays_or_kept():
    links = [link("a", "b", "flip"), link("a", "c"), link("b", "m", better="b", because="bar")]
    pictures = [picture(key) for key in "abcm"]
    rows = decided(pictures, links)
    assert (rows["b"]["keeper"], rows["m"]["reasons"]) == ("a", [])  # m has no pair with one that stays
    rows = decided(pictures, [*links, link("a", "m", "flip")])
    assert outcome(rows["m"]) == ("a", "flip", "side")


# --- asking -------------------------------------------------------------------------------------------------


CODES = [*codes.DERIVED, *codes.DETAIL, *codes.DAMAGE]


@st.composite
def piles(draw):
    """Pictures, and links with all relations and evidence known."""
    keys = [f"{n:02d}" for n in range(draw(st.integers(1, 9)))]
    pictures = [
        picture(
            key,
            broken=draw(st.sampled_from([0, 0, 0, 1])),
            preferred=draw(st.integers(0, 1)),
            unnamed=draw(st.integers(0, 1)),
            stated=draw(st.sampled_from([None, 1.0, 2.0])),
            pixels=draw(st.sampled_from([None, None, None, b"x", b"y"])),
        )
        for key in keys
    ]
    links = []
    for n, a in enumerate(pictures):
        for b in pictures[n + 1 :]:
            if a["pixels"] == b["pixels"]:
                links.append(link(a["key"], b["key"], "exact", 0))
            elif draw(st.booleans()):
                links.append(_drawn_link(draw, a["key"], b["key"]))
    return pictures, _of_pixels(pictures, links)


ACROSS = {"flip": ["yes", "both"], "turn": ["no", "yes", "both", "neither"]}  # as such pairs may have met


def _drawn_link(draw, a, b):
    relation = draw(st.sampled_from(["reencoded", "crop", "flip", "turn", "recolor", "variant", "unrelated"]))
    better = draw(st.sampled_from([None, a, b])) if relation in DROP else None
    known = CODES
    because = better and draw(st.sampled_from(known))
    mirrored = draw(st.sampled_from({"reencoded": ["no", "both"], **ACROSS}.get(relation, ["no"])))
    return link(a, b, relation, draw(st.integers(0, 2)), better=better, because=because, mirrored=mirrored)


def _of_pixels(pictures, links):
    """The links, with what depends on pixels the same for equal pixels."""
    pixels = {one["key"]: one["pixels"] for one in pictures}
    first = {}
    for one in links:
        a, b = pixels[one["a"]], pixels[one["b"]]
        said = first.setdefault(frozenset((a, b)), (a, one))
        better = said[1]["better"]
        if better and said[0] != a:
            better = "ab"[better == "a"]
        one |= {name: said[1][name] for name in ("relation", "because", "mirrored", "distance")}
        one["better"] = better
    return links


def answering(links, asked):
    """A verify that knows all of these, and notes what it is asked."""
    known = {(one["a"], one["b"]): Seen(one["relation"], one["better"], one["because"]) for one in links}

    def verify(some):
        asked.extend((one["a"], one["b"]) for one in some)
        return {pair: known[pair] for pair in ((one["a"], one["b"]) for one in some)}

    return verify


def unlooked(links):
    return [
        dict(one) if one["relation"] == "exact" else one | {"relation": None, "better": None, "because": None}
        for one in links
    ]


@settings(max_examples=300)
@given(piles(), st.data())
def test_asking_only_where_it_matters_decides_as_knowing_everything_does(pile, data):
    pictures, links = pile
    asked = []
    areas = data.draw(st.lists(st.integers(1, 99), min_size=len(pictures), max_size=len(pictures)))
    guessed = [one | {"area": area} for one, area in zip(pictures, areas, strict=True)]
    rows, waiting = settle(clusters(guessed, unlooked(links)), DROP, answering(links, asked))
    assert waiting == 0
    assert len(asked) == len(set(asked))
    assert {row["key"]: row for row in rows} == decided(
        pictures, [one for one in links if one["relation"] != "unrelated"]
    )


@settings(max_examples=300)
@given(piles(), st.randoms())
def test_every_dropped_picture_is_a_copy_of_a_kept_keeper_and_the_order_changes_nothing(pile, random):
    pictures, links = pile
    rows = decided(pictures, links)
    pixels = {one["key"]: one["pixels"] for one in pictures}
    copies = {frozenset((pixels[one["a"]], pixels[one["b"]])) for one in links if one["relation"] in DROP}
    for row in rows.values():
        keeper = rows[row["keeper"]]
        if row["reasons"]:
            assert not keeper["reasons"]
            assert frozenset((pixels[row["key"]], pixels[keeper["key"]])) in copies
        assert (row["why"] is None) == (row["keeper"] == row["key"])
    assert all(
        rows[one["a"]]["cluster"] == rows[one["b"]]["cluster"]
        for one in links
        if one["relation"] != "unrelated"
    )
    shuffled = list(links)
    random.shuffle(shuffled)
    assert decided(pictures[::-1], shuffled) == rows


@settings(max_examples=300)
@given(piles())
def test_none_is_dropped_for_one_that_evidence_calls_worse_but_in_a_circle(pile):
    pictures, links = pile
    rows, broken = decided(pictures, links), {one["key"] for one in pictures if one["broken"]}
    for one in links:
        if not one["better"]:
            continue
        better, worse = (one["a"], one["b"])[:: 1 if one["better"] == "a" else -1]
        row = rows[better]
        if row["keeper"] == worse and row["reasons"]:
            outvoted = one["relation"] in ACROSS and one["because"] in codes.OUTVOTED
            assert row["why"] in {"circle", "sound"} or outvoted
            assert row["why"] != "sound" or better in broken


def test_without_circles_evidence_is_never_overruled():
    """Detail falls with the number: all pairs agree, so who goes, goes for a better one."""
    keys = [f"{n:02d}" for n in range(12)]
    links = [
        link(a, b, better=a, because="detail")
        for n, a in enumerate(keys)
        for b in keys[n + 1 :]
        if (n + int(b)) % 3
    ]
    for row in decided([picture(key, preferred=-int(key)) for key in keys], links).values():
        assert row["keeper"] <= row["key"]
        assert row["why"] in {None, "detail"}


@given(piles())
def test_what_nobody_can_tell_is_kept_in_one_cluster_and_waits(pile):
    pictures, links = pile
    links = [one for one in links if one["relation"] != "exact"]
    pictures = [one | {"pixels": one["key"].encode()} for one in pictures]
    rows, waiting = settle(clusters(pictures, unlooked(links)), DROP, lambda _: {})
    assert (waiting > 0) == bool(links)
    by_key = {row["key"]: row for row in rows}
    assert not any(row["reasons"] for row in rows)
    assert all(by_key[one["a"]]["cluster"] == by_key[one["b"]]["cluster"] for one in links)


def test_one_that_cannot_be_opened_stays_and_the_others_are_decided_without_it():
    keys = [f"{n:02d}" for n in range(6)]
    links = [link(a, b) for n, a in enumerate(keys) for b in keys[n + 1 :]]
    asked = []
    known = answering(links, asked)
    for gone in (keys[0], keys[3]):
        rows, waiting = settle(
            clusters([picture(key) for key in keys], unlooked(links)),
            DROP,
            lambda some, gone=gone: known([one for one in some if gone not in (one["a"], one["b"])]),
        )
        stay = [row["key"] for row in rows if not row["reasons"]]
        assert stay == sorted({gone, keys[gone == keys[0]]})
        assert (waiting, {row["cluster"] for row in rows}) == (1, {keys[0]})


def test_a_crowd_of_copies_takes_one_look_each():
    keys = [f"{n:02d}" for n in range(20)]
    links = [link(a, b, None) for a in keys for b in keys if a < b]
    asked = []

    def verify(some):
        asked.extend(some)
        return {(one["a"], one["b"]): Seen("reencoded") for one in some}

    rows, _ = settle(clusters([picture(k) for k in keys], links), DROP, verify)
    assert (len(asked), sum(bool(row["reasons"]) for row in rows)) == (19, 19)


@pytest.mark.parametrize("relation", ["exact", "reencoded"])
def test_a_crowd_of_ten_thousand_takes_a_look_each_at_most(relation):
    keys = [f"{n:05d}" for n in range(10_000)]
    pixels = b"x" if relation == "exact" else None
    links = [link("00000", key, relation if pixels else None, 0) for key in keys[1:]]
    asked = []
    known = answering([one | {"relation": relation} for one in links], asked)
    rows, waiting = settle(clusters([picture(key, pixels=pixels) for key in keys], links), DROP, known)
    assert (len(asked), waiting) == (0 if pixels else 9_999, 0)
    assert [row["key"] for row in rows if not row["reasons"]] == ["00000"]


def test_two_crowds_of_mirror_images_take_a_few_looks_each():
    ours, theirs = [f"a{n:02d}" for n in range(40)], [f"b{n:02d}" for n in range(40)]
    links = [link(a, b) for some in (ours, theirs) for n, a in enumerate(some) for b in some[n + 1 :]]
    links += [link(a, b, "flip") for a in ours for b in theirs]
    asked = []
    rows, _ = settle(
        clusters([picture(key) for key in (*ours, *theirs)], unlooked(links)), DROP, answering(links, asked)
    )
    assert [row["key"] for row in rows if not row["reasons"]] == ["a00"]
    assert len(asked) <= 2 * 80


def test_a_guess_that_misleads_costs_a_few_looks_each_and_changes_nothing():
    """Of 100 copies each smaller one is the better."""
    names = [f"{n * 37 % 101:03d}" for n in range(1, 101)]
    best = {name: n for n, name in enumerate(names)}
    links = [
        link(a, b, better=min(a, b, key=best.__getitem__), because="detail")
        for n, a in enumerate(names)
        for b in names[n + 1 :]
    ]
    asked = []
    pictures = sorted((picture(name, area=1 + best[name]) for name in names), key=lambda one: one["key"])
    rows, _ = settle(clusters(pictures, unlooked(links)), DROP, answering(links, asked))
    assert [row["key"] for row in rows if not row["reasons"]] == [names[0]]
    assert len(asked) < 12 * len(names)
