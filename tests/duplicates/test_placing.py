"""Pictures that show parts of each other, or one drawing with something over it, end in one cluster."""

import json

import cv2
import numpy as np
import pytest

from anidata.catalog.catalog import Catalog
from anidata.duplicates import place_agreement
from anidata.stages.dedup import placing
from anidata.workspace import open_workspace
from drawings import save
from finished import Restored, run_inline
from scenes import ballooned, paged, scene

LINKED = "SELECT a, b, relation, holds FROM _links WHERE mirrored = 'places' ORDER BY a, b"


@pytest.fixture(scope="module")
def ingested(tmp_path_factory):
    """A workspace that has read scenes, a page of three, one scene's half and one with a balloon."""
    home = tmp_path_factory.mktemp("placed") / "home"
    for name, rgb in pictures().items():
        save(home / "pile" / f"{name}.png", rgb)
    run_inline("ingest", home / "work", home / "pile")
    return Restored(home)


def pictures():
    scenes = {f"scene {n}": scene(n) for n in range(6)}
    height, width = scenes["scene 4"].shape[:2]
    return scenes | {
        "page": paged([scene(1), scene(20), scene(21)]),
        "half": scenes["scene 4"][: round(height * 0.72), round(width * 0.3) :],
        "balloon": ballooned(scenes["scene 5"]),
    }


@pytest.fixture
def work(ingested):
    return ingested.restore() / "work"


def rows(command, work):
    answer = command(
        "query", work, "SELECT file, cluster, relation, keep, distance FROM images", "--format", "json"
    )
    return {row["file"].removesuffix(".png"): row for row in json.loads(answer)}


def groups(command, work):
    clusters = {}
    for name, row in rows(command, work).items():
        clusters.setdefault(row["cluster"], set()).add(name)
    return sorted(sorted(names) for names in clusters.values() if len(names) > 1)


TOGETHER = [["balloon", "scene 5"], ["half", "scene 4"], ["page", "scene 1"]]


def test_a_part_a_page_and_a_balloon_stand_with_their_drawings_and_all_stay(work, command):
    command("dedup", work)
    assert groups(command, work) == TOGETHER
    given = rows(command, work)
    assert all(row["keep"] for row in given.values())
    assert {given[name]["relation"] for name in ("half", "scene 4")} == {"keeper", "part"}
    assert {given[name]["relation"] for name in ("page", "scene 1")} == {"keeper", "part"}
    assert {given[name]["relation"] for name in ("balloon", "scene 5")} <= {"keeper", "overlay", "variant"}


def test_off_compares_no_places_and_on_again_gives_the_same(work, command):
    command("dedup", work)
    first = rows(command, work)
    command("dedup", work, "--set", "dedup.places=off")
    assert ["page", "scene 1"] not in groups(command, work)
    command("dedup", work, "--set", "dedup.places=on")
    assert rows(command, work) == first


def test_auto_is_off_where_there_are_more_pictures_than_it_takes(work, command, monkeypatch, inline):
    monkeypatch.setattr(placing, "PLACED", 8)
    command("dedup", work)
    assert ["page", "scene 1"] not in groups(command, work)


def test_a_part_is_dropped_where_that_is_asked_for(work, command):
    command("dedup", work, "--set", 'dedup.drop=["exact", "reencoded", "part"]')
    given = rows(command, work)
    assert not given["half"]["keep"]
    assert given["scene 4"]["keep"]
    assert given["page"]["keep"]
    assert not given["scene 1"]["keep"]
    assert given["half"]["distance"] is None


def test_find_answers_a_cut_out_with_the_page_it_comes_from(work, command, tmp_path):
    drawn = scene(20)
    height, width = drawn.shape[:2]
    cut = save(tmp_path / "cut.png", drawn[height // 12 :, : width - width // 10])
    (answer,) = command("find", work, cut, "--json")
    assert [(near["file"], near["relation"], near["distance"]) for near in answer["found"]] == [
        ("page.png", "part", None)
    ]
    assert "part" in command("find", work, cut)


def test_a_pile_that_grows_gives_the_same_links_as_a_whole_one(ingested, work, command, tmp_path):
    command("dedup", work)
    grown = tmp_path / "grown"
    names = sorted(pictures())
    for some in (names[:5], names[5:]):
        for name in some:
            save(tmp_path / "pile" / f"{name}.png", pictures()[name])
        command("ingest", grown, tmp_path / "pile")
        command("dedup", grown)
    with Catalog(open_workspace(work)) as one, Catalog(open_workspace(grown)) as other:
        assert one.select(LINKED).to_pylist() == other.select(LINKED).to_pylist() != []


def test_all_is_joined_anew_where_a_place_was_left_out(work, command, monkeypatch, inline):
    asked = []

    def met(places, owner, new):
        asked.append(int(new.sum()))
        nothing = np.empty(0, np.int64)
        hint = np.empty(0, place_agreement.HINT)
        return place_agreement.Met(nothing, nothing, hint, 1, 0)

    monkeypatch.setattr(place_agreement, "met", met)
    command("dedup", work)
    save(work.parent / "pile" / "late.png", scene(40))
    command("ingest", work, work.parent / "pile")
    command("dedup", work)
    assert asked == [9, 10]


def test_what_an_earlier_version_has_read_is_said_to_lack_places(work, command, capsys, inline, monkeypatch):
    monkeypatch.setattr(
        placing, "CODED", "SELECT NULL::BLOB AS place_codes FROM _seen WHERE error IS NULL ORDER BY key"
    )
    said = []
    monkeypatch.setattr("anidata.engine.progress.say", said.append)
    command("dedup", work)
    assert said == ["dedup.places: 9 pictures have no places yet; anidata ingest reads them"]


@pytest.mark.parametrize("side", [1, 3, 12, 40])
def test_pictures_too_small_for_a_place_and_blank_ones_are_no_parts(command, tmp_path, side):
    for n, value in enumerate((0, 90, 255)):
        save(tmp_path / "pile" / f"{n}.png", np.full((side, side * 2, 3), value, np.uint8))
    save(tmp_path / "pile" / "scene.png", cv2.resize(scene(1), (side, side), interpolation=cv2.INTER_AREA))
    command("ingest", tmp_path / "work", tmp_path / "pile")
    command("dedup", tmp_path / "work", "--set", "dedup.places=on")
    assert all(
        row["relation"] not in ("part", "overlay") for row in rows(command, tmp_path / "work").values()
    )
