"""Shared by commands: the app, the workspace held for a command, how results are shown."""

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer
import typer.core

import anidata
from anidata.errors import AnidataError, Interrupted, MissingExtra

if TYPE_CHECKING:
    from anidata.engine.engine import Engine
    from anidata.pipeline import Recipe
    from anidata.workspace import Workspace

GOES_ON = "stopped at once. The same command goes on."


class Commands(typer.core.TyperGroup):
    """The commands, of which Ctrl-C makes a typed error where the engine hasn't."""

    def make_context(self, *args: Any, **extra: Any) -> Any:
        try:
            return super().make_context(*args, **extra)
        except KeyboardInterrupt:
            raise Interrupted(GOES_ON) from None

    # Click's own context is the base of typer's.
    def invoke(self, ctx: typer.Context) -> Any:  # type: ignore[override]
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            raise Interrupted(GOES_ON) from None
        except AnidataError:
            raise
        except Exception as error:
            if _is_interrupt(error):
                raise Interrupted(GOES_ON) from error
            raise


class MayImportPandas(typer.core.TyperCommand):
    """A command whose imports may ask for pandas: it is hidden from the processes of all others."""


app = typer.Typer(
    name="anidata",
    cls=Commands,
    help=anidata.__doc__,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)


def _is_interrupt(error: BaseException | None) -> bool:
    """Whether a Ctrl-C is behind an error.

    DuckDB wraps what is raised while it calls Python, and tells of it in its text alone.
    """
    return error is not None and ("KeyboardInterrupt" in str(error) or _is_interrupt(error.__cause__))


@contextmanager
def held_workspace(
    work: Path,
    recipe: str | None,
    settings: list[str] | None,
    sources: Sequence[str] = (),
    *,
    create: bool = False,
    add: bool = False,
) -> "Iterator[tuple[Workspace, Recipe]]":
    """The workspace, locked for this command, with its resolved recipe, which it will remember.

    add: the sources join those it knows.
    """
    from anidata import pipeline
    from anidata import recipe as toml
    from anidata import workspace as folder
    from anidata.catalog import connections

    if create:
        # A typing error shouldn't leave a folder behind.
        pipeline.resolve(None, recipe, settings or (), sources)
        pipeline.check_sources(sources)
    workspace = folder.create(work) if create else folder.open_workspace(work)
    with workspace.locked(), connections.reused():
        chosen = pipeline.resolve(workspace, recipe, settings or (), sources, add=add)
        workspace.remember(toml.dump(chosen))
        yield workspace, chosen


@contextmanager
def training_imports() -> Iterator[None]:
    """Import within this. Raises: MissingExtra: what the block imports isn't installed."""
    try:
        yield
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] == "anidata":
            raise
        raise MissingExtra(
            f"training needs {error.name}, which isn't installed. "
            "Install it with: pip install 'anidata[train]'"
        ) from error


@contextmanager
def started_engine(workers: int) -> "Iterator[Engine]":
    from anidata.engine.engine import Engine

    with Engine(workers) as engine:
        yield engine


def show_stage(workspace: "Workspace", stage: str, counts: Counter[str], as_json: bool) -> None:
    from anidata.reports import terminal

    summary = terminal.after_stage(workspace)
    show({"done": counts, **summary.to_json()}, as_json, lambda: terminal.show_stage(stage, counts, summary))


def show(value: Any, as_json: bool, otherwise: Any) -> None:
    if as_json:
        print(json.dumps(value, ensure_ascii=False))
    else:
        otherwise()
