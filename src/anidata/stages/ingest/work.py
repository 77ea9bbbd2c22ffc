"""Work through what is planned: fetch what lies on the web, then read and measure."""

from collections import Counter
from functools import partial

from anidata.engine.engine import Engine, Limits
from anidata.fetch import Bounds
from anidata.stages.ingest import fetching
from anidata.stages.ingest.config import Config, limits
from anidata.stages.ingest.measuring import fetch_lanes, measure_part
from anidata.stages.ingest.unfinished import open_parts
from anidata.workspace import Workspace


def work(workspace: Workspace, config: Config, engine: Engine) -> Counter[str]:
    """Counts of what was fetched and measured."""
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
