"""The plan of an ingest, written down before it is worked through: sources listed as parts."""

from collections.abc import Iterable, Iterator
from itertools import chain, islice
from pathlib import Path
from types import ModuleType
from typing import Any, cast

import numpy as np

from anidata import recipe, registry, storage
from anidata.catalog import arrays, catalog, schemas, tables
from anidata.catalog.damage import read_json
from anidata.engine import progress
from anidata.engine.job import Request
from anidata.engine.parts import RAMP, SMALLEST
from anidata.errors import SourceError
from anidata.fetch.urls import lane_of
from anidata.sources import Options, require_rest
from anidata.sources.web.secrets import scrubbed
from anidata.stages.ingest import private, requests
from anidata.stages.ingest.listing import Listing, Records, Source, known_stamps, listed_here
from anidata.stages.ingest.rows import Sighting
from anidata.workspace import Workspace

VERSION = 1  # raised when a source would be listed otherwise


def plan_path(workspace: Workspace, generation: int) -> Path:
    return workspace.folder("plan") / f"{generation:05d}.parquet"


def generations(workspace: Workspace) -> list[int]:
    return [int(p.stem) for p in tables.files(workspace.folder("plan"))]


def read_part(path: Path, index: int) -> list[Sighting]:
    """The sightings of one part of a plan."""
    return cast("list[Sighting]", tables.read_group(path, index))


def add_generation(
    workspace: Workspace,
    request: Request,
    options: Options,
    part_size: int,
    records: Records = listed_here,
) -> int:
    """Write down the sightings that aren't known yet as a new generation of parts.

    Returns how many there are. Sources that look as they did when they were last listed whole aren't listed
    again.
    """
    looks = {text: _look(text, options) for text in request.sources}
    listed = _listed(workspace)
    if not request.refresh and all(look and listed.get(text) == look for text, look in looks.items()):
        return 0
    known = known_stamps(workspace, refresh=request.refresh)
    generation = len(generations(workspace))
    listing = Listing(known, generation, refresh=request.refresh, records=records)
    rows = _new_rows(workspace, request, options, listing)
    if request.limit:
        rows = islice(rows, max(0, request.limit - len(known)))
    added = write_plan(workspace, rows, generation, part_size)
    for text, why in listing.stopped.items():
        progress.say(f"{scrubbed(text)}: its remainder isn't listed: {why.code}: {why}")
    if not request.limit:
        listed |= {text: look for text, look in looks.items() if look and text not in listing.stopped}
        storage.publish_json(_listed_path(workspace), listed)
    return added


def _new_rows(
    workspace: Workspace, request: Request, options: Options, listing: Listing
) -> Iterator[Sighting]:
    for text in request.sources:
        yield from listing.new(workspace, Source(text, *source_of(text)), options)


def write_plan(workspace: Workspace, rows: Iterator[Sighting], generation: int, part_size: int) -> int:
    """Write rows down as a generation of parts; returns how many there are. None: nothing is written."""
    first = next(rows, None)
    if first is None:
        return 0
    if generation:
        _publish_known_keys(workspace, generation)
    lanes: dict[str, int] = {}  # of the parts that are fetched
    parts = private.kept_apart(workspace, generation, _groups(chain([first], rows), part_size, lanes))
    groups = cast("Iterator[list[dict[str, Any]]]", parts)
    tables.write_groups(plan_path(workspace, generation), groups, schemas.SIGHTINGS, {"lanes": lanes})
    return sum(tables.group_sizes(plan_path(workspace, generation)))


def _look(text: str, options: Options) -> str | None:
    """A fingerprint of a source before it is listed; None: it has none, and only listing it says more."""
    kind, module = source_of(text)
    if not hasattr(module, "state"):
        return None
    try:
        state = module.state(text, options)
    except (OSError, ValueError):  # listing it says what is wrong
        return None
    if state is None:
        return None
    bounds = options.max_bytes, options.max_ratio, options.max_unpacked
    return recipe.fingerprint(kind, VERSION, options.lines, options.colors, bounds, state)


def _listed(workspace: Workspace) -> dict[str, str]:
    """SOURCE → its fingerprint when it was last listed whole."""
    path = _listed_path(workspace)
    return read_json(path, dict[str, str]) if path.exists() else {}


def _listed_path(workspace: Workspace) -> Path:
    return workspace.folder("plan") / "listed.json"


def known_keys(workspace: Workspace, generation: int) -> np.ndarray:
    """The keys measured before a generation, sorted, as S24, mapped from disk."""
    path = _known_keys_path(workspace, generation)
    if not path.exists():
        return np.empty(0, "S24")
    return arrays.read(path, "S24")


def source_of(text: str) -> tuple[str, ModuleType]:
    """The kind that takes a SOURCE, and its module.

    Raises: SourceError: no kind does, or nothing stands behind the colon of `KIND:`.
    """
    kind = text.partition(":")[0]
    names = registry.names("sources")
    for name in (kind,) if kind in names else names:
        module = registry.load("sources", name)
        if kind == name or module.accepts(text):
            require_rest(name, module, text)
            return name, module
    kinds = ", ".join(names)
    raise SourceError(
        f"{scrubbed(text)}: there is no such file or folder. "
        f"A SOURCE is a path, or KIND:REST with KIND one of {kinds}."
    )


def _known_keys_path(workspace: Workspace, generation: int) -> Path:
    return workspace.folder("plan") / f"{generation:05d}.known.npy"


def _publish_known_keys(workspace: Workspace, generation: int) -> None:
    again = ", ".join(f"'{code}'" for code in schemas.RETRIED)
    sql = f"SELECT DISTINCT key FROM _images WHERE error IS NULL OR error NOT IN ({again}) ORDER BY key"
    with catalog.Catalog(workspace) as views:
        keys = views.select(sql).column("key").to_numpy(zero_copy_only=False)
    arrays.write(_known_keys_path(workspace, generation), keys.astype("S24"))


def _groups(rows: Iterable[Sighting], largest: int, lanes: dict[str, int]) -> Iterator[list[Sighting]]:
    """Yield rows in lists as long as those of `ramped`.

    What is to be fetched goes by its host's lane, one in each list. lanes: list → lane, to be filled.
    """
    waiting: dict[int | None, list[Sighting]] = {}
    index = 0
    for row in rows:
        url = requests.first_url(row)
        lane = lane_of(url) if url else None
        group = waiting.setdefault(lane, [])
        group.append(row)
        if len(group) >= min(largest, SMALLEST << (index // RAMP)):
            _note_lane(lanes, index, lane)
            yield waiting.pop(lane)
            index += 1
    for last, (lane, group) in enumerate(waiting.items(), index):
        _note_lane(lanes, last, lane)
        yield group


def _note_lane(lanes: dict[str, int], index: int, lane: int | None) -> None:
    if lane is not None:
        lanes[str(index)] = lane
