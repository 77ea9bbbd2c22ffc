"""Pictures turned by quarters, mirrored or not, are found, related and decided on as mirror images."""

import json
from functools import partial

import cv2
import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_keeping import decided, deduped
from test_windows import codes, opened

from anidata.catalog import tables
from anidata.duplicates import evidence, phash, windows
from anidata.duplicates.alignment import View, thumbnail
from anidata.duplicates.page import Page
from anidata.duplicates.relation import related, relation
from anidata.duplicates.ways import MIRRORED, STRAIGHT, TURNS, Way, turns
from anidata.duplicates.windows import WINDOWS, Window
from anidata.stages.dedup import verify
from anidata.workspace import open_workspace
from drawings import drawing, save

SEEDS = st.integers(0, 2**32 - 1)
WAYS = (STRAIGHT, MIRRORED, *TURNS)
ALL = (1 << len(TURNS)) - 1  # all turns, as a bit set


def name(way):
    return f"{'mirrored ' * way.mirrored}{90 * way.quarters}"


each_turn = pytest.mark.parametrize("way", TURNS, ids=name)


# --- ways ---------------------------------------------------------------------------------------------------


@given(st.sampled_from(WAYS), st.integers(1, 9), st.integers(1, 9), SEEDS)
def test_back_undoes_a_way(way, height, width, seed):
    rgb = np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)
    np.testing.assert_array_equal(way.back.of(way.of(rgb)), rgb)


def test_ways_are_those_of_numpy():
    rgb = drawing(1, 30, 20)
    np.testing.assert_array_equal(Way(quarters=1).of(rgb), np.rot90(rgb))
    np.testing.assert_array_equal(Way(quarters=2).of(rgb), rgb[::-1, ::-1])
    np.testing.assert_array_equal(Way(mirrored=True, quarters=1).of(rgb), rgb.swapaxes(0, 1))
    np.testing.assert_array_equal(Way(mirrored=True, quarters=2).of(rgb), rgb[::-1])
    np.testing.assert_array_equal(Way(mirrored=True, quarters=3).of(rgb), rgb[::-1, ::-1].swapaxes(0, 1))


def test_a_bit_set_names_its_turns():
    assert list(turns(0)) == []
    assert list(turns(0b100010)) == [TURNS[1], TURNS[5]]
    assert tuple(turns(ALL)) == TURNS


# --- windows ------------------------------------------------------------------------------------------------


@settings(deadline=None, max_examples=40)
@given(SEEDS)
def test_the_windows_of_turns_are_the_codes_of_the_turned_picture(seed):
    picture = opened(drawing(2))
    luma = np.random.default_rng(seed).integers(0, 256, (phash.SIDE, phash.SIDE)).astype(np.uint8)
    asked, _ = windows.codes(picture, luma, 0, 0)
    for way in windows.ASKING:
        row = asked[asked["kind"] == WINDOWS.index(Window("frame", way=way))][0]
        turned, _ = windows.codes(picture, way.of(luma), 0, 0)
        assert row["fine"].tolist() == turned[turned["kind"] == 0][0]["fine"].tolist()
        assert int(row["code"]) == phash._sign_bits(phash._low(way.of(luma)))


@each_turn
@pytest.mark.parametrize("seed", range(4))
def test_a_whole_of_one_shows_in_a_turn_of_the_other(way, seed):
    one, other = codes(drawing(seed)), codes(way.of(drawing(seed)))
    near = [
        np.bitwise_count(asking["code"] ^ asked[asked["kind"] == 0][0]["code"]).min() <= 4
        for asking, asked in ((one, other), (other, one))
    ]
    assert any(near)


def test_old_kinds_keep_their_numbers():
    assert [window.way for window in WINDOWS[:16]] == [STRAIGHT] * 2 + [MIRRORED] * 2 + [STRAIGHT] * 12
    assert {window.way for window in WINDOWS[16:]} == set(windows.ASKING)


# --- relations ----------------------------------------------------------------------------------------------


def views(a, b):
    return View(thumbnail(a)), View(thumbnail(b))


@each_turn
def test_a_turned_copy_is_a_turn_whichever_is_named_first(way):
    a, b = views(drawing(3), way.of(drawing(3)))
    assert relation(a, b, way.back.mirrored, way.back.quarters) == "turn"
    assert relation(b, a, way.mirrored, way.quarters) == "turn"
    assert relation(a, b) == "unrelated"


