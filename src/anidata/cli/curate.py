"""The commands that make a data set: run, and one for each stage."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer
import typer.core

from anidata import registry
from anidata.cli.common import app, held_workspace, show, show_stage, started_engine, to_json
from anidata.cli.options import (
    AllowPrivate,
    IgnoreOptOut,
    Json,
    Limit,
    LineColumn,
    RecipeName,
    Refresh,
    Reset,
    Settings,
    Sources,
    UrlColumn,
    Work,
    Workers,
)

RecipeWord = Annotated[
    str, typer.Argument(metavar="RECIPE", help="A recipe by name (see: anidata list pipelines) or path.")
]
RecipeSources = Annotated[
    list[str] | None, typer.Argument(metavar="[SOURCE…]", help="In place of the recipe's sources.")
]
DatasetOption = Annotated[
    Path | None, typer.Option("--dataset", help="Where the data set goes; WORK/dataset unless told.")
]
NewSources = Annotated[list[str] | None, typer.Argument(metavar="SOURCE…", help=Sources.__metadata__[0].help)]
Retry = Annotated[
    str,
    typer.Option(
        "--retry",
        metavar="failed|CODE",
        help="Ask again for the URLs that failed, or failed with this code.",
        show_default=False,
    ),
]
Explain = Annotated[
    str,
    typer.Option(
        "--explain",
        metavar="KEY|FILE",
        help="Decide nothing: show a picture's measures against the thresholds.",
        show_default=False,
    ),
]
Sweep = Annotated[
    str,
    typer.Option(
        "--sweep",
        metavar="RULE",
        help="Decide nothing: what other thresholds of a rule would cost.",
        show_default=False,
    ),
]
Styles = Annotated[
    list[str] | None,
    typer.Option(
        "--style",
        metavar="NAME",
        help="A style (see: anidata list styles), onnx:MODEL.onnx, mix or artist; may be given many times.",
    ),
]
Size = Annotated[
    int | None,
    typer.Option("--size", min=1, help="Side in px; in `bucket`, of the square of the same area."),
]
FitOption = Annotated[str | None, typer.Option("--fit", metavar="pad|crop|bucket")]
DatasetWord = Annotated[
    Path | None,
    typer.Argument(metavar="[DATASET]", help="The data set's folder; WORK/dataset unless told."),
]
Reshard = Annotated[bool, typer.Option("--reshard", help="Choose the number of shards anew.")]


@app.command()
def run(
    recipe: RecipeWord,
    work: Work,
    sources: RecipeSources = None,
    dataset: DatasetOption = None,
    limit: Limit = 0,
    refresh: Refresh = False,
    workers: Workers = 0,
    settings: Settings = None,
    reset: Reset = False,
    as_json: Json = False,
) -> None:
    """All stages of a recipe: ingest, clean, dedup, extract-lineart, shard."""
    from anidata import pipeline
    from anidata.reports import terminal

    with (
        held_workspace(work, recipe, settings, sources or (), create=True, reset=reset) as (
            workspace,
            chosen,
            changes,
        ),
        started_engine(workers) as engine,
    ):
        target = dataset or workspace.folder("dataset")
        request = pipeline.Request(chosen.sources, limit, refresh)
        counts = pipeline.run(pipeline.job(workspace, chosen, engine, request, target))
        changed = any(counts.values())
        summary = terminal.after_run(workspace, target, changed=changed)
    result = {"done": counts, "settings": to_json(changes), **summary.to_json()}
    show(result, as_json, lambda: terminal.show(summary, changed=changed))


@app.command(
    help="Add sources: read every new picture once. Known sightings are skipped. "
    "Without a source: finish what is begun."
)
def ingest(
    work: Work,
    sources: NewSources = None,
    limit: Limit = 0,
    refresh: Refresh = False,
    retry: Retry = "",
    url_column: UrlColumn = None,
    line_column: LineColumn = None,
    ignore_opt_out: IgnoreOptOut = None,
    allow_private: AllowPrivate = None,
    workers: Workers = 0,
    recipe: RecipeName = None,
    settings: Settings = None,
    reset: Reset = False,
    as_json: Json = False,
) -> None:
    """Add sources; its help tells the rest."""
    from anidata import pipeline

    given = {
        "url_column": url_column,
        "line_column": line_column,
        "fetch.ignore_opt_out": ignore_opt_out,
        "fetch.allow_private": allow_private,
    }
    words = [*(settings or ()), *_assignments("ingest", given)]
    held = held_workspace(work, recipe, words, sources or (), create=bool(sources), add=True, reset=reset)
    with held as (workspace, chosen, changes), started_engine(workers) as engine:
        request = pipeline.Request(pipeline.typed(sources or ()), limit, refresh, retry)
        job = pipeline.job(workspace, chosen, engine, request)
        show_stage(workspace, "ingest", pipeline.run_stage("ingest", job), changes, as_json)


@app.command()
def clean(
    work: Work,
    explain: Explain = "",
    sweep: Sweep = "",
    recipe: RecipeName = None,
    settings: Settings = None,
    reset: Reset = False,
    as_json: Json = False,
) -> None:
    """Decide which pictures are good enough, by thresholds on their columns."""
    if explain or sweep:
        _weigh(work, recipe, settings, explain, sweep, reset=reset, as_json=as_json)
        return
    _run_stage("clean", work, 0, recipe, settings, reset=reset, as_json=as_json)


def _weigh(
    work: Path,
    recipe: str | None,
    settings: list[str] | None,
    explain: str,
    sweep: str,
    *,
    reset: bool,
    as_json: bool,
) -> None:
    """Look at clean's rules; nothing is decided, nor are the settings remembered."""
    from anidata import pipeline
    from anidata.reports import terminal
    from anidata.stages.clean import explain as explaining
    from anidata.stages.dedup import explain as keeping
    from anidata.workspace import open_workspace

    workspace = open_workspace(work)
    with started_engine(1) as engine:
        chosen = pipeline.resolve(workspace, recipe, settings or (), reset=reset)
        job = pipeline.job(workspace, chosen, engine)
        rules = explaining.explain(job, explain) if explain else {}
        fates = keeping.explain(workspace, list(rules))
        costs = explaining.sweep(job, sweep) if sweep else []
    answers = explaining.to_json(rules, costs) | keeping.to_json(fates)
    show(answers, as_json, lambda: terminal.show_weighed(rules, fates, costs))


