"""Shard: the finished pairs as a data set of WebDataset tars, split so that no cluster is cut, with card, index and manifest.

A sample's split follows its cluster and is written once; its shard follows its key. So additions and removals rewrite few tars,
and a tar whose samples haven't changed is left alone.
"""

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from anidata import catalog, recipe, storage
from anidata.engine import Engine, Limits
from anidata.errors import RecipeError, WorkspaceError
from anidata.recipe import Count, Positive
from anidata.stages import _card, _packing, extract_lineart
from anidata.stages._packing import Shard
from anidata.workspace import Workspace

VERSION = 1
FORMAT = 1  # of DATASET
SUM = 1e-6  # by which shares may miss 1


@dataclass(frozen=True)
class Config:
    """Split the pairs and pack them."""

    splits: dict[str, float] = field(default_factory=lambda: {"train": 0.8, "val": 0.1, "test": 0.1})  # shares of clusters; they sum to 1
    seed: Count = 0  # of the split: another seed, other clusters in test; splits once written stay
    shard_bytes: Positive = 268_435_456  # aimed at when the number of shards is first chosen

    def __post_init__(self) -> None:
        if not self.splits or abs(sum(self.splits.values()) - 1) > SUM or min(self.splits.values()) < 0:
            raise RecipeError(
                f"[shard] splits: {self.splits}: shares from 0 to 1 that sum to 1, such as train = 0.8, val = 0.1, test = 0.1"
            )
        if not all(name.isidentifier() for name in self.splits):
            raise RecipeError(f"[shard] splits: {', '.join(self.splits)}: a split's name is letters, digits and _")


@dataclass(frozen=True)
class Plan:
    """What a build is about."""

    workspace: Workspace
    dataset: Path
    config: Config
    lineart: extract_lineart.Config
    recipe: dict[str, Any]  # as it goes into the manifest: without paths of this machine


def run(plan: Plan, engine: Engine, *, reshard: bool = False) -> Counter[str]:
    """Build or bring up to date; nothing where nothing has changed."""
    if is_current(plan) and not reshard:
        return Counter()
    _claim(plan.dataset)
    storage.delete(_state_file(plan))  # from here on, and until it is finished, it is made from nothing that the workspace has held
    moved = assign_splits(plan)
    counts = _shard_counts(plan, reshard=reshard)
    with catalog.Catalog(plan.workspace) as views:
        shards = [shard for shard in _shards(plan, views, counts) if shard.rows]
        stale = [shard for shard in shards if not _packing.is_packed(shard)]
        packed: Counter[str] = Counter()
        for _, written in engine.map(
            _packing.pack, stale, limits=Limits(0, 0), label="shard" if stale else "", total=sum(len(s.rows) for s in stale)
        ):
            packed.update(written)
    _finish(plan, shards)
    return packed + Counter(shards=len(shards), samples=sum(len(s.rows) for s in shards), moved=moved)


def state(plan: Plan) -> str:
    """Changes with anything that the data set depends on."""
    folder = plan.workspace.folder
    decided = [folder("decisions") / f"{n}.parquet" for n in ("clean", "dedup", "lineart")]
    seen = catalog.state_of(folder("images"), folder("records"), folder("pairs"), *decided)
    return recipe.fingerprint(VERSION, FORMAT, seen, plan.config, extract_lineart.fingerprints(plan.lineart), plan.recipe)


def is_current(plan: Plan) -> bool:
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
    with catalog.Catalog(plan.workspace) as views:
        found = views.select(_splits_sql(plan.config))
    old = {r["key"]: r for r in catalog.rows(_decisions(plan, "splits"), catalog.SPLITS)}
    since = max((r["since"] for r in old.values()), default=-1) + 1
    new = {r["key"]: r["split"] for r in found.to_pylist()}
    moved = sum(key in old and old[key]["split"] != split for key, split in new.items())
    rows = old | {k: {"key": k, "split": s, "since": old[k]["since"] if k in old else since} for k, s in new.items()}
    if rows != old:
        catalog.write(_decisions(plan, "splits"), catalog.table([rows[k] for k in sorted(rows)], catalog.SPLITS))
    return int(moved)


def _splits_sql(config: Config) -> str:
    bounds, reached = [], 0.0
    for name, share in config.splits.items():
        reached += share
        bounds.append(f"WHEN u < {reached!r} THEN '{name}'")
    last = [name for name, share in config.splits.items() if share][-1]
    drawn = f"('0x' || sha256('{config.seed}:' || c.cluster)[1:13])::UBIGINT / {2**52}"  # 52 bits: exact in a double
    return f"""WITH clusters AS (SELECT key, coalesce(d.cluster, key) AS cluster FROM _pictures LEFT JOIN _dedup d USING (key)),
        earlier AS (SELECT cluster, arg_min(split, (since, key)) AS split FROM clusters JOIN _splits USING (key) GROUP BY cluster),
        drawn AS (SELECT c.key, c.cluster, {drawn} AS u FROM clusters c JOIN images i USING (key) WHERE i.keep)
        SELECT key, coalesce(e.split, CASE {" ".join(bounds)} ELSE '{last}' END) AS split FROM drawn d LEFT JOIN earlier e USING (cluster)"""


