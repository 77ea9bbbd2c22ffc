"""Who is kept of copies, over small piles: by side, dedup.prefer, date, provenance; and what is said."""

import json
import os
import shutil
import time
import zipfile
from itertools import permutations

import numpy as np
import PIL.Image
import PIL.ImageDraw
import PIL.ImageFont
import PIL.PngImagePlugin
import pyarrow.parquet as pq
import pytest

from anidata import pipeline, storage
from anidata.catalog import tables
from anidata.catalog.catalog import Catalog
from anidata.errors import RecipeError
from anidata.reports import contact_sheet
from anidata.sources.listing import dates
from anidata.stages.dedup import preference
from anidata.stages.dedup.state import relation_version
from anidata.workspace import open_workspace
from drawings import ART, drawing, save

pytestmark = pytest.mark.usefixtures("inline")
OLDER = ("state", "settings", "joined", "waiting")  # what an earlier version notes with its decisions
DECIDED = """
SELECT i.file, i.relation, i.why, i.keep, k.file AS keeper FROM images i JOIN images k ON i.keeper = k.key
"""


def art(name):
    return np.asarray(PIL.Image.open(ART / name).convert("RGB"))


def padded(path, rgb, size):
    """A PNG with as much in it that isn't the picture: other bytes, and other keys."""
    info = PIL.PngImagePlugin.PngInfo()
    info.add_text("padding", "x" * size)
    path.parent.mkdir(parents=True, exist_ok=True)
    PIL.Image.fromarray(rgb).save(path, pnginfo=info)
    return path


def decided(command, work):
    rows = json.loads(command("query", work, DECIDED, "--format", "json"))
    return {row["file"]: row for row in rows}


def deduped(command, work, *sources, words=()):
    """What dedup says of each file of some sources."""
    command("ingest", work, *sources)
    command("dedup", work, *words)
    return decided(command, work)


def prefer(*patterns):
    return ("--set", f"dedup.prefer={json.dumps(patterns)}")


@pytest.fixture
def mirrored(tmp_path):
    """A folder with a drawing and its mirror image: nothing tells which is which."""
    padded(tmp_path / "pile" / "one.png", art("comic_02.jpg"), 0)
    padded(tmp_path / "pile" / "two.png", art("comic_02.jpg")[:, ::-1], 0)
    return tmp_path


# --- dedup.prefer -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("sizes", [(0, 5000), (5000, 0)])
@pytest.mark.parametrize("best", ["one", "two"])
def test_prefer_decides_between_mirror_images_whatever_their_bytes(tmp_path, command, sizes, best):
    padded(tmp_path / "one" / "a.png", art("comic_02.jpg"), sizes[0])
    padded(tmp_path / "two" / "b.png", art("comic_02.jpg")[:, ::-1], sizes[1])
    sources = (tmp_path / "one", tmp_path / "two")[:: 1 if sizes[0] else -1]
    rows = deduped(command, tmp_path / "work", *sources, words=prefer(f"{best}/*", "*"))
    kept, dropped = ("a.png", "b.png")[:: 1 if best == "one" else -1]
    assert (rows[kept]["keep"], rows[kept]["why"]) == (True, None)
    assert (rows[dropped]["keeper"], rows[dropped]["why"], rows[dropped]["keep"]) == (kept, "prefer", False)


def test_the_first_pattern_that_matches_wins_and_another_choice_is_made_at_once(mirrored, command):
    work = mirrored / "work"
    rows = deduped(command, work, mirrored / "pile", words=prefer("nothing/*", "*/two.png", "pile/*"))
    assert rows["one.png"]["keeper"] == "two.png"
    command("dedup", work, *prefer("one.png", "two.png"))
    assert decided(command, work)["two.png"]["keeper"] == "one.png"


def test_a_pattern_that_matches_nothing_is_said_once_by_dedup_alone(mirrored, command, capsys, monkeypatch):
    said = []
    monkeypatch.setattr("anidata.engine.progress.say", said.append)
    command("ingest", mirrored / "work", mirrored / "pile")
    said.clear()
    command("dedup", mirrored / "work", *prefer("pile/*", "folder:nowhere/*", "gallery:*"))
    idle = [line for line in said if "matches" in line]
    assert idle == [
        "dedup.prefer: 'folder:nowhere/*' matches no picture",
        "dedup.prefer: 'gallery:*' matches no picture",
    ]
    said.clear()
    command("clean", mirrored / "work", "--set", "clean.min_side=100")
    command("dedup", mirrored / "work")
    assert not [line for line in said if "matches" in line]


