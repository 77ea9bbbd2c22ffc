"""Videos (mp4, mkv, webm, avi), one or a folder of them: the frames that a scene holds, each once, copied losslessly"""

import json
from collections.abc import Iterator
from pathlib import Path

from anidata.errors import SourceError
from anidata.sources import Options, Record
from anidata.sources.videos.reader import frames
from anidata.storage import encode, readable, uri_of

EXAMPLE = "video:episodes/"
PREFIX = "video:"
ENDINGS = (".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi")


def accepts(text: str) -> bool:
    return text.startswith(PREFIX)


def state(text: str, options: Options) -> str:  # noqa: ARG001  the shelf's contract
    """Names, sizes and dates of the files."""
    return repr([(path.name, path.stat().st_size, path.stat().st_mtime_ns) for path in _files(text)[1]])


def records(text: str, options: Options) -> Iterator[Record]:
    top, files = _files(text)
    for path in files:
        below = encode(path.relative_to(top).as_posix()) + "/" if path != top else ""
        shown = readable(path.name)
        stamp = f"{path.stat().st_size}.{path.stat().st_mtime_ns}"
        for frame in frames(path, options):
            name = f"{below}{frame.name}"
            if frame.at is None:
                yield Record(
                    root=uri_of(top),
                    name=name,
                    file=shown,
                    error=frame.error,
                    message=frame.message,
                    stamp=stamp,
                )
                continue
            extra = json.dumps(
                {"frame": frame.number, "scene": frame.scene, "time": frame.time, "video": shown},
                sort_keys=True,
            )
            yield Record(
                root=uri_of(top),
                name=name,
                file=f"{shown}.{frame.name}",
                at=frame.at,
                stamp=stamp,
                extra=extra,
            )


def _files(text: str) -> tuple[Path, list[Path]]:
    """Raises: SourceError: there are none."""
    place = Path(text.removeprefix(PREFIX))
    if place.is_dir():
        found = sorted(path for path in place.rglob("*") if path.suffix.lower() in ENDINGS and path.is_file())
    else:
        found = [place] if place.is_file() else []
    if text == PREFIX or not found:
        raise SourceError(f"{text}: there is no such video, or none in that folder. Type its path: {EXAMPLE}")
    return place, found
