"""How plainly a picture is made of pixels enlarged without smoothing: 0 (not at all) \
to 1 (every pixel a square of 2 px or more).

    1 − Σ min(dₙ, dₙ₊₁) / Σ dₙ        across and down, the lesser; in the central window at full resolution

dₙ: mean difference of the rows (columns) n and n + 1, of differences over 4 levels. In enlarged pixels
a row equals the next but where a square ends, so of two differences in succession one is nothing;
in all other pictures each is like the last. At any scale from 2 on, whole or not, JPEG or not.
Where fewer than 12 rows differ, by (Σ d)² / Σ d², nothing is told: flags and windows have straight borders
too. Pixel art at its own size isn't found.
"""

import cv2
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from anidata.imaging.image import Image

TYPE, VERSION = pa.float32(), 1
BANDING = 4  # grey levels that a difference must exceed: a slow gradient is stepped as well, and JPEG ripples
FEWEST = 12  # rows that differ


def measure(image: Image) -> float:
    window = image.window
    if min(window.shape) < 2 * FEWEST:
        return 0.0
    return min(_stepped(window[1:], window[:-1], axis=1), _stepped(window[:, 1:], window[:, :-1], axis=0))


def _stepped(one: npt.NDArray[np.uint8], other: npt.NDArray[np.uint8], axis: int) -> float:
    """The value along an axis, of a picture without its first and without its last row (column)."""
    plain = cv2.threshold(cv2.absdiff(one, other), BANDING, 0, cv2.THRESH_TOZERO)[1]
    steps = np.asarray(cv2.reduce(plain, axis, cv2.REDUCE_AVG, dtype=cv2.CV_32F), np.float32).ravel()
    total, squares = float(steps.sum()), float((steps**2).sum())
    if total**2 < FEWEST * squares or not total:
        return 0.0
    return 1 - float(np.minimum(steps[1:], steps[:-1]).sum()) / total
