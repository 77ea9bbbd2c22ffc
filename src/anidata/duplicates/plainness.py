"""Whether a picture is a few flat stripes, a cross, a frame: of those anything may be a part."""

import cv2
import numpy as np
from numpy.typing import NDArray

SIDE = 32  # px
# Share of a picture's variance that a few patterns across times down leave: flags and frames up to .026,
# drawings from .038, mostly .15.
PATTERNS, PLAIN = 3, 0.03


def is_plain(luma: NDArray[np.float32], content: tuple[NDArray[np.float64], NDArray[np.float64]]) -> bool:
    """Whether what lies within plain borders is a sum of few patterns, each the same across times down.

    content: from -1 to 1, (least, greatest) of x and y.
    """
    size = np.array(luma.shape[::-1])
    (left, top), (right, bottom) = (np.rint((end + 1) / 2 * size).astype(int) for end in content)
    small = cv2.resize(luma[top:bottom, left:right], (SIDE, SIDE), interpolation=cv2.INTER_AREA)
    energy = np.square(np.linalg.svd(small - small.mean(), compute_uv=False))
    return bool(energy[PATTERNS:].sum() <= PLAIN * energy.sum())
