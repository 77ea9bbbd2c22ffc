"""What is known of linked pictures beside their pixels: soundness, whence they come, their dates."""

from collections.abc import Sequence

import pyarrow as pa
import pyarrow.compute as pc

from anidata.catalog import tables
from anidata.catalog.catalog import Catalog
from anidata.engine import progress
from anidata.sources.listing import dates
from anidata.stages.dedup import preference
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


def pictures(views: Catalog, links: pa.Table, prefer: Sequence[str]) -> list[Picture]:
    """The pictures that have a link, by key. A pattern of `prefer` that matches no picture is told of."""
    rows: list[Picture] = views.select(PICTURES, _linked=tables.keys_of(links, "a", "b")).to_pylist()
    turned = links.filter(pc.not_equal(links.column("mirrored"), "no"))
    stated = _dates(views, turned) if turned.num_rows else {}
    preferred = _preferred(views, prefer) if prefer else {}
    for row in rows:
        row["stated"] = stated.get(row["key"])
        row["preferred"] = preferred.get(row["key"], len(prefer))
    return rows


def _dates(views: Catalog, turned: pa.Table) -> dict[str, float]:
    """Key → the earliest date that is stated, of pictures that may be mirror images."""
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


def _preferred(views: Catalog, prefer: Sequence[str]) -> dict[str, int]:
    """Key → the first pattern that one of its sightings matches, of pictures that match any."""
    patterns = list(map(preference.parsed, prefer))
    first: dict[str, int] = {}
    idle = set(range(len(patterns)))
    for batch in views.batches(SIGHTED, BATCH):
        for key, kind, root, name in zip(*(column.to_pylist() for column in batch.columns), strict=True):
            path = preference.path_of(root, name)
            asked = [n for n in range(len(patterns)) if n in idle or n < first.get(key, len(patterns))]
            matched = [n for n in asked if patterns[n].matches(kind, path)]
            idle.difference_update(matched)
            if matched:
                first[key] = min(matched[0], first.get(key, matched[0]))
    for n in sorted(idle):
        progress.say(f"dedup.prefer: '{prefer[n]}' matches no picture")
    return first
