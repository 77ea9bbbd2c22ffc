"""What an ingest is going to do, written down before it does it: sources listed as parts of a plan."""

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import chain, islice
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from anidata import catalog, parts, recipe, storage
from anidata.errors import SourceError
from anidata.fetch.urls import lane_of
from anidata.sources import Options, Record
from anidata.stages import _wishes
from anidata.storage import Reference
from anidata.workspace import Workspace

VERSION = 1  # raised when a source would be listed otherwise
RAMP = 8  # parts of one size; then sizes double, up to the recipe's
SMALLEST = 16  # rows in the first parts
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


@dataclass(frozen=True)
class Request:
    """What an ingest is asked to look at."""

    sources: tuple[str, ...] = ()
    limit: int = 0  # sightings in all; 0: no limit
    refresh: bool = False  # look again at sightings whose file or sidecars have changed
    retry: str = ""  # ask again for the URLs that failed with this code; `failed`: with any


def plan_path(workspace: Workspace, generation: int) -> Path:
    return workspace.folder("plan") / f"{generation:05d}.parquet"


def generations(workspace: Workspace) -> list[int]:
    return [int(p.stem) for p in catalog.files(workspace.folder("plan"))]


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
        storage.publish_json(_listed_path(workspace), listed | {text: look for text, look in looks.items() if look})
    return added


def _add(workspace: Workspace, request: Request, options: Options, part_size: int) -> int:
    known = _known(workspace, stamps=request.refresh)
    if request.refresh:
        known |= dict.fromkeys(_changed(workspace), "")  # a file put back has its old date again
    generation = len(generations(workspace))
    rows = _new_rows(workspace, request, options, known, generation)
    if request.limit:
        rows = islice(rows, max(0, request.limit - len(known)))
    return _write(workspace, rows, generation, part_size)


def add_failed(workspace: Workspace, code: str, part_size: int) -> int:
    """Write down the sightings of which a URL failed, as a new generation; returns how many there are. `failed`: whatever the code."""
    failed: dict[str, bool] = {}
    for name, error in _errors(workspace):
        failed[name] = error is not None and code in (error, "failed")
    return plan_again(workspace, {name for name, is_failed in failed.items() if is_failed}, part_size)


def plan_again(workspace: Workspace, wanted: set[str], part_size: int) -> int:
    """Write down sightings that are known already as a new generation, for what of theirs is wanted; returns how many there are."""
    generation = len(generations(workspace))
    return _write(workspace, _planned_again(workspace, wanted, generation), generation, part_size)


def passing(workspace: Workspace) -> set[str]:
    """The URLs, by the name of what they were asked for, that last failed by what may pass, and did so in fewer than PASSING_TRIES runs."""
    last: dict[str, str | None] = {}
    times: Counter[str] = Counter()
    for name, error in _errors(workspace):
        last[name] = error
        times[name] += error in PASSING
    open_still = {name for name, error in last.items() if error in PASSING and times[name] < PASSING_TRIES}
    return {name for name in open_still if not _wishes.is_line(name) or not last.get(_wishes.record_of(name))}  # lines alone are of no use


def _errors(workspace: Workspace) -> Iterator[tuple[str, str | None]]:
    """What each URL was asked for, and the code that came of it, from the first time to the last."""
    for path in catalog.files(workspace.folder("fetched")):
        table = catalog.read(path, catalog.FETCHED).select(["record", "error"])
        yield from zip(*(table.column(name).to_pylist() for name in table.column_names), strict=True)


def _planned_again(workspace: Workspace, wanted: set[str], generation: int) -> Iterator[dict[str, Any]]:
    """The latest plan's word on the sightings of which something is wanted."""
    waiting = {_wishes.record_of(name) for name in wanted}
    came = _came(workspace, waiting) if wanted else {}
    for path in reversed(catalog.files(workspace.folder("plan"))) if wanted else ():
        for group in range(len(catalog.group_sizes(path))):
            for row in catalog.read_group(path, group):
                if row["record"] in waiting:
                    waiting.remove(row["record"])
                    yield _wishes.missing(row, wanted, came) | {"generation": generation}


