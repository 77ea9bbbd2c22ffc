"""Coloring a picture of any size with a model of one size.

The whole picture is resized to the model's page, and its color brought back to the picture's own size. It
isn't cut into tiles: overlapping and blended, tried on five pictures with a U-Net of 128 px, they each
guessed for themselves, colored paper and left bodies white. What is lost in between is given back by the
picture: the line is laid over the color, as painters multiply a line layer over their paint, and where the
model was told the gray, that is the luma. Without either the color is only enlarged, and soft. Colored
lines come out black.

Line art is used as it is, its paper made white and its darkest ink black, and so reduced that thin strokes
stay (`ink`). Anything else is drawn first, at the size at which data sets are drawn. What line art is says
`imaging.lines`.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from anidata.errors import RecipeError
from anidata.imaging import fit, lines
from anidata.lineart import draw
from anidata.training.baseline import Baseline, Batch
from anidata.training.data.conditions import build
from anidata.training.data.loader import to_tensor, to_uint8
from anidata.training.inference import hints as marks
from anidata.training.inference import ink

Pixels = npt.NDArray[np.uint8]

DRAWN = 512  # px of the long side at which a picture is drawn: what data sets have unless told otherwise
SHARPNESS = 32  # exponent of the lightness that paint is weighed by beside ink
LEAST = 1e-4  # weight of paint under ink
BLUR = 0.6  # px of the model's page that paint is spread over


@dataclass(frozen=True)
class Given:
    """What a picture is colored with, beside itself."""

    style: str = "ink"  # of the lines that are drawn
    reference: Pixels | None = None  # (any size, 3)
    hints: Pixels | None = None  # (h, w, 4)


def colorize(
    baseline: Baseline,
    image: Pixels,
    conditions: Sequence[str],
    size: int,
    generator: torch.Generator,
    style: str = "ink",
    reference: Pixels | None = None,
    hints: Pixels | None = None,
) -> Pixels:
    """A colored picture, uint8 (h, w, 3), of line art, a gray or a colored picture.

    image: uint8 (h, w) or (h, w, 3), or (h, w, 4) with alpha. White lines on black, or on transparency, are
        seen as such and become black on white; `paint` takes a picture as it is.
    conditions, size: those that the baseline was trained with; it runs on the generator's device.
    style: of the lines that are drawn.
    reference: a picture (any size, 3) whose colors to take; a colored image is its own.
    hints: points or strokes of color on transparency, uint8 RGBA, of the image's size or shape.
    Raises: RecipeError: line art, a model that asks for a reference, and none given; hints that are opaque,
        empty or of another shape; either given to a model that asks for none. UnknownPart: no such style.
        BadImage: `unclear`, the image may be white lines or not.
    """
    rgb, _ = lines.black_on_white(image)
    return paint(baseline, rgb, conditions, size, generator, Given(style, reference, hints))


@torch.no_grad()
def paint(
    baseline: Baseline,
    rgb: Pixels,
    conditions: Sequence[str],
    size: int,
    generator: torch.Generator,
    given: Given,
) -> Pixels:
    """The same of a picture (h, w, 3), whose lines, if it is line art, are black on white."""
    for name, picture in (("reference", given.reference), ("hints", given.hints)):
        if picture is not None:
            check_asked(name, name, conditions)
    if given.hints is not None:
        marks.check(given.hints, rgb.shape)
    own = ink.of_lineart(rgb) if lines.is_lineart(rgb) else None
    stacked = torch.cat([_condition(name, rgb, own, size, given) for name in conditions])
    condition = stacked[None].to(generator.device)
    blank = torch.zeros(1, 3, size, size, device=generator.device)
    page: Pixels = to_uint8(baseline.sample(Batch(blank, condition), generator))[0]
    return _bring_back(page[fit.inner_box(rgb.shape, size, "pad")], rgb, own, conditions, given.style)


def check_asked(option: str, condition: str, conditions: Sequence[str]) -> None:
    """See that what is given to a model is of a condition that it was trained with.

    Raises: RecipeError: it would change nothing.
    """
    if condition not in conditions:
        more = json.dumps([*conditions, condition])
        raise RecipeError(
            f"--{option}: this model was trained with {', '.join(conditions)}, and would ignore it. Leave it "
            f"out ({option}= in Python), or train a model with --set 'train.conditions={more}'."
        )


def _bring_back(
    color: Pixels, rgb: Pixels, own: Pixels | None, conditions: Sequence[str], style: str
) -> Pixels:
    """The color (any size, 3) at the size of the picture (h, w, 3); own: its lines, if it is line art.

    It has that picture's gray or lines where the model was told them.
    """
    height, width = rgb.shape[:2]
    if "gray" in conditions:
        planes = cv2.cvtColor(_resized(color, width, height), cv2.COLOR_RGB2YCrCb)
        planes[..., 0] = cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY)
        return np.asarray(cv2.cvtColor(planes, cv2.COLOR_YCrCb2RGB), np.uint8)
    if "lineart" in conditions and max(color.shape[:2]) < max(height, width):
        if own is None:
            return lay(draw.draw(rgb, style), color)
        return lay(own, color, ink.reduced(own, color.shape[1], color.shape[0]))
    return _resized(color, width, height)


def lay(line: Pixels, color: Pixels, seen: Pixels | None = None) -> Pixels:
    """Lines (h, w) over the smaller color picture (a, b, 3) of the same drawing: (h, w, 3).

    seen: those lines (a, b) as the model saw them; by area unless given.
    The lines of the color picture itself are taken out. Its pixels count by how little ink they have: so
    paint is spread up to the middle of a line from both sides, and never across it.
    """
    height, width = line.shape
    small = fit.resize(line, color.shape[1], color.shape[0], "area") if seen is None else seen
    light = small.astype(np.float32) / 255
    free = np.asarray(light**SHARPNESS + LEAST, np.float32)

    def spread(plane: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        blurred = cv2.GaussianBlur(plane, (0, 0), BLUR)
        return np.asarray(cv2.resize(blurred, (width, height), interpolation=cv2.INTER_LINEAR), np.float32)

    share = line / (np.float32(255) * spread(free))
    paints = [np.multiply(color[..., n], free, dtype=np.float32) for n in range(3)]
    planes = [cv2.convertScaleAbs(spread(paint) * share) for paint in paints]  # rounds, and stops at 255
    return np.asarray(cv2.merge(planes), np.uint8)


def _condition(name: str, rgb: Pixels, own: Pixels | None, size: int, given: Given) -> Tensor:
    """One condition of a picture: (channels, size, size). own: its lines, if it is line art."""
    color, extra = _page(rgb, size), np.empty((size, size, 0), np.uint8)
    if name == "lineart":
        extra = _line_page(rgb, own, size, given.style)
    elif name == "hints" and given.hints is not None:
        color, extra = marks.page(given.hints, size, rgb.shape)
    elif name == "hints":
        extra = np.zeros((size, size), np.uint8)
    elif name == "reference":
        if given.reference is None and own is not None:
            raise RecipeError(
                "this model takes its colors from a reference, and line art has none. "
                "Name a colored picture: --reference FILE, or reference= in Python."
            )
        extra = _page(rgb if given.reference is None else given.reference, size)
    return build([name], to_tensor(color)[None], to_tensor(extra)[None])[0]


def _line_page(rgb: Pixels, own: Pixels | None, size: int, style: str) -> Pixels:
    if own is None:
        return _page(draw.draw(fit.at_most(rgb, max(DRAWN, size)), style), size)
    return ink.page(own, size)


def _page(picture: Pixels, size: int) -> Pixels:
    return fit.fit(picture, size, "pad", "area")


def _resized(picture: Pixels, width: int, height: int) -> Pixels:
    return fit.resize(picture, width, height, "area")
