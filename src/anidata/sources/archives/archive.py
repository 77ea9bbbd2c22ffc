"""An archive's members: where they lie, or copied into the workspace; what is refused, as rows.

An archive is unpacked once: blobs/archive-ID.tar has the copies, blobs/archive-ID.jsonl the listing, which is
published last: its presence says that both are whole. Each notes its own name: one in another's place is
seen. ID changes with the archive's path, size and date, and with the limits.
"""

import bz2
import gzip
import hashlib
import json
import lzma
import os
import zlib
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import IO, Any, cast

from anidata.catalog.damage import damaged
from anidata.sources import Options
from anidata.sources.archives import sevenzip, tar
from anidata.sources.archives import zip as zip_archive
from anidata.sources.archives.limits import Broken, Unpacking, blame
from anidata.sources.listing import blobs
from anidata.sources.listing.files import ListedFile
from anidata.storage import Reference, decode, encode, opened, publishing, real_uri
from anidata.tar import opening
from anidata.tar.reader import BLOCK, is_header
from anidata.tar.untrusted import read_json

LACKS_MEMORY = "listing it takes more memory than it may"
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
# what is opened where it lies among pictures
ENDINGS = (".zip", ".cbz", ".7z", ".cb7", ".tar", ".cbt", *PACKED_TAR)
MAGIC = {
    b"PK\3\4": "zip",
    b"PK\5\6": "zip",
    b"7z\xbc\xaf\x27\x1c": "7z",
    b"\x1f\x8b": "gz",
    b"BZh": "bz2",
    b"\xfd7zXZ\0": "xz",
}
# what the decompressors raise on hostile bytes
BAD = (OSError, EOFError, zlib.error, lzma.LZMAError, MemoryError)
UNPACKERS: dict[str, Callable[[IO[bytes]], IO[bytes]]] = {
    "gz": lambda file: cast("IO[bytes]", gzip.GzipFile(fileobj=file)),
    "bz2": lambda file: cast("IO[bytes]", bz2.BZ2File(file)),
    "xz": lambda file: cast("IO[bytes]", lzma.LZMAFile(file)),  # noqa: SIM115  the caller's to close
}


def is_file(path: str | Path) -> bool:
    """Whether there is such a file; a pipe is none, and neither is what no name can be."""
    return os.path.isfile(path)  # noqa: PTH113  # Path.is_file raises on a text of 5,000 letters


def kind_of(path: Path) -> str | None:
    """zip, 7z, tar, gz, bz2 or xz by what the file begins with.

    None: it is no archive, or no file, or can't be read.
    """
    if not is_file(path):
        return None
    try:
        with opening.opened(path) as file:
            head = file.read(BLOCK)
            kind = next((kind for magic, kind in MAGIC.items() if head.startswith(magic)), None)
            if kind is None:
                return "tar" if is_header(head) else None
            return _packed_kind(kind, path, file) if kind in UNPACKERS else kind
    except OSError:
        return None


def _packed_kind(kind: str, path: Path, file: IO[bytes]) -> str | None:
    """The kind, if there is a tar in it; where that can't be seen, by its name it may be a broken one."""
    file.seek(0)
    try:
        return kind if is_header(UNPACKERS[kind](file).read(BLOCK)) else None
    except BAD:
        return kind if path.name.lower().endswith(PACKED_TAR) else None


def members(path: Path, options: Options, uri: str | None = None) -> list[ListedFile]:
    """All members in the archive's order, and rows for what is refused.

    The empty path stands for the archive itself. uri: of the file as it was listed; None: by its path.
    Raises: StorageError: the workspace can't be written.
    """
    try:
        status = path.stat()
    except OSError as error:
        return [ListedFile(path="", error="unreadable", message=error.strerror)]
    uri, stamp, listing, blob = _identity(path, status, options, uri)
    if (known := _known(listing, blob, uri)) is not None:
        return known
    with Unpacking(options=options, size=status.st_size, uri=uri, stamp=stamp, blob=blob) as unpacking:
        try:
            _read(uri, kind_of(path), unpacking)
        except Broken as why:
            unpacking.refuse("", why)
        except OSError as error:  # reading; a failure to write is a StorageError
            unpacking.refuse("", Broken(blame(error), opening.why(error)))
        except MemoryError:
            unpacking.refuse("", Broken("too_large", LACKS_MEMORY))
    # what is unreadable may be readable next time, and keeps its size and date
    return _saved(listing, unpacking.listed, unless={"unreadable"})


def known_members(path: Path, options: Options, uri: str | None = None) -> list[ListedFile] | None:
    """The members of an archive as an earlier look has written them down; None: nothing is known of it."""
    try:
        at, _, listing, blob = _identity(path, path.stat(), options, uri)
        return _known(listing, blob, at)
    except OSError:
        return None


