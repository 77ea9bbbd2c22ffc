"""The catalog: the only place that knows Parquet and column names; SQL over it through DuckDB.

A table is a folder of parts, or one file; a part carries what it was made from in its footer. The views are

    records   a row for each sighting, joined with all that is known of its picture
    images    a row for each distinct picture that is still seen somewhere
    pairs     a row for each stored file of a pair: the fitted color picture, or its lines in one style
    samples   a row for each sample of the finished data set
"""

import json
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from functools import cache, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import pyarrow as pa
import pyarrow.parquet as pq

from anidata import parts, rights, storage
from anidata.errors import QueryError, StorageError
from anidata.workspace import Workspace

if TYPE_CHECKING:
    import duckdb  # what imports it at run time is the Catalog: workers read and write tables alone

VIEWS = ("records", "images", "pairs", "samples")
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
)
RECORDS = pa.schema([*SIGHTINGS, pa.field("key", pa.string()), pa.field("line_key", pa.string()), pa.field("line_error", pa.string())])
PICTURE = [("key", pa.string()), ("error", pa.string()), ("message", pa.string()), ("bytes", pa.int64()), ("format", pa.string())]
PICTURE += [("width", pa.int32()), ("height", pa.int32()), ("frames", pa.int32()), ("transparency", pa.float32())]
CODES = [("phash", pa.uint64()), ("phash_flip", pa.uint64()), ("colors", pa.binary()), ("pixels", pa.binary()), ("degenerate", pa.bool_())]
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
    + [("offset", pa.int64()), ("size", pa.int64()), ("width", pa.int32()), ("height", pa.int32()), ("ink", pa.float32())]
)
SPLITS = pa.schema([("key", pa.string()), ("split", pa.string()), ("since", pa.int32())])
SAMPLES = pa.schema([("key", pa.string()), ("split", pa.string()), ("shard", pa.string())])
BATCH = 2048  # rows of an answer that is streamed
HELD = 1 << 20  # bytes of a table's parts: up to these it is held in memory
COLOR = "color"  # what stands in pairs.style for the color picture itself


@cache
def measures() -> dict[str, pa.DataType]:
    """Column → type of every measure on the shelf."""
    return {name: parts.load("measures", name).TYPE for name in parts.names("measures")}


@cache
def images_schema() -> pa.Schema:
    return pa.schema(PICTURE + list(measures().items()) + CODES)


def write(path: Path, table: pa.Table, made_from: dict[str, Any] | None = None) -> None:
    """Publish a table as one Parquet file, with what it was made from in its footer."""
    meta = {b"anidata": json.dumps(made_from or {}, sort_keys=True).encode()}
    with storage.publishing(path) as file:
        pq.write_table(table.replace_schema_metadata(meta), file, compression="zstd")


def made_from(path: Path) -> dict[str, Any]:
    """What a table was made from, as `write` was told; empty where there is no such file."""
    if not path.exists():
        return {}
    found: dict[str, Any] = json.loads((_footer(path).metadata or {}).get(b"anidata", b"{}"))
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


def write_groups(path: Path, groups: Iterator[list[dict[str, Any]]], schema: pa.Schema) -> None:
    """Publish lists of rows as the row groups of one file."""
    with storage.publishing(path) as file, pq.ParquetWriter(file, schema, compression="zstd") as writer:
        for group in groups:
            writer.write_table(table(group, schema))


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


def state_of(*folders: Path) -> str:
    """Changes when a part of these folders (or one of these files) is added, rewritten or goes."""
    found = [p for f in folders for p in (files(f) if f.is_dir() else [f] if f.exists() else [])]
    return "|".join(f"{p.name}:{p.stat().st_size}:{p.stat().st_mtime_ns}" for p in found)


_IDLE: dict[str, "duckdb.DuckDBPyConnection"] = {}  # by the folder it spills into; at most one


@lru_cache(maxsize=16)
def _held(paths: tuple[Path, ...], _state: str, schema: pa.Schema) -> pa.Table:
    """Small parts in memory, for as long as they stay as they are: a scan of files costs 6 ms each time a query mentions them."""
    return pa.concat_tables([schema.empty_table(), *(read(path, schema) for path in paths)])


