"""Verifying, in a worker: what the pictures of candidate pairs are to each other, by looking at both files.

Each picture of a part is opened once, however many pairs it is in. What can't be opened now has no verdict: the next run asks again.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache, partial
from itertools import count
from typing import Any

import numpy as np
import pyarrow as pa

from anidata.catalog import catalog, schemas, tables
from anidata.duplicates import alignment, relation, retouch
from anidata.duplicates import pairs as pair_arrays
from anidata.duplicates.alignment import Pixels, View
from anidata.engine.engine import Watch
from anidata.engine.memory import within_memory
from anidata.errors import BadImage
from anidata.imaging import decode
from anidata.imaging.reopen import Reader

PICTURES, PAIRS = 64, 2048  # in a part, about: small clusters are gathered, crowds are cut
COPIES = ("reencoded", "crop")

Row = dict[str, Any]


@dataclass(frozen=True)
class Part:
    """Candidate pairs, and where the bytes of their pictures lie."""

    name: str
    pairs: list[Row]  # a, b, mirrored
    places: dict[str, list[Row]]  # key → places
    reader: Reader


def plan(reader: Reader, pairs: list[Row]) -> list[Part]:
    """Pairs (a, b, mirrored) as parts, each cluster's together."""
    keys = pa.table(
        {"key": pa.array(sorted({pair[side] for pair in pairs for side in ("a", "b")}), pa.string())}
    )
    with catalog.Catalog(reader.workspace) as views:
        found = views.select("SELECT key, places FROM _places JOIN _waiting USING (key)", _waiting=keys)
    places = {r["key"]: r["places"] for r in found.to_pylist()}
    taken = {p.stem for p in tables.files(reader.workspace.folder("relations"))}
    free = (name for n in count() if (name := f"part-{n:05d}") not in taken)
    return [Part(next(free), some, _places_of(some, places), reader) for some in _gathered(pairs)]


def verify_part(part: Part, watch: Watch) -> list[Row]:
    """Look at each picture once; publish and return a verdict on each pair whose pictures could both be opened."""
    seen = {}
    for (key, places), failure in watch.each(list(part.places.items())):
        if failure is None:
            try:
                with within_memory():
                    seen[key] = alignment.thumbnail(part.reader.decode(places, key).rgb)
            except BadImage:
                continue
    view = lru_cache(PICTURES)(lambda key: View(seen[key]))
    pairs = [p for p in part.pairs if p["a"] in seen and p["b"] in seen]
    whole = partial(both, part.reader, part.places)
    rows = [
        p | {"relation": verdict(view(p["a"]), view(p["b"]), p["mirrored"], partial(whole, p["a"], p["b"]))}
        for p in pairs
    ]
    if rows:
        path = part.reader.workspace.folder("relations") / f"{part.name}.parquet"
        tables.write(
            path, tables.table(rows, schemas.RELATIONS), {"version": [decode.VERSION, relation.VERSION]}
        )
    return rows


def both(reader: Reader, places: dict[str, list[Row]], a: str, b: str) -> tuple[Pixels, Pixels]:
    """Two pictures at full resolution, by their keys. Raises: BadImage."""
    return reader.decode(places[a], a).rgb, reader.decode(places[b], b).rgb


def verdict(a: View, b: View, mirrored: str, whole: Callable[[], tuple[Pixels, Pixels]]) -> str:
    """The relation of two pictures, by their thumbnails. mirrored: whether the codes met as they are (`no`), mirrored (`yes`), or in both ways (`both`).

    whole: opens both at full resolution. Few pairs are worth it, so the pictures aren't kept open for it.
    """
    found = _at_a_glance(a, b, mirrored)
    return (
        "variant" if found == "reencoded" and retouch.may_be(a.rgb, b.rgb) and _is_retouched(whole) else found
    )


def _is_retouched(whole: Callable[[], tuple[Pixels, Pixels]]) -> bool:
    try:
        with within_memory():
            return retouch.is_retouched(*whole())
    except BadImage:
        return False  # gone since: what the thumbnails say stands


def _at_a_glance(a: View, b: View, mirrored: str) -> str:
    straight = relation.relation(a, b) if mirrored != "yes" else "unrelated"
    if straight in COPIES or mirrored == "no":
        return straight
    turned = relation.relation(a, b, flipped=True)
    return turned if turned == "flip" or straight == "unrelated" else straight


def _gathered(pending: list[Row]) -> Iterator[list[Row]]:
    """Pairs in lists: the clusters one after the other, a list closed when it has enough pictures or pairs."""
    keys = sorted({p[side] for p in pending for side in ("a", "b")})
    place = {key: n for n, key in enumerate(keys)}
    a, b = (np.array([place[p[side]] for p in pending], np.int64) for side in ("a", "b"))
    label = pair_arrays.components(len(keys), a, b) if keys else a
    clusters: dict[int, list[Row]] = {}
    for pair, cluster in zip(pending, label[a].tolist(), strict=True):
        clusters.setdefault(cluster, []).append(pair)
    gathered: list[Row] = []
    for pairs in clusters.values():
        for few in (pairs[n : n + PAIRS] for n in range(0, len(pairs), PAIRS)):
            gathered += few
            if len(gathered) >= PAIRS or len({p[side] for p in gathered for side in ("a", "b")}) >= PICTURES:
                yield gathered
                gathered = []
    if gathered:
        yield gathered


def _places_of(pairs: Iterable[Row], places: dict[str, list[Row]]) -> dict[str, list[Row]]:
    return {
        key: places[key] for key in sorted({p[side] for p in pairs for side in ("a", "b")}) if key in places
    }
