"""The catalog: the only place that knows Parquet and column names; SQL over it through DuckDB.

A table is a folder of parts, or one file; a part carries what it was made from in its footer. The views are

    records   a row for each sighting, joined with all that is known of its picture
    images    a row for each distinct picture that is still seen somewhere
    pairs     a row for each stored file of a pair: the fitted color picture, or its lines in one style
    samples   a row for each sample of the finished data set
    fetches   a row for each time that a URL was asked for
"""

import json
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from functools import cache, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Self

import pyarrow as pa
import pyarrow.parquet as pq

from anidata import _catalog_exceptions, _catalog_views, parts, recipe, rights, storage
from anidata.errors import QueryError, StorageError
from anidata.workspace import Workspace

if TYPE_CHECKING:
    import duckdb  # what imports it at run time is the Catalog: workers read and write tables alone

VIEWS = ("records", "images", "pairs", "samples", "fetches")
SETTLED = _catalog_views.SETTLED
RETRIED = ("timeout", "killed", "missing", "unreadable")  # never final: the next run tries again

REFERENCE = [("uri", pa.string()), ("offset", pa.int64()), ("size", pa.int64())]
SIGHTINGS = pa.schema(
    [
        ("record", pa.string()),
        ("generation", pa.int32()),
        ("kind", pa.string()),
        ("root", pa.string()),
        ("name", pa.string()),
        ("file", pa.string()),
    ]
    + [(f"at_{n}", t) for n, t in REFERENCE]
    + [(f"line_{n}", t) for n, t in REFERENCE]
    + [("error", pa.string()), ("message", pa.string()), ("stamp", pa.string()), ("url", pa.string()), ("license", pa.string())]
    + [("artist", pa.string()), ("rating", pa.string()), ("tags", pa.list_(pa.string())), ("caption", pa.string())]
    + [("extra", pa.string())]  # what else the source says, as JSON
    + [("line_error", pa.string())]  # why there is no lineart though the source names one
    + [("referer", pa.string()), ("line_referer", pa.string())]  # sent to the hosts of pictures that the source names with one
)
FETCHED = pa.schema(
    [("record", pa.string()), ("generation", pa.int32()), ("url", pa.string()), ("final_url", pa.string())]
    + [("asked", pa.timestamp("us", "UTC")), ("http", pa.int32()), ("error", pa.string()), ("message", pa.string())]
    + [(f"at_{n}", t) for n, t in REFERENCE]
    + [("redirects", pa.int32()), ("tries", pa.int32()), ("etag", pa.string()), ("modified", pa.string()), ("type", pa.string())]
    + [("robots_tag", pa.string()), ("tdm_reservation", pa.string()), ("tdm_policy", pa.string()), ("content_usage", pa.string())]
    + [("ignored", pa.string())]
)
RECORDS = pa.schema([*SIGHTINGS, pa.field("key", pa.string()), pa.field("line_key", pa.string())])
PICTURE = [("key", pa.string()), ("error", pa.string()), ("message", pa.string()), ("bytes", pa.int64()), ("format", pa.string())]
PICTURE += [("width", pa.int32()), ("height", pa.int32()), ("frames", pa.int32()), ("transparency", pa.float32())]
CODES = [("phash", pa.uint64()), ("phash_flip", pa.uint64()), ("colors", pa.binary()), ("pixels", pa.binary()), ("degenerate", pa.bool_())]
CODES += [("content", pa.float32())]  # share of the frame that lies within plain borders
WINDOWS = ("windows", pa.binary())  # windows.CODE, one behind the other; in no view, for it tells nobody anything
RELATIONS = pa.schema([("a", pa.string()), ("b", pa.string()), ("mirrored", pa.string()), ("relation", pa.string())])
EDGES = RELATIONS.append(pa.field("distance", pa.int32()))
CLEAN = pa.schema([("key", pa.string()), ("reasons", pa.list_(pa.string()))])
DEDUP = pa.schema(
    [("key", pa.string()), ("cluster", pa.string()), ("keeper", pa.string()), ("relation", pa.string()), ("distance", pa.int32())]
    + [("reasons", pa.list_(pa.string()))]
)
LINEART = pa.schema([("key", pa.string()), ("reasons", pa.list_(pa.string())), ("message", pa.string())])
PAIRS = pa.schema(
    [("key", pa.string()), ("style", pa.string()), ("fingerprint", pa.string()), ("suffix", pa.string()), ("tar", pa.string())]
    + [("offset", pa.int64()), ("size", pa.int64()), ("width", pa.int32()), ("height", pa.int32()), ("drawn", pa.string())]
    + [("ink", pa.float32()), ("stroke_width", pa.float32()), ("components", pa.int32()), ("specks", pa.int32())]
)
SPLITS = pa.schema([("key", pa.string()), ("split", pa.string()), ("since", pa.int32())])
SAMPLES = pa.schema([("key", pa.string()), ("split", pa.string()), ("shard", pa.string())])
SLICE, SLICES = 1 << 13, 16  # rows of a slice at least, and slices at most: each costs a look at the whole tables
BATCH = 2048  # rows of an answer that is streamed
HELD = 1 << 20  # bytes of a table's parts: up to these it is held in memory
GROUP = 1 << 14  # rows in a row group of a gathered table
COLOR = "color"  # what stands in pairs.style for the color picture itself


