"""The one way to open a file for reading: regular files alone, without waiting, and never without end.

A FIFO, a socket or a device in a file's place is an OSError (`NotRegular`), as is a file that is larger than
what is read whole may be (`TooLarge`): who reads a file says in its own words what can't be read, and where
nobody does, both are typed errors themselves. Which links are followed, the caller says: all (a path that was
typed), or none below a root (a path that a file named).
"""

import errno
import os
import stat
from io import BufferedReader
from pathlib import Path, PurePath
from typing import BinaryIO

from anidata.errors import StorageError

FLAGS = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY
# A folder on the way: to go through is enough, where the system knows that.
THROUGH = getattr(os, "O_PATH", os.O_RDONLY) | os.O_DIRECTORY | os.O_CLOEXEC
MOST = 1 << 30  # bytes of a file that is read whole, unless its reader says otherwise
MOST_TEXT = 1 << 24  # bytes of one that people write: a recipe, a model file, a page of settings
STEP = 1 << 20  # bytes read at once of a file that is longer than it says


class Refused(OSError, StorageError):
    """A file that isn't read; who has no better words for it lets this end the command."""

    def __str__(self) -> str:
        return f"{self.filename}: {self.strerror}. Put a file in its place, then run the same command again."


class NotRegular(Refused):
    """No regular file: a FIFO, a socket, a device."""


class TooLarge(Refused):
    """A file with more bytes than its reader takes."""


def why(error: OSError) -> str:
    """The reason of a refused reading, in words."""
    return str(error.strerror or os.strerror(error.errno or errno.EIO))


def opened(path: str | Path, *, links: bool = True) -> BufferedReader:
    """A regular file, to be read. links: also where its last name is a link.

    Raises: OSError, of which NotRegular is one.
    """
    flags = FLAGS if links else FLAGS | os.O_NOFOLLOW
    return _file(os.open(path, flags), path)


def descriptor(path: str | Path) -> int:
    """A descriptor of a regular file, to be read by place. Raises: as `opened`."""
    handle = os.open(path, FLAGS)
    check_open(handle, path)
    return handle


def opened_beneath(root: str | Path, below: str | Path) -> BufferedReader:
    """A regular file by a path below `root`, through no link and no `..` there; the root itself may be one.

    Raises: OSError, of which NotRegular is one; its errno is ELOOP or ENOTDIR where a link is in the way.
    """
    *folders, name = _parts(below)
    at = os.open(root, THROUGH)
    try:
        for folder in folders:
            inner = os.open(folder, THROUGH | os.O_NOFOLLOW, dir_fd=at)
            os.close(at)
            at = inner
        handle = os.open(name, FLAGS | os.O_NOFOLLOW, dir_fd=at)
    finally:
        os.close(at)
    return _file(handle, below)


def read_bytes(path: str | Path, limit: int = MOST, *, links: bool = True) -> bytes:
    """All of a regular file. Raises: OSError: as `opened`, and TooLarge where it has over `limit` bytes."""
    with opened(path, links=links) as file:
        return whole(file, limit, path)


def read_text(path: str | Path, limit: int = MOST_TEXT) -> str:
    """All of a regular file as UTF-8, its newlines as Python has them.

    Raises: OSError, UnicodeDecodeError.
    """
    return read_bytes(path, limit).decode().replace("\r\n", "\n").replace("\r", "\n")


def whole(file: BinaryIO, limit: int, path: str | Path) -> bytes:
    """All that is left of an open file. Raises: OSError, of which TooLarge is one."""
    size = os.fstat(file.fileno()).st_size - file.tell()
    blocks = [_read(file, min(max(size, 0), limit) + 1, path)]
    count = len(blocks[0])
    while count > size and blocks[-1] and count <= limit:  # it has grown, or is one of the system's
        blocks.append(_read(file, STEP, path))
        count += len(blocks[-1])
    if count > limit:
        why = f"more than the {limit:,} bytes that are read of such a file"
        raise TooLarge(errno.EFBIG, why, str(path))
    return b"".join(blocks) if len(blocks) > 1 else blocks[0]


def check(path: str | Path) -> None:
    """See that a path leads to a regular file, for a library that opens it itself. Raises: OSError."""
    mode = Path(path).stat().st_mode
    if not stat.S_ISREG(mode):
        raise _not_regular(mode, path)


def _parts(below: str | Path) -> tuple[str, ...]:
    parts = PurePath(below).parts
    if not parts or parts[0] == os.sep or ".." in parts:
        raise OSError(errno.ELOOP, "it leads out of its folder", str(below))
    return parts


def _file(handle: int, path: str | Path) -> BufferedReader:
    check_open(handle, path)
    return open(handle, "rb")


def check_open(handle: int, path: str | Path) -> None:
    """See that a descriptor is of a regular file. Raises: OSError: it isn't, and is closed then."""
    mode = os.fstat(handle).st_mode
    if not stat.S_ISREG(mode):
        os.close(handle)
        raise _not_regular(mode, path)


def _not_regular(mode: int, path: str | Path) -> OSError:
    if stat.S_ISDIR(mode):
        return IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    return NotRegular(errno.EINVAL, "no regular file: it isn't opened", str(path))


def _read(file: BinaryIO, size: int, path: str | Path) -> bytes:
    data = file.read(size)
    if data is None:  # one of the system's, that would have to be waited for
        raise NotRegular(errno.EINVAL, "no file that ends: it isn't read", str(path))
    return data
