"""The one reader of tar headers: anyone's tars, plain files and streams, within bounds.

tarfile takes a damaged header for the end, gives a sparse file out as a plain one, and reads a name or pax header of any size (in quadratic
time before CPython 3.11.10). What it takes for a header is one here too, so that the tools built on it see the same members.
Source: POSIX.1-2017, pax, "ustar Interchange Format" and "pax Header"; GNU tar manual, "Basic Tar Format"
"""

import os
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

BLOCK = 512  # bytes: a tar's header, and what members are padded to
HEADER_LIMIT = 1 << 20  # bytes of a long name or a pax header; an attribute that Linux stores has up to 64 KiB, and there are several
SIZE_DIGITS = 18  # of a size in a pax header: an exabyte
GNU = b"ustar  \0"  # magic of tars that have dates where others have the front of a long name
PAX = (tarfile.XHDTYPE, tarfile.SOLARIS_XHDTYPE, tarfile.XGLTYPE)
LONG = (tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK, *PAX)  # headers that speak of the next member, or of all

Said = dict[str, bytes]  # what such headers say of a member: name, size, sparse


class File(Protocol):
    """What a tar is read from. `read` gives less than asked only at the end; `seek` is only asked to go forward."""

    def read(self, size: int, /) -> bytes: ...
    def seek(self, place: int, /) -> int: ...


class BadTar(tarfile.ReadError):
    """A tar that can't be read any further: `code` is truncated or corrupt; the message names places, never members."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(code, message)
        self.code, self.message = code, message

    def __str__(self) -> str:
        return self.message


class Unended(BadTar):
    """A tar that ends with a whole member instead of the end mark: nothing tells whether more was there."""


@dataclass(frozen=True)
class Header:
    """A member of a tar, and where its bytes lie."""

    name: bytes
    kind: str  # file, folder, link, device or sparse
    offset: int  # bytes
    size: int  # bytes; of a sparse file, what is stored of it


def headers(file: File, end: int | None = None) -> Iterator[Header]:
    """The members of a tar, which lies at the file's beginning; as each is yielded, the file stands at its bytes, and after all behind the end mark.

    `end`: size of the file in bytes, where it is known; a member that reaches beyond isn't yielded.
    Raises: BadTar: it is no tar, is cut short or is damaged; Unended: it only lacks the end mark.
    """
    place, said, promised = 0, Said(), False
    while info := _next(file, place, promised):
        place += BLOCK
        size, promised = info.size, info.type in LONG and info.type != tarfile.XGLTYPE
        if info.type in LONG:
            said = _said(info, _payload(file, info, place)) | said  # tarfile too takes the first of several
        else:
            place = _past_map(file, info, place)
            header = _header(info, said, place)
            size, said = header.size, Said()
            if end is not None and place + size > end:
                raise BadTar("truncated", f"cut short: {place + size - end:,} bytes of the member at byte {place:,} are missing")
            yield header
        place += size + -size % BLOCK
        file.seek(place)


def is_header(block: bytes) -> bool:
    """Whether this can be the first block of a tar that has members."""
    try:
        tarfile.TarInfo.frombuf(block, "utf-8", "surrogateescape")
    except tarfile.HeaderError:
        return False
    return True


def _next(file: File, place: int, promised: bool) -> tarfile.TarInfo | None:
    """The next header; None at the end mark. `promised`: the header before spoke of a member to come."""
    block = file.read(BLOCK)
    if len(block) < BLOCK:
        if promised or any(block):
            raise BadTar("truncated", f"cut short at byte {place + len(block):,}, within a header")
        raise Unended("truncated", "cut short: the end mark is missing")
    if not any(block) and not promised:
        _check_mark(file.read(BLOCK), place)
        return None
    try:
        info = tarfile.TarInfo.frombuf(block, "utf-8", "surrogateescape")
    except tarfile.HeaderError as error:
        raise BadTar("corrupt", f"damaged or no tar at byte {place:,}: neither a header nor the end mark is there") from error
    if info.size < 0:
        raise BadTar("corrupt", f"a negative size at byte {place:,}")
    if block[257:265] == GNU:
        info.name = os.fsdecode(block[:100].split(b"\0")[0])
    info.buf = block  # type: ignore[attr-defined]
    return info
