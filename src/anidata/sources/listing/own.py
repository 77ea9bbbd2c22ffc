"""Folders that anidata made, known by their marks: no source takes what lies in one on its way down.

A workspace has workspace.json, a data set .anidata, a run recipe.toml beside environment.json. A name alone
is no mark: other programs have a workspace.json too, and anyone may keep a recipe.toml beside pictures.
"""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from anidata import ownership
from anidata.tar import opening, untrusted

RECIPE, ENVIRONMENT = "recipe.toml", "environment.json"  # of a run; see anidata.training.run.folder
MOST = 1 << 20  # bytes of a mark; a larger file is somebody else's


def is_own(folder: str | Path) -> bool:
    """Whether anidata made a folder: a workspace, a data set or a run."""
    top = Path(folder)
    try:
        return _is_workspace(top) or (top / ownership.OTHER).is_file() or _is_run(top)
    except OSError:  # not to be looked into: listing it says so
        return False


def files_below(top: Path, passed_by: set[Path] | None = None) -> Iterator[Path]:
    """Yield the files below a folder in no order; passed_by: to be filled with folders of anidata's own."""
    for parent, folders, files in os.walk(top):
        own = [name for name in folders if is_own(Path(parent, name))]
        folders[:] = [name for name in folders if name not in own]
        if passed_by is not None:
            passed_by.update(Path(parent, name) for name in own)
        yield from (Path(parent, name) for name in files)


def _is_workspace(folder: Path) -> bool:
    mark = ownership.read_mark(folder, ownership.WORKSPACE) or {}
    return isinstance(mark.get("format"), int)


def _is_run(folder: Path) -> bool:
    return (folder / RECIPE).is_file() and "anidata" in _object(folder / ENVIRONMENT)


def _object(path: Path) -> dict[str, Any]:
    """The JSON object in a small file; empty where there is none."""
    try:
        value = untrusted.read_json(opening.read_bytes(path, MOST))
    except (OSError, ValueError):
        return {}
    return value if isinstance(value, dict) else {}
