"""The views say the same of large tables as of small ones.

DuckDB reads the large ones from their files; the small ones are held in memory.
"""

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_funnel import FATES, fill

from anidata.catalog import gathered, tables
from anidata.catalog.catalog import Catalog
from anidata.catalog.schemas import VIEWS
from anidata.catalog.sealed import Sealed
from anidata.errors import QueryError, StorageError
from anidata.workspace import Workspace, open_workspace
from drawings import drawing, save
from finished import Restored, run_inline

INSIDE = ("_sightings", "_pictures", "_seen", "_kept_before_extract_lineart", "_links")
GATHERED = ("records", "images", "edges", "relations", "pairs")


@pytest.fixture
def large(monkeypatch) -> None:
    """No table is small."""
    monkeypatch.setattr(gathered, "HELD", -1)


def contents(views: Catalog) -> dict[str, pa.Table]:
    return {name: views.select(f"SELECT * FROM {name} ORDER BY ALL") for name in (*VIEWS, *INSIDE)}


def cut(part: Path) -> None:
    """Make a part of each row of a part."""
    whole = pq.read_table(part)
    part.unlink()
    for n in range(len(whole)):
        pq.write_table(
            whole.slice(n, 1).replace_schema_metadata(None), part.with_stem(f"{part.stem}-{n:02d}")
        )


def manifest(work: Path) -> dict:
    return json.loads((work / "dataset/manifest.json").read_bytes())


@pytest.fixture(scope="module")
def finished(tmp_path_factory) -> Restored:
    """A pile and what a run made of it."""
    home = tmp_path_factory.mktemp("finished") / "home"
    run_inline("run", "quickstart", home / "work", fill(home / "pile"))
    return Restored(home)


@pytest.fixture
def done(finished, inline) -> Workspace:
    """The finished workspace, its pile beside it, as no test has touched them."""
    return open_workspace(finished.restore() / "work")


@pytest.mark.parametrize("kind", [Catalog, Sealed])
def test_large_tables_answer_as_small_ones_do(done, kind, monkeypatch):
    with Catalog(done) as views:
        small = contents(views)
    monkeypatch.setattr(gathered, "HELD", -1)
    with kind(done) as views:
        assert contents(views) == small
    # Nothing was asked for by URL.
    assert {name for name, table in small.items() if not len(table)} == {"fetches"}


@pytest.mark.usefixtures("large", "inline")
def test_a_run_over_large_tables_gives_the_same_data_set(tmp_path, command, done):
    odd = tmp_path / "odd [a]*b?c=1 'x' \"y\""
    first = command("run", "quickstart", odd, done.path.parent / "pile", "--json")
    assert {name: first["funnel"][name] for name in FATES} == FATES
    assert manifest(odd) == manifest(done.path)
    again = command("run", "quickstart", odd, done.path.parent / "pile", "--json")
    assert again["funnel"] == first["funnel"]


@pytest.mark.usefixtures("inline")
def test_a_run_in_slices_of_one_gives_the_same_pairs_and_data_set(tmp_path, command, done, monkeypatch):
    monkeypatch.setattr(tables, "SLICE", 1)
    command("run", "quickstart", tmp_path / "sliced", done.path.parent / "pile")
    sliced = open_workspace(tmp_path / "sliced")
    assert manifest(sliced.path) == manifest(done.path)
    with Catalog(done) as views, Catalog(sliced) as others:
        assert views.select("SELECT * FROM _pairs") == others.select("SELECT * FROM _pairs")


@given(st.integers(0, 300), st.integers(1, 40))
def test_slices_are_all_of_a_table_in_its_order(count, least):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tables, "SLICE", least)
        rows = pa.table({"key": [str(n) for n in range(count)]})
        pieces = list(tables.slices(rows))
    keys = [key for piece in pieces for key in piece.column("key").to_pylist()]
    assert keys == rows.column("key").to_pylist()
    assert len(pieces) <= tables.SLICES
    assert all(len(piece) >= least for piece in pieces[:-1])


@pytest.mark.usefixtures("large")
@pytest.mark.parametrize("kind", [Catalog, Sealed])
@pytest.mark.parametrize("group", [1, 4, 100])
def test_gathered_tables_answer_as_their_parts_do(done, kind, group, monkeypatch):
    monkeypatch.setattr(gathered, "GROUP", group)
    for name in GATHERED:
        for part in tables.files(done.folder(name)):
            cut(part)
    with kind(done) as views:
        apart = contents(views)
    for name in GATHERED:
        gathered.gather(done, name)
    with kind(done) as views:
        assert contents(views) == apart
    assert {path.stem for path in tables.files(done.folder("gathered"))} == set(GATHERED)
    assert max(tables.group_sizes(done.folder("gathered") / "images.parquet")) <= group


