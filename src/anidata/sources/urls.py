"""A list of URLs: txt, csv, tsv, jsonl or parquet, gzip too; fetched politely, with caption, tags, license and all other columns kept"""

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from anidata.errors import SourceError
from anidata.fetch.urls import BadURL, canonical, path_of
from anidata.sources import Options, Record
from anidata.sources._lists import column_of, rows
from anidata.sources._sidecars import clean, extra_of, from_fields
from anidata.storage import Reference, encode

EXAMPLE = "urls:list.csv"
PREFIX = "urls:"  # also the root of all: a URL in two lists is one sighting


def accepts(text: str) -> bool:
    return text.startswith(PREFIX)


def state(text: str, options: Options) -> str | None:
    """Size and date of a list that is here; of another only reading it tells."""
    place = text.removeprefix(PREFIX)
    if "://" in place:
        return None
    status = Path(place).stat()
    return f"{status.st_size} {status.st_mtime_ns} {options.url_column}"


def records(text: str, options: Options) -> Iterator[Record]:
    place = text.removeprefix(PREFIX)
    if not place:
        raise SourceError(f"{text}: which list? Type its path or URL: {EXAMPLE}")
    column = None
    for number, row in enumerate(rows(place), 1):
        if column is None and row:
            column = column_of(row, options.url_column, place)
        yield _record(row, column or "", f"{Path(place).name}/{number}")


def _record(row: dict[Any, Any], column: str, line: str) -> Record:
    value = row.get(column)
    found = clean(value) if isinstance(value, str) else ""
    others = {clean(str(name)).lower(): value for name, value in row.items() if name not in (column, None)}
    notes = from_fields(others)
    extra = extra_of(others)
    said = hashlib.sha256(repr((notes, extra)).encode()).hexdigest()[:12]
    try:
        url = canonical(found)
        place, file, why = Reference(url), clean(unquote(path_of(url).partition("?")[0].rpartition("/")[2])), None
    except BadURL as error:
        url, place, file, why = "", None, "", f"{line}: {error}" if found else f"{line} has no URL"
    return Record(
        root=PREFIX, name=encode(url or f"{line}/{found[:200]}"), file=file or "\ufffd", at=place,
        error="bad_url" if why else None, message=why, stamp=said, url=url or None, license=notes.license, artist=notes.artist,
        rating=notes.rating, tags=notes.tags, caption=notes.caption, extra=extra,
    )  # fmt: skip
