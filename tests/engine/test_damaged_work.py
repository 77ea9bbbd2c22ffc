"""Damaged files in a workspace or data set: what can be made again is, and of the rest the user is told."""

import json
import os
import random
import shutil
import subprocess
import sys
import zipfile
from collections import defaultdict

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import damage_lab as lab
from anidata.catalog import arrays, connections, damage, soundness, tables
from anidata.errors import DamagedError, RecipeError
from anidata.sources import Options
from anidata.sources.archives import archive
from anidata.sources.listing import blobs
from anidata.tar import writer
from anidata.workspace import open_workspace
from drawings import drawing, save
from finished import Restored
from web_lab import Web, picture

NOT_MADE_AGAIN = ("plan/*.parquet", "decisions/splits.parquet", "workspace.json")


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    """A workspace, and all that it is when it is done."""
    with Web("127.0.0.1") as web:
        place = lab.make_work(tmp_path_factory.mktemp("damaged"), web)
        yield place, Restored(place.work)


@pytest.fixture
def place(done):
    done[1].restore()
    return done[0]


def manifest(place):
    return (place.work / "dataset/manifest.json").read_bytes()


def test_what_is_taken_in_from_every_kind_of_source_is_sound(place):
    soundness.check(open_workspace(place.work))


def by_kind(work):
    """One file of each kind that is read back."""
    kinds = defaultdict(list)
    for path in lab.files(work):
        kinds[lab.kind(path, work)].append(path.relative_to(work))
    return {kind: files[-1] for kind, files in kinds.items()}


def check(place, name, how, before):
    """Look at a damaged workspace, then run the same command.

    The same data set, or a typed error that names the file.
    """
    for words in lab.commands(place, name):
        lab.outcome(*words)  # raises what is no typed error
    word, error = lab.outcome(*place.words)
    if lab.kind(place.work / name, place.work) in NOT_MADE_AGAIN and word == "error":
        assert name.name in str(error), (name, how)
        assert "\n" not in str(error)
        assert error.exit_code in (3, 5)
    else:
        assert word == "ok", (name, how, error)
        assert manifest(place) == before, (name, how)


@pytest.mark.slow
@pytest.mark.parametrize("how", lab.DAMAGES)
def test_after_any_damage_a_run_gives_the_same_data_set_or_a_typed_error(done, how, monkeypatch):
    monkeypatch.setattr("anidata.reports.contact_sheet.write", lambda *words: words[-1].touch())
    place, kept = done
    kept.restore()
    before, names = manifest(place), [path.relative_to(place.work) for path in lab.files(place.work)]
    with connections.reused():  # their views take as long to make as all that is asked of them
        for name in names:
            kept.restore()
            if lab.damage(place.work / name, how):
                check(place, name, how, before)


SOME = [
    ("images/*.parquet", "cut"),
    ("records/*.parquet", "swapped"),
    ("fetched/*.parquet", "empty"),
    ("edges/*.keys.npy", "swapped"),
    ("pairs/*.tar", "swapped"),
    ("decisions/lineart.parquet", "cut"),
    ("plan/*.parquet", "cut"),
    ("shards/*/*.json", "swapped"),
    ("dataset/manifest.json", "swapped"),
]


@pytest.mark.parametrize(("kind", "how"), SOME)
def test_a_damaged_file_is_made_again_or_told_of(place, kind, how):
    name, before = by_kind(place.work)[kind], manifest(place)
    assert lab.damage(place.work / name, how)
    check(place, name, how, before)


@pytest.mark.parametrize("kind", ["images/*.parquet", "decisions/lineart.parquet", "edges/*.parquet"])
def test_a_command_that_only_looks_deletes_nothing_and_names_the_command_that_helps(place, kind):
    path = place.work / by_kind(place.work)[kind]
    path.write_bytes(b"PAR1 and no more")
    word, error = lab.outcome("query", place.work, "SELECT count(*) FROM images")
    assert (word, type(error)) == ("error", DamagedError)
    assert str(error).startswith(f"{path} is damaged (")
    command = {"images": "ingest", "decisions": "extract-lineart", "edges": "dedup"}[path.parent.name]
    assert str(error).endswith(f"made again by: anidata {command} {place.work}")
    assert path.read_bytes() == b"PAR1 and no more"