@each_turn
def test_the_better_of_turned_copies_is_told_as_of_those_that_lie_alike(way):
    a, b = drawing(4, 500, 420), way.of(cv2.resize(drawing(4, 500, 420), None, fx=0.4, fy=0.4))
    one, other = views(a, b)
    back = way.back
    answer = evidence.compare(related(one, other, back.mirrored, back.quarters), lambda: (Page(a), Page(b)))
    again = evidence.compare(related(other, one, way.mirrored, way.quarters), lambda: (Page(b), Page(a)))
    assert answer == ("a", "detail")
    assert again == ("b", "detail")


@each_turn
def test_a_part_of_a_turned_picture_is_a_turn_and_the_one_that_was_cut(way):
    a, b = drawing(5), way.of(drawing(5)[14:, 16:])
    one, other = views(a, b)
    back = related(one, other, way.back.mirrored, way.back.quarters)
    assert back.relation == "turn"
    assert evidence.compare(back, lambda: (Page(a), Page(b))) == ("a", "crop")


def test_in_other_colors_and_redrawn_a_turned_picture_is_what_it_is_as_it_lies():
    page = drawing(6)
    recolored = np.ascontiguousarray(page[..., [2, 0, 1]])
    redrawn = page.copy()
    cv2.circle(redrawn, (160, 180), 30, (255, 255, 255), -1)
    for other, wanted in ((recolored, "recolor"), (redrawn, "variant")):
        assert relation(*views(page, other)) == wanted
        assert relation(*views(page, np.rot90(other)), quarters=3) == wanted


@pytest.mark.parametrize("shape", [(240, 160), (160, 160)])
def test_a_flag_of_three_stripes_is_no_other_flag_turned(shape):
    width, height = shape
    page = np.repeat(np.repeat(np.uint8([[[206, 43, 55], [255, 255, 255], [0, 146, 70]]]), height, 0), 1, 1)
    upright = cv2.resize(page, (width, height), interpolation=cv2.INTER_NEAREST)
    lying = cv2.resize(np.rot90(page), (width, height), interpolation=cv2.INTER_NEAREST)
    one, other = views(upright, lying)
    for way in TURNS:
        assert relation(one, other, way.mirrored, way.quarters) not in ("turn", "recolor")


def both(a, b):
    return Page(a), Page(b)


def test_symmetric_drawings_are_what_they_were():
    quarter = drawing(7, 150, 150)
    half = np.concatenate([quarter, quarter[:, ::-1]], axis=1)
    whole = np.concatenate([half, half[::-1]])
    turning = np.concatenate([quarter, quarter[::-1, ::-1]])
    for page in (whole, turning):
        one, other = views(page, cv2.resize(page, None, fx=0.9, fy=0.9, interpolation=cv2.INTER_AREA))
        whole = partial(both, one.rgb, other.rgb)
        for met in ("no", "both"):
            assert verify.pair_relation(one, other, met, whole) == "reencoded"
            assert verify.pair_relation(one, other, met, whole, ALL) == "reencoded"
    upside = np.concatenate([quarter, quarter[::-1]])  # its mirror image is itself turned by 180°
    whole = partial(both, upside, MIRRORED.of(upside))
    for met, wanted in (("yes", "flip"), ("neither", "turn")):
        assert verify.pair_relation(*views(*(page.rgb for page in whole())), met, whole, ALL) == wanted


# --- through the command ------------------------------------------------------------------------------------

pytestmark = pytest.mark.usefixtures("inline")
ORIGINAL = drawing(8)


@each_turn
def test_a_turned_copy_is_dropped_and_explained(tmp_path, command, way):
    save(tmp_path / "pile" / "original.png", ORIGINAL)
    copy = cv2.resize(ORIGINAL, None, fx=0.6, fy=0.6, interpolation=cv2.INTER_AREA)
    save(tmp_path / "pile" / "turned.jpg", way.of(copy), 80)
    rows = deduped(command, tmp_path / "work", tmp_path / "pile")
    turned = rows["turned.jpg"]
    assert (turned["relation"], turned["keeper"], turned["keep"]) == ("turn", "original.png", False)
    words = command("clean", tmp_path / "work", "--explain", "turned.jpg")
    assert "dropped: turned by a quarter or two, the same picture as original.png" in " ".join(words.split())


