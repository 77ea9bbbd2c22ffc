"""The shard of each sample: it follows the sample's key, among as many as its split has."""

import re
from collections.abc import Iterator
from string import Template

import pyarrow as pa
import pyarrow.compute as pc

from anidata import storage
from anidata.catalog import schemas, tables
from anidata.catalog.catalog import Catalog
from anidata.catalog.damage import read_json
from anidata.dataset.description import COLOR
from anidata.stages.extract_lineart.state import fingerprints
from anidata.stages.shard import configs, packing, samples
from anidata.stages.shard.markers import split_of
from anidata.stages.shard.packing import ShardPart
from anidata.stages.shard.plan import Plan

SHARD = re.compile(r"(?P<group>.+)-\d{5}-of-(?P<count>\d{5})\.tar")
Keys = dict[str, pa.Array]  # shard → the keys of its samples, both in their order

SIZES = """
SELECT name, sum(size)::BIGINT AS size, count(DISTINCT key) AS samples FROM _pairs JOIN ($groups) USING (key)
WHERE $has GROUP BY name ORDER BY name
"""
# of an unpaired set: whether a stored file goes into its group
HAS = f"(style = '{schemas.COLOR}') = starts_with(name, '{COLOR}-')"
# the keys by shard: of the kept pictures that have a split, and so a group, and files that are up to date
CHOSEN = """
SELECT key, shard FROM (
    SELECT key, printf('%s-%05d-of-%05d', name, ('0x' || key[9:24])::UBIGINT % n.count, n.count) AS shard
    FROM ($groups) JOIN (VALUES $counts) n(name, count) USING (name)
)
WHERE key IN (SELECT key FROM _decided WHERE keep) AND key IN (SELECT key FROM _pairs WHERE $up_to_date)
ORDER BY shard, key
"""
# all that is known of the pictures in `_slice`
SAMPLES = """
SELECT $columns, shard
FROM _decided JOIN _slice USING (key) JOIN (FROM _merged SEMI JOIN _slice USING (key)) USING (key)
ORDER BY shard, key
"""
# where the files of their pairs lie
FILES = """
SELECT $columns, shard FROM _pairs JOIN (SELECT key, shard FROM _slice) USING (key) WHERE $up_to_date
ORDER BY shard, key, style, tar, "offset"
"""


def shard_counts(plan: Plan, *, reshard: bool) -> dict[str, int]:
    """Shards of each group: chosen once, by the bytes there are, and kept."""
    path = plan.workspace.folder("plan") / "shards.json"
    kept = read_json(path, dict[str, int]) if path.exists() and not reshard else {}
    with Catalog(plan.workspace) as views:
        has = HAS if plan.config.unpaired else "true"
        sql = Template(SIZES).substitute(groups=configs.groups(plan.config), has=has)
        sizes = views.select(sql).to_pylist()
        if not kept and not reshard:
            kept = _counts_of_last_build(views)
    counts = {}
    for row in sizes:
        by_size = -(-row["size"] // plan.config.shard_bytes)
        by_samples = -(-row["samples"] // plan.config.shard_samples)
        counts[row["name"]] = max(by_size, by_samples)
    counts |= kept
    if counts != kept or not path.exists():
        storage.publish_json(path, counts)
    return counts


def _counts_of_last_build(views: Catalog) -> dict[str, int]:
    """Shards of each group, by the names of the shards in the table of samples."""
    shards = views.select("SELECT DISTINCT shard FROM _samples").column("shard").to_pylist()
    named = (SHARD.fullmatch(shard) for shard in shards)
    return {match["group"]: int(match["count"]) for match in named if match}


def choose(plan: Plan, counts: dict[str, int]) -> Keys:
    """The keys of each shard's samples: the kept pictures that have a split and files that are up to date."""
    pairs = ", ".join(f"('{group}', {count})" for group, count in counts.items()) or "('', 1)"
    chosen = configs.groups(plan.config)
    sql = Template(CHOSEN).substitute(counts=pairs, groups=chosen, up_to_date=_is_up_to_date(plan))
    with Catalog(plan.workspace) as views:
        return {shard: rows.column("key").combine_chunks() for shard, rows in views.grouped(sql, "shard")}


def shard_parts(plan: Plan, keys: Keys) -> Iterator[ShardPart]:
    """Yield every shard, one at a time: its tables may be large, and all together even more."""
    stored = ", ".join(f'"{name}"' for name in packing.STORED)
    files_sql = Template(FILES).substitute(columns=stored, up_to_date=_is_up_to_date(plan))
    samples_sql = Template(SAMPLES).substitute(columns=", ".join(samples.known()))
    with Catalog(plan.workspace) as views:
        for few in _sliced(keys):
            files = views.select(files_sql, _slice=samples_table(few))
            for tar, table in views.grouped(samples_sql, "shard"):
                yield _part(plan, tar, table, files.filter(pc.equal(files.column("shard"), tar)))


def _part(plan: Plan, tar: str, table: pa.Table, files: pa.Table) -> ShardPart:
    return ShardPart(
        workspace=plan.workspace,
        dataset=plan.dataset,
        markers=plan.markers,
        name=tar.removesuffix(".tar"),
        table=table,
        files=files,
        styles=plan.lineart.styles,
        polarity=plan.lineart.finish.polarity,
    )


def _sliced(keys: Keys) -> Iterator[Keys]:
    """Yield shards whose samples together are about a slice."""
    size, few = tables.slice_of(sum(map(len, keys.values()))), Keys()
    for name, shard_keys in keys.items():
        few[name] = shard_keys
        if sum(map(len, few.values())) >= size:
            yield few
            few = {}
    if few:
        yield few


def _is_up_to_date(plan: Plan) -> str:
    """SQL: whether a stored file of a pair is up to date."""
    conditions = [
        f"(style = '{style}' AND starts_with(fingerprint, '{print_}'))"
        for style, print_ in fingerprints(plan.lineart).items()
    ]
    return f"({' OR '.join(conditions)})"


def samples_table(keys: Keys) -> pa.Table:
    """Key, split and shard of each sample."""
    pieces = [_shard_table(shard, shard_keys) for shard, shard_keys in keys.items()]
    return pa.concat_tables([schemas.SAMPLES.empty_table(), *pieces])


def _shard_table(shard: str, keys: pa.Array) -> pa.Table:
    split, tar = (pa.repeat(pa.scalar(word), len(keys)) for word in (split_of(shard), f"{shard}.tar"))
    return pa.table([keys, split, tar], schemas.SAMPLES)
