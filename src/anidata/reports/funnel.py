"""The funnel: of all sightings, how many failed, were rejected and why, were copies, and became samples."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from string import Template
from typing import Any, TypedDict

from rich.table import Table

from anidata import recipe, storage
from anidata.catalog import decisions, tables
from anidata.catalog.catalog import Catalog
from anidata.catalog.damage import read_json
from anidata.errors import DamagedError
from anidata.workspace import Workspace

VERSION = 1
DEDUP = "dedup"  # the decision whose drops are counted by their relation, apart from the rejected
# A sighting of each picture with what is told of few: on the right side of each join, which is held in
# memory, stand those alone.
PICTURES = """
SELECT coalesce(r.error, f.error, CASE WHEN 'changed' IN ($reasons) THEN 'changed' END) AS error,
    coalesce($reasons) AS reason, _related.relation AS relation
FROM (
    FROM _sightings ANTI JOIN (
        SELECT record FROM _sightings SEMI JOIN _seen_again USING (key)
        QUALIFY row_number() OVER (PARTITION BY key ORDER BY record) > 1
    ) USING (record)
) r
LEFT JOIN (SELECT key, error FROM _distinct WHERE error IS NOT NULL) f USING (key)
$joins
LEFT JOIN _related USING (key)
"""
COUNTS = """
SELECT CASE WHEN error IS NOT NULL THEN 'failed' WHEN reason = 'duplicate' THEN 'duplicates'
        WHEN reason IS NOT NULL THEN 'rejected' ELSE 'kept' END AS fate,
    CASE WHEN error IS NOT NULL THEN error WHEN reason = 'duplicate' THEN relation ELSE reason END AS why,
    count(*) AS n
FROM ($pictures) GROUP BY ALL
"""
PAIRED = """
SELECT count(*) AS n
FROM _seen SEMI JOIN (SELECT key FROM _pairs) USING (key) ANTI JOIN _rejected USING (key)
WHERE error IS NULL
"""


@dataclass(frozen=True, kw_only=True)
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


class _Noted(TypedDict):
    """funnel.json."""

    state: str
    funnel: Funnel


def remembered(workspace: Workspace) -> Funnel | None:
    """The funnel as it was last written down, if nothing has changed since.

    That takes no look at the tables.
    """
    try:
        noted = read_json(_path(workspace), _Noted)
    except (FileNotFoundError, DamagedError):
        return None
    return noted["funnel"] if noted["state"] == _state(workspace) else None


def remember(workspace: Workspace, funnel: Funnel) -> None:
    storage.publish_json(_path(workspace), {"state": _state(workspace), "funnel": funnel.to_json()})


def _state(workspace: Workspace) -> str:
    folders = ("records", "images", "edges", "place_edges", "relations", "pairs", "decisions")
    return recipe.fingerprint(VERSION, tables.state_of(*map(workspace.folder, folders)))


def _path(workspace: Workspace) -> Path:
    return workspace.folder("decisions") / "funnel.json"


def measure(views: Catalog) -> Funnel:
    """The funnel of a workspace as it stands."""
    rows = views.select(_counts()).to_pylist()
    sightings = views.select("SELECT count(*) AS n FROM _sightings").column("n")[0].as_py()
    samples = views.select("SELECT split, count(*) AS n FROM samples GROUP BY split").to_pylist()
    return Funnel(
        found=sightings,
        repeated=sightings - sum(r["n"] for r in rows),
        failed=_by_size(rows, "failed"),
        rejected=_by_size(rows, "rejected"),
        duplicates=_by_size(rows, "duplicates"),
        kept=sum(r["n"] for r in rows if r["fate"] == "kept"),
        pairs=views.select(PAIRED).column("n")[0].as_py(),
        samples={r["split"]: r["n"] for r in sorted(samples, key=lambda r: (-r["n"], r["split"]))},
    )


def _counts() -> str:
    """SQL: how many pictures had which fate, and why; the first stage that rejects one says why."""
    names = [decision.name for decision in decisions.decisions()]
    reasons = ["_related.reasons[1]" if name == DEDUP else f"{name}_.reason" for name in names]
    joins = [_join_of_reasons(name) for name in names if name != DEDUP]
    pictures = Template(PICTURES).substitute(reasons=", ".join(reasons), joins="\n".join(joins))
    return Template(COUNTS).substitute(pictures=pictures)


def _join_of_reasons(name: str) -> str:
    """SQL: the gravest reason of each picture that a decision rejects."""
    reasons = f"SELECT key, reasons[1] AS reason FROM _{name} WHERE len(reasons) > 0"
    return f"LEFT JOIN ({reasons}) {name}_ USING (key)"


def _by_size(rows: Sequence[dict[str, Any]], fate: str) -> dict[str, int]:
    """Why pictures had a fate → how many, the most frequent first."""
    counts = [(r["why"], r["n"]) for r in rows if r["fate"] == fate]
    return {str(why): n for why, n in sorted(counts, key=lambda pair: (-pair[1], str(pair[0])))}


def lines(funnel: Funnel) -> list[tuple[str, str, str]]:
    """(step, how many, of which) of each step."""
    steps: list[tuple[str, int, dict[str, int]]] = [
        ("found", funnel.found, {}),
        ("seen before, same bytes", funnel.repeated, {}),
        ("failed", sum(funnel.failed.values()), funnel.failed),
        ("rejected", sum(funnel.rejected.values()), funnel.rejected),
        ("duplicates dropped", sum(funnel.duplicates.values()), funnel.duplicates),
        ("kept", funnel.kept, {}),
        ("pairs", funnel.pairs, {}),
        ("samples", sum(funnel.samples.values()), funnel.samples),
    ]
    return [(step, f"{count:,}", _causes(causes)) for step, count, causes in steps]


def _causes(causes: dict[str, int]) -> str:
    return " · ".join(f"{name} {count:,}" for name, count in causes.items())


def table(funnel: Funnel) -> Table:
    """The funnel as a table for the terminal."""
    drawn = Table(show_header=False, box=None, pad_edge=False)
    drawn.add_column(style="bold")
    drawn.add_column(justify="right")
    drawn.add_column(style="dim", overflow="fold")
    for row in lines(funnel):
        drawn.add_row(*row)
    return drawn
