"""The members at the beginning of a zip whose directory is lost: by their own headers, up to the break."""

import struct
import zlib
from dataclasses import dataclass
from typing import IO

from anidata.sources.archives.limits import Broken, Refused, Unpacking

LOCAL = struct.Struct(
    "<4s2xHH4xIIIHH"
)  # signature, flags, method, checksum, packed, size, lengths of name and extra
HEADER = LOCAL.size  # 30 bytes
SIGNATURE, DESCRIPTOR = b"PK\3\4", b"PK\7\b"
ENCRYPTED, STREAMED = 0x2041, 0x8  # flags: any encryption; checksum and sizes follow the bytes
STORED, DEFLATED = 0, 8
STEP = 1 << 16  # packed bytes read at a time


@dataclass(frozen=True)
class Local:
    """A member's own header."""

    name: bytes
    flags: int
    method: int
    checksum: int
    packed: int
    size: int
    start: int  # of the bytes


def read(file: IO[bytes], unpacking: Unpacking) -> None:
    """Take the whole members before the break."""
    place = 0
    while local := _local(file, place, unpacking.size):
        wanted = None if local.name.endswith(b"/") else unpacking.path(local.name)
        place = local.start + local.packed
        try:
            data, end = _contents(file, local, unpacking)
            if wanted:
                unpacking.keep(wanted, data)
            place = _past_descriptor(file, end) if local.flags & STREAMED else place
        except Broken:
            raise
        except (Refused, zlib.error, EOFError) as error:
            if local.flags & STREAMED and not local.packed:
                return  # nothing says where the next one begins
            if wanted:
                unpacking.refuse(
                    wanted,
                    error
                    if isinstance(error, Refused)
                    else Refused("corrupt", f"it can't be unpacked: {error}"),
                )


def _local(file: IO[bytes], place: int, size: int) -> Local | None:
    """The header at a place; None where there is none, or its member is cut."""
    file.seek(place)
    head = file.read(HEADER)
    if len(head) < HEADER or not head.startswith(SIGNATURE):
        return None
    _, flags, method, checksum, packed, unpacked, name, extra = LOCAL.unpack(head)
    local = Local(file.read(name), flags, method, checksum, packed, unpacked, place + HEADER + name + extra)
    return local if local.start + packed <= size else None


def _contents(file: IO[bytes], local: Local, unpacking: Unpacking) -> tuple[bytes, int]:
    """A member's bytes, and where they end.

    Raises: Refused, zlib.error, EOFError
    """
    streamed = local.flags & STREAMED and not local.packed
    if local.flags & ENCRYPTED:
        raise Refused("encrypted", "the member is encrypted")
    if local.method not in (STORED, DEFLATED) or (streamed and local.method == STORED):
        raise Refused("corrupt", f"packed with method {local.method}, which isn't read without a directory")
    if not streamed:
        unpacking.check(local.size, local.packed)
    file.seek(local.start)
    if local.method == STORED:
        data, end = file.read(local.packed), local.start + local.packed
    else:
        data, end = _inflate(file, unpacking.size - local.start if streamed else local.packed, unpacking)
    if not local.flags & STREAMED and zlib.crc32(data) != local.checksum:
        raise Refused("corrupt", "its checksum is wrong")
    return data, end


def _inflate(file: IO[bytes], most: int, unpacking: Unpacking) -> tuple[bytes, int]:
    """What the deflated bytes from here on unpack to, and where they end."""
    inflater, parts, size, taken = zlib.decompressobj(-zlib.MAX_WBITS), [], 0, 0
    begin = file.tell()
    while not inflater.eof:
        chunk = file.read(min(STEP, most - taken))
        if not chunk:
            raise EOFError("it ends too soon")
        taken += len(chunk)
        while chunk and not inflater.eof:
            parts.append(inflater.decompress(chunk, 1 << 20))
            size, chunk = size + len(parts[-1]), inflater.unconsumed_tail
            unpacking.check(size, taken)
    return b"".join(parts), begin + taken - len(inflater.unused_data)


def _past_descriptor(file: IO[bytes], end: int) -> int:
    """Where the next header begins behind a streamed member: its descriptor has 12 bytes, or 20 for large ones, and may be signed."""
    file.seek(end)
    after = file.read(28)
    skip = after.find(SIGNATURE, 12)
    return end + (skip if skip >= 0 else 16 if after.startswith(DESCRIPTOR) else 12)