def _identity(
    path: Path, status: os.stat_result, options: Options, uri: str | None
) -> tuple[str, str, Path, Path]:
    """URI and stamp of an archive that is here; its listing and blob."""
    uri, stamp = uri or real_uri(path), f"{status.st_size}.{status.st_mtime_ns}"
    return uri, stamp, *_listing_and_blob(uri, stamp, options)


def streamed(
    uri: str, size: int, stamp: str, opened: Callable[[], AbstractContextManager[IO[bytes]]], options: Options
) -> list[ListedFile]:
    """The members of a tar that lies elsewhere, packed if its name says so; as `members` gives them.

    It is read once from front to end, and copied.
    size: bytes, as its server says; stamp: changes when the tar does. What is cut short is read again by the
    next run.
    Raises: StorageError: the workspace can't be written. What `opened` raises but OSError.
    """
    listing, blob = _listing_and_blob(uri, stamp, options)
    if (known := _known(listing, blob, uri)) is not None:
        return known
    kind = next((kind for ending, kind in ENDING_KINDS.items() if uri.lower().endswith(ending)), None)
    with Unpacking(options=options, size=size, uri=uri, stamp=stamp, blob=blob) as unpacking:
        try:
            with opened() as raw:
                tar.unpack(UNPACKERS[kind](raw) if kind else raw, raw, unpacking)
        except Broken as why:
            unpacking.refuse("", why)
        except OSError as error:
            unpacking.refuse("", Broken("unreadable", _words(error)))
    return _saved(listing, unpacking.listed, unless={"unreadable", "truncated"})


def _words(error: OSError) -> str:
    return opening.why(error) if error.errno else str(error) or type(error).__name__


def _known(listing: Path, blob: Path, uri: str) -> list[ListedFile] | None:
    """The members of an archive that has been looked at before, if its copies are there.

    Raises: DamagedError: listing or copies are another archive's, or cut short; they refer elsewhere.
    """
    if not listing.is_file() or not listing.stat().st_size:
        return None
    files = _load(listing)
    if astray := {file.at.uri for file in files if file.at} - {uri, f"{blob.parent.name}/{blob.name}"}:
        raise damaged(listing, f"it refers to {min(astray)}")
    if blob.is_file():
        blobs.check_end(blob)
        return files
    has_copies = any(file.at and not file.at.uri.startswith("file:") for file in files)
    return None if has_copies else files


def _listing_and_blob(uri: str, stamp: str, options: Options) -> tuple[Path, Path]:
    """Listing and blob of an archive."""
    identity = (VERSION, uri, stamp, options.max_bytes, options.max_ratio, options.max_unpacked)
    name = "archive-" + hashlib.sha256(repr(identity).encode()).hexdigest()[:24]
    return options.base / "blobs" / f"{name}.jsonl", options.base / "blobs" / f"{name}.tar"


def _read(uri: str, kind: str | None, unpacking: Unpacking) -> None:
    with opened(uri, unpacking.options.base) as file:
        if kind == "7z":
            sevenzip.read(os.dup(file.fileno()), unpacking)
        elif kind == "zip":
            zip_archive.read(file, unpacking)
        elif kind in UNPACKERS:
            tar.unpack(UNPACKERS[kind](file), file, unpacking)
        else:
            tar.read(file, unpacking)


def _saved(listing: Path, files: list[ListedFile], *, unless: set[str]) -> list[ListedFile]:
    """The files, written down for the next run unless one of them has such an error, which may pass."""
    if not any(file.error in unless for file in files):
        _save(listing, files)
    return files


def _save(listing: Path, files: list[ListedFile]) -> None:
    with publishing(listing) as file:
        file.write(json.dumps({"listing": listing.name, "rows": len(files)}).encode() + b"\n")
        for one in files:
            at = (one.at.uri, one.at.offset, one.at.size) if one.at else None
            row = (encode(one.path), at, one.stamp, one.error, one.message, one.again)
            file.write(json.dumps(row).encode() + b"\n")


def _load(listing: Path) -> list[ListedFile]:
    """The files written down. Raises: DamagedError."""
    try:
        with opening.opened(listing) as file:
            rows = [read_json(line) for line in file]
        if rows and isinstance(rows[0], dict):  # in one of an older version is no such line
            head = rows.pop(0)
            blobs.compare(listing, head["listing"])
            if len(rows) != head["rows"]:
                raise damaged(listing, f"{len(rows)} of its {head['rows']} rows are there")
        return [_from_row(*row) for row in rows]
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise damaged(listing, f"{error}") from error


def _from_row(path: str, at: list[Any] | None, *others: Any) -> ListedFile:
    stamp, error, message, again = others
    return ListedFile(
        path=decode(path),
        at=Reference(*at) if at else None,
        stamp=stamp,
        error=error,
        message=message,
        again=again,
    )
