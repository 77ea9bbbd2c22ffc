"""The settings of extract-lineart: how pairs are fitted, drawn and encoded."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from anidata.errors import RecipeError
from anidata.imaging import encode
from anidata.imaging import fit as fitting
from anidata.lineart import selection
from anidata.lineart.postprocess import Finish
from anidata.recipe import Amount, Count, Document, Positive, Share

# the cleanest, so that a model gets used to several hands
MIXED = {"ink": 4.0, "xdog": 2.0, "adaptive": 1.0, "ridge": 1.0}


@dataclass(frozen=True, kw_only=True)
class Config:
    """Fit, draw and encode the pairs."""

    # the first is KEY.lineart.png, the others KEY.lineart.STYLE.png;
    # `artist`: true lineart, where there is any; `mix`: see there
    styles: tuple[str, ...] = ("ink",)
    size: Positive = 512  # px of a side; of the square root of the area in `bucket`
    fit: fitting.Fit = "pad"  # on white · cut square · multi-aspect, sides in steps of 64
    anchor: fitting.Anchor = "center"  # what is cut is cut on both sides alike · where the least ink is lost
    filter: fitting.Filter = "area"  # of the scaling; enlarging by area means bicubic
    color: encode.Form = "jpeg"  # jpeg 4:4:4 · webp and png lossless
    quality: Positive = 95  # of the jpeg
    min_ink: Share = 0.001  # share of ink in the first style, unless it is gray by nature; less is `no_ink`
    max_ink: Share = 0.6  # more is `blot`
    # share of the ink in short pieces of no common size, in lines of `ink`: other styles' scale is another;
    # more is `scribble`
    max_scribble: Share = 0.5
    # style → weight; in the style `mix` each picture gets one of them
    mix: dict[str, Amount] = field(default_factory=MIXED.copy)
    # each number of a style changes by a factor of up to 1 + jitter either way, by the picture's key;
    # 0: not at all
    jitter: Amount = 0.0
    seed: Count = 0  # of mix and jitter
    finish: Finish = field(default_factory=Finish)  # what becomes of lines once they are drawn
    part_size: Positive = 64  # pictures drawn in one part
    # parameters of a style: [lineart.style.xdog]
    style: dict[str, dict[str, Any]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.styles or len(set(self.styles)) < len(self.styles):
            raise RecipeError(
                f"[lineart] styles: {list(self.styles)}: name at least one style, and none twice."
            )
        for name in {*self.styles, *self.style, *self.mix} - {selection.ARTIST, selection.MIX}:
            style_config(name, self)
        is_mixable = any(self.mix.values()) and not self.mix.keys() & {selection.ARTIST, selection.MIX}
        if selection.MIX in self.styles and not is_mixable:
            raise RecipeError(
                f"[lineart] mix: {self.mix}: give styles of the shelf, at least one with a weight above 0."
            )

    @property
    def drawn(self) -> tuple[str, ...]:
        """The styles of the registry that are drawn in."""
        weights = self.mix if selection.MIX in self.styles else {}
        mixed = [name for name, weight in weights.items() if weight > 0]
        return tuple(sorted({*self.styles, *mixed} - {selection.ARTIST, selection.MIX}))


def style_config(name: str, config: Config) -> Any:
    """The parameters of a style, as the recipe sets them."""
    return selection.config_of(name, config.style.get(name, {}), f"[lineart.style.{name}]")


def pinned(config: Config) -> Config:
    """The config with what its styles take from outside the recipe pinned in it."""
    tables = {
        name: dict(selection.pinned(name, config.style[name], f"[lineart.style.{name}]"))
        for name in config.drawn
        if name in config.style
    }
    return replace(config, style=config.style | tables)


def spelled(table: Document, settings: Sequence[str]) -> Document:  # noqa: ARG001  the hook's own arguments
    """The table with the arguments of styles, as in onnx:PATH, among their settings.

    A value of the wrong type is refused later.
    """
    match table:
        case {"styles": [*names], **others} if all(isinstance(name, str) for name in names):
            parameters = others.get("style", {})
            if isinstance(parameters, dict):
                plain, whole = selection.spelled(names, parameters)
                return others | {"styles": plain, "style": whole}
    return table


def anchored(table: Document, folder: Path) -> Document:
    """The table with the arguments of styles as absolute paths.

    A value of the wrong type is refused later.
    """
    match table:
        case {"style": {**styles}}:
            whole = {
                name: selection.anchored(str(name), settings, folder) for name, settings in styles.items()
            }
            return table | {"style": whole}
    return table


def portable(table: Document) -> Document:
    """The table without the paths that arguments of styles are."""
    styles: Mapping[str, Any] = table["style"]
    return table | {"style": {name: selection.portable(name, settings) for name, settings in styles.items()}}
