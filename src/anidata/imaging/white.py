"""Alpha a over white paper: 255 − round((255 − c)·a / 255), exact, since no half arises."""

import cv2
import numpy as np

from anidata.imaging.fit import Pixels

STRIP = 1 << 18  # pixels put on white at once: what lies between stays in the cache


def on_white(pixels: Pixels) -> tuple[Pixels, float]:
    """RGB on white paper, and the mean transparency."""
    if pixels.ndim == 2:
        return np.asarray(cv2.cvtColor(pixels, cv2.COLOR_GRAY2RGB), np.uint8), 0.0
    if pixels.shape[2] == 3:
        return pixels, 0.0
    height, width = pixels.shape[:2]
    rgb, opacity = np.empty((height, width, 3), np.uint8), 0.0
    rows = max(1, STRIP // width)
    for top in range(0, height, rows):
        opacity += _strip_on_white(pixels[top : top + rows], rgb[top : top + rows])
    return rgb, 1 - opacity / (255 * height * width)


def _strip_on_white(pixels: Pixels, rgb: Pixels) -> float:
    """Put RGBA rows on white, into `rgb`; the sum of their alpha."""
    alpha = cv2.extractChannel(pixels, 3)
    opacity = cv2.sumElems(alpha)[0]
    cv2.cvtColor(pixels, cv2.COLOR_RGBA2RGB, rgb)
    if opacity < 255 * alpha.size:
        cv2.bitwise_not(rgb, rgb)  # the distance from white, which alpha scales
        cv2.multiply(rgb, cv2.cvtColor(alpha, cv2.COLOR_GRAY2RGB), rgb, scale=1 / 255)
        cv2.bitwise_not(rgb, rgb)
    return float(opacity)
