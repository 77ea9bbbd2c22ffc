"""Audit, over the metadata of our own layout: clusters of near-duplicates with members in two splits."""

from pathlib import Path

import pyarrow.compute as pc

from anidata.audit.config import Config
from anidata.audit.files import Dataset
from anidata.audit.headers import HASH, ScannedTar
from anidata.audit.leaks import Split
from anidata.audit.tar import Notes
from anidata.catalog import tables
from anidata.engine.engine import Engine, Limits, Watch
from anidata.errors import StorageError

COLUMN = "cluster"


def check(
    dataset: Dataset,
    tars: list[ScannedTar],
    splits: list[Split],
    notes: Notes,
    config: Config,
    engine: Engine,
) -> None:
    """Note clusters that two splits share, or the two configs of an unpaired set.

    Only tables with a row for each sample of their tar are read: another one is noted as it is.
    """
    beside = {dataset.beside(tar.tar.path, "metadata", ".parquet"): tar for tar in tars}
    todo = [(path, tar.scan.samples) for path, tar in beside.items() if path]
    done = engine.map(_clusters, todo, limits=Limits(config.time_limit, config.memory_limit))
    first: dict[str, ScannedTar] = {}
    for (path, _), clusters in sorted(done):
        tar = beside[path]
        for cluster in clusters:
            other = first.setdefault(cluster, tar)
            if other.split != tar.split:
                where = f"{splits[other.split].label} has members of it, in {other.tar.name}"
                notes.add("leak_cluster", dataset.where(path), f"cluster {cluster}: {where}")


def _clusters(table: tuple[Path, int], watch: Watch) -> list[str]:
    """The clusters in a table of so many rows, sorted; none of a table that is no such one."""
    clusters: list[str] = []
    for (path, rows), failure in watch.each([table]):
        try:
            if not failure and sum(tables.group_sizes(path)) == rows:
                clusters = _column(path)
        except StorageError:
            continue  # said where its rows are counted
    return clusters


def _column(path: Path) -> list[str]:
    """The values that are a cluster's name: somebody else's column may hold numbers."""
    seen: set[str] = set()
    with tables.opened(path) as file:
        if COLUMN not in file.schema_arrow.names:
            return []
        for group in range(file.num_row_groups):
            seen.update(map(str, pc.unique(file.read_row_group(group, [COLUMN])[COLUMN]).to_pylist()))
    return sorted(name for name in seen if HASH.fullmatch(name))
