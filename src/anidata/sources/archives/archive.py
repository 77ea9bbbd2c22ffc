"""What an archive holds: its members where they lie, or copied into the workspace; what is refused, as rows.

An archive is unpacked once: blobs/archive-ID.tar has the copies, blobs/archive-ID.jsonl the listing, which is published last: its presence
says that both are whole. ID changes with the archive's place, size and date, and with the limits.
"""

import bz2
import errno
import gzip
import hashlib
import json
import lzma
import os
import zlib
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import IO, cast

from anidata.sources import Options
from anidata.sources.archives import sevenzip, tar
from anidata.sources.archives import zip as zip_archive
from anidata.sources.archives.limits import Broken, Unpacking, blame
from anidata.sources.listing.files import Found
from anidata.storage import Reference, decode, encode, publishing, uri_of
from anidata.tar.reader import BLOCK, is_header

VERSION = 2  # raised when the same archive would be listed otherwise
ENDING_KINDS = {
    ".tgz": "gz",
    ".tbz2": "bz2",
    ".txz": "xz",
    ".tar.gz": "gz",
    ".tar.bz2": "bz2",
    ".tar.xz": "xz",
}
PACKED_TAR = tuple(ENDING_KINDS)
ENDINGS = (
    ".zip",
    ".cbz",
    ".7z",
    ".cb7",
    ".tar",
    ".cbt",
    *PACKED_TAR,
)  # what is opened where it lies among pictures
MAGIC = {
    b"PK\3\4": "zip",
    b"PK\5\6": "zip",
    b"7z\xbc\xaf\x27\x1c": "7z",
    b"\x1f\x8b": "gz",
    b"BZh": "bz2",
    b"\xfd7zXZ\0": "xz",
}
UNPACKERS: dict[str, Callable[[IO[bytes]], IO[bytes]]] = {
    "gz": lambda file: cast("IO[bytes]", gzip.GzipFile(fileobj=file)),
    "bz2": lambda file: cast("IO[bytes]", bz2.BZ2File(file)),
    "xz": lambda file: cast("IO[bytes]", lzma.LZMAFile(file)),  # noqa: SIM115  # the caller owns the file below
}


def is_file(path: str | Path) -> bool:
    """Whether there is such a file; a pipe is none, and neither is what no name can be."""
    return os.path.isfile(path)  # noqa: PTH113  # Path.is_file raises on a text of 5,000 letters


def kind_of(path: Path) -> str | None:
    """zip, 7z, tar, gz, bz2 or xz by what the file begins with; None: it is no archive, or no file, or can't be read."""
    if not is_file(path):
        return None
    try:
        with open(path, "rb") as file:
            head = file.read(BLOCK)
            kind = next((kind for magic, kind in MAGIC.items() if head.startswith(magic)), None)
            if kind is None:
                return "tar" if is_header(head) else None
            return _packed_kind(kind, path, file) if kind in UNPACKERS else kind
    except OSError:
        return None


def _packed_kind(kind: str, path: Path, file: IO[bytes]) -> str | None:
    """The kind, if there is a tar in it; where that can't be seen, its name decides whether it is a broken one."""
    file.seek(0)
    try:
        return kind if is_header(UNPACKERS[kind](file).read(BLOCK)) else None
    except (
        OSError,
        EOFError,
        zlib.error,
        lzma.LZMAError,
        MemoryError,
    ):  # what the decompressors raise on hostile bytes
        return kind if path.name.lower().endswith(PACKED_TAR) else None


def members(path: Path, options: Options) -> list[Found]:
    """All members in the archive's order, and rows for what is refused; the empty path stands for the archive itself.

    Raises: StorageError: the workspace can't be written.
    """
    try:
        status = path.stat()
    except OSError as error:
        return [Found("", error="unreadable", message=error.strerror)]
    stamp = f"{status.st_size}.{status.st_mtime_ns}"
    listing, blob = _places(uri_of(path), stamp, options)
    if (known := _known(listing, blob)) is not None:
        return known
    with Unpacking(options, status.st_size, uri_of(path), stamp, blob) as unpacking:
        try:
            _read(path, kind_of(path), unpacking)
        except Broken as why:
            unpacking.refuse("", why)
        except OSError as error:  # reading; a failure to write is a StorageError
            unpacking.refuse("", Broken(blame(error), os.strerror(error.errno or errno.EIO)))
    if not any(
        one.error == "unreadable" for one in unpacking.found
    ):  # that may pass, and leaves size and date as they were
        _save(listing, unpacking.found)
    return unpacking.found


def streamed(
    uri: str, size: int, stamp: str, opened: Callable[[], AbstractContextManager[IO[bytes]]], options: Options
) -> list[Found]:
    """The members of a tar that lies elsewhere, packed if its name says so: read once from front to end, and copied; as `members` gives them.

    size: bytes, as its server says; stamp: changes when the tar does. What is cut short is read again by the next run.
    Raises: StorageError: the workspace can't be written. What `opened` raises but OSError.
    """
    listing, blob = _places(uri, stamp, options)
    if (known := _known(listing, blob)) is not None:
        return known
    kind = next((kind for ending, kind in ENDING_KINDS.items() if uri.lower().endswith(ending)), None)
    with Unpacking(options, size, uri, stamp, blob) as unpacking:
        try:
            with opened() as raw:
                tar.unpack(UNPACKERS[kind](raw) if kind else raw, raw, unpacking)
        except Broken as why:
            unpacking.refuse("", why)
        except OSError as error:
            unpacking.refuse(
                "",
                Broken(
                    "unreadable",
                    os.strerror(error.errno) if error.errno else str(error) or type(error).__name__,
                ),
            )
    if not any(one.error in ("unreadable", "truncated") for one in unpacking.found):
        _save(listing, unpacking.found)
    return unpacking.found


def _known(listing: Path, blob: Path) -> list[Found] | None:
    """What an archive was found to hold, if it has been looked at and its copies are there."""
    if not listing.is_file():
        return None
    found = _load(listing)
    return (
        found
        if blob.is_file() or not any(file.at and not file.at.uri.startswith("file:") for file in found)
        else None
    )


def _places(uri: str, stamp: str, options: Options) -> tuple[Path, Path]:
    """Listing and blob of an archive."""
    said = (VERSION, uri, stamp, options.max_bytes, options.max_ratio, options.max_unpacked)
    name = "archive-" + hashlib.sha256(repr(said).encode()).hexdigest()[:24]
    return options.base / "blobs" / f"{name}.jsonl", options.base / "blobs" / f"{name}.tar"


def _read(path: Path, kind: str | None, unpacking: Unpacking) -> None:
    if kind == "7z":
        sevenzip.read(path, unpacking)
        return
    with open(path, "rb") as file:
        if kind == "zip":
            zip_archive.read(file, unpacking)
        elif kind in UNPACKERS:
            tar.unpack(UNPACKERS[kind](file), file, unpacking)
        else:
            tar.read(file, unpacking)


def _save(listing: Path, found: list[Found]) -> None:
    with publishing(listing) as file:
        for one in found:
            at = (one.at.uri, one.at.offset, one.at.size) if one.at else None
            file.write(
                json.dumps((encode(one.path), at, one.stamp, one.error, one.message, one.again)).encode()
                + b"\n"
            )


def _load(listing: Path) -> list[Found]:
    with open(listing, "rb") as file:
        rows = map(json.loads, file)
        return [Found(decode(path), Reference(*at) if at else None, *rest) for path, at, *rest in rows]