@cache
def measures() -> dict[str, pa.DataType]:
    """Column → type of every measure on the shelf."""
    return {name: parts.load("measures", name).TYPE for name in parts.names("measures")}


@cache
def images_schema() -> pa.Schema:
    return pa.schema([*PICTURE, *measures().items(), *CODES, WINDOWS])


def write(path: Path, table: pa.Table, made_from: dict[str, Any] | None = None) -> None:
    """Publish a table as one Parquet file, with what it was made from in its footer."""
    meta = {b"anidata": json.dumps(made_from or {}, sort_keys=True).encode()}
    with storage.publishing(path) as file:
        pq.write_table(table.replace_schema_metadata(meta), file, compression="zstd")


def write_batches(path: Path, batches: Iterator[pa.RecordBatch], schema: pa.Schema, made_from: dict[str, Any]) -> int:
    """Publish a table that is made a piece at a time, never all of it in memory; how many rows it has."""
    count, meta = 0, {b"anidata": json.dumps(made_from, sort_keys=True).encode()}
    with storage.publishing(path) as file, pq.ParquetWriter(file, schema.with_metadata(meta), compression="zstd") as writer:
        for batch in batches:
            writer.write_batch(batch)
            count += batch.num_rows
    return count


def made_from(path: Path) -> dict[str, Any]:
    """What a table was made from, as `write` was told; empty where there is no such file."""
    if not path.exists():
        return {}
    found: dict[str, Any] = json.loads((pq.read_metadata(path).metadata or {}).get(b"anidata", b"{}"))
    return found


def read(path: Path, schema: pa.Schema) -> pa.Table:
    """A table with exactly the columns of `schema`; what the file lacks is null."""
    if not path.exists():
        return schema.empty_table()
    with pq.ParquetFile(path) as file:
        found = file.read()
    columns = [found.column(f.name).cast(f.type) if f.name in found.column_names else pa.nulls(found.num_rows, f.type) for f in schema]
    return pa.table(columns, schema=schema)


def rows(path: Path, schema: pa.Schema) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = read(path, schema).to_pylist()
    return found


def table(content: Sequence[dict[str, Any]], schema: pa.Schema) -> pa.Table:
    return pa.Table.from_pylist(list(content), schema=schema)


