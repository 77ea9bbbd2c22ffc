"""Styles as recipes and command lines name them, and the draw among several, with jitter: functions of a name, a key and a seed alone.

STYLE:REST is the style STYLE with its argument, such as onnx:MODEL.onnx. Two names are no files of the shelf: `artist`, the true lineart found
beside a picture, and `mix`, for which each picture gets one of several styles.
"""

import dataclasses
import hashlib
import math
from collections.abc import Iterable, Mapping
from typing import Any

from anidata import recipe, registry
from anidata.errors import RecipeError

ARTIST, MIX = "artist", "mix"

Settings = Mapping[str, Any]


def plain() -> list[str]:
    """The styles of the shelf that need no argument."""
    return [
        name for name in registry.names("styles") if not hasattr(registry.load("styles", name), "ARGUMENT")
    ]


def split(text: str) -> tuple[str, str]:
    """The style's name, and its argument, if any.

    Raises: UnknownPart: no such style. RecipeError: an argument for a style that takes none.
    """
    name, _, rest = text.partition(":")
    if rest and name not in {ARTIST, MIX} and not hasattr(registry.load("styles", name), "ARGUMENT"):
        raise RecipeError(
            f"--style {text}: the style '{name}' takes nothing behind a colon. Type: --style {name}"
        )
    return name, rest


def spelled(names: Iterable[str], tables: Mapping[str, Settings]) -> tuple[list[str], dict[str, Settings]]:
    """Styles by their names alone, and their settings with the arguments in them; what was pinned of another argument is taken off."""
    found, settings = [], dict(tables)
    for text in names:
        name, rest = split(text)
        given = settings.get(name, {})
        if rest and isinstance(given, Mapping):  # else it is told of when the recipe is built
            module = registry.load("styles", name)
            settings[name] = {key: value for key, value in given.items() if key != module.PIN} | {
                module.ARGUMENT: rest
            }
        found.append(name)
    return found, settings


def config_of(name: str, settings: Settings, where: str) -> Any:
    """The parameters of a style.

    Raises: UnknownPart: no such style. RecipeError: no such parameter, or a value out of range.
    """
    return recipe.build(registry.load("styles", name).Config, settings, where)


def settled(name: str, settings: Settings, where: str) -> Settings:
    """The settings of a style with what lies outside the recipe pinned in them, if it isn't yet."""
    module = registry.load("styles", name)
    if not hasattr(module, "settle"):
        return settings
    config = config_of(name, settings, where)
    return settings if getattr(config, module.PIN) else recipe.document_of(module.settle(config))


def check(name: str, config: Any) -> None:
    """Raises: RecipeError, MissingExtra: what a style needs from outside the recipe isn't there, or isn't what was pinned."""
    module = registry.load("styles", name)
    if hasattr(module, "settle"):
        module.settle(config)


def portable(name: str, settings: Settings) -> Settings:
    """The settings of a style without the path that its argument is: what is pinned tells the file, wherever it lies."""
    argument = getattr(registry.load("styles", name), "ARGUMENT", "")
    return {key: value.rpartition("/")[2] if key == argument else value for key, value in settings.items()}


def fingerprint(name: str, config: Any) -> list[Any]:
    """What the lines of a style depend on."""
    module = registry.load("styles", name)
    moved = {module.ARGUMENT: ""} if hasattr(module, "ARGUMENT") else {}
    return [name, module.VERSION, dataclasses.replace(config, **moved)]


def is_soft(name: str) -> bool:
    """Whether its lines are gray by nature."""
    return name not in {ARTIST, MIX} and getattr(registry.load("styles", name), "SOFT", False)


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
    """The parameters of a style, each number changed by a factor of up to 1 + share either way, for the picture of a key.

    Numbers that are 0 (off) stay so, whole ones stay whole; what would be out of range stays as it was. A style with an argument is left alone.
    """
    module = registry.load("styles", name)
    if share <= 0 or hasattr(module, "ARGUMENT"):
        return config
    values = recipe.document_of(config)
    for field, value in values.items():
        if isinstance(value, int | float) and not isinstance(value, bool) and value:
            factor = math.exp((2 * chance(seed, name, field, key) - 1) * math.log1p(share))
            changed = values | {
                field: value * factor if isinstance(value, float) else max(1, round(value * factor))
            }
            try:
                recipe.build(module.Config, changed, name)
            except RecipeError:
                continue
            values = changed
    return recipe.build(module.Config, values, name)


def chance(*things: Any) -> float:
    """0 to below 1, a function of the things alone."""
    digest = hashlib.sha256("\0".join(map(str, things)).encode()).digest()
    return int.from_bytes(digest[:8]) / 2**64
