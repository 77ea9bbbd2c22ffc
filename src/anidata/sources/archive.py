"""A zip, cbz, 7z, tar or packed tar; a tar's and a zip's stored members are read where they lie"""

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from anidata.errors import SourceError
from anidata.sources import Options, Record
from anidata.sources.archives.archive import is_file, kind_of, members
from anidata.sources.listing.files import Scope, tree_records
from anidata.storage import uri_of

EXAMPLE = "archive:comic.cbz"
PREFIX = "archive:"
TAKES = "the path of a zip, cbz, 7z, tar or tar.gz"


def accepts(text: str) -> bool:
    return text.startswith(PREFIX) or kind_of(Path(text)) is not None


def state(text: str, options: Options) -> str:  # noqa: ARG001  the contract's
    """Its size and date."""
    status = Path(text.removeprefix(PREFIX)).stat()
    return f"{status.st_size} {status.st_mtime_ns}"


def records(text: str, options: Options) -> Iterator[Record]:
    path = Path(text.removeprefix(PREFIX))
    if not is_file(path):
        raise SourceError(
            f"{path}: there is no such archive. Type the path of a zip, cbz, 7z, tar or tar.gz: {EXAMPLE}"
        )
    if os.access(path, os.R_OK) and kind_of(path) is None:
        raise SourceError(
            f"{path}: this is no zip, 7z or tar. "
            f"A picture or a folder goes without a prefix: anidata ingest WORK {path}"
        )
    files = members(path, options)
    again = 1 + sum(one.path == path.name for one in files)  # a member may have the archive's own name
    files = [one if one.path else replace(one, path=path.name, again=again) for one in files]
    yield from tree_records(uri_of(path), files, Scope(), options)
