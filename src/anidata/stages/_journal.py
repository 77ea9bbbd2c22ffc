"""A journal: what has been fetched of a part that isn't finished, one entry after the other, appended at once as it comes.

A process that is killed leaves a last entry half written; whoever opens the journal next cuts it off. So an answer is asked for again only
if it was in flight. Nothing is synced: after a power cut what the disk lost is asked for again.
"""

import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

import msgspec
import xxhash

from anidata.storage import unwritable

MAGIC = b"ADJ1"
HEAD = struct.Struct("<4sIQQ")  # magic, bytes of the entry's JSON, bytes of its body, XXH3 of both
STEP = 1 << 20

Row = dict[str, Any]


@dataclass(frozen=True)
class Entry:
    """What a journal holds of one record."""

    row: Row
    offset: int  # of the body
    size: int


class Journal:
    """The journal at a path; the last entry of a record counts."""

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = open(path, "a+b", buffering=0)  # noqa: SIM115  closed by `close`
            self.entries = {entry.row["record"]: entry for entry in _entries(self._file)}
            self._end = self._file.seek(0, os.SEEK_END)
        except OSError as error:
            raise unwritable(path, error) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._file.close()

    def add(self, row: Row, body: IO[bytes] | None, size: int) -> None:
        """Append an entry; the body is read from where it stands, and has so many bytes. Raises: StorageError: no room."""
        text = msgspec.json.encode(row)
        first = body.read(STEP) if body else b""
        try:
            head = HEAD.pack(MAGIC, len(text), size, _check(text, first, body))
            _write(self._file, b"".join((head, text, first)))
            while body and size > STEP and (chunk := body.read(STEP)):
                _write(self._file, chunk)
        except OSError as error:
            raise unwritable(self._path, error) from error
        entry = self.entries[row["record"]] = Entry(row, self._end + len(head) + len(text), size)
        self._end = entry.offset + size

    def body(self, entry: Entry) -> bytes:
        self._file.seek(entry.offset)
        return _read(self._file, entry.size)

    def delete(self) -> None:
        """End it: what it held is published."""
        self._file.close()
        self._path.unlink(missing_ok=True)


def _entries(file: IO[bytes]) -> Iterator[Entry]:
    """All whole entries; what follows them is cut off."""
    place = file.seek(0)
    while (entry := _entry(file, place)) is not None:
        yield entry
        place = entry.offset + entry.size
    file.truncate(place)


def _entry(file: IO[bytes], place: int) -> Entry | None:
    head = _read(file, HEAD.size)
    if len(head) < HEAD.size:
        return None
    magic, length, size, check = HEAD.unpack(head)
    left = os.fstat(file.fileno()).st_size - place - HEAD.size  # a damaged head may speak of any sizes
    if magic != MAGIC or length + size > left:
        return None
    text = _read(file, length)
    found, rest = xxhash.xxh3_64(text), size
    while rest and (chunk := _read(file, min(rest, STEP))):
        found.update(chunk)
        rest -= len(chunk)
    return None if rest or found.intdigest() != check else Entry(msgspec.json.decode(text), place + HEAD.size + length, size)


def _check(text: bytes, first: bytes, body: IO[bytes] | None) -> int:
    """The digest of an entry; `body` is left behind its first bytes."""
    found = xxhash.xxh3_64(text)
    found.update(first)
    if body and len(first) == STEP:
        while chunk := body.read(STEP):
            found.update(chunk)
        body.seek(STEP)
    return found.intdigest()


def _write(file: IO[bytes], data: bytes) -> None:
    """All of it: an unbuffered file may take less."""
    view = memoryview(data)
    while view:
        view = view[file.write(view) :]


def _read(file: IO[bytes], size: int) -> bytes:
    found = file.read(size)
    while found and len(found) < size and (more := file.read(size - len(found))):
        found += more
    return found
