"""Lists, tables and tars elsewhere. By http or https they are read over checked addresses, not by fsspec, which asks any and follows any redirect."""

import io
import re
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, Any

from anidata import fetch
from anidata.errors import MissingExtra, SourceError
from anidata.sources import Options
from anidata.sources.archives.archive import streamed
from anidata.sources.listing.files import Found
from anidata.sources.web.secrets import scrubbed
from anidata.storage import WEB, unwritable

MOST = 1 << 36  # bytes of a list or table
STAMPS = (
    "ETag",
    "etag",
    "LastModified",
    "last_modified",
    "mtime",
    "created",
    "updated",
)  # what file systems say of a file's age
UNSIZED = (
    1 << 50
)  # bytes that a tar is taken for whose server doesn't say: the limits of one archive still hold
BUFFER = 1 << 20  # bytes held of what comes


def check_plain(place: str) -> None:
    """Raises: SourceError: http within another of fsspec's URLs, as in simplecache::http://, where nothing would be checked."""
    if re.search(r"::https?:", place, re.IGNORECASE):
        raise SourceError(
            f"{scrubbed(place)}: a web address within another URL isn't read, as nothing would check it. Type it alone"
        )


def tar_members(url: str, options: Options) -> list[Found]:
    """The members of a tar; where it can't be had, one row that says so. Raises: MissingExtra, StorageError."""
    fetch.require()
    from anidata.fetch.reading import opened  # noqa: PLC0415  aiohttp: for those alone who fetch

    try:
        with opened(url, _config(options)) as file:
            stamp = f"{file.size}.{file.etag or file.modified}"
            return streamed(
                url, file.size or UNSIZED, stamp, partial(io.BufferedReader, file, BUFFER), options
            )
    except fetch.FetchError as why:
        return [Found("", error=why.code, message=why.message)]


@contextmanager
def whole(place: str, options: Options) -> Iterator[IO[bytes]]:
    """A file by any URL, all of it on disk: parquet is read from its end. Raises: SourceError, MissingExtra, StorageError."""
    with _temporary(options.base / "tmp") as file:
        for chunk in _chunks(place, _opener(place, options)):
            try:
                file.write(chunk)
            except OSError as error:
                raise unwritable(options.base / "tmp", error) from error
        file.seek(0)
        yield file


def look_of(place: str, options: Options) -> str | None:
    """Size and date of a file by any URL, by its server's word; None: it says nothing. Raises: SourceError, MissingExtra."""
    try:
        if place.startswith(WEB):
            with _opener(place, options)() as file:
                return f"{file.size} {file.etag or file.modified}" if file.etag or file.modified else None
        system, path = system_of(place)
        about = system.info(path)
    except (fetch.FetchError, OSError) as why:
        raise _unread(place, why) from why
    date = next((str(about[name]) for name in STAMPS if about.get(name)), "")
    return f"{about.get('size')} {date}" if date else None


def system_of(place: str) -> tuple[Any, str]:
    """What of fsspec reads a URL, and the path there. Raises: MissingExtra; SourceError: http within."""
    check_plain(place)
    try:
        import fsspec  # noqa: PLC0415  an extra

        found: tuple[Any, str] = fsspec.core.url_to_fs(place)
    except (ImportError, ValueError) as error:
        raise MissingExtra(
            f"{scrubbed(place)}: {error}. Install what reads it with: pip install 'anidata[web]'"
        ) from error
    return found


def _opener(place: str, options: Options) -> Callable[[], AbstractContextManager[Any]]:
    if not place.startswith(WEB):
        system, path = system_of(place)
        return partial(system.open, path, "rb")
    fetch.require()
    from anidata.fetch.reading import opened  # noqa: PLC0415  aiohttp: for those alone who fetch

    return partial(opened, place, _config(options))


def _unread(place: str, why: Exception) -> SourceError:
    return SourceError(
        f"{scrubbed(place)}: {getattr(why, 'message', why)}. Check the URL, then run the same command again."
    )


def _temporary(folder: Path) -> IO[bytes]:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        return TemporaryFile(dir=folder)
    except OSError as error:
        raise unwritable(folder, error) from error


def _chunks(place: str, opened: Callable[[], AbstractContextManager[Any]]) -> Iterator[bytes]:
    """Raises: SourceError."""
    taken = 0
    try:
        with opened() as file:
            while chunk := file.read(BUFFER):
                taken += len(chunk)
                if taken > MOST:
                    raise SourceError(
                        f"{scrubbed(place)}: more than {MOST:,} bytes. Type the URL of a list: urls:https://…/list.csv"
                    )
                yield chunk
    except (fetch.FetchError, OSError) as why:
        raise _unread(place, why) from why


def _config(options: Options) -> fetch.Config:
    return fetch.Config(allow_private=options.allow_private)
