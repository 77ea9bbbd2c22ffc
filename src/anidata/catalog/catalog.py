"""The catalog: the only place that knows Parquet and column names; SQL over it through DuckDB.

A table is a folder of parts, or one file; a part carries what it was made from in its footer. The views are

    records   a row for each sighting, joined with all that is known of its picture
    images    a row for each distinct picture that is still seen somewhere
    pairs     a row for each stored file of a pair: the fitted color picture, or its lines in one style
    samples   a row for each sample of the finished data set
    fetches   a row for each time that a URL was asked for
"""

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import pyarrow as pa

from anidata import ownership, registry
from anidata.catalog import connections, decisions, exceptions, licenses, views
from anidata.catalog.gathered import files_of, is_small, schema_of
from anidata.catalog.schemas import CODES, PARTED, SAMPLES, SPLITS, measures
from anidata.catalog.tables import check, opened, read, state_of
from anidata.errors import StorageError
from anidata.workspace import TMP, Workspace

if TYPE_CHECKING:
    import duckdb  # what imports it at run time is the Catalog: workers read and write tables alone

BATCH = 2048  # rows of an answer that is streamed


@lru_cache(maxsize=16)  # more than there are tables: with fewer, each would push out the next to be asked for
def _held(paths: tuple[Path, ...], _state: str, schema: pa.Schema) -> pa.Table:
    """Small parts in memory, for as long as they stay as they are.

    A scan of files costs 6 ms each time a query mentions them.
    """
    return pa.concat_tables([schema.empty_table(), *(read(path, schema) for path in paths)])


@lru_cache(maxsize=1 << 16)
def _columns(path: Path, _state: int) -> tuple[str, ...]:
    return tuple(_footer(path).names)


def _single_tables() -> dict[str, pa.Schema]:
    """Table of one file in WORK/decisions → its columns."""
    return {d.name: d.schema for d in decisions.decisions()} | {"splits": SPLITS, "samples": SAMPLES}


