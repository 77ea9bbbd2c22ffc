"""Shards: the tars that a path, a folder, a URL or a pattern with braces names, here or wherever fsspec reaches, and img2dataset's tables."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path
from typing import IO, Any

from anidata.errors import SourceError
from anidata.sources import Options
from anidata.sources.archives.archive import PACKED_TAR, members, streamed
from anidata.sources.listing.files import Found
from anidata.sources.web.files import STAMPS, UNSIZED, system_of, tar_members
from anidata.storage import WEB, uri_of

ENDINGS = (".tar", *PACKED_TAR)
MOST = 1 << 20  # shards of one pattern
COLUMNS = ("key", "status")  # of a table that img2dataset wrote
LONGEST = 500  # characters of what went wrong
BATCH = 1024  # rows of a table held at once

Row = dict[str, Any]


@dataclass(frozen=True)
class Shard:
    """One tar."""

    place: str  # path or URL
    below: str  # its name below the source's root, with a slash at its end; empty where it is the root

    def members(self, options: Options) -> list[Found]:
        """Raises: MissingExtra: nothing here reads such URLs."""
        return _remote(self.place, options) if "://" in self.place else members(Path(self.place), options)


def shards_of(text: str) -> tuple[str, list[Shard]]:
    """The root of a source as a URI, and its shards by name.

    Raises: SourceError: there are none.
    """
    if "://" in text:
        places = list(expanded(text))
        root = text if len(places) == 1 else text[: text.index("{")].rpartition("/")[0]
        return root, [
            Shard(place, "" if place == root else place.removeprefix(root).lstrip("/") + "/")
            for place in places
        ]
    if Path(text).is_dir():
        found = sorted(
            path for path in Path(text).rglob("*") if path.name.endswith(ENDINGS) and path.is_file()
        )
        if found:
            return uri_of(Path(text)), [
                Shard(str(path), path.relative_to(text).as_posix() + "/") for path in found
            ]
    files = (
        [Path(text)]
        if Path(text).is_file()
        else [path for place in expanded(text) if (path := Path(place)).is_file()]
    )
    if not files or not text:
        raise SourceError(
            f"{text}: there is no such tar, or none in that folder. Type a folder of tars, a tar or a pattern: webdataset:a-{{00..99}}.tar"
        )
    if len(files) == 1:
        return uri_of(files[0]), [Shard(str(files[0]), "")]
    top = Path(text[: text.index("{")] + "_").parent
    return uri_of(top), [Shard(str(path), path.relative_to(top).as_posix() + "/") for path in files]


def look_of(text: str) -> str | None:
    """Names, sizes and dates of the tars and of the tables beside them; None where they are not here."""
    if "://" in text:
        return None
    looks = []
    for shard in shards_of(text)[1]:
        for path in (Path(shard.place), _table_beside(shard.place)):
            if path.is_file():
                status = path.stat()
                looks.append((str(path), status.st_size, status.st_mtime_ns))
    return repr(looks)


def rows_of(shard: Shard) -> dict[str, Row]:
    """What img2dataset's table beside a tar says, by key; nothing where there is none."""
    path = _table_beside(shard.place)
    if "://" in shard.place or not path.is_file():
        return {}
    import pyarrow as pa  # noqa: PLC0415
    import pyarrow.parquet as pq  # noqa: PLC0415

    try:
        with pq.ParquetFile(path) as table:
            if not set(COLUMNS) <= set(table.schema_arrow.names):
                return {}
            return {str(row["key"]): row for batch in table.iter_batches(BATCH) for row in batch.to_pylist()}
    except (pa.ArrowException, EOFError) as error:
        raise SourceError(
            f"{path}: can't be read as parquet ({error}). Get the file anew, or move it away; then type the same"
        ) from error


def _table_beside(place: str) -> Path:
    return Path(re.sub(r"\.tar(\.\w+)?$", "", place) + ".parquet")


def expanded(text: str) -> Iterator[str]:
    """All that a pattern names, as bash would: {00..12} and {a,b}. Raises: SourceError: too many."""
    found = list(islice(_all(text), MOST + 1))
    if len(found) > MOST:
        raise SourceError(f"{text}: more than {MOST:,} names. Type a folder, or several patterns")
    return iter(found)


def _all(text: str) -> Iterator[str]:
    match = re.search(r"\{([^{}]*)\}", text)
    if not match:
        yield text
        return
    before, rest = text[: match.start()], text[match.end() :]
    numbers = re.fullmatch(r"(\d{1,9})\.\.(\d{1,9})", match[1])
    choices = (
        (f"{n:0{len(numbers[1])}d}" for n in range(int(numbers[1]), int(numbers[2]) + 1))
        if numbers
        else iter(match[1].split(","))
    )
    for choice in choices:
        for tail in _all(rest):
            yield before + choice + tail


def _remote(url: str, options: Options) -> list[Found]:
    """The members of a tar elsewhere; where it can't be had, one row that says so."""
    if url.startswith(WEB):
        return tar_members(url, options)
    system, path = system_of(url)
    try:
        with _network_errors():
            about = system.info(path)
    except OSError as error:
        return [Found("", error="unreadable", message=str(error)[:LONGEST])]
    size = about.get("size") or UNSIZED
    stamp = f"{about.get('size')}.{next((str(about[name]) for name in STAMPS if about.get(name)), '')}"
    return streamed(url, size, stamp, partial(_opened, system, path), options)


@contextmanager
def _opened(system: Any, path: str) -> Iterator[IO[bytes]]:
    with _network_errors(), system.open(path, "rb") as file:
        yield file


@contextmanager
def _network_errors() -> Iterator[None]:
    """Raises: OSError: for whatever of its own aiohttp raises."""
    try:
        import aiohttp  # noqa: PLC0415

        kinds: tuple[type[Exception], ...] = (aiohttp.ClientError,)
    except ImportError:
        kinds = ()
    try:
        yield
    except kinds as error:
        raise OSError(f"{type(error).__name__}: {error}") from error
