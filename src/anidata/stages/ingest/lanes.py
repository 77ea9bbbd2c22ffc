"""The lanes of one worker: all their parts are fetched in one loop, each into its journal."""

import asyncio
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, cast

from anidata import fetch
from anidata.engine.engine import Watch
from anidata.fetch.urls import lane_of
from anidata.stages.ingest import requests
from anidata.stages.ingest.fetch_part import REFUSALS, FetchPart, latest, publish
from anidata.stages.ingest.fetching import Task
from anidata.stages.ingest.journal import Entry, Journal, ResponseRow
from anidata.stages.ingest.requests import AskedUrl

if TYPE_CHECKING:
    from anidata.fetch.client import Fetcher

# parts that are asked for at once, as many as there are lanes, or slow hosts leave slots empty; their
# requests wait in memory
WINDOW = 64
TICK = 0.2  # seconds between two words on how far it has come


def fetch_lanes(task: Task, watch: Watch) -> Counter[str]:
    """Fetch all parts of a task, in a loop of its own."""
    work = _LaneWork(task)
    for _ in watch.each(_ticks(work)):  # nothing is in hand meanwhile: a worker that dies is no URL's fault
        pass
    return work.counts


class _LaneWork:
    """A task under way."""

    def __init__(self, task: Task) -> None:
        self.task, self.done, self.counts = task, 0, Counter[str]()
        self._window = asyncio.Semaphore(WINDOW)
        self._earlier = latest(task.parts)

    async def run(self) -> None:
        from anidata.fetch.client import Fetcher  # noqa: PLC0415  aiohttp: for those alone who fetch

        task = self.task
        folder = task.parts[0].workspace.folder("tmp")
        folder.mkdir(parents=True, exist_ok=True)
        async with Fetcher(task.config, task.bounds, folder, self._is_mine) as fetcher:
            under_way: set[asyncio.Task[None]] = set()
            for part in task.parts:
                await self._window.acquire()
                under_way = _unfinished(under_way)
                under_way.add(asyncio.create_task(self._part(fetcher, part)))
            await asyncio.gather(*under_way)

    def _is_mine(self, url: str) -> bool:
        return self.task.lanes is None or lane_of(url) in self.task.lanes

    async def _part(self, fetcher: "Fetcher", part: FetchPart) -> None:
        """Fetch a part, and publish it unless redirects lead elsewhere."""
        try:
            asked = requests.asked(part.sightings())
            with Journal(part.path("fetched", "journal"), part.path("blobs", "tar")) as journal:
                await self._all(fetcher, part, asked, journal)
                entries = [journal.entries[url["record"]] for url in asked]
                if not any(entry.row["elsewhere"] for entry in entries):
                    await asyncio.to_thread(publish, part, asked, journal, self._earlier)
        finally:
            self._window.release()

    async def _all(
        self, fetcher: "Fetcher", part: FetchPart, asked: list[AskedUrl], journal: Journal
    ) -> None:
        """Ask for all URLs of a part of which no final response is in its journal."""
        pending = [self._request(url, journal.entries.get(url["record"])) for url in asked]
        remaining = [request for request in pending if request is not None]
        self.done += part.size - sum(not requests.is_line(request.record) for request in remaining)
        await asyncio.gather(*(self._one(fetcher, request, journal) for request in remaining))

    async def _one(self, fetcher: "Fetcher", request: fetch.Request, journal: Journal) -> None:
        response = await fetcher.fetch(request)
        row = _row_of(response)
        if response.body is None:
            journal.add(row, None, 0)
        else:
            with response.body as body:
                journal.add(row, body, response.size)
        self.done += not requests.is_line(request.record)
        if not response.elsewhere:
            self.counts[_outcome(response)] += 1

    def _request(self, url: AskedUrl, entry: Entry | None) -> fetch.Request | None:
        """The request for a URL; None: it has been answered."""
        if entry is not None and not (entry.row["elsewhere"] and self.task.lanes is None):
            return None
        request = self._first_request(url)
        if entry is None:
            return request
        if not entry.row["redirects"]:
            return request
        return replace(request, at=entry.row["final_url"], redirects=entry.row["redirects"])

    def _first_request(self, url: AskedUrl) -> fetch.Request:
        """The request for a URL that no redirect has been followed from."""
        earlier = self._earlier.get(url["record"])
        has_bytes = earlier is not None and bool(earlier["at_uri"])
        return fetch.Request(
            record=url["record"],
            url=url["at_uri"],
            etag=earlier["etag"] if earlier and has_bytes else None,
            modified=earlier["modified"] if earlier and has_bytes else None,
            referer=url["referer"],
        )


def _row_of(response: fetch.Response) -> ResponseRow:
    """All of a response but its body, as it may be written down.

    Where a redirect leads to a URL with secrets, the first is asked for again: what is signed expires.
    """
    row = requests.shown({name: value for name, value in vars(response).items() if name != "body"})
    if response.elsewhere and row["final_url"] != response.final_url:
        row |= {"final_url": row["url"], "redirects": 0}
    return cast("ResponseRow", row)


def _outcome(response: fetch.Response) -> str:
    """The name by which a final response is counted."""
    if response.error in REFUSALS:
        return "refused"
    return "failed" if response.error else "fetched"


def _unfinished(under_way: set["asyncio.Task[None]"]) -> set["asyncio.Task[None]"]:
    """Those that go on. Raises: what one of the others has raised."""
    for task in under_way:
        if task.done():
            task.result()
    return {task for task in under_way if not task.done()}


def _ticks(work: _LaneWork) -> Iterator[None]:
    """Run the work to its end; yield once for each URL that is done."""
    loop = asyncio.new_event_loop()
    ticks = 0
    try:
        task = loop.create_task(work.run())
        while not task.done():
            loop.run_until_complete(asyncio.wait({task}, timeout=TICK))
            yield from [None] * (work.done - ticks)
            ticks = work.done
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
