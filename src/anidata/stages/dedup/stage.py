"""Dedup: find the pictures that are copies of each other, keep the best of each cluster.

And say what each other one is to it. Edges join all readable pictures whatever clean thinks of them; they are
cached and only added to. A cheap pass then decides among what survives clean, so that a changed threshold
never buries the wrong twin.
"""

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from anidata import recipe
from anidata.catalog import decisions, tables
from anidata.catalog.catalog import Catalog
from anidata.duplicates import phash, relation, windows
from anidata.engine.job import Job
from anidata.imaging import decode
from anidata.imaging.reopen import Reader
from anidata.recipe import Count
from anidata.stages.dedup import candidates, keepers
from anidata.stages.dedup import verify as verifying
from anidata.stages.dedup.decision import DECISION
from anidata.stages.dedup.keepers import Cluster, DedupRow, Link
from anidata.stages.dedup.verify import CandidatePair
from anidata.stages.ingest import config as ingest
from anidata.workspace import Workspace

VERSION = 2
# rounds in which a cluster's pairs are asked about one after the other: mostly all are decided then
SPARING = 2
Pair = tuple[str, str]
# links without a relation → by their keys the relations that could be told
Verify = Callable[[list[Link]], dict[Pair, str]]


LINKS = "SELECT a, b, mirrored, distance, relation FROM _links ORDER BY a, b"
PICTURES = """
SELECT key, width::BIGINT * height AS frame, width::BIGINT * height * content AS area, sharpness, format,
    bytes, pixels, len(coalesce(reasons, [])) AS broken
FROM _seen JOIN _linked USING (key) LEFT JOIN _rejected_before_dedup USING (key)
WHERE error IS NULL ORDER BY key
"""
EVERYONE = "SELECT key FROM _seen WHERE error IS NULL ORDER BY key"


@dataclass(frozen=True)
class Config:
    """Group near-duplicates and keep the best of each group."""

    max_distance: Count = 8  # bits of 64 in which a window of a picture and another picture may differ
    flips: bool = True  # match mirror images too
    # relations that are dropped; others are kept, in one split
    drop: tuple[str, ...] = ("exact", "reencoded", "flip", "crop")


def run(job: Job) -> Counter[str]:
    """Join what is new with everything, look at the candidates, then decide, if anything has changed."""
    if is_up_to_date(job):
        return Counter()
    workspace, config = job.workspace, job.recipe.dedup
    counts = candidates.join(workspace, config.max_distance, flips=config.flips, engine=job.engine)
    for path in tables.files(workspace.folder("relations")):
        if tables.made_from(path).get("version") != _relation_version():
            path.unlink()
    return counts + _decide(workspace, config, _pictures(workspace), _verifier(job, counts))


def decide_again(job: Job) -> None:
    """Choose keepers anew after another stage's decision, by the settings of the last time."""
    made = tables.made_from(DECISION.path(job.workspace))
    if made:
        config = recipe.build(Config, made["settings"], "the last dedup")
        _decide(job.workspace, config, made["joined"], lambda _: {})


def is_up_to_date(job: Job) -> bool:
    """Whether the decisions are up to date, all pictures are joined, and no pair waits for a look."""
    made = tables.made_from(DECISION.path(job.workspace))
    if not made or made.get("state") != state(job.workspace, job.recipe.dedup):
        return False
    return bool(made["joined"] == _pictures(job.workspace) and not made["waiting"])


def state(workspace: Workspace, config: Config) -> str:
    """Changes with anything that the decisions depend on."""
    folders = [workspace.folder(name) for name in ("images", "records", "edges", "relations")]
    seen = tables.state_of(*folders, *decisions.paths(workspace, before="dedup"))
    versions = [VERSION, candidates.VERSION, *_relation_version(), phash.VERSION, windows.VERSION]
    return recipe.fingerprint(*versions, config, seen)


def _pictures(workspace: Workspace) -> str:
    """Changes with the pictures that there are to join."""
    return tables.state_of(workspace.folder("images"), workspace.folder("records"))


def _relation_version() -> list[int]:
    """All that a pair's relation depends on, besides the two pictures."""
    return [decode.VERSION, relation.VERSION]


def _decide(workspace: Workspace, config: Config, joined: str, verify: Verify) -> Counter[str]:
    """Ask for the relations that a decision takes, and decide.

    joined: the pictures that were joined when last it was done.
    """
    with Catalog(workspace) as views:
        links = views.select(LINKS)
        pictures = views.select(PICTURES, _linked=tables.keys_of(links, "a", "b"))
        everyone = views.select(EVERYONE).column("key")
    among, waiting = settle(keepers.clusters(pictures.to_pylist(), links.to_pylist()), config.drop, verify)
    linked = tables.table(among, DECISION.schema)
    others = everyone.filter(pc.invert(pc.is_in(everyone, linked.column("key"))))
    decided = pa.concat_tables([linked, _single(others)]).sort_by("key")
    made = {
        "state": state(workspace, config),
        "settings": recipe.document_of(config),
        "joined": joined,
        "waiting": waiting,
    }
    tables.write(DECISION.path(workspace), decided, made)
    return Counter(decided=decided.num_rows)


def settle(clusters: Iterable[Cluster], drop: Iterable[str], verify: Verify) -> tuple[list[DedupRow], int]:
    """A row for each picture, and of how many pairs a relation was wanted and not to be had.

    Round by round: decide on every cluster, and have the relations that are wanting.
    """
    rows: list[DedupRow] = []
    waiting, relations, rounds = 0, frozenset(drop), 0
    undecided = list(clusters)
    while undecided:
        eager = rounds >= SPARING
        decisions_made = [(cluster, keepers.decide(cluster, relations, eager=eager)) for cluster in undecided]
        rounds += 1
        wanted = [
            cluster.links[a][b] for cluster, decision in decisions_made for a, b in sorted(decision.wanted)
        ]
        given = verify(wanted) if wanted else {}
        undecided = []
        for cluster, decision in decisions_made:
            if any(pair in given for pair in decision.wanted):
                undecided.append(cluster)
            else:
                rows += decision.rows
                waiting += len(decision.wanted)
        for link in wanted:
            link["relation"] = given.get((link["a"], link["b"]))
    return rows, waiting


def _verifier(job: Job, counts: Counter[str]) -> Verify:
    """Relations by looking at both pictures; the limits under which they were opened hold again."""
    reading = job.recipe.ingest
    reader = Reader(job.workspace, reading.max_bytes, reading.max_pixels)

    def verify(links: list[Link]) -> dict[Pair, str]:
        todo = verifying.plan(
            reader,
            [CandidatePair(a=link["a"], b=link["b"], mirrored=link["mirrored"]) for link in links],
        )
        given: dict[Pair, str] = {}
        total = sum(len(part.places) for part in todo)
        for _, rows in job.engine.map(
            verifying.verify_part, todo, limits=ingest.limits(reading), label="dedup", total=total
        ):
            given |= {(row["a"], row["b"]): row["relation"] for row in rows}
        counts.update(given.values())
        return given

    return verify


def _single(keys: pa.ChunkedArray) -> pa.Table:
    """The rows of pictures that have no link."""
    keys, count = keys.combine_chunks(), len(keys)
    relation, distance = pa.repeat(pa.scalar("single"), count), pa.nulls(count, pa.int32())
    reasons = pa.ListArray.from_arrays(np.zeros(count + 1, np.int32), pa.array([], pa.string()))
    return pa.table([keys, keys, keys, relation, distance, reasons], schema=DECISION.schema)
