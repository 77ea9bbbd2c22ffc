"""Black top-hat: ink where a closing lifts the picture, that is where something darker \
is narrower than the closing's square.

    line = 0 where T ≥ s·C and T ≥ q·max T nearby, else 255;   C = G_σ(I) • B,   T = C − G_σ(I)
    I: luma; •: closing; B: square, 2r + 1 px

Borders of fills give no line, nor do areas wider than B; the corners of those do. Strokes of any width up
to B's come out as wide as they are.
Source: Meyer 1979, "Iterative image transformations for an automatic screening of cervical smears";
Serra 1982, "Image analysis and mathematical morphology". Weighing against the tone beside it is Weber's law;
the share of the peak takes off the shadows beside strokes.
"""

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from anidata.lineart.styles._gauss import soften
from anidata.recipe import Amount, Count, Share

VERSION = 1
NEARBY = np.ones((9, 9), np.uint8)  # where a stroke's peak is looked for: 4 px on each side


@dataclass(frozen=True)
class Config:
    """Ink by what a closing fills up."""

    sigma: Amount = 0.6  # px: the blur that noise is fought with; 0: none
    radius: Count = 7  # px: strokes up to 2·radius wide are found; 0: none is
    share: Share = 0.3  # of the tone beside it, that ink is darker by; 1: only black on a tone
    peak: Share = 0.5  # of the deepest nearby, that a pixel must have, so that strokes stay thin; 0: none


def draw(rgb: npt.NDArray[np.uint8], config: Config) -> npt.NDArray[np.uint8]:
    """(h, w, 3) → (h, w): black ink (0) on white (255)."""
    gray = soften(np.asarray(cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY), np.uint8), config.sigma)
    side = 2 * config.radius + 1
    closed = cv2.morphologyEx(
        gray, cv2.MORPH_CLOSE, np.ones((side, side), np.uint8), borderType=cv2.BORDER_REPLICATE
    )
    depth = cv2.subtract(closed, gray)
    enough = cv2.LUT(closed, _at_least(config.share))
    deepest = cv2.LUT(cv2.dilate(depth, NEARBY, borderType=cv2.BORDER_REPLICATE), _at_least(config.peak))
    return np.asarray(cv2.bitwise_not(cv2.compare(depth, cv2.max(enough, deepest), cv2.CMP_GE)), np.uint8)


def _at_least(share: float) -> npt.NDArray[np.uint8]:
    """The least whole depth that is a share of each grey level; never 0, for flat paper has that."""
    return np.asarray(np.clip(np.ceil(share * np.arange(256)), 1, 255), np.uint8)
