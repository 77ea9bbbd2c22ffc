"""The commands that look at what is there: audit, query, status, report, find, list."""

from pathlib import Path
from typing import Annotated

import typer
import typer.core

from anidata.cli.common import app, show, started_engine
from anidata.cli.options import Form, Json, RecipeName, Settings, Shelf, Work, Workers


@app.command()
def audit(
    datasets: Annotated[
        list[Path],
        typer.Argument(metavar="DATASET…", help="Folders of WebDataset tars, of anidata or anyone."),
    ],
    workers: Workers = 0,
    as_json: Json = False,
) -> None:
    """Check finished shards for integrity and leakage; exit 0 only if they are sound."""
    from anidata.audit import audit as check
    from anidata.reports import terminal

    with started_engine(workers) as engine:
        found = check.run(datasets, check.Config(), engine)
    show(found.to_json(), as_json, lambda: terminal.show_audit(found))
    raise typer.Exit(0 if found.sound else 1)


@app.command()
def query(
    work: Work,
    sql: Annotated[
        str,
        typer.Argument(
            metavar="SQL", help="One SELECT over the views records, images, pairs, samples and fetches."
        ),
    ],
    form: Annotated[Form, typer.Option("--format", help="How the answer is written.")] = Form.TABLE,
) -> None:
    """Ask the catalog; nothing else can be read or written by it."""
    from anidata.catalog.catalog import Sealed
    from anidata.reports import terminal
    from anidata.workspace import open_workspace

    with Sealed(open_workspace(work)) as views:
        terminal.write_table(views.ask(sql), form.value)


@app.command()
def status(work: Work, as_json: Json = False) -> None:
    """What is there, what is stale, failed or missing, the next command, the disk used."""
    from anidata import pipeline
    from anidata.reports import status as look
    from anidata.reports import terminal
    from anidata.workspace import open_workspace

    workspace = open_workspace(work)
    found = look.measure(workspace, pipeline.resolve(workspace, None, ()))
    show(found.to_json(), as_json, lambda: terminal.show_status(workspace, found))


@app.command("report")
def report_page(
    work: Work,
    output: Annotated[Path | None, typer.Option("-o", "--output", metavar="FILE", help="Where the page goes; WORK/report.html unless told.")] = None,
    workers: Workers = 0,
    as_json: Json = False,
) -> None:  # fmt: skip
    """One static page: the funnel, histograms, the rejected, the kept and the duplicates, to look at without a network."""
    from anidata import pipeline
    from anidata.reports import page
    from anidata.workspace import open_workspace

    workspace = open_workspace(work)
    with started_engine(workers) as engine:
        done = page.write(
            workspace, pipeline.resolve(workspace, None, ()), engine, output or workspace.path / "report.html"
        )
    show(done.to_json(), as_json, lambda: print(done))


@app.command()
def find(
    work: Work,
    images: Annotated[list[Path], typer.Argument(metavar="IMAGE…")],
    most: Annotated[int, typer.Option("--most", min=1, help="Records shown for each picture.")] = 10,
    recipe: RecipeName = None, settings: Settings = None, as_json: Json = False,
) -> None:  # fmt: skip
    """The pictures of a workspace that loose files are copies of, or look like: relation and distance."""
    from anidata import pipeline
    from anidata.reports import find as finding
    from anidata.reports import terminal
    from anidata.workspace import open_workspace

    workspace = open_workspace(work)
    found = finding.find(workspace, pipeline.resolve(workspace, recipe, settings or ()), images, most)
    show([answer.to_json() for answer in found], as_json, lambda: terminal.show_found(found))
    raise typer.Exit(1 if any(answer.error for answer in found) else 0)


def list_parts(shelf: Annotated[Shelf, typer.Argument(help="Which shelf.")], as_json: Json = False) -> None:
    """The parts of a shelf, one line each."""
    from anidata.reports import terminal

    found = terminal.shelf(shelf.value)
    show(found, as_json, lambda: terminal.show_pairs(found))
