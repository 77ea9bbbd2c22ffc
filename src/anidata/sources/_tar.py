"""The members of a tar as they come by, plain or out of a decompressor, with bounds that the standard library doesn't set.

tarfile reads a long name or pax header of any size into memory, and searches it in quadratic time before CPython 3.11.10.
"""

import lzma
import os
import tarfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO

from anidata.shards import BLOCK
from anidata.sources._unpacking import FREE, TRUST, Broken, Refused, Unpacking, blame

HEADER_LIMIT = 64 << 10  # bytes of a long name or a pax header; names of over 4096 are refused anyway
LONG = {b"L", b"K", b"x", b"X", b"g"}  # headers that speak of the next member: long names, pax
STEP = 1 << 20  # bytes unpacked at a time


@dataclass(frozen=True)
class Header:
    """A member of a tar, and where its bytes begin."""

    name: bytes
    kind: str  # file, folder, link, device or sparse
    offset: int
    size: int


class Stream:
    """Reads forward in a tar and counts; what unpacks to more than it may ends in Broken."""

    def __init__(self, file: IO[bytes], packed: IO[bytes] | None, unpacking: Unpacking) -> None:
        self._file, self._packed, self._unpacking = file, packed, unpacking
        self.place = 0
        self.end = unpacking.size if packed is None else None  # of a plain tar

    def take(self, size: int) -> bytes:
        """The next `size` bytes, fewer at the end.

        Raises: Broken: truncated, corrupt or a bomb.
        """
        parts, missing = [], size
        while missing and (part := self._unpack(min(missing, STEP))):
            parts.append(part)
            missing -= len(part)
        return b"".join(parts)

    def exactly(self, size: int) -> bytes:
        """The next `size` bytes. Raises: Broken: there are fewer."""
        data = self.take(size)
        if len(data) < size:
            raise Broken("truncated", f"the archive ends {size - len(data):,} bytes too soon")
        return data

    def skip_to(self, place: int) -> None:
        """Go forward. Raises: Broken: there is nothing."""
        if self.end is not None:
            self.place = self._file.seek(place)
        while self.place < place:
            self.exactly(min(STEP, place - self.place))

    def _unpack(self, size: int) -> bytes:
        try:
            data = self._file.read(size)
        except EOFError as error:
            raise Broken("truncated", "the archive ends too soon") from error
        except (zlib.error, lzma.LZMAError) as error:
            raise Broken("corrupt", f"the archive can't be unpacked: {error}") from error
        except MemoryError as error:  # xz may ask for a dictionary of 4 GiB
            raise Broken("too_large", "the archive asks for more memory than there is") from error
        except OSError as error:
            raise Broken(blame(error), f"the archive can't be read: {error.strerror or error}") from error
        self.place += len(data)
        if self._packed is not None:
            self._count(self._packed.tell())
        return data

    def _count(self, packed: int) -> None:
        if self.place > FREE + self._unpacking.options.max_ratio * packed:
            raise Broken("bomb", f"{self.place:,} bytes out of the first {packed:,}; the rest isn't read. {TRUST}")
        if self.place > self._unpacking.total:
            raise Broken("bomb", f"it unpacks to more than {self._unpacking.total:,} bytes; the rest isn't read")


def read(stream: Stream, unpacking: Unpacking) -> None:
    """Take a tar's members: in place where it is plain, copies otherwise.

    Raises: Broken: the rest can't be read.
    """
    for header in headers(stream):
        path = None if header.kind == "folder" else unpacking.path(header.name)
        if path is None:
            continue
        try:
            _take(header, path, stream, unpacking)
        except Broken:
            raise
        except Refused as why:
            unpacking.refuse(path, why)


