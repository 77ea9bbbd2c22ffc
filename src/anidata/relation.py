"""What a candidate pair is: the same picture, a part of it, other colors, another expression, or no relation at all.

Both are brought to one small size, an affine map with a gain of light is fitted (Gauss-Newton, coarse to fine), and what is left of the
difference decides. A re-encoding errs a little everywhere, a redrawn mouth errs a lot in one spot: so the largest local mean of the
difference is the measure, and a mean over the picture, which hides a mouth, is none.
"""

from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from anidata import canvas

VERSION = 1  # raised when the same two thumbnails would get another relation
SIDE = 192  # px of the long side of what is compared: at 64 px expressions can't be told from JPEG noise
LEVELS = ((48, 8), (96, 4), (SIDE, 3))  # px of the long side, and most steps of the fit there
LEAST = 8  # px: sides below this carry no gradients to align by

Pixels = NDArray[np.uint8]  # (h, w, 3)
Plane = NDArray[np.float32]  # (h, w)
Affine = NDArray[np.float64]  # (2, 3): from places in b to places in a, both in units of half the long side, about the center


class Difference(NamedTuple):
    """What is left between two pictures, once aligned and lit alike."""

    likeness: float  # correlation of first differences of luma, 32 px
    moved: float  # share of the long side by which the farthest corner moved
    light: float
    spot: float
    noise: float
    tint: float
    extra: dict


def thumbnail(rgb: Pixels) -> Pixels:
    """The picture at its smallest that tells expressions apart: the long side at most SIDE, by area."""
    height, width = rgb.shape[:2]
    scale = min(1.0, SIDE / max(height, width))
    return canvas.resize(rgb, max(1, round(width * scale)), max(1, round(height * scale)), "area")
