"""Frames of a video: chosen once by a program of its own, which a hostile video may crash or stall, and copied into the workspace.

The copies of a video are blobs/video-ID.tar: a PNG for each frame, named by its number, its JSON beside it, and last what there is to say
of the whole. ID changes with the video's place, size and date. A run that stalls or dies leaves nothing; one that the video's end cuts short
leaves the frames up to there.
"""

import hashlib
import importlib.util
import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from anidata.errors import MissingExtra
from anidata.sources import Options
from anidata.storage import Reference, publishing, uri_of
from anidata.tar import writer

VERSION = 2  # raised when the same video would give other frames
CONTAINERS = (
    (4, b"ftyp"),
    (4, b"moov"),
    (4, b"mdat"),
    (4, b"wide"),
    (0, b"\x1aE\xdf\xa3"),
    (8, b"AVI "),
)  # place, magic
END = "end.json"
PIXELS = 50_000_000  # of one frame: more than 8k
SECONDS = 4 * 3600  # for one video: a long one takes minutes


@dataclass(frozen=True)
class Frame:
    """A frame that was chosen, or, without `at`, why the video or its rest gave none."""

    name: str
    at: Reference | None = None
    number: int = 0
    scene: int = 0
    time: float = 0.0  # seconds from the start
    error: str | None = None
    message: str | None = None


def frames(path: Path, options: Options, seconds: float = SECONDS) -> Iterator[Frame]:
    """The frames of a video in their order; then one that says what is missing, if anything is.

    Raises: MissingExtra: no library for scenes. StorageError: the workspace can't be written.
    """
    if not all(map(importlib.util.find_spec, ("scenedetect", "av"))):
        raise MissingExtra(
            f"{path}: videos need PySceneDetect and PyAV. Install it with: pip install 'anidata[video]'"
        )
    with open(path, "rb") as file:
        head = file.read(16)
    if not any(
        head[place:].startswith(magic) for place, magic in CONTAINERS
    ):  # no playlist, which may name other files and hosts
        yield Frame(
            "rest",
            error="corrupt" if head else "empty",
            message="no mp4, mkv, webm or avi by what it begins with",
        )
        return
    blob = options.base / "blobs" / f"video-{_id(path)}.tar"
    if not blob.exists() and (failed := _copy(path, blob, seconds)):
        yield failed
        return
    yield from _copied(blob)


class _Failed(Exception):
    """The program gave no frames: code and message."""


def _copy(path: Path, blob: Path, seconds: float) -> Frame | None:
    words = [sys.executable, "-m", "anidata.sources.videos.program", str(path.absolute()), str(PIXELS)]
    try:
        with publishing(blob) as file:
            _run(words, file, seconds)
    except _Failed as why:
        return Frame("rest", error=why.args[0], message=why.args[1])
    return None


def _run(words: list[str], file: BinaryIO, seconds: float) -> None:
    """Raises: _Failed: it stalls, or ends in an error."""
    try:
        done = subprocess.run(  # noqa: S603  our own program
            words, stdin=subprocess.DEVNULL, stdout=file, stderr=subprocess.PIPE, timeout=seconds, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise _Failed("timeout", f"choosing frames took more than {seconds:,.0f} s") from error
    if done.returncode:
        raise _Failed("corrupt", f"the decoder gave up on it (exit code {done.returncode})")


def _copied(blob: Path) -> Iterator[Frame]:
    with open(blob, "rb") as file:
        found = {member.name: member for member in writer.members(file)}

        def said(name: str) -> dict[str, float | str]:
            file.seek(found[name].offset)
            told: dict[str, float | str] = json.loads(file.read(found[name].size))
            return told

        for name, member in found.items():
            if name.endswith(".png"):
                about = said(f"{name[:-4]}.json")
                at = Reference(f"blobs/{blob.name}", member.offset, member.size)
                yield Frame(name, at, int(about["frame"]), int(about["scene"]), float(about["time"]))
        end = said(END)
    if end.get("error"):
        yield Frame("rest", error=str(end["error"]), message=str(end["message"]))


def _id(path: Path) -> str:
    status = path.stat()
    return hashlib.sha256(
        repr((VERSION, uri_of(path), status.st_size, status.st_mtime_ns, PIXELS)).encode()
    ).hexdigest()[:24]