class Catalog:
    """The views of a workspace over DuckDB, for SQL that anidata has written.

    DuckDB reads the files itself.
    """

    sealed = False  # whether files are out of reach

    def __init__(self, workspace: Workspace, *, decided: bool = True, spill: Path | None = None) -> None:
        """Register the tables, and make the views over them.

        decided: whether it will be asked what has been decided, as the views of users are; to find that
        out takes a look at all keys. spill: see connections.connect; where tables are read from files there
        is one in any case.
        """
        # What earlier tables took is kept until the pool is asked to let go of it.
        pa.default_memory_pool().release_unused()
        self._workspace, self._tables = workspace, list[str]()
        self._scanned = list[Path]()  # files that views read
        self._spill, self._scratch = spill, ExitStack()
        self._home = workspace.path, self.sealed
        idle = None if spill else connections.take(self._home)
        self._connection = idle or connections.connect(sealed=self.sealed, spill=spill)
        for name in PARTED:
            self._register(f"_{name}", files_of(workspace, name), schema_of(name))
        for name, schema in _single_tables().items():
            self._register(f"_{name}", [workspace.folder("decisions") / f"{name}.parquet"], schema)
        self._ranks()
        self._exceptions(decided=decided)
        if not idle:
            self._create_views()

    def _exceptions(self, *, decided: bool) -> None:
        """Register tables of the exceptions alone.

        Mostly they are few, and to merge rows and join reasons for all would take much more memory.
        """
        declared = decisions.decisions()
        complete = [f"_{d.name}" for d in declared if d.whole and d.name != "dedup"]
        made = [d for d in declared if d.path(self._workspace).exists()]
        # Others have rows for those alone that they reject.
        asked = decided and (not made or any(d.whole for d in made))
        files = [path for name in ("records", "images") for path in files_of(self._workspace, name)]
        state = f"{self._workspace.path}|{state_of(*files)}"
        listed = exceptions.tables(self.select, state, joined=decided, decided=asked, complete=complete)
        for name, rows in listed.items():
            self._add(name, rows)

    def _create_views(self) -> None:
        columns = [*measures(), *(name for name, _ in CODES)]
        statements = views.statements(columns, decisions.decisions())
        for stage in registry.STAGES:
            statements += views.before(stage, decisions.decisions(before=stage))
        if self.sealed:
            statements += ["SET enable_external_access = false", "SET lock_configuration = true"]
        for statement in statements:
            self._connection.execute(statement)

    def select(self, sql: str, **tables: pa.Table) -> pa.Table:
        """The answer to one SELECT, all of it; `tables` can be asked by their names too."""
        with self._told_of_damage():
            return self._asked(sql, tables).to_arrow_table()

    def stream(self, sql: str, size: int, **tables: pa.Table) -> Iterator[list[dict[str, Any]]]:
        """The answer in lists of at most `size` rows, never all at once in memory."""
        for batch in self.batches(sql, size, **tables):
            yield batch.to_pylist()

    def batches(self, sql: str, size: int, **tables: pa.Table) -> Iterator[pa.RecordBatch]:
        """The same as columns."""
        with self._told_of_damage():
            for batch in self._asked(sql, tables).to_arrow_reader(size):
                if batch.num_rows:
                    yield batch

    def grouped(self, sql: str, by: str, **tables: pa.Table) -> Iterator[tuple[Any, pa.Table]]:
        """The answer, sorted by the column `by`, as one table for each of its values.

        No more than one of them is in memory at a time.
        """
        held: list[pa.RecordBatch] = []
        value: Any = None
        for batch in self.batches(sql, BATCH, **tables):
            values, start = batch.column(by).to_pylist(), 0
            while start < len(values):
                if held and values[start] != value:
                    yield value, pa.Table.from_batches(held)
                    held = []
                value, end = values[start], bisect_right(values, values[start])
                held.append(batch.slice(start, end - start))
                start = end
        if held:
            yield value, pa.Table.from_batches(held)

    def keys(self, sql: str) -> list[str]:
        """The column `key` of an answer, sorted."""
        return sorted(self.select(sql).column("key").to_pylist())

    def close(self) -> None:
        """Let go of the tables.

        The connection may wait for the next catalog of the workspace (connections.reused). That of a large
        catalog doesn't: only when it is closed does DuckDB give its memory back.
        """
        if self._scanned or self._spill:
            self._end()
            return
        for name in dict.fromkeys(self._tables):
            self._connection.unregister(name)
        connections.give_back(self._home, self._connection)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind:
            self._end()  # whatever it was at
        else:
            self.close()

    def _end(self) -> None:
        self._connection.close()
        self._scratch.close()

    def _asked(self, sql: str, tables: dict[str, pa.Table]) -> "duckdb.DuckDBPyRelation":
        for name, content in tables.items():
            self._add(name, content)
        return self._connection.sql(sql)

    def _register(self, name: str, paths: list[Path], schema: pa.Schema) -> None:
        existing = tuple(path for path in paths if path.exists())
        if is_small(existing):
            self._add(name, _held(existing, state_of(*existing), schema))
        else:
            self._scan(name, existing, schema)
            self._scanned += existing

    @contextmanager
    def _told_of_damage(self) -> Iterator[None]:
        """Look at the files that views read, if a query fails within: DuckDB doesn't say which is damaged.

        Raises: DamagedError: one of them is. What the query raises.
        """
        import duckdb  # noqa: PLC0415

        try:
            yield
        except (duckdb.Error, OSError, pa.ArrowException):
            for path in self._scanned:
                check(path)
            raise

    def _scan(self, name: str, paths: Sequence[Path], schema: pa.Schema) -> None:
        """Make a view of files that are read in each query anew.

        DuckDB reads them itself, which takes less memory and time than by way of Arrow.
        """
        self._let_spill()
        alike: dict[tuple[str, ...], list[str]] = {}  # columns → files; an older part may lack some
        for path in paths:
            columns_of_file = _columns(path, path.stat().st_mtime_ns)
            alike.setdefault(columns_of_file, []).append(connections.quoted(str(path)))
        scans = [
            f"FROM read_parquet([{', '.join(files)}], hive_partitioning = false)" for files in alike.values()
        ]
        self._add(f"{name}_without_rows", schema.empty_table())
        columns = ", ".join(f'"{field.name}"' for field in schema)
        whole = " UNION ALL BY NAME ".join([f"FROM {name}_without_rows", *scans])
        with self._told_of_damage():
            self._connection.execute(f"CREATE TEMP VIEW {name} AS SELECT {columns} FROM ({whole})")

    def _let_spill(self) -> None:
        """Make a folder for what doesn't fit into memory, which only large tables ask for."""
        if self._spill:
            return
        with suppress(StorageError):  # read-only or full: memory has to do
            self._spill = self._scratch.enter_context(ownership.scratch(self._workspace.folder(TMP)))
            connections.let_spill(self._connection, self._spill)

    def _ranks(self) -> None:
        """Register tables of how strict each license and rating is that occurs."""
        for column, rank in (("license", licenses.license_rank), ("rating", licenses.rating_rank)):
            occurring = f"SELECT DISTINCT {column} AS word FROM _records WHERE {column} IS NOT NULL"
            words = self.select(occurring).column("word").to_pylist()
            ranks = pa.array([rank(word) for word in words], pa.int32())
            self._add(f"_{column}_rank", pa.table({"word": pa.array(words, pa.string()), "rank": ranks}))

    def _add(self, name: str, content: Any) -> None:
        self._connection.register(name, content)
        self._tables.append(name)


def _footer(path: Path) -> pa.Schema:
    with opened(path) as file:
        return file.schema_arrow
