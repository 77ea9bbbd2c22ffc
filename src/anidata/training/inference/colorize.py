"""Coloring a picture of any size with a model of one size.

The whole picture is resized to the model's page, and its color brought back to the picture's own size. It
isn't cut into tiles: overlapping and blended, tried on five pictures with a U-Net of 128 px, they each
guessed for themselves, colored paper and left bodies white. What is lost in between is given back by the
picture: the line is laid over the color, as painters multiply a line layer over their paint, and where the
model was told the gray, that is the luma. Without either the color is only enlarged, and soft. Colored
lines come out black.

Line art is used as it is, its paper made white. Anything else is drawn first, at the size at which data
sets are drawn. A picture is line art if it has no color (in 99 of 100 pixels the channels are within 24
levels) and more than .55 of it is paper (within 12 levels of the most frequent one, which is 200 or more).
All 180 line drawings that this was tried on are (paper: .68 at least), none of their 180 color pictures,
and none of 146 others.
"""

import json
from collections.abc import Sequence

import cv2
import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from anidata.errors import RecipeError
from anidata.imaging import fit
from anidata.imaging.image import RASTER
from anidata.lineart import draw
from anidata.training.baseline import Baseline, Batch
from anidata.training.data.conditions import build
from anidata.training.data.loader import to_tensor, to_uint8

Pixels = npt.NDArray[np.uint8]

# what line art is, see above
GRAY = 24  # levels of 255 that the channels of a pixel without color are within
PAPER = 200  # the darkest level that paper may have
NEAR = 12  # levels about the paper's that count as paper
SHARE = 0.55  # of all pixels: more than this is paper

DRAWN = 512  # px of the long side at which a picture is drawn: what data sets have unless told otherwise
SHARPNESS = 16  # exponent of the lightness that paint is weighed by beside ink
LEAST = 1e-3  # weight of paint under ink
BLUR = 0.6  # px of the model's page that paint is spread over


@torch.no_grad()
def colorize(
    baseline: Baseline,
    image: Pixels,
    conditions: Sequence[str],
    size: int,
    generator: torch.Generator,
    style: str = "ink",
    reference: Pixels | None = None,
) -> Pixels:
    """A colored picture, uint8 (h, w, 3), of line art, a gray or a colored picture.

    image: uint8 (h, w) or (h, w, 3).
    conditions, size: those that the baseline was trained with; it runs on the generator's device.
    style: of the lines that are drawn.
    reference: a picture (any size, 3) whose colors to take; a colored image is its own. Hints there are none.
    Raises: RecipeError: line art, a model that asks for a reference, and none given; or one given to a model
        that asks for none. UnknownPart: no such style.
    """
    if reference is not None:
        check_asked("reference", "reference", conditions)
    rgb = np.asarray(cv2.cvtColor(image, cv2.COLOR_GRAY2RGB), np.uint8) if image.ndim == 2 else image
    stacked = torch.cat([_condition(name, rgb, size, style, reference) for name in conditions])
    condition = stacked[None].to(generator.device)
    blank = torch.zeros(1, 3, size, size, device=generator.device)
    page: Pixels = to_uint8(baseline.sample(Batch(blank, condition), generator))[0]
    return bring_back(page[fit.inner_box(rgb.shape, size, "pad")], rgb, conditions, style)


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


def is_lineart(rgb: Pixels) -> bool:
    """Whether a picture (h, w, 3) is line art: ink on paper, without color."""
    small = _at_most(rgb, RASTER)
    gray = cv2.cvtColor(small, cv2.COLOR_RGB2GRAY)
    paper = _paper(gray)
    near = np.abs(gray.astype(np.int16) - paper) <= NEAR
    return bool(paper >= PAPER and near.mean() > SHARE and np.percentile(np.ptp(small, axis=2), 99) < GRAY)


def line_of(rgb: Pixels, style: str, size: int = 0) -> Pixels:
    """The lineart (h, w) of a picture (h, w, 3): itself on white paper, or drawn.

    size: px of the long side that it has at most; 0: the picture's own.
    """
    small = _at_most(rgb, size) if size else rgb
    if not is_lineart(rgb):
        return draw.draw(small, style)
    gray = np.asarray(cv2.cvtColor(small, cv2.COLOR_RGB2GRAY), np.uint8)
    return np.asarray(cv2.convertScaleAbs(gray, alpha=255 / _paper(gray)), np.uint8)


def bring_back(color: Pixels, rgb: Pixels, conditions: Sequence[str], style: str) -> Pixels:
    """The color (any size, 3) at the size of the picture (h, w, 3).

    It has that picture's gray or lines where the model was told them.
    """
    height, width = rgb.shape[:2]
    if "gray" in conditions:
        planes = cv2.cvtColor(_resized(color, width, height), cv2.COLOR_RGB2YCrCb)
        planes[..., 0] = cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY)
        return np.asarray(cv2.cvtColor(planes, cv2.COLOR_YCrCb2RGB), np.uint8)
    if "lineart" in conditions and max(color.shape[:2]) < max(height, width):
        return lay(line_of(rgb, style), color)
    return _resized(color, width, height)


def lay(line: Pixels, color: Pixels) -> Pixels:
    """Lines (h, w) over the smaller color picture (a, b, 3) of the same drawing: (h, w, 3).

    The lines of the color picture itself are taken out. Its pixels count by how little ink they have: so
    paint is spread up to the middle of a line from both sides, and never across it.
    """
    height, width = line.shape
    light = fit.resize(line, color.shape[1], color.shape[0], "area").astype(np.float32) / 255
    free = np.asarray(light**SHARPNESS + LEAST, np.float32)

    def spread(plane: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        blurred = cv2.GaussianBlur(plane, (0, 0), BLUR)
        return np.asarray(cv2.resize(blurred, (width, height), interpolation=cv2.INTER_LINEAR), np.float32)

    share = line / (np.float32(255) * spread(free))
    paints = [np.multiply(color[..., n], free, dtype=np.float32) for n in range(3)]
    planes = [cv2.convertScaleAbs(spread(paint) * share) for paint in paints]  # rounds, and stops at 255
    return np.asarray(cv2.merge(planes), np.uint8)


def _condition(name: str, rgb: Pixels, size: int, style: str, reference: Pixels | None) -> Tensor:
    """One condition of a picture: (channels, size, size)."""
    extra = np.empty((size, size, 0), np.uint8)
    if name == "lineart":
        extra = _page(line_of(rgb, style, max(DRAWN, size)), size)
    elif name == "hints":
        extra = np.zeros((size, size), np.uint8)
    elif name == "reference":
        if reference is None and is_lineart(rgb):
            raise RecipeError(
                "this model takes its colors from a reference, and line art has none. "
                "Name a colored picture: --reference FILE, or reference= in Python."
            )
        extra = _page(rgb if reference is None else reference, size)
    return build([name], to_tensor(_page(rgb, size))[None], to_tensor(extra)[None])[0]


def _page(picture: Pixels, size: int) -> Pixels:
    return fit.fit(picture, size, "pad", "area")


def _paper(gray: Pixels) -> int:
    """The most frequent level."""
    return int(np.argmax(np.bincount(gray.ravel())))


def _at_most(picture: Pixels, size: int) -> Pixels:
    """By area, with the long side of at most `size` px."""
    height, width = picture.shape[:2]
    scale = min(1.0, size / max(height, width))
    return fit.resize(picture, max(1, round(width * scale)), max(1, round(height * scale)), "area")


def _resized(picture: Pixels, width: int, height: int) -> Pixels:
    return fit.resize(picture, width, height, "area")
