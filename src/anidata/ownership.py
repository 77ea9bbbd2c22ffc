"""Folders of ours (WORK, DATASET, RUN): how they are known, and the only way to what lies in them.

Such a folder has a mark. It may be a link, for it is what the user typed; below it no link is followed:
folders are opened one in the other. What is begun there has a random name with our mark in it, and by that
alone are the leftovers of killed runs found.
"""

import errno
import fcntl
import os
import re
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from anidata.errors import Locked, StorageError
from anidata.tar import opening, untrusted

WORKSPACE, OTHER = "workspace.json", ".anidata"
MARKS = (WORKSPACE, OTHER)  # of a WORK; of a DATASET or RUN
LOCK = ".lock"
MOST = 1 << 20  # bytes of a mark, and of a note on who holds a folder
OF_THE_DISK = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO, errno.EFBIG)
HOLDER = ".holder.json"  # who holds the lock
LONGEST = 48  # characters of a file's name that are in that of its beginnings: with all, it may be too long
LEFTOVER = re.compile(r"\..+\.[0-9a-f]{8}\.anidata", re.DOTALL)
FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
BY_TEXT = b"A data set of anidata, format 1."  # how the mark of a DATASET began before it was JSON


def temporary_name(name: str) -> str:
    """A random name for what is to become `name`, with our mark."""
    return f".{name[:LONGEST]}.{os.urandom(4).hex()}.anidata"


def is_leftover(name: str) -> bool:
    """Whether a name is one of `temporary_name`."""
    return bool(LEFTOVER.fullmatch(name))


def read_mark(folder: Path, name: str) -> dict[str, Any] | None:
    """The content of one of MARKS in a folder; None: there is none, or it isn't ours."""
    try:
        text = opening.read_bytes(folder / name, MOST)
    except OSError:
        return None
    return parse_mark(text)


def parse_mark(text: bytes) -> dict[str, Any] | None:
    """The content of a mark; None: it isn't ours."""
    if text.startswith(BY_TEXT):
        return {"format": 1}
    try:
        content = untrusted.read_json(text)
    except ValueError:
        return None
    return content if isinstance(content, dict) and "format" in content else None


def is_marked(folder: Path) -> bool:
    """Whether a folder is a WORK, DATASET or RUN."""
    return any(read_mark(folder, name) is not None for name in MARKS)


def root_of(folder: Path) -> Path:
    """The folder that `folder` is opened beneath: the nearest with a mark, or itself where none has one.

    A link with a mark behind it counts only where no marked folder is above: else somebody has put it there.
    """
    root = None
    for above in (folder, *folder.parents):
        if above.name == "..":  # what is above by its spelling isn't on the disk
            break
        if is_marked(above):
            root = above
            if not above.is_symlink():
                break
    return root or folder


@contextmanager
def opened(folder: Path, *, make: bool = False) -> Iterator[int]:
    """A descriptor of a folder. make: also of one that isn't there.

    Raises: StorageError: a link on the way from its root. OSError.
    """
    folder = folder.absolute()
    at = root_of(folder)
    if make:
        at.mkdir(parents=True, exist_ok=True)
    handle = os.open(at, FOLDER)
    try:
        for name in folder.relative_to(at).parts:
            at /= name
            below = _enter(handle, at, make=make)
            os.close(handle)
            handle = below
        yield handle
    finally:
        os.close(handle)


def _enter(above: int, path: Path, *, make: bool) -> int:
    refuse_link(above, path)
    flags = FOLDER | os.O_NOFOLLOW
    try:
        return os.open(path.name, flags, dir_fd=above)
    except FileNotFoundError:
        if not make:
            raise
        with suppress(FileExistsError):  # another worker was quicker
            os.mkdir(path.name, dir_fd=above)
        return os.open(path.name, flags, dir_fd=above)


def refuse_link(folder: int, path: Path) -> None:
    """Raises: StorageError: in the open folder of a path lies a link by its name."""
    try:
        status = os.lstat(path.name, dir_fd=folder)
    except FileNotFoundError:
        return
    if stat.S_ISLNK(status.st_mode):
        raise StorageError(
            f"{path} is a link, and anidata writes and deletes through no link below its own folders. "
            "Put what it leads to in its place, or delete the link, then run the same command again."
        )


def unwritable(path: Path | str, error: OSError) -> StorageError:
    """The error for a refused write."""
    why = error.strerror or str(error)
    return StorageError(
        f"{path}: can't be written ({why}). Make room or give write access, then run the same command again."
    )


# --- locks ----------------------------------------------------------------------------------------