@pytest.mark.parametrize(
    ("pattern", "kind", "path", "matches"),
    [
        ("originals/*", "folder", "/originals/a.png", True),
        ("originals/*", "folder", "/pile/originals/deep/a.png", True),
        ("originals/*", "folder", "/unoriginals/a.png", False),
        ("*.png", "folder", "/pile/a.png", True),
        ("a.png", "folder", "/pile/a.png.jpg", False),
        ("folder:a.png", "folder", "/pile/a.png", True),
        ("gallery:a.png", "folder", "/pile/a.png", False),
        ("host.example/*", "gallery", "/https://host.example/x", True),
        ("odd:a.png", "folder", "/pile/odd:a.png", True),
        ("[a].png", "folder", "/pile/[a].png", True),
        ("a$", "folder", "/pile/a$", True),
    ],
)
def test_patterns_hold_against_path_and_kind(pattern, kind, path, matches):
    assert preference.parsed(pattern).matches(kind, path) == matches


def test_a_path_begins_with_the_name_of_the_source_and_is_no_more_encoded():
    assert preference.path_of("file:///home/me/my%20pile", "a%20b/c.png") == "/my pile/a b/c.png"
    assert preference.path_of("file:///x/a.zip", "b.png") == "/a.zip/b.png"
    assert preference.path_of("urls:", "https%3A//host.example/b.png") == "/https://host.example/b.png"


def test_hostile_paths_and_patterns_take_no_longer_than_they_are_long():
    pattern = preference.parsed("*".join(["a" * 40] * 48) + "*b")
    begun = time.thread_time()
    assert not pattern.matches("folder", "/" + "a" * 2_000_000)
    assert pattern.matches("folder", "/" + "a" * 2_000_000 + "b")
    assert time.thread_time() - begun < 1


@pytest.mark.parametrize(
    ("patterns", "words"),
    [
        (["/home/me/*"], "begin at the name of the source's own folder"),
        ([""], "begin at the name of the source's own folder"),
        (["folder:"], "begin at the name of the source's own folder"),
        (["*" * 60], "50 stars"),
        (["a" * 2046], "longer than 2,045"),
        ([f"{n}/*" for n in range(101)], "the limit is 100"),
    ],
)
def test_patterns_that_can_match_nothing_or_are_endless_are_refused(mirrored, command, patterns, words):
    command("ingest", mirrored / "work", mirrored / "pile")
    with pytest.raises(RecipeError, match=words):
        command("dedup", mirrored / "work", *prefer(*patterns))


# --- dates, provenance --------------------------------------------------------------------------------------


@pytest.mark.parametrize("early", ["one", "two"])
@pytest.mark.parametrize("name", ["created_at", "date", "posted_at", "create_date"])
def test_the_earlier_date_of_a_sidecar_decides_between_mirror_images(mirrored, command, early, name):
    late = {"one": "two", "two": "one"}[early]
    (mirrored / "pile" / f"{early}.png.json").write_text(json.dumps({name: "2019-12-31T23:00:00-05:00"}))
    (mirrored / "pile" / f"{late}.json").write_text(json.dumps({name: "2020-01-01 03:59:59", "tags": ["a"]}))
    rows = deduped(command, mirrored / "work", mirrored / "pile")
    assert (rows[f"{early}.png"]["keeper"], rows[f"{early}.png"]["why"]) == (f"{late}.png", "date")
    (mirrored / "pile" / f"{early}.png.json").write_text(json.dumps({name: 1_262_304_000}))
    rows = deduped(command, mirrored / "again", mirrored / "pile")
    assert (rows[f"{late}.png"]["keeper"], rows[f"{late}.png"]["why"]) == (f"{early}.png", "date")


def test_dates_in_metadata_csv_count_and_the_files_own_times_do_not(mirrored, command):
    lines = ["file_name,date", "one.png,2021-05-05", "two.png,2021-05-04"]
    (mirrored / "pile" / "metadata.csv").write_text("\n".join(lines))
    os.utime(mirrored / "pile" / "one.png", (1e9, 1e9))
    rows = deduped(command, mirrored / "work", mirrored / "pile")
    assert (rows["one.png"]["keeper"], rows["one.png"]["why"]) == ("two.png", "date")
    extra = json.loads(command("query", mirrored / "work", "SELECT extra FROM records", "--format", "json"))
    assert {json.loads(row["extra"])["date"] for row in extra} == {"2021-05-05", "2021-05-04"}


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("2020-01-01", 1_577_836_800),
        ("2020-01-01T00:00:00Z", 1_577_836_800),
        ("2020-01-01T01:00:00.000+01:00", 1_577_836_800),
        ("20200101", 1_577_836_800),
        (1_577_836_800, 1_577_836_800),
        (1_577_836_800_000, 1_577_836_800),
        (1_577_836_800.9, 1_577_836_800),
        ({"json_class": "Time", "s": 1_577_836_800, "n": 0}, 1_577_836_800),
        *(
            (nothing, None)
            for nothing in ("", "soon", "0001-01-01", "9" * 5000, True, None, [], -1, 7, 1e300)
        ),
        *((nothing, None) for nothing in ("2020-13-01", float("nan"), "\u0661\u0662" * 5, {"s": {"s": 1}})),
    ],
)
def test_a_date_is_read_as_galleries_write_it(value, seconds):
    text = dates.stated({"updated_at": "1999-01-01", "created_at": value})
    assert (None if text is None else dates.seconds(text)) == seconds


