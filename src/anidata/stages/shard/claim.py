"""The claim on a data set's folder: its mark says whose it is, and is locked while a build writes there.

The mark names the workspace by its random id and its folder's name, by no path: a data set is given away.
"""

import json
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from anidata import ownership
from anidata.dataset.description import FORMAT
from anidata.errors import WorkspaceError
from anidata.ownership import OTHER as MARK
from anidata.stages.shard.plan import Plan
from anidata.storage import unwritable

KIND = "dataset"
FOLDERS = (".", "data", "metadata", "index")  # in which a build writes
NOTE = "A data set of anidata. Files listed in manifest.json are rewritten by anidata."
NONE_OLDER = re.compile(r"(?!)")  # what the version before had begun goes by the names of its manifest


@contextmanager
def held(plan: Plan) -> Iterator[None]:
    """Hold a folder for a build: a new or empty one, or one that the workspace has built before.

    What a killed build had begun there is gone then, and after a build nothing is left that isn't finished.

    Raises: WorkspaceError: it holds other things, or is another workspace's. Locked: another build is at work
    there. StorageError.
    """
    _check_content(plan.dataset)
    with ownership.locked(plan.dataset, MARK) as handle:
        _own(plan, handle)
        _sweep(plan.dataset)
        yield
        _sweep(plan.dataset)  # what a worker had begun that was killed; another has done its part


def _sweep(dataset: Path) -> None:
    for name in FOLDERS:
        ownership.sweep(dataset / name, NONE_OLDER, deep=False)


def _check_content(dataset: Path) -> None:
    """Raises: WorkspaceError: a file, or a folder with other things in it."""
    if dataset.exists() and not dataset.is_dir():
        raise WorkspaceError(f"{dataset} is a file; a data set is a folder. Name another one.")
    if not (dataset / MARK).exists() and _content(dataset):
        raise WorkspaceError(
            f"{dataset} has files in it that anidata didn't write. Name a new or empty folder."
        )


def _content(dataset: Path) -> list[str]:
    """The names in a data set's folder that are not of the mark, nor of its beginnings."""
    names = [path.name for path in dataset.iterdir()] if dataset.exists() else []
    return [name for name in names if name not in (MARK, f"{MARK}.part") and not ownership.is_leftover(name)]


def _own(plan: Plan, handle: int) -> None:
    """Write the mark, of which `handle` is a descriptor, as the workspace's, if it isn't.

    Raises: WorkspaceError: it is another one's, or of something else.
    """
    text = os.pread(handle, 1 << 16, 0)
    mark = ownership.parse_mark(text) or {}
    if mark.get("kind", KIND) != KIND or (text and not mark):
        raise WorkspaceError(f"{plan.dataset} is no data set. Name a new or empty folder.")
    owner = mark.get("workspace", {})
    if owner.get("id") == plan.workspace.ids[0]:
        return
    if not _may_take(plan, owner):
        whose = f"that of another workspace, '{owner['name']}'" if owner else "of no workspace that it names"
        raise WorkspaceError(
            f"{plan.dataset} holds a data set, {whose}. "
            "Name another folder, or delete that one yourself if nobody needs it any longer."
        )
    _write(plan, handle)


def _may_take(plan: Plan, owner: dict[str, Any]) -> bool:
    """Whether a data set that doesn't name this workspace is its own nevertheless.

    One that names none (it was made before marks did) is, where the workspace has built it, it lies in the
    workspace, or nothing is built yet. One that names the workspace that this one is a copy of is, where it
    was copied too: it lies in this one.
    """
    is_within = plan.dataset.is_relative_to(plan.workspace.path)
    if owner:
        return is_within and owner["id"] in plan.workspace.ids
    return is_within or plan.markers.is_dir() or not _content(plan.dataset)


def _write(plan: Plan, handle: int) -> None:
    """Write the mark in place: by its file it is locked."""
    owner = {"id": plan.workspace.ids[0], "name": plan.workspace.path.name}
    mark = {"format": FORMAT, "kind": KIND, "note": NOTE, "workspace": owner}
    text = json.dumps(mark, indent=1, sort_keys=True).encode() + b"\n"
    try:
        os.pwrite(handle, text, 0)
        os.ftruncate(handle, len(text))
        os.fsync(handle)
    except OSError as error:
        raise unwritable(plan.dataset / MARK, error) from error
