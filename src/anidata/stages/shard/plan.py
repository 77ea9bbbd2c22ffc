"""A build of a data set: where it goes, what it is made from, and whether that has changed since."""

from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict

from anidata import recipe
from anidata.catalog import decisions, tables
from anidata.catalog.damage import read_json
from anidata.dataset.description import FORMAT
from anidata.engine.job import Job
from anidata.errors import DamagedError, WorkspaceError
from anidata.recipe import Document
from anidata.stages.extract_lineart.config import Config as LineartConfig
from anidata.stages.extract_lineart.state import fingerprints
from anidata.stages.shard.config import Config, portable
from anidata.stages.shard.markers import Files
from anidata.storage import refuse_bytes
from anidata.workspace import Workspace

VERSION = 1


class State(TypedDict):
    """state.json: a finished build."""

    dataset: str
    state: str


class _Manifest(TypedDict):
    files: Files


@dataclass(frozen=True)
class Plan:
    """A build: from which workspace, into which folder, by which settings."""

    workspace: Workspace
    dataset: Path
    config: Config
    lineart: LineartConfig
    recipe: Document  # as it goes into the manifest: without paths of this machine

    @property
    def markers(self) -> Path:
        """The folder of this data set's state, and of its shards' markers."""
        return self.workspace.folder("shards") / recipe.fingerprint(str(self.dataset))

    @property
    def state_file(self) -> Path:
        return self.markers / "state.json"


def plan_of(job: Job) -> Plan:
    dataset = job.dataset or last_dataset(job.workspace)
    refuse_bytes(dataset.absolute(), WorkspaceError)
    return Plan(job.workspace, dataset.absolute(), job.recipe.shard, job.recipe.lineart, job.document)


def last_dataset(workspace: Workspace) -> Path:
    """Where the data set was built last; WORK/dataset before that.

    Raises: DamagedError: nobody knows any more.
    """
    states = sorted(workspace.folder("shards").glob("*/state.json"), key=lambda p: p.stat().st_mtime_ns)
    usual = workspace.folder("dataset")
    if not states or states[-1].parent.name == recipe.fingerprint(str(usual)):
        return usual
    return Path(read_json(states[-1], State)["dataset"])


def state(plan: Plan) -> str:
    """Changes with anything that the data set depends on."""
    folders = [plan.workspace.folder(name) for name in ("images", "records", "pairs")]
    seen = tables.state_of(*folders, *decisions.paths(plan.workspace, before="shard"))
    settings = portable(recipe.document_of(plan.config))
    return recipe.fingerprint(VERSION, FORMAT, seen, settings, fingerprints(plan.lineart), plan.recipe)


def is_made(plan: Plan) -> bool:
    """Whether the data set is there, whole, and made from what the workspace holds now."""
    try:
        noted = read_json(plan.state_file, State)
        files = read_json(plan.dataset / "manifest.json", _Manifest)["files"]
        sizes = {name: (plan.dataset / name).stat().st_size for name in files}
    except (OSError, DamagedError):
        return False
    if noted != {"dataset": str(plan.dataset), "state": state(plan)} or not _has_samples(plan):
        return False
    return all(sizes[name] == entry["bytes"] for name, entry in files.items())


def is_up_to_date(job: Job) -> bool:
    return is_made(plan_of(job)) and not job.request.reshard


def has_run(job: Job) -> bool:
    return samples_path(job.workspace).exists()


def samples_path(workspace: Workspace) -> Path:
    """The table of the samples of the data set that was built last."""
    return workspace.folder("decisions") / "samples.parquet"


def _has_samples(plan: Plan) -> bool:
    """Whether the table of samples is there. Raises: DamagedError."""
    path = samples_path(plan.workspace)
    tables.made_from(path)
    return path.exists()
