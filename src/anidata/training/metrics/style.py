"""Distance of the manner of drawing from the truth's, by histograms, in levels of 255: 0 (the same) to 181.

    1-Wasserstein distance = ∫ |F(output) − F(truth)|        F: the share of pixels up to a value

style           of the gradient's length (Sobel's, a level a pixel): how hard edges are, and how many
style_contrast  of the local contrast (standard deviation within 7 × 7 px): how much texture and shading

Of luma, mirrored at the borders about their pixels. Where things lie in the picture doesn't matter.
Source: Vallender 1974, "Calculation of the Wasserstein distance between probability distributions on the
line"; gradient and local deviation as features are those of Xue et al. 2014, "Gradient magnitude similarity
deviation", and Wang et al. 2004, "Image quality assessment"
"""

import cv2
import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from anidata.training.compared import Compared, Pixels, Side
from anidata.training.metrics import Figure

VERSION = 1
QUICK, EXTRACTOR = False, ""
WINDOW = 7  # px
FIGURES = {
    "style": Figure("lower", "levels", 0, 181, "distance of the edges' hardness", "style"),
    "style_contrast": Figure("lower", "levels", 0, 128, "distance of the local contrast", "style"),
}

Values = NDArray[np.float32]


def metric(compared: Compared) -> dict[str, Tensor]:
    """Two values a picture."""
    outputs, truths = compared.outputs.once(ranked), compared.truths.once(ranked)

    def measured(number: int) -> dict[str, float]:
        pairs = zip(outputs[number], truths[number], strict=True)
        return {name: wasserstein(*pair) for name, pair in zip(FIGURES, pairs, strict=True)}

    return compared.gathered(measured)


def ranked(side: Side) -> list[list[Values]]:
    """The features of each picture, their values in order."""
    return [[np.sort(values, axis=None) for values in features(picture)] for picture in side.levels]


def features(picture: Pixels) -> tuple[Values, Values]:
    """The gradient's length and the local contrast of a picture (h, w, 3), (h, w) each."""
    luma = cv2.cvtColor(picture.astype(np.float32), cv2.COLOR_RGB2GRAY).astype(np.float64)
    across, down = (
        cv2.Sobel(luma, cv2.CV_64F, x, 1 - x, scale=1 / 8, borderType=cv2.BORDER_REFLECT_101) for x in (1, 0)
    )
    mean, square = (
        cv2.boxFilter(x, cv2.CV_64F, (WINDOW, WINDOW), borderType=cv2.BORDER_REFLECT_101)
        for x in (luma, luma * luma)
    )
    deviation = np.sqrt(np.maximum(square - mean * mean, 0))
    return np.hypot(across, down).astype(np.float32), deviation.astype(np.float32)


def wasserstein(one: Values, other: Values) -> float:
    """The distance of as many values, both in order."""
    return float(np.abs(one - other).mean(dtype=np.float64))
