"""Percentiles of 8-bit channels by their histogram."""

import numpy as np
import numpy.typing as npt

from anidata.imaging.image import tones


def percentiles(channel: npt.NDArray[np.uint8], *shares: float) -> list[int]:
    """For each share of 1 the lowest level that at least this share of the pixels, (h, w), doesn't exceed."""
    return levels(tones(channel), *shares)


def levels(counts: npt.NDArray[np.float32], *shares: float) -> list[int]:
    """The same of a histogram, (256,)."""
    heaped = np.cumsum(counts, dtype=np.float64)
    return [int(np.searchsorted(heaped, share * heaped[-1])) for share in shares]
