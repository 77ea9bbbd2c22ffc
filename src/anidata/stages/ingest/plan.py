"""What an ingest is going to do, written down before it does it: sources listed as parts of a plan."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import chain, islice
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from anidata import recipe, registry, storage
from anidata.catalog import catalog, schemas, tables
from anidata.engine.job import Request
from anidata.engine.parts import RAMP, SMALLEST
from anidata.errors import SourceError
from anidata.fetch.urls import lane_of
from anidata.sources import Options, Record
from anidata.stages.ingest import requests
from anidata.stages.ingest.rows import record_id, row_of
from anidata.workspace import Workspace

VERSION = 1  # raised when a source would be listed otherwise


def plan_path(workspace: Workspace, generation: int) -> Path:
    return workspace.folder("plan") / f"{generation:05d}.parquet"


def generations(workspace: Workspace) -> list[int]:
    return [int(p.stem) for p in tables.files(workspace.folder("plan"))]


def add_generation(workspace: Workspace, request: Request, options: Options, part_size: int) -> int:
    """Write down the sightings that aren't known yet as a new generation of parts; returns how many there are.

    Sources that look as they did when they were last listed whole aren't listed again.
    """
    looks = {text: _look(text, options) for text in request.sources}
    listed = _listed(workspace)
    if not request.refresh and all(look and listed.get(text) == look for text, look in looks.items()):
        return 0
    added = _add(workspace, request, options, part_size)
    if not request.limit:
        storage.publish_json(
            _listed_path(workspace), listed | {text: look for text, look in looks.items() if look}
        )
    return added


def _add(workspace: Workspace, request: Request, options: Options, part_size: int) -> int:
    known = _known(workspace, stamps=request.refresh)
    if request.refresh:
        known |= dict.fromkeys(_changed(workspace), "")  # a file put back has its old date again
    generation = len(generations(workspace))
    rows = _new_rows(workspace, request, options, known, generation)
    if request.limit:
        rows = islice(rows, max(0, request.limit - len(known)))
    return write_plan(workspace, rows, generation, part_size)


def write_plan(workspace: Workspace, rows: Iterator[dict[str, Any]], generation: int, part_size: int) -> int:
    first = next(rows, None)
    if first is None:
        return 0
    if generation:
        _note_known_keys(workspace, generation)
    lanes: dict[str, int] = {}  # of the parts that are fetched
    groups = _groups(chain([first], rows), part_size, lanes)
    tables.write_groups(plan_path(workspace, generation), groups, schemas.SIGHTINGS, {"lanes": lanes})
    return sum(tables.group_sizes(plan_path(workspace, generation)))


def _look(text: str, options: Options) -> str | None:
    """What a source is like before it is listed; None where only listing it tells."""
    kind, module = source_of(text)
    state = getattr(module, "state", None)
    try:
        said = state(text, options) if state else None
    except (OSError, ValueError):  # listing it says what is wrong
        return None
    bounds = options.max_bytes, options.max_ratio, options.max_unpacked
    return (
        None
        if said is None
        else recipe.fingerprint(kind, VERSION, options.lines, options.colors, bounds, said)
    )


def _listed(workspace: Workspace) -> dict[str, str]:
    """SOURCE → what it was like when it was last listed whole."""
    path = _listed_path(workspace)
    found: dict[str, str] = json.loads(path.read_bytes()) if path.exists() else {}
    return found


def _listed_path(workspace: Workspace) -> Path:
    return workspace.folder("plan") / "listed.json"


def known_keys(workspace: Workspace, generation: int) -> np.ndarray:
    """The keys measured before a generation, sorted, as S24, mapped from disk."""
    path = _known_keys_path(workspace, generation)
    found: np.ndarray = (
        np.load(path, mmap_mode="r", allow_pickle=False) if path.exists() else np.empty(0, "S24")
    )
    return found


def source_of(text: str) -> tuple[str, ModuleType]:
    """The kind that takes a SOURCE, and its module.

    Raises: SourceError: no kind does.
    """
    kind = text.partition(":")[0]
    names = registry.names("sources")
    for name in (kind,) if kind in names else names:
        module = registry.load("sources", name)
        if kind == name or module.accepts(text):
            return name, module
    raise SourceError(
        f"{text}: there is no such file or folder. A SOURCE is a path, or KIND:REST with KIND one of {', '.join(names)}."
    )


def _new_rows(
    workspace: Workspace, request: Request, options: Options, known: dict[str, str], generation: int
) -> Iterator[dict[str, Any]]:
    seen: set[str] = set()
    for text in request.sources:
        kind, module = source_of(text)
        rests = _rests(kind, module, text)
        still_open = _still_open(workspace, rests)
        for record in module.records(text, options):
            name = record_id(kind, record.root, record.name)
            if rests.pop(name, None):
                if name not in still_open or request.refresh:
                    yield row_of(kind, name, record, generation)
                continue
            again = (
                request.refresh
                and name not in seen
                and (known.get(name) != record.stamp or _is_fetched(record))
            )
            if again or known.get(name) is None:
                known[name] = record.stamp if request.refresh else ""  # a source named twice is listed once
                if _is_fetched(record):
                    seen.add(name)
                yield row_of(kind, name, record, generation)
        settled = still_open & rests.keys()
        yield from (
            row_of(kind, name, replace(rests[name], error=schemas.SETTLED), generation)
            for name in sorted(settled)
        )


def _rests(kind: str, module: ModuleType, text: str) -> dict[str, Record]:
    """The rows that stand for what a listing lacks, by their ids; none where a source lists all or nothing."""
    found: Iterable[Record] = module.rests(text) if hasattr(module, "rests") else ()
    return {record_id(kind, record.root, record.name): record for record in found}


def _still_open(workspace: Workspace, names: Iterable[str]) -> set[str]:
    """Those of the rows by these names that are there, and not settled since."""
    last: dict[str, str | None] = {}
    wanted = pa.array(list(names), pa.string())
    for path in tables.files(workspace.folder("plan")) if len(wanted) else ():
        table = tables.read(path, schemas.SIGHTINGS).select(["record", "error"])
        found = table.filter(pc.is_in(table.column("record"), wanted))
        last.update(zip(found.column("record").to_pylist(), found.column("error").to_pylist(), strict=True))
    return {name for name, error in last.items() if error != schemas.SETTLED}


def _is_fetched(record: Record) -> bool:
    return any(at is not None and at.uri.startswith(storage.WEB) for at in (record.at, record.line))


def _known(workspace: Workspace, *, stamps: bool) -> dict[str, str]:
    """Record → stamp, by the latest generation; without `stamps` they are empty."""
    found: dict[str, str] = {}
    schema = schemas.SIGHTINGS
    for path in tables.files(workspace.folder("plan")):
        columns = tables.read(path, schema).select(["record", "stamp"])
        records = columns.column("record").to_pylist()
        found.update(
            zip(records, columns.column("stamp").to_pylist(), strict=True)
            if stamps
            else dict.fromkeys(records, "")
        )
    return found


def _changed(workspace: Workspace) -> list[str]:
    """Sightings whose picture had other bytes when it was to be drawn."""
    with catalog.Catalog(workspace) as views:
        found: list[str] = (
            views.select("SELECT record FROM records WHERE status = 'changed'").column("record").to_pylist()
        )
    return found


def _known_keys_path(workspace: Workspace, generation: int) -> Path:
    return workspace.folder("plan") / f"{generation:05d}.known.npy"


def _note_known_keys(workspace: Workspace, generation: int) -> None:
    with catalog.Catalog(workspace) as views:
        again = ", ".join(f"'{code}'" for code in schemas.RETRIED)
        keys = (
            views.select(
                f"SELECT DISTINCT key FROM _images WHERE error IS NULL OR error NOT IN ({again}) ORDER BY key"
            )
            .column("key")
            .to_numpy(zero_copy_only=False)
        )
    with storage.publishing(_known_keys_path(workspace, generation)) as file:
        np.save(file, keys.astype("S24"), allow_pickle=False)


def _groups(
    rows: Iterable[dict[str, Any]], largest: int, lanes: dict[str, int]
) -> Iterator[list[dict[str, Any]]]:
    """Rows in lists as long as those of `ramped`; what is to be fetched by its host's lane, one in each list. lanes: list → lane, to be filled."""
    waiting: dict[int | None, list[dict[str, Any]]] = {}
    index = 0
    for row in rows:
        url = requests.first_url(row)
        lane = lane_of(url) if url else None
        held = waiting.setdefault(lane, [])
        held.append(row)
        if len(held) >= min(largest, SMALLEST << (index // RAMP)):
            yield _noted(waiting.pop(lane), index, lane, lanes)
            index += 1
    for index, (lane, held) in enumerate(waiting.items(), index):  # noqa: B020  it goes on
        yield _noted(held, index, lane, lanes)


def _noted(
    rows: list[dict[str, Any]], index: int, lane: int | None, lanes: dict[str, int]
) -> list[dict[str, Any]]:
    if lane is not None:
        lanes[str(index)] = lane
    return rows
