"""The views say the same of large tables, which DuckDB reads from their files, as of small ones, which are held in memory."""

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from anidata import catalog
from anidata.catalog import VIEWS, Catalog, Sealed
from anidata.errors import QueryError
from anidata.workspace import Workspace, open_workspace
from test_funnel import FATES, fill

INSIDE = ("_sightings", "_pictures", "_kept", "_links")


@pytest.fixture
def large(monkeypatch) -> None:
    """No table is small."""
    monkeypatch.setattr(catalog, "HELD", -1)


def told(views: Catalog) -> dict[str, pa.Table]:
    return {name: views.select(f"SELECT * FROM {name} ORDER BY ALL") for name in (*VIEWS, *INSIDE)}


def manifest(work: Path) -> dict:
    return json.loads((work / "dataset/manifest.json").read_bytes())


@pytest.fixture
def done(tmp_path, command, inline) -> Workspace:
    command("run", "quickstart", tmp_path / "work", fill(tmp_path / "pile"))
    return open_workspace(tmp_path / "work")


@pytest.mark.parametrize("kind", [Catalog, Sealed])
def test_large_tables_answer_as_small_ones_do(done, kind, monkeypatch):
    with Catalog(done) as views:
        small = told(views)
    monkeypatch.setattr(catalog, "HELD", -1)
    with kind(done) as views:
        assert told(views) == small
    assert all(len(table) for table in small.values())


@pytest.mark.usefixtures("large", "inline")
def test_a_run_over_large_tables_gives_the_same_data_set(tmp_path, command, done):
    odd = tmp_path / "odd [a]*b?c=1 'x' \"y\""
    found = command("run", "quickstart", odd, tmp_path / "pile", "--json")
    assert {name: found["funnel"][name] for name in FATES} == FATES
    assert manifest(odd) == manifest(done.path)
    again = command("run", "quickstart", odd, tmp_path / "pile", "--json")
    assert again["funnel"] == found["funnel"]


@pytest.mark.usefixtures("large")
@pytest.mark.parametrize("kind", [Catalog, Sealed])
def test_what_an_older_part_lacks_is_null(done, kind):
    part = catalog.files(done.folder("images"))[0]
    pq.write_table(pq.read_table(part).drop_columns(["flatness"]), part)
    with kind(done) as views:
        assert views.select("SELECT flatness FROM images").column("flatness").null_count > 0
    for path in catalog.files(done.folder("images")):
        pq.write_table(pq.read_table(path).select(["key", "error"]), path)
    with kind(done) as views:
        assert (
            views.select("SELECT flatness FROM images").column("flatness").to_pylist()
            == [None] * views.select("SELECT count(*) AS n FROM images").column("n")[0].as_py()
        )


@pytest.mark.usefixtures("large")
def test_the_files_of_large_tables_are_out_of_a_users_reach(done):
    part = catalog.files(done.folder("images"))[0]
    with Sealed(done) as views:
        assert len(views.ask("SELECT key FROM images"))
        for source in (f"read_parquet('{part}')", f"'{part}'", f"read_blob('{part}')", "read_text('/etc/passwd')"):
            with pytest.raises(QueryError):
                views.ask(f"SELECT * FROM {source}")
        with pytest.raises(QueryError):
            views.failing("key IN (SELECT content FROM read_text('/etc/passwd'))")
