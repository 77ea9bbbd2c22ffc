"""A journal: what has been fetched of a part that isn't finished.

One entry follows the other, appended at once as it comes. It is a tar that grows: of each entry
`RECORD.json`, then `RECORD.at` if it has a body. When it is whole, its end mark is written and it is moved as
it is to where later stages read it: no body is written twice. Entries stand in the order in which they came.

A process that is killed leaves a last entry half written; whoever opens the journal next cuts it off. So a
URL is asked for again only if its response was in flight. Nothing is synced before the end: after a power cut
what the disk lost is asked for again.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, Self, TypedDict

import msgspec
import xxhash

from anidata import storage
from anidata.storage import unwritable
from anidata.tar import writer
from anidata.tar.reader import BLOCK

STEP = 1 << 20


class ResponseRow(TypedDict):
    """A fetch.Response without its body, as `RECORD.json` holds it."""

    record: str
    url: str
    final_url: str
    asked: float  # seconds since 1970
    http: int | None
    error: str | None
    message: str | None
    redirects: int
    tries: int
    etag: str | None
    modified: str | None
    type: str | None
    robots_tag: str | None
    tdm_reservation: str | None
    tdm_policy: str | None
    content_usage: str | None
    ignored: str | None
    elsewhere: bool
    size: int


@dataclass(frozen=True)
class Entry:
    """All that a journal holds of one record."""

    row: ResponseRow
    offset: int  # of the body, in the journal and in the tar that becomes of it
    size: int

    @property
    def end(self) -> int:
        """Where the next entry begins."""
        return self.offset + self.size + len(writer.padding(self.size))


class _Envelope(msgspec.Struct):
    """The content of `RECORD.json`."""

    check: int  # XXH3 of the row's text and the body
    size: int  # bytes of the body
    row: msgspec.Raw


class Journal:
    """The journal at a path; the last entry of a record counts.

    tar: where it goes in the end. One that stands there without being called published is the journal of a
    process killed at that very moment.
    """

    def __init__(self, path: Path, tar: Path) -> None:
        self._path, self._tar = path, tar
        try:
            if not path.exists() and tar.exists():
                storage.move(tar, path)
            self._file = storage.opened_for_appending(path)
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

    def add(self, row: ResponseRow, body: IO[bytes] | None, size: int) -> None:
        """Append an entry; the body is read from where it stands, and has so many bytes.

        Raises: StorageError: no room.
        """
        text = msgspec.json.encode(row)
        first = body.read(STEP) if body else b""
        head = _head(row["record"], _envelope(_check(text, first, body), size, text), size)
        try:
            _write(self._file, [head, first] if size > STEP else [head, first, writer.padding(size)])
            if body and size > STEP:
                while chunk := body.read(STEP):
                    _write(self._file, [chunk])
                _write(self._file, [writer.padding(size)])
        except OSError as error:
            raise unwritable(self._path, error) from error
        entry = self.entries[row["record"]] = Entry(row, self._end + len(head), size)
        self._end = entry.end

    def finish(self) -> None:
        """End it, with all bodies safe in its tar; without any it is deleted. Raises: StorageError."""
        try:
            if not any(entry.size for entry in self.entries.values()):
                self._file.close()
                storage.delete(self._path)
                return
            _write(self._file, [writer.END])
            os.fsync(self._file.fileno())
            self._file.close()
            storage.move(self._path, self._tar)
        except OSError as error:
            raise unwritable(self._tar, error) from error


def _head(record: str, text: bytes, size: int) -> bytes:
    """All of an entry that stands before its body's bytes."""
    blocks = [writer.header(f"{record}.json", len(text)), text, writer.padding(len(text))]
    if size:
        blocks.append(writer.header(f"{record}.at", size))
    return b"".join(blocks)


def _envelope(check: int, size: int, text: bytes) -> bytes:
    return b'{"check":%d,"size":%d,"row":%b}' % (check, size, text)


def _entries(file: IO[bytes]) -> Iterator[Entry]:
    """Yield all whole entries; what follows them is cut off."""
    position = file.seek(0)
    while (entry := _entry(file, position)) is not None:
        yield entry
        position = entry.end
    file.truncate(position)


def _entry(file: IO[bytes], start: int) -> Entry | None:
    """The entry that begins at a byte.

    None: there is none, or not all of it, or it isn't as it was written.
    """
    file.seek(start)
    left = os.fstat(file.fileno()).st_size - start  # what is damaged may speak of any sizes
    try:
        envelope = _read_envelope(file, left)
        row = msgspec.json.decode(envelope.row)
        text = _envelope(envelope.check, envelope.size, bytes(envelope.row))
        head = _head(row["record"], text, envelope.size)
    except (ValueError, TypeError, KeyError, msgspec.MsgspecError):
        return None
    entry = Entry(row, start + len(head), envelope.size)
    file.seek(start)
    if entry.size < 0 or entry.end - start > left or _read(file, len(head)) != head:
        return None
    return entry if _is_body_whole(file, envelope) else None


def _read_envelope(file: IO[bytes], left: int) -> _Envelope:
    """The content of the `RECORD.json` that the file stands before; left: bytes to the end of the file.

    Raises: ValueError, TypeError, msgspec.MsgspecError: there is none.
    """
    length = int(_read(file, BLOCK)[writer.SIZE], 8)
    return msgspec.json.decode(_read(file, min(length, left)), type=_Envelope)


def _is_body_whole(file: IO[bytes], envelope: _Envelope) -> bool:
    """Whether the body that the file stands before is as it was written, and its padding too."""
    digest, remaining = xxhash.xxh3_64(bytes(envelope.row)), envelope.size
    while remaining and (chunk := _read(file, min(remaining, STEP))):
        digest.update(chunk)
        remaining -= len(chunk)
    if remaining or digest.intdigest() != envelope.check:
        return False
    return not any(_read(file, len(writer.padding(envelope.size))))


def _check(text: bytes, first: bytes, body: IO[bytes] | None) -> int:
    """The digest of an entry; `body` is left behind its first bytes."""
    digest = xxhash.xxh3_64(text)
    digest.update(first)
    if body and len(first) == STEP:
        while chunk := body.read(STEP):
            digest.update(chunk)
        body.seek(STEP)
    return digest.intdigest()


def _write(file: IO[bytes], pieces: list[bytes]) -> None:
    """Write all pieces: one call may take less."""
    done = os.writev(file.fileno(), pieces)
    if done < sum(map(len, pieces)):
        remaining = memoryview(b"".join(pieces))[done:]
        while remaining:
            remaining = remaining[file.write(remaining) :]


def _read(file: IO[bytes], size: int) -> bytes:
    """So many bytes, or fewer at the end of the file."""
    data = file.read(size)
    while data and len(data) < size and (more := file.read(size - len(data))):
        data += more
    return data
