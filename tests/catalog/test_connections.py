"""A command's catalogs use one connection to DuckDB, one after the other; it is closed with the command."""

import duckdb
import pyarrow as pa
import pytest

from anidata.catalog import catalog as catalog_
from anidata.catalog import connections, tables
from anidata.catalog.catalog import Catalog, single_tables
from anidata.catalog.schemas import SPLITS
from anidata.workspace import create


@pytest.fixture
def opened(monkeypatch):
    """The connections that are made."""
    made, connect = [], connections.connect

    def counting(*words, **named):
        made.append(connect(*words, **named))
        return made[-1]

    monkeypatch.setattr(connections, "connect", counting)
    return made


def is_open(connection):
    try:
        connection.database.execute("SELECT 1")
    except duckdb.ConnectionException:
        return False
    return True


def test_a_whole_run_makes_one_and_closes_it(pile, command, inline, opened, tmp_path):
    command("run", "quickstart", tmp_path / "work", pile)
    assert len(opened) == 1
    assert not is_open(opened[0])


def test_a_catalog_alone_closes_its_own(tmp_path, opened):
    workspace = create(tmp_path / "work")
    for _ in range(2):
        Catalog(workspace).close()
    assert len(opened) == 2
    assert not any(map(is_open, opened))


def test_within_a_pool_the_next_takes_it_and_another_workspace_closes_it(tmp_path, opened):
    one, other = create(tmp_path / "one"), create(tmp_path / "other")
    with connections.reused():
        for _ in range(3):
            Catalog(one).close()
        assert len(opened) == 1
        Catalog(other).close()
        assert len(opened) == 2
        assert [is_open(c) for c in opened] == [False, True]
    assert not any(map(is_open, opened))


def test_a_pool_within_a_pool_is_the_same(tmp_path, opened):
    workspace = create(tmp_path / "work")
    with connections.reused():
        with connections.reused():
            Catalog(workspace).close()
        Catalog(workspace).close()
        assert len(opened) == 1
        assert is_open(opened[0])
    assert not is_open(opened[0])


def test_what_an_error_struck_is_not_used_again(tmp_path, opened):
    workspace = create(tmp_path / "work")
    with connections.reused():
        with pytest.raises(ZeroDivisionError), Catalog(workspace):
            raise ZeroDivisionError
        Catalog(workspace).close()
        assert len(opened) == 2
        assert not is_open(opened[0])


def test_what_one_catalog_was_asked_with_is_out_of_the_next_ones_reach(tmp_path, opened):
    workspace = create(tmp_path / "work")
    with connections.reused():
        with Catalog(workspace) as catalog:
            assert catalog.select("FROM passing", passing=pa.table({"n": [7]})).column("n").to_pylist() == [7]
        with Catalog(workspace) as catalog, pytest.raises(duckdb.CatalogException, match="passing"):
            catalog.select("FROM passing")
        assert len(opened) == 1


def test_a_table_that_has_changed_is_read_again(tmp_path, opened):
    workspace = create(tmp_path / "work")
    path = workspace.folder("decisions") / "splits.parquet"
    with connections.reused():
        for part in ("train", "test"):
            tables.write(path, tables.table([{"key": "k", "split": part}], SPLITS))
            with Catalog(workspace) as catalog:
                assert catalog.select("SELECT split FROM _splits").column("split").to_pylist() == [part]
        assert len(opened) == 1


def test_what_has_not_changed_is_read_and_given_to_the_database_once(tmp_path, opened, monkeypatch):
    workspace = create(tmp_path / "work")
    for name, schema in single_tables().items():
        tables.write(workspace.folder("decisions") / f"{name}.parquet", schema.empty_table())
    read = []
    monkeypatch.setattr(
        catalog_, "read", lambda path, schema: (read.append(path), tables.read(path, schema))[1]
    )
    with connections.reused():
        for _ in range(3):
            Catalog(workspace).close()
    assert len(read) == len(set(read)) == len(single_tables())
