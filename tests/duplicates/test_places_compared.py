"""The command that compares how pictures are linked that share a part: what it makes, counts and prints."""

import sys

import numpy as np
import PIL.Image
import pytest

import compare_places
from copies import originals, running
from copies.making import Copy
from copies.transform import generator
from drawings import drawing, save
from placing import additions, cases, furniture, linking, million, pages, piles, splitting, tables, unrelated
from placing.linking import Outcome

NOT_EVERYWHERE = {"censor_bar", "mosaic", "on_black"}  # where a picture is black, plain, or full


def picture(seed=1, width=240, height=180):
    return PIL.Image.fromarray(drawing(seed, width, height))


def others(count=cases.OTHERS):
    return [picture(50 + n, 200, 220) for n in range(count)]


def made(name, image, seed="a picture"):
    return cases.at(name, 0).make(image, generator(seed, name), others())


def flat(*color):
    return PIL.Image.new("RGB", (300, 240), color)


# --- pictures -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", cases.PILES)
def test_a_case_gives_the_same_copy_of_the_same_name_and_leaves_its_picture(name):
    image = picture()
    once, again = made(name, image), made(name, picture())
    assert image.tobytes() == picture().tobytes()
    if once is None:
        assert name in NOT_EVERYWHERE
    else:
        assert once.tobytes() == again.tobytes()
        is_file_alone = name in cases.OLD_PILES  # another one of the same pixels
        assert is_file_alone or (once.size, once.tobytes()) != (image.size, image.tobytes())


def test_every_case_has_a_goal_and_the_old_transforms_take_turns():
    assert len(cases.CASES) >= 25
    assert all(0.8 <= case.goal <= 1 for case in cases.CASES)
    turns = {cases.at(pile, number).name for pile in cases.OLD_PILES for number in range(6)}
    assert turns == set(cases.OLD)
    with pytest.raises(KeyError):
        cases.at("no such pile", 0)


@pytest.mark.parametrize("seed", range(20))
def test_a_page_gives_its_original_a_fifth_among_three_to_five_other_panels(seed):
    grays = [flat(90 + 20 * n, 90 + 20 * n, 100) for n in range(cases.OTHERS)]
    page = np.asarray(pages.page(flat(250, 0, 200), generator("page", str(seed)), grays))
    own = (page == (250, 0, 200)).all(2).mean()
    assert 0.18 < own < 0.36  # less what a caption covers
    shown = [n for n in range(cases.OTHERS) if (page == (90 + 20 * n, 90 + 20 * n, 100)).all(2).mean() > 0.01]
    assert shown == list(range(len(shown)))
    assert 3 <= len(shown) <= 5


def test_half_of_a_double_page_is_the_original_as_it_was():
    image = picture()
    spread = pages.spread(image, generator("spread"), others())
    assert spread.height == image.height
    sides = spread.crop((0, 0, *image.size)), spread.crop((spread.width - image.width, 0, *spread.size))
    assert sum(side.tobytes() == image.tobytes() for side in sides) == 1


@pytest.mark.parametrize("seed", range(8))
def test_balloons_cover_their_share(seed):
    image = flat(30, 90, 60)
    changed = np.asarray(additions.scattered(0.15, image, generator(str(seed)))) != np.asarray(image)
    assert 0.1 < changed.any(2).mean() < 0.17


def test_paper_gets_black_but_not_what_is_white_within():
    image = PIL.Image.new("RGB", (200, 200), "white")
    image.paste((200, 30, 30), (50, 50, 150, 150))
    image.paste((255, 255, 255), (90, 90, 110, 110))
    copy = additions.on_black(image, generator("ground"))
    seen = [copy.getpixel(at) for at in ((5, 5), (60, 60), (100, 100))]
    assert seen == [(0, 0, 0), (200, 30, 30), (255, 255, 255)]
    assert additions.on_black(flat(200, 30, 30), generator("ground")) is None


@pytest.mark.parametrize("kind", furniture.FURNITURE)
def test_pages_share_their_furniture_and_show_other_pictures(kind):
    one, other = (np.asarray(furniture.FURNITURE[kind](picture(n), f"name {n}")) for n in (1, 2))
    same = (one == other).all(2)
    assert one.shape == other.shape
    assert same[:8].all()
    assert 0.1 < same.mean() < 0.8


# --- files --------------------------------------------------------------------------------------------------


@pytest.fixture
def art(tmp_path):
    """Two halves, each of two packages with five drawings in all."""
    for k, half in enumerate(("fit", "check")):
        for n in range(5):
            save(tmp_path / "art" / half / "xy"[n % 2] / f"{'abcde'[n] * 4}.png", drawing(10 * k + n))
    return tmp_path / "art"


