"""Clean: keep or reject each picture by thresholds on its columns, and name every rule that it broke.

No picture is opened.
"""

from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from anidata import recipe
from anidata.catalog import schemas, tables
from anidata.catalog.catalog import Catalog
from anidata.catalog.decisions import Threshold
from anidata.catalog.sealed import Sealed
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
READABLE = "_seen WHERE error IS NULL"


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
    sql = f"SELECT key, {columns(views, config, target)} FROM {READABLE}"
    for batch in _read_ahead(views.batches(sql, SLICE)):
        keys, broken = batch.column("key"), margins(batch, config)
        if len(failing):
            fails = pc.is_in(keys, failing).to_numpy(zero_copy_only=False)
            broken = np.vstack([broken, fails * LEAST_MARGIN])
        yield pa.RecordBatch.from_arrays([keys, _named(broken)], schema=DECISION.schema)


def _read_ahead(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """The same; the next slice is read by another thread while one is decided on."""
    with ThreadPoolExecutor(1) as reader:
        coming = reader.submit(next, batches, None)
        while (batch := coming.result()) is not None:
            coming = reader.submit(next, batches, None)
            yield batch


def columns(views: Catalog, config: Config, target: Target) -> str:
    """The SQL of every rule's value, as a column named by its reason."""
    by_reason = expressions(views, config, target)
    return ", ".join(f"({sql})::DOUBLE AS {reason}" for reason, sql in by_reason.items())


def expressions(views: Catalog, config: Config, target: Target) -> dict[str, str]:
    """Reason → SQL of the value that the rule looks at."""
    values_of = {
        "$enlargement": ENLARGEMENT[target.fit].replace("$size", str(target.size)),
        "$outlier": _outlier(views) if config.max_outlier else "NULL",
        "$max_flatness": repr(config.max_flatness),
    }
    return {rule.reason: _filled(rule.value, values_of) for rule in RULES}


def _filled(sql: str, values_of: dict[str, str]) -> str:
    """SQL with each of these names replaced by its value."""
    for name, value in values_of.items():
        sql = sql.replace(name, value)
    return sql


def margins(pictures: pa.RecordBatch | pa.Table, config: Config) -> Values:
    """(rules, pictures): how far each rule is broken."""
    return np.stack([margin(values(pictures, r), getattr(config, r.setting), r) for r in RULES])


def values(pictures: pa.RecordBatch | pa.Table, rule: Rule) -> Values:
    """A rule's column; nan where there is no value."""
    return np.asarray(pictures.column(rule.reason).to_numpy(zero_copy_only=False), np.float64)


def _failing(workspace: Workspace, where: str) -> pa.Array:
    """The keys for which the recipe's own condition isn't true."""
    if not where:
        return pa.array([], pa.string())
    with Sealed(workspace) as views:
        return pa.array(sorted(views.failing(where)), pa.string())


def _named(broken: Values) -> pa.ListArray:
    """The names of the rules that each picture broke, by falling margin.

    broken: (rules, pictures), margins.
    """
    counts = np.count_nonzero(broken > 0, axis=0)
    rejected = np.flatnonzero(counts)
    order = np.argsort(-broken[:, rejected], axis=0, kind="stable").T
    is_named = np.arange(len(broken)) < counts[rejected, None]
    names = pa.array([*(rule.reason for rule in RULES), WHERE], pa.string())
    offsets = pa.array(np.concatenate([[0], np.cumsum(counts)]), pa.int32())
    return pa.ListArray.from_arrays(offsets, names.take(pa.array(order[is_named])))


def _outlier(views: Catalog) -> str:
    """SQL of the root mean square of a picture's robust z-scores, over the measures that vary.

    Such a score is the distance from the median by the span of nine tenths.
    """
    scores = [
        f"least(abs({name} - {middle!r}) / {unit!r}, {FAR}) ** 2"
        for name, (middle, unit) in _spread(views).items()
    ]
    return f"sqrt(({' + '.join(scores)}) / {len(scores)})" if scores else "NULL"


def _spread(views: Catalog) -> dict[str, tuple[float, float]]:
    """The median and the standard deviation, by the span of nine tenths, of each measure that varies."""
    names = [name for name, kind in schemas.measures().items() if _is_number(kind)]
    asked = ", ".join(f"quantile_cont({name}, [0.05, 0.5, 0.95])::DOUBLE[] AS {name}" for name in names)
    quantiles = views.select(f"SELECT {asked} FROM {READABLE}").to_pylist()[0]
    return {
        name: (levels[1], (levels[2] - levels[0]) / SPAN)
        for name, levels in quantiles.items()
        if levels and levels[2] > levels[0]  # null without pictures
    }


def _is_number(kind: pa.DataType) -> bool:
    return bool(pa.types.is_floating(kind) or pa.types.is_integer(kind))
