"""A list of URLs: txt, csv, tsv, jsonl or parquet, gzip too; fetched politely, with caption, tags, license and all other columns kept

A second column may hold the URLs of the artist's own lineart (--line-column): it is fetched beside its color picture, by the same rules.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from anidata.errors import SourceError
from anidata.fetch.urls import BadURL, canonical, path_of
from anidata.sources import Options, Record
from anidata.sources.listing.sidecars import clean, extra_of, from_fields
from anidata.sources.web.url_lists import column_of, rows
from anidata.storage import Reference, encode

EXAMPLE = "urls:list.csv"
PREFIX = "urls:"  # also the root of all: a URL in two lists is one sighting

Row = dict[Any, Any]  # csv keeps fields beyond its header under None


def accepts(text: str) -> bool:
    return text.startswith(PREFIX)


def state(text: str, options: Options) -> str | None:
    """Size and date of a list that is here; of another only reading it tells."""
    place = text.removeprefix(PREFIX)
    if "://" in place:
        return None
    status = Path(place).stat()
    return f"{status.st_size} {status.st_mtime_ns} {options.url_column} {options.line_column}"


def records(text: str, options: Options) -> Iterator[Record]:
    place = text.removeprefix(PREFIX)
    if not place:
        raise SourceError(f"{text}: which list? Type its path or URL: {EXAMPLE}")
    columns = None
    for number, row in enumerate(rows(place, options), 1):
        if columns is None and row:
            columns = _columns(row, place, options)
        yield _with_line(row, columns or ("", ""), f"{Path(place).name}/{number}")


def _columns(row: Row, place: str, options: Options) -> tuple[str, str]:
    """Those of the pictures and of their lineart. Raises: SourceError."""
    column = column_of(row, options.url_column, place)
    return column, column_of(row, options.line_column, place, "--line-column") if options.line_column else ""


def _with_line(row: Row, columns: tuple[str, str], place: str) -> Record:
    record = _record(row, columns, place)
    text = _text(row, columns[1])
    if not text or record.at is None:
        return record
    try:
        line, error = Reference(canonical(text)), None
    except BadURL:
        line, error = None, "bad_url"
    return replace(
        record,
        line=line,
        line_error=error,
        stamp=hashlib.sha256(f"{record.stamp} {text}".encode()).hexdigest()[:12],
    )


def _text(row: Row, column: str) -> str:
    value = row.get(column)
    return clean(value) if isinstance(value, str) else ""


def _record(row: Row, columns: tuple[str, str], line: str) -> Record:
    found = _text(row, columns[0])
    others = {
        clean(str(name)).lower(): value
        for name, value in row.items()
        if name is not None and name not in columns
    }
    notes = from_fields(others)
    extra = extra_of(others)
    said = hashlib.sha256(repr((notes, extra)).encode()).hexdigest()[:12]
    try:
        url = canonical(found)
        place, file, why = (
            Reference(url),
            clean(unquote(path_of(url).partition("?")[0].rpartition("/")[2])),
            None,
        )
    except BadURL as error:
        url, place, file, why = "", None, "", f"{line}: {error}" if found else f"{line} has no URL"
    return Record(
        root=PREFIX, name=encode(url or f"{line}/{found[:200]}"), file=file or "\ufffd", at=place,
        error="bad_url" if why else None, message=why, stamp=said, url=url or None, license=notes.license, artist=notes.artist,
        rating=notes.rating, tags=notes.tags, caption=notes.caption, extra=extra,
    )  # fmt: skip
