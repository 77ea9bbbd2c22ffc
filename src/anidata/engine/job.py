"""One command's work: where, by which settings, by which workers, and what was asked for besides."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from anidata.engine.engine import Engine
from anidata.workspace import Workspace


@dataclass(frozen=True)
class Request:
    """Wishes of a command that are no settings: they aren't remembered."""

    sources: tuple[str, ...] = ()
    limit: int = 0  # sightings in all; 0: no limit
    refresh: bool = False  # look again at sightings whose file or sidecars have changed
    retry: str = ""  # ask again for the URLs that failed with this code; `failed`: with any
    reshard: bool = False  # choose the number of shards anew


@dataclass(frozen=True, kw_only=True)
class Job:
    """One command's work on a workspace, the same for all its stages."""

    workspace: Workspace
    recipe: Any  # a pipeline.Recipe: the settings of each stage under its table's name
    document: dict[str, Any]  # the recipe as it goes into a manifest: without paths of this machine
    engine: Engine
    dataset: Path | None = None  # where the data set goes; None: where it went last
    request: Request = field(default_factory=Request)
