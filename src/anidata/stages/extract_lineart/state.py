"""Whether extract-lineart's pairs are up to date. What draws is imported only where they aren't."""

from typing import Any

from anidata import recipe
from anidata.catalog import decisions, schemas, tables
from anidata.engine.job import Job
from anidata.imaging import decode, reduction
from anidata.lineart import postprocess, selection
from anidata.stages.extract_lineart.config import Config, style_config
from anidata.stages.extract_lineart.decision import DECISION
from anidata.workspace import Workspace

VERSION = 2


def scout() -> tuple[str, Any]:
    """The style, with its parameters, that ink is looked for in before a picture is cut."""
    return "ink", selection.config_of("ink", {}, "anchor")


def fingerprints(config: Config) -> dict[str, str]:
    """Kind of stored file (`color`, or a style) → what it depends on besides its picture."""
    cut = selection.fingerprint(*scout()) if config.fit != "pad" and config.anchor == "ink" else []
    fitted = [VERSION, decode.VERSION, config.size, config.fit, config.filter, cut]
    quality = config.quality if config.color == "jpeg" else 0
    prints = {schemas.COLOR: recipe.fingerprint(fitted, config.color, quality)}
    for name in config.styles:
        prints[name] = recipe.fingerprint(fitted, postprocess.VERSION, _drawn_from(name, config))
    return prints


def _drawn_from(name: str, config: Config) -> list[Any]:
    """All that lines of a style depend on, besides the fitted picture."""
    if name == selection.ARTIST:
        return [name, config.finish.polarity, reduction.VERSION]
    named = {n: w for n, w in config.mix.items() if w > 0} if name == selection.MIX else {name: 1.0}
    drawn = [selection.fingerprint(n, style_config(n, config)) for n in sorted(named)]
    by_chance = [config.seed, config.jitter, named] if name == selection.MIX or config.jitter else []
    return [name, drawn, by_chance, config.finish]


def state(workspace: Workspace, config: Config) -> str:
    """Changes with anything that the decisions depend on."""
    folders = [workspace.folder(name) for name in ("images", "records", "pairs")]
    seen = tables.state_of(*folders, *decisions.paths(workspace, before="extract_lineart"))
    limits = (config.min_ink, config.max_ink, config.max_scribble)
    return recipe.fingerprint(seen, fingerprints(config), limits)


def is_up_to_date(job: Job) -> bool:
    made = tables.made_from(DECISION.path(job.workspace))
    tars = tars_state(job.workspace)
    if made.get("tars", tars) != tars:  # an older version hasn't noted them
        return False
    return bool(made.get("state") == state(job.workspace, job.recipe.lineart) and not made.get("retry"))


def tars_state(workspace: Workspace) -> str:
    """Changes when a tar of pairs does."""
    return recipe.fingerprint(tables.state_of(*sorted(workspace.folder("pairs").glob("*.tar"))))
