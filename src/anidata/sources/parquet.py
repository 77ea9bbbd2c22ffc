"""Parquet files with pictures in them, as the Hub has them: one, a folder, or a pattern of URLs; caption, tags and all other columns kept"""

import hashlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from anidata.errors import SourceError
from anidata.sources import Options, Record
from anidata.sources.listing.shards import expanded
from anidata.sources.listing.sidecars import clean, extra_of, from_fields
from anidata.sources.listing.tables import opened, pictures, rows
from anidata.sources.web.files import look_of, system_of
from anidata.sources.web.secrets import has_secrets, scrubbed
from anidata.storage import WEB, Reference, encode, uri_of

EXAMPLE = "parquet:data/train.parquet"
PREFIX = "parquet:"

Files = tuple[
    str, list[tuple[str, str]]
]  # root, and for each file its place and its name below the root, with a slash


def accepts(text: str) -> bool:
    return text.startswith(PREFIX)


def check(text: str) -> None:
    """Raises: SourceError: a URL with credentials, which are never to be remembered."""
    if "://" in text and has_secrets(text):
        raise SourceError(
            f"{scrubbed(text)}: credentials in a URL would be written down. Type it without: fsspec takes them from its own config"
        )


def state(text: str, options: Options) -> str | None:
    """Names, sizes and dates of the files; None where a server says nothing of them."""
    if "://" in text:
        looks = [look_of(place, options) for place, _ in _elsewhere(text)[1]]
        return repr((looks, options.line_column)) if all(looks) else None
    found = [(path.name, path.stat().st_size, path.stat().st_mtime_ns) for path in _files(text)]
    return repr((found, options.line_column))


def records(text: str, options: Options) -> Iterator[Record]:
    root, files = _elsewhere(text) if "://" in text else _here(text)
    for place, below in files:
        with opened(place, options) as table:
            column, places = pictures(table, options)
            lines = pictures(table, options, options.line_column)[1] if options.line_column else {}
            for number, row in enumerate(rows(table, column, options.line_column)):
                record = _record(root, f"{below}{number}", row, places.get(number), table.stamp)
                yield (
                    replace(record, line=lines.get(number), stamp=f"{record.stamp}-line")
                    if number in lines
                    else record
                )


def _here(text: str) -> Files:
    top = Path(text.removeprefix(PREFIX))
    return uri_of(top), [
        (str(path), encode(path.relative_to(top).as_posix()) + "/" if path != top else "")
        for path in _files(text)
    ]


def _elsewhere(text: str) -> Files:
    """Raises: SourceError: nothing there. MissingExtra."""
    url = text.removeprefix(PREFIX)
    places = list(expanded(url))
    root = url if len(places) == 1 else url[: url.index("{")].rpartition("/")[0]
    if len(places) == 1 and not url.startswith(WEB):
        places = _below(url)
    return root, [
        (place, encode(place.removeprefix(root).lstrip("/")) + "/" if place != root else "")
        for place in places
    ]


def _below(url: str) -> list[str]:
    """The tables in a folder of a file system; a file is alone. Raises: SourceError: there are none."""
    system, path = system_of(url)
    if not system.isdir(path):
        return [url]
    found = sorted(
        f"{url.rstrip('/')}/{name.removeprefix(path).lstrip('/')}"
        for name in system.glob(f"{path.rstrip('/')}/**/*.parquet")
    )
    if not found:
        raise SourceError(
            f"{scrubbed(url)}: no parquet file in that folder. Type its URL: {PREFIX}s3://bucket/train.parquet"
        )
    return found


def _files(text: str) -> list[Path]:
    """Raises: SourceError: there are none."""
    place = Path(text.removeprefix(PREFIX))
    found = (
        sorted(path for path in place.rglob("*.parquet") if path.is_file())
        if place.is_dir()
        else [place]
        if place.is_file()
        else []
    )
    if text == PREFIX or not found:
        raise SourceError(
            f"{text}: there is no such parquet file, or none in that folder. Type its path: {EXAMPLE}"
        )
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
