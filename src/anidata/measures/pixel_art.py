"""How plainly a picture is made of pixels enlarged without smoothing: 0 (not at all) to 1 (every pixel a square of 2 px or more).

    1 − Σ min(dₙ, dₙ₊₁) / Σ dₙ        across and down, the lesser; in the central window at full resolution

dₙ: mean difference of the rows (columns) n and n + 1. In enlarged pixels a row equals the next but where a square ends, so of two
differences in succession one is nothing; in all other pictures each is like the last. At any scale from 2 on, whole or not, JPEG or not.
Where fewer than 12 rows differ, by (Σ d)² / Σ d², nothing is told: flags and windows have straight borders too. Pixel art at its own size isn't found.
"""

import cv2
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from anidata.image import Image

TYPE, VERSION = pa.float32(), 1
FEWEST = 12  # rows that differ


def measure(image: Image) -> float:
    window = image.window
    if min(window.shape) < 2 * FEWEST:
        return 0.0
    down = cv2.reduce(cv2.absdiff(window[1:], window[:-1]), 1, cv2.REDUCE_AVG, dtype=cv2.CV_32F)
    across = cv2.reduce(cv2.absdiff(window[:, 1:], window[:, :-1]), 0, cv2.REDUCE_AVG, dtype=cv2.CV_32F)
    return min(_stepped(down.ravel()), _stepped(across.ravel()))


def _stepped(steps: npt.NDArray[np.float32]) -> float:
    total, squares = float(steps.sum()), float((steps**2).sum())
    if total**2 < FEWEST * squares or not total:
        return 0.0
    return 1 - float(np.minimum(steps[1:], steps[:-1]).sum()) / total
