"""A journal: what has been fetched of a part that isn't finished, one entry after the other, appended at once as it comes.

It is a tar that grows: of each entry `RECORD.json`, then `RECORD.at` if it has a body. When it is whole, its end mark is written and it is moved
to its place as it is, for later stages to read: no body is written twice. Entries stand in the order in which they came.

A process that is killed leaves a last entry half written; whoever opens the journal next cuts it off. So an answer is asked for again only
if it was in flight. Nothing is synced before the end: after a power cut what the disk lost is asked for again.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

import msgspec
import xxhash

from anidata import storage
from anidata.storage import unwritable
from anidata.tar import writer
from anidata.tar.reader import BLOCK

STEP = 1 << 20

Row = dict[str, Any]


@dataclass(frozen=True)
class Entry:
    """What a journal holds of one record."""

    row: Row
    offset: int  # of the body, in the journal and in the tar that becomes of it
    size: int


class _Said(msgspec.Struct):
    """What `RECORD.json` holds."""

    check: int  # XXH3 of the row's text and the body
    size: int  # bytes of the body
    row: msgspec.Raw


class Journal:
    """The journal at a path; the last entry of a record counts.

    tar: where it goes in the end. One that stands there without being called published is the journal of a process killed at that very moment.
    """

    def __init__(self, path: Path, tar: Path) -> None:
        self._path, self._tar = path, tar
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            if not path.exists() and tar.exists():
                os.replace(tar, path)
            self._file = open(path, "a+b", buffering=0)  # noqa: SIM115  closed by `close`
            self.entries = {entry.row["record"]: entry for entry in _entries(self._file)}
            self._end = self._file.seek(0, os.SEEK_END)
        except OSError as error:
            raise unwritable(path, error) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def add(self, row: Row, body: IO[bytes] | None, size: int) -> None:
        """Append an entry; the body is read from where it stands, and has so many bytes. Raises: StorageError: no room."""
        text = msgspec.json.encode(row)
        first = body.read(STEP) if body else b""
        head = _head(row["record"], _said(_check(text, first, body), size, text), size)
        try:
            _write(self._file, [head, first] if size > STEP else [head, first, writer.padding(size)])
            if body and size > STEP:
                while chunk := body.read(STEP):
                    _write(self._file, [chunk])
                _write(self._file, [writer.padding(size)])
        except OSError as error:
            raise unwritable(self._path, error) from error
        entry = self.entries[row["record"]] = Entry(row, self._end + len(head), size)
        self._end = entry.offset + size + len(writer.padding(size))

    def finish(self) -> None:
        """End it, with all bodies safe in its tar; without any it is deleted. Raises: StorageError."""
        try:
            if not any(entry.size for entry in self.entries.values()):
                self._file.close()
                self._path.unlink(missing_ok=True)
                return
            self._tar.parent.mkdir(parents=True, exist_ok=True)
            _write(self._file, [writer.END])
            os.fsync(self._file.fileno())
            self._file.close()
            os.replace(self._path, self._tar)
            storage.sync_folder(self._tar.parent)
        except OSError as error:
            raise unwritable(self._tar, error) from error


def _head(record: str, text: bytes, size: int) -> bytes:
    """All of an entry that stands before its body's bytes."""
    said = [writer.header(f"{record}.json", len(text)), text, writer.padding(len(text))]
    return b"".join([*said, writer.header(f"{record}.at", size)] if size else said)


def _said(check: int, size: int, text: bytes) -> bytes:
    return b'{"check":%d,"size":%d,"row":%b}' % (check, size, text)


def _entries(file: IO[bytes]) -> Iterator[Entry]:
    """All whole entries; what follows them is cut off."""
    place = file.seek(0)
    while (entry := _entry(file, place)) is not None:
        yield entry
        place = entry.offset + entry.size + len(writer.padding(entry.size))
    file.truncate(place)


def _entry(file: IO[bytes], place: int) -> Entry | None:
    """The entry at a place; None: there is none, or not all of it, or it isn't as it was written."""
    file.seek(place)
    left = os.fstat(file.fileno()).st_size - place  # what is damaged may speak of any sizes
    try:
        length = int(_read(file, BLOCK)[writer.SIZE], 8)
        text = _read(file, min(length, left))
        said = msgspec.json.decode(text, type=_Said)
        row = msgspec.json.decode(said.row)
        head = _head(row["record"], _said(said.check, said.size, bytes(said.row)), said.size)
    except (ValueError, TypeError, KeyError, msgspec.MsgspecError):
        return None
    whole = len(head) + said.size + len(writer.padding(said.size))
    file.seek(place)
    if said.size < 0 or whole > left or _read(file, len(head)) != head:
        return None
    found, rest = xxhash.xxh3_64(bytes(said.row)), said.size
    while rest and (chunk := _read(file, min(rest, STEP))):
        found.update(chunk)
        rest -= len(chunk)
    is_whole = (
        not rest and found.intdigest() == said.check and not any(_read(file, len(writer.padding(said.size))))
    )
    return Entry(row, place + len(head), said.size) if is_whole else None


def _check(text: bytes, first: bytes, body: IO[bytes] | None) -> int:
    """The digest of an entry; `body` is left behind its first bytes."""
    found = xxhash.xxh3_64(text)
    found.update(first)
    if body and len(first) == STEP:
        while chunk := body.read(STEP):
            found.update(chunk)
        body.seek(STEP)
    return found.intdigest()


def _write(file: IO[bytes], pieces: list[bytes]) -> None:
    """All of them: one call may take less."""
    done = os.writev(file.fileno(), pieces)
    if done < sum(map(len, pieces)):
        rest = memoryview(b"".join(pieces))[done:]
        while rest:
            rest = rest[file.write(rest) :]


def _read(file: IO[bytes], size: int) -> bytes:
    found = file.read(size)
    while found and len(found) < size and (more := file.read(size - len(found))):
        found += more
    return found
