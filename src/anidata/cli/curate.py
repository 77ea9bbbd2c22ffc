"""The commands that make a data set: run, ingest, clean, dedup, extract-lineart, shard."""

import json
from pathlib import Path
from typing import Annotated

import typer
import typer.core

from anidata.cli.common import app, held_workspace, show, show_stage, started_engine
from anidata.cli.options import Json, Limit, RecipeName, Refresh, Settings, Sources, Work, Workers


@app.command()
def run(
    recipe: Annotated[
        str, typer.Argument(metavar="RECIPE", help="A recipe by name (see: anidata list pipelines) or path.")
    ],
    work: Work,
    sources: Annotated[
        list[str] | None, typer.Argument(metavar="[SOURCE…]", help="In place of the recipe's sources.")
    ] = None,
    dataset: Annotated[
        Path | None, typer.Option("--dataset", help="Where the data set goes; WORK/dataset unless told.")
    ] = None,
    limit: Limit = 0,
    refresh: Refresh = False,
    workers: Workers = 0,
    settings: Settings = None,
    as_json: Json = False,
) -> None:
    """All stages of a recipe: ingest, clean, dedup, extract-lineart, shard."""
    from anidata import pipeline
    from anidata.reports import terminal

    with (
        held_workspace(work, recipe, settings, sources or (), create=True) as (workspace, chosen),
        started_engine(workers) as engine,
    ):
        place = dataset or workspace.folder("dataset")
        request = pipeline.Request(chosen.sources, limit, refresh)
        counts = pipeline.run(workspace, chosen, engine, request, place)
        summary = terminal.after_run(workspace, place, changed=any(counts.values()))
    show(
        {"done": counts, **summary.to_json()},
        as_json,
        lambda: terminal.show(summary, changed=any(counts.values())),
    )


@app.command()
def ingest(
    work: Work, sources: Annotated[list[str] | None, typer.Argument(metavar="SOURCE…", help=Sources.__metadata__[0].help)] = None,
    limit: Limit = 0, refresh: Refresh = False,
    retry: Annotated[str, typer.Option("--retry", metavar="failed|CODE", help="Ask again for the URLs that failed, or failed with this code.", show_default=False)] = "",
    url_column: Annotated[str | None, typer.Option("--url-column", metavar="NAME", help="The column of a list that holds its URLs.")] = None,
    line_column: Annotated[str | None, typer.Option("--line-column", metavar="NAME", help="The column of a list or table that holds the artist's own lineart, or its URLs.")] = None,
    ignore_opt_out: Annotated[bool | None, typer.Option("--ignore-opt-out/--honor-opt-out", help="Take pictures whose hosts forbid it; the recipe and the rows say so.")] = None,
    allow_private: Annotated[bool | None, typer.Option("--allow-private/--public-only", help="Ask hosts in private networks and on this machine too.")] = None,
    workers: Workers = 0, recipe: RecipeName = None, settings: Settings = None, as_json: Json = False,
) -> None:  # fmt: skip
    """Add sources: read every new picture once. Known sightings are skipped. Without a source: finish what is begun."""
    from anidata import pipeline
    from anidata.stages.ingest import stage

    given = {
        "url_column": url_column,
        "line_column": line_column,
        "fetch.ignore_opt_out": ignore_opt_out,
        "fetch.allow_private": allow_private,
    }
    settings = [
        *(settings or ()),
        *(f"ingest.{name}={json.dumps(value)}" for name, value in given.items() if value is not None),
    ]
    with (
        held_workspace(work, recipe, settings, sources or (), create=bool(sources), add=True) as (
            workspace,
            chosen,
        ),
        started_engine(workers) as engine,
    ):
        counts = stage.run(
            workspace, chosen.ingest, engine, pipeline.Request(tuple(sources or ()), limit, refresh, retry)
        )
        show_stage(workspace, "ingest", counts, as_json)


