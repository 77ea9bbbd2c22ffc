"""Sightings planned again: those that failed by what may pass, or that a user asks for again."""

from collections import Counter
from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from anidata.catalog import schemas, tables
from anidata.stages.ingest import requests
from anidata.stages.ingest.plan import generations, write_plan
from anidata.workspace import Workspace

PASSING = (
    "slow",
    "stalled",
    "unreachable",
    "refused",
    "reset",
    "cut_short",
    "unresolved",
    "given_up",
    "http_408",
    "http_425",
    "http_429",
    "http_500",
    "http_502",
    "http_503",
    "http_504",
)  # codes of what may pass: load, a host that is down or asked to be left alone; the next run asks again
PASSING_TRIES = 3  # runs that ask for such a URL; then it is final until --retry


def add_failed(workspace: Workspace, code: str, part_size: int) -> int:
    """Write down the sightings of which a URL failed, as a new generation; returns how many there are. `failed`: whatever the code."""
    failed: dict[str, bool] = {}
    for name, error in _errors(workspace):
        failed[name] = error is not None and code in (error, "failed")
    return plan_again(workspace, {name for name, is_failed in failed.items() if is_failed}, part_size)


def plan_again(workspace: Workspace, wanted: set[str], part_size: int) -> int:
    """Write down sightings that are known already as a new generation, for what of theirs is wanted; returns how many there are."""
    generation = len(generations(workspace))
    return write_plan(workspace, _planned_again(workspace, wanted, generation), generation, part_size)


def passing(workspace: Workspace) -> set[str]:
    """The URLs, by the name of what they were asked for, that last failed by what may pass, and did so in fewer than PASSING_TRIES runs."""
    last: dict[str, str | None] = {}
    times: Counter[str] = Counter()
    for name, error in _errors(workspace):
        last[name] = error
        times[name] += error in PASSING
    open_still = {name for name, error in last.items() if error in PASSING and times[name] < PASSING_TRIES}
    return {
        name for name in open_still if not requests.is_line(name) or not last.get(requests.record_of(name))
    }  # lines alone are of no use


def _errors(workspace: Workspace) -> Iterator[tuple[str, str | None]]:
    """What each URL was asked for, and the code that came of it, from the first time to the last."""
    for path in tables.files(workspace.folder("fetched")):
        table = tables.read(path, schemas.FETCHED).select(["record", "error"])
        yield from zip(*(table.column(name).to_pylist() for name in table.column_names), strict=True)


def _planned_again(workspace: Workspace, wanted: set[str], generation: int) -> Iterator[dict[str, Any]]:
    """The latest plan's word on the sightings of which something is wanted."""
    waiting = {requests.record_of(name) for name in wanted}
    came = _came(workspace, waiting) if wanted else {}
    for path in reversed(tables.files(workspace.folder("plan"))) if wanted else ():
        for group in range(len(tables.group_sizes(path))):
            for row in tables.read_group(path, group):
                if row["record"] in waiting:
                    waiting.remove(row["record"])
                    yield requests.missing(row, wanted, came) | {"generation": generation}


def _came(workspace: Workspace, records: set[str]) -> dict[str, dict[str, Any]]:
    """The latest row of each URL of these sightings of which there are bytes."""
    names = pa.array(sorted([*records, *(record + requests.LINE for record in records)]), pa.string())
    found: dict[str, dict[str, Any]] = {}
    for path in tables.files(workspace.folder("fetched")):
        table = tables.read(path, schemas.FETCHED).select(
            ["record", "error", "at_uri", "at_offset", "at_size"]
        )
        found.update(
            (row["record"], row) for row in table.filter(pc.is_in(table.column("record"), names)).to_pylist()
        )
    return {name: row for name, row in found.items() if row["error"] is None and row["at_uri"]}
