"""Where bytes lie and how files appear: references into files and tars, and atomic publishing.

A file is published whole or not at all: written beside its place, synced, renamed, and the folder synced;
and like all that is deleted it is reached through no link (see anidata.ownership).
"""

import errno
import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from io import BufferedReader, FileIO
from pathlib import Path
from typing import Any, BinaryIO, TypedDict
from urllib.parse import quote_from_bytes, unquote_to_bytes

from anidata import ownership
from anidata.errors import AnidataError, BadImage
from anidata.ownership import unwritable as unwritable  # noqa: PLC0414 - re-exported
from anidata.tar import opening

# how a file is begun: by us alone, readable for us alone
NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
FILE = "file://"
WEB = ("http://", "https://")  # what begins so is fetched before it can be read


@dataclass(frozen=True)
class Reference:
    """A whole file, or `size` bytes at `offset` of one."""

    uri: str  # file:///…, percent-encoded; without a scheme: a path below the workspace
    offset: int = 0
    size: int | None = None  # None: to the end of the file


class Location(TypedDict):
    """A Reference as the catalog has it."""

    uri: str
    offset: int | None
    size: int | None


def encode(name: str | bytes) -> str:
    """Percent-encode a path; names that are no UTF-8 (surrogate escapes) and newlines survive it."""
    return quote_from_bytes(os.fsencode(name), safe="/")


def decode(encoded: str) -> str:
    """The path that `encode` was given."""
    return os.fsdecode(unquote_to_bytes(encoded))


def readable(name: str) -> str:
    """A name as text: U+FFFD where it is no UTF-8."""
    return os.fsencode(name).decode("utf-8", "replace")


def uri_of(path: Path) -> str:
    """The file:// URI of a path, absolute, links in its folders resolved; a link itself stays one."""
    loose = path.name in ("", "..")  # '.' or 'x/..': a folder by another name
    return FILE + encode(
        os.path.realpath(path) if loose else os.path.join(os.path.realpath(path.parent), path.name)
    )


def real_uri(path: Path) -> str:
    """The file:// URI of what a path leads to now: of a link its target, so that no link lies in its way."""
    return FILE + encode(os.path.realpath(path))


def refuse_bytes(path: Path | str, error: type[AnidataError]) -> None:
    """Raises: error: a folder's path is no UTF-8, which Parquet's readers and TOML can't have."""
    if not str(path).isascii() and readable(str(path)).encode() != os.fsencode(path):
        raise error(f"{readable(str(path))} has bytes in its path that are no UTF-8. Name another folder.")


def absolute(text: str, folder: Path) -> str:
    """A path as it is typed, below `folder` if it is relative; ~ is one's home.

    Without . and .. unless a link makes them lead elsewhere.
    """
    if "\0" in text:  # no path at all: whoever opens it says so
        return text
    whole = os.path.join(folder.absolute(), Path(text).expanduser() if text.startswith("~/") else text)
    plain = os.path.normpath(whole)
    return plain if os.path.realpath(plain) == os.path.realpath(whole) else whole


def path_of(uri: str, base: Path) -> Path:
    """The path of a file:// URI, or of a path below `base`."""
    return Path(decode(uri.removeprefix(FILE))) if uri.startswith(FILE) else base / decode(uri)


def read(reference: Reference, base: Path, limit: int, *, links: bool = False, root: str = "") -> bytes:
    """The bytes that a reference names, of a regular file; a relative one lies below `base`.

    Nothing below `base` is reached through a link; nor is a whole path, unless `links` says so: for a path
    that was just typed, and where the bytes are known by their key. root: the URI of a folder that was typed,
    which may be reached by links: below it none is followed.
    Raises: BadImage: `missing`, `unreadable`, or `too_large` where there are more than `limit` bytes.
    """
    try:
        with opened(reference.uri, base, links=links, root=root) as file:
            left = os.fstat(file.fileno()).st_size - reference.offset
            size = left if reference.size is None else reference.size
            if size > limit:
                raise BadImage("too_large", f"{size:,} bytes; the limit is {limit:,}")
            file.seek(reference.offset)
            data = file.read(max(min(size, left), 0))
    except FileNotFoundError as error:
        raise BadImage("missing", "the file is gone") from error
    except (OSError, ValueError, OverflowError) as error:  # a name with a zero byte; an offset below zero
        raise BadImage("unreadable", _why_not(error)) from error
    if reference.size is not None and len(data) < reference.size:
        raise BadImage("missing", f"the file ends {reference.size - len(data):,} bytes too soon")
    return data