@pytest.mark.usefixtures("large")
def test_what_was_gathered_counts_no_longer_once_a_part_has_changed(done):
    gathered.gather(done, "records")
    before = done.folder("gathered").joinpath("records.parquet").read_bytes()
    part = tables.files(done.folder("records"))[0]
    pq.write_table(pq.read_table(part).slice(1), part)
    with Catalog(done) as views:
        assert views.select("SELECT count(*) AS n FROM records").column("n")[0].as_py() == FATES["found"] - 1
    gathered.gather(done, "records")
    assert done.folder("gathered").joinpath("records.parquet").read_bytes() != before


@pytest.mark.usefixtures("large")
@pytest.mark.parametrize("content", [b"", b"PAR1 and no more", None])
def test_a_damaged_copy_is_none_and_is_written_anew(done, content):
    with Catalog(done) as views:
        before = contents(views)
    gathered.gather(done, "images")
    path = done.folder("gathered") / "images.parquet"
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2] if content is None else content)
    with Catalog(done) as views:
        assert contents(views) == before
    gathered.gather(done, "images")
    assert path.read_bytes() == whole


@pytest.mark.usefixtures("large")
def test_a_part_that_is_damaged_is_told_of_when_it_is_to_be_gathered(done):
    tables.files(done.folder("images"))[0].write_bytes(b"nothing of Parquet")
    with pytest.raises(StorageError, match=r"images/part-.* is damaged"):
        gathered.gather(done, "images")


@pytest.mark.usefixtures("large")
def test_what_is_gathered_is_written_once(done):
    gathered.gather(done, "images")
    written = tables.state_of(done.folder("gathered"))
    gathered.gather(done, "images")
    assert tables.state_of(done.folder("gathered")) == written


def test_small_tables_are_not_gathered(done):
    for name in GATHERED:
        gathered.gather(done, name)
    assert not tables.files(done.folder("gathered"))


@pytest.mark.parametrize("held", [-1, gathered.HELD])
def test_a_picture_whose_file_has_other_bytes_now_is_seen_no_more(command, done, held, monkeypatch):
    with Catalog(done) as views:
        key = views.select("SELECT key FROM records WHERE file = 'kept 2.png'").column("key")[0].as_py()
    pile = done.path.parent / "pile"
    save(pile / "kept 2.png", drawing(7))
    monkeypatch.setattr(gathered, "HELD", held)
    command("ingest", done.path, pile, "--refresh")
    with Catalog(done) as views:
        seen, pictures, images = (
            set(views.keys(f"SELECT key FROM {view}")) for view in ("_seen", "_pictures", "images")
        )
    assert seen == pictures == images
    assert key not in seen


@pytest.mark.usefixtures("large")
@pytest.mark.parametrize("kind", [Catalog, Sealed])
def test_what_an_older_part_lacks_is_null(done, kind):
    part = tables.files(done.folder("images"))[0]
    pq.write_table(pq.read_table(part).drop_columns(["flatness"]), part)
    with kind(done) as views:
        assert views.select("SELECT flatness FROM images").column("flatness").null_count > 0
    for path in tables.files(done.folder("images")):
        pq.write_table(pq.read_table(path).select(["key", "error"]), path)
    with kind(done) as views:
        flatness = views.select("SELECT flatness FROM images").column("flatness")
        images = views.select("SELECT count(*) AS n FROM images").column("n")[0].as_py()
        assert flatness.to_pylist() == [None] * images


@pytest.mark.usefixtures("large")
def test_the_files_of_large_tables_are_out_of_a_users_reach(done):
    part = tables.files(done.folder("images"))[0]
    with Sealed(done) as views:
        assert len(views.ask("SELECT key FROM images"))
        for source in (
            f"read_parquet('{part}')",
            f"'{part}'",
            f"read_blob('{part}')",
            "read_text('/etc/passwd')",
        ):
            with pytest.raises(QueryError):
                views.ask(f"SELECT * FROM {source}")
        with pytest.raises(QueryError):
            views.failing("key IN (SELECT content FROM read_text('/etc/passwd'))")
