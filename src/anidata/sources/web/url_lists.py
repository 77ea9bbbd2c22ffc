"""Lists of URLs: txt, csv, tsv, jsonl, parquet, packed by gzip or not, here or wherever fsspec reaches. Rows come one by one, never all at once."""

import csv
import gzip
import io
import json
import re
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import IO, Any, cast

from anidata.errors import MissingExtra, SourceError
from anidata.sources import Options
from anidata.sources.listing.sidecars import clean
from anidata.sources.web.files import check_plain, whole
from anidata.storage import WEB

COLUMNS = (
    "url",
    "image_url",
    "file_url",
    "img_url",
    "imageurl",
    "image",
    "src",
    "link",
    "uri",
)  # of URLs, the first found
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
LONGEST = 1 << 24  # characters of one field
ALONE = "url"  # the column of a list that has no others

Row = dict[str, Any]


def rows(place: str, options: Options) -> Iterator[Row]:
    """The rows of a list, by column. Raises: SourceError: there is none, or it is none."""
    with _opened(place, options) as file:
        form = _form(place, file)
        try:
            yield from _parquet(file) if form == "parquet" else _text(form, file)
        except (OSError, EOFError, ValueError, csv.Error) as error:  # ValueError: pyarrow's too
            raise SourceError(
                f"{place}: can't be read as {form} ({error}). Mend it, or name it by its true ending: {', '.join(FORMS)}"
            ) from error


def column_of(found: Iterable[str], wanted: str, place: str, option: str = "--url-column") -> str:
    """The column that holds the URLs; option: by which it can be named. Raises: SourceError: none does."""
    names = [str(name) for name in found]
    by_name = {name.strip().lower(): name for name in reversed(names)}
    for name in (wanted,) if wanted else COLUMNS:
        if name in names or name.lower() in by_name:
            return name if name in names else by_name[name.lower()]
    raise SourceError(
        f"{place}: no column '{wanted or COLUMNS[0]}'. Type {option} with one of: {', '.join(names[:20])}"
    )


@contextmanager
def _opened(place: str, options: Options) -> Iterator[IO[bytes]]:
    with _file(place, options) as raw:
        if raw.read(2) == b"\x1f\x8b":
            raw.seek(0)
            with gzip.open(raw) as unpacked:
                yield cast("IO[bytes]", unpacked)
            return
        raw.seek(0)
        yield raw


def _file(place: str, options: Options) -> AbstractContextManager[IO[bytes]]:
    """Raises: SourceError, MissingExtra."""
    check_plain(place)
    if place.startswith(WEB):
        return whole(place, options)
    if "://" not in place:
        path = Path(place)
        if not path.is_file():
            raise SourceError(
                f"{place}: there is no such list. Type the path or URL of a txt, csv, tsv, jsonl or parquet: urls:list.csv"
            )
        return open(path, "rb")
    try:
        import fsspec  # noqa: PLC0415

        return cast("AbstractContextManager[IO[bytes]]", fsspec.open(place, "rb"))
    except ImportError as error:
        raise MissingExtra(
            f"{place}: {error}. Install what reads it with: pip install 'anidata[web]'"
        ) from error
    except ValueError as error:
        raise SourceError(f"{place}: {error}. Type the path or URL of a list: urls:list.csv") from error


def _form(place: str, file: IO[bytes]) -> str:
    """By the name's ending, .gz left out; by content where that says nothing."""
    name = re.sub(r"[?#].*", "", place) if "://" in place else place
    form = FORMS.get(Path(name.removesuffix(".gz")).suffix.lower())
    if form:
        return form
    head = file.read(64)
    file.seek(0)
    return "parquet" if head.startswith(b"PAR1") else "jsonl" if head.lstrip().startswith(b"{") else "txt"


def _text(form: str, file: IO[bytes]) -> Iterator[Row]:
    lines = io.TextIOWrapper(file, encoding="utf-8-sig", errors="replace", newline="")
    with nullcontext(lines):
        if form in ("csv", "tsv"):
            csv.field_size_limit(LONGEST)
            yield from csv.DictReader(
                (line.replace("\0", "") for line in lines), delimiter="\t" if form == "tsv" else ","
            )
        else:
            for line in lines:
                if text := clean(line):
                    yield from (
                        _object(text)
                        if form == "jsonl"
                        else [{ALONE: text}]
                        if not text.startswith("#")
                        else []
                    )
    lines.detach()


def _object(text: str) -> list[Row]:
    """A line of jsonl; one that is broken doesn't take the others along: it is a row without a URL."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return [{}]
    return [value if isinstance(value, dict) else {}]


def _parquet(file: IO[bytes]) -> Iterator[Row]:
    import pyarrow.parquet as pq  # noqa: PLC0415

    with pq.ParquetFile(file) as table:
        for batch in table.iter_batches(BATCH):
            yield from batch.to_pylist()