def test_a_stage_run_alone_has_the_one_before_it_make_again_what_is_damaged(place):
    before = (place.work / "decisions/clean.parquet").read_bytes()
    part = min((place.work / "images").glob("*.parquet"))
    size = part.stat().st_size
    part.write_bytes(b"PAR1" + b"\0" * (size - 4))  # ingest wouldn't notice: it is as large as it was
    (place.work / "decisions/clean.parquet").unlink()
    assert lab.outcome("clean", place.work)[0] == "ok"
    assert len(tables.files(place.work / "images")) == len(tables.files(place.work / "records"))
    word, answer = lab.outcome("query", place.work, "SELECT count(*) AS n FROM images", "--format", "json")
    assert (word, json.loads(answer)[0]["n"] > 10) == ("ok", True)
    assert before


def test_a_damaged_page_within_a_large_table_is_named(place, monkeypatch):
    monkeypatch.setattr("anidata.catalog.gathered.HELD", 0)  # DuckDB reads the files
    part = min((place.work / "images").glob("*.parquet"))
    data = bytearray(part.read_bytes())
    chance = random.Random(0)
    for n in range(4, len(data) // 2):
        data[n] = chance.randrange(256)
    stamp = part.stat()
    part.write_bytes(bytes(data))
    os.utime(part, ns=(stamp.st_atime_ns, stamp.st_mtime_ns))
    word, error = lab.outcome("query", place.work, "SELECT * FROM images")
    assert (word, type(error), error.path) == ("error", DamagedError, str(part))


def test_splits_drawn_once_are_never_drawn_anew_by_themselves(place):
    path = place.work / "decisions/splits.parquet"
    path.write_bytes(path.read_bytes()[:40])
    for words in (place.words, ("shard", place.work)):
        word, error = lab.outcome(*words)
        assert (word, path.stat().st_size) == ("error", 40)
        assert "It holds the split of each picture: put it back from a copy, or delete it" in str(error)


def test_the_number_of_shards_is_known_by_their_names_too(place):
    counts = place.work / "plan/shards.json"
    before, kept = manifest(place), counts.read_bytes()
    counts.write_text("[]")
    (place.work / "dataset/manifest.json").write_text("{}")
    words = [*place.words, "--set", "shard.shard_samples=1"]  # chosen anew, there would be more
    assert lab.outcome(*words)[0] == "ok"
    assert counts.read_bytes() == kept
    assert json.loads(manifest(place))["files"].keys() == json.loads(before)["files"].keys()


def test_where_nobody_knows_any_more_where_the_data_set_lies_its_folder_is_asked_for(place, tmp_path):
    assert lab.outcome("shard", place.work, tmp_path / "elsewhere")[0] == "ok"
    states = sorted((place.work / "shards").glob("*/state.json"), key=lambda p: p.stat().st_mtime_ns)
    states[-1].write_text("[]")
    word, error = lab.outcome("status", place.work)
    assert (word, type(error)) == ("error", DamagedError)
    assert str(error).endswith(f"anidata shard {place.work} DATASET")
    assert lab.outcome("shard", place.work, tmp_path / "elsewhere")[0] == "ok"
    assert lab.outcome("status", place.work)[0] == "ok"


@pytest.mark.parametrize("text", ["sources = [", "", "sources = []", "\xff"])
def test_a_damaged_recipe_is_no_recipe_of_defaults(place, text):
    file = place.work / "recipe.toml"
    file.write_bytes(text.encode("latin-1"))
    for words in (("status", place.work), ("clean", place.work)):
        word, error = lab.outcome(*words)
        assert (word, type(error)) == ("error", RecipeError)
        assert str(error).endswith(f"anidata run RECIPE {place.work} SOURCE")
    assert lab.outcome(*place.words)[0] == "ok"
    assert lab.outcome("status", place.work)[0] == "ok"


@pytest.mark.parametrize("gone", [["0.png"], ["0.png", "1.png", "2.png"]])
@pytest.mark.parametrize("table", ["records", "images"])
def test_copies_that_are_all_there_is_by_now_outlive_a_damaged_table(tmp_path, gone, table):
    for n in range(3):
        save(tmp_path / f"pile/{n}.png", drawing(n, 64, 64))
    options = [*lab.OPTIONS, "--set", "ingest.copy=true"]
    place = lab.Place(
        tmp_path / "work", ("run", "quickstart", tmp_path / "work", tmp_path / "pile", *options)
    )
    assert lab.outcome(*place.words)[0] == "ok"
    before, (blob,) = manifest(place), list((place.work / "blobs").iterdir())
    copies = blob.read_bytes()
    for name in gone:
        (tmp_path / "pile" / name).unlink()
    (place.work / f"{table}/part-00000-00000.parquet").write_bytes(b"PAR1")
    assert lab.outcome(*place.words)[0] == "ok"
    assert blob.read_bytes() == copies
    assert manifest(place) == before


def test_copies_of_a_table_in_anothers_place_are_noticed_and_made_again(tmp_path):
    for n in range(2):
        table = pa.table({"image": [picture(10 * n + k, 64) for k in range(3)]})
        pq.write_table(table, tmp_path / f"{n}.parquet")
    sources = [f"parquet:{tmp_path}/{n}.parquet" for n in range(2)]
    words = ("run", "quickstart", tmp_path / "work", *sources, *lab.OPTIONS)
    assert lab.outcome(*words)[0] == "ok"
    keys = lab.outcome("query", tmp_path / "work", "SELECT uri, key FROM records ORDER BY 1, 2")
    first, second = sorted((tmp_path / "work/blobs").glob("parquet-*.tar"))
    before = first.read_bytes()
    first.write_bytes(second.read_bytes())
    word, said = lab.outcome(*words, "--refresh")
    assert word == "ok", said
    assert first.read_bytes() == before
    assert lab.outcome("query", tmp_path / "work", "SELECT uri, key FROM records ORDER BY 1, 2") == keys


@pytest.mark.parametrize("how", lab.DAMAGES)
@pytest.mark.parametrize("ending", ["jsonl", "tar"])
def test_what_an_archive_held_is_unpacked_anew_where_it_is_damaged_or_anothers(tmp_path, ending, how):
    for n in range(2):
        with zipfile.ZipFile(tmp_path / f"{n}.zip", "w", zipfile.ZIP_DEFLATED) as packed:
            for k in range(3):
                packed.writestr(f"{k}.png", picture(10 * n + k, 64))
    words = ("run", "quickstart", tmp_path / "work", *sorted(tmp_path.glob("*.zip")), *lab.OPTIONS)
    assert lab.outcome(*words)[0] == "ok"
    keys = lab.outcome("query", tmp_path / "work", "SELECT uri, key FROM records ORDER BY 1, 2")
    before = {path: path.read_bytes() for path in (tmp_path / "work/blobs").iterdir()}
    assert len(before) == 4
    assert lab.damage(min((tmp_path / "work/blobs").glob(f"*.{ending}")), how)
    word, said = lab.outcome(*words, "--refresh")
    assert word == "ok", said
    assert {path: path.read_bytes() for path in (tmp_path / "work/blobs").iterdir()} == before
    assert lab.outcome("query", tmp_path / "work", "SELECT uri, key FROM records ORDER BY 1, 2") == keys


@pytest.mark.parametrize("astray", ["file:///etc/hostname", "blobs/archive-of-another.tar", "../../x.png"])
def test_a_listing_that_refers_to_another_file_is_damaged(tmp_path, astray):
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as packed:
        packed.writestr("a.png", picture(1, 64))
    options = Options(base=tmp_path / "work")
    archive.members(tmp_path / "x.zip", options)
    (listing,) = (tmp_path / "work/blobs").glob("*.jsonl")
    head, row = map(json.loads, listing.read_text().splitlines())
    row[1][0] = astray
    listing.write_text(f"{json.dumps(head)}\n{json.dumps(row)}\n")
    with pytest.raises(DamagedError, match="it refers to"):
        archive.known_members(tmp_path / "x.zip", options)


def test_the_listing_of_an_older_version_notes_no_name(tmp_path):
    with zipfile.ZipFile(tmp_path / "x.zip", "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("a.png", picture(1, 64))
    first = archive.members(tmp_path / "x.zip", Options(base=tmp_path / "work"))
    (listing,) = (tmp_path / "work/blobs").glob("*.jsonl")
    lines = listing.read_text().splitlines(keepends=True)
    assert json.loads(lines[0]) == {"listing": listing.name, "rows": 1}
    listing.write_text(lines[0])
    with pytest.raises(DamagedError, match="0 of its 1 rows are there"):
        archive.known_members(tmp_path / "x.zip", Options(base=tmp_path / "work"))
    listing.write_text("".join(lines[1:]))
    assert archive.known_members(tmp_path / "x.zip", Options(base=tmp_path / "work")) == first


@pytest.mark.parametrize("kind", ["archive", "parquet", "video"])
def test_a_tar_of_copies_knows_its_name_and_one_of_an_older_version_has_none(tmp_path, kind):
    for name, noted in (("a", f"{kind}-a.tar"), ("b", f"{kind}-a.tar"), ("c", "")):
        with open(tmp_path / f"{kind}-{name}.tar", "wb") as file:
            tar = writer.TarWriter(file)
            tar.add("0", b"picture")
            if noted:
                blobs.note(tar, noted)
            tar.close()
    for name in ("a", "c"):
        assert [member.name for member in blobs.copies(tmp_path / f"{kind}-{name}.tar")] == ["0"]
        blobs.check_end(tmp_path / f"{kind}-{name}.tar")
    for look in (blobs.copies, blobs.check_end):
        with pytest.raises(DamagedError, match=f"it is '{kind}-a.tar'"):
            look(tmp_path / f"{kind}-b.tar")


# --- the readers ----------------------------------------------------------------------------------


@pytest.mark.parametrize("text", [b"", b"{", b"[1]", b'{"a": "1"}', b"\xff", b"[" * 100_000, b"null"])
def test_json_of_another_shape_is_damaged(tmp_path, text):
    (tmp_path / "a.json").write_bytes(text)
    with pytest.raises(DamagedError, match=r"a\.json is damaged"):
        damage.read_json(tmp_path / "a.json", dict[str, int])


def test_an_array_in_anothers_place_is_damaged_and_one_without_a_name_is_not(tmp_path):
    import numpy as np  # noqa: PLC0415

    keys = np.array([b"a" * 24, b"b" * 24])
    for name in ("a.npy", "b.npy"):
        arrays.write(tmp_path / name, keys)
    assert arrays.read(tmp_path / "a.npy", "S24").tolist() == keys.tolist()
    shutil.copy(tmp_path / "a.npy", tmp_path / "b.npy")
    with pytest.raises(DamagedError, match=r"it is '.*/a\.npy'"):
        arrays.read(tmp_path / "b.npy", "S24")
    np.save(tmp_path / "b.npy", keys)
    assert arrays.read(tmp_path / "b.npy", "S24").tolist() == keys.tolist()


# --- data sets that are held to the end -----------------------------------------------------------

HELD = """
import os, sys
from anidata import load_dataset
samples = load_dataset(sys.argv[1])
halfway = iter(samples)
next(halfway)
keys = iter(samples.keys)
next(keys)
{then}
print("done")
"""
ENDINGS = {
    "plainly": "",
    "by exit": "print('done'); sys.exit()",
    "its files closed": "os.closerange(3, 256)",
    "its modules gone": "from anidata.dataset import indexed_tar; indexed_tar.os = None",
    "in a cycle": "class Box: pass\nbox = Box(); box.box, box.samples = box, samples",
    "in another thread": "import threading\nthreading.Thread(target=lambda: [*samples], daemon=True).start()",
}


@pytest.mark.parametrize("then", ENDINGS.values(), ids=ENDINGS)
def test_a_script_that_ends_with_a_data_set_in_hand_says_nothing(place, then):
    script = HELD.format(then=then)
    words = [sys.executable, "-c", script, str(place.work / "dataset")]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "done\n", "")
