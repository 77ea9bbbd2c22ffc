"""The commands on others' weights: weights, and weights convert."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from anidata.cli.common import Commands, app, show, training_imports
from anidata.cli.options import Json
from anidata.engine import printing

if TYPE_CHECKING:
    from anidata.training.weights.conversion import Converted
    from anidata.training.weights.files import Listed

group = typer.Typer(
    cls=Commands,
    help="Weights of the networks that metrics and losses look through: where they come from, which are here",
    invoke_without_command=True,
    rich_markup_mode=None,
)
WeightsFile = Annotated[
    Path, typer.Argument(metavar="FILE", help="A file that `anidata weights` names, as it was fetched.")
]
WeightsFolder = Annotated[
    Path | None,
    typer.Option(
        "--output",
        "-o",
        metavar="DIR",
        help="Where the weights go; unless told, where they are looked for.",
        show_default=False,
    ),
]


@group.callback()
def weights(context: typer.Context, as_json: Json = False) -> None:
    """List them, unless there is a command of theirs."""
    if context.invoked_subcommand is not None:
        return
    with training_imports():
        from anidata.training.weights import listing

    lines = listing()
    show([line.to_json() for line in lines], as_json, lambda: _show_listing(lines))


@group.command()
def convert(file: WeightsFile, output: WeightsFolder = None, as_json: Json = False) -> None:
    """Make safetensors of a known file of weights; of an unknown one nothing is read."""
    with training_imports():
        from anidata.training.weights import convert as convert_file

    done = convert_file(file, output)
    show([one.to_json() for one in done], as_json, lambda: _show_converted(done))


def _show_listing(lines: "list[Listed]") -> None:
    for line in lines:
        printing.out(f"{line.name:14} {line.title}: {'here' if line.here else 'not here'}")
        printing.out(f"{'':14} license: {line.license}")
        printing.out(f"{'':14} {line.path}")
        for command in line.commands:
            printing.out(f"{'':14} $ {command}")


def _show_converted(done: "list[Converted]") -> None:
    for one in done:
        printing.out(
            f"{one.name}: {'written to' if one.new else 'there before'} {one.path}, SHA-256 {one.sha256}"
        )


app.add_typer(group, name="weights")
