"""Status: what a workspace holds, which stages are behind, what failed or is missing, the disk it takes.

It also says what to type next.
"""

import os
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from anidata import pipeline, registry
from anidata.catalog.catalog import Catalog
from anidata.catalog.schemas import RETRIED
from anidata.engine.engine import Engine
from anidata.reports import funnel
from anidata.stages.ingest import limit
from anidata.workspace import FOLDERS, Workspace

MEASURED = (*FOLDERS, "dataset")  # folders
WAITING = f"""
SELECT count(*) FILTER (error IN {RETRIED}) AS retry, count(*) FILTER (status = 'changed') AS changed
FROM _told
"""


@dataclass(frozen=True, kw_only=True)
class Status:
    """The facts that `anidata status` reports."""

    stages: dict[str, str]  # stage → "up to date" | "stale" | "not run", with the number of open parts
    funnel: funnel.Funnel
    to_retry: int  # records that failed in a way that may pass: catalog.RETRIED
    changed: int  # records whose source has other bytes now
    disk: dict[str, int]  # folder → bytes
    next_command: str | None

    def to_json(self) -> dict[str, Any]:
        fields = {name: getattr(self, name) for name in self.__dataclass_fields__}
        return fields | {"funnel": self.funnel.to_json()}


def measure(workspace: Workspace, recipe: pipeline.Recipe) -> Status:
    """Look at everything, change nothing."""
    with Engine() as engine:  # no process is started
        job = pipeline.job(workspace, recipe, engine)
        stages = {name: pipeline.progress(name, job) for name in registry.STAGES}
    with Catalog(workspace) as views:
        counts = funnel.measure(views)
        waiting = views.select(WAITING).to_pylist()[0]
    behind = next((name for name, word in stages.items() if word != "up to date"), None)
    command = _command(workspace, recipe, behind) if behind else None
    if waiting["changed"] and not behind:
        command = _command(workspace, recipe, "ingest") + " --refresh"
    return Status(
        stages={registry.stage(name).SETTINGS: word for name, word in stages.items()},
        funnel=counts,
        to_retry=waiting["retry"],
        changed=waiting["changed"],
        disk={name: size for name in MEASURED if (size := _bytes_in(workspace.folder(name)))},
        next_command=command,
    )


def _command(workspace: Workspace, recipe: pipeline.Recipe, stage: str) -> str:
    sources = recipe.sources or ("SOURCE",)
    words = [workspace.path, *(sources if stage == "ingest" else ())]
    if stage == "ingest" and (most := limit.held(workspace)):
        words += ["--limit", most]
    return " ".join(["anidata", registry.command_of(stage), *(shlex.quote(str(w)) for w in words)])


def _bytes_in(folder: Path) -> int:
    return sum(_size(Path(parent) / name) for parent, _, files in os.walk(folder) for name in files)


def _size(path: Path) -> int:
    try:
        return path.lstat().st_size
    except FileNotFoundError:  # another command is at work here
        return 0
