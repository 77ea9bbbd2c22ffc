"""Tars of samples: deterministic writing, the members of a tar and where their bytes lie, the index.

Headers are read by reader.py.
"""

import os
import tarfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby
from typing import BinaryIO, Protocol

from anidata.tar import reader
from anidata.tar.reader import BLOCK

END = b"\0" * (2 * BLOCK)
PLAIN = bytearray(tarfile.TarInfo("").tobuf(tarfile.PAX_FORMAT))  # a header of no name and no size
SUM_OF_PLAIN = int(PLAIN[148:154], 8) - sum(PLAIN[124:135])
NAME, SIZE, CHECKSUM = slice(0, 100), slice(124, 135), slice(148, 154)  # in a header: see tar(5), ustar


@dataclass(frozen=True)
class Member:
    """A member of a tar: its name, and where its bytes lie in the tar."""

    name: str
    offset: int  # bytes; of the content, behind the header
    size: int  # bytes


class Sink(Protocol):
    """What a tar is written to."""

    def write(self, data: bytes, /) -> int: ...


class TarWriter:
    """A plain tar in the ustar form: the same members give the same bytes.

    Nothing is in it but names, sizes and contents.
    """

    def __init__(self, file: Sink) -> None:
        self._file, self._offset = file, 0

    def add(self, name: str, data: bytes) -> Member:
        """Append a file of mode 0644 with no owner, dated 1970."""
        head, pad = header(name, len(data)), padding(len(data))
        self._file.write(head)
        self._file.write(data)
        self._file.write(pad)
        member = Member(name, self._offset + len(head), len(data))
        self._offset = member.offset + len(data) + len(pad)
        return member

    def close(self) -> int:
        """Write the end mark; returns the tar's size in bytes."""
        self._file.write(END)
        return self._offset + len(END)


def header(name: str, size: int) -> bytes:
    """The header of a file of mode 0644 with no owner, dated 1970, in the ustar form.

    A pax header goes before it only where a name is over 100 bytes or no ASCII.
    """
    raw = name.encode("utf-8", "surrogateescape")
    if len(raw) > NAME.stop or not name.isascii() or size >= 8**11:
        info = tarfile.TarInfo(name)
        info.size = size
        return info.tobuf(tarfile.PAX_FORMAT)
    head = PLAIN.copy()
    head[NAME], head[SIZE] = raw.ljust(NAME.stop, b"\0"), b"%011o" % size
    head[CHECKSUM] = b"%06o" % (SUM_OF_PLAIN + sum(raw) + sum(head[SIZE]))
    return bytes(head)


def padding(size: int) -> bytes:
    """The zeros behind a member's bytes, up to the next block."""
    return b"\0" * (-size % BLOCK)


def members(file: BinaryIO) -> Iterator[Member]:
    """Yield the regular files of a plain tar, in order; the file is left behind the end mark.

    Raises: reader.BadTar, a tarfile.TarError: it is no tar, is cut short or damaged, or has a sparse file,
    whose bytes don't lie side by side.
    """
    end = file.seek(0, os.SEEK_END)
    file.seek(0)
    for header in reader.headers(file, end):
        if header.kind == "sparse":
            raise reader.BadTar(
                "corrupt", f"a sparse file at byte {header.offset:,}: its bytes don't lie side by side"
            )
        if header.kind == "file":
            yield Member(os.fsdecode(header.name), header.offset, header.size)


def split_name(name: str) -> tuple[str, str]:
    """(key, suffix) of a member, parted at the first dot of its last component, as webdataset does."""
    folder, slash, last = name.rpartition("/")
    stem, _, suffix = last.partition(".")
    return folder + slash + stem, suffix


def index_text(members: Iterable[Member]) -> str:
    """The index of a tar in DALI's form (wds2idx, v1.2).

    A line for each sample has suffix, offset, size and name of its members.
    Hidden files, whose names begin with a dot, belong to no sample.
    """
    seen = (m for m in members if not m.name.rpartition("/")[2].startswith("."))
    lines = [
        " ".join(f"{split_name(m.name)[1]} {m.offset} {m.size} {m.name}" for m in group)
        for _, group in groupby(seen, key=lambda m: split_name(m.name)[0])
    ]
    return "\n".join([f"v1.2 {len(lines)}", *lines]) + "\n"