@app.command()
def dedup(
    work: Work,
    workers: Workers = 0,
    recipe: RecipeName = None,
    settings: Settings = None,
    reset: Reset = False,
    as_json: Json = False,
) -> None:
    """Find copies, and keep the best of each cluster."""
    _run_stage("dedup", work, workers, recipe, settings, reset=reset, as_json=as_json)


@app.command("extract-lineart")
def extract_lineart(
    work: Work,
    style: Styles = None,
    size: Size = None,
    fit: FitOption = None,
    workers: Workers = 0,
    recipe: RecipeName = None,
    settings: Settings = None,
    reset: Reset = False,
    as_json: Json = False,
) -> None:
    """Fit the kept pictures and draw their lineart: the pairs."""
    words = [*(settings or ()), *_assignments("lineart", {"styles": style or None, "size": size})]
    words += [f"lineart.fit={fit}"] if fit is not None else []
    _run_stage("extract_lineart", work, workers, recipe, words, reset=reset, as_json=as_json)


@app.command()
def shard(
    work: Work,
    dataset: DatasetWord = None,
    reshard: Reshard = False,
    workers: Workers = 0,
    recipe: RecipeName = None,
    settings: Settings = None,
    reset: Reset = False,
    as_json: Json = False,
) -> None:
    """Pack the pairs into the final data set."""
    from anidata import pipeline

    held = held_workspace(work, recipe, settings, reset=reset)
    with held as (workspace, chosen, changes), started_engine(workers) as engine:
        request = pipeline.Request(reshard=reshard)
        job = pipeline.job(workspace, chosen, engine, request, dataset or workspace.folder("dataset"))
        show_stage(workspace, "shard", pipeline.run_stage("shard", job), changes, as_json)


def add_stages() -> None:
    """Make a command of each stage that has none here, by its face alone."""
    for name in registry.STAGES:
        if name not in globals():
            app.command(registry.command_of(name), help=registry.title(registry.stage(name)))(_command(name))


def _command(stage: str) -> Any:
    def command(
        work: Work,
        workers: Workers = 0,
        recipe: RecipeName = None,
        settings: Settings = None,
        reset: Reset = False,
        as_json: Json = False,
    ) -> None:
        _run_stage(stage, work, workers, recipe, settings, reset=reset, as_json=as_json)

    return command


def _run_stage(
    stage: str,
    work: Path,
    workers: int,
    recipe: str | None,
    settings: list[str] | None,
    *,
    reset: bool,
    as_json: bool,
) -> None:
    """Run one stage that asks for nothing but its settings."""
    from anidata import pipeline

    held = held_workspace(work, recipe, settings, reset=reset)
    with held as (workspace, chosen, changes), started_engine(workers) as engine:
        counts = pipeline.run_stage(stage, pipeline.job(workspace, chosen, engine))
        show_stage(workspace, registry.command_of(stage), counts, changes, as_json)


def _assignments(table: str, given: dict[str, Any]) -> list[str]:
    """Options as --set has them; those that weren't given are left out."""
    return [f"{table}.{name}={json.dumps(value)}" for name, value in given.items() if value is not None]
