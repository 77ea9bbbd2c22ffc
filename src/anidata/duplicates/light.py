"""One picture in the light of another: the gain and offset of grey levels that bring it nearest.

Brighter, flatter or clipped light is still the same picture. What it takes to make a black thing of a white
one is not light: that was painted.
"""

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from anidata.duplicates.alignment import Mask, Pixels

LEAST = 8  # samples from which light can be fitted
CLIPPED = 16  # grey levels from black or white that clipping may have reached
STEPS = 5  # rounds of the fit
GAIN = 2.0  # times the light, either way, that is still the same picture
SHIFT = 50  # grey levels, likewise: a fifth more light moves 42, a black phone for a white one 130
FAR = 0.05  # share of the samples that may be moved further


def lit(a: Pixels, b: Pixels, shown: Mask) -> Pixels:
    """The first with the gain and offset that bring it nearest to the second, clipped as light is.

    Unchanged where that is beyond GAIN or SHIFT.
    """
    few = shown[::3, ::3] > 0
    one, other = (p[::3, ::3][few].ravel() for p in (a, b))
    gain, offset = _light(one.astype(np.float32), other.astype(np.float32))
    if not 1 / GAIN < gain < GAIN:
        return a
    levels = np.clip(np.rint(gain * np.arange(256) + offset), 0, 255)
    is_far = np.abs(levels - np.arange(256)) > SHIFT
    if is_far[one].mean() > FAR:
        return a
    return np.asarray(cv2.LUT(a, levels.astype(np.uint8)), np.uint8)


def _light(x: NDArray[np.float32], y: NDArray[np.float32]) -> tuple[float, float]:
    """Gain, and offset in grey levels, that take samples x (n,) to y (n,); a gain of NaN of too few.

    By least squares, in which what is far off weighs little.
    """
    # What is clipped in neither tells the gain at once.
    free = (np.minimum(x, y) > CLIPPED) & (np.maximum(x, y) < 255 - CLIPPED)
    gain, offset = 1.0, 0.0
    for _ in range(STEPS):
        residual = y - np.clip(gain * x + offset, 0, 255)
        weight = free / (1 + np.square(residual / max(3.0, 2 * float(np.abs(residual).mean()))))
        total = float(weight.sum())
        if total < LEAST:
            return math.nan, 0.0
        mean_x, mean_residual = float(weight @ x) / total, float(weight @ residual) / total
        covariance = float(weight @ ((x - mean_x) * (residual - mean_residual)))
        slope = covariance / (float(weight @ np.square(x - mean_x)) + 4 * total)
        gain, offset = gain + slope, offset + mean_residual - slope * mean_x
        free = np.abs(gain * x + offset - 127.5) < 131  # then all that the gain doesn't clip
    return gain, offset
