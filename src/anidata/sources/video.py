"""Videos (mp4, mkv, webm, avi), one or a folder of them: the frames that a scene holds, each once, copied
losslessly
"""

import json
import os
from collections.abc import Iterator
from pathlib import Path

from anidata.errors import SourceError
from anidata.sources import Options, Record
from anidata.sources.listing.own import files_below
from anidata.sources.videos.reader import Frame, frames
from anidata.storage import encode, readable, uri_of

EXAMPLE = "video:episodes/"
PREFIX = "video:"
TAKES = "the path of a video, or of a folder of them"
ENDINGS = (".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi")


def accepts(text: str) -> bool:
    return text.startswith(PREFIX)


def state(text: str, options: Options) -> str:  # noqa: ARG001  the contract's
    """Names, sizes and dates of the files."""
    return repr([(path.name, path.stat().st_size, path.stat().st_mtime_ns) for path in _files(text)[1]])


def records(text: str, options: Options) -> Iterator[Record]:
    top, files = _files(text, options.passed_by)
    for path in files:
        below = encode(path.relative_to(top).as_posix()) + "/" if path != top else ""
        status = path.stat()
        for frame in frames(path, options):
            yield _record(frame, uri_of(top), below, readable(path.name), status)


def _record(frame: Frame, root: str, below: str, video: str, status: os.stat_result) -> Record:
    name, stamp = f"{below}{frame.name}", f"{status.st_size}.{status.st_mtime_ns}"
    if frame.at is None:
        return Record(
            root=root,
            name=name,
            file=video,
            error=frame.error,
            message=frame.message,
            stamp=stamp,
        )
    about = {"frame": frame.number, "scene": frame.scene, "time": frame.time, "video": video}
    return Record(
        root=root,
        name=name,
        file=f"{video}.{frame.name}",
        at=frame.at,
        stamp=stamp,
        extra=json.dumps(about, sort_keys=True),
    )


def _files(text: str, passed_by: set[Path] | None = None) -> tuple[Path, list[Path]]:
    """The folder or video that is named, and the videos there. Raises: SourceError: there are none."""
    top = Path(text.removeprefix(PREFIX))
    if top.is_dir():
        files = sorted(p for p in files_below(top, passed_by) if p.suffix.lower() in ENDINGS and p.is_file())
    else:
        files = [top] if top.is_file() else []
    if not files:
        raise SourceError(f"{text}: there is no such video, or none in that folder. Type its path: {EXAMPLE}")
    return top, files
