"""The members of a tar as records: in place where it is plain, copies where it comes out of a decompressor, within bounds."""

import lzma
import zlib
from collections.abc import Callable
from typing import IO

from anidata.sources.archives.limits import FREE, TRUST, Broken, Refused, Unpacking, blame
from anidata.tar import reader

STEP = 1 << 20  # bytes unpacked at a time


class Stream:
    """Reads forward in what comes out of a decompressor, and counts; what unpacks to more than it may ends in Broken."""

    def __init__(self, file: IO[bytes], packed: IO[bytes], unpacking: Unpacking) -> None:
        self._file, self._packed, self._unpacking = file, packed, unpacking
        self._place = 0

    def read(self, size: int, /) -> bytes:
        """The next `size` bytes, fewer at the end.

        Raises: Broken: truncated, corrupt or a bomb.
        """
        parts, missing = [], size
        while missing and (part := self._unpack(min(missing, STEP))):
            parts.append(part)
            missing -= len(part)
        return b"".join(parts)

    def seek(self, place: int, /) -> int:
        """Go forward.

        Raises: Broken, BadTar: there is nothing.
        """
        while self._place < place:
            reader.exactly(self, min(STEP, place - self._place))
        return self._place

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
        self._place += len(data)
        self._count(self._packed.tell())
        return data

    def _count(self, packed: int) -> None:
        if self._place > FREE + self._unpacking.options.max_ratio * packed:
            raise Broken(
                "bomb", f"{self._place:,} bytes out of the first {packed:,}; the rest isn't read. {TRUST}"
            )
        if self._place > self._unpacking.total:
            raise Broken(
                "bomb", f"it unpacks to more than {self._unpacking.total:,} bytes; the rest isn't read"
            )


def read(file: IO[bytes], unpacking: Unpacking) -> None:
    """Refer to the members of a plain tar where they lie.

    Raises: Broken: the rest can't be read.
    """
    _read(
        file,
        unpacking.size,
        lambda path, header: unpacking.place(path, header.offset, header.size),
        unpacking,
    )


def unpack(file: IO[bytes], packed: IO[bytes], unpacking: Unpacking) -> None:
    """Copy the members of the tar that `file` makes of `packed`.

    Raises: Broken: the rest can't be read.
    """
    stream = Stream(file, packed, unpacking)
    _read(
        stream,
        None,
        lambda path, header: unpacking.keep(path, reader.exactly(stream, header.size)),
        unpacking,
    )


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
    """Raises: Refused: it is no file, a sparse one, or too large."""
    if header.kind == "sparse":
        raise Refused("corrupt", "a sparse file in the archive")
    if header.kind != "file":
        raise Refused(header.kind, f"a {header.kind} in the archive")
    unpacking.check_size(header.size)
