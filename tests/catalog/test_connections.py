"""A command's catalogs use one connection to DuckDB, one after the other; it is closed with the command."""

import duckdb
import pytest

from anidata.catalog import connections
from anidata.catalog.catalog import Catalog
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
        connection.execute("SELECT 1")
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
