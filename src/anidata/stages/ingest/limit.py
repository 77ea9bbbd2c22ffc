"""The limit of a try-out: it holds until its plan is worked through; a later run without one lifts it."""

from dataclasses import replace
from pathlib import Path
from typing import TypedDict

from anidata import storage
from anidata.catalog import tables
from anidata.catalog.damage import read_json
from anidata.engine import progress
from anidata.engine.job import Job, Request
from anidata.stages.ingest import plan
from anidata.stages.ingest.config import IngestPart
from anidata.workspace import Workspace


class _Held(TypedDict):
    limit: int


def held(workspace: Workspace) -> int:
    """The limit that the last plan was made under; 0: none."""
    path = _path(workspace)
    return read_json(path, _Held)["limit"] if path.exists() else 0


def request_of(job: Job) -> Request:
    """A job's request, under the limit of a plan that isn't worked through yet; a new limit is written down.

    Call it before anything is worked on.
    """
    workspace, request = job.workspace, job.request
    before = held(workspace)
    if request.limit:
        if request.sources and request.limit != before:
            storage.publish_json(_path(workspace), {"limit": request.limit})
        return request
    if not before or not request.sources:
        return request
    if _is_begun(job):
        progress.say(
            f"limit {before:,} stays: what was begun under it is finished first; "
            "the same command once more lifts it"
        )
        return replace(request, limit=before)
    storage.delete(_path(workspace))
    progress.say(f"limit {before:,} → none: all that the sources hold is taken")
    return request


def _is_begun(job: Job) -> bool:
    """Whether a part is planned that nothing was recorded of."""
    parts = (
        IngestPart(job.workspace, generation, index, size, job.recipe.ingest)
        for generation in plan.generations(job.workspace)
        for index, size in enumerate(tables.group_sizes(plan.plan_path(job.workspace, generation)))
    )
    return any(not part.path("records").exists() for part in parts)


def _path(workspace: Workspace) -> Path:
    return workspace.path / "limit.json"
