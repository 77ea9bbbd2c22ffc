"""The rows that an ingest writes down: of every file one, every picture once.

Bytes stay in place or are copied, and true lineart is checked.
"""

import csv
import json
import os
import shutil
from pathlib import Path

import imagehash
import numpy as np
import PIL.Image
import pytest

from anidata.errors import SourceError
from drawings import ART, drawing, save
from shared import SHARED


def answers(command, work, sql):
    return json.loads(command("query", work, sql, "--format", "json"))


def test_the_bundled_art_has_license_artist_and_true_lines(tmp_path, command, inline):
    command("ingest", tmp_path / "work", "sample:")
    rows = answers(
        command, tmp_path / "work", "SELECT file, status, license, artist, line_key, line_error FROM records"
    )
    assert len(rows) == 36
    assert all(r["status"] == "ok" and r["license"] and r["artist"] for r in rows)
    assert {r["file"] for r in rows if r["line_key"]} == {p.name for p in ART.glob("*_color.png")}
    assert not any(r["line_error"] for r in rows)


@pytest.mark.skipif(
    not (SHARED / "data/junk.csv").exists(), reason="the collection of broken files isn't here"
)
def test_every_broken_file_gets_the_status_and_error_it_should(tmp_path, command):
    command("ingest", tmp_path / "work", SHARED / "data/junk")
    rows = answers(command, tmp_path / "work", "SELECT file, status, error FROM records")
    judged = {row["file"]: (row["status"], row["error"] or "") for row in rows}
    with open(SHARED / "data/junk.csv", newline="", encoding="utf-8") as file:
        wanted = {row["file"]: (row["status"], row["error"]) for row in csv.DictReader(file)}
    assert judged.keys() == wanted.keys()
    certain = {name: row for name, row in wanted.items() if row[0] != "either"}
    assert {name: judged[name] for name in certain} == certain


def test_the_phash_column_is_imagehashs(pile, tmp_path, command, inline):
    command("ingest", tmp_path / "work", pile)
    rows = answers(
        command, tmp_path / "work", "SELECT file, phash, phash_flip FROM records WHERE status = 'ok'"
    )
    for row in rows:
        picture = PIL.Image.open(pile / row["file"]).convert("RGB")
        assert row["phash"] == str(imagehash.phash(picture))
        flipped = picture.transpose(PIL.Image.Transpose.FLIP_LEFT_RIGHT)
        assert row["phash_flip"] == str(imagehash.phash(flipped))


def test_a_limit_takes_the_first_and_a_later_ingest_the_rest(pile, tmp_path, command, calls):
    work = tmp_path / "work"
    assert command("ingest", work, pile, "--limit", 4, "--json")["funnel"]["found"] == 4
    assert command("ingest", work, pile, "--limit", 4, "--json")["funnel"]["found"] == 4
    calls.clear()
    assert command("ingest", work, pile, "--json")["funnel"]["found"] == 13
    assert calls["decode"] == 9


def test_a_second_source_adds_to_the_first(pile, tmp_path, command, inline):
    save(tmp_path / "more" / "new.png", drawing(77))
    command("ingest", tmp_path / "work", pile)
    assert command("ingest", tmp_path / "work", tmp_path / "more", "--json")["funnel"]["found"] == 14


def test_copied_bytes_outlive_their_source(pile, tmp_path, command, inline):
    work = tmp_path / "work"
    command("ingest", work, pile, "--set", "ingest.copy=true")
    shutil.rmtree(pile)
    assert command("extract-lineart", work, "--json")["done"] == {"color": 12, "ink": 12}


def test_an_archive_gives_the_data_set_of_its_folder(pile, tmp_path, command, inline):
    shutil.make_archive(str(tmp_path / "pile"), "gztar", tmp_path, "pile")
    shutil.make_archive(str(tmp_path / "plain"), "tar", tmp_path, "pile")
    tars = {}
    for name, source in (("folder", pile), ("gz", tmp_path / "pile.tar.gz"), ("tar", tmp_path / "plain.tar")):
        command("run", "quickstart", tmp_path / name, source)
        tars[name] = [p.read_bytes() for p in sorted((tmp_path / name / "dataset/data").iterdir())]
    assert tars["folder"] == tars["gz"] == tars["tar"]


