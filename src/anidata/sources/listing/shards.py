"""Shards: the tars that a path, a folder, a URL or a pattern with braces names, and img2dataset's tables.

They lie here, or wherever fsspec reaches.
"""

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
from anidata.sources.listing.files import ListedFile
from anidata.sources.listing.own import files_below
from anidata.sources.web.files import UNSIZED, date_of, of_clouds, system_of, tar_members
from anidata.storage import WEB, uri_of
from anidata.tar import opening, untrusted
from anidata.tar.untrusted import PARQUET_BOUNDS as BOUNDS

ENDINGS = (".tar", *PACKED_TAR)
MOST = 1 << 20  # shards of one pattern
COLUMNS = ("key", "status")  # of a table that img2dataset wrote
LONGEST = 500  # characters of what went wrong
BATCH = 1024  # rows of a table held at once

Row = dict[str, Any]


@dataclass(frozen=True)
class SourceShard:
    """One tar of a source."""

    location: str  # path or URL
    below: str  # its name below the source's root, with a slash at its end; empty where it is the root

    def members(self, options: Options) -> list[ListedFile]:
        """List what is in it. Raises: MissingExtra: nothing here reads such URLs."""
        if "://" in self.location:
            return _remote(self.location, options)
        return members(Path(self.location), options)


def shards_of(text: str, passed_by: set[Path] | None = None) -> tuple[str, list[SourceShard]]:
    """The root of a source as a URI, and its shards by name; passed_by: see `files_below`.

    Raises: SourceError: there are none.
    """
    if "://" in text:
        return _by_url(text)
    top = Path(text)
    paths = sorted(path for path in files_below(top, passed_by) if _is_tar(path))
    if paths:
        return _below(top, paths)
    paths = [top] if top.is_file() else [path for path in map(Path, expanded(text)) if path.is_file()]
    if not paths:
        raise SourceError(
            f"{text}: there is no such tar, or none in that folder. "
            "Type a folder of tars, a tar or a pattern: webdataset:a-{00..99}.tar"
        )
    if len(paths) == 1:
        return uri_of(paths[0]), [SourceShard(str(paths[0]), "")]
    return _below(Path(text[: text.index("{")] + "_").parent, paths)


def _by_url(text: str) -> tuple[str, list[SourceShard]]:
    urls, root = urls_of(text)
    return root, [SourceShard(url, below_of(url, root)) for url in urls]


def urls_of(text: str) -> tuple[list[str], str]:
    """The URLs that a pattern names, and their root: the folder above, or the one URL itself."""
    urls = list(expanded(text))
    return urls, text if len(urls) == 1 else text[: text.index("{")].rpartition("/")[0]


def below_of(url: str, root: str) -> str:
    """The name of a URL below the root, with a slash at its end; empty where it is the root."""
    return "" if url == root else url.removeprefix(root).lstrip("/") + "/"


def _is_tar(path: Path) -> bool:
    return path.name.endswith(ENDINGS) and path.is_file()


def _below(top: Path, paths: list[Path]) -> tuple[str, list[SourceShard]]:
    shards = [SourceShard(str(path), path.relative_to(top).as_posix() + "/") for path in paths]
    return uri_of(top), shards


def look_of(text: str) -> str | None:
    """Names, sizes and dates of the tars and of the tables beside them; None where they are not here."""
    if "://" in text:
        return None
    looks = []
    for shard in shards_of(text)[1]:
        for path in (Path(shard.location), _table_beside(shard.location)):
            if path.is_file():
                status = path.stat()
                looks.append((str(path), status.st_size, status.st_mtime_ns))
    return repr(looks)


def rows_of(shard: SourceShard) -> dict[str, Row]:
    """The rows of img2dataset's table beside a tar, by key; nothing where there is none."""
    path = _table_beside(shard.location)
    if "://" in shard.location or not path.is_file():
        return {}
    import pyarrow as pa  # noqa: PLC0415
    import pyarrow.parquet as pq  # noqa: PLC0415

    from anidata.sources.listing import cells  # noqa: PLC0415

    try:
        opening.check(path)
        with pq.ParquetFile(path, **BOUNDS) as table:
            untrusted.columns(table.schema_arrow.names)
            if not set(COLUMNS) <= set(table.schema_arrow.names):
                return {}
            batches = table.iter_batches(BATCH)
            return {str(row["key"]): row for batch in batches for row in cells.rows(batch)}
    except (pa.ArrowException, EOFError, OSError, ValueError) as error:  # names that are no UTF-8
        raise SourceError(
            f"{path}: can't be read as parquet ({error}). "
            "Get the file anew, or move it away; then type the same"
        ) from error


def _table_beside(location: str) -> Path:
    return Path(re.sub(r"\.tar(\.\w+)?$", "", location) + ".parquet")


def expanded(text: str) -> Iterator[str]:
    """All that a pattern names, as bash would: {00..12} and {a,b}. Raises: SourceError: too many."""
    names = list(islice(_all(text), MOST + 1))
    if len(names) > MOST:
        raise SourceError(f"{text}: more than {MOST:,} names. Type a folder, or several patterns")
    return iter(names)


def _all(text: str) -> Iterator[str]:
    match = re.search(r"\{([^{}]*)\}", text)
    if not match:
        yield text
        return
    before, after = text[: match.start()], text[match.end() :]
    for choice in _choices(match[1]):
        for tail in _all(after):
            yield before + choice + tail


def _choices(braced: str) -> Iterator[str]:
    """Yield the choices in a pattern's braces: 00..12 counts, as wide as its first number."""
    numbers = re.fullmatch(r"(\d{1,9})\.\.(\d{1,9})", braced)
    if not numbers:
        yield from braced.split(",")
        return
    first, last = numbers.groups()
    for number in range(int(first), int(last) + 1):
        yield f"{number:0{len(first)}d}"


def _remote(url: str, options: Options) -> list[ListedFile]:
    """The members of a tar elsewhere; where it can't be had, one row that says so."""
    if url.startswith(WEB):
        return tar_members(url, options)
    system, path = system_of(url)
    try:
        with of_clouds():
            about = system.info(path)
    except OSError as error:
        return [ListedFile(path="", error="unreadable", message=str(error)[:LONGEST])]
    stamp = f"{about.get('size')}.{date_of(about)}"
    return streamed(url, about.get("size") or UNSIZED, stamp, partial(_opened, system, path), options)


@contextmanager
def _opened(system: Any, path: str) -> Iterator[IO[bytes]]:
    with of_clouds(), system.open(path, "rb") as file:
        yield file
