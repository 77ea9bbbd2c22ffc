"""A folder's files, as deep as it goes: sorted, links kept below the root, archives opened on the way."""

import hashlib
import os
import stat
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from anidata.engine.limited import Stopped
from anidata.imaging.headers import sniff
from anidata.sources import Options, Record, directly
from anidata.sources.archives.archive import ENDINGS, kind_of, known_members, members
from anidata.sources.listing.files import (
    ListedFile,
    Scope,
    folder_records,
    is_litter,
    open_scope,
    tree_records,
)
from anidata.sources.listing.own import is_own
from anidata.sources.video import ENDINGS as ENDINGS_OF_VIDEOS
from anidata.sources.videos.reader import is_container
from anidata.storage import FILE, Reference, encode, real_uri
from anidata.tar import opening

HEAD = 256  # bytes that tell a video from a picture
VIDEO = "a video; the source video takes its frames: anidata ingest WORK video:FOLDER"


def walk(top: Path, root: str, options: Options) -> Iterator[Record]:
    """Yield the records of all files below `top`, folder by folder; what anidata made among them is left out.

    Memory is taken for the largest folder, and for the names of those that wait.
    """
    waiting = [("", Scope())]
    while waiting:
        folder, above = waiting.pop()
        files, folders = scan(top, folder)
        scope, files = open_scope(folder, files, above, options.base)
        yield from _with_archives(top, root, files, scope, options)
        waiting += [
            (f"{folder}{name}/", scope)
            for name in sorted(folders, reverse=True)
            if not _is_left_out(top / folder / name, options)
        ]


def _is_left_out(folder: Path, options: Options) -> bool:
    """Whether a folder is the workspace itself, or another of anidata's own, which is noted."""
    if _is_base(folder, options.base):
        return True
    is_passed = is_own(folder)
    if is_passed:
        options.passed_by.add(folder)
    return is_passed


def state_of(top: Path, base: Path) -> str:
    """A digest of the names, sizes and dates of all below `top`, anidata's own left out: 4 µs a file."""
    digest, waiting = hashlib.sha256(), [str(top)]
    while waiting:
        folder = waiting.pop()
        try:
            with os.scandir(folder) as unsorted:
                entries = sorted(unsorted, key=lambda entry: entry.name)
        except OSError as error:
            digest.update(f"{folder}\0{error.errno}\0".encode("utf-8", "surrogateescape"))
            continue
        for entry in entries:
            if not entry.is_dir(follow_symlinks=False):
                digest.update(f"{entry.path}\0{_look(entry)}\0".encode("utf-8", "surrogateescape"))
            elif not _is_base(entry.path, base) and not is_own(entry.path):
                waiting.append(entry.path)
    return digest.hexdigest()


def _is_base(folder: str | Path, base: Path) -> bool:
    return Path(folder).name == base.name and os.path.realpath(folder) == os.path.realpath(base)


def _look(entry: os.DirEntry[str]) -> str:
    """A file's mode, size and date, and where a link leads, without opening it."""
    leads = os.path.realpath(entry.path) if entry.is_symlink() else ""
    try:
        status = entry.stat()
    except OSError as error:
        return f"{error.errno} {leads}"
    return f"{status.st_mode} {status.st_size} {status.st_mtime_ns} {leads}"


def scan(top: Path, folder: str) -> tuple[list[ListedFile], list[str]]:
    """The files in a folder below `top`, and the names of the folders in it."""
    files: list[ListedFile] = []
    folders: list[str] = []
    uri = _uri(top, folder)
    try:
        with os.scandir(top / folder) as entries:
            for entry in entries:
                if is_litter(entry.name):
                    continue
                if entry.is_dir(follow_symlinks=False):
                    folders.append(entry.name)
                elif file := _file(entry, f"{folder}{entry.name}", uri, top):
                    files.append(file)
    except FileNotFoundError:  # gone since its name was read
        pass
    except OSError as error:
        files.append(ListedFile(path=folder.rstrip("/"), error="unreadable", message=error.strerror))
    return files, folders


