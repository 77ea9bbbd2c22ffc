"""Shard: the finished pairs as a data set of WebDataset tars, split so that no cluster is cut, with card, index and manifest.

A sample's split follows its cluster and is written once; its shard follows its key. So additions and removals rewrite few tars,
and a tar whose samples haven't changed is left alone.
"""

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from anidata import recipe, storage
from anidata.catalog import decisions, schemas, tables
from anidata.catalog.catalog import Catalog
from anidata.dataset.description import FORMAT
from anidata.engine.engine import Limits
from anidata.engine.job import Job
from anidata.errors import WorkspaceError
from anidata.stages.extract_lineart.config import Config as LineartConfig
from anidata.stages.extract_lineart.stage import fingerprints
from anidata.stages.shard import card, packing
from anidata.stages.shard.config import Config
from anidata.stages.shard.packing import Shard
from anidata.workspace import Workspace

VERSION = 1


@dataclass(frozen=True)
class Plan:
    """What a build is about."""

    workspace: Workspace
    dataset: Path
    config: Config
    lineart: LineartConfig
    recipe: dict[str, Any]  # as it goes into the manifest: without paths of this machine


def run(job: Job) -> Counter[str]:
    """Build or bring up to date; nothing where nothing has changed."""
    plan, reshard = _plan(job), job.request.reshard
    if _is_up_to_date(plan) and not reshard:
        return Counter()
    _claim(plan.dataset)
    storage.delete(
        _state_file(plan)
    )  # until it is finished it is made from nothing that the workspace has held
    moved = assign_splits(plan)
    counts = _shard_counts(plan, reshard=reshard)
    keys = _samples(plan, counts)
    total = sum(map(len, keys.values()))
    packed: Counter[str] = Counter()
    label = "shard" if total else ""
    for _, written in job.engine.map(
        packing.pack, _shards(plan, keys), limits=Limits(0, 0), label=label, total=total
    ):
        packed.update(written)
    _finish(plan, keys)
    return packed + Counter(shards=len(keys), samples=total, moved=moved)


def is_up_to_date(job: Job) -> bool:
    return _is_up_to_date(_plan(job))


def has_run(job: Job) -> bool:
    return _samples_path(job.workspace).exists()


def _plan(job: Job) -> Plan:
    dataset = job.dataset or last_dataset(job.workspace)
    return Plan(job.workspace, dataset.absolute(), job.recipe.shard, job.recipe.lineart, job.document)


def state(plan: Plan) -> str:
    """Changes with anything that the data set depends on."""
    folders = [plan.workspace.folder(name) for name in ("images", "records", "pairs")]
    seen = tables.state_of(*folders, *decisions.paths(plan.workspace, before="shard"))
    return recipe.fingerprint(VERSION, FORMAT, seen, plan.config, fingerprints(plan.lineart), plan.recipe)


def _is_up_to_date(plan: Plan) -> bool:
    """Whether the data set is there, whole, and made from what the workspace holds now."""
    try:
        noted = json.loads(_state_file(plan).read_bytes())["state"]
        manifest = json.loads((plan.dataset / "manifest.json").read_bytes())
        sizes = {name: (plan.dataset / name).stat().st_size for name in manifest["files"]}
    except (OSError, ValueError, KeyError):
        return False
    return bool(noted == state(plan) and all(sizes[n] == f["bytes"] for n, f in manifest["files"].items()))


def last_dataset(workspace: Workspace) -> Path:
    """Where the data set was built last; WORK/dataset before that."""
    states = sorted(workspace.folder("shards").glob("*/state.json"), key=lambda p: p.stat().st_mtime_ns)
    return Path(json.loads(states[-1].read_bytes())["dataset"]) if states else workspace.folder("dataset")


def assign_splits(plan: Plan) -> int:
    """Give each sample its cluster's split: the earliest one written for a member, or else one drawn by the cluster's name.

    Returns how many keys had to follow a cluster that has merged with an earlier one.
    """
    with Catalog(plan.workspace) as views:
        rows = views.select(_splits_sql(plan.config))
    moved = pc.sum(rows.column("moved")).as_py() or 0
    rows = rows.drop_columns("moved").cast(schemas.SPLITS)
    if not rows.equals(tables.read(_splits_path(plan.workspace), schemas.SPLITS)):
        tables.write(_splits_path(plan.workspace), rows)
    return int(moved)


