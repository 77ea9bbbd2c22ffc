"""The members of a 7z.

Its blocks hold many members in one run of packed bytes, so a block is weighed as a whole.
"""

import io
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from anidata.sources.archives.limits import Broken, Refused, Unpacking

if TYPE_CHECKING:
    from py7zr import SevenZipFile

STEP = 4096  # packed bytes at a time: py7zr unpacks all that it has read of deflate
# whose decoders keep to bounds; not ZStandard or PPMd
METHODS = {"COPY", "LZMA", "LZMA2", "BZip2", "DEFLATE", "DELTA", "delta", "BCJ", "7zAES"}
MOST_TRIES = 64  # broken blocks after which the rest is given up


@dataclass
class Member:
    """A file of the archive that is wanted."""

    path: str
    block: int
    size: int
    done: bool = False


class _Steps(io.FileIO):
    """A file that gives few bytes at a time, once told so: then no decoder has much to unpack at once."""

    step: int | None = None

    def read(self, size: int | None = -1, /) -> bytes:
        few = self.step is not None and (size is None or size < 0 or size > self.step)
        return super().read(self.step if few else size) or b""


class _Sink:
    """Collects one member's bytes for py7zr, which calls `close` once its checksum was right."""

    def __init__(self, member: Member, unpacking: Unpacking) -> None:
        self._member, self._unpacking, self._data = member, unpacking, bytearray()
        self.failure: Exception | None = None

    def write(self, data: bytes) -> int:
        self._data += data
        return len(data)

    def close(self) -> None:
        self._member.done = True
        try:
            self._unpacking.keep(self._member.path, self._data)
        except Exception as error:
            self.failure = error  # a full disk, say: not the archive's fault
            raise
        finally:
            self._data = bytearray()

    def seek(self, offset: int, whence: int = 0) -> int:  # noqa: ARG002  # rewound before it is closed
        return offset

    def read(self, size: int | None = None) -> bytes:  # noqa: ARG002  # part of the interface, never called
        return b""

    def flush(self) -> None:
        pass

    def size(self) -> int:
        return len(self._data)


class _Sinks:
    """Gives py7zr a sink for each member, by the index that stands for its name."""

    def __init__(self, members: dict[int, Member], unpacking: Unpacking) -> None:
        self._members, self._unpacking = members, unpacking
        self.last: _Sink | None = None

    def create(self, filename: str) -> _Sink:
        self.last = _Sink(self._members[int(filename)], self._unpacking)
        return self.last


def read(handle: int, unpacking: Unpacking) -> None:
    """Take the members of a 7z, by a descriptor of its own.

    Raises: Broken: its header is encrypted or can't be read, or it is packed in a way that isn't bounded.
    """
    with _Steps(handle) as file:
        archive, infos = _open(file, unpacking)
        wanted = dict(_wanted(archive, infos, unpacking))
        for _ in range(MOST_TRIES):
            wanted = {index: member for index, member in wanted.items() if not member.done}
            if not wanted:
                return
            _extract(archive, wanted, unpacking)
        for member in wanted.values():
            if not member.done:
                unpacking.refuse(member.path, Refused("corrupt", "too much of the archive is broken"))


def _open(file: _Steps, unpacking: Unpacking) -> tuple["SevenZipFile", list[Any]]:
    """The archive, and py7zr's infos of its members, in its order."""
    import py7zr  # noqa: PLC0415  # a tenth of a second, for the few who have a 7z

    try:
        archive = py7zr.SevenZipFile(file, "r")
        infos = archive.list()
        methods = set(archive.archiveinfo().method_names) if infos else set()
    except py7zr.PasswordRequired as error:
        raise Broken("encrypted", "the archive is encrypted") from error
    except MemoryError as error:
        raise Broken("too_large", "its header takes more memory than it may") from error
    # py7zr raises whatever its parser stumbles on: IndexError, struct.error, AssertionError …
    except Exception as error:
        code = "truncated" if _is_cut(file, unpacking.size) else "corrupt"
        message = f"the archive's header can't be read: {str(error) or type(error).__name__}"
        raise Broken(code, message) from error
    if odd := {str(method) for method in methods} - METHODS:
        raise Broken("corrupt", f"packed with {', '.join(sorted(odd))}, which isn't read")
    file.step = STEP
    return archive, infos


def _is_cut(file: _Steps, size: int) -> bool:
    """Whether the header, which lies at a 7z's end, would lie behind the file's end."""
    file.seek(12)
    numbers = file.read(16)
    if len(numbers) < 16:
        return True
    begin, length = int.from_bytes(numbers[:8], "little"), int.from_bytes(numbers[8:], "little")
    return 32 + begin + length > size


def _wanted(archive: "SevenZipFile", infos: list[Any], unpacking: Unpacking) -> Iterator[tuple[int, Member]]:
    """The members to unpack, by index; rows for the others.

    Each is renamed to its index: names may be doubled, or lead astray.
    """
    block, packed, run, total = -1, 0, 0, 0
    for index, info in enumerate(infos):
        # only the first member of a block says how much was packed
        if info.uncompressed and info.compressed is not None:
            block, packed, run = block + 1, info.compressed, 0
        run, total = run + info.uncompressed, total + info.uncompressed
        archive.files.files_list[index]["filename"] = str(index)
        path = None if info.is_directory else unpacking.path(info.filename.encode("utf-8", "surrogatepass"))
        if path is None:
            continue
        try:
            _refuse_by_header(archive, info)
            # what stands before it in its block is unpacked with it
            unpacking.check_ratio(run if info.uncompressed else 0, packed)
            unpacking.check_size(info.uncompressed)
            unpacking.check_total(total)
        except Broken:
            raise
        except Refused as why:
            unpacking.refuse(path, why)
        else:
            yield index, Member(path, block, info.uncompressed)


def _refuse_by_header(archive: "SevenZipFile", info: Any) -> None:
    if info.is_symlink:
        raise Refused("link", "a link in the archive")
    if not info.is_file:
        raise Refused("device", "a device in the archive")
    if archive.needs_password() and info.uncompressed:
        raise Refused("encrypted", "the member is encrypted")


def _extract(archive: "SevenZipFile", wanted: dict[int, Member], unpacking: Unpacking) -> None:
    """Unpack what is wanted up to the first block that is broken; rows for the rest of that block."""
    sinks = _Sinks(wanted, unpacking)
    try:
        archive.reset()
        archive.extract(targets=[str(index) for index in wanted], factory=sinks)
        why = "it has no bytes"
    except Exception as error:  # its decoders raise what they like on hostile bytes, as its parser does
        if sinks.last and sinks.last.failure:
            raise
        why = f"it can't be unpacked: {str(error) or type(error).__name__}"
    remaining = [member for member in wanted.values() if not member.done]
    for member in remaining:
        if member.block == remaining[0].block:
            member.done = True
            unpacking.refuse(member.path, Refused("corrupt", why))