def single(path: Path, root: str, options: Options) -> Iterator[Record]:
    """The record of one file, with its sidecars and true lineart, as a walk of its folder would give it."""
    files, _ = scan(path.parent, "")
    loose = [file for file in files if not _is_archive(path.parent, file)]
    scope, pictures = open_scope("", loose, Scope(), options.base)
    listed = list(folder_records(root, pictures, scope, options, only=path.name))
    at = Reference(real_uri(path))
    alone = ListedFile(path=path.name, at=at, stamp=_stamp(path.stat()))
    yield from listed or folder_records(root, [alone], scope, options)


def _with_archives(
    top: Path, root: str, files: list[ListedFile], scope: Scope, options: Options
) -> Iterator[Record]:
    packed = {file.path: file.at for file in files if _is_archive(top, file)}
    yield from folder_records(root, [file for file in files if file.path not in packed], scope, options)
    for path, at in sorted(packed.items()):
        inner = _members(top / path, options, at.uri if at else None)
        yield from tree_records(root, _below(path, inner), scope, options)


def _members(path: Path, options: Options, uri: str | None) -> list[ListedFile]:
    """The members of an archive; where listing it is given up, a row for what isn't listed."""
    if (known := known_members(path, options, uri)) is not None:
        return known
    files: list[ListedFile] = []
    try:
        files += options.walk(members, path, replace(options, walk=directly), uri)
    except Stopped as why:
        files.append(ListedFile(path="", error=why.code, message=why.message))
    return files


def _below(path: str, files: list[ListedFile]) -> Iterator[ListedFile]:
    """The members of the archive at a path, as if it were a folder; the empty path is the archive itself."""
    for file in files:
        yield replace(file, path=f"{path}/{file.path}" if file.path else path)


def _is_archive(top: Path, file: ListedFile) -> bool:
    if file.at is None or not file.path.lower().endswith(ENDINGS):
        return False
    return kind_of(top / file.path) is not None


def _file(entry: os.DirEntry[str], path: str, uri: str, top: Path) -> ListedFile | None:
    """One entry that is no folder; None where it has gone meanwhile."""
    try:
        target = os.path.realpath(entry.path) if entry.is_symlink() else ""
        if target and (refused := _astray(Path(target), path, top)):
            return refused
        status = entry.stat()
    except FileNotFoundError:
        return None
    except OSError as error:
        return ListedFile(path=path, error="unreadable", message=error.strerror)
    if not stat.S_ISREG(status.st_mode):
        return ListedFile(path=path, error="device", message="no regular file: it isn't opened")
    if entry.name.lower().endswith(ENDINGS_OF_VIDEOS) and _is_video(entry.path):
        return ListedFile(path=path, error="video", message=VIDEO, stamp=_stamp(status))
    at = Reference(FILE + encode(target) if target else uri + encode(entry.name))
    return ListedFile(path=path, at=at, stamp=_stamp(status))


def _is_video(path: str) -> bool:
    """Whether it begins like a video: a picture may be called anything."""
    try:
        with opening.opened(path) as file:
            head = file.read(HEAD)
    except OSError:
        return False
    return sniff(head) is None and is_container(head)


def _astray(target: Path, path: str, top: Path) -> ListedFile | None:
    """A row for a link that is refused: all but links to files below the root."""
    home = os.path.realpath(top)
    if target.is_dir():
        message = "a link to a folder: it isn't followed"
    elif not target.exists():
        message = "a link to nothing"
    elif not target.is_relative_to(home):
        message = "a link to a file outside the folder: it isn't followed"
    else:
        return None
    return ListedFile(path=path, error="link", message=message)


def _uri(top: Path, folder: str) -> str:
    return f"{real_uri(top).rstrip('/')}/{encode(folder)}"


def _stamp(status: os.stat_result) -> str:
    return f"{status.st_size}-{status.st_mtime_ns}"
