"""Difference of Gaussians: ink where the picture is darker than its surroundings, by a plain threshold.

    line = 0 where G_kσ(I) − G_σ(I) ≥ t, else 255        I: luma, 0 to 255

Edges between two fills give a line on their darker side, so pictures without ink come out as outlines.
Source: Marr and Hildreth 1980, "Theory of edge detection", who take k = 1.6; a wider k finds wider strokes.
"""

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from anidata.lineart.styles._gauss import UNIT, blur

VERSION = 1


@dataclass(frozen=True)
class Config:
    """Ink by a plain difference of Gaussians."""

    sigma: float = 0.8  # px: the narrow blur; 0: none
    k: float = 4.0  # wide blur / narrow blur; 1: no ink
    threshold: float = 20.0  # grey levels of 255 by which ink is darker than around it; 256: no ink


def draw(rgb: npt.NDArray[np.uint8], config: Config) -> npt.NDArray[np.uint8]:
    """(h, w, 3) → (h, w): black ink (0) on white (255)."""
    luma = np.asarray(cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY), np.uint8)
    darker = blur(luma, config.k * config.sigma) - blur(luma, config.sigma)
    return (darker < config.threshold * UNIT * UNIT).astype(np.uint8) * np.uint8(255)
