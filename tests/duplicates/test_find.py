"""A loose picture's nearest records: what they are to it, and how near."""

import cv2
import numpy as np
import pytest
from typer.testing import CliRunner

import anidata.cli.entry
from anidata.errors import AnidataError
from drawings import drawing, save
from finished import Restored, run_inline


@pytest.fixture(scope="module")
def ingested(tmp_path_factory):
    """A pile and the workspace that knows it."""
    home = tmp_path_factory.mktemp("ingested") / "home"
    for n in range(6):
        save(home / "pile" / f"{n}.png", drawing(n))
    save(
        home / "pile" / "3 small.jpg",
        cv2.resize(drawing(3), None, fx=0.9, fy=0.9, interpolation=cv2.INTER_AREA),
    )
    run_inline("ingest", home / "work", home / "pile")
    return Restored(home)


@pytest.fixture
def work(ingested):
    return ingested.restore() / "work"


def neighbors(command, work, *paths):
    """(file, relation) of each path's nearest records."""
    answers = command("find", work, *paths, "--json")
    return [[(near["file"], near["relation"]) for near in answer["found"]] for answer in answers]


def test_the_nearest_come_first_with_their_relation(work, command, tmp_path):
    same = save(tmp_path / "same.png", drawing(3))
    assert neighbors(command, work, same) == [[("3.png", "exact"), ("3 small.jpg", "reencoded")]]


def test_mirrored_and_cut_copies_are_found_and_strangers_are_not(work, command, tmp_path):
    flip = save(tmp_path / "flip.png", drawing(1)[:, ::-1])
    part = save(tmp_path / "part.png", drawing(2)[20:, 12:])
    stranger = save(tmp_path / "stranger.png", drawing(77))
    assert neighbors(command, work, flip, part, stranger) == [[("1.png", "flip")], [("2.png", "crop")], []]


def test_most_bounds_what_is_shown(work, command, tmp_path):
    same = save(tmp_path / "same.png", drawing(3))
    assert len(command("find", work, same, "--most", 1, "--json")[0]["found"]) == 1


def test_decisions_are_shown_where_there_are_any(work, command, tmp_path):
    same = save(tmp_path / "same.png", drawing(3))
    assert [near["keep"] for near in command("find", work, same, "--json")[0]["found"]] == [None, None]
    command("dedup", work)
    assert [near["keep"] for near in command("find", work, same, "--json")[0]["found"]] == [True, False]
    text = command("find", work, same)
    assert "exact" in text
    assert "dropped" in text


def test_nothing_is_written(work, command, tmp_path):
    before = sorted((p, p.stat().st_mtime_ns) for p in work.rglob("*") if p.is_file())
    command("find", work, save(tmp_path / "same.png", drawing(3)))
    assert sorted((p, p.stat().st_mtime_ns) for p in work.rglob("*") if p.is_file()) == before


def test_a_file_that_is_no_picture_says_why_and_the_others_are_answered(work, tmp_path):
    (tmp_path / "text.png").write_text("no picture")
    words = ("find", work, tmp_path / "text.png", save(tmp_path / "same.png", drawing(5)))
    done = CliRunner().invoke(anidata.cli.entry.app, [str(word) for word in words])
    assert done.exit_code == 1
    assert "not_an_image" in done.stdout
    assert "5.png" in done.stdout


def test_a_source_that_has_gone_leaves_the_relation_unknown(work, command, tmp_path):
    flip = save(tmp_path / "flip.png", drawing(1)[:, ::-1])
    (work.parent / "pile" / "1.png").unlink()
    assert neighbors(command, work, flip) == [[("1.png", "unknown")]]


def test_a_flat_picture_is_found_by_its_pixels_alone(command, tmp_path):
    flat = np.full((300, 300, 3), 9, np.uint8)
    save(tmp_path / "pile" / "flat.png", flat)
    command("ingest", tmp_path / "work", tmp_path / "pile")
    other = save(tmp_path / "flat.bmp", flat)
    assert neighbors(command, tmp_path / "work", other) == [[("flat.png", "exact")]]


def test_a_folder_that_is_no_workspace_is_a_typed_error(command, tmp_path):
    with pytest.raises(AnidataError, match="no workspace"):
        command("find", tmp_path, tmp_path / "x.png")
