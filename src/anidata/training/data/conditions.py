"""What a model is told of a picture beside the noise.

That is its lineart, its gray, points of its color, another picture of the same colors, or nothing. A
condition is made in two steps. A loader's worker lays down what it takes (`extras`: uint8, and random where
there is a choice); the model's side turns that into channels (`build`), of several conditions side by side
in their order.
"""

import math
from collections.abc import Mapping, Sequence
from typing import cast

import cv2
import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from anidata.errors import RecipeError
from anidata.registry import nearest
from anidata.training.data.augment import WHITE

# channels; hints: the color where there is one, and a mask
CONDITIONS = {"lineart": 1, "gray": 1, "hints": 4, "reference": 3, "none": 1}
# uint8 planes that a condition takes beside the color: the line, the mask, the picture
EXTRAS = {"lineart": 1, "hints": 1, "reference": 3}
LUMA = (0.299, 0.587, 0.114)  # as in JPEG and in cv2's gray

# hints in a picture, on average; their number is geometric, as in Zhang et al. 2017 (arXiv 1705.02999), so
# that none is learned too
MEAN_POINTS = 7
POINT = 1 / 64  # of a side: half of a hint's side
# levels of 255 by which the channels may range about a hint: JPEG's ringing stays below, a line or an edge
# doesn't
FLAT = 16
BEND = 0.15  # of a side: how far a reference is bent at each of its knots, at most
KNOTS = 4  # of a reference, across and down

Pixels = npt.NDArray[np.uint8]


def channels(names: Sequence[str]) -> int:
    """How many channels the conditions have together.

    Raises: RecipeError: none, twice the same, or an unknown one.
    """
    for name in names:
        if name not in CONDITIONS:
            near = nearest(name, CONDITIONS)
            raise RecipeError(f"conditions: there is no '{name}'.{near} There are: {', '.join(CONDITIONS)}")
    if not names or len(set(names)) < len(names):
        raise RecipeError(
            f'conditions: {list(names)}: name each once, such as ["lineart", "hints"]; '
            'for a model without any, ["none"]'
        )
    return sum(CONDITIONS[name] for name in names)


def planes(names: Sequence[str]) -> int:
    """How many uint8 planes a sample takes: its color and the extras."""
    return 3 + sum(EXTRAS.get(name, 0) for name in names)


def extras(
    names: Sequence[str], color: Pixels, line: Pixels | None, rng: np.random.Generator
) -> list[Pixels]:
    """The planes that the conditions take beside the color (h, w, 3), in order: (h, w) or (h, w, 3) each."""
    made: list[Pixels] = []
    for name in names:
        if name == "lineart":
            made.append(cast("Pixels", line))
        elif name == "hints":
            made.append(points(color, rng))
        elif name == "reference":
            made.append(bent(color, rng))
    return made


def points(color: Pixels, rng: np.random.Generator) -> Pixels:
    """A mask of hints, (h, w): 255 in small squares where the picture (h, w, 3) is flat, 0 elsewhere."""
    count = math.floor(math.log(1 - rng.random()) / math.log(MEAN_POINTS / (MEAN_POINTS + 1)))
    reach = max(1, round(min(color.shape[:2]) * POINT))
    window = np.ones((2 * reach + 1, 2 * reach + 1), np.uint8)
    ranges = cv2.morphologyEx(color, cv2.MORPH_GRADIENT, window)  # of each channel about each pixel
    red, green, blue = cv2.split(ranges)
    flat = np.flatnonzero(cv2.max(cv2.max(red, green), blue) <= FLAT)
    mask = np.zeros(color.shape[:2], np.uint8)
    if count and len(flat):
        chosen = (rng.random(count) * len(flat)).astype(np.int64)
        mask.flat[flat[chosen]] = 255
        mask = np.asarray(cv2.dilate(mask, window), np.uint8)
    return mask


def bent(color: Pixels, rng: np.random.Generator) -> Pixels:
    """A picture (h, w, 3) bent smoothly, and mirrored by chance: its colors, and where they lie only roughly.

    Source: the augmented self-reference of Lee et al. 2020, "Reference-based sketch image colorization",
    arXiv 2005.05207
    """
    height, width = color.shape[:2]
    knots = (2 * rng.random((KNOTS, KNOTS, 2)) - 1).astype(np.float32) * BEND * min(height, width)
    moved = cv2.resize(knots, (width, height), interpolation=cv2.INTER_CUBIC)
    rows, columns = np.indices((height, width), np.float32)
    columns = columns[:, ::-1] if rng.random() < 0.5 else columns
    across, down = columns + moved[..., 0], rows + moved[..., 1]
    return np.asarray(cv2.remap(color, across, down, cv2.INTER_LINEAR, borderValue=WHITE), np.uint8)


def build(names: Sequence[str], color: Tensor, extra: Tensor) -> Tensor:
    """The conditions' channels, side by side.

    color, extra: (b, 3, h, w) and (b, planes(names) − 3, h, w), float32 in [-1, 1].
    Returns: (b, channels(names), h, w) in [-1, 1], zeros where there is nothing; the mask of hints is 1 at
    a hint.
    """
    taken = [name for name in names if name in EXTRAS]
    pieces = torch.split(extra, [EXTRAS[name] for name in taken], dim=1) if taken else ()
    given = dict(zip(taken, pieces, strict=True))
    made = [_channels(name, color, given) for name in names]
    return made[0] if len(made) == 1 else torch.cat(made, dim=1)


def line(names: Sequence[str], condition: Tensor) -> Tensor | None:
    """The lineart (b, 1, h, w) among the conditions' channels (b, c, h, w), if it is one of them."""
    if "lineart" not in names:
        return None
    first = sum(CONDITIONS[name] for name in names[: list(names).index("lineart")])
    return condition[:, first : first + CONDITIONS["lineart"]]


def _channels(name: str, color: Tensor, given: Mapping[str, Tensor]) -> Tensor:
    match name:
        case "gray":
            return torch.einsum("c,bchw->bhw", color.new_tensor(LUMA), color)[:, None]
        case "hints":
            mask = (given[name] > 0).to(color.dtype)
            return torch.cat([color * mask, mask], dim=1)
        case "none":
            return torch.zeros_like(color[:, :1])
    return given[name]
