"""A Gaussian blur whose every bit is the same on every machine.

So a threshold upon it draws the same lines everywhere.
Both kernels are rounded to 1/256 and sum to 1: a blurred sample is an integer below 2^24,
exact in float32 however the sums are ordered or fused.
"""

from functools import cache

import cv2
import numpy as np
import numpy.typing as npt

UNIT = 256  # parts of 1 that a kernel's weights are counted in
REACH = 3  # sigmas on each side; the weight beyond is below half a part


def blur(gray: npt.NDArray[np.uint8], sigma: float) -> npt.NDArray[np.float32]:
    """Blur by `sigma` px (0: not at all), the picture mirrored at its borders.

    (h, w), in parts of 1 / 256² grey level.
    """
    weights = _kernel(sigma)
    return np.asarray(
        cv2.sepFilter2D(gray, cv2.CV_32F, weights, weights, borderType=cv2.BORDER_REFLECT_101), np.float32
    )


def soften(gray: npt.NDArray[np.uint8], sigma: float) -> npt.NDArray[np.uint8]:
    """The same in whole grey levels, rounded half up; (h, w)."""
    if sigma <= 0:
        return gray
    levels = blur(gray, sigma)
    levels *= np.float32(1 / UNIT**2)  # a power of two: still exact
    levels += np.float32(0.5)
    return levels.astype(np.uint8)


@cache
def _kernel(sigma: float) -> npt.NDArray[np.float32]:
    if sigma <= 0:
        return np.full(1, UNIT, np.float32)
    radius = int(np.ceil(REACH * sigma))
    ideal = np.exp(-0.5 * (np.arange(-radius, radius + 1) / sigma) ** 2)
    weights = np.round(ideal * (UNIT / ideal.sum()))
    weights[radius] += UNIT - weights.sum()  # what rounding took or gave goes to the middle
    return np.asarray(np.trim_zeros(weights), np.float32)
