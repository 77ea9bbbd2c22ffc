"""Clean: keep or reject each picture by thresholds on its columns, and name every rule that it broke. No picture is opened."""

from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import reduce

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from anidata import recipe
from anidata.catalog import schemas, tables
from anidata.catalog.catalog import Catalog, Sealed
from anidata.catalog.decisions import Threshold
from anidata.engine.job import Job
from anidata.stages.clean.config import Config, Target
from anidata.stages.clean.decision import DECISION, WHERE
from anidata.stages.clean.rules import RULES, Rule, Values, margin
from anidata.workspace import Workspace

VERSION = 2
SLICE = 1 << 14  # pictures decided at once
LEAST_MARGIN = np.nextafter(0, 1)  # of `where`, which knows no more or less: it stands last
ENLARGEMENT = {  # times that a picture is enlarged to fill the page of a data set, by how it is fitted
    "pad": "$size / greatest(width, height)",
    "crop": "$size / least(width, height)",
    "bucket": "$size / sqrt(width::DOUBLE * height)",
}
SPAN = 3.29  # standard deviations from the 5th to the 95th percentile
FAR = 10.0  # deviations beyond which one number counts no more


def run(job: Job) -> Counter[str]:
    """Decide again if a threshold or a column has changed."""
    return judge(job.workspace, job.recipe.clean, target(job))


def is_up_to_date(job: Job) -> bool:
    return _is_up_to_date(job.workspace, job.recipe.clean, target(job))


def target(job: Job) -> Target:
    """The sizes that pictures are judged by."""
    return Target(job.recipe.lineart.size, job.recipe.lineart.fit)


def thresholds(views: Catalog, job: Job) -> list[Threshold]:
    """The rules that are on, in their order."""
    config: Config = job.recipe.clean
    sql = expressions(views, config, target(job))
    return [
        Threshold(
            stage="clean",
            reason=rule.reason,
            setting=rule.setting,
            about=rule.value.removeprefix("$"),
            value=sql[rule.reason],
            limit=float(getattr(config, rule.setting)),
            least=rule.least,
        )
        for rule in RULES
        if getattr(config, rule.setting) != rule.off
    ]


def judge(
    workspace: Workspace,
    config: Config,
    target: Target = Target(),  # noqa: B008  frozen
) -> Counter[str]:
    """Decide by these settings, if that has not been done."""
    if _is_up_to_date(workspace, config, target):
        return Counter()
    made = {"state": state(workspace, config, target)}
    with Catalog(workspace, decided=False) as views:
        batches = decide(views, workspace, config, target)
        decided = tables.write_batches(DECISION.path(workspace), batches, DECISION.schema, made)
    return Counter(decided=decided)


def state(workspace: Workspace, config: Config, target: Target) -> str:
    """Changes with anything that the decisions depend on."""
    aim = target if config.max_enlargement else None
    seen = tables.state_of(workspace.folder("images"), workspace.folder("records"))
    return recipe.fingerprint(VERSION, config, aim, seen)


def _is_up_to_date(workspace: Workspace, config: Config, target: Target) -> bool:
    return bool(tables.made_from(DECISION.path(workspace)).get("state") == state(workspace, config, target))


def decide(views: Catalog, workspace: Workspace, config: Config, target: Target) -> Iterator[pa.RecordBatch]:
    """Key and reasons of every readable picture, the gravest (largest margin) first, a slice at a time."""
    failing = _failing(workspace, config.where)
    for batch in _read_ahead(
        views.batches(f"SELECT key, {columns(views, config, target)} FROM _seen WHERE error IS NULL", SLICE)
    ):
        keys, found = batch.column("key"), margins(batch, config)
        if len(failing):
            found = np.vstack([found, pc.is_in(keys, failing).to_numpy(zero_copy_only=False) * LEAST_MARGIN])
        yield pa.RecordBatch.from_arrays([keys, _named(found)], schema=DECISION.schema)


def _read_ahead(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """The same; the next slice is read by another thread while one is decided on."""
    with ThreadPoolExecutor(1) as reader:
        coming = reader.submit(next, batches, None)
        while (batch := coming.result()) is not None:
            coming = reader.submit(next, batches, None)
            yield batch


def columns(views: Catalog, config: Config, target: Target) -> str:
    """The SQL of every rule's value, as a column named by its reason."""
    return ", ".join(
        f"({sql})::DOUBLE AS {reason}" for reason, sql in expressions(views, config, target).items()
    )


def expressions(views: Catalog, config: Config, target: Target) -> dict[str, str]:
    """Reason → SQL of the value that the rule looks at."""
    told = {
        "$enlargement": ENLARGEMENT[target.fit].replace("$size", str(target.size)),
        "$outlier": _outlier(views) if config.max_outlier else "NULL",
        "$max_flatness": repr(config.max_flatness),
    }
    return {r.reason: reduce(lambda sql, name: sql.replace(name, told[name]), told, r.value) for r in RULES}


def margins(pictures: pa.RecordBatch | pa.Table, config: Config) -> Values:
    """(rules, pictures): how far each rule is broken."""
    return np.stack([margin(values(pictures, r), getattr(config, r.setting), r) for r in RULES])


def values(pictures: pa.RecordBatch | pa.Table, rule: Rule) -> Values:
    """A rule's column; nan where there is no value."""
    return np.asarray(pictures.column(rule.reason).to_numpy(zero_copy_only=False), np.float64)


def _failing(workspace: Workspace, where: str) -> pa.Array:
    if not where:
        return pa.array([], pa.string())
    with Sealed(workspace) as views:
        return pa.array(sorted(views.failing(where)), pa.string())


def _named(found: Values) -> pa.ListArray:
    """The names of the rules that each picture broke, by falling margin."""
    counts = np.count_nonzero(found > 0, axis=0)
    rejected = np.flatnonzero(counts)
    order = np.argsort(-found[:, rejected], axis=0, kind="stable").T
    broken = np.arange(len(found)) < counts[rejected, None]
    names = pa.array([*(r.reason for r in RULES), WHERE], pa.string())
    offsets = pa.array(np.concatenate([[0], np.cumsum(counts)]), pa.int32())
    return pa.ListArray.from_arrays(offsets, names.take(pa.array(order[broken])))


def _outlier(views: Catalog) -> str:
    """SQL of the root mean square of a picture's robust z-scores (distance from the median by the span of nine tenths), over the measures that vary."""
    names = [
        name
        for name, kind in schemas.measures().items()
        if pa.types.is_floating(kind) or pa.types.is_integer(kind)
    ]
    asked = ", ".join(f"quantile_cont({n}, [0.05, 0.5, 0.95])::DOUBLE[] AS {n}" for n in names)
    found = views.select(f"SELECT {asked} FROM _seen WHERE error IS NULL").to_pylist()[0]
    spread = {
        n: (q[1], (q[2] - q[0]) / SPAN) for n, q in found.items() if q and q[2] > q[0]
    }  # null without pictures
    scores = [f"least(abs({n} - {middle!r}) / {unit!r}, {FAR}) ** 2" for n, (middle, unit) in spread.items()]
    return f"sqrt(({' + '.join(scores)}) / {len(scores)})" if scores else "NULL"
