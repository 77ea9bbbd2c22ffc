"""The whole recipe as one config, and the stages in their order.

Which stages there are, and what each can do, it learns from the registry; see anidata.stages for what a stage
offers.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, make_dataclass, replace
from functools import reduce
from pathlib import Path
from typing import TYPE_CHECKING, Any

from anidata import recipe, registry
from anidata.catalog import connections
from anidata.engine import by_hand
from anidata.engine.by_hand import Change, Layers
from anidata.engine.engine import Engine
from anidata.engine.job import Job
from anidata.engine.job import Request as Request  # noqa: PLC0414 - re-exported
from anidata.engine.mending import mending
from anidata.errors import RecipeError
from anidata.recipe import Document, Leaves
from anidata.sources import anchored, nameless
from anidata.stages.ingest.plan import source_of
from anidata.workspace import Workspace

Counts = dict[str, Counter[str]]

AS_KNOWN = "as the workspace has them; type those that are to join them"


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


@dataclass(frozen=True)
class Resolved:
    """The recipe of a command, with what a workspace is to remember, and what is to be told of it."""

    recipe: Recipe
    settings: Document  # for the workspace: what was set by hand
    changes: list[Change]

    @property
    def line(self) -> str:
        """The changes as a line of text."""
        return by_hand.line(self.changes, _leaves(self.recipe))


def resolve(
    workspace: Workspace | None,
    name: str | None,
    settings: Sequence[str],
    sources: Sequence[str] = (),
    **switches: bool,
) -> Recipe:
    """The recipe of a command alone; see `resolve_all`."""
    return resolve_all(workspace, name, settings, sources, **switches).recipe


def resolve_all(
    workspace: Workspace | None,
    name: str | None,
    settings: Sequence[str],
    sources: Sequence[str] = (),
    *,
    add: bool = False,
    reset: bool = False,
) -> Resolved:
    """The recipe of a command: the workspace's last one, or a named one, then what was and is set by hand.

    add: the sources join those of the workspace, instead of replacing them.
    reset: what was set by hand before is forgotten.

    Raises: RecipeError, UnknownPart.
    """
    named = _named(name) if name else None
    last = _remembered(workspace, replaced=named is not None)
    layered = _layers(workspace, last, named, forgotten=reset and named is not None)
    if reset:
        layered = layered.reset()
    where = str(workspace.settings_file) if workspace else "the recipe"
    given = recipe.build(Recipe, recipe.planted(layered.whole), where)
    after = _assigned(given, settings)
    chosen = _pinned(after)
    stand = by_hand.standing(layered, settings) if name else ()
    if settings:
        layered = by_hand.assigned(layered, settings, _leaves(after), _leaves(chosen))
    listed = by_hand.changes(_leaves(last), layered, _leaves(chosen), stand) if last else []
    all_sources, lost = _sources(last, named, typed(sources), add=add)
    return Resolved(replace(chosen, sources=all_sources), layered.document, listed + lost)


def typed(sources: Sequence[str]) -> tuple[str, ...]:
    """Sources as they are typed, with absolute paths: relative ones lie where one is."""
    return tuple(anchored(text, Path.cwd()) for text in sources)


def _remembered(workspace: Workspace | None, *, replaced: bool) -> Recipe | None:
    """The last recipe of a workspace; None: it has none yet, or a damaged one that another is to replace."""
    try:
        document = workspace.last_recipe() if workspace else {}
        return _built(document, str(workspace.recipe_file)) if workspace and document else None
    except RecipeError:
        if replaced:
            return None
        raise


def _named(name: str) -> Recipe:
    """A recipe by name or path. What it names by relative paths lies below its own folder."""
    path = registry.find("pipelines", name)
    given = _built(recipe.read(path), name, path.parent)
    return replace(given, sources=tuple(anchored(text, path.parent) for text in given.sources))


def _layers(
    workspace: Workspace | None, last: Recipe | None, named: Recipe | None, *, forgotten: bool
) -> Layers:
    """The recipe's own settings, and what was set by hand before."""
    own = _leaves(named) if named else None
    document = workspace.settings() if workspace and not forgotten else None
    if document is None:
        if last and not forgotten:
            return by_hand.adopted(own, _leaves(last))
        return Layers(own or _leaves(Recipe()), {})
    known = [recipe.leaves(Recipe, document.get(name, {})) for name in by_hand.TABLES]
    if last and own is None:
        return by_hand.remembered(_leaves(last), *known)
    return by_hand.beneath_recipe(own or _leaves(Recipe()), *known)


