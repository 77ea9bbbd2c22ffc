"""Lists, tables and tars elsewhere, by URL.

By http or https they are read over checked addresses, not by fsspec, which asks any and follows any redirect.
"""

import errno
import io
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, Any

from anidata import fetch
from anidata.errors import MissingExtra, SourceError
from anidata.sources import Options
from anidata.sources.archives.archive import streamed
from anidata.sources.listing.files import ListedFile
from anidata.sources.web.secrets import scrubbed
from anidata.storage import WEB, unwritable

MOST = 1 << 36  # bytes of a list or table
# what file systems say of a file's age
STAMPS = ("ETag", "etag", "LastModified", "last_modified", "mtime", "created", "updated")
# bytes that a tar is taken for whose server doesn't say: the limits of one archive still hold
# what fsspec may be asked for: it knows schemes that read files here, log in elsewhere, and start programs
CLOUDS = ("s3", "s3a", "gs", "gcs", "az", "abfs", "abfss", "adl", "hf", "oss", "oci", "memory")
UNSIZED = 1 << 50
BUFFER = 1 << 20  # bytes held of what comes


def check_plain(url: str) -> None:
    """Refuse a URL within another, as in simplecache::http://, and schemes but http(s) and CLOUDS.

    Raises: SourceError.
    """
    if "://" not in url or url.startswith(WEB):
        return
    scheme = url.partition("://")[0].lower()
    if "::" in url.partition("?")[0]:
        raise SourceError(
            f"{scrubbed(url)}: a URL within another isn't read, as nothing would check it. Type it alone"
        )
    if scheme not in CLOUDS:
        raise SourceError(
            f"{scrubbed(url)}: nothing is read by {scheme}://. "
            f"Type a path, or a URL that begins with https:// or {', '.join(f'{name}://' for name in CLOUDS)}"
        )


def tar_members(url: str, options: Options) -> list[ListedFile]:
    """The members of a tar; where it can't be had, one row that says so.

    Raises: MissingExtra, StorageError.
    """
    fetch.require()
    from anidata.fetch.reading import opened  # noqa: PLC0415  aiohttp: for those alone who fetch

    try:
        with opened(url, _config(options)) as file:
            stamp = f"{file.size}.{file.etag or file.modified}"
            buffered = partial(io.BufferedReader, file, BUFFER)
            return streamed(url, file.size or UNSIZED, stamp, buffered, options)
    except fetch.FetchError as why:
        return [ListedFile(path="", error=why.code, message=why.message)]


@contextmanager
def whole(url: str, options: Options) -> Iterator[IO[bytes]]:
    """A file by any URL, all of it on disk: parquet is read from its end.

    Raises: SourceError, MissingExtra, StorageError.
    """
    with _temporary(options.base / "tmp") as file:
        for chunk in _chunks(url, _opener(url, options)):
            try:
                file.write(chunk)
            except OSError as error:
                raise unwritable(options.base / "tmp", error) from error
        file.seek(0)
        yield file


def look_of(url: str, options: Options) -> str | None:
    """Size and date of a file by any URL, by its server's word; None: it says nothing.

    Raises: SourceError, MissingExtra.
    """
    try:
        if url.startswith(WEB):
            with _opener(url, options)() as file:
                return f"{file.size} {file.etag or file.modified}" if file.etag or file.modified else None
        system, path = system_of(url)
        with of_clouds():
            about = system.info(path)
    except (fetch.FetchError, OSError) as why:
        raise unread(url, why) from why
    date = date_of(about)
    return f"{about.get('size')} {date}" if date else None


def date_of(about: Mapping[str, Any]) -> str:
    """The date or tag of a file by fsspec's word; empty: it says nothing."""
    return next((str(about[name]) for name in STAMPS if about.get(name)), "")


def system_of(url: str) -> tuple[Any, str]:
    """The file system of fsspec that reads a URL, and the path there.

    Raises: MissingExtra; SourceError: http within.
    """
    check_plain(url)
    try:
        import fsspec  # noqa: PLC0415  an extra

        system, path = fsspec.core.url_to_fs(url)
    except (ImportError, ValueError) as error:
        raise MissingExtra(
            f"{scrubbed(url)}: {error}. Install what reads it with: pip install 'anidata[web]'"
        ) from error
    return system, path


@contextmanager
def of_clouds() -> Iterator[None]:
    """Raise OSError for whatever a cloud's package raises: each has errors of its own, of no common kind."""
    try:
        yield
    except Exception as error:
        if type(error).__module__.partition(".")[0] in ("builtins", "anidata") or isinstance(error, OSError):
            raise
        raise OSError(errno.EIO, f"{type(error).__name__}: {error}") from error


def _opener(url: str, options: Options) -> Callable[[], AbstractContextManager[Any]]:
    if not url.startswith(WEB):
        system, path = system_of(url)
        return partial(system.open, path, "rb")
    fetch.require()
    from anidata.fetch.reading import opened  # noqa: PLC0415  aiohttp: for those alone who fetch

    return partial(opened, url, _config(options))


def unread(url: str, why: Exception) -> SourceError:
    """The error for a URL that can't be read."""
    return SourceError(
        f"{scrubbed(url)}: {getattr(why, 'message', why)}. Check the URL, then run the same command again."
    )


def _temporary(folder: Path) -> IO[bytes]:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        return TemporaryFile(dir=folder)
    except OSError as error:
        raise unwritable(folder, error) from error


def _chunks(url: str, opened: Callable[[], AbstractContextManager[Any]]) -> Iterator[bytes]:
    """Read a file bit by bit. Raises: SourceError."""
    taken = 0
    try:
        with of_clouds(), opened() as file:
            while chunk := file.read(BUFFER):
                taken += len(chunk)
                if taken > MOST:
                    raise SourceError(
                        f"{scrubbed(url)}: more than {MOST:,} bytes. "
                        "Type the URL of a list: urls:https://…/list.csv"
                    )
                yield chunk
    except (fetch.FetchError, OSError) as why:
        raise unread(url, why) from why


def _config(options: Options) -> fetch.Config:
    return fetch.Config(allow_private=options.allow_private)
