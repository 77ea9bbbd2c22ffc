"""Fetching: the URLs of a plan's parts are asked for, and what comes is kept in the workspace.

Later stages read it as references. Hosts are spread over lanes, and a part holds URLs of one lane. A worker
takes whole lanes, so that it alone asks their hosts: politeness needs no word between workers. A redirect
into another's lane waits until all lanes are done; then one worker follows these.

A part's responses stand in a journal until they are whole. Then its worker publishes it as blobs/part-*.tar,
in the order of the responses, and fetched/part-*.parquet, in the plan's order, which says it is done.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace

from anidata import fetch, storage
from anidata.catalog import tables
from anidata.fetch import Bounds
from anidata.stages.ingest import plan as ingest_plan
from anidata.stages.ingest import requests
from anidata.stages.ingest.fetch_part import FetchPart, fetched_rows
from anidata.stages.ingest.rows import Sighting
from anidata.workspace import Workspace


@dataclass(frozen=True)
class Task:
    """The share of one worker."""

    parts: tuple[FetchPart, ...]
    lanes: frozenset[int] | None  # whose hosts it asks; None: all
    config: fetch.Config
    bounds: Bounds


def run(
    workspace: Workspace,
    config: fetch.Config,
    bounds: Bounds,
    run_tasks: Callable[[list[Task]], Counter[str]],
    workers: int,
) -> Counter[str]:
    """Fetch what is planned and not there. run_tasks: maps `fetch_lanes` over tasks. Raises: MissingExtra."""
    todo = open_parts(workspace)
    _sweep(workspace)
    if not todo:
        return Counter()
    fetch.require()
    counts = run_tasks(_tasks(todo, config, bounds, workers))
    across_lanes = open_parts(workspace)
    if across_lanes:
        counts += run_tasks([Task(tuple(across_lanes), None, config, bounds)])
    return counts


def open_parts(workspace: Workspace) -> list[FetchPart]:
    """The parts whose URLs aren't all fetched."""
    return [
        part
        for generation in ingest_plan.generations(workspace)
        for part in _parts(workspace, generation)
        if not part.path("fetched", "parquet").exists()
    ]


def _parts(workspace: Workspace, generation: int) -> list[FetchPart]:
    """All parts of a generation that are fetched."""
    path = ingest_plan.plan_path(workspace, generation)
    lanes: dict[str, int] = tables.made_from(path).get("lanes", {})
    sizes = tables.group_sizes(path) if lanes else []
    return [
        FetchPart(workspace, generation, int(index), lane, sizes[int(index)]) for index, lane in lanes.items()
    ]


def _sweep(workspace: Workspace) -> None:
    """Delete the journals that a killed run left behind though what they hold is published."""
    for path in workspace.folder("fetched").glob("*.journal"):
        if path.with_suffix(".parquet").exists():
            storage.delete(path)


def answered(workspace: Workspace, generation: int, index: int, rows: list[Sighting]) -> list[Sighting]:
    """A part's sightings as they are once fetched.

    They refer into the workspace, or have the reason why there is nothing to refer to.
    """
    path = FetchPart(workspace, generation, index, 0, 0).path("fetched", "parquet")
    if not path.exists():
        return rows
    fetched = {row["record"]: row for row in fetched_rows(path)}
    return [requests.answered(row, fetched) for row in rows]


def _tasks(todo: list[FetchPart], config: fetch.Config, bounds: Bounds, workers: int) -> list[Task]:
    """The lanes, shared out so that all have about as many URLs."""
    shares = _shared_out(todo, workers)
    config = replace(config, connections=max(1, config.connections // len(shares)))
    tasks = []
    for lanes in shares:
        parts = tuple(part for part in todo if part.lane in lanes)
        tasks.append(Task(parts, frozenset(lanes), config, bounds))
    return tasks


def _shared_out(todo: list[FetchPart], workers: int) -> list[set[int]]:
    """Lanes for each worker: the fullest first, each to whom has least."""
    sizes = Counter[int]()
    for part in todo:
        sizes[part.lane] += part.size
    shares: list[set[int]] = [set() for _ in range(min(workers, len(sizes)))]
    for lane in sorted(sizes, key=lambda lane: (-sizes[lane], lane)):
        min(shares, key=lambda lanes: sum(sizes[lane] for lane in lanes)).add(lane)
    return shares