def slice_of(count: int) -> int:
    """Rows in a slice of so many."""
    return max(SLICE, -(-count // SLICES))


def slices(rows: pa.Table) -> Iterator[pa.Table]:
    """A long table in pieces: what is asked of one piece after the other takes the memory of one."""
    size = slice_of(rows.num_rows)
    for start in range(0, rows.num_rows, size):
        yield rows.slice(start, size)


def keys_of(found: pa.Table, *columns: str) -> pa.Table:
    """The keys in some columns of a table, each once, as a table of one column."""
    return pa.table({"key": pa.chunked_array([c for name in columns for c in found.column(name).chunks], pa.string()).unique()})


def write_groups(path: Path, groups: Iterator[list[dict[str, Any]]], schema: pa.Schema, made_from: dict[str, Any] | None = None) -> None:
    """Publish lists of rows as the row groups of one file; `made_from` may grow while they are made."""
    with storage.publishing(path) as file, pq.ParquetWriter(file, schema, compression="zstd") as writer:
        for group in groups:
            writer.write_table(table(group, schema))
        writer.add_key_value_metadata({"anidata": json.dumps(made_from or {}, sort_keys=True)})


def group_sizes(path: Path) -> list[int]:
    """Rows in each row group."""
    meta = pq.read_metadata(path)
    return [meta.row_group(i).num_rows for i in range(meta.num_row_groups)]


def read_group(path: Path, group: int) -> list[dict[str, Any]]:
    with pq.ParquetFile(path) as file:
        found: list[dict[str, Any]] = file.read_row_group(group).to_pylist()
    return found


def files(folder: Path) -> list[Path]:
    """The finished parts of a folder, by name."""
    return sorted(folder.glob("*.parquet"))


def gather(workspace: Workspace, name: str) -> None:
    """Copy the parts of a large table into one file, which takes a query a tenth of the time. A catalog reads it while the parts stay as they are."""
    found, path = files(workspace.folder(name)), _gathered(workspace, name)
    state = _gathered_state(found, name)
    if _is_small(found) or _is_gathered(path, state):
        return
    try:
        with storage.publishing(path) as file:
            _write_gathered(file, found, _schema(name).with_metadata({b"anidata": json.dumps({"state": state}).encode()}))
    except pa.ArrowInvalid as error:
        raise StorageError(f"{name} can't be read: {error}") from error


def _write_gathered(file: BinaryIO, found: Sequence[Path], schema: pa.Schema) -> None:
    held: list[pa.Table] = []
    with pq.ParquetWriter(file, schema, compression="zstd") as writer:
        for path in found:
            held.append(read(path, schema))
            if sum(map(len, held)) >= GROUP:
                writer.write_table(pa.concat_tables(held))
                held = []
        if held:
            writer.write_table(pa.concat_tables(held))


def _gathered(workspace: Workspace, name: str) -> Path:
    return workspace.folder("gathered") / f"{name}.parquet"


def _gathered_state(found: Sequence[Path], name: str) -> str:
    return recipe.fingerprint(GROUP, state_of(*found), str(_schema(name)))


def _parts(workspace: Workspace, name: str) -> list[Path]:
    """The files that a table is read from: the one it has been gathered into, if that is of today, or else its parts."""
    found, path = files(workspace.folder(name)), _gathered(workspace, name)
    return [path] if path.exists() and _is_gathered(path, _gathered_state(found, name)) else found


def _is_gathered(path: Path, state: str) -> bool:
    try:
        return bool(made_from(path).get("state") == state)
    except (OSError, pa.ArrowInvalid):  # a copy that is damaged is none
        return False


def _is_small(found: Sequence[Path]) -> bool:
    return sum(path.stat().st_size for path in found) <= HELD


def _schema(name: str) -> pa.Schema:
    """Of a table that has parts."""
    return {"records": RECORDS, "pairs": PAIRS, "edges": EDGES, "relations": RELATIONS, "fetched": FETCHED}.get(name) or images_schema()


def state_of(*folders: Path) -> str:
    """Changes when a part of these folders (or one of these files) is added, rewritten or goes."""
    found = [p for f in folders for p in (files(f) if f.is_dir() else [f] if f.exists() else [])]
    return "|".join(f"{p.name}:{p.stat().st_size}:{p.stat().st_mtime_ns}" for p in found)


_IDLE: dict[tuple[str, bool], "duckdb.DuckDBPyConnection"] = {}  # by the folder it spills into, and whether it is sealed; at most one


@lru_cache(maxsize=10)  # as many as there are tables
def _held(paths: tuple[Path, ...], _state: str, schema: pa.Schema) -> pa.Table:
    """Small parts in memory, for as long as they stay as they are: a scan of files costs 6 ms each time a query mentions them."""
    return pa.concat_tables([schema.empty_table(), *(read(path, schema) for path in paths)])


@lru_cache(maxsize=1 << 16)
def _columns(path: Path, _state: int) -> tuple[str, ...]:
    return tuple(_footer(path).names)


class Catalog:
    """The views of a workspace over DuckDB, for SQL that anidata has written: DuckDB reads the files itself."""

    sealed = False  # whether files are out of reach

    def __init__(self, workspace: Workspace, *, decided: bool = True) -> None:
        """decided: whether it will be asked what has been decided, as the views of users are; to find that out takes a look at all keys."""
        pa.default_memory_pool().release_unused()  # what earlier tables took is kept until it is told to let go
        folder = workspace.folder
        self._tables: list[str] = []
        self._scanned = False  # whether a view reads files
        made = {n for n in ("clean", "dedup", "lineart") if (folder("decisions") / f"{n}.parquet").exists()}
        self._home = str(folder("tmp")), self.sealed
        idle = _IDLE.pop(self._home, None)
        self._connection = idle or _connection(self._home[0], {} if self.sealed else {"threads": "1"})  # a thread takes 10 to 20 MB
        for name in ("records", "images", "edges", "relations", "pairs", "fetched"):
            self._register(f"_{name}", _parts(workspace, name), _schema(name))
        decisions = folder("decisions")
        for name, schema in (("clean", CLEAN), ("dedup", DEDUP), ("lineart", LINEART), ("splits", SPLITS), ("samples", SAMPLES)):
            self._register(f"_{name}", [decisions / f"{name}.parquet"], schema)
        self._ranks()
        # the views merge rows and join reasons for the exceptions alone: mostly they are few, and to do it for all would take much more memory
        undecided = made != {"lineart"}  # which has a row for those alone that it rejects
        state = f"{workspace.path}|{state_of(*(part for name in ('records', 'images') for part in _parts(workspace, name)))}"
        for name, found in _catalog_exceptions.tables(self.select, state, joined=decided, decided=decided and undecided).items():
            self._add(name, found)
        if not idle:
            seal = ("SET enable_external_access = false", "SET lock_configuration = true") if self.sealed else ()
            for statement in (*_catalog_views.statements([*measures(), *(name for name, _ in CODES)]), *seal):
                self._connection.execute(statement)

    def select(self, sql: str, **tables: pa.Table) -> pa.Table:
        """The answer to one SELECT, all of it; `tables` can be asked by their names too."""
        return self._asked(sql, tables).to_arrow_table()

    def stream(self, sql: str, size: int, **tables: pa.Table) -> Iterator[list[dict[str, Any]]]:
        """The answer in lists of at most `size` rows, never all at once in memory."""
        for batch in self.batches(sql, size, **tables):
            yield batch.to_pylist()

    def batches(self, sql: str, size: int, **tables: pa.Table) -> Iterator[pa.RecordBatch]:
        """The same as columns."""
        yield from (batch for batch in self._asked(sql, tables).to_arrow_reader(size) if batch.num_rows)

    def grouped(self, sql: str, by: str, **tables: pa.Table) -> Iterator[tuple[Any, pa.Table]]:
        """The answer, sorted by the column `by`, as one table for each of its values: no more than one at a time in memory."""
        held: list[pa.RecordBatch] = []
        value: Any = None
        for batch in self._asked(sql, tables).to_arrow_reader(BATCH):
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
        """Let go of the tables. The connection, whose views take 40 ms to make, waits for this process's next catalog of the workspace.

        That of a large catalog doesn't: only when it is closed does DuckDB give its memory back.
        """
        if self._scanned:
            self._connection.close()
            return
        for name in dict.fromkeys(self._tables):
            self._connection.unregister(name)
        while _IDLE:
            _IDLE.popitem()[1].close()
        _IDLE[self._home] = self._connection

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind:
            self._connection.close()  # whatever it was at
        else:
            self.close()

    def _asked(self, sql: str, tables: dict[str, pa.Table]) -> "duckdb.DuckDBPyRelation":
        for name, content in tables.items():
            self._add(name, content)
        return self._connection.sql(sql)

    def _register(self, name: str, found: list[Path], schema: pa.Schema) -> None:
        there = tuple(p for p in found if p.exists())
        try:
            if _is_small(there):
                self._add(name, _held(there, state_of(*there), schema))
            else:
                self._scan(name, there, schema)
        except (OSError, pa.ArrowInvalid) as error:
            raise StorageError(f"{name.strip('_')} can't be read: {error}") from error

    def _scan(self, name: str, paths: Sequence[Path], schema: pa.Schema) -> None:
        """A view of files that are read in each query anew: by DuckDB itself, which takes less memory and time than by way of Arrow."""
        alike: dict[tuple[str, ...], list[str]] = {}  # columns → files; an older part may lack some
        for path in paths:
            alike.setdefault(_columns(path, path.stat().st_mtime_ns), []).append("'" + str(path).replace("'", "''") + "'")
        scans = [f"FROM read_parquet([{', '.join(found)}], hive_partitioning = false)" for found in alike.values()]
        self._add(f"{name}_without_rows", schema.empty_table())
        columns = ", ".join(f'"{field.name}"' for field in schema)
        whole = " UNION ALL BY NAME ".join([f"FROM {name}_without_rows", *scans])
        self._connection.execute(f"CREATE TEMP VIEW {name} AS SELECT {columns} FROM ({whole})")
        self._scanned = True

    def _ranks(self) -> None:
        """Tables that tell how strict each license and rating is that occurs."""
        for column, rank in (("license", rights.license_rank), ("rating", rights.rating_rank)):
            words = self.select(f"SELECT DISTINCT {column} AS word FROM _records WHERE {column} IS NOT NULL").column("word").to_pylist()
            ranked = pa.table({"word": pa.array(words, pa.string()), "rank": pa.array([rank(w) for w in words], pa.int32())})
            self._add(f"_{column}_rank", ranked)

    def _add(self, name: str, content: Any) -> None:
        self._connection.register(name, content)
        self._tables.append(name)


class Sealed(Catalog):
    """The same for SQL that a user has written: nothing but the views can be read, and nothing written."""

    sealed = True

    def ask(self, sql: str) -> pa.Table:
        """The answer to what a user typed.

        Raises: QueryError: more or other than one SELECT, or SQL that fails.
        """
        import duckdb  # noqa: PLC0415

        try:
            statements = duckdb.extract_statements(sql)
        except duckdb.Error as error:
            raise QueryError(f"{error}") from error
        if len(statements) != 1 or statements[0].type != duckdb.StatementType.SELECT:
            raise QueryError(
                "one SELECT over the views " + ", ".join(VIEWS) + ", and nothing else, for example: SELECT file, keep FROM records"
            )
        try:
            return self.select(sql)
        except duckdb.Error as error:
            raise QueryError(f"{error}") from error

    def failing(self, condition: str) -> set[str]:
        """The keys of the readable pictures for which an SQL condition isn't true.

        Raises: QueryError: no such column, or no SQL.
        """
        answer = self.ask(f"SELECT key FROM _pictures WHERE error IS NULL AND (({condition}\n) IS NOT TRUE)")
        return set(answer.column("key").to_pylist())

    def _scan(self, name: str, paths: Sequence[Path], schema: pa.Schema) -> None:
        from pyarrow import dataset  # noqa: PLC0415 - it imports pandas where that is installed, which a run can do without

        self._add(name, dataset.dataset(list(paths), schema=schema))


def _footer(path: Path) -> pa.Schema:
    return pq.read_schema(path)


def _connection(spill: str, more: dict[str, str]) -> "duckdb.DuckDBPyConnection":
    """An empty database in memory; what doesn't fit there goes into the folder `spill`, else it would land where the command was typed."""
    import duckdb  # noqa: PLC0415

    settings = {"python_enable_replacements": "false", "autoinstall_known_extensions": "false", "temp_directory": spill}
    # joins are done as they are written: the right side, the smaller one, is held in memory; DuckDB's guesses from a first part are far off
    settings["allocator_bulk_deallocation_flush_threshold"] = "256KB"  # a block: what a query lets go of doesn't wait for the next one
    settings["disabled_optimizers"] = "join_order,build_side_probe_side"
    return duckdb.connect(":memory:", config=settings | more)
