"""Ingest: read every picture once, and keep what was seen of its bytes, pixels, measures and codes as rows.

A part is a row group of a plan. Its worker publishes images/part-*.parquet, then records/part-*.parquet: the
latter says it is done, and its footer what it was made with, so that a raised VERSION or limit recomputes
what depends on it and nothing else.
"""

from collections import Counter
from functools import partial

from anidata.catalog import gathered, tables
from anidata.engine.engine import Engine, Limits
from anidata.engine.job import Job
from anidata.fetch import Bounds
from anidata.sources import Options
from anidata.stages.ingest import fetching, plan, retries
from anidata.stages.ingest.config import Config, IngestPart, limits, made_with
from anidata.stages.ingest.measuring import fetch_lanes, measure_part
from anidata.workspace import Workspace


def run(job: Job) -> Counter[str]:
    """Finish what is open, ask again for what failed by what may pass, then take in new sightings.

    What is added, or asked for again, is a plan of its own.
    """
    workspace, config, request = job.workspace, job.recipe.ingest, job.request
    passing = set() if request.retry else retries.passing(workspace)
    counts = _work(workspace, config, job.engine)
    passing &= retries.passing(workspace) if passing else set()
    if passing and retries.plan_again(workspace, passing, config.part_size):
        counts += _work(workspace, config, job.engine)
    if request.retry and retries.add_failed(workspace, request.retry, config.part_size):
        counts += _work(workspace, config, job.engine)
    options = _options(workspace, config)
    if request.sources and plan.add_generation(workspace, request, options, config.part_size):
        counts += _work(workspace, config, job.engine)
    for name in ("records", "images"):
        gathered.gather(workspace, name)
    return counts


def is_up_to_date(job: Job) -> bool:
    """Whether all that is planned is done; whether the sources hold anything new only listing them tells."""
    return not open_parts(job.workspace, job.recipe.ingest)


def has_run(job: Job) -> bool:
    return job.workspace.folder("plan").exists()


def waiting(job: Job) -> str:
    count = len(open_parts(job.workspace, job.recipe.ingest))
    return f"{count} part{'s' * (count > 1)} open" if count else ""


def _options(workspace: Workspace, config: Config) -> Options:
    return Options(
        base=workspace.path,
        lines=config.lines,
        colors=config.colors,
        max_bytes=config.max_bytes,
        max_ratio=config.max_ratio,
        max_unpacked=config.max_unpacked,
        url_column=config.url_column,
        allow_private=config.fetch.allow_private,
        line_column=config.line_column,
    )


def open_parts(workspace: Workspace, config: Config) -> list[IngestPart]:
    """The parts that are planned and not done, or done with other versions or limits, or to try again."""
    made = made_with(config)
    unfinished = []
    for generation in plan.generations(workspace):
        for index, size in enumerate(tables.group_sizes(plan.plan_path(workspace, generation))):
            part = IngestPart(workspace, generation, index, size, config)
            before = part.noted()
            if before.get("made") != made or before.get("retry", 0):
                unfinished.append(part)
    return unfinished


def _work(workspace: Workspace, config: Config, engine: Engine) -> Counter[str]:
    bounds = Bounds(config.max_bytes, config.max_ratio)
    counts = fetching.run(workspace, config.fetch, bounds, partial(fetch_tasks, engine), engine.workers)
    todo = open_parts(workspace, config)
    if not todo:
        return counts
    total = sum(part.size for part in todo)
    for _, result in engine.map(measure_part, todo, limits=limits(config), label="ingest", total=total):
        counts += result
    return counts


def fetch_tasks(engine: Engine, tasks: list[fetching.Task]) -> Counter[str]:
    counts: Counter[str] = Counter()
    total = sum(part.size for task in tasks for part in task.parts)
    limitless = Limits(0, 0)
    for _, result in engine.map(
        fetch_lanes, tasks, limits=limitless, label="fetch", total=total, unit="URLs"
    ):
        counts += result
    return counts
