"""Sightings planned again: those that failed by what may pass, or that a user asks for again."""

from collections import Counter
from collections.abc import Iterator
from typing import cast

import pyarrow as pa
import pyarrow.compute as pc

from anidata.catalog import schemas, tables
from anidata.fetch import PASSING_STATUSES
from anidata.stages.ingest import private, requests
from anidata.stages.ingest.plan import generations, read_part, write_plan
from anidata.stages.ingest.rows import FetchedBody, Sighting
from anidata.workspace import Workspace

# codes of what may pass: load, a host that is down or asked to be left alone; the next run asks again
PASSING = (
    "slow",
    "stalled",
    "unreachable",
    "refused",
    "reset",
    "cut_short",
    "unresolved",
    "given_up",
    *(f"http_{status}" for status in PASSING_STATUSES),
)
PASSING_TRIES = 3  # runs that ask for such a URL; then it is final until --retry
BODY_COLUMNS = ["record", "error", "at_uri", "at_offset", "at_size"]


def add_failed(workspace: Workspace, code: str, part_size: int) -> int:
    """Write down the sightings of which a URL failed, as a new generation; returns how many there are.

    code: with which it failed; `failed`: with any.
    """
    last = dict(_errors(workspace))
    failed = {name for name, error in last.items() if error is not None and code in (error, "failed")}
    return plan_again(workspace, failed, part_size)


def plan_again(workspace: Workspace, wanted: set[str], part_size: int) -> int:
    """Write down known sightings as a new generation, for what of theirs is wanted.

    Returns how many there are.
    """
    generation = len(generations(workspace))
    return write_plan(workspace, _planned_again(workspace, wanted, generation), generation, part_size)


def passing(workspace: Workspace) -> set[str]:
    """The URLs, by the name of what they were asked for, that are to be asked for again.

    They last failed by what may pass, and did so in fewer than PASSING_TRIES runs.
    """
    last: dict[str, str | None] = {}
    times: Counter[str] = Counter()
    for name, error in _errors(workspace):
        last[name] = error
        times[name] += error in PASSING
    names = {name for name, error in last.items() if error in PASSING and times[name] < PASSING_TRIES}
    return {name for name in names if not _is_line_alone(name, last)}


def _is_line_alone(name: str, last: dict[str, str | None]) -> bool:
    """Whether a name is that of lines whose picture failed: they are of no use."""
    return requests.is_line(name) and bool(last.get(requests.record_of(name)))


def _errors(workspace: Workspace) -> Iterator[tuple[str, str | None]]:
    """Yield the name of what each URL was asked for and its code, from the first time to the last."""
    for path in tables.files(workspace.folder("fetched")):
        table = tables.read(path, schemas.FETCHED)
        names, errors = table.column("record"), table.column("error")
        yield from zip(names.to_pylist(), errors.to_pylist(), strict=True)


def _planned_again(workspace: Workspace, wanted: set[str], generation: int) -> Iterator[Sighting]:
    """Yield the sightings of which something is wanted, as the latest plan has them."""
    if not wanted:
        return
    waiting = {requests.record_of(name) for name in wanted}
    bodies = _latest_bodies(workspace, waiting)
    for row in _latest_first(workspace):
        if row["record"] in waiting:
            waiting.remove(row["record"])
            again = requests.missing(row, wanted, bodies)
            again["generation"] = generation
            yield again


def _latest_first(workspace: Workspace) -> Iterator[Sighting]:
    """Yield all rows of all plans with their URLs as they are fetched, the latest plan's first."""
    for path in reversed(tables.files(workspace.folder("plan"))):
        for group in range(len(tables.group_sizes(path))):
            yield from private.joined(workspace, int(path.stem), group, read_part(path, group))


def _latest_bodies(workspace: Workspace, records: set[str]) -> dict[str, FetchedBody]:
    """The latest row of each URL of these sightings of which there are bytes."""
    lines = (record + requests.LINE for record in records)
    names = pa.array(sorted([*records, *lines]), pa.string())
    latest: dict[str, FetchedBody] = {}
    for path in tables.files(workspace.folder("fetched")):
        table = tables.read(path, schemas.FETCHED).select(BODY_COLUMNS)
        rows = table.filter(pc.is_in(table.column("record"), names)).to_pylist()
        latest.update((row["record"], row) for row in cast("list[FetchedBody]", rows))
    return {name: row for name, row in latest.items() if row["error"] is None and row["at_uri"]}
