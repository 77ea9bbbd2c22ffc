"""A run's contact sheet: pairs, rejected pictures with their reasons, clusters of duplicates.

A few of each are shown, by key.
"""

from collections.abc import Sequence
from itertools import groupby
from pathlib import Path
from string import Template
from typing import Any

import numpy as np

from anidata import storage
from anidata.catalog import schemas
from anidata.catalog.catalog import Catalog
from anidata.catalog.pairs import pair_file
from anidata.errors import BadImage
from anidata.imaging import decode, encode, fit, sheet, sheet_layout
from anidata.imaging.admission import is_admitted
from anidata.imaging.sheet_layout import Cell, Section
from anidata.reports.funnel import Funnel, lines
from anidata.storage import Reference
from anidata.workspace import Workspace

# At most so many are shown.
PAIRS = 12
REJECTED = 18
OF_ONE_REASON = 6
CLUSTERS = 6
MEMBERS = 6
SIDE = 512  # px: more isn't kept of a picture for the sheet
LIMIT = 1 << 40  # bytes and pixels: what stands here was read before, within the recipe's limits

SHOWN = f"""
SELECT key, file,
    list(
        {{key: key, style: style, suffix: suffix, tar: tar, "offset": p.offset, size: size}}
        ORDER BY style <> 'color', style
    ) AS files
FROM (
    SELECT DISTINCT ON (key, style) * FROM _pairs
    JOIN (
        SELECT key, file
        FROM _merged JOIN (SELECT key FROM _decided WHERE keep ORDER BY key LIMIT {PAIRS}) USING (key)
    ) USING (key)
    ORDER BY tar DESC
) p
GROUP BY ALL ORDER BY key
"""
OF_EACH_REASON = f"""
SELECT * FROM (
    SELECT record, file, status, coalesce(error, reasons[1]) AS why,
        row_number() OVER (PARTITION BY coalesce(error, reasons[1]) ORDER BY record) AS n
    FROM _told WHERE keep = false AND reasons[1] <> 'duplicate'
)
WHERE n <= {OF_ONE_REASON} ORDER BY n, why LIMIT {REJECTED}
"""
LINKED = f"""
SELECT key, file, cluster, relation, distance, why, keep
FROM _merged JOIN (
    FROM _decided JOIN (
        SELECT cluster FROM _related GROUP BY cluster HAVING count(*) > 1 ORDER BY cluster LIMIT {CLUSTERS}
    ) USING (cluster)
) USING (key)
ORDER BY cluster, relation <> 'keeper', NOT keep, distance, key
"""
LOCATIONS = """
SELECT $column, at_uri, at_offset, at_size FROM _sightings
WHERE $column IN ($names) AND at_uri IS NOT NULL ORDER BY record DESC
"""

Row = dict[str, Any]


def write(workspace: Workspace, counts: Funnel, path: Path) -> None:
    """Draw the contact sheet of a workspace as a PNG."""
    with Catalog(workspace) as views:
        shown = sections(workspace, views)
    summary = [(step, number) for step, number, _ in lines(counts) if number != "0"]
    storage.publish(path, encode.encode_png(sheet.draw("anidata", summary, shown)))


def sections(workspace: Workspace, views: Catalog) -> list[Section]:
    return [
        Section("Pairs", _pairs(workspace, views), "color and lineart", touching=True, columns=6, max_rows=4),
        Section("Rejected", _rejected(workspace, views), "the gravest reason of each", columns=6, max_rows=3),
        Section(
            "Duplicates",
            _clusters(workspace, views),
            "the keeper first; copies are dropped (red), other drawings stay (blue); what says so",
            columns=6,
            max_rows=CLUSTERS,
        ),
    ]


def _pairs(workspace: Workspace, views: Catalog) -> list[list[Cell]]:
    rows = views.select(SHOWN).to_pylist()
    return [[_stored(workspace, entry, row["file"]) for entry in row["files"]] for row in rows]


def _stored(workspace: Workspace, entry: Row, file: str) -> Cell:
    picture = decode.decode(pair_file(workspace, entry), LIMIT).rgb
    return Cell(picture, note=file if entry["style"] == schemas.COLOR else entry["style"])


def _rejected(workspace: Workspace, views: Catalog) -> list[list[Cell]]:
    rows = views.select(OF_EACH_REASON).to_pylist()
    rows.sort(key=lambda r: (r["status"] == "failed", r["why"], r["n"]))
    at = _references(views, "record", [r["record"] for r in rows if r["status"] == "ok"])
    return [[Cell(_seen(workspace, at.get(r["record"])), note=r["file"], caption=r["why"])] for r in rows]


def _clusters(workspace: Workspace, views: Catalog) -> list[list[Cell]]:
    rows = views.select(LINKED).to_pylist()
    at = _references(views, "key", [r["key"] for r in rows])
    return [
        [_member(_seen(workspace, at.get(row["key"])), row) for row in list(members)[:MEMBERS]]
        for _, members in groupby(rows, key=lambda row: row["cluster"])
    ]


def _member(picture: np.ndarray | None, row: Row) -> Cell:
    kept: sheet_layout.Tone = "kept" if row["keep"] else "dropped"
    tone: sheet_layout.Tone = "keeper" if row["relation"] == "keeper" else kept
    bits = None if row["distance"] is None else f"{row['distance']} bits"
    detail = ", ".join(word for word in (bits, row["why"]) if word)
    return Cell(picture, note=row["file"], caption=row["relation"], detail=detail, tone=tone)


def _references(views: Catalog, column: str, names: Sequence[str]) -> dict[str, Reference]:
    """Where the bytes of records or keys lie."""
    if not names:
        return {}
    chosen = ", ".join(f"'{name}'" for name in names)  # hex digits, made by anidata
    rows = views.select(Template(LOCATIONS).substitute(column=column, names=chosen)).to_pylist()
    return {r[column]: Reference(r["at_uri"], r["at_offset"] or 0, r["at_size"]) for r in rows}


def _seen(workspace: Workspace, at: Reference | None) -> np.ndarray | None:
    """A picture that could be read before, small; nothing where its source has gone or changed."""
    if at is None or not is_admitted(workspace):
        return None
    try:
        rgb = decode.decode(storage.read(at, workspace.path, LIMIT, links=True), LIMIT, SIDE).rgb
    except BadImage:
        return None
    height, width = rgb.shape[:2]
    scale = min(1.0, SIDE / max(height, width))
    return fit.resize(rgb, max(1, round(width * scale)), max(1, round(height * scale)), "area")