@pytest.mark.parametrize("most", ["upright", "turned"])
def test_the_side_of_more_copies_stays(tmp_path, command, most):
    turned = np.ascontiguousarray(np.rot90(ORIGINAL))
    save(tmp_path / "pile" / "upright.png", ORIGINAL)
    save(tmp_path / "pile" / "turned.png", turned)
    third = {"upright": ORIGINAL, "turned": turned}[most]
    save(tmp_path / "pile" / "third.jpg", third, 70)
    rows = deduped(command, tmp_path / "work", tmp_path / "pile")
    lost = {"upright": "turned", "turned": "upright"}[most]
    assert (rows[f"{lost}.png"]["keeper"], rows[f"{lost}.png"]["why"]) == (f"{most}.png", "side")
    assert rows["third.jpg"]["relation"] == "reencoded"


def test_all_eight_ways_round_keep_one(tmp_path, command):
    for way in WAYS:
        save(tmp_path / "pile" / f"{name(way)}.png", way.of(ORIGINAL))
    rows = deduped(command, tmp_path / "work", tmp_path / "pile")
    assert [row["keep"] for row in rows.values()].count(True) == 1
    assert {row["relation"] for row in rows.values()} == {"keeper", "flip", "turn"}


def test_what_drop_does_not_name_stays_in_one_cluster_and_one_split(tmp_path, command):
    for n in range(6):
        save(tmp_path / "pile" / f"{n}.png", drawing(n))
        save(tmp_path / "pile" / f"{n} turned.png", TURNS[n].of(drawing(n)))
    words = ["dedup.drop=['exact', 'reencoded', 'flip', 'crop']", "shard.splits={train=0.5, val=0.5}"]
    words += ["lineart.styles=['xdog']", "lineart.size=64"]
    settings = [word for setting in words for word in ("--set", setting)]
    command("run", "quickstart", tmp_path / "work", tmp_path / "pile", *settings)
    asked = "SELECT file, cluster, relation, keep, split FROM images"
    rows = json.loads(command("query", tmp_path / "work", asked, "--format", "json"))
    assert all(row["keep"] for row in rows)
    assert {row["relation"] for row in rows} == {"keeper", "turn"}
    of = {row["file"]: (row["cluster"], row["split"]) for row in rows}
    assert all(of[f"{n}.png"] == of[f"{n} turned.png"] for n in range(6))
    assert len({split for _, split in of.values()}) > 1


def test_without_flips_turns_are_not_looked_for_either(tmp_path, command):
    save(tmp_path / "pile" / "one.png", ORIGINAL)
    save(tmp_path / "pile" / "two.png", np.rot90(ORIGINAL))
    deduped(command, tmp_path / "work", tmp_path / "pile", words=("--set", "dedup.flips=false"))
    asked = "SELECT relation FROM images"
    rows = json.loads(command("query", tmp_path / "work", asked, "--format", "json"))
    assert [row["relation"] for row in rows] == ["single", "single"]
    command("dedup", tmp_path / "work", "--set", "dedup.flips=true")
    assert sorted(row["relation"] for row in decided(command, tmp_path / "work").values()) == [
        "keeper",
        "turn",
    ]


def test_find_names_a_turn(tmp_path, command):
    save(tmp_path / "pile" / "original.png", ORIGINAL)
    command("ingest", tmp_path / "work", tmp_path / "pile")
    asked = [save(tmp_path / f"{name(way)}.png", way.of(ORIGINAL)) for way in WAYS]
    answers = command("find", tmp_path / "work", *asked, "--json")
    named = [[near["relation"] for near in answer["found"]] for answer in answers]
    assert named == [["exact"], ["flip"], *[["turn"]] * len(TURNS)]


def test_edges_and_relations_of_before_turns_are_read(tmp_path, command):
    save(tmp_path / "pile" / "one.png", ORIGINAL)
    save(tmp_path / "pile" / "two.png", MIRRORED.of(ORIGINAL))
    before = deduped(command, tmp_path / "work", tmp_path / "pile")
    work = open_workspace(tmp_path / "work")
    for path in [*tables.files(work.folder("edges")), *tables.files(work.folder("relations"))]:
        tables.write(path, pq.read_table(path).drop(["turned"]), tables.made_from(path))
    command("clean", tmp_path / "work", "--set", "clean.min_side=100")  # dedup decides again, without a look
    assert decided(command, tmp_path / "work") == before
