"""Whether dedup's decisions are up to date. What decides is imported only where they aren't."""

from anidata import recipe
from anidata.catalog import decisions, tables
from anidata.duplicates import phash, place_agreement, place_codes, place_overlap, relation, windows
from anidata.engine.job import Job
from anidata.imaging import decode
from anidata.stages.dedup.config import Config
from anidata.stages.dedup.decision import DECISION
from anidata.workspace import Workspace

VERSION = 5  # of the decisions
JOIN_VERSION = 3  # of the edges
PLACING_VERSION = 1  # of the edges by places


def is_up_to_date(job: Job) -> bool:
    """Whether the decisions are up to date, all pictures are joined, and no pair waits for a look."""
    made = tables.made_from(DECISION.path(job.workspace))
    if not made or made.get("state") != state(job.workspace, job.recipe.dedup, versions()):
        return False
    return bool(made["joined"] == pictures(job.workspace) and not made["waiting"])


def versions() -> list[int]:
    """Raised when the same pictures would get other decisions."""
    return [VERSION, JOIN_VERSION, *relation_version(), phash.VERSION, windows.VERSION, *placing_versions()]


def placing_versions() -> list[int]:
    """Raised when the same pictures would get other edges by places."""
    return [PLACING_VERSION, decode.VERSION, place_codes.VERSION, place_agreement.VERSION]


def state(workspace: Workspace, config: Config, made_by: list[int]) -> str:
    """Changes with anything that the decisions depend on. made_by: versions of what they build on."""
    folders = [workspace.folder(name) for name in ("images", "records", "edges", "place_edges", "relations")]
    seen = tables.state_of(*folders, *decisions.paths(workspace, before="dedup"))
    return recipe.fingerprint(*made_by, config, seen)


def pictures(workspace: Workspace) -> str:
    """Changes with the pictures that there are to join."""
    return tables.state_of(workspace.folder("images"), workspace.folder("records"))


def relation_version() -> list[int]:
    """All that a pair's relation depends on, besides the two pictures."""
    return [decode.VERSION, relation.VERSION, place_overlap.VERSION]
