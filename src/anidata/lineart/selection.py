"""Styles as recipes and command lines name them, and the draw among several, with jitter.

All are functions of a name, a key and a seed alone.
STYLE:ARGUMENT is the style STYLE with its argument, such as onnx:MODEL.onnx.
Two names are no files of the registry: `artist`, the true lineart beside a picture, and `mix`,
for which each picture gets one of several styles.
"""

import dataclasses
import hashlib
import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from anidata import recipe, registry, storage
from anidata.errors import RecipeError

ARTIST, MIX = "artist", "mix"

Settings = Mapping[str, Any]


def plain() -> list[str]:
    """The registry's styles that need no argument."""
    return [name for name in registry.names("styles") if not _takes_argument(name)]


def _takes_argument(name: str) -> bool:
    return hasattr(registry.load("styles", name), "ARGUMENT")


def split(text: str) -> tuple[str, str]:
    """The style's name, and its argument, if any.

    Raises: UnknownPart: no such style. RecipeError: an argument for a style that takes none.
    """
    name, _, argument = text.partition(":")
    if argument and name not in {ARTIST, MIX} and not _takes_argument(name):
        raise RecipeError(
            f"--style {text}: the style '{name}' takes nothing behind a colon. Type: --style {name}"
        )
    return name, argument


def spelled(names: Iterable[str], tables: Mapping[str, Settings]) -> tuple[list[str], dict[str, Settings]]:
    """Styles by their names alone, and their settings with the arguments in them.

    A pin, which is another argument's, is taken off.
    """
    bare, settings = [], dict(tables)
    for text in names:
        name, argument = split(text)
        given = settings.get(name, {})
        if argument and isinstance(given, Mapping):  # else the recipe is refused when it is built
            module = registry.load("styles", name)
            unpinned = {key: value for key, value in given.items() if key != module.PIN}
            settings[name] = unpinned | {module.ARGUMENT: argument}
        bare.append(name)
    return bare, settings


def config_of(name: str, settings: Settings, where: str) -> Any:
    """The parameters of a style.

    Raises: UnknownPart: no such style. RecipeError: no such parameter, or a value out of range.
    """
    return recipe.build(registry.load("styles", name).Config, settings, where)


def pinned(name: str, settings: Settings, where: str) -> Settings:
    """The settings of a style with what lies outside the recipe pinned in them, if it isn't yet."""
    module = registry.load("styles", name)
    if not hasattr(module, "settle"):
        return settings
    config = config_of(name, settings, where)
    return settings if getattr(config, module.PIN) else recipe.document_of(module.settle(config))


def check(name: str, config: Any) -> Any:
    """See that a style has what it needs from outside the recipe; its config with that pinned.

    Raises: RecipeError, WeightsError, MissingExtra: it isn't there, or isn't what was pinned.
    """
    module = registry.load("styles", name)
    if hasattr(module, "ready"):
        module.ready(config)
    return module.settle(config) if hasattr(module, "settle") else config


def anchored(name: str, settings: Any, folder: Path) -> Any:
    """The settings of a style with the path that its argument is made absolute; others as they are."""
    if name not in registry.names("styles") or not isinstance(settings, Mapping):
        return settings
    argument = getattr(registry.load("styles", name), "ARGUMENT", "")
    path = settings.get(argument)
    if not isinstance(path, str) or not path:
        return settings
    return {**settings, argument: storage.absolute(path, folder)}


def portable(name: str, settings: Settings) -> Settings:
    """The settings of a style without the path that its argument is.

    The pin identifies the file, wherever it lies.
    """
    argument = getattr(registry.load("styles", name), "ARGUMENT", "")
    if argument not in settings:
        return dict(settings)
    return {**settings, argument: settings[argument].rpartition("/")[2]}


def fingerprint(name: str, config: Any) -> list[Any]:
    """All that the lines of a style depend on: its name, version and parameters."""
    module = registry.load("styles", name)
    moved = {module.ARGUMENT: ""} if hasattr(module, "ARGUMENT") else {}
    return [name, module.VERSION, dataclasses.replace(config, **moved)]


def is_soft(name: str) -> bool:
    """Whether its lines are gray by nature."""
    return name not in {ARTIST, MIX} and getattr(registry.load("styles", name), "SOFT", False)


def inexact(names: Iterable[str], weights: Mapping[str, float]) -> list[str]:
    """Of styles those whose last bits depend on the processor; of `mix`, those that it draws from count.

    weights: of `mix`.
    """
    mixed = {name for name, weight in weights.items() if weight > 0}
    drawn = {style for name in names for style in (mixed if name == MIX else {name})} - {ARTIST}
    return sorted(name for name in drawn if getattr(registry.load("styles", name), "INEXACT", False))


def pick(weights: Mapping[str, float], key: str, seed: int) -> str:
    """One of the styles, by weight, for the picture of a key."""
    names = sorted(name for name, weight in weights.items() if weight > 0)
    left = chance(seed, "mix", key) * math.fsum(weights[name] for name in names)
    for name in names:
        left -= weights[name]
        if left < 0:
            return name
    return names[-1]


def jittered(name: str, config: Any, share: float, key: str, seed: int) -> Any:
    """The parameters of a style for the picture of a key, each number changed by a factor.

    The factor is up to 1 + share, either way.
    Numbers that are 0 (off) stay so, whole ones stay whole; what would be out of range stays as it was.
    A style with an argument is left alone.
    """
    module = registry.load("styles", name)
    if share <= 0 or hasattr(module, "ARGUMENT"):
        return config
    values = recipe.document_of(config)
    for field, value in values.items():
        if isinstance(value, int | float) and not isinstance(value, bool) and value:
            factor = math.exp((2 * chance(seed, name, field, key) - 1) * math.log1p(share))
            changed = values | {field: _scaled(value, factor)}
            try:
                recipe.build(module.Config, changed, name)
            except RecipeError:
                continue
            values = changed
    return recipe.build(module.Config, values, name)


def _scaled(value: float, factor: float) -> float:
    """A number times a factor; whole ones stay whole, and above 0."""
    return value * factor if isinstance(value, float) else max(1, round(value * factor))


def chance(*things: Any) -> float:
    """0 to below 1, a function of the things alone."""
    digest = hashlib.sha256("\0".join(map(str, things)).encode()).digest()
    return int.from_bytes(digest[:8]) / 2**64
