"""Ingest: read every picture once, and keep what was seen of its bytes, pixels, measures and codes as rows.

A part is a row group of a plan. Its worker publishes images/part-*.parquet, then records/part-*.parquet: the
latter says it is done, and its footer what it was made with, so that a raised VERSION or limit recomputes
what depends on it and nothing else.
"""

from collections import Counter
from pathlib import Path

from anidata.catalog import gathered
from anidata.engine import progress
from anidata.engine.job import Job, Request
from anidata.imaging.admission import admit
from anidata.sources import Options
from anidata.stages.ingest import limit, plan, retries
from anidata.stages.ingest.config import Config
from anidata.stages.ingest.foreign import lister
from anidata.stages.ingest.unfinished import has_journals, open_parts
from anidata.storage import readable
from anidata.workspace import Workspace

NAMED = 3  # folders that are passed by, named in a note


def run(job: Job) -> Counter[str]:
    """Finish what is open, ask again for what failed by what may pass, then take in new sightings.

    What is added, or asked for again, is a plan of its own.
    """
    workspace, config, request = job.workspace, job.recipe.ingest, limit.request_of(job)
    admit(workspace)
    passing = set() if request.retry else retries.passing(workspace)
    counts = _work(job)
    passing &= retries.passing(workspace) if passing else set()
    if passing and retries.plan_again(workspace, passing, config.part_size):
        counts += _work(job)
    if request.retry and retries.add_failed(workspace, request.retry, config.part_size):
        counts += _work(job)
    options = _options(workspace, config)
    added = _add_sightings(job, request, options) if request.sources else 0
    _say_passed_by(workspace, options.passed_by)
    if added:
        counts += _work(job)
    for name in ("records", "images"):
        gathered.gather(workspace, name)
    return counts


def _add_sightings(job: Job, request: Request, options: Options) -> int:
    with lister(job.engine) as one:
        size = job.recipe.ingest.part_size
        return plan.add_generation(job.workspace, request, options, size, one.records)


def _say_passed_by(workspace: Workspace, folders: set[Path]) -> None:
    """Tell how many folders of anidata's own lie in the sources, this workspace's aside."""
    home = workspace.path.resolve()
    others = sorted(folder for folder in folders if folder.resolve() != home)
    if others:
        names = ", ".join(readable(str(folder)) for folder in others[:NAMED]) + ", …" * (len(others) > NAMED)
        many = "s" * (len(others) > 1)
        progress.say(f"passed by {len(others):,} folder{many} that anidata made, in the sources: {names}")


def is_up_to_date(job: Job) -> bool:
    """Whether nothing is asked for, all that is planned is done, and nothing that failed is asked again.

    Whether a source holds anything new only listing it tells.
    """
    if job.request.sources or job.request.retry or open_parts(job.workspace, job.recipe.ingest):
        return False
    return not retries.passing(job.workspace)


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


def _work(job: Job) -> Counter[str]:
    """Work through what is planned and not done; without open parts there is nothing to fetch either."""
    if not open_parts(job.workspace, job.recipe.ingest) and not has_journals(job.workspace):
        return Counter()
    from anidata.stages.ingest.work import work  # noqa: PLC0415  mostly there is none

    return work(job.workspace, job.recipe.ingest, job.engine)