def test_names_that_are_no_utf8_or_hold_newlines_survive(tmp_path, command, inline):
    pile = tmp_path / "pile"
    source = save(pile / "plain.png", drawing(5))
    odd = [b"caf\xe9.png", b"two\nlines.png", b"100%41 #1?.png", "画像.png".encode()]
    for n, name in enumerate(odd):
        save(pile / f"{n}.png", drawing(60 + n)).rename(os.fsdecode(os.fsencode(pile) + b"/" + name))
    assert command("run", "quickstart", tmp_path / "work", pile, "--json")["funnel"]["samples"]
    rows = answers(command, tmp_path / "work", "SELECT file, uri, keep FROM records")
    assert {r["file"] for r in rows} == {source.name, *(name.decode("utf-8", "replace") for name in odd)}
    assert all(r["keep"] and "\n" not in r["uri"] for r in rows)


def test_a_line_that_belongs_to_another_picture_is_refused_and_the_picture_stays(tmp_path, command, inline):
    pile = tmp_path / "pile"
    pile.mkdir()
    for name in ("pair_adventurer_01", "pair_openmoji_01"):
        shutil.copy(ART / f"{name}_color.png", pile / f"{name}_color.png")
    shutil.copy(ART / "pair_openmoji_01_line.png", pile / "pair_adventurer_01_line.png")
    (pile / "pair_openmoji_01_line.png").write_bytes(b"no picture")
    command("ingest", tmp_path / "work", pile)
    sql = "SELECT file, status, line_key, line_error FROM records"
    rows = answers(command, tmp_path / "work", sql)
    assert {r["file"]: (r["status"], r["line_key"], r["line_error"]) for r in rows} == {
        "pair_adventurer_01_color.png": ("ok", None, "unregistered"),
        "pair_openmoji_01_color.png": ("ok", None, "not_an_image"),
    }


def test_a_missing_source_is_a_typed_error_and_leaves_no_workspace(tmp_path, command):
    with pytest.raises(SourceError, match="no such file or folder"):
        command("ingest", tmp_path / "work", tmp_path / "nowhere")
    assert not (tmp_path / "work").exists()


@pytest.mark.slow
def test_a_time_limit_is_a_row_and_tried_again(pile, tmp_path, command):
    work = tmp_path / "work"
    tile = np.random.default_rng(0).integers(0, 256, (99, 100, 3), np.uint8)
    PIL.Image.fromarray(np.tile(tile, (100, 100, 1))).save(pile / "huge.png", compress_level=1)
    # far too short for 300 MB on any machine; the small ones may make it
    command("ingest", work, pile, "--set", "ingest.time_limit=0.02")
    failed = "SELECT file, error FROM records WHERE status = 'failed' ORDER BY file"
    assert {"file": "huge.png", "error": "timeout"} in answers(command, work, failed)
    command("ingest", work, pile, "--set", "ingest.time_limit=600")
    assert answers(command, work, failed) == [{"file": "broken.png", "error": "truncated"}]


def test_a_broken_color_profile_is_noted_and_the_picture_kept(tmp_path, command, inline):
    for name in ("broken-icc.png", "adobe-icc.png"):
        shutil.copy(Path(__file__).parents[1] / "golden" / name, tmp_path)
    command("ingest", tmp_path / "work", tmp_path / "broken-icc.png", tmp_path / "adobe-icc.png")
    rows = answers(
        command, tmp_path / "work", "SELECT file, status, error, message FROM records ORDER BY file"
    )
    note = "its color profile is broken, or not for its channels: ignored"
    assert rows == [
        {"file": "adobe-icc.png", "status": "ok", "error": None, "message": None},
        {"file": "broken-icc.png", "status": "ok", "error": None, "message": note},
    ]
