"""The split of each sample: it follows the sample's cluster, and is written once."""

from pathlib import Path
from string import Template

import pyarrow.compute as pc

from anidata.catalog import schemas, tables
from anidata.catalog.catalog import Catalog
from anidata.stages.shard.config import Config
from anidata.workspace import Workspace

# `moved`: the key had another split than the cluster that it has come into. The 52 bits that a cluster draws
# are exact in a double
SPLITS = """
WITH earlier AS (
    SELECT cluster, arg_min(split, (since, key)) AS split FROM _splits JOIN _related USING (key)
    GROUP BY cluster
),
clusters AS (SELECT key, coalesce(cluster, key) AS cluster FROM _decided WHERE keep),
drawn AS (
    SELECT key, cluster, ('0x' || sha256('$seed:' || c.cluster)[1:13])::UBIGINT / $range AS u FROM clusters c
)
SELECT coalesce(d.key, o.key) AS key, coalesce(e.split, o.split, CASE $bounds ELSE '$last' END) AS split,
    coalesce(o.since, (SELECT coalesce(max(since) + 1, 0) FROM _splits)) AS since,
    coalesce(e.split <> o.split, false) AS moved
FROM drawn d FULL JOIN _splits o ON d.key = o.key LEFT JOIN earlier e ON d.cluster = e.cluster ORDER BY key
"""


def assign_splits(workspace: Workspace, config: Config) -> int:
    """Give each sample its cluster's split.

    It is the earliest one written for a member, or else one drawn by the cluster's name.
    Returns how many keys had to follow a cluster that has merged with an earlier one.
    """
    with Catalog(workspace) as views:
        rows = views.select(_splits_sql(config))
    moved = pc.sum(rows.column("moved")).as_py() or 0
    rows = rows.drop_columns("moved").cast(schemas.SPLITS)
    path = _splits_path(workspace)
    if not rows.equals(tables.read(path, schemas.SPLITS)):
        tables.write(path, rows)
    return int(moved)


def _splits_sql(config: Config) -> str:
    bounds, upper = [], 0.0
    for name, share in config.splits.items():
        upper += share
        bounds.append(f"WHEN u < {upper!r} THEN '{name}'")
    last = [name for name, share in config.splits.items() if share][-1]
    return Template(SPLITS).substitute(seed=config.seed, range=2**52, bounds=" ".join(bounds), last=last)


def _splits_path(workspace: Workspace) -> Path:
    return workspace.folder("decisions") / "splits.parquet"
