"""The whole recipe as one config, and the stages in their order.

Which stages there are, and what each can do, it learns from the registry; see anidata.stages for what a stage
offers.
"""

import re
import sys
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, make_dataclass, replace
from functools import partial, reduce
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from anidata import recipe, registry
from anidata.catalog import connections, damage
from anidata.engine.engine import Engine
from anidata.engine.job import Job
from anidata.engine.job import Request as Request  # noqa: PLC0414 - re-exported
from anidata.errors import DamagedError
from anidata.stages.ingest.plan import source_of
from anidata.storage import FILE
from anidata.workspace import Workspace

Counts = dict[str, Counter[str]]
T = TypeVar("T")


if TYPE_CHECKING:

    @dataclass(frozen=True)
    class Recipe:
        """Sources and the settings of each stage, resolved.

        There is a field for each stage's table, such as `clean`.
        """

        sources: tuple[str, ...] = ()

        def __getattr__(self, table: str) -> Any: ...

else:
    _TABLES = [(s.SETTINGS, s.Config, field(default_factory=s.Config)) for s in registry.stages()]
    Recipe = make_dataclass("Recipe", [("sources", tuple[str, ...], ()), *_TABLES], frozen=True)


def resolve(
    workspace: Workspace | None,
    name: str | None,
    settings: Sequence[str],
    sources: Sequence[str] = (),
    *,
    add: bool = False,
) -> Recipe:
    """The recipe of a command: the workspace's last one, or a named one, then what the command line sets.

    add: the sources join the recipe's, instead of replacing them.

    Raises: RecipeError, UnknownPart.
    """
    document, where = _start(workspace, name)
    given = recipe.build(Recipe, _spelled(document, ()), where)
    if settings:
        document = reduce(recipe.assigned, settings, recipe.document_of(given))
        given = recipe.build(Recipe, _spelled(document, settings), "--set")
    pinned = {
        s.SETTINGS: s.pinned(getattr(given, s.SETTINGS)) for s in registry.stages() if hasattr(s, "pinned")
    }
    given = replace(given, **pinned)
    known = given.sources if add else ()
    return replace(given, sources=tuple(dict.fromkeys((*known, *sources)))) if sources else given


def _start(workspace: Workspace | None, name: str | None) -> tuple[recipe.Document, str]:
    """The document that a command starts from, and what it is called in an error."""
    if name:
        return recipe.read(registry.find("pipelines", name)), name
    if workspace:
        return workspace.last_recipe(), str(workspace.recipe_file)
    return {}, "the command line"


def _spelled(document: recipe.Document, settings: Sequence[str]) -> recipe.Document:
    """The document with what the stages let people write short written out.

    What has the wrong type is told of later.
    """
    tables = {}
    for stage in registry.stages():
        table = document.get(stage.SETTINGS)
        if hasattr(stage, "spelled") and isinstance(table, Mapping):
            tables[stage.SETTINGS] = stage.spelled(table, settings)
    return document | tables


def check_sources(sources: Sequence[str]) -> None:
    """Raises: SourceError: one of them is nothing that any source takes, or that its kind refuses."""
    for text in sources:
        _, module = source_of(text)
        if hasattr(module, "check"):
            module.check(text)


def job(
    workspace: Workspace,
    chosen: Recipe,
    engine: Engine,
    request: Request = Request(),  # noqa: B008  frozen
    dataset: Path | None = None,
) -> Job:
    """The job that the stages are run with. dataset: where the data set goes; None: where it went last."""
    return Job(
        workspace=workspace,
        recipe=chosen,
        document=portable(chosen),
        engine=engine,
        dataset=dataset,
        request=request,
    )


def run(work: Job) -> Counts:
    """Run every stage in order; what is up to date is left alone.

    Returns what each did, by the names of their tables.
    """
    with connections.reused():
        return mending(
            lambda: {registry.stage(name).SETTINGS: _run_stage(name, work) for name in registry.STAGES}, work
        )


def run_stage(name: str, work: Job) -> Counter[str]:
    """Run one stage.

    Where it has decided anew, those behind it that can decide again by what they know do so.
    """
    with connections.reused():
        return mending(lambda: _run_stage(name, work), work, name)


def _run_stage(name: str, work: Job) -> Counter[str]:
    stage = registry.stage(name)
    counts: Counter[str] = stage.run(work)
    if counts and hasattr(stage, "DECISION"):
        for later in registry.STAGES[registry.STAGES.index(name) + 1 :]:
            if hasattr(registry.stage(later), "decide_again"):
                registry.stage(later).decide_again(work)
    return counts


def mending(do: Callable[[], T], work: Job, name: str = "") -> T:
    """Do something; where a file turns out to be damaged that can be made again, do that first.

    name: of the stage that is run; those before it that make such a file are run too.

    Raises: DamagedError: a file can't be made again, or is damaged once more.
    """
    before = registry.STAGES[: registry.STAGES.index(name)] if name else ()
    cleared: set[str] = set()
    while True:
        try:
            return do()
        except DamagedError as error:
            if error.path in cleared:
                raise
            cleared.add(error.path)
            maker = damage.clear(work.workspace, error)
            print(f"{error.path} is damaged, and is made again", file=sys.stderr)
        if maker in before:
            do = partial(_after, maker, work, do)


def _after(maker: str, work: Job, do: Callable[[], T]) -> T:
    """Run a stage, then do something."""
    _run_stage(maker, work)
    return do()


def progress(name: str, work: Job) -> str:
    """'up to date', 'stale', 'not run', or what is open of a stage, in words."""
    stage = registry.stage(name)
    if not _has_run(stage, work):
        return "not run"
    waiting: str = stage.waiting(work) if hasattr(stage, "waiting") else ""
    if waiting:
        return waiting
    return "up to date" if stage.is_up_to_date(work) else "stale"


def _has_run(stage: Any, work: Job) -> bool:
    """Whether a stage has run: it says so itself, or its decisions lie there."""
    if hasattr(stage, "has_run"):
        return bool(stage.has_run(work))
    return bool(stage.DECISION.path(work.workspace).exists())


def portable(chosen: Recipe) -> dict[str, Any]:
    """The recipe as a document without paths of this machine and addresses of people.

    A source is its kind and last component.
    """
    document = recipe.document_of(chosen)
    for stage in registry.stages():
        if hasattr(stage, "portable"):
            document[stage.SETTINGS] = stage.portable(document[stage.SETTINGS])
    return document | {"sources": [_last(text) for text in chosen.sources]}


def _last(text: str) -> str:
    """A SOURCE by its kind, if it names one, and its last component."""
    kind, colon, location = text.partition(":")
    is_named = bool(colon) and kind in registry.names("sources")
    path = (location if is_named else text).removeprefix(FILE).rstrip("/")
    if "://" in path:
        path = re.split("[?#]", path)[0]  # what follows may be a secret
    return (f"{kind}:" if is_named else "") + (Path(path).name or path)