@app.command()
def clean(
    work: Work,
    explain: Annotated[str, typer.Option("--explain", metavar="KEY|FILE", help="Decide nothing: show a picture's measures against the thresholds.", show_default=False)] = "",
    sweep: Annotated[str, typer.Option("--sweep", metavar="RULE", help="Decide nothing: what other thresholds of a rule would cost.", show_default=False)] = "",
    recipe: RecipeName = None, settings: Settings = None, as_json: Json = False,
) -> None:  # fmt: skip
    """Decide which pictures are good enough, by thresholds on their columns."""
    from anidata import pipeline
    from anidata.stages.clean import stage

    if explain or sweep:
        _weigh(work, recipe, settings, explain, sweep, as_json=as_json)
        return
    with held_workspace(work, recipe, settings) as (workspace, chosen):
        show_stage(workspace, "clean", stage.run(workspace, chosen.clean, pipeline.target(chosen)), as_json)


def _weigh(
    work: Path, recipe: str | None, settings: list[str] | None, explain: str, sweep: str, *, as_json: bool
) -> None:
    """Look at clean's rules; nothing is decided, nor are the settings remembered."""
    from anidata import pipeline
    from anidata.reports import terminal
    from anidata.stages.clean import explain as explaining
    from anidata.workspace import open_workspace

    workspace = open_workspace(work)
    chosen = pipeline.resolve(workspace, recipe, settings or ())
    words = workspace, chosen.clean, pipeline.target(chosen)
    rules, costs = (
        explaining.explain(*words, explain) if explain else {},
        explaining.sweep(*words, sweep) if sweep else [],
    )
    show(explaining.to_json(rules, costs), as_json, lambda: terminal.show_weighed(rules, costs))


@app.command()
def dedup(
    work: Work,
    workers: Workers = 0,
    recipe: RecipeName = None,
    settings: Settings = None,
    as_json: Json = False,
) -> None:
    """Find copies, and keep the best of each cluster."""
    from anidata.stages.dedup import stage

    with held_workspace(work, recipe, settings) as (workspace, chosen), started_engine(workers) as engine:
        show_stage(workspace, "dedup", stage.run(workspace, chosen.dedup, chosen.ingest, engine), as_json)


@app.command("extract-lineart")
def extract_lineart(
    work: Work,
    style: Annotated[list[str] | None, typer.Option("--style", metavar="NAME", help="A style (see: anidata list styles), onnx:MODEL.onnx, mix or artist; may be given many times.")] = None,
    size: Annotated[int | None, typer.Option("--size", min=1, help="Side in px; in `bucket`, of the square of the same area.")] = None,
    fit: Annotated[str | None, typer.Option("--fit", metavar="pad|crop|bucket")] = None,
    workers: Workers = 0, recipe: RecipeName = None, settings: Settings = None, as_json: Json = False,
) -> None:  # fmt: skip
    """Fit the kept pictures and draw their lineart: the pairs."""
    from anidata.stages.extract_lineart import stage

    given = {"styles": json.dumps(style) if style else None, "size": size, "fit": fit}
    settings = [
        *(settings or ()),
        *(f"lineart.{name}={value}" for name, value in given.items() if value is not None),
    ]
    with held_workspace(work, recipe, settings) as (workspace, chosen), started_engine(workers) as engine:
        show_stage(
            workspace, "extract-lineart", stage.run(workspace, chosen.lineart, chosen.ingest, engine), as_json
        )


@app.command()
def shard(
    work: Work,
    dataset: Annotated[Path | None, typer.Argument(metavar="[DATASET]", help="The data set's folder; WORK/dataset unless told.")] = None,
    reshard: Annotated[bool, typer.Option("--reshard", help="Choose the number of shards anew.")] = False,
    workers: Workers = 0, recipe: RecipeName = None, settings: Settings = None, as_json: Json = False,
) -> None:  # fmt: skip
    """Pack the pairs into the final data set."""
    from anidata import pipeline
    from anidata.stages.shard import stage

    with held_workspace(work, recipe, settings) as (workspace, chosen), started_engine(workers) as engine:
        plan = pipeline.shard_plan(workspace, chosen, dataset or workspace.folder("dataset"))
        show_stage(workspace, "shard", stage.run(plan, engine, reshard=reshard), as_json)