def test_pairs_are_made_once_and_pictures_are_remembered(art, tmp_path):
    chosen = originals.remembered(tmp_path / "chosen.csv", art / "fit", 5)
    pairs = piles.make(chosen, 2, "balloon", tmp_path / "made")
    assert [copy.transform for copy in pairs] == ["orig", "balloon"] * 2
    assert pairs[0].source == pairs[1].source != pairs[2].source
    files = {path: path.stat().st_mtime_ns for path in (tmp_path / "made").rglob("*.*")}
    assert len(files) == 4
    assert piles.make(chosen, 2, "balloon", tmp_path / "made") == pairs
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "made").rglob("*.*")} == files
    save(art / "fit" / "z" / "another.png", drawing(77))
    assert originals.remembered(tmp_path / "chosen.csv", art / "fit", 5) == chosen


def test_what_cannot_be_made_leaves_its_original_out(tmp_path):
    pixels = drawing(3)
    pixels[pixels.min(2) > 200] = 128
    original = piles.Original("full", save(tmp_path / "full.png", pixels))
    for _ in range(2):
        assert piles.make([original], 1, "on_black", tmp_path / "made") == []


def test_unrelated_pictures_come_of_each_package_in_turn(art, tmp_path):
    pile = unrelated.lay(tmp_path / "pile", "fit", 3, art)
    assert sorted(path.parent.name for path in pile.rglob("*.png")) == ["x", "x", "y"]


def test_pages_of_furniture_are_known_by_their_folder(tmp_path):
    originals_ = [furniture.Original("name", save(tmp_path / "one.png", drawing(1)))] * 5
    furniture.write(tmp_path / "pages", originals_)
    assert len(list((tmp_path / "pages").iterdir())) == 5
    assert furniture.is_wrong({"file_a": "pages/card-002.png", "file_b": "pages/card-006.png"})
    assert not furniture.is_wrong({"file_a": "pages/card-002.png", "file_b": "gimp-help-en/one.png"})


# --- tools and counts ---------------------------------------------------------------------------------------


def test_keypoints_find_a_crop_and_phash_a_copy(tmp_path):
    pixels = np.random.default_rng(1).integers(0, 256, (24, 32, 3), np.uint8)
    one = PIL.Image.fromarray(pixels).resize((320, 240), PIL.Image.Resampling.BICUBIC)
    for name, image in {
        "a": one,
        "copy": one.resize((200, 150)),
        "crop": one.crop((20, 30, 220, 190)),
        "other": picture(9, 320, 240),
    }.items():
        image.save(tmp_path / f"{name}.png")
    paths = sorted(tmp_path.iterdir())
    assert list(linking.phash_pairs(paths)) == [("a.png", "copy.png")]
    rows = linking.clustered(tmp_path, linking.OWN_TOOLS[linking.OWN])
    assert {row["file"]: row["cluster"] for row in rows} == {
        **dict.fromkeys(("a.png", "copy.png", "crop.png"), "a.png"),
        "other.png": "other.png",
    }


def pair(name, transform="balloon"):
    original = Copy(f"{name}_orig.png", name, "orig", equal=True)
    return [original, Copy(f"{name}_x.png", name, transform, equal=False)]


def test_a_pair_is_linked_in_one_cluster_and_two_originals_there_are_wrong():
    copies = [*pair("a"), *pair("b"), *pair("c")]
    clusters = {"a_orig": "1", "a_x": "1", "b_orig": "2", "b_x": "3", "c_orig": "4", "c_x": "1"}
    rows = [{"file": f"pile/{name}.png", "cluster": cluster} for name, cluster in clusters.items()]
    assert [one.linked for one in linking.outcomes(copies, rows)] == [True, False, False]
    assert linking.wrong(copies, rows) == [("a", "c")]
    assert not linking.outcomes(copies, [])[0].linked


def test_the_table_has_a_row_a_case_one_for_the_old_and_one_a_group():
    def some(*linked):
        return [Outcome(pair("a")[1], one, "overlay" if one else "apart") for one in linked]

    table = {"balloon": some(True, False), "old_22_0": some(True), "old_22_1": some(True, True, False)}
    lines = tables.by_case({"anidata": table}).splitlines()
    assert "| balloon | 2 | .95 | .5 | overlay .5, apart .5 |" in lines
    assert "| old 22 | 4 | .99 | .75 | overlay .75, apart .25 |" in lines
    assert "| *all additions* | 2 |  | .5 |  |" in lines


def test_a_drawing_is_whole_where_all_that_is_kept_of_it_stands_in_one_split():
    def rows(*splits, cluster="1"):
        return [{"cluster": cluster, "keep": split != "", "split": split or None} for split in splits]

    apart = rows("train", "train", "test", "train", "", "train")
    apart[2]["cluster"] = "9"
    run = splitting.counted([rows("train", "", "train", "", "", "train"), apart], 1, ", 1 leak_near")
    assert (run.whole, run.linked, run.audit) == (1, 1, 1)
    assert run.versions == {**dict.fromkeys(splitting.VERSIONS, 2), "balloons_2": 1}
    assert splitting._said("verdict\nleak_near  a b\nleak_near c d\n") == ", 2 leak_near"


