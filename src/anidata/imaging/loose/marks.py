"""The mark that our PNGs carry: which command made them, of which picture, by which job. No clock.

It is a text chunk, `anidata`, right behind the header. With it stands a digest of all other bytes of the
file: one that was retouched since, by a program that keeps texts, is the user's own, and has no mark.
"""

import hashlib
import os
import unicodedata
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import BinaryIO

import msgspec

from anidata import storage
from anidata.imaging import png
from anidata.tar import opening

NAME, KEYWORD = b"tEXt", b"anidata\0"
MOST = 4096  # bytes of a mark
BLOCK = 1 << 20


@dataclass(frozen=True)
class Mark:
    """Where a file comes from."""

    command: str
    source: str  # `way` from the file's folder to the picture that it was made of
    job: str  # fingerprint of all that its pixels depend on


@dataclass(frozen=True)
class _Stamp:
    """A mark as it is written."""

    mark: Mark
    rest: str  # SHA-256 of the file's other bytes


def stamped(data: bytes, mark: Mark) -> bytes:
    """A PNG with a mark."""
    body = KEYWORD + msgspec.json.encode(asdict(_Stamp(mark, storage.digest(data))))
    return data[: png.HEADER] + png.chunk(NAME, body) + data[png.HEADER :]


def read(path: Path) -> Mark | None:
    """The mark of a file as we left it.

    None: it is another's, a link, no file, can't be read, or has changed.
    """
    try:
        with opening.opened(path, links=False) as file:
            return _read(file)
    except (OSError, msgspec.DecodeError):
        return None


def _read(file: BinaryIO) -> Mark | None:
    head = file.read(png.HEADER + 8)
    length = int.from_bytes(head[-8:-4])
    if not head.startswith(png.MAGIC) or head[-4:] != NAME or length > MOST:
        return None
    body = file.read(length)
    if not body.startswith(KEYWORD):
        return None
    stamp = msgspec.json.decode(body.removeprefix(KEYWORD), type=_Stamp)
    file.read(4)  # the chunk's checksum
    rest = hashlib.sha256(head[: png.HEADER])
    while block := file.read(BLOCK):
        rest.update(block)
    return stamp.mark if rest.hexdigest() == stamp.rest else None


def way(path: Path, folder: Path) -> str:
    """A digest of the way from a folder to a file, the same for every spelling: 16 hex digits.

    It tells whoever is given the file nothing of where it came from.
    """
    return _digest(fold(_way(path, folder)))


def spelled_way(path: Path, folder: Path) -> str:
    """A short digest of the way from a folder to a file, in which case counts: 8 hex digits."""
    return _digest(_way(path, folder))[:8]


def fold(name: str) -> str:
    """A name or path as a file system has it for which cases, and forms of accents, are one."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())


def _way(path: Path, folder: Path) -> str:
    return os.path.relpath(os.path.join(os.path.realpath(path.parent), path.name), os.path.realpath(folder))


def _digest(text: str) -> str:
    return storage.digest(text.encode("utf-8", "surrogateescape"))[:16]