def opened(uri: str, base: Path, *, links: bool = False, root: str = "") -> BufferedReader:
    """A regular file by its URI; base, links, root: as `read` has them.

    Raises: OSError, ValueError.
    """
    if not uri.startswith(FILE):
        return opening.opened_beneath(base, decode(uri))
    path = decode(uri.removeprefix(FILE))
    if not path.startswith("/"):
        raise ValueError("it is no whole path")
    if links:
        return opening.opened(path)
    if root and uri.startswith(f"{root}/"):
        return opening.opened_beneath(path_of(root, base), decode(uri[len(root) + 1 :]))
    return opening.opened_beneath("/", path.lstrip("/"))


def _why_not(error: OSError | ValueError | OverflowError) -> str:
    if isinstance(error, OSError) and error.errno in (errno.ELOOP, errno.ENOTDIR):
        return "a link, or what is no folder, lies in its way: it isn't followed"
    return opening.why(error) if isinstance(error, OSError) else str(error)


def key_of(data: bytes) -> str:
    """A picture's key: the first 24 hex digits of the SHA-256 of its original bytes."""
    return digest(data)[:24]


def digest(data: bytes) -> str:
    """SHA-256 in hex."""
    return hashlib.sha256(data).hexdigest()


def _umask() -> int:
    mask = os.umask(0o077)
    os.umask(mask)
    return mask


MODE = 0o666 & ~_umask()  # of a published file; asked once, for to ask is to change it for a moment
PRIVATE = 0o600  # of a file that its owner alone may read


@contextmanager
def publishing(path: Path, mode: int = MODE) -> Iterator[BinaryIO]:
    """A file to write, that appears at `path` when the block ends well, and not at all otherwise.

    Raises: StorageError: the disk is full, read-only or fails; a link is in the way.
    """
    try:
        with ownership.opened(path.parent, make=True) as folder:
            ownership.refuse_link(folder, path)
            with _begun(folder, path.name) as (file, begun):
                yield file
                file.flush()
                with suppress(OSError):  # not all disks know modes
                    os.fchmod(file.fileno(), mode)
                os.fsync(file.fileno())
                os.replace(begun, path.name, src_dir_fd=folder, dst_dir_fd=folder)
            os.fsync(folder)
    except OSError as error:
        raise unwritable(path, error) from error


@contextmanager
def _begun(folder: int, name: str) -> Iterator[tuple[BinaryIO, str]]:
    """A new file in an open folder, to become `name`, and the name it has until then; it goes on an error."""
    begun = ownership.temporary_name(name)
    handle = os.open(begun, NEW, 0o600, dir_fd=folder)
    try:
        with open(handle, "wb") as file:
            yield file, begun
    except BaseException:
        with suppress(OSError):  # the first error is the one to tell
            os.unlink(begun, dir_fd=folder)
        raise


def delete(path: Path) -> None:
    """Delete a file of ours, if it is there.

    Raises: StorageError: its folder is read-only, or the disk fails; a link is in the way.
    """
    try:
        with ownership.opened(path.parent) as folder:
            ownership.refuse_link(folder, path)
            os.unlink(path.name, dir_fd=folder)
    except (FileNotFoundError, NotADirectoryError):  # what should be its folder may be a file
        pass
    except OSError as error:
        raise unwritable(path, error) from error


def move(source: Path, target: Path) -> None:
    """Rename a file of ours, into another folder of ours.

    Raises: OSError. StorageError: a link is in the way.
    """
    with ownership.opened(source.parent) as old, ownership.opened(target.parent, make=True) as new:
        ownership.refuse_link(old, source)
        ownership.refuse_link(new, target)
        os.replace(source.name, target.name, src_dir_fd=old, dst_dir_fd=new)
        os.fsync(new)


def opened_for_appending(path: Path) -> FileIO:
    """A file of ours that grows, also to be read, made if need be.

    Raises: OSError. StorageError: a link is in the way.
    """
    with ownership.opened(path.parent, make=True) as folder:
        ownership.refuse_link(folder, path)
        flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
        handle = os.open(path.name, flags | os.O_NONBLOCK, 0o666, dir_fd=folder)
        opening.check_open(handle, path)
        return FileIO(handle, "a+b")


def publish(path: Path, data: bytes, mode: int = MODE) -> None:
    """Write a small file whole."""
    with publishing(path, mode) as file:
        file.write(data)


def publish_json(path: Path, value: Any, mode: int = MODE) -> None:
    """Write a value as JSON with sorted keys. Paths that are no UTF-8 are as json.loads takes them again."""
    text = json.dumps(value, indent=1, sort_keys=True, ensure_ascii=False) + "\n"
    publish(path, text.encode("utf-8", "surrogatepass"), mode)
