"""One archive being unpacked: what may be taken, where it goes, and what is refused instead."""

import errno
import os
import re
from collections import Counter
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self, cast

from anidata.engine import limited
from anidata.errors import StorageError
from anidata.sources import Options
from anidata.sources.listing import blobs
from anidata.sources.listing.files import ListedFile, is_litter
from anidata.storage import Reference, encode, publishing
from anidata.tar.untrusted import MOST_MEMBERS
from anidata.tar.writer import Member, TarWriter

FREE = 1 << 20  # bytes that anything may unpack to, however little it was packed in
SLACK = 64 << 20  # the same for an archive as a whole
LONGEST_NAME = 4096  # bytes, as on the file systems that pictures come from
TRUST = "If the archive is to be trusted, raise max_ratio"


class Refused(Exception):
    """A member that isn't taken: code and message of its row."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(code, message)
        self.code, self.message = code, message


class Broken(Refused):
    """An archive that can't be read any further."""


def blame(error: OSError) -> str:
    """Whose fault an error while reading is: the disk's ("unreadable") or the archive's ("corrupt").

    Bad are bytes that decoders call so (no errno), or that lead before the file's begin.
    """
    return "corrupt" if error.errno in (None, errno.EINVAL) else "unreadable"


@dataclass(kw_only=True)
class Unpacking:
    """Takes the members of one archive, in their order: by reference, or as copies in a tar of the workspace.

    Declared sizes are only believed when they say too much: readers stop at what was declared, and count
    where nothing was.
    """

    options: Options
    size: int  # bytes of the archive itself
    uri: str  # of the archive itself
    stamp: str  # of the archive itself
    blob: Path  # where copies go; doesn't appear before all went well, nor where nothing is copied
    listed: list[ListedFile] = field(default_factory=list)
    spent: int = 0  # bytes unpacked so far
    _seen: Counter[str] = field(default_factory=Counter)
    _stack: ExitStack = field(default_factory=ExitStack)
    _writer: TarWriter | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.__exit__(kind, error, trace)

    @property
    def total(self) -> int:
        """Bytes that the archive may unpack to.

        The small allowances of many members don't add up beyond its own ratio.
        """
        return min(self.options.max_unpacked, SLACK + self.options.max_ratio * self.size)

    def check(self, size: int, packed: int) -> None:
        """Weigh a member of `size` bytes packed in `packed`.

        Raises: Refused: it is too much for itself, or for its archive.
        """
        self.check_ratio(size, packed)
        self.check_size(size)
        self.check_total(self.spent + size)

    def check_ratio(self, size: int, packed: int) -> None:
        if size > FREE + self.options.max_ratio * packed:
            raise Refused("bomb", f"{size:,} bytes packed in {packed:,}. {TRUST}")

    def check_size(self, size: int) -> None:
        if size > self.options.max_bytes:
            raise Refused("too_large", f"{size:,} bytes; the limit is {self.options.max_bytes:,}")
        limited.allow(size + (size >> 2))  # a buffer that grows

    def check_total(self, total: int) -> None:
        if total > self.total:
            raise Refused("bomb", f"the archive would unpack to more than {self.total:,} bytes")

    def path(self, name: bytes) -> str | None:
        """The path of a member, without '.' and doubled slashes.

        None where it is none of ours: unsafe (a row says so) or litter.
        """
        unsafe = _unsafe(name)
        text = os.fsdecode(name[:LONGEST_NAME].replace(b"\0", b"?"))
        if unsafe:
            self.refuse(text or "?", Refused("unsafe_name", unsafe))
            return None
        folders_and_name = [one for one in text.split("/") if one not in ("", ".")]
        if not folders_and_name or any(map(is_litter, folders_and_name)):
            return None
        return "/".join(folders_and_name)

    def keep(self, path: str, data: bytes | bytearray) -> None:
        """Copy a member."""
        if self._writer is None:
            self._writer = TarWriter(self._stack.enter_context(publishing(self.blob)))
            self._stack.callback(self._finish, self._writer)
        self.spent += len(data)
        again = self._again(path)
        name = encode(path) + (f"#{again}" if again > 1 else "")
        member = self._copy(self._writer, name, cast("bytes", data))
        at = Reference(f"{self.blob.parent.name}/{self.blob.name}", member.offset, member.size)
        self._add(ListedFile(path=path, at=at, stamp=self._stamp(member.size), again=again))

    def _finish(self, writer: TarWriter) -> None:
        blobs.note(writer, self.blob.name)
        writer.close()

    def _copy(self, writer: TarWriter, name: str, data: bytes) -> Member:
        try:
            return writer.add(name, data)
        except OSError as error:  # told apart from what reading the archive may raise
            raise StorageError(
                f"{self.blob}: can't be written ({error.strerror}). "
                "Make room, then run the same command again."
            ) from error

    def refer(self, path: str, offset: int, size: int) -> None:
        """Refer to a member where it lies in the archive."""
        at = Reference(self.uri, offset, size)
        self._add(ListedFile(path=path, at=at, stamp=self._stamp(size), again=self._again(path)))

    def refuse(self, path: str, why: Refused) -> None:
        """Leave a row in a member's stead; an empty path stands for the archive itself."""
        self._add(
            ListedFile(
                path=path,
                stamp=self.stamp,
                error=why.code,
                message=why.message,
                again=self._again(path),
            )
        )

    def _add(self, file: ListedFile) -> None:
        if len(self.listed) >= MOST_MEMBERS and file.path:
            raise Broken(
                "too_large",
                f"more than {MOST_MEMBERS:,} members; the rest isn't read: unpack it and name the folder",
            )
        self.listed.append(file)
        limited.progress()

    def _again(self, path: str) -> int:
        self._seen[path] += 1
        return self._seen[path]

    def _stamp(self, size: int) -> str:
        return f"{size}-{self.stamp}"


def _unsafe(name: bytes) -> str | None:
    """The fault of a member's name in a few words, or None; backslashes count as Windows would take them."""
    components = name.replace(b"\\", b"/").split(b"/")
    if not name or b"\0" in name:
        return "no name" if not name else "a NUL in its name"
    if len(name) > LONGEST_NAME:
        return f"a name of {len(name):,} bytes"
    if components[0] == b"" or re.match(rb"[A-Za-z]:", name):
        return "an absolute path"
    return "'..' in its path" if b".." in components else None
