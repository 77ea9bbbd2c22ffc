"""Dedup: find the pictures that are copies of each other, keep the best of each cluster.

And say what each other one is to it. Edges join all readable pictures whatever clean thinks of them; they are
cached and only added to. A cheap pass then decides among what survives clean, so that a changed threshold
never buries the wrong twin.
"""

from collections import Counter
from itertools import compress
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from anidata import recipe, storage
from anidata.catalog import tables
from anidata.catalog.catalog import Catalog
from anidata.engine import progress
from anidata.engine.job import Job
from anidata.imaging.reopen import Reader
from anidata.stages.dedup import binding, candidates, origins, placing, settling
from anidata.stages.dedup import verify as verifying
from anidata.stages.dedup.config import Config
from anidata.stages.dedup.decision import DECISION
from anidata.stages.dedup.field import PLACES, UNRELATED, Link, clusters
from anidata.stages.dedup.settling import Seen, Verify, settle
from anidata.stages.dedup.state import pictures, relation_version, state, versions
from anidata.stages.dedup.tournament import Pair
from anidata.stages.dedup.verify import CandidatePair
from anidata.stages.ingest import config as ingest
from anidata.workspace import Workspace

LINKS = """
SELECT a, b, mirrored, turned, coalesce(distance, 64)::INTEGER AS distance, scale, dx, dy,
    coalesce(agreeing, 0)::INTEGER AS agreeing, relation, better, because, holds
FROM _links WHERE mirrored <> 'places' OR relation IS DISTINCT FROM 'unrelated' ORDER BY a, b
"""
EVERYONE = "SELECT key FROM _seen WHERE error IS NULL ORDER BY key"


class Basis(NamedTuple):
    """What decisions build on, which to decide again leaves as it is."""

    joined: str  # the pictures that were joined when last it was done
    versions: list[int]  # by which they were joined and looked at


def run(job: Job) -> Counter[str]:
    """Join what is new with everything, look at the candidates, then decide, if anything has changed."""
    workspace, config = job.workspace, job.recipe.dedup
    counts = candidates.join(workspace, config.max_distance, flips=config.flips, engine=job.engine)
    counts += placing.join(workspace, config.places)
    for path in tables.files(workspace.folder("relations")):
        if tables.made_from(path).get("version") != relation_version():
            storage.delete(path)
    basis = Basis(pictures(workspace), versions())
    idle = _decide(workspace, config, basis, _verifier(job, counts), counts)
    for pattern in idle:
        progress.say(f"dedup.prefer: '{pattern}' matches no picture")
    return counts


def decide_again(job: Job) -> None:
    """Choose keepers anew after another stage's decision, by the settings of the last time."""
    made = tables.made_from(DECISION.path(job.workspace))
    if made:
        config = recipe.build(Config, made["settings"], "the last dedup")
        basis = Basis(made["joined"], made.get("versions", []))
        _decide(job.workspace, config, basis, lambda _: {}, Counter())


def _decide(
    workspace: Workspace, config: Config, basis: Basis, verify: Verify, counts: Counter[str]
) -> list[str]:
    """Ask for the relations that a decision takes, and decide; the patterns of `prefer` that are idle."""
    with Catalog(workspace) as views:
        near, links = _looked_at(views.select(LINKS), verify)
        linked, idle = origins.origins(views, links, config.prefer)
        everyone = views.select(EVERYONE).column("key")
    among, waiting = settle(clusters(linked, near), config.drop, verify)
    bound = binding.bind(among, near)
    counts["parts_apart"], counts["bridges"] = bound.apart, len(bound.bridges)
    decided = tables.table(bound.rows, DECISION.schema)
    others = everyone.filter(pc.invert(pc.is_in(everyone, decided.column("key"))))
    decided = pa.concat_tables([decided, _single(others)]).sort_by("key")
    made = {
        "state": state(workspace, config, basis.versions),
        "settings": recipe.document_of(config),
        "joined": basis.joined,
        "versions": basis.versions,
        "waiting": waiting,
        "bridges": [bridge._asdict() for bridge in bound.bridges[: binding.SHOWN]],
        "all_bridges": len(bound.bridges),
        "parts_apart": bound.apart,
    }
    tables.write(DECISION.path(workspace), decided, made)
    counts["decided"] = decided.num_rows
    return idle


def _looked_at(links: pa.Table, verify: Verify) -> tuple[list[Link], pa.Table]:
    """The links, those by places alone with their relation; without those that are nothing to each other.

    All of them decide on clusters, and most candidates by places are none. The table is of the same links, as
    they were.
    """
    rows: list[Link] = links.to_pylist()
    settling.look([row for row in rows if row["mirrored"] == PLACES and row["relation"] is None], verify)
    stays = [row["mirrored"] != PLACES or row["relation"] != UNRELATED for row in rows]
    return list(compress(rows, stays)), links.filter(pa.array(stays, pa.bool_()))


def _verifier(job: Job, counts: Counter[str]) -> Verify:
    """Relations by looking at both pictures; the limits under which they were opened hold again."""
    reading = job.recipe.ingest
    reader = Reader(job.workspace, reading.max_bytes, reading.max_pixels)

    def verify(links: list[Link]) -> dict[Pair, Seen]:
        todo = verifying.plan(reader, [_candidate(link) for link in links])
        given: dict[Pair, Seen] = {}
        total = sum(len(part.places) for part in todo)
        for _, rows in job.engine.map(
            verifying.verify_part, todo, limits=ingest.limits(reading), label="dedup", total=total
        ):
            given |= {
                (row["a"], row["b"]): Seen(row["relation"], row["better"], row["because"], row["holds"])
                for row in rows
            }
        counts.update(seen.relation for seen in given.values())
        return given

    return verify


def _candidate(link: Link) -> CandidatePair:
    """What it takes to look at a link's two pictures."""
    return CandidatePair(
        a=link["a"],
        b=link["b"],
        mirrored=link["mirrored"],
        turned=link["turned"],
        scale=link["scale"],
        dx=link["dx"],
        dy=link["dy"],
    )


def _single(keys: pa.ChunkedArray) -> pa.Table:
    """The rows of pictures that have no link."""
    keys, count = keys.combine_chunks(), len(keys)
    relation, distance = pa.repeat(pa.scalar("single"), count), pa.nulls(count, pa.int32())
    why = pa.nulls(count, pa.string())
    reasons = pa.ListArray.from_arrays(np.zeros(count + 1, np.int32), pa.array([], pa.string()))
    return pa.table([keys, keys, keys, relation, distance, why, reasons], schema=DECISION.schema)
