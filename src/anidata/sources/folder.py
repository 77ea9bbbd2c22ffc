"""A folder, as deep as it goes, with sidecars, true lineart and the archives in it; or a single picture"""

import os
from collections.abc import Iterator
from pathlib import Path

from anidata.errors import SourceError
from anidata.sources import Options, Record
from anidata.sources.archives.archive import is_file, kind_of
from anidata.sources.listing.folders import single, state_of, walk
from anidata.storage import uri_of

EXAMPLE = "folder:pictures"
PREFIX = "folder:"
TAKES = "the path of a folder or picture, or '.' for the folder you are in"


def accepts(text: str) -> bool:
    return text.startswith(PREFIX) or _is_folder(text) or (is_file(text) and kind_of(Path(text)) is None)


def records(text: str, options: Options) -> Iterator[Record]:
    path = Path(text.removeprefix(PREFIX))
    if is_file(path):
        yield from single(path, uri_of(path.parent), options)
        return
    try:
        os.scandir(path).close()
    except PermissionError as error:
        raise SourceError(
            f"{path}: can't be read. Give yourself access to it, then run the same command again."
        ) from error
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        raise SourceError(
            f"{path}: there is no such folder. Type the path of a folder or of a picture: {EXAMPLE}"
        ) from error
    yield from walk(path, uri_of(path), options)


def state(text: str, options: Options) -> str:
    """All names, sizes and dates below the folder; of a single picture those of its folder."""
    path = Path(text.removeprefix(PREFIX))
    return state_of(path.parent if is_file(path) else path, options.base)


def _is_folder(text: str) -> bool:
    return os.path.isdir(text)  # noqa: PTH112  # Path.is_dir raises on a text of 5,000 letters
