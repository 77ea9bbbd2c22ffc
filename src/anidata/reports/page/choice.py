"""What the page shows: of each reason the rejected nearest to its threshold, some of the kept, and the clusters most worth a look."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import pyarrow as pa

from anidata.catalog.catalog import Catalog
from anidata.pipeline import Recipe
from anidata.reports import funnel
from anidata.reports.funnel import Funnel
from anidata.reports.page import histograms, thresholds
from anidata.reports.page.histograms import Histogram
from anidata.reports.page.thresholds import Threshold
from anidata.stages.dedup import stage as dedup
from anidata.workspace import Workspace

DOUBTFUL = ("variant", "recolor")  # kept, though they look alike

Row = dict[str, Any]


@dataclass(frozen=True)
class Config:
    """How many of each are shown, at most."""

    each: int = 24  # pictures of a reason, files of an error
    kept: int = 24
    clusters: int = 40
    members: int = 8  # of a cluster, beside its keepers


@dataclass(frozen=True)
class Reason:
    """Pictures of which this is the gravest reason."""

    name: str
    rules: list[Threshold]  # that give it
    count: int
    shown: list[
        Row
    ]  # key, value, also (its other reasons), message: the nearest to the threshold first, copies last


@dataclass(frozen=True)
class Cluster:
    """Pictures that are copies or variants of each other."""

    name: str
    count: int
    kept: int
    members: list[list[Row]]  # by their keeper; key, keeper, relation, distance, keep, reasons, file …

    @property
    def more(self) -> int:
        """Pictures that aren't shown."""
        return self.count - len(
            {key for group in self.members for row in group for key in (row["key"], row["keeper"])}
        )


@dataclass(frozen=True)
class Choice:
    """All that the page tells, but for the pictures' pixels."""

    funnel: Funnel
    stages: dict[str, str]  # clean and dedup → "not run", "stale" or "up to date"
    histograms: list[Histogram]
    reasons: list[Reason]
    where: str  # clean's condition
    failed: dict[str, list[Row]]  # error → file, message
    kept: list[Row]
    clusters: list[Cluster]
    all_clusters: int
    files: dict[
        str, Row
    ]  # key → file, width, height, format, bytes, of all that is shown; null where nothing is known of it any more
    places: dict[str, list[Row]]  # key → where its bytes lie


def choose(workspace: Workspace, recipe: Recipe, config: Config) -> Choice:
    """Ask the catalog."""
    with Catalog(workspace) as views:
        rules = thresholds.of(views, recipe)
        found = funnel.remembered(workspace) or funnel.measure(views)
        reasons = _reasons(views, found, rules, config.each)
        kept = views.select(
            f"SELECT key FROM _decided WHERE status = 'ok' AND keep IS NOT FALSE ORDER BY md5(key), key LIMIT {config.kept}"
        ).to_pylist()
        clusters = list(_clusters(views, config))
        keys = {row["key"] for reason in reasons for row in reason.shown} | {row["key"] for row in kept}
        keys |= {
            key
            for c in clusters
            for group in c.members
            for row in group
            for key in (row["key"], row["keeper"])
        }
        files, places = _told(views, sorted(keys))
        return Choice(
            funnel=found,
            stages=_stages(workspace, recipe),
            histograms=histograms.measure(views, rules),
            reasons=reasons,
            where=recipe.clean.where,
            failed=_failed(views, found.failed, config.each),
            kept=kept,
            clusters=clusters,
            all_clusters=_all_clusters(views),
            files=files,
            places=places,
        )


def _stages(workspace: Workspace, recipe: Recipe) -> dict[str, str]:
    decisions = workspace.folder("decisions")
    current = {
        "clean": thresholds.is_current(workspace, recipe),
        "dedup": dedup.is_current(workspace, recipe.dedup),
    }
    run = {name: (decisions / f"{name}.parquet").exists() for name in current}
    return {name: "up to date" if current[name] else "stale" if run[name] else "not run" for name in current}