def test_the_first_name_that_holds_a_date_counts():
    assert dates.stated({"date": "2020-02-02", "created_at": "never", "mtime": "2001-01-01"}) == "2020-02-02"


@pytest.mark.parametrize("named", ["one", "two"])
def test_a_source_with_artist_and_license_stays_over_one_without(mirrored, command, named):
    notes = {"artist": "somebody", "license": "CC0"}
    (mirrored / "pile" / f"{named}.json").write_text(json.dumps(notes))
    other = {"one": "two", "two": "one"}[named]
    (mirrored / "pile" / f"{other}.json").write_text(json.dumps(notes | {"license": " "}))
    rows = deduped(command, mirrored / "work", mirrored / "pile")
    assert (rows[f"{other}.png"]["keeper"], rows[f"{other}.png"]["why"]) == (f"{named}.png", "provenance")


# --- sides --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("turned", [False, True])
def test_a_third_copy_tells_which_of_two_mirror_images_stays(tmp_path, command, turned):
    picture = art("vn_scene_01.jpg")
    save(tmp_path / "pile" / "one.png", picture)
    save(tmp_path / "pile" / "two.png", picture[:, ::-1])
    save(tmp_path / "pile" / "third.jpg", picture[:, ::-1] if turned else picture, 60)
    rows = deduped(command, tmp_path / "work", tmp_path / "pile")
    lone = "one.png" if turned else "two.png"
    assert (rows[lone]["relation"], rows[lone]["why"]) == ("flip", "side")
    assert sum(row["keep"] for row in rows.values()) == 1


def lettered(name):
    """A picture with a sentence on it."""
    picture = PIL.Image.fromarray(art(name))
    draw = PIL.ImageDraw.Draw(picture)
    draw.rectangle((20, 20, 330, 170), "white", "black")
    text = "Nobody came back from\nthe old mill before night.\nWe should never have\nopened that door."
    draw.multiline_text((32, 34), text, "black", PIL.ImageFont.load_default(24))
    return np.array(picture)


@pytest.mark.parametrize("name", ["vn_scene_01.jpg", "painted_bg_01.jpg", "comic_05.jpg"])
@pytest.mark.parametrize("order", [1, -1])
def test_of_mirror_images_the_one_whose_text_reads_stays(tmp_path, command, name, order):
    padded(tmp_path / "one" / "a.png", lettered(name), 5000)
    save(tmp_path / "two" / "b.jpg", lettered(name)[:, ::-1], 90)
    sources = (tmp_path / "one", tmp_path / "two")[::order]
    rows = deduped(command, tmp_path / "work", *sources, words=prefer("two/*"))
    dropped = rows["b.jpg"]
    assert (dropped["keeper"], dropped["relation"], dropped["why"]) == ("a.png", "flip", "text")
    assert rows["a.png"]["keep"]