def _shard_counts(plan: Plan, *, reshard: bool) -> dict[str, int]:
    """Shards of each split: chosen once, by the bytes there are, and kept."""
    path = plan.workspace.folder("plan") / "shards.json"
    kept = json.loads(path.read_bytes()) if path.exists() and not reshard else {}
    with catalog.Catalog(plan.workspace) as views:
        sizes = views.select(
            "SELECT split, sum(size)::BIGINT AS size FROM _pairs JOIN _splits USING (key) GROUP BY split ORDER BY split"
        ).to_pylist()
    counts = {r["split"]: max(1, -(-r["size"] // plan.config.shard_bytes)) for r in sizes} | kept
    if counts != kept:
        storage.publish_json(path, counts)
    return counts


def _shards(plan: Plan, views: catalog.Catalog, counts: dict[str, int]) -> Iterator[Shard]:
    """Every shard with its samples, sorted by key."""
    prints = extract_lineart.fingerprints(plan.lineart)
    first = plan.lineart.styles[0]
    for split, count in sorted(counts.items()):
        for index in range(count):
            rows = views.select(_samples_sql(prints, first, split, index, count)).to_pylist()
            name = f"{split}-{index:05d}-of-{count:05d}"
            yield Shard(plan.workspace, plan.dataset, _state_file(plan).parent, name, rows, plan.lineart.styles)


def _samples_sql(prints: dict[str, str], first: str, split: str, index: int, count: int) -> str:
    """The pictures of one shard with all that is known of them, and where the files of their pairs lie."""
    current = " OR ".join(f"(style = '{name}' AND starts_with(fingerprint, '{print_}'))" for name, print_ in prints.items())
    return f"""WITH chosen AS (SELECT i.* REPLACE (s.split AS split) FROM images i JOIN _splits s USING (key)
          WHERE keep AND s.split = '{split}' AND ('0x' || key[9:24])::UBIGINT % {count} = {index})
        SELECT c.*, list({{style: p.style, suffix: p.suffix, tar: p.tar, "offset": p.offset, size: p.size, fingerprint: p.fingerprint}} ORDER BY p.style) AS files,
          any_value(p.width) FILTER (p.style = 'color') AS fitted_width, any_value(p.height) FILTER (p.style = 'color') AS fitted_height,
          any_value(p.ink) FILTER (p.style = '{first}') AS ink
        FROM chosen c JOIN (SELECT DISTINCT ON (key, style) * FROM _pairs WHERE {current} ORDER BY tar, "offset") p USING (key)
        GROUP BY ALL ORDER BY key"""


def _finish(plan: Plan, shards: list[Shard]) -> None:
    """Everything beside the tars, the manifest last; what an earlier build left over goes."""
    packed = [_packing.marker(shard) for shard in shards]
    documents = _card.documents(plan.dataset.name, packed, plan.recipe)
    for name, text in documents.items():
        storage.publish(plan.dataset / name, text.encode())
    files = {name: entry for shard in packed for name, entry in shard["files"].items()}
    files |= {name: {"bytes": len(text.encode()), "sha256": storage.digest(text.encode())} for name, text in documents.items()}
    _delete_leftovers(plan, set(files))
    rows = [{"key": r["key"], "split": s.split, "shard": f"{s.name}.tar"} for s in shards for r in s.rows]
    manifest = {"format": FORMAT, "recipe": plan.recipe, "versions": _card.versions(), "files": files}
    manifest["splits"] = dict(Counter(r["split"] for r in rows))
    storage.publish_json(plan.dataset / "manifest.json", manifest)
    samples = catalog.table(sorted(rows, key=lambda r: r["key"]), catalog.SAMPLES)
    catalog.write(_decisions(plan, "samples"), samples)
    storage.publish_json(_state_file(plan), {"dataset": str(plan.dataset), "state": state(plan)})


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
        if dataset.exists() and any(p.name != mark.name + storage.TEMPORARY for p in dataset.iterdir()):  # left by a killed run
            raise WorkspaceError(f"{dataset} has files in it that anidata didn't write. Name a new or empty folder.")
        storage.publish(mark, f"A data set of anidata, format {FORMAT}. Files listed in manifest.json are rewritten by anidata.\n".encode())


def _state_file(plan: Plan) -> Path:
    return plan.workspace.folder("shards") / recipe.fingerprint(str(plan.dataset)) / "state.json"


def _decisions(plan: Plan, name: str) -> Path:
    return plan.workspace.folder("decisions") / f"{name}.parquet"