def _take(header: Header, path: str, stream: Stream, unpacking: Unpacking) -> None:
    if header.kind != "file":
        raise Refused(
            "corrupt" if header.kind == "sparse" else header.kind, f"a {header.kind}{' file' * (header.kind == 'sparse')} in the archive"
        )
    unpacking.check_size(header.size)
    if stream.end is None:
        unpacking.keep(path, stream.exactly(header.size))  # what it was packed in, the stream counts
    else:
        unpacking.place(path, header.offset, header.size)


def headers(stream: Stream) -> Iterator[Header]:
    """The members of a tar up to its end mark.

    Raises: Broken: the tar is cut short or no tar from here on.
    """
    said: dict[bytes, bytes] = {}
    while block := stream.take(BLOCK):
        info = _parse(block)
        if info is None:
            return
        start = stream.place
        if info.type in LONG:
            if info.size > HEADER_LIMIT:
                raise Broken("corrupt", f"a name of {info.size:,} bytes; the rest isn't read")
            said |= _said(info.type, stream.exactly(info.size))
        else:
            header = _header(info, said, _past_map(stream, block) if info.type == tarfile.GNUTYPE_SPARSE else start)
            start, info.size, said = header.offset, header.size, {}
            if stream.end is not None and start + info.size > stream.end:
                raise Broken("truncated", f"the archive ends {start + info.size - stream.end:,} bytes too soon")
            yield header
        stream.skip_to(start + info.size + (-info.size % BLOCK))


def _parse(block: bytes) -> tarfile.TarInfo | None:
    """A header block; None at the end mark."""
    try:
        info = tarfile.TarInfo.frombuf(block, "utf-8", "surrogateescape")
    except tarfile.HeaderError as error:
        if not block.strip(b"\0"):
            return None
        short = len(block) < BLOCK
        raise Broken("truncated" if short else "corrupt", "the archive ends within a header" if short else "no tar from here on") from error
    if info.size < 0:
        raise Broken("corrupt", "a member of negative size")
    return info


def _said(kind: bytes, payload: bytes) -> dict[bytes, bytes]:
    """What a header says of the next member: path and size, and whether it is sparse."""
    if kind == b"L":
        return {b"path": payload.rstrip(b"\0")}
    if kind not in (b"x", b"X"):  # long link targets; pax headers for all members carry nothing of use here
        return {}
    found, place = {}, 0
    while place < len(payload):
        length = payload[place : place + 10].split(b" ")[0]
        end = place + (int(length) if length.isdigit() else 0)
        key, equals, value = payload[place + len(length) + 1 : end].partition(b"=")
        if end <= place or end > len(payload) or not equals:
            raise Broken("corrupt", "a pax header that can't be read; the rest isn't read")
        found[key] = value.removesuffix(b"\n")
        place = end
    return found


def _header(info: tarfile.TarInfo, said: dict[bytes, bytes], offset: int) -> Header:
    size = said.get(b"size", b"")
    if size and not (size.isdigit() and len(size) < 19):
        raise Broken("corrupt", "a size that is no number")
    name = said.get(b"path") or os.fsencode(info.name)
    kind = "sparse" if any(key.startswith(b"GNU.sparse.") for key in said) else _kind(info.type, name)
    without = info.type in tarfile.SUPPORTED_TYPES and kind not in ("file", "sparse")  # links and folders have no bytes, whatever they say
    return Header(name, kind, offset, 0 if without else int(size) if size else info.size)


def _kind(code: bytes, name: bytes) -> str:
    if code == tarfile.GNUTYPE_SPARSE:
        return "sparse"
    if code == tarfile.DIRTYPE or (code in tarfile.REGULAR_TYPES and name.endswith(b"/")):
        return "folder"
    if code in tarfile.REGULAR_TYPES:
        return "file"
    return "link" if code in (tarfile.LNKTYPE, tarfile.SYMTYPE) else "device"


def _past_map(stream: Stream, block: bytes) -> int:
    """Where an old GNU sparse member's bytes begin: behind the blocks that go on with its map."""
    more = block[482]
    while more:
        more = stream.exactly(BLOCK)[504]
    return stream.place
