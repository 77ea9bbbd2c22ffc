"""Augmentation, the same for line and color: a crop, a mirror image and a small rotation in one warp.

The color has a jitter of its own. All of it is done by the loader's workers, on uint8 and before the
crossing to tensors, since that costs least: of a 512 px pair, one core of a busy machine makes a view of
128 px in .7 ms and one of 256 px in 3; tensors of whole batches (affine_grid, grid_sample, avg_pool2d, the
colors by einsum) took 7 and 15 ms a pair on that core. On a GPU it wasn't measured: it would wait for the
same workers, who have to decode anyway.
"""

import hashlib
import math
from dataclasses import dataclass
from typing import Annotated

import cv2
import msgspec
import numpy as np
import numpy.typing as npt

from anidata.recipe import Share

Pixels = npt.NDArray[np.uint8]
Angle = Annotated[float, msgspec.Meta(ge=0, le=180)]
WHITE = (255, 255, 255)


@dataclass(frozen=True)
class Augment:
    """What changes from epoch to epoch."""

    # the smallest crop's side, as a share of the picture's short side; 1: always the central square
    crop: Share = 0.7
    flip: Share = 0.5  # chance of a mirror image; 0: none
    rotation: Angle = 5.0  # degrees to either side, at most; what lies beyond the picture is white; 0: none
    # of hue (by half a turn times this), saturation, gamma, contrast and brightness (by its exponential).
    # White stays; black does but for the brightness, which lightens ink or sinks shades into it; 0: none
    jitter: Share = 0.05


@dataclass(frozen=True, kw_only=True)
class View:
    """How a picture is looked at. As it stands: the whole central square."""

    side: float = 1.0  # of the square, as a share of the picture's short side
    right: float = 0.5  # where the square lies between the picture's left (0) and right (1)
    down: float = 0.5  # and between its top and bottom
    turn: float = 0.0  # degrees, clockwise
    mirrored: bool = False
    hue: float = 0.0  # radians by which colors turn about the gray axis
    saturation: float = 1.0  # distance from the gray axis, times this
    gamma: float = 1.0  # exponent of all values from 0 to 1
    # exponent of their distance from the nearer end, with the middle fixed: above 1 steeper there
    contrast: float = 1.0
    darkness: float = 1.0  # distance from white, times this: brightness, with white where it is


WHOLE = View()


def randomness(seed: int, epoch: int | str, key: str) -> np.random.Generator:
    """The generator of what is random about a sample in an epoch.

    It is a function of these three, so of no order, number of workers or machine. Only `random` is asked of
    it: unlike the other streams of numpy's generators, that one is PCG64's own, which doesn't change.
    """
    digest = hashlib.sha256(f"{seed}:{epoch}:{key}".encode()).digest()
    return np.random.Generator(np.random.PCG64(int.from_bytes(digest[:16], "little")))


def draw(config: Augment, rng: np.random.Generator) -> View:
    """A view by chance: the crop's area is uniform between the smallest and the whole."""
    area, right, down, turn, flip, hue, saturation, gamma, contrast, darkness = rng.random(10).tolist()
    spread = config.jitter
    return View(
        side=math.sqrt(config.crop**2 + area * (1 - config.crop**2)),
        right=right,
        down=down,
        turn=config.rotation * (2 * turn - 1),
        mirrored=flip < config.flip,
        hue=math.pi * spread * (2 * hue - 1),
        saturation=math.exp(4 * spread * (2 * saturation - 1)),
        gamma=math.exp(2 * spread * (2 * gamma - 1)),
        contrast=math.exp(4 * spread * (2 * contrast - 1)),
        darkness=math.exp(2 * spread * (2 * darkness - 1)),
    )


def warp(picture: Pixels, view: View, size: int) -> Pixels:
    """The view of a picture (h, w, 3) or line (h, w), as a square of `size` px.

    Reduction is by area: no line falls between two pixels.
    """
    height, width = picture.shape[:2]
    side = view.side * min(height, width)
    across = side / 2 + view.right * (width - side)  # px of the square's middle
    down = side / 2 + view.down * (height - side)
    halvings = max(0, math.floor(math.log2(side / size)))
    for _ in range(halvings):
        picture = _halved(picture)
    scale = 2.0**-halvings
    step = side * scale / size  # px of the halved picture for each of the view: below 2
    if step == 1 and _is_whole(picture, view, size):
        return picture
    fine = 2 if step > 1 else 1  # a view of twice the size, halved: averages where bilinear steps would skip
    matrix = _matrix(view, (across * scale, down * scale), step / fine, size * fine)
    warped = _warped(picture, matrix, size * fine, turned=view.turn != 0)
    return _halved(warped) if fine == 2 else warped


def recolor(rgb: Pixels, view: View) -> Pixels:
    """A picture (h, w, 3) in the view's colors: turned and stretched about the gray axis, then by level.

    White stays.
    """
    if view.hue == 0 and view.saturation == view.gamma == view.contrast == view.darkness == 1:
        return rgb
    turned = cv2.transform(rgb, _color_matrix(view))
    return np.asarray(cv2.LUT(turned, levels(view)), np.uint8)


def levels(view: View) -> Pixels:
    """What a view makes of each of the 256 levels: gamma, then contrast, then brightness.

    Never falling, white to white.
    """
    value = (np.arange(256) / 255) ** view.gamma
    near = np.minimum(value, 1 - value)  # the distance from the nearer end: 0 to a half
    bent = (2 * near) ** view.contrast / 2
    value = np.where(value < 0.5, bent, 1 - bent)
    value = np.maximum(0, 1 - (1 - value) * view.darkness)
    return np.rint(255 * value).astype(np.uint8)


def _color_matrix(view: View) -> npt.NDArray[np.float32]:
    """(3, 3): a rotation about (1, 1, 1) with a stretch away from it; its rows sum to 1.

    Source: Rodrigues' formula
    """
    gray = np.full((3, 3), 1 / 3)
    axis = np.array([[0, -1, 1], [1, 0, -1], [-1, 1, 0]]) / math.sqrt(3)
    turn = math.cos(view.hue) * (np.eye(3) - gray) + math.sin(view.hue) * axis
    return np.asarray(gray + view.saturation * turn, np.float32)


def _is_whole(picture: Pixels, view: View, size: int) -> bool:
    return picture.shape[:2] == (size, size) and view.side == 1 and view.turn == 0 and not view.mirrored


def _matrix(view: View, middle: tuple[float, float], step: float, size: int) -> npt.NDArray[np.float64]:
    """(2, 3): from a pixel of the view to its point in the picture. Pixels are counted at their centers."""
    angle = math.radians(view.turn)
    turn = step * np.array([[math.cos(angle), math.sin(angle)], [-math.sin(angle), math.cos(angle)]])
    if view.mirrored:
        turn[:, 0] *= -1
    start = np.array(middle) - 0.5 - turn @ np.full(2, (size - 1) / 2)
    return np.column_stack([turn, start])


def _warped(picture: Pixels, matrix: npt.NDArray[np.float64], size: int, *, turned: bool) -> Pixels:
    # an upright view lies within the picture
    border = cv2.BORDER_CONSTANT if turned else cv2.BORDER_REPLICATE
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    warped = cv2.warpAffine(picture, matrix, (size, size), flags=flags, borderMode=border, borderValue=WHITE)
    return np.asarray(warped, np.uint8)


def _halved(picture: Pixels) -> Pixels:
    height, width = (side // 2 for side in picture.shape[:2])
    even = picture[: 2 * height, : 2 * width]
    return np.asarray(cv2.resize(even, (width, height), interpolation=cv2.INTER_AREA), np.uint8)
