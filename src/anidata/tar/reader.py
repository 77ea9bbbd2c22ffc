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
HEADER_LIMIT = (
    1 << 20
)  # bytes of a long name or a pax header; an attribute that Linux stores has up to 64 KiB, and there are several
SIZE_DIGITS = 18  # of a size in a pax header: an exabyte
GNU = b"ustar  \0"  # magic of tars that have dates where others have the front of a long name
PAX = (tarfile.XHDTYPE, tarfile.SOLARIS_XHDTYPE, tarfile.XGLTYPE)
LONG = (
    tarfile.GNUTYPE_LONGNAME,
    tarfile.GNUTYPE_LONGLINK,
    *PAX,
)  # headers that speak of the next member, or of all
PAX_KEYS = {
    b"path": "name",
    b"GNU.sparse.name": "name",
    b"size": "size",
}  # the later of two with the same meaning wins

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

    name: bytes  # of a folder, without the slash
    kind: str  # file, folder, link, device or sparse
    offset: int  # bytes
    size: int  # bytes; of a sparse file, what is stored of it


@dataclass(frozen=True)
class _Block:
    """What a header's own block says."""

    name: bytes
    type: bytes
    size: int
    goes_on: bool  # an old GNU sparse member: more blocks with its map follow


def headers(file: File, end: int | None = None) -> Iterator[Header]:
    """The members of a tar that begins where the file does. As each is yielded the file stands at its bytes; after all, behind the end mark.

    `end`: size of the file in bytes, where that is known; a member that reaches beyond isn't yielded.
    Raises: BadTar: it is no tar, is cut short or is damaged; Unended: it only lacks the end mark.
    """
    place, said, promised = 0, Said(), False
    while block := _next(file, place, promised):
        promised = block.type in LONG and (promised or block.type != tarfile.XGLTYPE)
        place, size = place + BLOCK, block.size
        if block.type in LONG:
            said = (
                _said(block, _payload(file, block, place)) | said
            )  # tarfile too goes by the first of several
        else:
            place += _skip_map(file, block)
            header = _header(block, said, place)
            size, said = header.size, Said()
            if end is not None and place + size > end:
                raise BadTar(
                    "truncated",
                    f"cut short: {place + size - end:,} bytes of the member at byte {place:,} are missing",
                )
            yield header
        place += size + -size % BLOCK
        file.seek(place)


def is_header(block: bytes) -> bool:
    """Whether a tar with members may begin so."""
    return _info(block) is not None


def exactly(file: File, size: int) -> bytes:
    """The next `size` bytes.

    Raises: BadTar: there are fewer.
    """
    data = file.read(size)
    if len(data) < size:
        raise BadTar("truncated", f"cut short: {size - len(data):,} bytes are missing")
    return data


def _next(file: File, place: int, promised: bool) -> _Block | None:
    """The next header, None at the end mark. `promised`: the one before spoke of a member to come."""
    block = file.read(BLOCK)
    if len(block) < BLOCK:
        if promised or any(block):
            raise BadTar("truncated", f"cut short at byte {place + len(block):,}, within a header")
        raise Unended("truncated", "cut short: the end mark is missing")
    if promised or any(block):
        return _parse(block, place)
    second = file.read(
        BLOCK
    )  # of the end mark; tarfile is content with one, and so takes a header lost to zeros for the end
    if any(second):
        raise BadTar("corrupt", f"damaged at byte {place:,}: zeros where a header should be")
    if len(second) < BLOCK:
        raise Unended("truncated", "cut short: half of the end mark is missing")
    return None


def _info(block: bytes) -> tarfile.TarInfo | None:
    try:
        return tarfile.TarInfo.frombuf(block, "utf-8", "surrogateescape")
    except tarfile.HeaderError:
        return None


def _parse(block: bytes, place: int) -> _Block:
    info = _info(block)
    if info is None:
        raise BadTar(
            "corrupt", f"damaged or no tar at byte {place:,}: neither a header nor the end mark is there"
        )
    if info.size < 0:
        raise BadTar("corrupt", f"damaged at byte {place:,}: a negative size")
    name = block[:100].split(b"\0")[0] if block[257:265] == GNU else os.fsencode(info.name)
    return _Block(name, info.type, info.size, info.type == tarfile.GNUTYPE_SPARSE and block[482] > 0)


def _payload(file: File, block: _Block, place: int) -> bytes:
    if block.size > HEADER_LIMIT:
        raise BadTar("corrupt", f"a name or pax header of {block.size:,} bytes at byte {place:,}")
    return exactly(file, block.size)


def _said(block: _Block, payload: bytes) -> Said:
    """What a long name or pax header says of the next member."""
    if block.type not in PAX:
        return {"name": payload.rstrip(b"\0")} if block.type == tarfile.GNUTYPE_LONGNAME else {}
    found = dict(_records(payload.rstrip(b"\0")))  # some writers pad
    said = {name: found[key] for key, name in PAX_KEYS.items() if found.get(key)}
    if any(key.startswith(b"GNU.sparse.") for key in found):
        said["sparse"] = b"1"
    if said and block.type == tarfile.XGLTYPE:
        raise BadTar(
            "corrupt", "a pax header gives all members the same name or size"
        )  # on which readers disagree
    return said


def _records(payload: bytes) -> Iterator[tuple[bytes, bytes]]:
    r"""(key, value) of each record of a pax header: b"LENGTH KEY=VALUE\n", the length counting itself."""
    place = 0
    while place < len(payload):
        length = payload[place : place + 10].split(b" ")[0]
        end = place + int(length) if length.isdigit() else 0
        key, equals, value = payload[place + len(length) + 1 : end].partition(b"=")
        if not place < end <= len(payload) or not equals or not value.endswith(b"\n"):
            raise BadTar("corrupt", "a pax header that can't be read")
        yield key, value[:-1]
        place = end


def _header(block: _Block, said: Said, place: int) -> Header:
    size = said.get("size", b"")
    if size and not (size.isdigit() and len(size) <= SIZE_DIGITS):
        raise BadTar("corrupt", f"a size that is none, of the member at byte {place:,}")
    name = said.get("name") or block.name
    # links, folders and devices have no bytes, whatever is said
    bare = block.type in tarfile.SUPPORTED_TYPES and block.type not in tarfile.REGULAR_TYPES
    kind = _kind(block.type, name, "sparse" in said)
    return Header(
        name.rstrip(b"/") if kind == "folder" else name, kind, place, 0 if bare else int(size or block.size)
    )


def _kind(code: bytes, name: bytes, sparse: bool) -> str:
    if code in tarfile.REGULAR_TYPES:
        return (
            "sparse"
            if sparse or code == tarfile.GNUTYPE_SPARSE
            else "folder"
            if name.endswith(b"/")
            else "file"
        )
    if code == tarfile.DIRTYPE:
        return "folder"
    return "link" if code in (tarfile.LNKTYPE, tarfile.SYMTYPE) else "device"


def _skip_map(file: File, block: _Block) -> int:
    """Bytes between the header of an old GNU sparse member and what is stored of it: blocks that go on with its map."""
    size, more = 0, block.goes_on
    while more:
        more = exactly(file, BLOCK)[504] > 0
        size += BLOCK
    return size
