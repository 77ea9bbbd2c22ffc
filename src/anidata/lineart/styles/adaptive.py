"""Adaptive threshold: ink where the picture is darker, by a share, than the mean about it.

    line = 0 where G_σ(I) < (1 − s)·M(I) − c, else 255
    I: luma, 0 to 255; M: Gaussian or plain mean of `reach`

A share follows the light: a line in the shadow is found as one in the sun is. Areas wider than the mean's
reach come out as their outlines.
Source: Wellner 1993, "Adaptive thresholding for the DigitalDesk"; Bradley and Roth 2007,
"Adaptive thresholding using the integral image", for the share; `offset` with share 0 and sigma
0 is OpenCV's adaptiveThreshold.
"""

from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np
import numpy.typing as npt

from anidata.lineart.styles._gauss import UNIT, blur
from anidata.recipe import Amount, Share

VERSION = 1


@dataclass(frozen=True)
class Config:
    """Ink by a threshold that follows the local mean."""

    sigma: Amount = 0.6  # px: the blur that noise is fought with; 0: none
    mean: Literal["gaussian", "box"] = "gaussian"  # how the surroundings are weighed
    reach: Amount = 5.0  # px: the Gaussian's sigma, or the half side of the box; 0: the pixel alone, no ink
    share: Share = 0.15  # of the mean, that ink is darker by; 1: no ink
    offset: Amount = 0.0  # grey levels of 255 that ink is darker by besides; 0: none


def draw(rgb: npt.NDArray[np.uint8], config: Config) -> npt.NDArray[np.uint8]:
    """(h, w, 3) → (h, w): black ink (0) on white (255)."""
    luma = np.asarray(cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY), np.uint8)
    least = blur(luma, config.reach) if config.mean == "gaussian" else _box(luma, round(config.reach))
    least *= np.float32(1 - config.share)
    least -= np.float32(config.offset * UNIT * UNIT)
    return np.asarray(cv2.compare(blur(luma, config.sigma), least, cv2.CMP_GE), np.uint8)


def _box(gray: npt.NDArray[np.uint8], reach: int) -> npt.NDArray[np.float32]:
    """The plain mean, in parts of 1 / 256² grey level; the sums are whole, so only this division rounds."""
    side = 2 * reach + 1
    sums = cv2.boxFilter(gray, cv2.CV_32S, (side, side), normalize=False, borderType=cv2.BORDER_REFLECT_101)
    return np.asarray(sums * (UNIT * UNIT / side**2), np.float32)
