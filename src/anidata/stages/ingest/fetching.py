"""Fetching: the URLs of a plan's parts are asked for, and what comes is kept in the workspace, for later stages to read as references.

Hosts are spread over lanes, and a part holds URLs of one lane. A worker takes whole lanes, so that it alone asks their hosts: politeness
needs no word between workers. A redirect into another's lane waits until all lanes are done; then one worker follows these.

A part's answers stand in a journal until they are whole. Then its worker publishes it as blobs/part-*.tar, in the order of the answers, and
fetched/part-*.parquet, in the plan's order, which says it is done.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from anidata import fetch, storage
from anidata.catalog import schemas, tables
from anidata.engine.engine import Watch
from anidata.fetch import Bounds
from anidata.fetch.urls import lane_of
from anidata.stages.ingest import plan as ingest_plan
from anidata.stages.ingest import requests
from anidata.stages.ingest.journal import Entry, Journal
from anidata.workspace import Workspace

if TYPE_CHECKING:
    from anidata.fetch.client import Fetcher

WINDOW = 64  # parts that are asked for at once, as many as there are lanes, or slow hosts leave places empty; their wishes wait in memory
TICK = 0.2  # seconds between two words on how far it has come
REFUSALS = ("robots", "noai", "tdm_reserved", "content_usage")
GONE = ("http_404", "http_410", "http_451", *REFUSALS)  # asked for again: these bury what was known

Row = dict[str, Any]


@dataclass(frozen=True)
class Part:
    """A part of URLs."""

    workspace: Workspace
    generation: int
    index: int
    lane: int
    size: int

    def path(self, folder: str, ending: str) -> Path:
        return self.workspace.folder(folder) / f"part-{self.generation:05d}-{self.index:05d}.{ending}"


@dataclass(frozen=True)
class Task:
    """What one worker fetches."""

    parts: tuple[Part, ...]
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
    rest = open_parts(workspace)
    return counts + run_tasks([Task(tuple(rest), None, config, bounds)]) if rest else counts


def open_parts(workspace: Workspace) -> list[Part]:
    """The parts whose URLs aren't all fetched."""
    found = []
    for generation in ingest_plan.generations(workspace):
        plan = ingest_plan.plan_path(workspace, generation)
        lanes = tables.made_from(plan).get("lanes", {})
        sizes = tables.group_sizes(plan) if lanes else []
        parts = (
            Part(workspace, generation, int(index), lane, sizes[int(index)]) for index, lane in lanes.items()
        )
        found += [part for part in parts if not part.path("fetched", "parquet").exists()]
    return found


def _sweep(workspace: Workspace) -> None:
    """Delete the journals that a killed run left behind though what they hold is published."""
    for path in workspace.folder("fetched").glob("*.journal"):
        if path.with_suffix(".parquet").exists():
            storage.delete(path)


def answered(workspace: Workspace, generation: int, index: int, rows: list[Row]) -> list[Row]:
    """A part's sightings as they are once fetched: with references into the workspace, or the reason why there are none."""
    path = Part(workspace, generation, index, 0, 0).path("fetched", "parquet")
    if not path.exists():
        return rows
    found = {row["record"]: row for row in tables.rows(path, schemas.FETCHED)}
    return [requests.answered(row, found) for row in rows]


def fetch_lanes(task: Task, watch: Watch) -> Counter[str]:
    """Fetch all parts of a task, in a loop of its own."""
    work = _Work(task)
    for _ in watch.each(_ticks(work)):  # nothing is in hand meanwhile: a worker that dies is no URL's fault
        pass
    return work.counts


