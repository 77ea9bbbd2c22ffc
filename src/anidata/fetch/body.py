"""Bodies under bounds: bytes counted as they come and as they are unpacked.

Pictures are told from other files by their first bytes.
"""

import zlib
from collections.abc import Iterator
from pathlib import Path
from tempfile import SpooledTemporaryFile
from typing import TYPE_CHECKING

from anidata.fetch import Bounds, FetchError
from anidata.fetch.failures import of_libraries
from anidata.imaging.headers import sniff
from anidata.storage import unwritable

if TYPE_CHECKING:
    import aiohttp

IN_MEMORY = 1 << 20  # bytes of a body that are held in memory; of a larger one none
HEAD = 512  # bytes by which a picture is known
FREE = 1 << 20  # bytes unpacked before the ratio counts
STEP = 1 << 16  # bytes unpacked at once
PACKED = ("gzip", "x-gzip", "deflate")

Spool = SpooledTemporaryFile[bytes]


async def read_picture(response: "aiohttp.ClientResponse", bounds: Bounds, folder: Path) -> tuple[Spool, int]:
    """The body, unpacked, and its size; whoever gets it closes it.

    Raises: FetchError: `empty`, `not_an_image`, `too_large`, `bomb`, `bad_encoding`, `cut_short`.
    """
    if (response.content_length or 0) > bounds.max_bytes:
        raise FetchError("too_large", f"{response.content_length:,} bytes; the limit is {bounds.max_bytes:,}")
    body = _Body(_unpacker(response), bounds, folder)
    try:
        while chunk := await _chunk(response):
            body.take(chunk)
        return body.finish(), body.size
    except BaseException:
        body.file.close()
        raise


async def read_text(response: "aiohttp.ClientResponse", limit: int) -> bytes:
    """The first bytes of a small file, unpacked; what goes beyond the limit is left out."""
    unpacker, text, received = _unpacker(response), bytearray(), 0
    while len(text) < limit and received < limit and (chunk := await _chunk(response)):
        received += len(chunk)
        for piece in _pieces(unpacker, chunk):
            text += piece
            if len(text) >= limit:
                break
    return bytes(text[:limit])


async def _chunk(response: "aiohttp.ClientResponse") -> bytes:
    """What has come of a body; nothing at its end. Raises: aiohttp's errors, OSError."""
    with of_libraries():
        return await response.content.readany()


class _Body:
    """A body under way."""

    def __init__(self, unpacker: "zlib._Decompress | None", bounds: Bounds, folder: Path) -> None:
        self._unpacker, self._bounds, self._folder = unpacker, bounds, folder
        self.file: Spool = SpooledTemporaryFile(IN_MEMORY, dir=str(folder))  # noqa: SIM115  handed on
        self.size = 0  # bytes, unpacked
        self._head, self._received = b"", 0

    def take(self, chunk: bytes) -> None:
        self._received += len(chunk)
        if self._received > self._bounds.max_bytes:  # packed, a stream without end may hold nothing
            raise FetchError("too_large", f"more than {self._bounds.max_bytes:,} bytes")
        for piece in _pieces(self._unpacker, chunk):
            self.size += len(piece)
            self._check_size()
            if self.size - len(piece) < HEAD:
                self._head += piece[:HEAD]
                if self.size >= HEAD:
                    self._check_kind()
            self._keep(piece)

    def finish(self) -> Spool:
        """The whole body, from its beginning. Raises: FetchError: `empty`, `not_an_image`, `cut_short`."""
        if not self.size:
            raise FetchError("empty", "no bytes")
        self._check_kind()
        if self._unpacker is not None and not self._unpacker.eof:
            raise FetchError("cut_short", "what was packed for the way ends too soon", again=True)
        self.file.seek(0)
        return self.file

    def _keep(self, piece: bytes) -> None:
        """Raises: StorageError: no room."""
        try:
            self.file.write(piece)
        except OSError as error:
            raise unwritable(self._folder, error) from error

    def _check_size(self) -> None:
        packed = self._unpacker is not None
        if self.size > self._bounds.max_bytes:
            raise FetchError("bomb" if packed else "too_large", f"more than {self._bounds.max_bytes:,} bytes")
        if packed and self.size > max(FREE, self._received * self._bounds.max_ratio):
            raise FetchError(
                "bomb", f"{self._received:,} bytes unpack to more than {self._bounds.max_ratio} times as many"
            )

    def _check_kind(self) -> None:
        if sniff(self._head) is None:
            raise FetchError("not_an_image", "no picture that is read here")


def _unpacker(response: "aiohttp.ClientResponse") -> "zlib._Decompress | None":
    coding = response.headers.get("Content-Encoding", "").strip().lower()
    if coding in ("", "identity"):
        return None
    if coding not in PACKED:
        raise FetchError("bad_encoding", f"packed as {coding[:40]}, which wasn't asked for")
    return zlib.decompressobj(zlib.MAX_WBITS | 32)  # gzip or zlib, as its header says


def _pieces(unpacker: "zlib._Decompress | None", chunk: bytes) -> Iterator[bytes]:
    """Yield a chunk, or what it unpacks to, step by step. Raises: FetchError: `bad_encoding`."""
    if unpacker is None:
        yield chunk
        return
    try:
        piece = b" " * STEP
        # a full piece may not be all that the last bytes hold
        while not unpacker.eof and (chunk or len(piece) == STEP):
            yield (piece := unpacker.decompress(chunk, STEP))
            chunk = unpacker.unconsumed_tail
    except zlib.error as error:
        raise FetchError("bad_encoding", f"can't be unpacked ({error})") from error
