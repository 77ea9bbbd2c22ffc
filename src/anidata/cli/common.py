"""Shared by commands: the app, the workspace held for a command, how results are shown."""

import shlex
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer
import typer.core

import anidata
from anidata.engine import printing
from anidata.errors import AnidataError, Interrupted, MissingExtra, SourceError

if TYPE_CHECKING:
    from anidata.engine.by_hand import Change
    from anidata.engine.engine import Engine
    from anidata.pipeline import Recipe, Resolved
    from anidata.workspace import Workspace

UsageError: Any = typer.BadParameter.__base__  # click's, or that of typer's own copy of it
GOES_ON = "stopped at once. The same command goes on."


class Commands(typer.core.TyperGroup):
    """The commands, of which Ctrl-C makes a typed error where the engine hasn't."""

    def make_context(self, *args: Any, **extra: Any) -> Any:
        try:
            return super().make_context(*args, **extra)
        except KeyboardInterrupt:
            raise Interrupted(GOES_ON) from None
        except UsageError as error:
            raise _visible(error) from None

    # Click's own context is the base of typer's.
    def invoke(self, ctx: typer.Context) -> Any:  # type: ignore[override]
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            raise Interrupted(GOES_ON) from None
        except UsageError as error:
            raise _visible(error) from None
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


def _visible(error: Any) -> Any:
    """The same usage error in words that can be seen."""
    text = error.format_message()
    seen = printing.visible(text, lines=True)
    return error if seen == text else UsageError(seen, error.ctx)


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
    reset: bool = False,
) -> "Iterator[tuple[Workspace, Recipe, list[Change]]]":
    """The workspace, locked for this command, with its resolved recipe, which it will remember.

    And the settings that change by it, told on stderr. add: the sources join those it knows. reset: what was
    set by hand is forgotten.
    """
    from anidata import pipeline
    from anidata import recipe as toml
    from anidata import workspace as folder
    from anidata.catalog import connections

    words = recipe, settings or (), sources
    if create:
        _check_before(work, *words, reset=reset)
    workspace = folder.create(work) if create else folder.open_workspace(work)
    with workspace.locked(), connections.reused():
        resolved = pipeline.resolve_all(workspace, *words, add=add, reset=reset)
        workspace.remember_settings(resolved.settings)
        workspace.remember(toml.dump(resolved.recipe))
        _say_changes(resolved)
        yield workspace, resolved.recipe, resolved.changes


def _check_before(
    work: Path, recipe: str | None, settings: Sequence[str], sources: Sequence[str], *, reset: bool
) -> None:
    """See that a command is sound: a typing error shouldn't leave a folder behind.

    Raises: RecipeError, UnknownPart, SourceError.
    """
    from anidata import pipeline
    from anidata import workspace as folder

    known = folder.open_workspace(work) if (work / folder.MARK).exists() else None
    chosen = pipeline.resolve(known, recipe, settings, sources, reset=reset)
    if not chosen.sources:
        again = f"anidata run {shlex.quote(str(recipe))} {shlex.quote(str(work))}"
        raise SourceError(
            f"{recipe} names no sources. Type: {again} FOLDER for pictures of yours, "
            f"or: {again} sample: for the bundled art"
        )
    pipeline.check_sources(sources if known else chosen.sources)


def _say_changes(resolved: "Resolved") -> None:
    from anidata.engine import progress

    if resolved.changes:
        progress.say(resolved.line)


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


def show_stage(
    workspace: "Workspace", stage: str, counts: Counter[str], changes: "list[Change]", as_json: bool
) -> None:
    from anidata.reports import terminal

    summary = terminal.after_stage(workspace)
    show(
        {"done": counts, "settings": to_json(changes), **summary.to_json()},
        as_json,
        lambda: terminal.show_stage(stage, counts, summary),
    )


def to_json(changes: "list[Change]") -> list[dict[str, Any]]:
    """The settings that a command has changed, or left though its recipe says otherwise."""
    return [change.to_json() for change in changes]


def show(value: Any, as_json: bool, otherwise: Any) -> None:
    if as_json:
        printing.out_json(value)
    else:
        otherwise()