def _tasks(todo: list[Part], config: fetch.Config, bounds: Bounds, workers: int) -> list[Task]:
    """The lanes, shared out so that all have about as many URLs: the fullest first, each to whom has least."""
    sizes = Counter[int]()
    for part in todo:
        sizes[part.lane] += part.size
    shares: list[set[int]] = [set() for _ in range(min(workers, len(sizes)))]
    for lane in sorted(sizes, key=lambda lane: (-sizes[lane], lane)):
        min(shares, key=lambda lanes: sum(sizes[lane] for lane in lanes)).add(lane)
    connections = max(1, config.connections // len(shares))
    found = []
    for lanes in shares:
        parts = tuple(part for part in todo if part.lane in lanes)
        found.append(Task(parts, frozenset(lanes), replace(config, connections=connections), bounds))
    return found


class _Work:
    """A task under way."""

    def __init__(self, task: Task) -> None:
        self.task, self.done, self.counts = task, 0, Counter[str]()
        self._window = asyncio.Semaphore(WINDOW)
        self._earlier = _earlier(task.parts)

    async def all(self) -> None:
        from anidata.fetch.client import Fetcher  # noqa: PLC0415  aiohttp: for those alone who fetch

        task = self.task
        folder = task.parts[0].workspace.folder("tmp")
        folder.mkdir(parents=True, exist_ok=True)
        async with Fetcher(task.config, task.bounds, folder, self._is_mine) as fetcher:
            under_way: set[asyncio.Task[None]] = set()
            for part in task.parts:
                await self._window.acquire()
                under_way = _checked(under_way)
                under_way.add(asyncio.create_task(self._part(fetcher, part)))
            await asyncio.gather(*under_way)

    def _is_mine(self, url: str) -> bool:
        return self.task.lanes is None or lane_of(url) in self.task.lanes

    async def _part(self, fetcher: "Fetcher", part: Part) -> None:
        try:
            rows = requests.asked(
                tables.read_group(ingest_plan.plan_path(part.workspace, part.generation), part.index)
            )
            with Journal(part.path("fetched", "journal"), part.path("blobs", "tar")) as journal:
                wishes = [
                    wish for row in rows if (wish := self._wish(row, journal.entries.get(row["record"])))
                ]
                self.done += part.size - sum(not requests.is_line(wish.record) for wish in wishes)
                await asyncio.gather(*(self._one(fetcher, wish, journal) for wish in wishes))
                if all(not journal.entries[row["record"]].row["elsewhere"] for row in rows):
                    await asyncio.to_thread(_publish, part, rows, journal, self._earlier)
        finally:
            self._window.release()

    async def _one(self, fetcher: "Fetcher", wish: fetch.Request, journal: Journal) -> None:
        answer = await fetcher.fetch(wish)
        row = {name: value for name, value in vars(answer).items() if name != "body"}
        if answer.body is None:
            journal.add(row, None, 0)
        else:
            with answer.body as body:
                journal.add(row, body, answer.size)
        self.done += not requests.is_line(wish.record)
        if not answer.elsewhere:
            self.counts[
                "refused" if answer.error in REFUSALS else "failed" if answer.error else "fetched"
            ] += 1

    def _wish(self, row: Row, entry: Entry | None) -> fetch.Request | None:
        """What is to be asked for a sighting; None: nothing any more."""
        known = self._earlier.get(row["record"]) or {}
        known = known if known.get("at_uri") else {}
        wish = fetch.Request(
            record=row["record"],
            url=row["at_uri"],
            etag=known.get("etag"),
            modified=known.get("modified"),
            referer=row["referer"],
        )
        if entry is None:
            return wish
        said = entry.row
        return (
            replace(wish, at=said["final_url"], redirects=said["redirects"])
            if said["elsewhere"] and self.task.lanes is None
            else None
        )


def _checked(under_way: set["asyncio.Task[None]"]) -> set["asyncio.Task[None]"]:
    """Those that go on. Raises what one of the others has raised."""
    for task in under_way:
        if task.done():
            task.result()
    return {task for task in under_way if not task.done()}


def _ticks(work: _Work) -> Iterator[None]:
    """Run the work to its end; yield once for each URL that is done."""
    loop = asyncio.new_event_loop()
    told = 0
    try:
        task = loop.create_task(work.all())
        while not task.done():
            loop.run_until_complete(asyncio.wait({task}, timeout=TICK))
            yield from [None] * (work.done - told)
            told = work.done
        task.result()
    finally:
        _close(loop)


def _close(loop: asyncio.AbstractEventLoop) -> None:
    """End what is left in a loop."""
    left = asyncio.all_tasks(loop)
    for task in left:
        task.cancel()
    if left:
        loop.run_until_complete(asyncio.wait(left))
    loop.run_until_complete(loop.shutdown_default_executor())
    loop.close()


def _publish(part: Part, rows: list[Row], journal: Journal, earlier: dict[str, Row]) -> None:
    """The journal becomes the tar of what came; then the table."""
    entries = [journal.entries[row["record"]] for row in rows]
    found = [
        _fetched(row, entry, earlier.get(row["record"])) for row, entry in zip(rows, entries, strict=True)
    ]
    for row, entry in zip(found, entries, strict=True):
        if entry.size:
            row.update(
                at_uri=f"blobs/{part.path('blobs', 'tar').name}", at_offset=entry.offset, at_size=entry.size
            )
    journal.finish()
    tables.write(part.path("fetched", "parquet"), tables.table(found, schemas.FETCHED))


def _fetched(row: Row, entry: Entry, earlier: Row | None) -> Row:
    """An answer as a row. What was known stays where nothing has changed, and where the host can't be asked just now."""
    said = entry.row | {"generation": row["generation"], "asked": round(entry.row["asked"] * 1e6)}
    place = {name: earlier[name] if earlier else None for name in ("at_uri", "at_offset", "at_size")}
    if earlier is None or place["at_uri"] is None or entry.size:
        return said
    kept = {name: earlier[name] for name in ("etag", "modified") if not said[name]}
    if said["error"] is None:
        return said | place | kept
    if said["error"] in GONE:
        return said
    return said | place | kept | {"error": None, "message": f"can't be asked again: {said['message']}"}


def _earlier(parts: tuple[Part, ...]) -> dict[str, Row]:
    """What earlier generations have fetched of what these parts ask for, the latest of each URL."""
    again = [part for part in parts if part.generation]
    if not again:
        return {}
    plan = {
        (p.generation, p.index): tables.read_group(ingest_plan.plan_path(p.workspace, p.generation), p.index)
        for p in again
    }
    wanted = {row["record"]: row["at_uri"] for rows in plan.values() for row in requests.asked(rows)}
    records = pa.array(sorted(wanted), pa.string())
    found: dict[str, Row] = {}
    for path in tables.files(again[0].workspace.folder("fetched")):
        table = tables.read(path, schemas.FETCHED)
        rows = table.filter(pc.is_in(table.column("record"), records)).to_pylist()
        found.update((row["record"], row) for row in rows if row["url"] == wanted[row["record"]])
    return found
