"""Percentiles of 8-bit channels by their histogram.

It is counted on some 2^16 pixels, evenly spread: flat art makes a histogram wait for itself, 1.6 ns a pixel.
"""

import cv2
import numpy as np
import numpy.typing as npt


def percentiles(channel: npt.NDArray[np.uint8], *shares: float) -> list[int]:
    """For each share of 1 the lowest level that at least this share of the pixels, (h, w), doesn't exceed."""
    step = max(1, channel.size >> 16)
    # A plain row: calcHist takes a strided view of one channel for a copy of all of them
    counts = np.asarray(cv2.calcHist([np.ascontiguousarray(channel.ravel()[::step])], [0], None, [256], [0, 256])).ravel()
    heaped = np.cumsum(counts, dtype=np.float64)
    return [int(np.searchsorted(heaped, share * heaped[-1])) for share in shares]
