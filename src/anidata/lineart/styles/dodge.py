"""Color dodge, the pencil sketch of photo editors: the picture divided by itself out of focus. Soft.

    line = 255 · min(1, (I + f) / (G_σ(I) + f))^n        I: luma, 0 to 255

What is as light as its surroundings is paper; what is darker is shaded by how much, so strokes are black,
borders of fills have a one-sided shade and no threshold decides. Dodging the inverse by the blurred
inverse is this very quotient.
Source: the "color dodge" of layer blending, B(b, s) = min(1, b / (1 − s)), as in W3C Compositing and Blending
Level 1, with b = I, s = 1 − G_σ(I).
"""

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from anidata.lineart.styles._gauss import UNIT, blur
from anidata.recipe import Amount, Count, Positive

VERSION = 1
SOFT = True


@dataclass(frozen=True)
class Config:
    """A pencil sketch."""

    sigma: Amount = 3.0  # px: the blur; wider shades more; 0: white paper
    floor: Count = 8  # grey levels added to both, so that noise in the dark is no stroke; 0: none
    burn: Positive = 2  # how often the sketch is laid over itself, each time darker; 1: once


def draw(rgb: npt.NDArray[np.uint8], config: Config) -> npt.NDArray[np.uint8]:
    """(h, w, 3) → (h, w): dark strokes on white (255)."""
    luma = np.asarray(cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY), np.uint8)
    floor = max(config.floor, 1 / UNIT) * UNIT * UNIT  # black on black is paper, not nought by nought
    around = blur(luma, config.sigma) + np.float32(floor)
    share = np.minimum((luma.astype(np.float32) * np.float32(UNIT * UNIT) + np.float32(floor)) / around, 1)
    burnt = share
    for _ in range(config.burn - 1):
        burnt = burnt * share
    return np.asarray(np.rint(burnt * np.float32(255)), np.uint8)
