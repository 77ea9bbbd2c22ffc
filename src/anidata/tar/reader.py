"""The one reader of tar headers: anyone's tars, plain files and streams, within bounds.

tarfile takes a damaged header for the end, gives a sparse file out as a plain one, and reads a name or pax
header of any size (in quadratic time before CPython 3.11.10). What it takes for a header is one here too, so
that the tools built on it see the same members.
Source: POSIX.1-2017, pax, "ustar Interchange Format" and "pax Header"; GNU tar manual, "Basic Tar Format"
"""

import os
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, Protocol, TypedDict

BLOCK = 512  # bytes: a tar's header, and what members are padded to
# bytes of a long name or a pax header; an attribute that Linux stores has up to 64 KiB, and there are several
HEADER_LIMIT = 1 << 20
SIZE_DIGITS = 18  # of a size in a pax header: an exabyte
GNU = b"ustar  \0"  # magic of tars that have dates where others have the front of a long name
PAX = (tarfile.XHDTYPE, tarfile.SOLARIS_XHDTYPE, tarfile.XGLTYPE)
# headers that speak of the next member, or of all
LONG = (tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK, *PAX)
# the later of two with the same meaning wins
PAX_KEYS: dict[bytes, Literal["name", "size"]] = {
    b"path": "name",
    b"GNU.sparse.name": "name",
    b"size": "size",
}


class Overrides(TypedDict, total=False):
    """A member's name and size by such headers, which hold instead of its own block's."""

    name: bytes
    size: bytes  # decimal digits, if the header is right
    sparse: bool


class File(Protocol):
    """What a tar is read from.

    `read` gives less than asked only at the end; `seek` is only asked to go forward.
    """

    def read(self, size: int, /) -> bytes: ...
    def seek(self, offset: int, /) -> int: ...


class BadTar(tarfile.ReadError):
    """A tar that can't be read any further.

    `code` is truncated or corrupt; the message names bytes' offsets, never members.
    """

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
    """A header by its own block."""

    name: bytes
    type: bytes
    size: int
    goes_on: bool  # an old GNU sparse member: more blocks with its map follow


def headers(file: File, end: int | None = None) -> Iterator[Header]:
    """Yield the members of a tar that begins where the file does.

    As each is yielded the file stands at its bytes; after all, behind the end mark. `end`: size of the file
    in bytes, where that is known; a member that reaches beyond isn't yielded.
    Raises: BadTar: it is no tar, is cut short or is damaged; Unended: it only lacks the end mark.
    """
    offset, overrides, promised = 0, Overrides(), False
    while block := _next(file, offset, promised):
        promised = block.type in LONG and (promised or block.type != tarfile.XGLTYPE)
        offset, size = offset + BLOCK, block.size
        if block.type in LONG:
            payload = _payload(file, block, offset)
            overrides = _overrides(block, payload) | overrides  # tarfile too goes by the first of several
        else:
            offset += _skip_map(file, block)
            header = _header(block, overrides, offset)
            size, overrides = header.size, Overrides()
            if end is not None and offset + size > end:
                raise _cut_short(offset, offset + size - end)
            yield header
        offset += size + -size % BLOCK
        file.seek(offset)


def _cut_short(offset: int, missing: int) -> BadTar:
    return BadTar("truncated", f"cut short: {missing:,} bytes of the member at byte {offset:,} are missing")


def is_header(block: bytes) -> bool:
    """Whether a tar with members may begin so."""
    return _info(block) is not None


def exactly(file: File, size: int) -> bytes:
    """Read the next `size` bytes.

    Raises: BadTar: there are fewer.
    """
    data = file.read(size)
    if len(data) < size:
        raise BadTar("truncated", f"cut short: {size - len(data):,} bytes are missing")
    return data


def _next(file: File, offset: int, promised: bool) -> _Block | None:
    """Read the next header; None at the end mark. `promised`: the one before spoke of a member to come."""
    block = file.read(BLOCK)
    if len(block) < BLOCK:
        if promised or any(block):
            raise BadTar("truncated", f"cut short at byte {offset + len(block):,}, within a header")
        raise Unended("truncated", "cut short: the end mark is missing")
    if promised or any(block):
        return _parse(block, offset)
    _check_second_zeros(file.read(BLOCK), offset)
    return None


