"""Sobel's gradient, thresholded: every border, inked or not, as a band; both flanks of a stroke, \
one band where it is thin.

    line = 0 where |∇G_σ(I)| ≥ t, else 255        ∇: Sobel 3×3, L2; I: luma, 0 to 255

With `full` the gradient itself is drawn, in gray: line = 255·(1 − min(1, |∇G_σ(I)| / full)).
Source: Sobel and Feldman 1968, "A 3×3 isotropic gradient operator for image processing".
"""

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from anidata.lineart.styles._gauss import soften
from anidata.recipe import Amount

VERSION = 1
GAIN = 8  # of a ramp of one grey level a px, Sobel's kernel makes so many


@dataclass(frozen=True)
class Config:
    """Bands of ink where the picture is steep."""

    sigma: Amount = 0.6  # px: the blur that noise is fought with; 0: none
    threshold: Amount = 20.0  # grey levels a px from which on a slope is ink; 256: no ink
    full: Amount = 0.0  # grey levels a px from which on soft lines are black; 0: hard, black and white only


def draw(rgb: npt.NDArray[np.uint8], config: Config) -> npt.NDArray[np.uint8]:
    """(h, w, 3) → (h, w): black ink (0) on white (255)."""
    luma = np.asarray(cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY), np.uint8)
    squared = _squared_slope(soften(luma, config.sigma))
    if config.full <= 0:
        return (squared < (GAIN * config.threshold) ** 2).astype(np.uint8) * np.uint8(255)
    slope = np.sqrt(squared) * np.float32(255 / (GAIN * config.full))
    return np.asarray(np.rint(255 - np.minimum(slope, 255)), np.uint8)


def _squared_slope(gray: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
    """In (1 / GAIN grey levels a px)²: integers below 2^24, exact in float32."""
    across, down = (cv2.Sobel(gray, cv2.CV_16S, *order).astype(np.float32) for order in ((1, 0), (0, 1)))
    across *= across
    down *= down
    across += down
    return np.asarray(across, np.float32)
