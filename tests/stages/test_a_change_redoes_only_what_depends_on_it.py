"""The work done again when something changes, counted where pictures are decoded and encoded."""

import json
import shutil

import pytest

from anidata.measures import chroma
from drawings import drawing, make_pile, save
from finished import Restored, run_inline


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A pile and what a run made of it."""
    home = tmp_path_factory.mktemp("finished") / "home"
    run_inline("run", "quickstart", home / "work", make_pile(home / "pile"))
    return Restored(home)


@pytest.fixture
def pile(finished):
    return finished.restore() / "pile"


@pytest.fixture
def work(pile, calls):
    """The finished workspace, as no test has touched it."""
    return pile.parent / "work"


def answers(command, work, sql):
    return json.loads(command("query", work, sql, "--format", "json"))


def test_a_changed_threshold_opens_no_picture(work, command, calls):
    funnel = command("clean", work, "--set", "clean.min_side=350", "--json")["funnel"]
    assert funnel["rejected"]["min_side"] == 12  # all that can be read are narrower
    assert not calls


def test_a_threshold_taken_back_draws_nothing_again(work, command, calls):
    before = (work / "dataset" / "manifest.json").read_bytes()
    for threshold in (350, 256):
        for stage in ("clean", "dedup", "extract-lineart", "shard"):
            command(stage, work, "--set", f"clean.min_side={threshold}")
    assert not calls
    assert (work / "dataset" / "manifest.json").read_bytes() == before


def test_a_looser_threshold_draws_only_what_it_lets_in(work, command, calls):
    command("clean", work, "--set", "clean.min_side=32")
    command("dedup", work)
    command("extract-lineart", work)
    assert calls == {"decode": 1, "encode_color": 1, "encode_line": 1}


def test_a_new_style_draws_lines_only(work, command, calls):
    command("extract-lineart", work, "--style", "ink", "--style", "canny")
    assert calls == {"decode": 10, "encode_line": 10}


def test_a_changed_parameter_of_a_style_draws_that_style_only(work, command, calls):
    command("extract-lineart", work, "--style", "ink", "--style", "canny")
    calls.clear()
    command("extract-lineart", work, "--set", "lineart.style.ink.mass=9.0")
    assert calls == {"decode": 10, "encode_line": 10}


def test_another_size_draws_everything_again(work, command, calls):
    command("extract-lineart", work, "--size", "256")
    assert calls == {"decode": 10, "encode_color": 10, "encode_line": 10}
    assert {(r["width"], r["height"]) for r in answers(command, work, "SELECT width, height FROM pairs")} == {
        (256, 256)
    }


def test_a_raised_version_recomputes_that_column_with_one_decode_a_picture(
    work, pile, command, calls, monkeypatch
):
    monkeypatch.setattr(chroma, "VERSION", chroma.VERSION + 1)
    monkeypatch.setattr(chroma, "measure", lambda image: 77.0)
    before = answers(command, work, "SELECT * EXCLUDE (chroma) FROM images ORDER BY key")
    done = command("ingest", work, pile, "--json")["done"]
    assert calls == {"decode": 12}
    assert done == {"chroma": 12}
    assert answers(command, work, "SELECT DISTINCT chroma FROM images WHERE status = 'ok'") == [
        {"chroma": 77.0}
    ]
    assert answers(command, work, "SELECT * EXCLUDE (chroma) FROM images ORDER BY key") == before


def test_a_raised_version_leaves_edges_pairs_and_tars_alone(work, pile, command, calls, monkeypatch):
    places = [p for folder in ("edges", "pairs", "dataset/data") for p in sorted((work / folder).iterdir())]
    before = {p: p.stat().st_mtime_ns for p in places}
    monkeypatch.setattr(chroma, "VERSION", chroma.VERSION + 1)
    command("run", "quickstart", work, pile)
    assert "encode_line" not in calls
    assert {p: p.stat().st_mtime_ns for p in places} == before


def test_a_higher_pixel_limit_looks_again_at_what_was_too_large_and_at_nothing_else(
    pile, tmp_path, command, calls
):
    save(pile / "large.png", drawing(50, 700, 700))
    work = tmp_path / "work"
    command("ingest", work, pile, "--set", "ingest.max_pixels=200000")
    assert answers(command, work, "SELECT file, error FROM records WHERE error = 'too_large'") == [
        {"file": "large.png", "error": "too_large"}
    ]
    calls.clear()
    command("ingest", work, pile, "--set", "ingest.max_pixels=1000000")
    assert calls == {"decode": 1}
    assert answers(command, work, "SELECT count(*) AS n FROM records WHERE error = 'too_large'") == [{"n": 0}]


def test_a_picture_that_changed_at_its_source_is_a_row_and_refresh_records_it_anew(
    work, pile, command, calls
):
    save(pile / "05.png", drawing(500))
    command("extract-lineart", work, "--size", "256")
    rows = answers(command, work, "SELECT file, status, error, keep FROM records WHERE status = 'changed'")
    assert rows == [{"file": "05.png", "status": "changed", "error": "changed", "keep": False}]
    calls.clear()
    command("ingest", work, pile, "--refresh")
    assert calls == {"decode": 1}
    command("run", "quickstart", work, pile)
    assert answers(command, work, "SELECT status, keep FROM records WHERE file = '05.png'") == [
        {"status": "ok", "keep": True}
    ]


def test_a_source_that_comes_back_heals(work, pile, tmp_path, command):
    shutil.move(pile / "05.png", tmp_path / "away.png")
    command("extract-lineart", work, "--size", "256")
    assert answers(
        command, work, "SELECT file, reasons FROM records WHERE list_contains(reasons, 'missing')"
    ) == [{"file": "05.png", "reasons": ["missing"]}]
    shutil.move(tmp_path / "away.png", pile / "05.png")
    command("extract-lineart", work)
    assert answers(command, work, "SELECT keep FROM records WHERE file = '05.png'") == [{"keep": True}]


def test_a_changed_sidecar_is_taken_over_by_refresh_without_a_decode(work, pile, command, calls):
    (pile / "04.txt").write_text("1girl, hat")
    command("ingest", work, pile)
    assert answers(command, work, "SELECT tags FROM records WHERE file = '04.png'") == [{"tags": []}]
    command("ingest", work, pile, "--refresh")
    assert answers(command, work, "SELECT tags FROM records WHERE file = '04.png'") == [
        {"tags": ["1girl", "hat"]}
    ]
    assert not calls