def _check_second_zeros(block: bytes, offset: int) -> None:
    """Refuse an end mark of one block.

    tarfile is content with it, and so takes a header lost to zeros for the end.
    """
    if any(block):
        raise BadTar("corrupt", f"damaged at byte {offset:,}: zeros where a header should be")
    if len(block) < BLOCK:
        raise Unended("truncated", "cut short: half of the end mark is missing")


def _info(block: bytes) -> tarfile.TarInfo | None:
    try:
        return tarfile.TarInfo.frombuf(block, "utf-8", "surrogateescape")
    except tarfile.HeaderError:
        return None


def _parse(block: bytes, offset: int) -> _Block:
    info = _info(block)
    if info is None:
        raise BadTar(
            "corrupt", f"damaged or no tar at byte {offset:,}: neither a header nor the end mark is there"
        )
    if info.size < 0:
        raise BadTar("corrupt", f"damaged at byte {offset:,}: a negative size")
    name = block[:100].split(b"\0")[0] if block[257:265] == GNU else os.fsencode(info.name)
    return _Block(name, info.type, info.size, info.type == tarfile.GNUTYPE_SPARSE and block[482] > 0)


def _payload(file: File, block: _Block, offset: int) -> bytes:
    if block.size > HEADER_LIMIT:
        raise BadTar("corrupt", f"a name or pax header of {block.size:,} bytes at byte {offset:,}")
    return exactly(file, block.size)


def _overrides(block: _Block, payload: bytes) -> Overrides:
    """Take from a long name or pax header what it says of the next member."""
    if block.type not in PAX:
        return {"name": payload.rstrip(b"\0")} if block.type == tarfile.GNUTYPE_LONGNAME else {}
    fields = dict(_pax_records(payload.rstrip(b"\0")))  # some writers pad
    overrides = Overrides()
    for key, name in PAX_KEYS.items():
        if fields.get(key):
            overrides[name] = fields[key]
    if any(key.startswith(b"GNU.sparse.") for key in fields):
        overrides["sparse"] = True
    if overrides and block.type == tarfile.XGLTYPE:  # on which readers disagree
        raise BadTar("corrupt", "a pax header gives all members the same name or size")
    return overrides


def _pax_records(payload: bytes) -> Iterator[tuple[bytes, bytes]]:
    r"""(key, value) of each record of a pax header: b"LENGTH KEY=VALUE\n", the length counting itself."""
    begin = 0
    while begin < len(payload):
        length = payload[begin : begin + 10].split(b" ")[0]
        end = begin + int(length) if length.isdigit() else 0
        key, equals, value = payload[begin + len(length) + 1 : end].partition(b"=")
        if not begin < end <= len(payload) or not equals or not value.endswith(b"\n"):
            raise BadTar("corrupt", "a pax header that can't be read")
        yield key, value[:-1]
        begin = end


def _header(block: _Block, overrides: Overrides, offset: int) -> Header:
    digits = overrides.get("size", b"")
    if digits and not (digits.isdigit() and len(digits) <= SIZE_DIGITS):
        raise BadTar("corrupt", f"a size that is none, of the member at byte {offset:,}")
    name = overrides.get("name") or block.name
    # links, folders and devices have no bytes, whatever is said
    bare = block.type in tarfile.SUPPORTED_TYPES and block.type not in tarfile.REGULAR_TYPES
    size = 0 if bare else int(digits or block.size)
    kind = _kind(block.type, name, "sparse" in overrides)
    return Header(name.rstrip(b"/") if kind == "folder" else name, kind, offset, size)


def _kind(code: bytes, name: bytes, sparse: bool) -> str:
    is_regular = code in tarfile.REGULAR_TYPES
    if is_regular and (sparse or code == tarfile.GNUTYPE_SPARSE):
        return "sparse"
    if code == tarfile.DIRTYPE or (is_regular and name.endswith(b"/")):
        return "folder"
    if is_regular:
        return "file"
    return "link" if code in (tarfile.LNKTYPE, tarfile.SYMTYPE) else "device"


def _skip_map(file: File, block: _Block) -> int:
    """Pass over the blocks with an old GNU sparse member's map, behind its header; returns their bytes."""
    size, more = 0, block.goes_on
    while more:
        more = exactly(file, BLOCK)[504] > 0
        size += BLOCK
    return size
