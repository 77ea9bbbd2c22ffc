"""Dedup: find the pictures that are copies of each other, keep the best of each cluster, and say what each other one is to it.

Edges join all readable pictures whatever clean thinks of them; they are cached and only added to. A cheap pass then decides among
what survives clean, so that a changed threshold never buries the wrong twin.
"""

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from anidata import recipe
from anidata.catalog import catalog, schemas, tables
from anidata.duplicates import phash, relation, windows
from anidata.engine.engine import Engine
from anidata.imaging import decode
from anidata.imaging.reopen import Reader
from anidata.recipe import Count
from anidata.stages.dedup import candidates, keepers
from anidata.stages.dedup import verify as verifying
from anidata.stages.dedup.keepers import Cluster, DedupRow, Link
from anidata.stages.dedup.verify import CandidatePair
from anidata.stages.ingest import config as ingest
from anidata.workspace import Workspace

VERSION = 2
SPARING = (
    2  # rounds in which a cluster's pairs are asked about one after the other: mostly all are settled then
)
Pair = tuple[str, str]
Verify = Callable[
    [list[Link]], dict[Pair, str]
]  # links without a relation → by their keys the relations that could be told


@dataclass(frozen=True)
class Config:
    """Group near-duplicates and keep the best of each group."""

    max_distance: Count = 8  # bits of 64 in which a window of a picture and another picture may differ
    flips: bool = True  # match mirror images too
    drop: tuple[str, ...] = (
        "exact",
        "reencoded",
        "flip",
        "crop",
    )  # relations that are dropped; others are kept, in one split


def run(workspace: Workspace, config: Config, reading: ingest.Config, engine: Engine) -> Counter[str]:
    """Join what is new with everything, look at the candidates, then decide; nothing where nothing has changed.

    `reading`: the limits under which pictures were opened hold again.
    """
    if is_current(workspace, config):
        return Counter()
    counts = candidates.join(workspace, config.max_distance, flips=config.flips, engine=engine)
    for path in tables.files(workspace.folder("relations")):
        if tables.made_from(path).get("version") != _eye():
            path.unlink()
    return counts + _decide(
        workspace, config, _pictures(workspace), _verifier(workspace, reading, engine, counts)
    )


def decide_again(workspace: Workspace) -> None:
    """After another stage's decision: choose keepers anew, by the settings of the last time, if there was one."""
    made = tables.made_from(_path(workspace))
    if made:
        _decide(
            workspace, recipe.build(Config, made["settings"], "the last dedup"), made["joined"], lambda _: {}
        )


def is_current(workspace: Workspace, config: Config) -> bool:
    """Whether the decisions are of today, all pictures are joined, and no pair waits for a look."""
    made = tables.made_from(_path(workspace))
    return (
        bool(made)
        and made["state"] == state(workspace, config)
        and made["joined"] == _pictures(workspace)
        and not made["waiting"]
    )


def state(workspace: Workspace, config: Config) -> str:
    """Changes with anything that the decisions depend on."""
    folder = workspace.folder
    clean = folder("decisions") / "clean.parquet"
    seen = tables.state_of(folder("images"), folder("records"), folder("edges"), folder("relations"), clean)
    return recipe.fingerprint(
        VERSION, candidates.VERSION, *_eye(), phash.VERSION, windows.VERSION, config, seen
    )


def _pictures(workspace: Workspace) -> str:
    """Changes with the pictures that there are to join."""
    return tables.state_of(workspace.folder("images"), workspace.folder("records"))


def _eye() -> list[int]:
    """What a verdict on a pair depends on, besides the two pictures."""
    return [decode.VERSION, relation.VERSION]


def _decide(workspace: Workspace, config: Config, joined: str, verify: Verify) -> Counter[str]:
    """Ask for the verdicts that a decision takes, and decide. joined: the pictures that were joined when last it was done."""
    with catalog.Catalog(workspace) as views:
        links = views.select("SELECT a, b, mirrored, distance, relation FROM _links ORDER BY a, b")
        pictures = views.select(
            "SELECT key, width::BIGINT * height AS frame, width::BIGINT * height * content AS area, sharpness, format, bytes, pixels, "
            "len(coalesce(reasons, [])) AS broken FROM _seen JOIN _linked USING (key) LEFT JOIN _clean USING (key) WHERE error IS NULL ORDER BY key",
            _linked=tables.keys_of(links, "a", "b"),
        )
        everyone = views.select("SELECT key FROM _seen WHERE error IS NULL ORDER BY key").column("key")
    among, waiting = settle(keepers.clusters(pictures.to_pylist(), links.to_pylist()), config.drop, verify)
    linked = tables.table(among, schemas.DEDUP)
    decided = pa.concat_tables(
        [linked, _single(everyone.filter(pc.invert(pc.is_in(everyone, linked.column("key")))))]
    ).sort_by("key")
    made = {
        "state": state(workspace, config),
        "settings": recipe.document_of(config),
        "joined": joined,
        "waiting": waiting,
    }
    tables.write(_path(workspace), decided, made)
    return Counter(decided=decided.num_rows)


def settle(clusters: Iterable[Cluster], drop: Iterable[str], verify: Verify) -> tuple[list[DedupRow], int]:
    """A row for each picture, and on how many pairs a verdict was wanted and not to be had.

    Round by round: decide on every cluster, and have the verdicts that are wanting.
    """
    rows: list[DedupRow] = []
    waiting, relations, rounds = 0, frozenset(drop), 0
    undecided = list(clusters)
    while undecided:
        found = [
            (cluster, keepers.decide(cluster, relations, eager=rounds >= SPARING)) for cluster in undecided
        ]
        rounds += 1
        wanted = [cluster.links[a][b] for cluster, decision in found for a, b in sorted(decision.wanted)]
        given = verify(wanted) if wanted else {}
        undecided = []
        for cluster, decision in found:
            if any(pair in given for pair in decision.wanted):
                undecided.append(cluster)
            else:
                rows += decision.rows
                waiting += len(decision.wanted)
        for link in wanted:
            link["relation"] = given.get((link["a"], link["b"]))
    return rows, waiting


def _verifier(workspace: Workspace, reading: ingest.Config, engine: Engine, counts: Counter[str]) -> Verify:
    """Verdicts by looking at both pictures."""
    reader = Reader(workspace, reading.max_bytes, reading.max_pixels)

    def verify(links: list[Link]) -> dict[Pair, str]:
        todo = verifying.plan(
            reader,
            [CandidatePair(a=link["a"], b=link["b"], mirrored=link["mirrored"]) for link in links],
        )
        given: dict[Pair, str] = {}
        total = sum(len(part.places) for part in todo)
        for _, rows in engine.map(
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
    return pa.table([keys, keys, keys, relation, distance, reasons], schema=schemas.DEDUP)


def _path(workspace: Workspace) -> Path:
    return workspace.folder("decisions") / "dedup.parquet"
