"""The members of a zip by its directory.

They are referred to where they lie if they are stored and their checksum is right, and copied otherwise.
"""

import lzma
import stat
import struct
import zipfile
import zlib
from collections.abc import Iterator
from typing import IO, Any, cast

from anidata.sources.archives import zip_salvage
from anidata.sources.archives.limits import Broken, Refused, Unpacking, blame
from anidata.sources.archives.zip_salvage import ENCRYPTED, HEADER, LOCAL
from anidata.tar.untrusted import LONGEST_DIRECTORY, MOST_MEMBERS

ENTRY = b"PK\1\2"  # what a member begins with in a directory
END = b"PK\5\6"  # what a directory ends with
STEP = 1 << 20  # bytes read at a time
# the same where the standard library unpacks all that it has read: bzip2 makes 90 MB of that at most
SMALL_STEP = 4096
# what zipfile and its decompressors raise on hostile bytes
BAD = (
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    EOFError,
    NotImplementedError,
    ValueError,
    struct.error,
    MemoryError,
)


def read(file: IO[bytes], unpacking: Unpacking) -> None:
    """Take a zip's members.

    Raises: Broken: its directory is missing or can't be read; what the members' own headers name is taken
    first.
    """
    try:
        archive = _open(file)
    except (*BAD, OSError) as error:  # names that are no UTF-8 are a ValueError
        if isinstance(error, OSError) and blame(error) == "unreadable":
            raise
        zip_salvage.read(file, unpacking)
        raise _lost(file, unpacking.size, error) from error
    with archive:
        for info, shared in _with_overlaps(archive):
            name = _name(info)
            path = None if name.endswith(b"/") else unpacking.path(name)
            if path is None:
                continue
            try:
                _refuse_by_header(info, shared)
                unpacking.check(info.file_size, info.compress_size)
                _take(archive, info, path, unpacking)
            except Broken:
                raise
            except Refused as why:
                unpacking.refuse(path, why)


class _Directory:
    """A zip's file, of whose directory no more is given than may be taken in."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)

    def read(self, size: int = -1) -> bytes:
        """Read. Raises: Broken: a directory that is too large, or names too many members."""
        if size > LONGEST_DIRECTORY:
            raise Broken("too_large", f"a directory of {size:,} bytes")
        data = self._file.read(size)
        if size > STEP and (members := data.count(ENTRY)) > MOST_MEMBERS:
            raise Broken(
                "too_large",
                f"{members:,} members; the limit is {MOST_MEMBERS:,}: unpack it into a folder, and name that",
            )
        return data


def _open(file: IO[bytes]) -> zipfile.ZipFile:
    archive = zipfile.ZipFile(cast("IO[bytes]", _Directory(file)))
    if any(info.header_offset < 0 for info in archive.infolist()):
        raise zipfile.BadZipFile("members before its beginning")
    return archive


def _with_overlaps(archive: zipfile.ZipFile) -> Iterator[tuple[zipfile.ZipInfo, bool]]:
    """The members as they lie, and whether one reaches into the next.

    Where members share bytes a small file unpacks to any size, at a harmless ratio each.
    Source: Fifield 2019, A better zip bomb
    """
    infos = sorted(archive.infolist(), key=lambda info: info.header_offset)
    ends = [info.header_offset for info in infos[1:]] + [archive.start_dir]
    for info, end in zip(infos, ends, strict=False):  # an empty archive has an end and no member
        yield info, info.header_offset + HEADER + info.compress_size > end


def _name(info: zipfile.ZipInfo) -> bytes:
    """A name's bytes as they stand in the archive: UTF-8 by flag, or whatever the packer's machine used."""
    return info.orig_filename.encode("utf-8" if info.flag_bits & 0x800 else "cp437")


def _refuse_by_header(info: zipfile.ZipInfo, shared: bool) -> None:
    kind = stat.S_IFMT(info.external_attr >> 16)
    if kind == stat.S_IFLNK:
        raise Refused("link", "a link in the archive")
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        raise Refused("device", "a device in the archive")
    if info.flag_bits & ENCRYPTED:
        raise Refused("encrypted", "the member is encrypted")
    if shared:
        raise Refused("bomb", "it shares its bytes with another member")


def _take(archive: zipfile.ZipFile, info: zipfile.ZipInfo, path: str, unpacking: Unpacking) -> None:
    stored = info.compress_type == zipfile.ZIP_STORED and info.compress_size == info.file_size
    try:
        data = _unpack(archive, info, keep=not stored)
    except BAD as error:
        raise Refused("corrupt", f"it can't be unpacked: {error}") from error
    except OSError as error:
        raise Refused(blame(error), f"it can't be unpacked: {error.strerror or error}") from error
    if stored:
        unpacking.refer(path, _begin(archive, info), info.file_size)
    else:
        unpacking.keep(path, data)


def _unpack(archive: zipfile.ZipFile, info: zipfile.ZipInfo, keep: bool) -> bytearray:
    """Unpack a member, never more than declared, and see that its checksum is right.

    Returns: its bytes if they are to be kept, or else none.
    """
    data, size = bytearray(), 0
    step = STEP if info.compress_type in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED) else SMALL_STEP
    with archive.open(info) as member:
        while chunk := member.read(step):
            size += len(chunk)
            if keep:
                data += chunk
    if size != info.file_size:
        raise EOFError(f"{size:,} of {info.file_size:,} bytes")
    return data


def _begin(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> int:
    file = archive.fp
    assert file is not None  # as long as the archive is open
    file.seek(info.header_offset)
    *_, name, extra = LOCAL.unpack(file.read(HEADER))
    return info.header_offset + HEADER + int(name) + int(extra)


def _lost(file: IO[bytes], size: int, error: BaseException) -> Broken:
    file.seek(max(0, size - (1 << 16) - 22))  # the end of the directory, and the longest comment
    if END in file.read():
        return Broken("corrupt", f"the archive's directory can't be read: {error}")
    return Broken("truncated", "the archive's directory is missing; the members before the break are taken")
