"""Distance of the output's hues from harmony in degrees, 0 (in harmony) to about 43; no truth is looked at.

    min over template and turn of Σ chroma · distance(hue, the template's nearest sector) / Σ chroma

The templates are the paper's seven: sectors of the hue circle that go well together. Each of them lies within
X (two of 93.6° opposite to each other) or T (180°), so the nearest is one of these two; turns are of whole
degrees, and hues are rounded to them. The weight is max − min of R, G and B, in place of HSV's saturation, by
which the noise of black ink, (3, 0, 0), would weigh as much as pure red.
A picture whose mean weight is below 1 level of 255, which is gray, has no value.
Source: Cohen-Or, Sorkine, Gal, Leyvand, Xu 2006, "Color harmonization"; templates by Tokumaru et
al. 2002
"""

from functools import cache

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from anidata.training.compared import Compared, Pixels
from anidata.training.metrics import Figure

VERSION = 1
QUICK, EXTRACTOR, ALONE = False, "", True
X, T = ((0.0, 46.8), (180.0, 46.8)), ((0.0, 90.0),)  # degrees: a sector's middle and half its width
LEAST = 1.0  # level of 255: mean weight of a picture that counts as gray
FIGURES = {"harmony": Figure("lower", "degrees", 0, 43.2, "distance of the hues from a harmonic scheme")}


def metric(compared: Compared) -> dict[str, Tensor]:
    """One value a picture."""
    return compared.gathered(lambda number: {"harmony": distance(compared.outputs.levels[number])})


def distance(picture: Pixels) -> float:
    """Of a picture (h, w, 3)."""
    weights = histogram(picture)
    total = weights.sum()
    if total < LEAST * picture[..., 0].size:
        return float("nan")
    return float((_turned() @ weights).min() / total)


def histogram(picture: Pixels) -> NDArray[np.float64]:
    """Sum of the chroma in levels at each whole degree of hue: (360,)."""
    red, green, blue = (picture[..., n].ravel().astype(np.int64) for n in range(3))
    top = np.maximum(np.maximum(red, green), blue)
    chroma = top - np.minimum(np.minimum(red, green), blue)
    sixth = np.where(top == red, green - blue, np.where(top == green, blue - red, red - green))
    first = np.where(top == red, 0, np.where(top == green, 120, 240))
    twice = 2 * np.maximum(chroma, 1)
    degree = (first + (120 * sixth + chroma) // twice) % 360  # rounded, in whole numbers
    return np.asarray(np.bincount(degree, chroma, 360), np.float64)


@cache
def _turned() -> NDArray[np.float64]:
    """Degrees from each template, at each turn, to each hue: (720, 360)."""
    return np.concatenate([_away(template) for template in (X, T)])


def _away(template: tuple[tuple[float, float], ...]) -> NDArray[np.float64]:
    offsets = np.arange(360)[None, :] - np.arange(360)[:, None]
    sectors = [np.abs((offsets - middle + 180) % 360 - 180) - half for middle, half in template]
    return np.asarray(np.maximum(np.min(sectors, axis=0), 0))
