"""A list of URLs: txt, csv, tsv, jsonl or parquet, gzip too; fetched politely, with caption, tags, license
and all other columns kept

A second column may hold the URLs of the artist's own lineart (--line-column): it is fetched beside its color
picture, by the same rules.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from anidata.fetch.urls import BadURL, canonical, path_of
from anidata.sources import Options, Record
from anidata.sources.listing.sidecars import clean, digest_of, extra_of, from_fields
from anidata.sources.web.secrets import refuse_secrets, scrubbed
from anidata.sources.web.url_lists import column_of, rows
from anidata.storage import Reference, encode

EXAMPLE = "urls:list.csv"
PREFIX = "urls:"  # also the root of all: a URL in two lists is one sighting
TAKES = "the path or URL of a txt, csv, tsv, jsonl or parquet"

Row = dict[Any, Any]  # csv keeps fields beyond its header under None


@dataclass(frozen=True)
class Columns:
    """The columns with URLs: of the pictures, and of their lineart; empty: there is none."""

    picture: str = ""
    line: str = ""


def accepts(text: str) -> bool:
    return text.startswith(PREFIX)


def check(text: str) -> None:
    """Refuse a URL with credentials, which are never to be remembered. Raises: SourceError."""
    refuse_secrets(text)


def state(text: str, options: Options) -> str | None:
    """Size and date of a list that is here; of another only reading it tells."""
    location = text.removeprefix(PREFIX)
    if "://" in location:
        return None
    status = Path(location).stat()
    return f"{status.st_size} {status.st_mtime_ns} {options.url_column} {options.line_column}"


def records(text: str, options: Options) -> Iterator[Record]:
    location = text.removeprefix(PREFIX)
    columns = None
    for number, row in enumerate(rows(location, options), 1):
        if columns is None and row:
            columns = _columns(row, location, options)
        yield _with_line(row, columns or Columns(), f"{Path(location).name}/{number}")


def _columns(row: Row, location: str, options: Options) -> Columns:
    """The columns that are named, or called as such columns are. Raises: SourceError."""
    picture = column_of(row, options.url_column, location)
    if not options.line_column:
        return Columns(picture)
    return Columns(picture, column_of(row, options.line_column, location, "--line-column"))


def _with_line(row: Row, columns: Columns, where: str) -> Record:
    record = _record(row, columns, where)
    text = _text(row, columns.line) if columns.line else ""  # a column may have no name
    if not text or record.at is None:
        return record
    stamp = hashlib.sha256(f"{record.stamp} {text}".encode()).hexdigest()[:12]
    try:
        return replace(record, line=Reference(canonical(text)), stamp=stamp)
    except BadURL:
        return replace(record, line_error="bad_url", stamp=stamp)


def _text(row: Row, column: str) -> str:
    value = row.get(column)
    return clean(value) if isinstance(value, str) else ""


def _record(row: Row, columns: Columns, where: str) -> Record:
    """where: list and number of the row, for messages."""
    others = _other_fields(row, columns)
    notes, extra = from_fields(others), extra_of(others)
    stamp = digest_of(notes, extra)
    text = _text(row, columns.picture)
    try:
        url = canonical(text)
        file = clean(unquote(path_of(url).partition("?")[0].rpartition("/")[2]))
    except BadURL as error:
        return Record(
            root=PREFIX,
            name=encode(f"{where}/{scrubbed(text)[:200]}"),
            file="\ufffd",
            error="bad_url",
            message=f"{where}: {error}" if text else f"{where} has no URL",
            stamp=stamp,
            extra=extra,
            **notes.fields() | {"url": None},
        )
    return Record(
        root=PREFIX,
        name=encode(url),
        file=file or "\ufffd",
        at=Reference(url),
        stamp=stamp,
        extra=extra,
        **notes.fields() | {"url": url},
    )


def _other_fields(row: Row, columns: Columns) -> Row:
    urls = (None, columns.picture, columns.line)
    return {clean(str(name)).lower(): value for name, value in row.items() if name not in urls}
