"""Parquet files with pictures in them, as the Hub has them: one, a folder, or a pattern of URLs; caption,
tags and all other columns kept
"""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from anidata.errors import SourceError
from anidata.sources import Options, Record
from anidata.sources.listing.own import files_below
from anidata.sources.listing.samples import placeholder
from anidata.sources.listing.shards import below_of, urls_of
from anidata.sources.listing.sidecars import clean, digest_of, extra_of, from_fields
from anidata.sources.listing.tables import Row, Table, opened, pictures, rows
from anidata.sources.web.files import look_of, of_clouds, system_of, unread
from anidata.sources.web.secrets import refuse_secrets, scrubbed
from anidata.storage import WEB, Reference, encode, readable, uri_of

EXAMPLE = "parquet:data/train.parquet"
PREFIX = "parquet:"
TAKES = "a parquet file, a folder of them, or a URL or pattern of these"

# root, and for each file its path or URL and its name below the root, with a slash
Files = tuple[str, list[tuple[str, str]]]


def accepts(text: str) -> bool:
    return text.startswith(PREFIX)


def check(text: str) -> None:
    """Refuse a URL with credentials, which are never to be remembered. Raises: SourceError."""
    refuse_secrets(text)


def state(text: str, options: Options) -> str | None:
    """Names, sizes and dates of the files; None where a server says nothing of them."""
    if "://" in text:
        files = _elsewhere(text)[1]
        looks = [_look(location, options, one_of=len(files)) for location, _ in files]
        return repr((looks, options.line_column)) if all(looks) else None
    looks_here = [(path.name, path.stat().st_size, path.stat().st_mtime_ns) for path in _files(text)]
    return repr((looks_here, options.line_column))


def placeholders(text: str) -> Iterator[Record]:
    """For each table of a pattern of URLs the record that stands for it where it can't be had."""
    urls, root = urls_of(text.removeprefix(PREFIX)) if "://" in text else ([], "")
    return (placeholder(root, encode(below_of(url, root))) for url in urls if len(urls) > 1)


def records(text: str, options: Options) -> Iterator[Record]:
    root, files = _elsewhere(text) if "://" in text else _here(text, options.passed_by)
    for location, below in files:
        try:
            with opened(location, options) as table:
                yield from _of_table(table, root, below, options)
        except SourceError as error:
            if len(files) == 1:
                raise
            yield _spoilt(location, root, below, clean(f"{error}"))


def _spoilt(location: str, root: str, below: str, why: str) -> Record:
    """The row of one of several tables that can't be had."""
    if "://" in location:
        return replace(placeholder(root, below), error="unreadable", message=why, stamp=why)
    file = readable(location.rpartition("/")[2]) or "\ufffd"
    return Record(root=root, name=f"{below}table", file=file, error="corrupt", message=why, stamp=file)


def _look(location: str, options: Options, one_of: int) -> str | None:
    """Size and date of a table by URL; None: nobody says, or it is one of several and can't be had.

    Raises: SourceError: it is the only one.
    """
    try:
        return look_of(location, options)
    except SourceError:
        if one_of == 1:
            raise
        return None  # listing it says why


def _of_table(table: Table, root: str, below: str, options: Options) -> Iterator[Record]:
    column, references = pictures(table, options)
    lines = pictures(table, options, options.line_column)[1] if options.line_column else {}
    for number, row in enumerate(rows(table, column, options.line_column)):
        name, at = f"{below}{number}", references.get(number)
        record = _record(root, name, row, at, table.stamp)
        if number in lines:
            record = replace(record, line=lines[number], stamp=f"{record.stamp}-line")
        yield record


def _here(text: str, passed_by: set[Path]) -> Files:
    top = Path(text.removeprefix(PREFIX))
    return uri_of(top), [
        (str(path), encode(path.relative_to(top).as_posix()) + "/" if path != top else "")
        for path in _files(text, passed_by)
    ]


def _elsewhere(text: str) -> Files:
    """The tables behind a URL. Raises: SourceError: nothing there. MissingExtra."""
    url = text.removeprefix(PREFIX)
    urls, root = urls_of(url)
    if len(urls) == 1 and not url.startswith(WEB):
        urls = _below(url)
    return root, [(url, encode(below_of(url, root))) for url in urls]


def _below(url: str) -> list[str]:
    """The tables in a folder of a file system; a file is alone. Raises: SourceError: there are none."""
    system, path = system_of(url)
    try:
        with of_clouds():
            if not system.isdir(path):
                return [url]
            names = system.glob(f"{path.rstrip('/')}/**/*.parquet")
    except OSError as why:
        raise unread(url, why) from why
    if not names:
        raise SourceError(
            f"{scrubbed(url)}: no parquet file in that folder. "
            f"Type its URL: {PREFIX}s3://bucket/train.parquet"
        )
    return sorted(f"{url.rstrip('/')}/{name.removeprefix(path).lstrip('/')}" for name in names)


def _files(text: str, passed_by: set[Path] | None = None) -> list[Path]:
    """The tables that are named here. Raises: SourceError: there are none."""
    top = Path(text.removeprefix(PREFIX))
    if top.is_dir():
        files = sorted(p for p in files_below(top, passed_by) if p.name.endswith(".parquet") and p.is_file())
    else:
        files = [top] if top.is_file() else []
    if not files:
        raise SourceError(
            f"{text}: there is no such parquet file, or none in that folder. Type its path: {EXAMPLE}"
        )
    return files


def _record(root: str, name: str, row: Row, at: Reference | None, stamp: str) -> Record:
    fields = {clean(str(column)).lower(): value for column, value in row.items()}
    path = fields.pop("path", None)
    notes, extra = from_fields(fields), extra_of(fields)
    file = clean(path.replace("\\", "/").rpartition("/")[2]) if isinstance(path, str) else ""
    return Record(
        root=root,
        name=name,
        file=file or name.rpartition("/")[2],
        at=at,
        error=None if at else "empty",
        message=None if at else "no bytes in this row, or more than the limit",
        stamp=f"{stamp}-{digest_of(notes, extra)}",
        extra=extra,
        **notes.fields(),
    )
