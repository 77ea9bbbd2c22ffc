"""The contents of the page.

Of each reason the rejected nearest to its threshold, some of the kept, the clusters most worth a look.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from string import Template
from typing import Any, TypedDict

import pyarrow as pa

from anidata import pipeline, registry
from anidata.catalog import tables
from anidata.catalog.catalog import Catalog
from anidata.catalog.decisions import Threshold
from anidata.engine.job import Job
from anidata.reports import funnel
from anidata.reports.funnel import Funnel
from anidata.reports.page import histograms
from anidata.reports.page.histograms import Histogram
from anidata.stages.dedup import binding
from anidata.stages.dedup.binding import Bridge
from anidata.stages.dedup.decision import DECISION
from anidata.storage import Location

DOUBTFUL = ("variant", "recolor", "overlay", "part")  # kept, though they look alike

KEPT = """
SELECT key FROM _decided WHERE status = 'ok' AND keep IS NOT FALSE ORDER BY md5(key), key LIMIT $most
"""
NEAREST = """
WITH broken AS (
    SELECT *, CASE WHEN false THEN -1 $rules ELSE -1 END AS rule
    FROM (
        SELECT *, reasons[1] AS gravest FROM _decided
        WHERE status = 'ok' AND keep = false AND reasons[1] <> 'duplicate'
    )
),
valued AS (
    SELECT *, CASE rule WHEN -1 THEN NULL::DOUBLE $values END AS v,
        CASE rule WHEN -1 THEN NULL::DOUBLE $limits END AS l
    FROM broken
)
SELECT gravest, unnest(min({
    copy: list_contains(reasons, 'duplicate'), away: coalesce(abs(v - l), 0), key: key, value: v,
    also: reasons[2:], message: message
}, $most)) AS shown
FROM valued GROUP BY gravest
"""
FAILED = """
SELECT error, unnest(min({record: record, file: file, message: message}, $most)) AS shown FROM _told
WHERE status <> 'ok' GROUP BY error
"""
CLUSTERS = f"""
SELECT cluster, count(*) AS n, count(*) FILTER (keep) AS kept,
    bool_or(coalesce(keep AND relation IN {DOUBTFUL}, false)) AS doubtful
FROM _decided WHERE relation <> 'single' GROUP BY cluster
ORDER BY doubtful DESC, max(distance) DESC NULLS LAST, n DESC, cluster LIMIT $most
"""
MEMBERS = f"""
SELECT key, cluster, keeper, relation, distance, why, keep, reasons,
    coalesce(keep AND relation IN {DOUBTFUL}, false) AS doubtful
FROM _decided SEMI JOIN _chosen USING (cluster) WHERE keeper <> key
QUALIFY row_number() OVER (PARTITION BY cluster ORDER BY doubtful DESC, distance DESC, key) <= $most
"""
FILES = """
SELECT key, file, width, height, format, bytes
FROM (FROM _seen SEMI JOIN _shown USING (key)) JOIN _merged USING (key)
"""


class Rejected(TypedDict):
    """A rejected picture."""

    copy: bool  # dedup would drop it too
    away: float  # from the threshold
    key: str
    value: float | None
    also: list[str]  # its other reasons
    message: str | None


class Failed(TypedDict):
    """A sighting that couldn't be read."""

    record: str
    file: str
    message: str | None


class Kept(TypedDict):
    """A picture that is kept."""

    key: str


class Member(TypedDict):
    """A picture of a cluster that isn't its own keeper."""

    key: str
    cluster: str
    keeper: str
    relation: str
    distance: int | None  # bits
    why: str | None  # its keeper stands before it: a code
    keep: bool | None
    reasons: list[str]
    doubtful: bool


class File(TypedDict):
    """A picture's file; null where nothing is known of it any more."""

    key: str | None
    file: str | None
    width: int | None
    height: int | None
    format: str | None
    bytes: int | None


@dataclass(frozen=True)
class Config:
    """How many of each are shown, at most."""

    each: int = 24  # pictures of a reason, files of an error
    kept: int = 24
    clusters: int = 40
    members: int = 8  # of a cluster, beside its keepers
    bridges: int = 40


@dataclass(frozen=True)
class Reason:
    """Pictures of which this is the gravest reason."""

    name: str
    rules: list[Threshold]  # that give it
    count: int
    shown: list[Rejected]  # the nearest to the threshold first, copies last


@dataclass(frozen=True)
class Cluster:
    """Pictures that are copies or variants of each other."""

    name: str
    count: int
    kept: int
    members: list[list[Member]]  # by their keeper

    @property
    def keys(self) -> set[str]:
        """The pictures that are shown."""
        return {key for group in self.members for row in group for key in (row["key"], row["keeper"])}

    @property
    def more(self) -> int:
        """Pictures that aren't shown."""
        return self.count - len(self.keys)


@dataclass(frozen=True, kw_only=True)
class Choice:
    """All that the page tells, but for the pictures' pixels."""

    funnel: Funnel
    stages: dict[str, str]  # stages that decide on each picture → "not run", "stale" or "up to date"
    histograms: list[Histogram]
    reasons: list[Reason]
    where: str  # clean's condition
    failed: dict[str, list[Failed]]  # by error
    kept: list[Kept]
    clusters: list[Cluster]
    all_clusters: int
    bridges: list[Bridge]  # some: links by places that alone hold two parts of a cluster together
    all_bridges: int
    parts_apart: int  # links by a shared part between two clusters
    files: dict[str, File]  # key → its file, of all that is shown
    places: dict[str, list[Location]]  # key → where its bytes lie


