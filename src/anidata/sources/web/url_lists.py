"""Lists of URLs: txt, csv, tsv, jsonl, parquet, packed by gzip or not, here or wherever fsspec reaches.

Rows come one by one, never all at once. A location is a path or a URL.
"""

import csv
import gzip
import io
import re
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial
from pathlib import Path
from typing import IO, Any, TypeVar, cast

from anidata.errors import SourceError
from anidata.sources import Options
from anidata.sources.listing.sidecars import clean
from anidata.sources.web.files import check_plain, whole
from anidata.tar import opening, untrusted

# of URLs, the first that there is
COLUMNS = ("url", "image_url", "file_url", "img_url", "imageurl", "image", "src", "link", "uri")
FORMS = {
    ".txt": "txt",
    ".csv": "csv",
    ".tsv": "tsv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".parquet": "parquet",
    ".pq": "parquet",
}
BATCH = 1024  # rows of a parquet read at once
EMPTY = '""\n'  # a line that csv takes for a row
ALONE = "url"  # the column of a list that has no others

Row = dict[str, Any]
T = TypeVar("T")


def rows(location: str, options: Options) -> Iterator[Row]:
    """Yield the rows of a list, by column. Raises: SourceError: there is none, or it is none."""
    with _opened(location, options) as file:
        form = _form(location, file)
        try:
            yield from _parquet(file) if form == "parquet" else _text(form, file)
        except (OSError, EOFError, ValueError, csv.Error, zlib.error) as error:  # ValueError: pyarrow's too
            raise SourceError(
                f"{location}: can't be read as {form} ({error}). "
                f"Mend it, or name it by its true ending: {', '.join(FORMS)}"
            ) from error


def column_of(columns: Iterable[str], wanted: str, location: str, option: str = "--url-column") -> str:
    """The column that holds the URLs; option: by which it can be named. Raises: SourceError: none does."""
    names = [str(name) for name in columns]
    by_name = {name.strip().lower(): name for name in reversed(names)}
    for name in (wanted,) if wanted else COLUMNS:
        if name in names or name.lower() in by_name:
            return name if name in names else by_name[name.lower()]
    raise SourceError(
        f"{location}: no column '{wanted or COLUMNS[0]}'. Type {option} with one of: {', '.join(names[:20])}"
    )


@contextmanager
def _opened(location: str, options: Options) -> Iterator[IO[bytes]]:
    with _file(location, options) as raw:
        if raw.read(2) == b"\x1f\x8b":
            raw.seek(0)
            with gzip.open(raw) as unpacked:
                yield untrusted.buffered(cast("IO[bytes]", unpacked), raw)
            return
        raw.seek(0)
        yield raw


def _file(location: str, options: Options) -> AbstractContextManager[IO[bytes]]:
    """Open a list, wherever it is. Raises: SourceError, MissingExtra."""
    check_plain(location)
    return whole(location, options) if "://" in location else _here(location)


def _here(location: str) -> AbstractContextManager[IO[bytes]]:
    path = Path(location)
    if not path.is_file():
        raise SourceError(
            f"{location}: there is no such list. "
            "Type the path or URL of a txt, csv, tsv, jsonl or parquet: urls:list.csv"
        )
    return opening.opened(path)


def _form(location: str, file: IO[bytes]) -> str:
    """The form of a list by its name's ending, .gz left out; by content where that says nothing."""
    name = re.sub(r"[?#].*", "", location) if "://" in location else location
    form = FORMS.get(Path(name.removesuffix(".gz")).suffix.lower())
    if form:
        return form
    head = file.read(64)
    file.seek(0)
    if head.startswith(b"PAR1"):
        return "parquet"
    return "jsonl" if head.lstrip().startswith(b"{") else "txt"


def _text(form: str, file: IO[bytes]) -> Iterator[Row]:
    lines = io.TextIOWrapper(file, encoding="utf-8-sig", errors="replace", newline="")
    with nullcontext(lines):
        yield from TEXT_READERS[form](untrusted.lines(lines))
    lines.detach()


def _separated(lines: Iterable[str | None], delimiter: str) -> Iterator[Row]:
    texts = (EMPTY if line is None else line.replace("\0", "") for line in lines)
    reader = csv.DictReader(texts, delimiter=delimiter)
    untrusted.columns(_with_long_fields(lambda: reader.fieldnames))
    while (row := _next_row(reader)) is not None:
        yield row


def _next_row(reader: Iterator[Row]) -> Row | None:
    return _with_long_fields(lambda: next(reader, None))


def _with_long_fields(read: Callable[[], T]) -> T:
    """Read with long fields: csv's limit holds for the whole process, and is put back at once."""
    limit = csv.field_size_limit(untrusted.LONGEST_LINE)
    try:
        return read()
    finally:
        csv.field_size_limit(limit)


def _objects(lines: Iterable[str | None]) -> Iterator[Row]:
    for line in lines:
        if line is None:
            yield {}
        elif text := clean(line):
            yield _object(text)


def _urls_alone(lines: Iterable[str | None]) -> Iterator[Row]:
    for line in lines:
        text = clean(line or "")
        if line is None or (text and not text.startswith("#")):
            yield {ALONE: text}


# A line that is longer than any row is one without a URL.
TEXT_READERS: dict[str, Callable[[Iterable[str | None]], Iterator[Row]]] = {
    "csv": partial(_separated, delimiter=","),
    "tsv": partial(_separated, delimiter="\t"),
    "jsonl": _objects,
    "txt": _urls_alone,
}


def _object(text: str) -> Row:
    """A line of jsonl; one that is broken doesn't take the others along: it is a row without a URL."""
    try:
        value = untrusted.read_json(text)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


def _parquet(file: IO[bytes]) -> Iterator[Row]:
    import pyarrow.parquet as pq  # noqa: PLC0415

    from anidata.sources.listing import cells  # noqa: PLC0415

    with pq.ParquetFile(file, **untrusted.PARQUET_BOUNDS) as table:
        untrusted.columns(table.schema_arrow.names)
        for batch in table.iter_batches(BATCH):
            yield from cells.rows(batch)
