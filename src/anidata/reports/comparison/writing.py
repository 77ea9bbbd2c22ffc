"""Writes a report into a folder of its own: index.html, README.md, JSON, CSV and the pictures."""

import json
import re
import secrets
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from anidata import ownership, storage, workspace
from anidata.engine import printing
from anidata.errors import WorkspaceError
from anidata.reports.comparison import tables
from anidata.reports.comparison.page import page

Document = dict[str, Any]

FORMAT, KIND = 1, "evaluation"  # of the mark
PAGE = "index.html"
NONE_OLDER = re.compile(r"(?!)")  # no version before wrote reports
PICTURE = re.compile(r"pictures/\d+-\d{6}\.jpg")  # how the document names its pictures


def write(folder: Path, document: Document, rows: Sequence[Document], files: Mapping[str, bytes]) -> Path:
    """Write all of it; what an earlier evaluation has left there is written over. Returns: the page's path.

    Raises: WorkspaceError: a folder with other things in it. Locked: another one writes there.
        StorageError: it can't be written.
    """
    folder = folder.absolute()
    check(folder)
    with workspace.held(folder, lambda: ownership.sweep(folder, NONE_OLDER, deep=True)):
        if ownership.read_mark(folder, ownership.OTHER) is None:
            mark = {"format": FORMAT, "kind": KIND, "id": secrets.token_hex(8)}
            storage.publish_json(folder / ownership.OTHER, mark)
        for name, data in _contents(document, rows).items():
            storage.publish(folder / name, data)
        for name, data in files.items():
            storage.publish(folder / name, data)
        storage.publish(folder / PAGE, page(document, files).encode())
        _delete_earlier(folder, files)
    return folder / PAGE


def _delete_earlier(folder: Path, files: Mapping[str, bytes]) -> None:
    """Delete the pictures of an earlier report that this one hasn't."""
    for path in (folder / "pictures").glob("*.jpg"):
        name = path.relative_to(folder).as_posix()
        if PICTURE.fullmatch(name) and name not in files:
            storage.delete(path)


def _contents(document: Document, rows: Sequence[Document]) -> dict[str, bytes]:
    text = json.dumps(document, indent=1, sort_keys=True, ensure_ascii=False, allow_nan=False) + "\n"
    return {
        "evaluation.json": printing.json_visible(text).encode(),
        "figures.csv": tables.figures_csv(document).encode(),
        "pictures.csv": tables.pictures_csv(rows).encode(),
        "README.md": tables.markdown(document).encode(),
    }


def check(folder: Path) -> None:
    """See that a report may be written there.

    Raises: WorkspaceError: it isn't new, empty, or an earlier report's; or it lies in a data set.
    """
    folder = folder.absolute()
    storage.refuse_bytes(folder, WorkspaceError)
    if folder.exists() and not folder.is_dir():
        raise WorkspaceError(f"{folder} is a file; a report is a folder. Name another one: -o DIR")
    above = ownership.read_mark(ownership.root_of(folder.parent), ownership.OTHER)
    if above is not None and above.get("kind") == "dataset":
        raise WorkspaceError(f"{folder} lies in a data set, which holds nothing else. Name another: -o DIR")
    mark = ownership.read_mark(folder, ownership.OTHER) if folder.is_dir() else None
    begun = (ownership.LOCK, ownership.HOLDER)
    strangers = (
        mark is None and folder.is_dir() and any(below.name not in begun for below in folder.iterdir())
    )
    if strangers or (mark is not None and mark.get("kind") != KIND):
        raise WorkspaceError(f"{folder} has other files in it and is no report. Name another folder: -o DIR")