def test_a_mirror_image_of_finer_detail_whose_text_reads_mirrored_is_dropped(tmp_path, command):
    picture = lettered("vn_scene_01.jpg")
    half = PIL.Image.fromarray(picture).resize((picture.shape[1] * 3 // 4, picture.shape[0] * 3 // 4))
    save(tmp_path / "pile" / "reads.jpg", np.array(half), 80)
    save(tmp_path / "pile" / "mirrored.png", picture[:, ::-1])
    rows = deduped(command, tmp_path / "work", tmp_path / "pile")
    assert (rows["mirrored.png"]["keeper"], rows["mirrored.png"]["why"]) == ("reads.jpg", "text")


def test_the_side_of_more_copies_outvotes_text(tmp_path, command):
    picture = lettered("vn_scene_01.jpg")
    save(tmp_path / "pile" / "reads.png", picture)
    save(tmp_path / "pile" / "mirrored.png", picture[:, ::-1])
    save(tmp_path / "pile" / "third.jpg", picture[:, ::-1], 60)
    rows = deduped(command, tmp_path / "work", tmp_path / "pile")
    assert (rows["reads.png"]["relation"], rows["reads.png"]["why"]) == ("flip", "side")
    assert not rows["reads.png"]["keep"]


def test_of_two_archives_of_mirrored_copies_the_preferred_one_stays_whole(tmp_path, command):
    for archive, step in (("a.zip", 1), ("b.zip", -1)):
        with zipfile.ZipFile(tmp_path / archive, "w") as packed:
            for n in range(8):
                path = save(tmp_path / "made" / f"{archive}-{n}.png", drawing(n)[:, ::step])
                packed.write(path, path.name)
    archives = tmp_path / "a.zip", tmp_path / "b.zip"
    alone = deduped(command, tmp_path / "alone", *archives)
    assert {row["why"] for row in alone.values() if not row["keep"]} == {"key"}
    assert sum(row["keep"] for row in alone.values()) == 8
    rows = deduped(command, tmp_path / "work", *archives, words=prefer("b.zip/*"))
    assert {name[0] for name, row in rows.items() if row["keep"]} == {"b"}


def test_ten_thousand_equal_frames_keep_one_and_take_no_look(tmp_path, command, calls):
    picture = drawing(4, 64, 64)
    for n in range(60):  # as files; by rows made by hand in test_keepers
        padded(tmp_path / "pile" / f"{n}.png", picture, n)
    command("ingest", tmp_path / "work", tmp_path / "pile")
    calls.clear()
    command("dedup", tmp_path / "work")
    rows = decided(command, tmp_path / "work")
    assert sum(row["keep"] for row in rows.values()) == 1
    assert {(row["relation"], row["why"]) for row in rows.values() if not row["keep"]} == {("exact", "key")}
    assert "decode" not in calls


# --- any order ----------------------------------------------------------------------------------------------


def test_neither_the_order_of_ingest_nor_names_nor_times_change_who_is_kept(tmp_path, command):
    made = tmp_path / "made"
    for n, name in enumerate(("comic_02.jpg", "vn_scene_01.jpg")):
        picture = art(name)
        save(made / f"{n}a.png", picture)
        save(made / f"{n}b.png", picture[:, ::-1])
        save(made / f"{n}c.jpg", picture, 60)
        save(made / f"{n}d.jpg", picture[30:-20, 20:-30], 90)
    answers = []
    asked = "SELECT key, cluster, keeper, relation, distance, why, keep FROM images ORDER BY key"
    for turn, order in enumerate([*permutations(sorted(made.iterdir()))][::8000]):
        folders = [tmp_path / str(turn) / str(n % 3) for n in range(len(order))]
        for n, (folder, path) in enumerate(zip(folders, order, strict=True)):
            folder.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, folder / f"{n}{path.suffix}")
            os.utime(folder / f"{n}{path.suffix}", (1e9 + turn * n, 1e9 + turn * n))
        for n in range(3):
            command("ingest", tmp_path / f"work{turn}", tmp_path / str(turn) / str((n + turn) % 3))
            command("dedup", tmp_path / f"work{turn}")
        answers.append(command("query", tmp_path / f"work{turn}", asked, "--format", "json"))
    assert len(answers) > 4
    assert set(answers) == {answers[0]}
    assert 0 < sum(not row["keep"] for row in json.loads(answers[0])) < 8


# --- evidence, as the relations have it ---------------------------------------------------------------------


def relations(work):
    return tables.files(open_workspace(work).folder("relations"))


def rewritten(path, change, version):
    """Write a part of relations anew, with its rows changed and another version."""
    rows = [change(row) for row in pq.read_table(path).to_pylist()]
    schema = pq.read_schema(path).remove_metadata()
    if rows and "better" not in rows[0]:
        schema = schema.remove(schema.get_field_index("better"))
        schema = schema.remove(schema.get_field_index("because"))
    tables.write(path, tables.table(rows, schema), {"version": version})


@pytest.mark.parametrize("better", ["a", "b"])
def test_what_the_relations_tell_decides(tmp_path, command, better):
    save(tmp_path / "pile" / "one.png", art("comic_02.jpg"))
    save(tmp_path / "pile" / "two.jpg", art("comic_02.jpg"), 70)
    work = tmp_path / "work"
    deduped(command, work, tmp_path / "pile", words=prefer("one.png"))
    for path in relations(work):
        rewritten(path, lambda row: row | {"better": better, "because": "noise"}, relation_version())
    command("dedup", work)
    (a, b) = sorted(decided(command, work).values(), key=lambda row: row["keep"])
    assert (a["keeper"], a["why"]) == (b["file"], "noise")
    keys = json.loads(command("query", work, "SELECT file, key FROM images ORDER BY key", "--format", "json"))
    assert keys["ab".index(better)]["file"] == b["file"]


def test_what_an_earlier_version_has_decided_is_read_and_looked_at_again(mirrored, command):
    work = mirrored / "work"
    before = deduped(command, work, mirrored / "pile")
    for path in relations(work):
        rewritten(path, lambda row: {name: row[name] for name in ("a", "b", "mirrored", "relation")}, [1, 1])
    path = open_workspace(work).folder("decisions") / "dedup.parquet"
    made = tables.made_from(path)
    tables.write(path, pq.read_table(path).drop(["why"]), {name: made[name] for name in OLDER})
    assert {row["why"] for row in decided(command, work).values()} == {None}
    dropped = next(name for name, row in before.items() if not row["keep"])
    assert command("clean", work, "--explain", dropped).count("dropped: a mirror image of") == 1
    command("clean", work, "--set", "clean.min_side=100")  # dedup decides again, without a look
    assert decided(command, work) == before
    command("dedup", work)
    assert decided(command, work) == before
    assert all("better" in pq.read_schema(path).names for path in relations(work))


@pytest.mark.parametrize("spoil", ["gone", "damaged"])
def test_a_picture_that_cannot_be_looked_at_again_stays_and_the_next_run_decides(tmp_path, command, spoil):
    for name, quality in (("one.jpg", 95), ("two.jpg", 80), ("three.jpg", 60)):
        save(tmp_path / "pile" / name, art("comic_02.jpg"), quality)
    work = tmp_path / "work"
    command("ingest", work, tmp_path / "pile")
    path = tmp_path / "pile" / "two.jpg"
    whole, status = path.read_bytes(), path.stat()
    if spoil == "gone":
        path.unlink()
    else:
        path.write_bytes(whole[:1000])
    command("dedup", work)
    rows = decided(command, work)
    assert rows["two.jpg"]["keep"]
    assert sum(row["keep"] for row in rows.values()) == 2
    path.write_bytes(whole)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    command("dedup", work)
    assert sum(row["keep"] for row in decided(command, work).values()) == 1


# --- what is said -------------------------------------------------------------------------------------------


def test_explain_names_relation_keeper_and_why_of_a_copy(mirrored, command):
    work = mirrored / "work"
    deduped(command, work, mirrored / "pile", words=prefer("two.png"))
    text = command("clean", work, "--explain", "one.png")
    assert "dropped: a mirror image of two.png (" in text
    assert "dedup.prefer names its keeper first" in text
    assert "kept" not in text
    answer = command("clean", work, "--explain", "one.png", "--json")
    (fate,) = answer["dedup"].values()
    assert (fate["fate"], fate["relation"], fate["file"], fate["why"]) == (
        "dropped",
        "flip",
        "two.png",
        "prefer",
    )
    assert "dedup" not in command("clean", work, "--explain", "two.png", "--json")


def test_explain_says_what_a_recolored_drawing_stands_behind(tmp_path, command):
    save(tmp_path / "pile" / "one.png", art("comic_02.jpg"))
    save(tmp_path / "pile" / "two.png", art("comic_02.jpg")[..., ::-1])
    rows = deduped(command, tmp_path / "work", tmp_path / "pile", words=prefer("one.png"))
    assert (rows["two.png"]["relation"], rows["two.png"]["why"]) == ("recolor", "prefer")
    text = command("clean", tmp_path / "work", "--explain", "two.png")
    assert "kept beside its keeper: in other colors the same drawing as one.png (" in text


def test_the_page_and_the_contact_sheet_say_why(mirrored, command, monkeypatch):
    work = mirrored / "work"
    deduped(command, work, mirrored / "pile", words=prefer("two.png"))
    command("report", work)
    assert "dedup.prefer names its keeper first" in (work / "report.html").read_text()
    cells = []
    monkeypatch.setattr("anidata.reports.contact_sheet.Cell", lambda *_, **words: cells.append(words))
    with Catalog(open_workspace(work)) as views:
        contact_sheet.sections(open_workspace(work), views)
    assert {cell["detail"] for cell in cells} == {"", "0 bits, prefer"}


def test_a_manifest_says_nothing_of_prefer_where_there_is_none(mirrored):
    assert "prefer" not in pipeline.portable(pipeline.Recipe())["dedup"]
    assert storage.FILE not in json.dumps(pipeline.portable(pipeline.Recipe()))