def _reasons(views: Catalog, found: Funnel, rules: Sequence[Threshold], most: int) -> list[Reason]:
    """In the order of the funnel: the most frequent first."""
    numbered = list(enumerate(rules))
    rule = " ".join(f"WHEN why = '{r.reason}' AND {r.broken} THEN {n}" for n, r in numbered)
    value = " ".join(f"WHEN {n} THEN ({r.value})::DOUBLE" for n, r in numbered)
    limit = " ".join(f"WHEN {n} THEN {r.limit!r}" for n, r in numbered)
    sql = f"""WITH broken AS (SELECT *, CASE WHEN false THEN -1 {rule} ELSE -1 END AS rule FROM (SELECT *, reasons[1] AS why FROM _decided
            WHERE status = 'ok' AND keep = false AND reasons[1] <> 'duplicate')),
        valued AS (SELECT *, CASE rule WHEN -1 THEN NULL::DOUBLE {value} END AS v, CASE rule WHEN -1 THEN NULL::DOUBLE {limit} END AS l FROM broken)
        SELECT why, unnest(min({{copy: list_contains(reasons, 'duplicate'), away: coalesce(abs(v - l), 0), key: key, value: v,
            also: reasons[2:], message: message}}, {most})) AS shown FROM valued GROUP BY why"""
    near: dict[str, list[Row]] = {}
    for row in views.select(sql).to_pylist():
        near.setdefault(row["why"], []).append(row["shown"])
    return [
        Reason(
            name,
            [r for r in rules if r.reason == name],
            n,
            sorted(near.get(name, []), key=lambda row: (row["copy"], row["away"], row["key"])),
        )
        for name, n in by_size(found.rejected)
    ]


def by_size(counts: dict[str, int]) -> list[tuple[str, int]]:
    """The most frequent first."""
    return sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))


def _failed(views: Catalog, failed: dict[str, int], most: int) -> dict[str, list[Row]]:
    sql = f"""SELECT error, unnest(min({{record: record, file: file, message: message}}, {most})) AS shown FROM _told
        WHERE status <> 'ok' GROUP BY error"""
    found: dict[str, list[Row]] = {}
    for row in sorted(views.select(sql).to_pylist(), key=lambda row: (row["error"], row["shown"]["record"])):
        found.setdefault(row["error"], []).append(row["shown"])
    return {name: found[name] for name, _ in by_size(failed) if name in found}


def _clusters(views: Catalog, config: Config) -> Iterator[Cluster]:
    """Those first where pictures that look alike are all kept, then by the farthest copy, then by size."""
    doubtful = f"coalesce(keep AND relation IN ({', '.join(repr(r) for r in DOUBTFUL)}), false)"
    sql = f"""SELECT cluster, count(*) AS n, count(*) FILTER (keep) AS kept, bool_or({doubtful}) AS doubtful FROM _decided WHERE relation <> 'single' GROUP BY cluster
        ORDER BY doubtful DESC, max(distance) DESC NULLS LAST, n DESC, cluster LIMIT {config.clusters}"""
    chosen = views.select(sql)
    sql = f"""SELECT key, cluster, keeper, relation, distance, keep, reasons, {doubtful} AS doubtful FROM _decided SEMI JOIN _chosen USING (cluster)
        WHERE keeper <> key QUALIFY row_number() OVER (PARTITION BY cluster ORDER BY doubtful DESC, distance DESC, key) <= {config.members}"""
    rows = views.select(sql, _chosen=chosen.select(["cluster"])).to_pylist()
    rows.sort(key=lambda r: (r["cluster"], not r["doubtful"], -(r["distance"] or 0), r["key"]))
    members = {name: list(group) for name, group in groupby(rows, key=lambda row: row["cluster"])}
    for row in chosen.to_pylist():
        yield Cluster(row["cluster"], row["n"], row["kept"], _by_keeper(members.get(row["cluster"], [])))


def _all_clusters(views: Catalog) -> int:
    answer = views.select("SELECT count(DISTINCT cluster) AS n FROM _decided WHERE relation <> 'single'")
    return int(answer.column("n")[0].as_py())


def _by_keeper(rows: list[Row]) -> list[list[Row]]:
    groups: dict[str, list[Row]] = {}
    for row in rows:
        groups.setdefault(row["keeper"], []).append(row)
    return list(groups.values())


def _told(views: Catalog, keys: list[str]) -> tuple[dict[str, Row], dict[str, list[Row]]]:
    """What is said of the pictures with these keys, and where they lie."""
    shown = pa.table({"key": pa.array(keys, pa.string())})
    files = views.select(
        "SELECT key, file, width, height, format, bytes FROM (FROM _seen SEMI JOIN _shown USING (key)) JOIN _merged USING (key)",
        _shown=shown,
    )
    places = views.select("SELECT key, places FROM _places SEMI JOIN _shown USING (key)", _shown=shown)
    unknown = {key: dict.fromkeys(files.column_names) for key in keys}
    return unknown | {r["key"]: r for r in files.to_pylist()}, {
        r["key"]: r["places"] for r in places.to_pylist()
    }