def choose(job: Job, config: Config) -> Choice:
    """Ask the catalog."""
    with Catalog(job.workspace) as views:
        rules = [rule for stage in registry.stages() for rule in _thresholds(stage, views, job)]
        counts = funnel.remembered(job.workspace) or funnel.measure(views)
        reasons = _reasons(views, counts, rules, config.each)
        kept: list[Kept] = _asked(views, KEPT, most=config.kept)
        clusters = list(_clusters(views, config))
        keys = {row["key"] for reason in reasons for row in reason.shown} | {row["key"] for row in kept}
        keys |= {key for cluster in clusters for key in cluster.keys}
        made = tables.made_from(DECISION.path(job.workspace))
        bridges = binding.noted(made)
        keys |= {key for bridge in bridges[: config.bridges] for key in bridge[:2]}
        shown = pa.table({"key": pa.array(sorted(keys), pa.string())})
        return Choice(
            funnel=counts,
            stages=_stages(job),
            histograms=histograms.measure(views, rules),
            reasons=reasons,
            where=job.recipe.clean.where,
            failed=_failed(views, counts.failed, config.each),
            kept=kept,
            clusters=clusters,
            all_clusters=_all_clusters(views),
            bridges=bridges[: config.bridges],
            all_bridges=max(len(bridges), binding.count_of(made, "all_bridges")),
            parts_apart=binding.count_of(made, "parts_apart"),
            files=_files(views, shown),
            places=_places(views, shown),
        )


def _asked(views: Catalog, sql: str, **words: Any) -> list[Any]:
    rows: list[Any] = views.select(Template(sql).substitute(words)).to_pylist()
    return rows


def _thresholds(stage: Any, views: Catalog, job: Job) -> list[Threshold]:
    return stage.thresholds(views, job) if hasattr(stage, "thresholds") else []


def _stages(job: Job) -> dict[str, str]:
    """How far the stages are that decide on each picture."""
    deciding = [name for name in registry.STAGES if hasattr(registry.stage(name), "DECISION")]
    whole = [name for name in deciding if registry.stage(name).DECISION.whole]
    return {registry.stage(name).SETTINGS: pipeline.progress(name, job) for name in whole}


def _reasons(views: Catalog, counts: Funnel, rules: Sequence[Threshold], most: int) -> list[Reason]:
    """In the order of the funnel: the most frequent first."""
    numbered = list(enumerate(rules))
    rows = _asked(
        views,
        NEAREST,
        rules=" ".join(f"WHEN gravest = '{r.reason}' AND {r.broken} THEN {n}" for n, r in numbered),
        values=" ".join(f"WHEN {n} THEN ({r.value})::DOUBLE" for n, r in numbered),
        limits=" ".join(f"WHEN {n} THEN {r.limit!r}" for n, r in numbered),
        most=most,
    )
    near: dict[str, list[Rejected]] = {}
    for row in rows:
        near.setdefault(row["gravest"], []).append(row["shown"])
    reasons = []
    for name, count in by_size(counts.rejected):
        given_by = [rule for rule in rules if rule.reason == name]
        reasons.append(Reason(name, given_by, count, sorted(near.get(name, []), key=_nearness)))
    return reasons


def _nearness(row: Rejected) -> tuple[bool, float, str]:
    return row["copy"], row["away"], row["key"]


def by_size(counts: dict[str, int]) -> list[tuple[str, int]]:
    """The most frequent first."""
    return sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))


def _failed(views: Catalog, failed: dict[str, int], most: int) -> dict[str, list[Failed]]:
    rows = _asked(views, FAILED, most=most)
    rows.sort(key=lambda row: (row["error"], row["shown"]["record"]))
    by_error: dict[str, list[Failed]] = {}
    for row in rows:
        by_error.setdefault(row["error"], []).append(row["shown"])
    return {name: by_error[name] for name, _ in by_size(failed) if name in by_error}


def _clusters(views: Catalog, config: Config) -> Iterator[Cluster]:
    """Those first where pictures that look alike are all kept, then by the farthest copy, then by size."""
    chosen = views.select(Template(CLUSTERS).substitute(most=config.clusters))
    asked = Template(MEMBERS).substitute(most=config.members)
    rows: list[Member] = views.select(asked, _chosen=chosen.select(["cluster"])).to_pylist()
    rows.sort(key=lambda row: (row["cluster"], not row["doubtful"], -(row["distance"] or 0), row["key"]))
    members = {name: list(group) for name, group in groupby(rows, key=lambda row: row["cluster"])}
    for row in chosen.to_pylist():
        yield Cluster(row["cluster"], row["n"], row["kept"], _by_keeper(members.get(row["cluster"], [])))


def _all_clusters(views: Catalog) -> int:
    answer = views.select("SELECT count(DISTINCT cluster) AS n FROM _decided WHERE relation <> 'single'")
    return int(answer.column("n")[0].as_py())


def _by_keeper(rows: list[Member]) -> list[list[Member]]:
    groups: dict[str, list[Member]] = {}
    for row in rows:
        groups.setdefault(row["keeper"], []).append(row)
    return list(groups.values())


def _files(views: Catalog, shown: pa.Table) -> dict[str, File]:
    answer = views.select(FILES, _shown=shown)
    files: dict[str, Any] = {
        key: dict.fromkeys(answer.column_names) for key in shown.column("key").to_pylist()
    }
    files.update((row["key"], row) for row in answer.to_pylist())
    return files


def _places(views: Catalog, shown: pa.Table) -> dict[str, list[Location]]:
    answer = views.select("SELECT key, places FROM _places SEMI JOIN _shown USING (key)", _shown=shown)
    return {row["key"]: row["places"] for row in answer.to_pylist()}