def _came(workspace: Workspace, records: set[str]) -> dict[str, dict[str, Any]]:
    """The latest row of each URL of these sightings of which there are bytes."""
    names = pa.array(sorted([*records, *(record + _wishes.LINE for record in records)]), pa.string())
    found: dict[str, dict[str, Any]] = {}
    for path in catalog.files(workspace.folder("fetched")):
        table = catalog.read(path, catalog.FETCHED).select(["record", "error", "at_uri", "at_offset", "at_size"])
        found.update((row["record"], row) for row in table.filter(pc.is_in(table.column("record"), names)).to_pylist())
    return {name: row for name, row in found.items() if row["error"] is None and row["at_uri"]}


def _write(workspace: Workspace, rows: Iterator[dict[str, Any]], generation: int, part_size: int) -> int:
    first = next(rows, None)
    if first is None:
        return 0
    if generation:
        _note_known_keys(workspace, generation)
    lanes: dict[str, int] = {}  # of the parts that are fetched
    groups = _groups(chain([first], rows), part_size, lanes)
    catalog.write_groups(plan_path(workspace, generation), groups, catalog.SIGHTINGS, {"lanes": lanes})
    return sum(catalog.group_sizes(plan_path(workspace, generation)))


def _look(text: str, options: Options) -> str | None:
    """What a source is like before it is listed; None where only listing it tells."""
    kind, module = source_of(text)
    state = getattr(module, "state", None)
    try:
        said = state(text, options) if state else None
    except (OSError, ValueError):  # listing it says what is wrong
        return None
    bounds = options.max_bytes, options.max_ratio, options.max_unpacked
    return None if said is None else recipe.fingerprint(kind, VERSION, options.lines, options.colors, bounds, said)


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
    found: np.ndarray = np.load(path, mmap_mode="r", allow_pickle=False) if path.exists() else np.empty(0, "S24")
    return found


def source_of(text: str) -> tuple[str, ModuleType]:
    """The kind that takes a SOURCE, and its module.

    Raises: SourceError: no kind does.
    """
    kind = text.partition(":")[0]
    names = parts.names("sources")
    for name in (kind,) if kind in names else names:
        module = parts.load("sources", name)
        if kind == name or module.accepts(text):
            return name, module
    raise SourceError(f"{text}: there is no such file or folder. A SOURCE is a path, or KIND:REST with KIND one of {', '.join(names)}.")


def record_id(kind: str, root: str, name: str) -> str:
    """24 hex digits: which sighting this is, whatever its bytes are."""
    return hashlib.sha256(f"{kind}\0{root}\0{name}".encode()).hexdigest()[:24]


def _new_rows(workspace: Workspace, request: Request, options: Options, known: dict[str, str], generation: int) -> Iterator[dict[str, Any]]:
    seen: set[str] = set()
    for text in request.sources:
        kind, module = source_of(text)
        rests = _rests(kind, module, text)
        still_open = _still_open(workspace, rests)
        for record in module.records(text, options):
            name = record_id(kind, record.root, record.name)
            if rests.pop(name, None):
                if name not in still_open or request.refresh:
                    yield _row(kind, name, record, generation)
                continue
            again = request.refresh and name not in seen and (known.get(name) != record.stamp or _is_fetched(record))
            if again or known.get(name) is None:
                known[name] = record.stamp if request.refresh else ""  # a source named twice is listed once
                if _is_fetched(record):
                    seen.add(name)
                yield _row(kind, name, record, generation)
        settled = still_open & rests.keys()
        yield from (_row(kind, name, replace(rests[name], error=catalog.SETTLED), generation) for name in sorted(settled))


def _rests(kind: str, module: ModuleType, text: str) -> dict[str, Record]:
    """The rows that stand for what a listing lacks, by their ids; none where a source lists all or nothing."""
    found: Iterable[Record] = module.rests(text) if hasattr(module, "rests") else ()
    return {record_id(kind, record.root, record.name): record for record in found}


def _still_open(workspace: Workspace, names: Iterable[str]) -> set[str]:
    """Those of the rows by these names that are there, and not settled since."""
    last: dict[str, str | None] = {}
    wanted = pa.array(list(names), pa.string())
    for path in catalog.files(workspace.folder("plan")) if len(wanted) else ():
        table = catalog.read(path, catalog.SIGHTINGS).select(["record", "error"])
        found = table.filter(pc.is_in(table.column("record"), wanted))
        last.update(zip(found.column("record").to_pylist(), found.column("error").to_pylist(), strict=True))
    return {name for name, error in last.items() if error != catalog.SETTLED}


