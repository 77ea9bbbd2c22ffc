"""The members at the beginning of a zip whose directory is lost: by their own headers, up to the break."""

import struct
import zlib
from dataclasses import dataclass
from typing import IO

from anidata.sources.archives.limits import Broken, Refused, Unpacking

# signature, flags, method, checksum, packed, size, lengths of name and extra
LOCAL = struct.Struct("<4s2xHH4xIIIHH")
HEADER = LOCAL.size  # 30 bytes
SIGNATURE, DESCRIPTOR = b"PK\3\4", b"PK\7\b"
ENCRYPTED, STREAMED = 0x2041, 0x8  # flags: any encryption; checksum and sizes follow the bytes
STORED, DEFLATED = 0, 8
STEP = 1 << 16  # packed bytes read at a time


@dataclass(frozen=True, kw_only=True)
class Local:
    """A member's own header."""

    name: bytes
    flags: int
    method: int
    checksum: int
    packed: int
    size: int
    start: int  # of the bytes

    @property
    def is_streamed(self) -> bool:
        """Whether its checksum and sizes follow the bytes."""
        return bool(self.flags & STREAMED)


def read(file: IO[bytes], unpacking: Unpacking) -> None:
    """Take the whole members before the break."""
    offset = 0
    while local := _local(file, offset, unpacking.size):
        wanted = None if local.name.endswith(b"/") else unpacking.path(local.name)
        offset = local.start + local.packed
        try:
            data, end = _contents(file, local, unpacking)
            if wanted:
                unpacking.keep(wanted, data)
            offset = _past_descriptor(file, end) if local.is_streamed else offset
        except Broken:
            raise
        except (Refused, zlib.error, EOFError) as error:
            if local.is_streamed and not local.packed:
                return  # nothing says where the next one begins
            if wanted:
                unpacking.refuse(wanted, _as_refused(error))


def _as_refused(error: Exception) -> Refused:
    return error if isinstance(error, Refused) else Refused("corrupt", f"it can't be unpacked: {error}")


def _local(file: IO[bytes], offset: int, size: int) -> Local | None:
    """The header at an offset; None where there is none, or its member is cut."""
    file.seek(offset)
    head = file.read(HEADER)
    if len(head) < HEADER or not head.startswith(SIGNATURE):
        return None
    _, flags, method, checksum, packed, unpacked, name, extra = LOCAL.unpack(head)
    local = Local(
        name=file.read(name),
        flags=flags,
        method=method,
        checksum=checksum,
        packed=packed,
        size=unpacked,
        start=offset + HEADER + name + extra,
    )
    return local if local.start + packed <= size else None


def _contents(file: IO[bytes], local: Local, unpacking: Unpacking) -> tuple[bytearray, int]:
    """A member's bytes, and where they end.

    Raises: Refused, zlib.error, EOFError
    """
    is_unsized = local.is_streamed and not local.packed
    if local.flags & ENCRYPTED:
        raise Refused("encrypted", "the member is encrypted")
    if local.method not in (STORED, DEFLATED) or (is_unsized and local.method == STORED):
        raise Refused("corrupt", f"packed with method {local.method}, which isn't read without a directory")
    if not is_unsized:
        unpacking.check(local.size, local.packed)
    file.seek(local.start)
    if local.method == STORED:
        data, end = bytearray(file.read(local.packed)), local.start + local.packed
    else:
        data, end = _inflate(file, unpacking.size - local.start if is_unsized else local.packed, unpacking)
    if not local.is_streamed and zlib.crc32(data) != local.checksum:
        raise Refused("corrupt", "its checksum is wrong")
    return data, end


def _inflate(file: IO[bytes], most: int, unpacking: Unpacking) -> tuple[bytearray, int]:
    """Unpack the deflated bytes from here on; returns them, and where they end."""
    inflater, data, taken = zlib.decompressobj(-zlib.MAX_WBITS), bytearray(), 0
    begin = file.tell()
    while not inflater.eof:
        packed = file.read(min(STEP, most - taken))
        if not packed:
            raise EOFError("it ends too soon")
        taken += len(packed)
        while packed and not inflater.eof:
            data += inflater.decompress(packed, 1 << 20)
            packed = inflater.unconsumed_tail
            unpacking.check(len(data), taken)
    return data, begin + taken - len(inflater.unused_data)


def _past_descriptor(file: IO[bytes], end: int) -> int:
    """Where the next header begins behind a streamed member.

    Its descriptor has 12 bytes, or 20 for large ones, and may be signed.
    """
    file.seek(end)
    after = file.read(28)
    skip = after.find(SIGNATURE, 12)
    if skip >= 0:
        return end + skip
    return end + (16 if after.startswith(DESCRIPTOR) else 12)
