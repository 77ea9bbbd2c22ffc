"""Tables as Parquet files: a table is a folder of parts, or one file.

A part carries in its footer what it was made from, and its own name: so one in another's place is noticed.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from anidata import storage
from anidata.catalog.damage import damaged, name_of
from anidata.errors import StorageError
from anidata.tar import opening, untrusted

FOOTER = b"anidata"  # our key there
MOST = 1 << 24  # values of what a footer notes
NAME = "file"  # what the footer calls the table's own name
SLICE = 1 << 13  # rows of a slice at least
SLICES = 16  # at most: each costs a look at the whole tables


def write(path: Path, table: pa.Table, made_from: dict[str, Any] | None = None) -> None:
    """Publish a table of the workspace as one Parquet file, with what it was made from in its footer."""
    _write(path, table, _note(path, made_from))


def write_plain(path: Path, table: pa.Table) -> None:
    """The same of a table for others: its bytes are the same wherever it lies."""
    _write(path, table, "{}")


def _write(path: Path, table: pa.Table, note: str) -> None:
    meta = {FOOTER: note.encode()}
    with storage.publishing(path) as file:
        pq.write_table(table.replace_schema_metadata(meta), file, compression="zstd")


def write_batches(
    path: Path, batches: Iterator[pa.RecordBatch], schema: pa.Schema, made_from: dict[str, Any]
) -> int:
    """Publish a table that is made a piece at a time, never all of it in memory; how many rows it has."""
    count, meta = 0, {FOOTER: _note(path, made_from).encode()}
    with (
        storage.publishing(path) as file,
        pq.ParquetWriter(file, schema.with_metadata(meta), compression="zstd") as writer,
    ):
        for batch in batches:
            writer.write_batch(batch)
            count += batch.num_rows
    return count


def made_from(path: Path) -> dict[str, Any]:
    """The origin that `write` noted of a table; empty where there is no such file."""
    if not path.exists():
        return {}
    with opened(path) as file:
        return _origin(file)


@contextmanager
def opened(path: Path) -> Iterator[pq.ParquetFile]:
    """A table to read from.

    Raises: DamagedError: it is no Parquet, cut short, or another's. StorageError: no right to read it.
    """
    try:
        opening.check(path)
        with pq.ParquetFile(path) as file:
            name = _origin(file).get(NAME, name_of(path))
            if name != name_of(path):
                raise damaged(path, f"it is {name!r}")
            yield file
    except OSError as error:
        if error.errno:
            raise _unreadable(path, error) from error
        raise damaged(path, f"{error}") from error  # pyarrow's own, which has no number
    except (pa.ArrowException, ValueError) as error:
        raise damaged(path, f"{error}") from error


def check(path: Path) -> None:
    """Read a table from end to end.

    Raises: DamagedError.
    """
    with opened(path) as file:
        for group in range(file.num_row_groups):
            file.read_row_group(group)


def _origin(file: pq.ParquetFile) -> dict[str, Any]:
    """All that a footer notes. Raises: ValueError: it isn't ours."""
    origin = untrusted.read_json((file.metadata.metadata or {}).get(FOOTER, b"{}"), MOST)
    if not isinstance(origin, dict):
        raise ValueError(f"its footer notes {origin!r}")  # noqa: TRY004  of a file, not of a call
    return origin


def _note(path: Path, made_from: dict[str, Any] | None) -> str:
    """The text of a footer."""
    return json.dumps({**(made_from or {}), NAME: name_of(path)}, sort_keys=True)


def _unreadable(path: Path, error: OSError) -> StorageError:
    why = opening.why(error)
    return StorageError(f"{path} can't be read ({why}). Give read access, then run the same command again.")


def read(path: Path, schema: pa.Schema) -> pa.Table:
    """A table with exactly the columns of `schema`; what the file lacks is null."""
    if not path.exists():
        return schema.empty_table()
    with opened(path) as file:
        content = file.read()
        if content.schema.equals(schema):  # as it mostly is; to cast each column takes 25 µs
            return content.replace_schema_metadata(schema.metadata)
        return pa.table([_column(content, field) for field in schema], schema=schema)


def _column(content: pa.Table, field: pa.Field) -> pa.ChunkedArray | pa.Array:
    if field.name in content.column_names:
        return content.column(field.name).cast(field.type)
    return pa.nulls(content.num_rows, field.type)


def rows(path: Path, schema: pa.Schema) -> list[dict[str, Any]]:
    content: list[dict[str, Any]] = read(path, schema).to_pylist()
    return content


def table(content: Sequence[Mapping[str, Any]], schema: pa.Schema) -> pa.Table:
    return pa.Table.from_pylist(list(content), schema=schema)


def slice_of(count: int) -> int:
    """Rows in a slice of so many."""
    return max(SLICE, -(-count // SLICES))


def slices(rows: pa.Table) -> Iterator[pa.Table]:
    """A long table in pieces: what is asked of one piece after the other takes the memory of one."""
    size = slice_of(rows.num_rows)
    for start in range(0, rows.num_rows, size):
        yield rows.slice(start, size)


def keys_of(content: pa.Table, *columns: str) -> pa.Table:
    """The keys in some columns of a table, each once, as a table of one column."""
    chunks = [chunk for name in columns for chunk in content.column(name).chunks]
    return pa.table({"key": pa.chunked_array(chunks, pa.string()).unique()})


def write_groups(
    path: Path,
    groups: Iterator[list[dict[str, Any]]],
    schema: pa.Schema,
    made_from: dict[str, Any] | None = None,
) -> None:
    """Publish lists of rows as the row groups of one file; `made_from` may grow while they are made."""
    with storage.publishing(path) as file, pq.ParquetWriter(file, schema, compression="zstd") as writer:
        for group in groups:
            writer.write_table(table(group, schema))
        writer.add_key_value_metadata({FOOTER.decode(): _note(path, made_from)})


def group_sizes(path: Path) -> list[int]:
    """Rows in each row group."""
    with opened(path) as file:
        return [file.metadata.row_group(i).num_rows for i in range(file.num_row_groups)]


def read_group(path: Path, group: int) -> list[dict[str, Any]]:
    with opened(path) as file:
        content: list[dict[str, Any]] = file.read_row_group(group).to_pylist()
    return content


def files(folder: Path) -> list[Path]:
    """The finished parts of a folder, by name."""
    return sorted(folder.glob("*.parquet"))


def state_of(*folders: Path) -> str:
    """Changes when a part of these folders (or one of these files) is added, rewritten or goes."""
    looks = [(path.name, path.lstat()) for folder in folders for path in _files_at(folder)]
    return "|".join(f"{name}:{status.st_size}:{status.st_mtime_ns}" for name, status in looks)


def _files_at(path: Path) -> list[Path]:
    """The finished parts of a folder, or a file itself, if it exists."""
    if path.is_dir():
        return files(path)
    return [path] if path.exists() else []
