"""The funnel: of what was found, how much failed, was rejected and why, was a copy of what, and became samples."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.table import Table

from anidata import recipe, storage
from anidata.catalog import tables
from anidata.catalog.catalog import Catalog
from anidata.workspace import Workspace

VERSION = 1
# A sighting of each picture with what is told of few: on the right side of each join, which is held in memory, stand those alone
PICTURES = """SELECT coalesce(r.error, f.error, CASE WHEN list_contains(l.reasons, 'changed') THEN 'changed' END) AS error,
    coalesce(c.reason, d.reasons[1], l.reasons[1]) AS reason, d.relation AS relation
    FROM (FROM _sightings ANTI JOIN (SELECT record FROM _sightings SEMI JOIN _seen_again USING (key)
        QUALIFY row_number() OVER (PARTITION BY key ORDER BY record) > 1) USING (record)) r
    LEFT JOIN (SELECT key, error FROM _distinct WHERE error IS NOT NULL) f USING (key)
    LEFT JOIN (SELECT key, reasons[1] AS reason FROM _clean WHERE len(reasons) > 0) c USING (key)
    LEFT JOIN _related d USING (key) LEFT JOIN _lineart l USING (key)"""
FATE = "CASE WHEN error IS NOT NULL THEN 'failed' WHEN reason = 'duplicate' THEN 'duplicates' WHEN reason IS NOT NULL THEN 'rejected' ELSE 'kept' END"
WHY = "CASE WHEN error IS NOT NULL THEN error WHEN reason = 'duplicate' THEN relation ELSE reason END"
PAIRED = "SELECT count(*) AS n FROM _seen SEMI JOIN (SELECT key FROM _pairs) USING (key) ANTI JOIN _rejected USING (key) WHERE error IS NULL"


@dataclass(frozen=True)
class Funnel:
    """Counts that add up: found = repeated + failed + rejected + duplicates + kept."""

    found: int  # sightings
    repeated: int  # sightings of bytes seen before
    failed: dict[str, int]  # error → pictures
    rejected: dict[str, int]  # gravest reason → pictures
    duplicates: dict[str, int]  # relation → pictures dropped
    kept: int
    pairs: int  # of the kept, those with stored files
    samples: dict[str, int]  # split → samples

    def to_json(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self.__dataclass_fields__}


def remembered(workspace: Workspace) -> Funnel | None:
    """The funnel as it was last written down, if nothing has changed since: that takes no look at the tables."""
    path = _path(workspace)
    found = json.loads(path.read_bytes()) if path.exists() else {}
    return Funnel(**found["funnel"]) if found.get("state") == _state(workspace) else None


def remember(workspace: Workspace, funnel: Funnel) -> None:
    storage.publish_json(_path(workspace), {"state": _state(workspace), "funnel": funnel.to_json()})


def _state(workspace: Workspace) -> str:
    folders = ("records", "images", "edges", "relations", "pairs", "decisions")
    return recipe.fingerprint(VERSION, tables.state_of(*map(workspace.folder, folders)))


def _path(workspace: Workspace) -> Path:
    return workspace.folder("decisions") / "funnel.json"


def measure(views: Catalog) -> Funnel:
    """The funnel of a workspace as it stands."""
    rows = views.select(
        f"SELECT {FATE} AS fate, {WHY} AS why, count(*) AS n FROM ({PICTURES}) GROUP BY ALL"
    ).to_pylist()
    found = views.select("SELECT count(*) AS n FROM _sightings").column("n")[0].as_py()
    samples = views.select("SELECT split, count(*) AS n FROM samples GROUP BY split").to_pylist()
    return Funnel(
        found,
        found - sum(r["n"] for r in rows),
        _by_size(rows, "failed"),
        _by_size(rows, "rejected"),
        _by_size(rows, "duplicates"),
        sum(r["n"] for r in rows if r["fate"] == "kept"),
        views.select(PAIRED).column("n")[0].as_py(),
        {r["split"]: r["n"] for r in sorted(samples, key=lambda r: (-r["n"], r["split"]))},
    )


def _by_size(rows: Sequence[dict[str, Any]], fate: str) -> dict[str, int]:
    found = [(r["why"], r["n"]) for r in rows if r["fate"] == fate]
    return {str(why): n for why, n in sorted(found, key=lambda pair: (-pair[1], str(pair[0])))}


def lines(funnel: Funnel) -> list[tuple[str, str, str]]:
    """(what, how many, of which) of each step."""
    found = [
        ("found", funnel.found, {}),
        ("seen before, same bytes", funnel.repeated, {}),
        ("failed", sum(funnel.failed.values()), funnel.failed),
    ]
    found += [
        ("rejected", sum(funnel.rejected.values()), funnel.rejected),
        ("duplicates dropped", sum(funnel.duplicates.values()), funnel.duplicates),
    ]
    found += [
        ("kept", funnel.kept, {}),
        ("pairs", funnel.pairs, {}),
        ("samples", sum(funnel.samples.values()), funnel.samples),
    ]
    return [
        (what, f"{n:,}", " · ".join(f"{name} {k:,}" for name, k in parts.items())) for what, n, parts in found
    ]


def table(funnel: Funnel) -> Table:
    """The funnel as a table for the terminal."""
    drawn = Table(show_header=False, box=None, pad_edge=False)
    drawn.add_column(style="bold")
    drawn.add_column(justify="right")
    drawn.add_column(style="dim", overflow="fold")
    for row in lines(funnel):
        drawn.add_row(*row)
    return drawn
