"""A build of a data set: where it goes, what it is made from, and whether that has changed since."""

import json
from dataclasses import dataclass
from pathlib import Path

from anidata import recipe
from anidata.catalog import decisions, tables
from anidata.dataset.description import FORMAT
from anidata.engine.job import Job
from anidata.recipe import Document
from anidata.stages.extract_lineart.config import Config as LineartConfig
from anidata.stages.extract_lineart.stage import fingerprints
from anidata.stages.shard.config import Config
from anidata.workspace import Workspace

VERSION = 1


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
    return Plan(job.workspace, dataset.absolute(), job.recipe.shard, job.recipe.lineart, job.document)


def last_dataset(workspace: Workspace) -> Path:
    """Where the data set was built last; WORK/dataset before that."""
    states = sorted(workspace.folder("shards").glob("*/state.json"), key=lambda p: p.stat().st_mtime_ns)
    return Path(json.loads(states[-1].read_bytes())["dataset"]) if states else workspace.folder("dataset")


def state(plan: Plan) -> str:
    """Changes with anything that the data set depends on."""
    folders = [plan.workspace.folder(name) for name in ("images", "records", "pairs")]
    seen = tables.state_of(*folders, *decisions.paths(plan.workspace, before="shard"))
    return recipe.fingerprint(VERSION, FORMAT, seen, plan.config, fingerprints(plan.lineart), plan.recipe)


def is_made(plan: Plan) -> bool:
    """Whether the data set is there, whole, and made from what the workspace holds now."""
    try:
        noted = json.loads(plan.state_file.read_bytes())["state"]
        manifest = json.loads((plan.dataset / "manifest.json").read_bytes())
        sizes = {name: (plan.dataset / name).stat().st_size for name in manifest["files"]}
    except (OSError, ValueError, KeyError):
        return False
    if noted != state(plan):
        return False
    return all(sizes[name] == entry["bytes"] for name, entry in manifest["files"].items())
