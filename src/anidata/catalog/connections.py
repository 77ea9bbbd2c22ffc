"""Connections to DuckDB: how they are opened, and the pool in which one waits.

It waits for the next catalog of the same command.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import duckdb  # what imports it at run time is the Catalog: workers read and write tables alone

Home = tuple[Path, bool]  # the workspace that a connection is for, and whether files are out of its reach


@dataclass
class Connection:
    """A database, and the tables that it has been given."""

    database: "duckdb.DuckDBPyConnection"
    tables: dict[str, Any] = field(default_factory=dict)  # name → content
    passing: set[str] = field(default_factory=set)  # names of those that go with the catalog

    def add(self, name: str, content: Any, *, passing: bool = False) -> None:
        """Make a table that SQL can name; the same content again costs nothing, else .5 ms."""
        (self.passing.add if passing else self.passing.discard)(name)
        if self.tables.get(name) is not content:
            self.database.register(name, content)
            self.tables[name] = content

    def wait(self) -> None:
        """Let go of the tables that the next catalog won't ask for."""
        for name in self.passing:
            self.database.unregister(name)
            del self.tables[name]
        self.passing.clear()

    def close(self) -> None:
        self.database.close()


@dataclass
class Pool:
    """At most one connection that nobody uses: its views take 40 ms to make."""

    waiting: dict[Home, Connection] = field(default_factory=dict)

    def take(self, home: Home) -> Connection | None:
        return self.waiting.pop(home, None)

    def keep(self, home: Home, connection: Connection) -> None:
        self.close()
        connection.wait()
        self.waiting[home] = connection

    def close(self) -> None:
        while self.waiting:
            self.waiting.popitem()[1].close()


_POOL: ContextVar[Pool | None] = ContextVar("pool", default=None)


@contextmanager
def reused() -> Iterator[None]:
    """Let the catalogs that are opened within, one after the other, use one connection.

    It is closed at the end.
    """
    if _POOL.get():
        yield
        return
    pool = Pool()
    token = _POOL.set(pool)
    try:
        yield
    finally:
        _POOL.reset(token)
        pool.close()


def take(home: Home) -> Connection | None:
    """A connection that waits, if there is one."""
    pool = _POOL.get()
    return pool.take(home) if pool else None


def give_back(home: Home, connection: Connection) -> None:
    """Close a connection, or let it wait where `reused` says so."""
    pool = _POOL.get()
    if pool:
        pool.keep(home, connection)
    else:
        connection.close()


def let_spill(connection: Connection, folder: Path) -> None:
    """Give a connection that spills nothing yet a private folder for what doesn't fit into memory."""
    connection.database.execute(f"SET temp_directory = {quoted(str(folder))}")


def quoted(text: str) -> str:
    """A string of SQL."""
    return "'" + text.replace("'", "''") + "'"


def connect(*, sealed: bool, spill: Path | None = None) -> Connection:
    """An empty database in memory.

    spill: a private folder for what doesn't fit there; None: then it can't be done. DuckDB lets SQL read all
    that lies in such a folder, out of whose reach files are otherwise.
    """
    import duckdb  # noqa: PLC0415

    settings = {
        "python_enable_replacements": "false",
        "autoinstall_known_extensions": "false",
        "temp_directory": str(spill or ""),
        # A block: what a query lets go of doesn't wait for the next one.
        "allocator_bulk_deallocation_flush_threshold": "256KB",
        # Joins are done as they are written: the right side, the smaller one, is held in memory;
        # DuckDB's guesses from a first part are far off.
        "disabled_optimizers": "join_order,build_side_probe_side",
    }
    if not sealed:
        settings["threads"] = "1"  # a thread takes 10 to 20 MB
    return Connection(duckdb.connect(":memory:", config=settings))
