"""Joining by places: pairs of pictures of which several places agree in one scale and shift.

As with windows, a join adds the pairs of what is new. But a place that stands in many pictures is left out,
and which these are depends on all pictures: where that happens, or candidates are left out, all is joined
anew, so that a pile gives the same pairs in whatever order it grew.
"""

from collections import Counter
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from anidata.catalog import catalog, schemas, tables
from anidata.duplicates import place_agreement, place_codes
from anidata.duplicates.place_agreement import Met
from anidata.engine import progress
from anidata.stages.dedup import joins
from anidata.stages.dedup.config import Places
from anidata.stages.dedup.state import placing_versions
from anidata.workspace import Workspace

PLACED = 50_000  # pictures up to which `auto` compares places
BATCH = 1 << 14  # pictures asked for at once
LEFT_OUT = ("stopped", "crowded")  # counts of a join, by which it isn't the last word


class Placed(NamedTuple):
    """The places of all readable pictures."""

    places: np.ndarray  # (n,) place_codes.PLACE
    owner: np.ndarray  # int64 (n,), ascending: of each its picture
    lacking: int  # pictures of which an earlier version has read no places


def join(workspace: Workspace, mode: Places) -> Counter[str]:
    """Add the edges by places between what no earlier join has seen and all; none where they are off."""
    folder = workspace.folder("place_edges")
    with catalog.Catalog(workspace) as views:
        readable = views.select("SELECT key FROM _seen WHERE error IS NULL ORDER BY key")
        keys = readable.column("key").to_numpy(zero_copy_only=False).astype("S24")
        if not is_on(mode, len(keys)):
            joins.begin_anew(folder)
            return Counter()
        if any(tables.made_from(path).get("versions") != placing_versions() for path in tables.files(folder)):
            joins.begin_anew(folder)
        new = ~np.isin(keys, joins.seen(folder))
        if not new.any():
            return Counter()
        placed = read(views)
    return _joined(workspace, keys, placed, new)


def is_on(mode: Places, count: int) -> bool:
    """Whether the places of so many pictures are compared."""
    return mode == "on" or (mode == "auto" and count <= PLACED)


def _joined(workspace: Workspace, keys: np.ndarray, placed: Placed, new: np.ndarray) -> Counter[str]:
    """Publish the edges of what is new; of everything where the stop list has a say."""
    folder = workspace.folder("place_edges")
    has_left_out = any(tables.made_from(path).get(name) for path in tables.files(folder) for name in LEFT_OUT)
    met = None if has_left_out else place_agreement.met(placed.places, placed.owner, new)
    if met is None or ((met.stopped or met.crowded) and not new.all()):
        joins.begin_anew(folder)
        new = np.ones(len(keys), np.bool_)
        met = place_agreement.met(placed.places, placed.owner, new)
    notes = {"versions": placing_versions(), "stopped": met.stopped, "crowded": met.crowded}
    joins.publish(folder, keys[new], _edges(keys, met), notes)
    if placed.lacking:
        progress.say(f"dedup.places: {placed.lacking} pictures have no places yet; anidata ingest reads them")
    return Counter(place_edges=len(met.i), stopped_places=met.stopped, crowded_places=met.crowded)


def read(views: catalog.Catalog) -> Placed:
    """The places of all readable pictures, by key."""
    start, lacking = 0, 0
    chunks, owners = [np.empty(0, place_codes.PLACE)], [np.empty(0, np.int64)]
    for batch in views.batches("SELECT place_codes FROM _seen WHERE error IS NULL ORDER BY key", BATCH):
        codes = batch.column("place_codes").to_pylist()
        lacking += codes.count(None)
        codes = [one or b"" for one in codes]
        counts = [len(one) // place_codes.PLACE.itemsize for one in codes]
        chunks.append(np.frombuffer(b"".join(codes), place_codes.PLACE))
        owners.append(np.repeat(np.arange(start, start + len(codes)), counts))
        start += len(codes)
    return Placed(np.concatenate(chunks), np.concatenate(owners), lacking)


def _edges(keys: np.ndarray, met: Met) -> pa.Table:
    columns: dict[str, Any] = {"a": keys[met.i], "b": keys[met.j]}
    columns |= {name: met.hint[name] for name in (met.hint.dtype.names or ())}
    fields = {name: pa.array(columns[name], schemas.PLACE_EDGES.field(name).type) for name in columns}
    return pa.table(fields, schema=schemas.PLACE_EDGES)