def _splits_sql(config: Config) -> str:
    bounds, reached = [], 0.0
    for name, share in config.splits.items():
        reached += share
        bounds.append(f"WHEN u < {reached!r} THEN '{name}'")
    last = [name for name, share in config.splits.items() if share][-1]
    drawn = f"('0x' || sha256('{config.seed}:' || c.cluster)[1:13])::UBIGINT / {2**52}"  # 52 bits: exact in a double
    return f"""WITH earlier AS (SELECT cluster, arg_min(split, (since, key)) AS split FROM _splits JOIN _related USING (key) GROUP BY cluster),
        clusters AS (SELECT key, coalesce(cluster, key) AS cluster FROM _decided WHERE keep),
        drawn AS (SELECT key, cluster, {drawn} AS u FROM clusters c)
        SELECT coalesce(d.key, o.key) AS key, coalesce(e.split, o.split, CASE {" ".join(bounds)} ELSE '{last}' END) AS split,
        coalesce(o.since, (SELECT coalesce(max(since) + 1, 0) FROM _splits)) AS since, coalesce(e.split <> o.split, false) AS moved
        FROM drawn d FULL JOIN _splits o ON d.key = o.key LEFT JOIN earlier e ON d.cluster = e.cluster ORDER BY key"""


def _shard_counts(plan: Plan, *, reshard: bool) -> dict[str, int]:
    """Shards of each split: chosen once, by the bytes there are, and kept."""
    path = plan.workspace.folder("plan") / "shards.json"
    kept = json.loads(path.read_bytes()) if path.exists() and not reshard else {}
    with Catalog(plan.workspace) as views:
        sizes = views.select(
            "SELECT split, sum(size)::BIGINT AS size, count(DISTINCT key) AS samples FROM _pairs JOIN _splits USING (key) "
            "GROUP BY split ORDER BY split"
        ).to_pylist()
    aims = {"size": plan.config.shard_bytes, "samples": plan.config.shard_samples}
    counts = {r["split"]: max(-(-r[what] // aim) for what, aim in aims.items()) for r in sizes} | kept
    if counts != kept:
        storage.publish_json(path, counts)
    return counts


def _samples(plan: Plan, counts: dict[str, int]) -> dict[str, pa.Array]:
    """Shard → the keys of its samples, both in their order: the kept pictures that have a split and files of today."""
    sql = f"""SELECT key, shard FROM ({_chosen_sql(counts)}) WHERE key IN (SELECT key FROM _decided WHERE keep)
        AND key IN (SELECT key FROM _pairs WHERE {_current(plan)}) ORDER BY shard, key"""
    with Catalog(plan.workspace) as views:
        return {name: found.column("key").combine_chunks() for name, found in views.grouped(sql, "shard")}


def _shards(plan: Plan, keys: dict[str, pa.Array]) -> Iterator[Shard]:
    """Every shard, one at a time: its tables may be large, and all together even more."""
    with Catalog(plan.workspace) as views:
        for few in _sliced(keys):
            files = views.select(_files_sql(plan), _slice=_table(few))
            for tar, table in views.grouped(_samples_sql(), "shard"):
                found = files.filter(pc.equal(files.column("shard"), tar))
                name = tar.removesuffix(".tar")
                yield Shard(
                    plan.workspace,
                    plan.dataset,
                    _state_file(plan).parent,
                    name,
                    table,
                    found,
                    plan.lineart.styles,
                    plan.lineart.finish.polarity,
                )


def _sliced(keys: dict[str, pa.Array]) -> Iterator[dict[str, pa.Array]]:
    """Shards whose samples together are about a slice."""
    size, few = tables.slice_of(sum(map(len, keys.values()))), dict[str, pa.Array]()
    for name, found in keys.items():
        few[name] = found
        if sum(map(len, few.values())) >= size or name == [*keys][-1]:
            yield few
            few = {}


def _current(plan: Plan) -> str:
    """SQL: whether a stored file of a pair is of today."""
    prints = fingerprints(plan.lineart)
    return (
        "("
        + " OR ".join(
            f"(style = '{name}' AND starts_with(fingerprint, '{print_}'))" for name, print_ in prints.items()
        )
        + ")"
    )


def _samples_sql() -> str:
    """What is known of the pictures in `_slice`, by shard and key."""
    columns = ", ".join(packing.known())
    return f"""SELECT {columns}, shard FROM _decided JOIN _slice USING (key) JOIN (FROM _merged SEMI JOIN _slice USING (key)) USING (key)
        ORDER BY shard, key"""


def _files_sql(plan: Plan) -> str:
    """Where the files of their pairs lie, by shard, key and style."""
    columns = ", ".join(f'"{name}"' for name in packing.STORED)
    return f"""SELECT {columns}, shard FROM _pairs JOIN (SELECT key, shard FROM _slice) USING (key) WHERE {_current(plan)}
        ORDER BY shard, key, style, tar, "offset" """


def _chosen_sql(counts: dict[str, int]) -> str:
    """The shard of each picture that has a split."""
    number = "('0x' || key[9:24])::UBIGINT % n.count"
    known = ", ".join(f"('{split}', {count})" for split, count in counts.items()) or "('', 1)"
    return f"""SELECT key, split, printf('%s-%05d-of-%05d', split, {number}, n.count) AS shard
        FROM _splits JOIN (VALUES {known}) n(split, count) USING (split)"""


def _finish(plan: Plan, keys: dict[str, pa.Array]) -> None:
    """Everything beside the tars, the manifest last; what an earlier build left over goes. keys: shard → its samples."""
    packed = [packing.marker(_state_file(plan).parent, name) for name in keys]
    documents = card.documents(plan.dataset.name, packed, plan.recipe)
    for name, text in documents.items():
        storage.publish(plan.dataset / name, text.encode())
    files = {name: entry for shard in packed for name, entry in shard["files"].items()}
    files |= {
        name: {"bytes": len(text.encode()), "sha256": storage.digest(text.encode())}
        for name, text in documents.items()
    }
    _delete_leftovers(plan, set(files))
    manifest = {"format": FORMAT, "recipe": plan.recipe, "versions": card.versions(), "files": files}
    splits: Counter[str] = Counter()
    for name, found in keys.items():
        splits[packing.split_of(name)] += len(found)
    manifest["splits"] = dict(splits)
    storage.publish_json(plan.dataset / "manifest.json", manifest)
    tables.write(_samples_path(plan.workspace), _table(keys).sort_by("key"))
    storage.publish_json(_state_file(plan), {"dataset": str(plan.dataset), "state": state(plan)})


def _table(keys: dict[str, pa.Array]) -> pa.Table:
    """Key, split and shard of each sample."""
    columns = [
        pa.table(
            [
                found,
                *(pa.repeat(pa.scalar(word), len(found)) for word in (packing.split_of(name), f"{name}.tar")),
            ],
            schemas.SAMPLES,
        )
        for name, found in keys.items()
    ]
    return pa.concat_tables([schemas.SAMPLES.empty_table(), *columns])


def _delete_leftovers(plan: Plan, wanted: set[str]) -> None:
    """Delete what an earlier manifest or a marker lists and this build doesn't have, and what was half written: anidata wrote it.

    Nothing else is touched.
    """
    markers = _state_file(plan).parent.glob("*-of-*.json")
    unwanted = [path for path in markers if f"data/{path.stem}.tar" not in wanted]
    lists = [path for path in (plan.dataset / "manifest.json", *unwanted) if path.exists()]
    known = wanted | {name for path in lists for name in json.loads(path.read_bytes())["files"]}
    for name in known:
        if ".." not in Path(name).parts and not Path(name).is_absolute():
            storage.delete(plan.dataset / (name + storage.TEMPORARY))
            if name not in wanted:
                storage.delete(plan.dataset / name)
    for path in unwanted:
        storage.delete(path)


def _claim(dataset: Path) -> None:
    """Take a folder for a data set: a new or empty one, or one that anidata has made.

    Raises: WorkspaceError: it holds other things.
    """
    mark = dataset / ".anidata"
    if dataset.exists() and not dataset.is_dir():
        raise WorkspaceError(f"{dataset} is a file; a data set is a folder. Name another one.")
    if not mark.exists():
        if dataset.exists() and any(
            p.name != mark.name + storage.TEMPORARY for p in dataset.iterdir()
        ):  # left by a killed run
            raise WorkspaceError(
                f"{dataset} has files in it that anidata didn't write. Name a new or empty folder."
            )
        storage.publish(
            mark,
            f"A data set of anidata, format {FORMAT}. Files listed in manifest.json are rewritten by anidata.\n".encode(),
        )


def _state_file(plan: Plan) -> Path:
    return plan.workspace.folder("shards") / recipe.fingerprint(str(plan.dataset)) / "state.json"


def _splits_path(workspace: Workspace) -> Path:
    return workspace.folder("decisions") / "splits.parquet"


def _samples_path(workspace: Workspace) -> Path:
    return workspace.folder("decisions") / "samples.parquet"
