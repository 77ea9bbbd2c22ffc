"""A file appears whole or not at all, and never over one that wasn't expected there.

It is written beside its place under a name that no one has, for its owner's eyes alone, then linked to its
own name, which fails where there is a file by then. File systems without links have the name taken first.
While it is in the making its process holds a lock on it: what has our name and no lock, a killed one left.
"""

import errno
import fcntl
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from anidata import ownership, storage
from anidata.errors import BadImage

# a name or folder that can't be: one picture's trouble, unlike a full disk
OF_ONE = {errno.ENAMETOOLONG, errno.EINVAL, errno.EILSEQ, errno.ENOTDIR, errno.EEXIST, errno.EISDIR}
NO_LOCKS = {errno.ENOLCK, errno.ENOTSUP, errno.ENOSYS, errno.EINVAL}  # what file systems without them say
HELD = os.O_NOFOLLOW | os.O_CLOEXEC

Seen = tuple[int, ...]


def look(path: Path) -> Seen | None:
    """A look at a path: another one when what stands there changes. None: nothing stands there."""
    return _look(path, None)


def _look(path: Path | str, folder: int | None) -> Seen | None:
    try:
        status = os.lstat(path, dir_fd=folder)
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


def put(top: Path, path: Path, data: bytes, seen: Seen | None) -> bool:
    """Write a file where nothing stands, or in the stead of what was `seen` there.

    top: the folder that was named; a link below it that leads out of it isn't followed.
    False: something else stands there by now, and nothing was written.
    Raises: StorageError: the disk is full, read-only or fails. BadImage: `unwritable`, such a name can't be,
    or a link is in the way.
    """
    try:
        with _entered(top, path.parent) as folder:
            with _drafted(folder, path.name, data) as draft:
                is_put = (
                    _link(folder, draft, path.name)
                    if seen is None
                    else _replace(folder, draft, path.name, seen)
                )
            os.fsync(folder)  # a rename survives a power cut
    except OSError as error:
        if error.errno in OF_ONE:
            raise BadImage("unwritable", f"{path}: {error.strerror}") from error
        raise storage.unwritable(path, error) from error
    return is_put


@contextmanager
def _entered(top: Path, folder: Path) -> Iterator[int]:
    """A descriptor of a folder below another, made if need be.

    Raises: OSError. BadImage: a link leads elsewhere.
    """
    real, within = Path(os.path.realpath(top)), Path(os.path.realpath(folder))
    if not within.is_relative_to(real):
        raise BadImage("unwritable", f"{folder} leads to {within}, and nothing is written outside {top}")
    real.mkdir(parents=True, exist_ok=True)
    handle = os.open(real, ownership.FOLDER)
    try:
        for name in within.relative_to(real).parts:
            with suppress(FileExistsError):
                os.mkdir(name, dir_fd=handle)
            below = os.open(name, ownership.FOLDER | os.O_NOFOLLOW, dir_fd=handle)
            os.close(handle)
            handle = below
        yield handle
    finally:
        os.close(handle)


@contextmanager
def _drafted(folder: int, name: str, data: bytes) -> Iterator[str]:
    """A file of our own in an open folder, synced and locked; gone with the block."""
    handle, draft = _begun(folder, name)
    try:
        with open(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(handle)
            with suppress(PermissionError):  # of file systems without modes
                os.fchmod(handle, storage.MODE)
            yield draft
    finally:
        with suppress(OSError):  # it has been renamed; and the first error is the one to tell
            os.unlink(draft, dir_fd=folder)


def _begun(folder: int, name: str) -> tuple[int, str]:
    """A new file that is to become `name`, locked, and its name until then."""
    while True:
        draft = ownership.temporary_name(name)
        handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | HELD, 0o600, dir_fd=folder)
        if _is_ours(handle) and os.fstat(handle).st_nlink:
            return handle, draft
        os.close(handle)  # between the two a sweep has taken it for a leftover


def _is_ours(handle: int) -> bool:
    """Whether no other process has the lock of a file; on a file system without locks too."""
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        if error.errno not in NO_LOCKS:
            raise
    return True


def sweep(top: Path, folder: Path) -> None:
    """Delete what killed commands had begun in a folder: regular files by our name that no process holds.

    top: the folder that was named; what a link below it leads to, out of it, is left alone. What lies in a
    WORK, DATASET or RUN is left to the commands that hold those.
    """
    if not Path(os.path.realpath(folder)).is_relative_to(os.path.realpath(top)):
        return
    if ownership.is_marked(ownership.root_of(folder)):
        return
    with suppress(OSError):  # it isn't there, or can't be read: then it is left as it is
        above = os.open(folder, ownership.FOLDER)
        try:
            with os.scandir(above) as entries:
                names = [entry.name for entry in entries]
            for name in names:
                if ownership.is_leftover(name):
                    _sweep_file(above, name)
        finally:
            os.close(above)


def _sweep_file(folder: int, name: str) -> None:
    with suppress(OSError):  # a link, another user's, held by its process, or gone
        handle = os.open(name, os.O_RDONLY | os.O_NONBLOCK | HELD, dir_fd=folder)
        try:
            if stat.S_ISREG(os.fstat(handle).st_mode):
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                os.unlink(name, dir_fd=folder)
        finally:
            os.close(handle)


def _link(folder: int, draft: str, name: str) -> bool:
    try:
        os.link(draft, name, src_dir_fd=folder, dst_dir_fd=folder, follow_symlinks=False)
    except FileExistsError:
        return False
    except OSError:  # a file system without links; any other trouble comes again
        return _take_name(folder, draft, name)
    return True


def _take_name(folder: int, draft: str, name: str) -> bool:
    try:
        os.close(os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | HELD, 0o600, dir_fd=folder))
    except FileExistsError:
        return False
    try:
        os.replace(draft, name, src_dir_fd=folder, dst_dir_fd=folder)
    except BaseException:
        os.unlink(name, dir_fd=folder)
        raise
    return True


def _replace(folder: int, draft: str, name: str, seen: Seen) -> bool:
    if _look(name, folder) != seen:
        return False
    os.replace(draft, name, src_dir_fd=folder, dst_dir_fd=folder)
    return True
