"""The parts of the plan that are not done, and what a killed fetch has left behind."""

from anidata.catalog import tables
from anidata.stages.ingest import plan
from anidata.stages.ingest.config import Config, IngestPart, made_with
from anidata.workspace import Workspace


def open_parts(workspace: Workspace, config: Config) -> list[IngestPart]:
    """The parts that are planned and not done, or done with other versions or limits, or to try again."""
    made = made_with(config)
    unfinished = []
    for generation in plan.generations(workspace):
        for index, size in enumerate(tables.group_sizes(plan.plan_path(workspace, generation))):
            part = IngestPart(workspace, generation, index, size, config)
            before = part.noted()
            if before.get("made") != made or before.get("retry", 0):
                unfinished.append(part)
    return unfinished


def has_journals(workspace: Workspace) -> bool:
    """Whether a fetch was killed: its journal is still there, of a part that is done or not."""
    return any(workspace.folder("fetched").glob("*.journal"))
