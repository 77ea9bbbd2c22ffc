"""Frames of a video: chosen once by a program of its own, which a hostile video may crash or stall.

They are copied into the workspace, as blobs/video-ID.tar: a PNG for each frame, named by its number, its JSON
beside it, and last a note on the whole. ID changes with the video's path, size and date. A run that stalls or
dies leaves nothing; one that the video's end cuts short leaves the frames up to there.
"""

import hashlib
import importlib.util
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from anidata.catalog.damage import damaged
from anidata.errors import MissingExtra
from anidata.sources import Options
from anidata.sources.listing.blobs import copies
from anidata.sources.videos.notes import EndNote, FrameNote
from anidata.storage import Reference, publishing, uri_of
from anidata.tar import opening, untrusted, writer

VERSION = 2  # raised when the same video would give other frames
# offset, magic
CONTAINERS = (
    (4, b"ftyp"),
    (4, b"moov"),
    (4, b"mdat"),
    (4, b"wide"),
    (0, b"\x1aE\xdf\xa3"),
    (8, b"AVI "),
)
END = "end.json"
NOTE = 1 << 16  # bytes of a note, at most
PIXELS = 50_000_000  # of one frame: more than 8k
SECONDS = 4 * 3600  # for one video: a long one takes minutes


@dataclass(frozen=True, kw_only=True)
class Frame:
    """A frame that was chosen, or, without `at`, why the video or its rest gave none."""

    name: str
    at: Reference | None = None
    number: int = 0
    scene: int = 0
    time: float = 0.0  # seconds from the start
    error: str | None = None
    message: str | None = None


def is_container(head: bytes) -> bool:
    """Whether a file that begins so may be a video: no playlist, which may name other files and hosts."""
    return any(head[offset:].startswith(magic) for offset, magic in CONTAINERS)


def frames(path: Path, options: Options, seconds: float = SECONDS) -> Iterator[Frame]:
    """Yield the frames of a video in their order; then one that says what is missing, if anything is.

    Raises: MissingExtra: no library for scenes. StorageError: the workspace can't be written.
    """
    if not all(map(importlib.util.find_spec, ("scenedetect", "av"))):
        raise MissingExtra(
            f"{path}: videos need PySceneDetect and PyAV. Install it with: pip install 'anidata[video]'"
        )
    with opening.opened(path) as file:
        head = file.read(16)
    if not is_container(head):
        yield _nothing("corrupt" if head else "empty", "no mp4, mkv, webm or avi by what it begins with")
        return
    blob = options.base / "blobs" / f"video-{_id(path)}.tar"
    if not blob.exists() and (failed := _copy(path, blob, seconds)):
        yield failed
        return
    yield from _copied(blob)


class _Failed(Exception):
    """The program gave no frames."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(code, message)
        self.code, self.message = code, message


def _copy(path: Path, blob: Path, seconds: float) -> Frame | None:
    words = [sys.executable, "-m", "anidata.sources.videos.program", str(path.absolute()), str(PIXELS)]
    words.append(blob.name)
    try:
        with publishing(blob) as file:
            _run(words, file, seconds)
    except _Failed as why:
        return _nothing(why.code, why.message)
    return None


def _nothing(error: str, message: str) -> Frame:
    """The frame that stands for a video, or the rest of it, that gave none."""
    return Frame(name="rest", error=error, message=message)


def _run(words: list[str], file: BinaryIO, seconds: float) -> None:
    """Run the program. Raises: _Failed: it stalls, or ends in an error."""
    try:
        done = subprocess.run(  # noqa: S603  our own program
            words, stdin=subprocess.DEVNULL, stdout=file, stderr=subprocess.PIPE, timeout=seconds, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise _Failed("timeout", f"choosing frames took more than {seconds:,.0f} s") from error
    if done.returncode:
        raise _Failed("corrupt", f"the decoder gave up on it (exit code {done.returncode})")


def _copied(blob: Path) -> Iterator[Frame]:
    members = {member.name: member for member in copies(blob)}
    if END not in members:
        raise damaged(blob, f"{END} is missing")
    with opening.opened(blob) as file:
        for name, member in members.items():
            if name.endswith(".png"):
                note: FrameNote = _json(file, members[f"{name[:-4]}.json"])
                yield Frame(
                    name=name,
                    at=Reference(f"blobs/{blob.name}", member.offset, member.size),
                    number=note["frame"],
                    scene=note["scene"],
                    time=note["time"],
                )
        end: EndNote = _json(file, members[END])
    if "error" in end:
        yield _nothing(end["error"], end["message"])


def _json(file: BinaryIO, member: writer.Member) -> Any:
    file.seek(member.offset)
    return untrusted.read_json(file.read(min(member.size, NOTE)))


def _id(path: Path) -> str:
    status = path.stat()
    identity = (VERSION, uri_of(path), status.st_size, status.st_mtime_ns, PIXELS)
    return hashlib.sha256(repr(identity).encode()).hexdigest()[:24]
