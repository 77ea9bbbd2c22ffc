"""Pictures inside a parquet file: copied once into the workspace, where they can be referred to, and their rows.

The copies of a file are blobs/parquet-ID.tar, a member for each row with bytes, named by its number; ID changes with the file's place, size
and date, and with the limit.
"""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from anidata import shards
from anidata.errors import SourceError
from anidata.sources import Options
from anidata.storage import Reference, publishing, uri_of

VERSION = 2  # raised when the same file would be copied otherwise
BATCH = 16  # rows with their pictures held at once
ROWS = 1024  # rows without

Row = dict[str, Any]


def pictures(path: Path, options: Options, wanted: str = "") -> tuple[str, dict[int, Reference]]:
    """The column of pictures, and where the bytes of each row lie. wanted: its name; empty: the first that isn't the lineart's.

    Raises: SourceError: no parquet, or no pictures in it, or none in that column. StorageError.
    """
    with _opened(path) as table:
        column, leaf = _column(table.schema_arrow, path, wanted, options.line_column)
        blob = options.base / "blobs" / f"parquet-{_id(path, options, column)}.tar"
        if not blob.exists():
            _copy(table, column, leaf, blob, options.max_bytes)
    with open(blob, "rb") as file:
        places = {int(m.name): Reference(f"blobs/{blob.name}", m.offset, m.size) for m in shards.members(file)}
    return column, places


def rows(path: Path, column: str, line_column: str = "") -> Iterator[Row]:
    """The rows without their pictures and lineart; of those the path, as `path`, where there is one."""
    with _opened(path) as table:
        schema = table.schema_arrow
        named = pa.types.is_struct(schema.field(column).type) and schema.field(column).type.get_field_index("path") >= 0
        others = [name for name in schema.names if name not in (column, line_column)]
        for batch in table.iter_batches(ROWS, columns=[*others, *([f"{column}.path"] if named else [])]):
            for row in batch.to_pylist():
                path_of = row.pop(column, None)
                yield row | ({"path": path_of["path"]} if path_of else {})


def _copy(table: pq.ParquetFile, column: str, leaf: str, blob: Path, limit: int) -> None:
    number = 0
    with publishing(blob) as file:
        tar = shards.TarWriter(file)
        for batch in table.iter_batches(BATCH, columns=[leaf]):
            for value in batch.column(column).to_pylist():
                data = value.get("bytes") if isinstance(value, dict) else value
                if data and len(data) <= limit:
                    tar.add(f"{number}", data)
                number += 1
        tar.close()


def _column(schema: pa.Schema, path: Path, wanted: str, line_column: str) -> tuple[str, str]:
    """The wanted or first column of pictures, and the part of it that holds their bytes. Raises: SourceError."""
    for field in schema:
        if field.name != wanted if wanted else field.name == line_column:
            continue
        if (
            pa.types.is_struct(field.type)
            and (place := field.type.get_field_index("bytes")) >= 0
            and _is_bytes(field.type.field(place).type)
        ):
            return field.name, f"{field.name}.bytes"
        if _is_bytes(field.type):
            return field.name, field.name
    if wanted:
        raise SourceError(
            f"{path}: no pictures in a column '{wanted}'. Type --set ingest.line_column= with one of: {', '.join(schema.names)}"
        )
    raise SourceError(f"{path}: no column of pictures (bytes, or a struct with bytes). For a list of URLs type: urls:{path}")


def _is_bytes(kind: pa.DataType) -> bool:
    return bool(pa.types.is_binary(kind) or pa.types.is_large_binary(kind))


def _id(path: Path, options: Options, column: str) -> str:
    status = path.stat()
    return hashlib.sha256(
        repr((VERSION, uri_of(path), status.st_size, status.st_mtime_ns, options.max_bytes, column)).encode()
    ).hexdigest()[:24]


@contextmanager
def _opened(path: Path) -> Iterator[pq.ParquetFile]:
    """Raises: SourceError: it is none, or broken."""
    try:
        with pq.ParquetFile(path) as table:
            yield table
    except (pa.ArrowException, EOFError) as error:
        raise SourceError(f"{path}: can't be read as parquet ({error}). Get the file anew, then type: parquet:{path}") from error