@contextmanager
def locked(folder: Path, name: str = LOCK) -> Iterator[int]:
    """Hold a file in a folder, made if need be, for this process alone; yields its descriptor.

    The lock ends with the process, however that ends.

    Raises: Locked: another process holds it. StorageError: no lock can be made there.
    """
    try:
        with opened(folder, make=True) as above:
            handle = _locked(above, folder / name)
    except BlockingIOError as error:
        raise Locked(
            f"{folder} is in use by {_described(folder / HOLDER)}. "
            "Wait for it, or stop it, then run this command again."
        ) from error
    except OSError as error:
        raise StorageError(
            f"{folder} can't be locked ({error.strerror or error}). "
            "Give write access, then run this command again."
        ) from error
    try:
        yield handle
    finally:
        os.close(handle)


def _locked(folder: int, path: Path) -> int:
    """A descriptor of a file in the open folder that nobody else holds. Raises: OSError, StorageError."""
    refuse_link(folder, path)
    flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
    handle = os.open(path.name, flags, 0o666, dir_fd=folder)
    opening.check_open(handle, path)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(handle)
        raise
    return handle


def _described(path: Path) -> str:
    """Who holds a folder, by its HOLDER file."""
    try:
        holder = untrusted.read_json(opening.read_bytes(path, MOST))
        return f"process {holder['process']} on {holder['host']} ({holder['command']})"
    except (OSError, ValueError, TypeError, KeyError):
        return "another process"


# --- private folders and leftovers ----------------------------------------------------------------


def make_private(folder: Path) -> None:
    """Make a folder that nobody else can look into; one that is there stays as it is.

    Raises: StorageError.
    """
    try:
        folder.mkdir(0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise unwritable(folder, error) from error


@contextmanager
def scratch(folder: Path) -> Iterator[Path]:
    """A private folder in a folder for such, which may be a link to another disk; it goes with the block.

    It is locked meanwhile: a sweep by another process leaves it alone.

    Raises: StorageError: the disk is full, read-only or fails.
    """
    name = temporary_name("scratch")
    make_private(folder)
    try:
        above = os.open(folder, FOLDER)
        try:
            os.mkdir(name, 0o700, dir_fd=above)
            lock = _lock_within(above, name)
        except OSError:
            os.close(above)
            raise
    except OSError as error:
        raise unwritable(folder, error) from error
    try:
        yield folder / name
    except OSError as error:
        if error.errno in OF_THE_DISK:
            raise unwritable(folder, error) from error
        raise
    finally:
        shutil.rmtree(name, ignore_errors=True, dir_fd=above)
        os.close(lock)
        os.close(above)


def _lock_within(folder: int, name: str) -> int:
    """The locked LOCK of a private folder. Raises: OSError."""
    within = os.open(name, FOLDER | os.O_NOFOLLOW, dir_fd=folder)
    try:
        return _locked(within, Path(name, LOCK))
    finally:
        os.close(within)


def sweep_scratch(folder: Path) -> None:
    """Delete the private folders there that killed processes left behind."""
    try:
        above = os.open(folder, FOLDER)
    except (FileNotFoundError, NotADirectoryError):
        return
    try:
        with os.scandir(above) as entries:
            names = [entry.name for entry in entries if is_leftover(entry.name)]
        for name in names:
            _sweep_private(above, name)
    finally:
        os.close(above)


def _sweep_private(folder: int, name: str) -> None:
    try:
        lock = _lock_within(folder, name)  # no link is opened, nor a file
    except OSError:  # its process lives, or it is another user's
        return
    shutil.rmtree(name, ignore_errors=True, dir_fd=folder)
    os.close(lock)


def sweep(folder: Path, older: re.Pattern[str], *, deep: bool) -> None:
    """Delete the files that killed runs had begun in a folder of ours. deep: and in the folders in it.

    older: the names that such files had in the version before. No link is followed or deleted.

    Raises: StorageError.
    """
    try:
        with opened(folder) as top:
            for _, folders, files, handle in os.fwalk(".", dir_fd=top):
                for name in files:
                    _sweep_file(handle, name, older)
                if not deep:
                    folders.clear()
    except (FileNotFoundError, NotADirectoryError):
        pass
    except OSError as error:
        raise unwritable(folder, error) from error


def _sweep_file(folder: int, name: str, older: re.Pattern[str]) -> None:
    if not is_leftover(name) and not older.fullmatch(name):
        return
    with suppress(FileNotFoundError):
        if stat.S_ISREG(os.lstat(name, dir_fd=folder).st_mode):
            os.unlink(name, dir_fd=folder)