def _leaves(given: Recipe) -> Leaves:
    """The settings of a recipe by their paths, without its sources."""
    document = recipe.document_of(given)
    return recipe.leaves(Recipe, {name: table for name, table in document.items() if name != "sources"})


def _built(
    document: Document, where: str, folder: Path | None = None, settings: Sequence[str] = ()
) -> Recipe:
    """The recipe that a document describes. folder: relative paths lie there; None: where one is."""
    return recipe.build(Recipe, _spelled(document, settings, folder or Path.cwd()), where)


def _assigned(given: Recipe, settings: Sequence[str]) -> Recipe:
    if not settings:
        return given
    document = reduce(recipe.assigned, settings, recipe.document_of(given))
    return _built(document, "--set", settings=settings)


def _pinned(given: Recipe) -> Recipe:
    """The recipe with what lies outside it pinned in it."""
    stages = [stage for stage in registry.stages() if hasattr(stage, "pinned")]
    return replace(given, **{s.SETTINGS: s.pinned(getattr(given, s.SETTINGS)) for s in stages})


def _sources(
    last: Recipe | None, named: Recipe | None, given: Sequence[str], *, add: bool
) -> tuple[tuple[str, ...], list[Change]]:
    """The sources of a command: those given, or else the workspace's, or else the recipe's.

    And what is to be told of them.
    """
    own, others = last.sources if last else (), named.sources if named else ()
    if not given:
        stays = bool(own) and not set(others) <= set(own)
        return own or others, [Change("sources", own, own, others, AS_KNOWN)] if stays else []
    if add:
        return _joined(own or others, given), []
    return _joined((), given), [] if set(typed(own)) <= set(given) else [
        Change("sources", own, given, others)
    ]


def _joined(known: Sequence[str], given: Sequence[str]) -> tuple[str, ...]:
    """The sources, each once; an older version has stored relative paths."""
    others = [text for text in known if typed([text])[0] not in given]
    return tuple(dict.fromkeys((*others, *given)))


def _spelled(document: Document, settings: Sequence[str], folder: Path) -> Document:
    """The document with what the stages let people write short written out, and its paths absolute.

    What has the wrong type is told of later.
    """
    tables = {}
    for stage in registry.stages():
        table = document.get(stage.SETTINGS)
        if isinstance(table, Mapping):
            spelled = stage.spelled(table, settings) if hasattr(stage, "spelled") else table
            tables[stage.SETTINGS] = (
                stage.anchored(spelled, folder) if hasattr(stage, "anchored") else spelled
            )
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
        return mending(lambda: _run_all(work), work, _run_stage)


def _run_all(work: Job) -> Counts:
    return {registry.stage(name).SETTINGS: _run_stage(name, work) for name in registry.STAGES}


def run_stage(name: str, work: Job) -> Counter[str]:
    """Run one stage.

    Where it has decided anew, those behind it that can decide again by what they know do so.
    """
    with connections.reused():
        return mending(lambda: _run_stage(name, work), work, _run_stage, name)


def _run_stage(name: str, work: Job) -> Counter[str]:
    stage = registry.stage(name)
    if stage.is_up_to_date(work):
        return Counter()
    counts: Counter[str] = stage.run(work)
    if counts and hasattr(stage, "DECISION"):
        for later in registry.STAGES[registry.STAGES.index(name) + 1 :]:
            if hasattr(registry.stage(later), "decide_again"):
                registry.stage(later).decide_again(work)
    return counts


def progress(name: str, work: Job) -> str:
    """'up to date', 'stale', 'not run', or what is open of a stage, in words."""
    stage = registry.stage(name)
    if not _has_run(stage, work):
        return "not run"
    if hasattr(stage, "waiting"):
        return stage.waiting(work) or "up to date"
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
    return document | {"sources": [nameless(text) for text in chosen.sources]}
