"""The members of a tar, within bounds.

They are referred to where they lie if the tar is plain, and copied where it comes out of a decompressor.
"""

import lzma
import zlib
from collections.abc import Callable
from typing import IO, cast

from anidata.sources.archives.limits import FREE, TRUST, Broken, Refused, Unpacking, blame
from anidata.tar import reader

STEP = 1 << 20  # bytes unpacked at a time


class Stream:
    """Reads forward in what comes out of a decompressor, and counts.

    Raises: Broken: it unpacks to more than it may.
    """

    def __init__(self, file: IO[bytes], packed: IO[bytes], unpacking: Unpacking) -> None:
        self._file, self._packed, self._unpacking = file, packed, unpacking
        self._offset = 0

    def read(self, size: int, /) -> bytes:
        """Read the next `size` bytes, fewer at the end.

        Raises: Broken: truncated, corrupt or a bomb.
        """
        data = self._unpack(min(size, STEP))
        if len(data) in (0, size):
            return data
        more = bytearray(data)
        while len(more) < size and (data := self._unpack(min(size - len(more), STEP))):
            more += data
        return bytes(more) if size <= STEP else cast("bytes", more)  # a member: a copy would be held too

    def seek(self, offset: int, /) -> int:
        """Go forward.

        Raises: Broken, BadTar: there is nothing.
        """
        while self._offset < offset:
            reader.exactly(self, min(STEP, offset - self._offset))
        return self._offset

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
        self._offset += len(data)
        self._count(self._packed.tell())
        return data

    def _count(self, packed: int) -> None:
        if self._offset > FREE + self._unpacking.options.max_ratio * packed:
            message = f"{self._offset:,} bytes out of the first {packed:,}; the rest isn't read. {TRUST}"
            raise Broken("bomb", message)
        if self._offset > self._unpacking.total:
            message = f"it unpacks to more than {self._unpacking.total:,} bytes; the rest isn't read"
            raise Broken("bomb", message)


def read(file: IO[bytes], unpacking: Unpacking) -> None:
    """Refer to the members of a plain tar where they lie.

    Raises: Broken: the rest can't be read.
    """

    def refer(path: str, header: reader.Header) -> None:
        unpacking.refer(path, header.offset, header.size)

    _read(file, unpacking.size, refer, unpacking)


def unpack(file: IO[bytes], packed: IO[bytes], unpacking: Unpacking) -> None:
    """Copy the members of the tar that `file` makes of `packed`.

    Raises: Broken: the rest can't be read.
    """
    stream = Stream(file, packed, unpacking)

    def keep(path: str, header: reader.Header) -> None:
        unpacking.keep(path, reader.exactly(stream, header.size))

    _read(stream, None, keep, unpacking)


def _read(
    file: reader.File, end: int | None, take: Callable[[str, reader.Header], None], unpacking: Unpacking
) -> None:
    try:
        for header in reader.headers(file, end):
            path = None if header.kind == "folder" else unpacking.path(header.name)
            if path is None:
                continue
            try:
                _check(header, unpacking)
            except Refused as why:
                unpacking.refuse(path, why)
            else:
                take(path, header)
    except reader.Unended:
        return  # some writers leave the end mark out, and every reader bears with it
    except reader.BadTar as bad:
        raise Broken(bad.code, f"{bad}; the rest isn't read") from bad


def _check(header: reader.Header, unpacking: Unpacking) -> None:
    """Weigh a member by its header. Raises: Refused: it is no file, a sparse one, or too large."""
    if header.kind == "sparse":
        raise Refused("corrupt", "a sparse file in the archive")
    if header.kind != "file":
        raise Refused(header.kind, f"a {header.kind} in the archive")
    unpacking.check_size(header.size)
