"""Status: what a workspace holds, which stages are behind, what failed or is missing, the disk it takes, and what to type next."""

import os
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from anidata import pipeline
from anidata.catalog.catalog import Catalog
from anidata.catalog.schemas import RETRIED
from anidata.reports import funnel
from anidata.stages.clean import stage as clean
from anidata.stages.dedup import stage as dedup
from anidata.stages.extract_lineart import stage as extract_lineart
from anidata.stages.ingest import stage as ingest
from anidata.stages.shard import stage as shard
from anidata.workspace import FOLDERS, Workspace

PLACES = (*FOLDERS, "dataset")
COMMANDS = {
    "ingest": "ingest",
    "clean": "clean",
    "dedup": "dedup",
    "lineart": "extract-lineart",
    "shard": "shard",
}


@dataclass(frozen=True)
class Status:
    """What `anidata status` reports."""

    stages: dict[str, str]  # stage → "up to date" | "stale" | "not run", with the number of open parts
    funnel: funnel.Funnel
    to_retry: int  # records that failed in a way that may pass: catalog.RETRIED
    changed: int  # records whose source has other bytes now
    disk: dict[str, int]  # folder → bytes
    next_command: str | None

    def to_json(self) -> dict[str, Any]:
        return {**{n: getattr(self, n) for n in self.__dataclass_fields__}, "funnel": self.funnel.to_json()}


def measure(workspace: Workspace, recipe: pipeline.Recipe) -> Status:
    """Look at everything, change nothing."""
    stages = _stages(workspace, recipe)
    with Catalog(workspace) as views:
        found = funnel.measure(views)
        passing = ", ".join(f"'{code}'" for code in RETRIED)
        count = f"SELECT count(*) FILTER (error IN ({passing})) AS retry, count(*) FILTER (status = 'changed') AS changed FROM _told"
        waiting = views.select(count).to_pylist()[0]
    late = next((name for name, word in stages.items() if word != "up to date"), None)
    command = _command(workspace, recipe, late) if late else None
    if waiting["changed"] and not late:
        command = _command(workspace, recipe, "ingest") + " --refresh"
    disk = {name: size for name in PLACES if (size := _bytes_in(workspace.folder(name)))}
    return Status(stages, found, waiting["retry"], waiting["changed"], disk, command)


def _command(workspace: Workspace, recipe: pipeline.Recipe, stage: str) -> str:
    sources = recipe.sources or ("SOURCE",)
    words = [workspace.path, *(sources if stage == "ingest" else ())]
    return " ".join(["anidata", COMMANDS[stage], *(shlex.quote(str(w)) for w in words)])


def _stages(workspace: Workspace, recipe: pipeline.Recipe) -> dict[str, str]:
    decisions = workspace.folder("decisions")
    parts = ingest.open_parts(workspace, recipe.ingest)
    plan = pipeline.shard_plan(workspace, recipe, shard.last_dataset(workspace))
    current = {
        "clean": clean.is_current(workspace, recipe.clean, pipeline.target(recipe)),
        "dedup": dedup.is_current(workspace, recipe.dedup),
        "lineart": extract_lineart.is_current(workspace, recipe.lineart),
        "shard": shard.is_current(plan),
    }
    run = {
        name: (decisions / f"{file}.parquet").exists()
        for name, file in (
            ("clean", "clean"),
            ("dedup", "dedup"),
            ("lineart", "lineart"),
            ("shard", "samples"),
        )
    }
    first = f"{len(parts)} part{'s' * (len(parts) > 1)} open" if parts else "up to date"
    if not workspace.folder("plan").exists():
        first = "not run"
    return {"ingest": first} | {
        n: "up to date" if ok else "stale" if run[n] else "not run" for n, ok in current.items()
    }


def _bytes_in(folder: Path) -> int:
    return sum(_size(Path(place) / name) for place, _, files in os.walk(folder) for name in files)


def _size(path: Path) -> int:
    try:
        return path.lstat().st_size
    except FileNotFoundError:  # another command is at work here
        return 0
