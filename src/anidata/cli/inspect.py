"""The commands that look at what is there: audit, query, status, report, find, list."""

from pathlib import Path
from typing import Annotated

import typer
import typer.core

from anidata.cli.common import app, show, started_engine
from anidata.cli.options import Form, Json, RecipeName, Settings, Shelf, Work, Workers
from anidata.engine import printing

PagePath = Annotated[
    Path | None,
    typer.Option("-o", "--output", metavar="FILE", help="Where the page goes; WORK/report.html unless told."),
]

LeaksPage = Annotated[
    Path | None,
    typer.Option("--page", metavar="FILE", help="Also write a page that shows what splits share, by pairs."),
]


@app.command()
def audit(
    datasets: Annotated[
        list[Path],
        typer.Argument(metavar="DATASET…", help="Folders of WebDataset tars, of anidata or anyone."),
    ],
    page: LeaksPage = None,
    workers: Workers = 0,
    as_json: Json = False,
) -> None:
    """Check finished shards for integrity and leakage; exit 0 only if they are sound."""
    from anidata.audit import audit as check
    from anidata.reports import leaks, terminal

    if page:
        leaks.check(page)
    with started_engine(workers) as engine:
        result = check.run(datasets, check.Config(), engine)
        written = leaks.write(page, result, engine) if page else None
    show(result.to_json(), as_json, lambda: terminal.show_audit(result))
    if written and not as_json:
        printing.out(written)
    raise typer.Exit(0 if result.sound else 1)


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
    from anidata.catalog.sealed import Sealed
    from anidata.reports import answers
    from anidata.workspace import open_workspace

    with Sealed(open_workspace(work)) as views:
        answers.write_table(views.ask(sql), form.value)


@app.command()
def status(work: Work, as_json: Json = False) -> None:
    """What is there, what is stale, failed or missing, the next command, the disk used."""
    from anidata import pipeline
    from anidata.reports import status as look
    from anidata.reports import terminal
    from anidata.workspace import open_workspace

    workspace = open_workspace(work)
    state = look.measure(workspace, pipeline.resolve(workspace, None, ()))
    show(state.to_json(), as_json, lambda: terminal.show_status(workspace, state))


@app.command(
    "report",
    help="One static page: the funnel, histograms, the rejected, the kept and the duplicates, "
    "to look at without a network.",
)
def report_page(
    work: Work,
    output: PagePath = None,
    workers: Workers = 0,
    as_json: Json = False,
) -> None:
    """Write the page of a workspace."""
    from anidata import pipeline
    from anidata.reports import page
    from anidata.workspace import open_workspace

    workspace = open_workspace(work)
    with started_engine(workers) as engine:
        job = pipeline.job(workspace, pipeline.resolve(workspace, None, ()), engine)
        done = page.write(job, output or workspace.path / "report.html")
    show(done.to_json(), as_json, lambda: printing.out(done))


@app.command()
def find(
    work: Work,
    images: Annotated[list[Path], typer.Argument(metavar="IMAGE…")],
    most: Annotated[int, typer.Option("--most", min=1, help="Records shown for each picture.")] = 10,
    recipe: RecipeName = None,
    settings: Settings = None,
    as_json: Json = False,
) -> None:
    """The pictures of a workspace that loose files are copies of, or look like: relation and distance."""
    from anidata import pipeline
    from anidata.reports import find as finding
    from anidata.reports import terminal
    from anidata.workspace import open_workspace

    workspace = open_workspace(work)
    answers = finding.find(workspace, pipeline.resolve(workspace, recipe, settings or ()), images, most)
    show([answer.to_json() for answer in answers], as_json, lambda: terminal.show_answers(answers))
    raise typer.Exit(1 if any(answer.error for answer in answers) else 0)


def list_parts(shelf: Annotated[Shelf, typer.Argument(help="Which shelf.")], as_json: Json = False) -> None:
    """The parts of a shelf, one line each."""
    from anidata.reports import terminal

    lines = terminal.plugins(shelf.value)
    show(lines, as_json, lambda: terminal.show_pairs(lines))
