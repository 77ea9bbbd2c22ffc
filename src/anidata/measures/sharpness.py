"""How sharp the edges are at full resolution: 1 (crisp, or no edges at all) down to 0 (blurred or enlarged).

    min(1, min(d + .05, 4 (d + .02)²) / e)        in a central window of at most 512 px, never resized

e: width of an edge in px, 25th percentile over the pixels with an edge near of (range within 9×9)
/ (largest one-pixel step within 9×9).
d: mean square of the detail in the finest octave over that in the next one;
enlarging and blurring empty the finest first.
A rule rejects below .16: art blurred by 1.5 px or enlarged threefold falls, five sixths of what is enlarged
twofold, 1.5-fold mostly doesn't; the softest of 90 good pictures has .21. Edge widths don't follow
content as the variance of the Laplacian does, and d tells soft paint from pixels that were made up;
the square counts little detail for less where edges are fairly crisp, as after a twofold enlargement.
"""

import cv2
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from anidata.imaging.image import Image
from anidata.measures._tones import levels

TYPE, VERSION = pa.float32(), 4
NEAR = np.ones((9, 9), np.uint8)
EVERY = 4  # px: that few say it all, as windows of 9×9 overlap
CONTRAST, LOWEST, HIGHEST = 0.2, 8, 32  # an edge: this share of the window's range, within these grey levels
QUARTER = 0.25  # the sharpest quarter of the edges decides: art has soft shading beside its lines
FLOOR = 0.05  # keeps d from 0 in files without any noise
LITTLE, STEEP = 0.02, 4.0  # of the square, which is the less of the two where d is below .28


def measure(image: Image) -> float:
    width = _edge_width(image.window, image.window_tones)
    if width is None:
        return 1.0
    detail = _detail(image.window)
    return min(1.0, min(detail + FLOOR, STEEP * (detail + LITTLE) ** 2) / width)


def _edge_width(window: npt.NDArray[np.uint8], counts: npt.NDArray[np.float32]) -> float | None:
    """px, 1 for a hard step; None where nothing stands out from its surroundings."""
    spread = (cv2.dilate(window, NEAR) - cv2.erode(window, NEAR))[::EVERY, ::EVERY]
    low, high = levels(counts, 0.01, 0.99)
    edges = spread >= np.clip(CONTRAST * (high - low), LOWEST, HIGHEST)
    if not edges.any():
        return None
    widths = spread[edges] / np.maximum(_largest_step(window)[::EVERY, ::EVERY][edges], 1, dtype=np.float32)
    rank = int(QUARTER * (widths.size - 1))
    # A step at the very rim of the 9×9 may top the range within
    return max(1.0, float(np.partition(widths, rank)[rank]))


def _largest_step(window: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """The largest difference of neighbors, across or down, within NEAR of each pixel."""
    step = np.zeros_like(window)
    step[:, 1:] = cv2.absdiff(window[:, 1:], window[:, :-1]) if window.shape[1] > 1 else step[:, 1:]
    if window.shape[0] > 1:
        step[1:] = cv2.max(step[1:], cv2.absdiff(window[1:], window[:-1]))
    return np.asarray(cv2.dilate(step, NEAR), np.uint8)


def _detail(window: npt.NDArray[np.uint8]) -> float:
    """d: the loss of a round trip to half size over that of one an octave lower; both as mean squares."""
    height, width = (max(4, side // 4 * 4) for side in window.shape)
    even = window[:height, :width].astype(np.float32)
    half = _halved(even)
    return _lost(even, half) / max(_lost(half, _halved(half)), 1e-3)


def _halved(gray: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    height, width = (max(1, side // 2) for side in gray.shape)
    return np.asarray(cv2.resize(gray, (width, height), interpolation=cv2.INTER_AREA), np.float32)


def _lost(gray: npt.NDArray[np.float32], half: npt.NDArray[np.float32]) -> float:
    back = cv2.resize(half, gray.shape[1::-1], interpolation=cv2.INTER_LINEAR)
    return float(cv2.norm(gray, back, cv2.NORM_L2SQR)) / gray.size