class Catalog:
    """The views of a workspace over DuckDB: nothing else can be read or written through it."""

    def __init__(self, workspace: Workspace) -> None:
        folder = workspace.folder
        self._tables: list[str] = []
        self._home, made = str(folder("tmp")), {n for n in ("clean", "dedup", "lineart") if (folder("decisions") / f"{n}.parquet").exists()}
        idle = _IDLE.pop(self._home, None)
        self._connection = idle or _connection(self._home)
        self._register("_records", files(folder("records")), RECORDS)
        self._register("_images", files(folder("images")), images_schema())
        self._register("_edges", files(folder("edges")), EDGES)
        self._register("_relations", files(folder("relations")), RELATIONS)
        self._register("_pairs", files(folder("pairs")), PAIRS)
        decisions = folder("decisions")
        for name, schema in (("clean", CLEAN), ("dedup", DEDUP), ("lineart", LINEART), ("splits", SPLITS), ("samples", SAMPLES)):
            self._register(f"_{name}", [decisions / f"{name}.parquet"], schema)
        self._ranks()
        self._connection.execute(_decided(made))
        if not idle:
            for statement in (*_views(), "SET enable_external_access = false", "SET lock_configuration = true"):
                self._connection.execute(statement)

    def select(self, sql: str) -> pa.Table:
        """The answer to one SELECT, all of it."""
        return self._connection.sql(sql).to_arrow_table()

    def stream(self, sql: str, size: int) -> Iterator[list[dict[str, Any]]]:
        """The answer in lists of at most `size` rows, never all at once in memory."""
        reader = self._connection.sql(sql).to_arrow_reader(size)
        for batch in reader:
            if batch.num_rows:
                yield batch.to_pylist()

    def grouped(self, sql: str, by: str) -> Iterator[tuple[Any, pa.Table]]:
        """The answer, sorted by the column `by`, as one table for each of its values: no more than one at a time in memory."""
        held: list[pa.RecordBatch] = []
        value: Any = None
        for batch in self._connection.sql(sql).to_arrow_reader(BATCH):
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

    def close(self) -> None:
        """Let go of the tables. The connection, whose views take 40 ms to make, waits for this process's next catalog of the workspace."""
        for name in self._tables:
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

    def _register(self, name: str, found: list[Path], schema: pa.Schema) -> None:
        there = tuple(p for p in found if p.exists())
        try:
            if sum(p.stat().st_size for p in there) <= HELD:
                content = _held(there, state_of(*there), schema)
            else:
                from pyarrow import dataset  # noqa: PLC0415 - it imports pandas where that is installed, which workers can do without

                content = dataset.dataset(list(there), schema=schema)
            self._add(name, content)
        except (OSError, pa.ArrowInvalid) as error:
            raise StorageError(f"{name.strip('_')} can't be read: {error}") from error

    def _ranks(self) -> None:
        """Tables that tell how strict each license and rating is that occurs."""
        for column, rank in (("license", rights.license_rank), ("rating", rights.rating_rank)):
            words = self.select(f"SELECT DISTINCT {column} AS word FROM _records WHERE {column} IS NOT NULL").column("word").to_pylist()
            ranked = pa.table({"word": pa.array(words, pa.string()), "rank": pa.array([rank(w) for w in words], pa.int32())})
            self._add(f"_{column}_rank", ranked)

    def _add(self, name: str, content: Any) -> None:
        self._connection.register(name, content)
        self._tables.append(name)


def _footer(path: Path) -> pa.Schema:
    return pq.read_schema(path)


def _connection(spill: str) -> "duckdb.DuckDBPyConnection":
    """An empty database in memory; what doesn't fit there goes into the folder `spill`, else it would land where the command was typed."""
    import duckdb  # noqa: PLC0415

    settings = {"python_enable_replacements": "false", "autoinstall_known_extensions": "false", "temp_directory": spill}
    return duckdb.connect(":memory:", config=settings)


def _decided(made: set[str]) -> str:
    """The SQL of the view `_decided`: `reasons` of a picture are null until something has been decided about it."""
    # clean and dedup have a row for each picture that they have seen, lineart for those alone that it rejects
    decided = "true" if made == {"lineart"} else "coalesce(a.key, d.key, t.key) IS NOT NULL"
    return f"""CREATE OR REPLACE VIEW _decided AS SELECT key,
        CASE WHEN {decided} THEN list_concat(coalesce(a.reasons, []), coalesce(d.reasons, []), coalesce(t.reasons, [])) END AS reasons,
        CASE WHEN list_contains(t.reasons, 'changed') THEN 'changed' END AS error, t.message,
        d.cluster, d.keeper, d.relation, d.distance, s.split, m.shard
        FROM (SELECT DISTINCT key FROM _images) LEFT JOIN _clean a USING (key) LEFT JOIN _dedup d USING (key) LEFT JOIN _lineart t USING (key)
        LEFT JOIN _splits s USING (key) LEFT JOIN _samples m USING (key)"""


