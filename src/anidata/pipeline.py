"""The whole recipe as one config, and the stages in their order."""

import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import reduce
from pathlib import Path
from typing import Any

from anidata import recipe, registry
from anidata.engine.engine import Engine
from anidata.lineart import selection
from anidata.stages.clean import stage as clean
from anidata.stages.clean.stage import Config as CleanConfig
from anidata.stages.dedup import stage as dedup
from anidata.stages.dedup.stage import Config as DedupConfig
from anidata.stages.extract_lineart import stage as extract_lineart
from anidata.stages.extract_lineart.stage import Config as LineartConfig
from anidata.stages.ingest import stage as ingest
from anidata.stages.ingest.config import Config as IngestConfig
from anidata.stages.ingest.plan import Request as Request  # noqa: PLC0414 - re-exported
from anidata.stages.ingest.plan import source_of
from anidata.stages.shard import stage as shard
from anidata.stages.shard.stage import Config as ShardConfig
from anidata.storage import FILE
from anidata.workspace import Workspace

Counts = dict[str, Counter[str]]


@dataclass(frozen=True)
class Recipe:
    """Sources and the settings of each stage, all resolved."""

    sources: tuple[str, ...] = ()
    ingest: IngestConfig = field(default_factory=IngestConfig)
    clean: CleanConfig = field(default_factory=CleanConfig)
    dedup: DedupConfig = field(default_factory=DedupConfig)
    lineart: LineartConfig = field(default_factory=LineartConfig)
    shard: ShardConfig = field(default_factory=ShardConfig)


def resolve(
    workspace: Workspace | None,
    name: str | None,
    settings: Sequence[str],
    sources: Sequence[str] = (),
    *,
    add: bool = False,
) -> Recipe:
    """The recipe of a command: the workspace's last one, or a named one in its stead, then what the command line sets.

    add: the sources join the recipe's, instead of replacing them.

    Raises: RecipeError, UnknownPart.
    """
    where = name or (str(workspace.recipe_file) if workspace else "the command line")
    document = (
        recipe.read(registry.find("pipelines", name))
        if name
        else workspace.last_recipe()
        if workspace
        else {}
    )
    given = recipe.build(Recipe, _spelled(document), where)
    if settings:
        document = reduce(recipe.assigned, settings, recipe.document_of(given))
        given = recipe.build(Recipe, _spelled(_whole_splits(document, settings)), "--set")
    given = replace(given, lineart=extract_lineart.settled(given.lineart))
    known = given.sources if add else ()
    return replace(given, sources=tuple(dict.fromkeys((*known, *sources)))) if sources else given


def check_sources(sources: Sequence[str]) -> None:
    """Raises: SourceError: one of them is nothing that any source takes, or that its kind refuses."""
    for text in sources:
        _, module = source_of(text)
        if hasattr(module, "check"):
            module.check(text)


def run(workspace: Workspace, chosen: Recipe, engine: Engine, request: Request, dataset: Path) -> Counts:
    """Every stage in order; what is up to date is left alone."""
    steps: dict[str, Callable[[], Counter[str]]] = {
        "ingest": lambda: ingest.run(workspace, chosen.ingest, engine, request),
        "clean": lambda: clean.run(workspace, chosen.clean, target(chosen)),
        "dedup": lambda: dedup.run(workspace, chosen.dedup, chosen.ingest, engine),
        "lineart": lambda: extract_lineart.run(workspace, chosen.lineart, chosen.ingest, engine),
        "shard": lambda: shard.run(shard_plan(workspace, chosen, dataset), engine),
    }
    return {name: step() for name, step in steps.items()}


def target(chosen: Recipe) -> clean.Target:
    """What clean judges sizes by."""
    return clean.Target(chosen.lineart.size, chosen.lineart.fit)


def shard_plan(workspace: Workspace, chosen: Recipe, dataset: Path) -> shard.Plan:
    return shard.Plan(workspace, dataset.absolute(), chosen.shard, chosen.lineart, portable(chosen))


def portable(chosen: Recipe) -> dict[str, Any]:
    """The recipe as a document without paths of this machine and addresses of people: a source is its kind and last component."""
    document = recipe.document_of(chosen)
    tables = {name: selection.portable(name, table) for name, table in document["lineart"]["style"].items()}
    fetch = document["ingest"]["fetch"] | {
        "contact": ""
    }  # a person's address is nobody's business but the hosts'
    document["ingest"] = document["ingest"] | {"fetch": fetch}
    return document | {
        "sources": [_last(text) for text in chosen.sources],
        "lineart": document["lineart"] | {"style": tables},
    }


def _spelled(document: recipe.Document) -> recipe.Document:
    """The document with the arguments of styles, as in onnx:PATH, among their settings; what has the wrong type is told of later."""
    match document.get("lineart"):
        case {"styles": [*names], **others} if all(isinstance(name, str) for name in names):
            tables = others.get("style", {})
            if isinstance(tables, dict):
                found, settings = selection.spelled(names, tables)
                return document | {"lineart": others | {"styles": found, "style": settings}}
    return document


def _last(text: str) -> str:
    kind, colon, rest = text.partition(":")
    known = colon and kind in registry.names("sources")
    place = (rest if known else text).removeprefix(FILE).rstrip("/")
    if "://" in place:
        place = re.split("[?#]", place)[0]  # what follows may be a secret
    return (f"{kind}:" if known else "") + (Path(place).name or place)


def _whole_splits(document: recipe.Document, settings: Sequence[str]) -> recipe.Document:
    """`--set shard.splits.test=.1` alone can't sum to 1: what is set stays, the first split takes the rest."""
    named = {s.split("=", 1)[0].strip().split(".")[2] for s in settings if s.startswith("shard.splits.")}
    splits = document.get("shard", {}).get("splits", {})
    rest = next((n for n in splits if n not in named), None) if isinstance(splits, dict) else None
    if not named or rest is None:
        return document
    others = sum(v for n, v in splits.items() if n != rest and isinstance(v, int | float))
    return recipe.assigned(document, f"shard.splits.{rest}={round(1 - others, 9)}")
