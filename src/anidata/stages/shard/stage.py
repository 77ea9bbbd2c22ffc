"""Shard: the finished pairs as a data set of WebDataset tars, with card, index and manifest.

It is split so that no cluster is cut: a sample's split follows its cluster and is written once; its shard
follows its key. So additions and removals rewrite few tars, and a tar whose samples haven't changed is left
alone.
"""

from collections import Counter
from pathlib import Path
from typing import NotRequired, TypedDict

from anidata import storage
from anidata.catalog import tables
from anidata.dataset.description import CONFIGS, FORMAT
from anidata.engine.engine import Limits
from anidata.engine.job import Job
from anidata.lineart import selection
from anidata.recipe import Document
from anidata.stages.shard import card, choosing, claim, packing
from anidata.stages.shard.choosing import Keys
from anidata.stages.shard.configs import config_of
from anidata.stages.shard.markers import Files, group_of, listed, read_marker, split_of
from anidata.stages.shard.plan import Plan, plan_of, samples_path, state
from anidata.stages.shard.splits import assign_splits


class Manifest(TypedDict):
    """manifest.json of a data set."""

    format: int
    recipe: Document
    versions: dict[str, str]
    files: Files
    splits: dict[str, int]  # split → samples
    inexact: NotRequired[list[str]]  # styles whose last bits depend on the processor, where there are such
    configs: NotRequired[dict[str, dict[str, int]]]  # of an unpaired set: config → split → samples


def run(job: Job) -> Counter[str]:
    """Build or bring up to date."""
    plan = plan_of(job)
    with claim.held(plan):
        return _build(job, plan)


def _build(job: Job, plan: Plan) -> Counter[str]:
    # until it is finished it is made from nothing that the workspace has held
    storage.delete(plan.state_file)
    moved = assign_splits(plan.workspace, plan.config)
    keys = choosing.choose(plan, choosing.shard_counts(plan, reshard=job.request.reshard))
    total = sum(map(len, keys.values()))
    packed: Counter[str] = Counter()
    label = "shard" if total else ""
    parts = choosing.shard_parts(plan, keys)
    for _, written in job.engine.map(packing.pack, parts, limits=Limits(0, 0), label=label, total=total):
        packed.update(written)
    _finish(plan, keys)
    return packed + Counter(shards=len(keys), samples=total, moved=moved)


def _finish(plan: Plan, keys: Keys) -> None:
    """Publish everything beside the tars, the manifest last; delete what an earlier build left over."""
    packed = [read_marker(plan.markers, name) for name in keys]
    documents = card.documents(plan.dataset.name, packed, plan.recipe)
    for name, text in documents.items():
        storage.publish(plan.dataset / name, text.encode())
    files = {name: entry for marker in packed for name, entry in marker["files"].items()}
    files |= {name: packing.entry_of(text.encode()) for name, text in documents.items()}
    _delete_leftovers(plan, set(files))
    manifest: Manifest = {
        "format": FORMAT,
        "recipe": plan.recipe,
        "versions": card.versions(),
        "files": files,
        "splits": _samples_by_split(keys),
    }
    inexact = selection.inexact(plan.recipe["lineart"]["styles"], plan.recipe["lineart"]["mix"])
    if inexact:
        manifest["inexact"] = inexact
    if plan.config.unpaired:
        manifest["configs"] = _samples_by_config(keys)
    storage.publish_json(plan.dataset / "manifest.json", manifest)
    tables.write(samples_path(plan.workspace), choosing.samples_table(keys).sort_by("key"))
    storage.publish_json(plan.state_file, {"dataset": str(plan.dataset), "state": state(plan)})


def _samples_by_split(keys: Keys) -> dict[str, int]:
    counts: Counter[str] = Counter()
    for shard, shard_keys in keys.items():
        counts[split_of(shard)] += len(shard_keys)
    return dict(counts)


def _samples_by_config(keys: Keys) -> dict[str, dict[str, int]]:
    of = {name: {s: k for s, k in keys.items() if config_of(group_of(s)) == name} for name in CONFIGS}
    return {name: _samples_by_split(of_config) for name, of_config in of.items()}


def _delete_leftovers(plan: Plan, wanted: set[str]) -> None:
    """Delete what an earlier build wrote and this one doesn't have, and what the version before half wrote.

    Only what an earlier manifest or a marker lists goes: anidata wrote it. Nothing else is touched.
    """
    markers = plan.markers.glob("*-of-*.json")
    unwanted = [path for path in markers if f"data/{path.stem}.tar" not in wanted]
    known = wanted.union(*map(listed, (plan.dataset / "manifest.json", *unwanted)))
    for name in known:
        if ".." not in Path(name).parts and not Path(name).is_absolute():
            storage.delete(plan.dataset / f"{name}.part")
            if name not in wanted:
                storage.delete(plan.dataset / name)
    for path in unwanted:
        storage.delete(path)
