"""The commands: parse, build the config, call the stage, show its summary.

Results go to stdout, progress and notes to stderr.
"""

import sys
from typing import Annotated

import typer
import typer.core

import anidata
from anidata import registry
from anidata.cli import (  # noqa: F401  those add their commands
    ctrl_c,
    curate,
    evaluate,
    inspect,
    pictures,
    weights,
)
from anidata.cli.common import GOES_ON, MayImportPandas, app
from anidata.engine import printing
from anidata.engine.startup import slim
from anidata.errors import AnidataError, Interrupted


def main() -> None:
    """The entry point: a typed error is one line on stderr and its exit code."""
    if not _may_import_pandas(sys.argv[1:2]):
        slim()
    printing.make_safe()
    try:
        with ctrl_c.after_imports():
            app()
    except KeyboardInterrupt:  # before there was a command
        printing.err(f"Interrupted: {GOES_ON}")
        sys.exit(Interrupted.exit_code)
    except AnidataError as error:
        from anidata.sources.web.secrets import scrubbed

        printing.err(scrubbed(f"{type(error).__name__}: {error}"))  # it may quote what a file says
        sys.exit(error.exit_code)


def _may_import_pandas(command: list[str]) -> bool:
    names = [info.name for info in app.registered_commands if info.cls is MayImportPandas]
    return any(name in names for name in command)


def _version(wanted: bool) -> None:
    if wanted:
        printing.out(f"anidata {anidata.__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[  # noqa: ARG001  its callback ends the command
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
    trust: Annotated[
        bool,
        typer.Option("--trust", help="Read the files that WORK names, though it was made elsewhere."),
    ] = False,
) -> None:
    """Take what holds for every command."""
    registry.ask = (lambda _: True) if trust else _ask


def _ask(question: str) -> bool:
    """The user's answer; no where there is no terminal."""
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        return False
    return typer.confirm(question, err=True)


curate.add_stages()
app.command("list")(inspect.list_parts)  # the last in the list of commands