def _is_fetched(record: Record) -> bool:
    return any(at is not None and at.uri.startswith(storage.WEB) for at in (record.at, record.line))


def _row(kind: str, name: str, record: Record, generation: int) -> dict[str, Any]:
    return {
        "record": name, "generation": generation, "kind": kind, "root": record.root, "name": record.name, "file": record.file,
        **_columns("at", record.at), **_columns("line", record.line),
        "line_error": record.line_error, "error": record.error, "message": record.message, "stamp": record.stamp, "url": record.url, "license": record.license,
        "artist": record.artist, "rating": record.rating, "tags": list(record.tags), "caption": record.caption,
        "extra": record.extra, "referer": record.referer, "line_referer": record.line_referer,
    }  # fmt: skip


def _columns(prefix: str, reference: Reference | None) -> dict[str, Any]:
    values = (reference.uri, reference.offset, reference.size) if reference else (None, None, None)
    return dict(zip((f"{prefix}_uri", f"{prefix}_offset", f"{prefix}_size"), values, strict=True))


def reference(row: dict[str, Any], prefix: str = "at") -> Reference | None:
    """The reference that a row holds, if it does."""
    uri = row[f"{prefix}_uri"]
    return Reference(uri, row[f"{prefix}_offset"] or 0, row[f"{prefix}_size"]) if uri is not None else None


def _known(workspace: Workspace, *, stamps: bool) -> dict[str, str]:
    """Record → stamp, by the latest generation; without `stamps` they are empty."""
    found: dict[str, str] = {}
    schema = catalog.SIGHTINGS
    for path in catalog.files(workspace.folder("plan")):
        columns = catalog.read(path, schema).select(["record", "stamp"])
        records = columns.column("record").to_pylist()
        found.update(zip(records, columns.column("stamp").to_pylist(), strict=True) if stamps else dict.fromkeys(records, ""))
    return found


def _changed(workspace: Workspace) -> list[str]:
    """Sightings whose picture had other bytes when it was to be drawn."""
    with catalog.Catalog(workspace) as views:
        found: list[str] = views.select("SELECT record FROM records WHERE status = 'changed'").column("record").to_pylist()
    return found


def _known_keys_path(workspace: Workspace, generation: int) -> Path:
    return workspace.folder("plan") / f"{generation:05d}.known.npy"


def _note_known_keys(workspace: Workspace, generation: int) -> None:
    with catalog.Catalog(workspace) as views:
        again = ", ".join(f"'{code}'" for code in catalog.RETRIED)
        keys = (
            views.select(f"SELECT DISTINCT key FROM _images WHERE error IS NULL OR error NOT IN ({again}) ORDER BY key")
            .column("key")
            .to_numpy(zero_copy_only=False)
        )
    with storage.publishing(_known_keys_path(workspace, generation)) as file:
        np.save(file, keys.astype("S24"), allow_pickle=False)


def _groups(rows: Iterable[dict[str, Any]], largest: int, lanes: dict[str, int]) -> Iterator[list[dict[str, Any]]]:
    """Rows in lists as long as those of `ramped`; what is to be fetched by its host's lane, one in each list. lanes: list → lane, to be filled."""
    waiting: dict[int | None, list[dict[str, Any]]] = {}
    index = 0
    for row in rows:
        url = _wishes.first_url(row)
        lane = lane_of(url) if url else None
        held = waiting.setdefault(lane, [])
        held.append(row)
        if len(held) >= min(largest, SMALLEST << (index // RAMP)):
            yield _noted(waiting.pop(lane), index, lane, lanes)
            index += 1
    for index, (lane, held) in enumerate(waiting.items(), index):  # noqa: B020  it goes on
        yield _noted(held, index, lane, lanes)


def _noted(rows: list[dict[str, Any]], index: int, lane: int | None, lanes: dict[str, int]) -> list[dict[str, Any]]:
    if lane is not None:
        lanes[str(index)] = lane
    return rows


def ramped(rows: Iterable[dict[str, Any]], largest: int) -> Iterator[list[dict[str, Any]]]:
    """Rows in lists of 16, later 32 and so on up to `largest`: a small pile is spread over all workers, a large one has few parts."""
    rows, index = iter(rows), 0
    while chunk := list(islice(rows, min(largest, SMALLEST << (index // RAMP)))):
        yield chunk
        index += 1
