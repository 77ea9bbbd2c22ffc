"""What is known of linked pictures beside their pixels: soundness, whence they come, their dates."""

from collections.abc import Sequence
from typing import NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from anidata.catalog import tables
from anidata.catalog.catalog import Catalog
from anidata.sources.listing import dates
from anidata.stages.dedup import preference
from anidata.stages.dedup.field import PLACES
from anidata.stages.dedup.standing import Picture
from anidata.tar import untrusted

PICTURES = """
SELECT key, pixels, len(coalesce(reasons, [])) AS broken, unnamed, width::BIGINT * height * content AS area
FROM _seen JOIN _linked USING (key) LEFT JOIN _rejected_before_dedup USING (key)
    LEFT JOIN (
        SELECT key, min(
            (coalesce(trim(artist), '') = '')::INTEGER + (coalesce(trim(license), '') = '')::INTEGER
        ) AS unnamed
        FROM _sightings SEMI JOIN _linked USING (key) GROUP BY key
    ) USING (key)
WHERE error IS NULL ORDER BY key
"""
NOTED = "SELECT key, extra FROM _sightings SEMI JOIN _turned USING (key) WHERE extra IS NOT NULL"
SIGHTED = "SELECT key, kind, root, name FROM _sightings WHERE key IS NOT NULL"
BATCH = 1 << 12  # sightings asked for at once


class Origins(NamedTuple):
    """The pictures that have a link, by key, and the patterns of dedup.prefer that match no picture."""

    pictures: list[Picture]
    idle: list[str]


def origins(views: Catalog, links: pa.Table, prefer: Sequence[str]) -> Origins:
    """What is known of the pictures that have a link."""
    linked = tables.keys_of(links, "a", "b")
    rows: list[Picture] = views.select(PICTURES, _linked=linked).to_pylist()
    is_straight = pc.is_in(links.column("mirrored"), pa.array(["no", PLACES]))
    is_across = pc.or_(pc.invert(is_straight), pc.greater(links.column("turned"), 0))
    turned = links.filter(is_across)
    stated = _dates(views, turned) if turned.num_rows else {}
    preferred: dict[str, int] = dict.fromkeys(linked.column("key").to_pylist(), len(prefer))
    idle = _prefer(views, prefer, preferred) if prefer else []
    for row in rows:
        row["stated"], row["preferred"] = stated.get(row["key"]), preferred[row["key"]]
    return Origins(rows, idle)


def _dates(views: Catalog, turned: pa.Table) -> dict[str, float]:
    """Key → the earliest date that is stated, of pictures that may be mirror images or turned copies."""
    earliest: dict[str, float] = {}
    for batch in views.batches(NOTED, BATCH, _turned=tables.keys_of(turned, "a", "b")):
        for key, extra in zip(*(column.to_pylist() for column in batch.columns), strict=True):
            date = _date(extra)
            if date is not None:
                earliest[key] = min(date, earliest.get(key, date))
    return earliest


def _date(extra: str) -> float | None:
    """The date in what a source says; None where it says none."""
    try:
        fields = untrusted.read_json(extra)
    except ValueError:
        return None
    text = dates.stated(fields) if isinstance(fields, dict) else None
    return dates.seconds(text) if text else None


def _prefer(views: Catalog, prefer: Sequence[str], first: dict[str, int]) -> list[str]:
    """Lower each key's first pattern to the first that one of its sightings matches; the idle patterns."""
    patterns = list(map(preference.parsed, prefer))
    idle = dict.fromkeys(range(len(patterns)))
    for batch in views.batches(SIGHTED, BATCH):
        for key, kind, root, name in zip(*(column.to_pylist() for column in batch.columns), strict=True):
            path = preference.path_of(root, name)
            asked = sorted({*range(first.get(key, 0)), *idle})
            matched = [n for n in asked if patterns[n].matches(kind, path)]
            for n in matched:
                idle.pop(n, None)
            if matched and key in first:
                first[key] = min(matched[0], first[key])
    return [prefer[n] for n in idle]
