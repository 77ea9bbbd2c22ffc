"""Pictures inside a parquet file, and their rows.

The pictures are copied once into the workspace, where they can be referred to. The copies of a file are
blobs/parquet-ID.tar, a member for each row with bytes, named by its number; ID changes with the file's path,
size and date, and with the limit.
"""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import pyarrow as pa
import pyarrow.parquet as pq

from anidata.errors import SourceError
from anidata.sources import Options
from anidata.sources.listing import cells
from anidata.sources.listing.blobs import copies, note
from anidata.sources.web.files import whole
from anidata.sources.web.secrets import scrubbed
from anidata.storage import Reference, publishing, uri_of
from anidata.tar import opening, untrusted, writer
from anidata.tar.untrusted import PARQUET_BOUNDS as BOUNDS

VERSION = 2  # raised when the same file would be copied otherwise
BATCH = 16  # rows with their pictures held at once
ROWS = 1024  # rows without

Row = dict[str, Any]


@dataclass(frozen=True)
class Table:
    """A parquet file: one that is here, or a copy for the time being of one that lies elsewhere."""

    shown: str  # path or URL, as it is typed
    uri: str
    look: tuple[int, int | str]  # size, and date or digest: changes when the file does
    file: Path | IO[bytes]

    @property
    def stamp(self) -> str:
        return f"{self.look[0]}.{self.look[1]}"


@contextmanager
def opened(location: str, options: Options) -> Iterator[Table]:
    """Open the table at a path or URL. Raises: SourceError: it can't be had. MissingExtra, StorageError."""
    if "://" not in location:
        path = Path(location)
        opening.check(path)
        status = path.stat()
        yield Table(location, uri_of(path), (status.st_size, status.st_mtime_ns), path)
        return
    with whole(location, options) as file:
        # typeshed wants a readinto of its own
        digest = hashlib.file_digest(file, "sha256").hexdigest()[:24]  # type: ignore[arg-type]
        yield Table(scrubbed(location), location, (file.tell(), digest), file)


def pictures(table: Table, options: Options, wanted: str = "") -> tuple[str, dict[int, Reference]]:
    """The column of pictures, and where the bytes of each row lie.

    wanted: its name; empty: the first that isn't the lineart's.
    Raises: SourceError: no parquet, or no pictures in it, or none in that column. StorageError.
    """
    with _read(table) as parquet:
        column, leaf = _column(parquet.schema_arrow, table.shown, wanted, options.line_column)
        blob = options.base / "blobs" / f"parquet-{_id(table, options, column)}.tar"
        if not blob.exists():
            _copy(parquet, column, leaf, blob, options.max_bytes)
    references = {
        int(member.name): Reference(f"blobs/{blob.name}", member.offset, member.size)
        for member in copies(blob)
    }
    return column, references


def rows(table: Table, column: str, line_column: str = "") -> Iterator[Row]:
    """Yield the rows without their pictures and lineart; of those the path, as `path`, where there is one."""
    with _read(table) as parquet:
        schema = parquet.schema_arrow
        columns = [name for name in schema.names if name not in (column, line_column)]
        if _has_path(schema.field(column).type):
            columns.append(f"{column}.path")
        for batch in parquet.iter_batches(ROWS, columns=columns):
            for row in cells.rows(batch):
                picture = row.pop(column, None)
                yield row | ({"path": picture["path"]} if picture else {})


def _has_path(kind: pa.DataType) -> bool:
    return bool(pa.types.is_struct(kind) and kind.get_field_index("path") >= 0)


def _copy(table: pq.ParquetFile, column: str, leaf: str, blob: Path, limit: int) -> None:
    number = 0
    with publishing(blob) as file:
        tar = writer.TarWriter(file)
        for batch in cells.batches(table.iter_batches(BATCH, columns=[leaf])):
            for value in batch.column(column).to_pylist():
                data = value.get("bytes") if isinstance(value, dict) else value
                if data and len(data) <= limit:
                    tar.add(f"{number}", data)
                number += 1
        note(tar, blob.name)
        tar.close()


def _column(schema: pa.Schema, shown: str, wanted: str, line_column: str) -> tuple[str, str]:
    """The wanted or first column of pictures, and the name of their bytes within it. Raises: SourceError."""
    for field in schema:
        is_candidate = field.name == wanted if wanted else field.name != line_column
        leaf = _leaf(field) if is_candidate else None
        if leaf:
            return field.name, leaf
    if wanted:
        raise SourceError(
            f"{shown}: no pictures in a column '{wanted}'. Type --set ingest.line_column= with one of: "
            + ", ".join(schema.names)
        )
    raise SourceError(
        f"{shown}: no column of pictures (bytes, or a struct with bytes). "
        f"For a list of URLs type: urls:{shown}"
    )


def _leaf(field: pa.Field) -> str | None:
    """The column of bytes that a field is, or has within it; None: it has no pictures."""
    if _is_bytes(field.type):
        return str(field.name)
    if not pa.types.is_struct(field.type):
        return None
    index = field.type.get_field_index("bytes")
    return f"{field.name}.bytes" if index >= 0 and _is_bytes(field.type.field(index).type) else None


def _is_bytes(kind: pa.DataType) -> bool:
    return bool(pa.types.is_binary(kind) or pa.types.is_large_binary(kind))


def _id(table: Table, options: Options, column: str) -> str:
    identity = (VERSION, table.uri, *table.look, options.max_bytes, column)
    return hashlib.sha256(repr(identity).encode()).hexdigest()[:24]


@contextmanager
def _read(table: Table) -> Iterator[pq.ParquetFile]:
    """Open it as parquet. Raises: SourceError: it is none, or broken."""
    try:
        with pq.ParquetFile(table.file, **BOUNDS) as parquet:
            untrusted.columns(parquet.schema_arrow.names)
            yield parquet
    except (pa.ArrowException, EOFError, OSError, ValueError) as error:  # names that are no UTF-8
        raise SourceError(
            f"{table.shown}: can't be read as parquet ({error}). "
            f"Get the file anew, then type: parquet:{table.shown}"
        ) from error
