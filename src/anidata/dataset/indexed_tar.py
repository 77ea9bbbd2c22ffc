"""Samples of a tar on disk by their number: where they are from its index, their bytes by pread.

Nothing is read before it is asked for.
"""

import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from anidata.dataset.description import ShardFile, damaged
from anidata.errors import AnidataError, DatasetError, StorageError
from anidata.tar import opening
from anidata.tar.reader import BLOCK
from anidata.tar.writer import Member, split_name

OPEN = 128  # files held open in a process: tars and indices of 64 shards; macOS allows 256 in all
NEWLINE = ord("\n")


class Files:
    """Files held open for reading by place, the least lately used closed again.

    A forked process may go on with those it got, since pread moves nothing that is shared; a spawned one
    opens its own.
    """

    def __init__(self) -> None:
        self._open = lru_cache(maxsize=OPEN)(_open)

    def __reduce__(self) -> tuple[type["Files"], tuple[()]]:
        return Files, ()

    def read(self, path: Path, offset: int = 0, size: int | None = None) -> bytes:
        """`size` bytes from `offset`, fewer where the file ends; of None all of them.

        Raises: DatasetError: no such file. StorageError: it can't be read.
        """
        try:
            file = self._open(path)  # held here, so that no other thread's reading closes it meanwhile
            wanted = os.fstat(file.number).st_size - offset if size is None else size
            return os.pread(file.number, wanted, offset)
        except OSError as error:
            raise refused(path, error) from error


class _File:
    def __init__(self, number: int) -> None:
        self.number = number

    # When an interpreter ends, `os` may have gone before this; and a script may have closed all its files.
    def __del__(self, close: Callable[[int], None] = os.close) -> None:
        try:  # noqa: SIM105  `suppress` may have gone too
            close(self.number)
        except OSError:
            pass


def _open(path: Path) -> _File:
    return _File(opening.descriptor(path))


def refused(path: Path, error: OSError) -> AnidataError:
    """The error for a refused reading."""
    if isinstance(error, FileNotFoundError):
        return DatasetError(missing(path))
    why = opening.why(error)
    return StorageError(f"{path} can't be read ({why}). Give read access, or copy the data set anew.")


def missing(path: Path, more: int = 0) -> str:
    others = f", nor are {more:,} others" if more else ""
    return (
        f"{path} isn't there{others}. "
        "Copy the data set whole, or build it again with: anidata shard WORK DATASET"
    )


@dataclass(frozen=True)
class IndexedTar:
    """A tar with its index."""

    root: Path
    shard: ShardFile
    files: Files

    def members(self, row: int) -> dict[str, Member]:
        """The files of a sample, by suffix.

        Raises: DatasetError: the index is missing or damaged.
        """
        start, end = self._lines[row : row + 2].tolist()
        try:
            return _members(self.files.read(self._index, start, end - start), self.shard.size)
        except ValueError as error:
            damaged(str(self.root), self.shard.index, f"line {row + 2} can't be read: {error}", error)

    def read(self, member: Member) -> bytes:
        """A member's bytes, having looked at its header.

        Raises: DatasetError: the tar is missing, or has something else there.
        """
        block = self.files.read(self.root / self.shard.tar, member.offset - BLOCK, BLOCK + member.size)
        if len(block) < BLOCK + member.size or not _is_header(block, member):
            text = f"{member.name} isn't at byte {member.offset:,}, where the index has it"
            damaged(str(self.root), self.shard.tar, text)
        return block[BLOCK:]

    def read_keys(self) -> list[str]:
        """The keys of all samples.

        Raises: DatasetError: the index is missing or damaged.
        """
        lines = self.files.read(self._index).decode(errors="replace").splitlines()[1:]
        names = [line.split(" ", 4)[3:4] for line in lines]
        if len(lines) != self.shard.samples or not all(names):
            damaged(str(self.root), self.shard.index, f"isn't an index of {self.shard.samples:,} samples")
        return [split_name(name)[0] for (name,) in names]

    @property
    def _index(self) -> Path:
        return self.root / self.shard.index

    @cached_property
    def _lines(self) -> NDArray[np.int64]:
        """Where in the index each sample's line begins; the end comes last."""
        text = self.files.read(self._index)
        head = f"v1.2 {self.shard.samples}\n".encode()
        ends = np.flatnonzero(np.frombuffer(text, np.uint8) == NEWLINE) + 1
        if not text.startswith(head) or not text.endswith(b"\n") or len(ends) != self.shard.samples + 1:
            actual = f"begins with {text[:40]!r} and has {len(ends):,} lines"
            expected = f"an index of {self.shard.samples:,} samples begins with {head!r}"
            damaged(str(self.root), self.shard.index, f"{actual}; {expected}")
        return ends


def key_of(members: dict[str, Member]) -> str:
    return split_name(next(iter(members.values())).name)[0]


def _members(line: bytes, size: int) -> dict[str, Member]:
    """The members of a line "SUFFIX OFFSET SIZE NAME …", within a tar of `size` bytes.

    Raises: ValueError: it is no such line.
    """
    words = line.decode().split()
    quads = zip(*[iter(words)] * 4, strict=True)
    members = {suffix: Member(name, int(offset), int(length)) for suffix, offset, length, name in quads}
    if not members or not all(_is_within(member, size) for member in members.values()):
        raise ValueError(f"it has no files, or one outside the tar's {size:,} bytes")
    return members


def _is_within(member: Member, size: int) -> bool:
    return member.offset >= BLOCK and member.size >= 0 and member.offset + member.size <= size


def _is_header(block: bytes, member: Member) -> bool:
    """Whether a tar's header as anidata writes it, with this name and size, begins the block."""
    name, size = member.name.encode().ljust(100, b"\0"), b"%011o\0" % member.size
    return block[:100] == name and block[124:136] == size