# --- a million ----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def real():
    """Places of thirty made-up pictures."""
    rng = np.random.default_rng(3)
    places = np.zeros(30 * 40, million.place_codes.PLACE)
    for field, most in (("x", 65536), ("y", 65536), ("size", 128)):
        places[field] = rng.integers(0, most, len(places))
    places["code"] = rng.integers(0, 1 << 63, len(places), np.uint64) << np.uint64(1)
    return places, np.repeat(np.arange(30), 40)


def test_resampled_pictures_are_the_same_again_and_some_show_others(real):
    one, again = (million.resampled(*real, 400, 0.1, np.random.default_rng(5)) for _ in range(2))
    assert one.places.tobytes() == again.places.tobytes()
    assert np.flatnonzero(one.shows >= 0).tolist() == [99, 199, 299, 399]
    assert (np.diff(one.owner) >= 0).all()
    assert million.resampled(*real, 400, 0.1, np.random.default_rng(5), plants=False).shows.max() == -1


def test_bits_are_turned_as_often_as_said_and_never_the_lowest():
    words = million.turned(4000, 0.2, np.random.default_rng(1))
    assert np.bitwise_count(words).mean() == pytest.approx(0.2 * million.BITS, rel=0.03)
    assert not (words & np.uint64(1)).any()


def test_planted_pictures_are_met_and_the_join_is_exact_on_a_part(real):
    pile = million.resampled(*real, 300, 0.25, np.random.default_rng(5))
    met = million.place_agreement.met(pile.places, pile.owner, np.ones(300, np.bool_))
    pairs = set(zip(met.i.tolist(), met.j.tolist(), strict=True))
    assert {(int(pile.shows[n]), n) for n in (99, 199, 299)} <= pairs
    assert million.exactness(million.part(pile, 150)).startswith("the same pairs")


# --- the command --------------------------------------------------------------------------------------------


def run(art, monkeypatch, capsys, *words):
    monkeypatch.setattr(compare_places, "MADE", art.parent / "made")
    monkeypatch.setattr(sys, "argv", ["compare_places.py", "--art", str(art), *words])
    compare_places.main()
    return capsys.readouterr().out


@pytest.mark.slow
def test_it_prints_a_table_a_half_and_runs_nothing_twice(art, monkeypatch, capsys, tmp_path):
    folder = tmp_path / "results"
    words = "--originals", "3", "--only", "part_90", "credit_bar", "--tools", "anidata", "ImageHash"
    first = run(art, monkeypatch, capsys, *words, "--folder", str(folder))
    for half in ("fit", "check"):
        assert f"## {half}: 3 originals" in first
        assert (folder / half / "missed.csv").read_text().startswith("relation,file_a,file_b")
    assert first.count("| credit_bar | 3 | .95 | ") == 2
    assert "Originals in one cluster with another one, of 6 pairs: anidata 0, ImageHash 0" in first
    monkeypatch.setattr(running, "_decided", lambda *_: pytest.fail("run twice"))
    again = run(art, monkeypatch, capsys, *words, "--folder", str(folder))
    assert [line for line in again.splitlines() if "CPU" not in line] == [
        line for line in first.splitlines() if "CPU" not in line
    ]


@pytest.mark.slow
def test_links_among_unrelated_pictures_are_counted_and_shown(art, monkeypatch, capsys, tmp_path):
    save(art / "fit" / "y" / "copy.jpg", drawing(0), 90)
    folder = tmp_path / "unrelated"
    words = "--half", "fit", "--unrelated", "10", "--folder", str(folder)
    said = run(art, monkeypatch, capsys, *words)
    assert "6 pictures, 5 clusters, the largest of 2" in said
    assert "links by packages: 0 within one (none), 1 between two" in said
    assert "links: 1 of 1 not judged" in said
    assert (folder / "linked-000.png").exists()
    judged = folder / "judged.csv"
    judged.write_text((folder / "pairs.csv").read_text().replace(",,", ",copy,", 1))
    again = run(art, monkeypatch, capsys, *words, "--again", "--verdicts", str(judged))
    assert "links: 0 wrong and 0 gray of 1 judged, precision 1.0000" in again


@pytest.mark.slow
def test_a_run_of_drawings_says_whether_audit_is_content(art, monkeypatch, capsys):
    monkeypatch.setattr(splitting, "DRAWINGS", 2)
    said = run(art, monkeypatch, capsys, "--half", "fit", "--splits", "1")
    assert "## fit: 1 runs of 2 drawings in 6 versions" in said
    assert "Drawings in one split: " in said
    assert "In the clean one's cluster, of 2: balloon " in said