def _views() -> list[str]:
    """The SQL of the other views."""
    codes = ", ".join(["format", "width", "height", "frames", "bytes", "transparency", *measures(), *(n for n, _ in CODES)])
    keep = "CASE WHEN i.error IS NOT NULL THEN false WHEN c.reasons IS NOT NULL THEN c.error IS NULL AND len(c.reasons) = 0 END"
    decisions = "c.cluster, c.keeper, c.relation, c.distance, c.split, c.shard"
    return [
        # the latest generation's word on a sighting
        "CREATE VIEW _sightings AS SELECT * FROM _records QUALIFY row_number() OVER (PARTITION BY record ORDER BY generation DESC) = 1",
        """CREATE VIEW _merged AS SELECT key, min(url) AS url, arg_min(license, (-l.rank, license)) AS license, arg_min(rating, (-r.rank, rating)) AS rating,
           string_agg(DISTINCT artist, ', ' ORDER BY artist) AS artist, list_sort(list_distinct(flatten(list(coalesce(tags, []))))) AS tags,
           min(caption) AS caption, min(file) AS file, min(kind) AS source, count(*) AS sightings,
           min(line_key) AS line_key
           FROM _sightings LEFT JOIN _license_rank l ON license = l.word LEFT JOIN _rating_rank r ON rating = r.word
           WHERE key IS NOT NULL GROUP BY key""",
        # a picture seen twice in one generation may stand in two parts: the rows are equal
        "CREATE VIEW _distinct AS SELECT * FROM _images QUALIFY row_number() OVER (PARTITION BY key ORDER BY error NULLS FIRST) = 1",
        "CREATE VIEW _pictures AS SELECT * FROM _distinct JOIN _merged USING (key)",
        """CREATE VIEW _kept AS SELECT p.* FROM _pictures p LEFT JOIN _clean a USING (key) LEFT JOIN _dedup d USING (key)
           WHERE p.error IS NULL AND len(coalesce(a.reasons, [])) = 0 AND len(coalesce(d.reasons, [])) = 0""",
        # candidate pairs of readable pictures with the verdict on them; null: not given yet
        """CREATE VIEW _links AS SELECT e.a, e.b, e.mirrored, e.distance, coalesce(e.relation, r.relation) AS relation
           FROM _edges e LEFT JOIN (SELECT DISTINCT ON (a, b, mirrored) * FROM _relations) r ON e.a = r.a AND e.b = r.b AND e.mirrored = r.mirrored
           WHERE e.a IN (SELECT key FROM _pictures WHERE error IS NULL) AND e.b IN (SELECT key FROM _pictures WHERE error IS NULL)""",
        f"""CREATE VIEW images AS SELECT i.key, CASE WHEN i.error IS NOT NULL THEN 'failed' ELSE coalesce(c.error, 'ok') END AS status,
           coalesce(i.error, c.error) AS error, coalesce(i.message, c.message) AS message, i.sightings, i.file, i.source, i.url, i.license, i.artist, i.rating, i.tags, i.caption,
           {codes}, {keep} AS keep, CASE WHEN i.error IS NULL THEN c.reasons ELSE ['failed'] END AS reasons, {decisions}
           FROM _pictures i JOIN _decided c USING (key)""",
        f"""CREATE VIEW records AS SELECT s.record, s.key, s.kind AS source, s.root || '/' || s.name AS uri, s.file, s.url, s.license, s.artist,
           s.rating, s.tags, s.caption, CASE WHEN coalesce(s.error, i.error) IS NOT NULL THEN 'failed' WHEN c.error IS NOT NULL THEN c.error
           ELSE 'ok' END AS status, coalesce(s.error, i.error, c.error) AS error, coalesce(s.message, i.message, c.message) AS message,
           s.line_key, s.line_error, {codes.replace("bytes", "i.bytes")},
           CASE WHEN s.error IS NOT NULL THEN false ELSE {keep} END AS keep,
           CASE WHEN coalesce(s.error, i.error) IS NULL THEN c.reasons ELSE ['failed'] END AS reasons, {decisions}
           FROM _sightings s LEFT JOIN _distinct i ON s.key = i.key LEFT JOIN _decided c ON s.key = c.key""",
        "CREATE VIEW pairs AS SELECT key, style, suffix, width, height, ink, size, fingerprint FROM _pairs",
        "CREATE VIEW samples AS SELECT * FROM _samples",
    ]
