"""Parquet files with pictures in them, as the Hub has them: one, or a folder of them; caption, tags, license and all other columns kept"""

import hashlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from anidata.errors import SourceError
from anidata.sources import Options, Record
from anidata.sources._sidecars import clean, extra_of, from_fields
from anidata.sources._tables import pictures, rows
from anidata.storage import Reference, encode, uri_of

EXAMPLE = "parquet:data/train.parquet"
PREFIX = "parquet:"


def accepts(text: str) -> bool:
    return text.startswith(PREFIX)


def state(text: str, options: Options) -> str:
    """Names, sizes and dates of the files."""
    found = [(path.name, path.stat().st_size, path.stat().st_mtime_ns) for path in _files(text)]
    return repr((found, options.line_column))


def records(text: str, options: Options) -> Iterator[Record]:
    files = _files(text)
    top = Path(text.removeprefix(PREFIX))
    for path in files:
        column, places = pictures(path, options)
        lines = pictures(path, options, options.line_column)[1] if options.line_column else {}
        stamp = f"{path.stat().st_size}.{path.stat().st_mtime_ns}"
        below = encode(path.relative_to(top).as_posix()) + "/" if path != top else ""
        for number, row in enumerate(rows(path, column, options.line_column)):
            record = _record(uri_of(top), f"{below}{number}", row, places.get(number), stamp)
            yield replace(record, line=lines.get(number), stamp=f"{record.stamp}-line") if number in lines else record


def _files(text: str) -> list[Path]:
    """Raises: SourceError: there are none."""
    place = Path(text.removeprefix(PREFIX))
    found = sorted(path for path in place.rglob("*.parquet") if path.is_file()) if place.is_dir() else [place] if place.is_file() else []
    if text == PREFIX or not found:
        raise SourceError(f"{text}: there is no such parquet file, or none in that folder. Type its path: {EXAMPLE}")
    return found


def _record(root: str, name: str, row: dict[str, Any], at: Reference | None, stamp: str) -> Record:
    fields = {clean(str(column)).lower(): value for column, value in row.items()}
    path = fields.pop("path", None)
    notes, extra = from_fields(fields), extra_of(fields)
    said = hashlib.sha256(repr((notes, extra)).encode()).hexdigest()[:12]
    file = clean(path.replace("\\", "/").rpartition("/")[2]) if isinstance(path, str) else ""
    why = None if at else ("empty", "no bytes in this row, or more than the limit")
    return Record(
        root=root, name=name, file=file or name.rpartition("/")[2], at=at, error=why and why[0], message=why and why[1], stamp=f"{stamp}-{said}",
        url=notes.url, license=notes.license, artist=notes.artist, rating=notes.rating, tags=notes.tags, caption=notes.caption, extra=extra,
    )  # fmt: skip
