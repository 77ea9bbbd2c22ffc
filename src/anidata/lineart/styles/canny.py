"""Canny's edges as ink on white, thresholds taken from the picture by Otsu's method; \
both flanks of every stroke.

    t = Otsu's threshold of luma, strong where |∇I| > t, weak where |∇I| > r·t        |∇I|: Sobel 3×3, L1

The baseline that lineart papers compare with, kept for that: strokes come out doubled.
Source: Canny 1986, "A computational approach to edge detection"; Otsu 1979 for t, as Fang et al.
2009 join the two.
"""

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

VERSION = 1


@dataclass(frozen=True)
class Config:
    """One-pixel edges by Canny's detector."""

    high: float = 1.0  # strong edges, as a multiple of Otsu's threshold; 0: every slope is one
    ratio: float = 0.5  # weak edges, as a share of the strong; 1: no hysteresis


def draw(rgb: npt.NDArray[np.uint8], config: Config) -> npt.NDArray[np.uint8]:
    """(h, w, 3) → (h, w): black ink (0) on white (255)."""
    luma = np.asarray(cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY), np.uint8)
    otsu, _ = cv2.threshold(luma, 0, 255, cv2.THRESH_BINARY | cv2.THRESH_OTSU)
    strong = config.high * otsu
    return np.asarray(cv2.bitwise_not(cv2.Canny(luma, config.ratio * strong, strong)), np.uint8)
