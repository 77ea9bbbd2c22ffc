"""A file appears whole or not at all, and never over one that wasn't expected there.

It is written beside its place under a name that no one has, for its owner's eyes alone, then linked to its
own name, which fails where there is a file by then. File systems without links have the name taken first.
"""

import errno
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from anidata import storage
from anidata.errors import BadImage

# a name or folder that can't be: one picture's trouble, unlike a full disk
OF_ONE = {errno.ENAMETOOLONG, errno.EINVAL, errno.EILSEQ, errno.ENOTDIR, errno.EEXIST, errno.EISDIR}

Seen = tuple[int, ...]


def look(path: Path) -> Seen | None:
    """A look at a path: another one when what stands there changes. None: nothing stands there."""
    try:
        status = os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        return None
    return (
        status.st_dev,
        status.st_ino,
        status.st_mode,
        status.st_size,
        status.st_mtime_ns,
        status.st_ctime_ns,
    )


def put(path: Path, data: bytes, seen: Seen | None) -> bool:
    """Write a file where nothing stands, or in the stead of what was `seen` there.

    False: something else stands there by now, and nothing was written.
    Raises: StorageError: the disk is full, read-only or fails. BadImage: `unwritable`, such a name can't be.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with _drafted(path.parent, data) as draft:
            is_put = _link(draft, path) if seen is None else _replace(draft, path, seen)
        _sync(path.parent)
    except OSError as error:
        if error.errno in OF_ONE:
            raise BadImage("unwritable", f"{path}: {error.strerror}") from error
        raise storage.unwritable(path, error) from error
    return is_put


def _sync(folder: Path) -> None:
    """Make a rename in a folder survive a power cut."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextmanager
def _drafted(folder: Path, data: bytes) -> Iterator[Path]:
    """A file of our own in a folder, synced; gone with the block."""
    draft = folder / f".anidata-{secrets.token_hex(8)}.tmp"
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        with open(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(handle)
            with suppress(PermissionError):  # of file systems without modes
                os.fchmod(handle, 0o666 & ~_umask())
        yield draft
    finally:
        with suppress(OSError):  # it has been renamed; and the first error is the one to tell
            draft.unlink()


def _umask() -> int:
    mask = os.umask(0o077)  # it can only be read by setting it
    os.umask(mask)
    return mask


def _link(draft: Path, path: Path) -> bool:
    try:
        os.link(draft, path)
    except FileExistsError:
        return False
    except OSError:  # a file system without links; any other trouble comes again
        return _take_name(draft, path)
    return True


def _take_name(draft: Path, path: Path) -> bool:
    try:
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600))
    except FileExistsError:
        return False
    try:
        os.replace(draft, path)
    except BaseException:
        path.unlink()
        raise
    return True


def _replace(draft: Path, path: Path, seen: Seen) -> bool:
    if look(path) != seen:
        return False
    os.replace(draft, path)
    return True
