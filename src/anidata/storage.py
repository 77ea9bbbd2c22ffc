"""Where bytes lie and how files appear: references into files and tars, and atomic publishing.

A file is published whole or not at all: written beside its place, synced, renamed, and the folder synced.
"""

import errno
import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, TypedDict
from urllib.parse import quote_from_bytes, unquote_to_bytes

from anidata.errors import BadImage, StorageError

# the ending of a file that is being written; a leftover of a killed run is written over or swept
TEMPORARY = ".part"
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


def read(reference: Reference, base: Path, limit: int) -> bytes:
    """The bytes that a reference names; a relative one lies below `base`.

    Raises: BadImage: `missing`, `unreadable`, or `too_large` where there are more than `limit` bytes.
    """
    path = path_of(reference.uri, base)
    try:
        with open(path, "rb") as file:
            size = (
                os.fstat(file.fileno()).st_size - reference.offset
                if reference.size is None
                else reference.size
            )
            if size > limit:
                raise BadImage("too_large", f"{size:,} bytes; the limit is {limit:,}")
            file.seek(reference.offset)
            data = file.read(max(size, 0))
    except FileNotFoundError as error:
        raise BadImage("missing", "the file is gone") from error
    except OSError as error:
        raise BadImage("unreadable", f"{os.strerror(error.errno or errno.EIO)}") from error
    if reference.size is not None and len(data) < reference.size:
        raise BadImage("missing", f"the file ends {reference.size - len(data):,} bytes too soon")
    return data


def key_of(data: bytes) -> str:
    """A picture's key: the first 24 hex digits of the SHA-256 of its original bytes."""
    return digest(data)[:24]


def digest(data: bytes) -> str:
    """SHA-256 in hex."""
    return hashlib.sha256(data).hexdigest()


@contextmanager
def publishing(path: Path) -> Iterator[BinaryIO]:
    """A file to write, that appears at `path` when the block ends well, and not at all otherwise.

    Raises: StorageError: the disk is full, read-only or fails.
    """
    temporary = path.with_name(path.name + TEMPORARY)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(temporary, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
        sync_folder(path.parent)
    except OSError as error:
        _discard(temporary)
        raise unwritable(path, error) from error
    except BaseException:
        _discard(temporary)
        raise


def unwritable(path: Path | str, error: OSError) -> StorageError:
    """The error for a refused write."""
    why = error.strerror or str(error)
    return StorageError(
        f"{path}: can't be written ({why}). Make room or give write access, then run the same command again."
    )


def delete(path: Path) -> None:
    """Delete a file, if it is there.

    Raises: StorageError: its folder is read-only, or the disk fails.
    """
    try:
        path.unlink(missing_ok=True)
    except NotADirectoryError:  # what should be its folder is a file: it isn't there
        pass
    except OSError as error:
        raise unwritable(path, error) from error


def _discard(path: Path) -> None:
    with suppress(OSError):  # the first error is the one to tell: its folder may be a file, or read-only
        path.unlink()


def publish(path: Path, data: bytes) -> None:
    """Write a small file whole."""
    with publishing(path) as file:
        file.write(data)


def publish_json(path: Path, value: Any) -> None:
    """Write a value as JSON with sorted keys."""
    publish(path, json.dumps(value, indent=1, sort_keys=True, ensure_ascii=False).encode() + b"\n")


def sync_folder(folder: Path) -> None:
    """Make a rename in `folder` survive a power cut."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
