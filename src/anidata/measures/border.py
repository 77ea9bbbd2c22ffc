"""Share of the picture taken by flat bars along its sides, 0 (none) to 1: letterboxes, \
frames, margins of scans.

On the raster of at most 512 px. A bar is rows (columns) of one tone, from the side inward,
that end in a straight edge: four fifths of a row soon after are of another tone. So the paper about a figure
is no bar, however much there is of it; nor is a blank picture.
"""

import cv2
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from anidata.imaging.image import Image

TYPE, VERSION = pa.float32(), 1
TOLERANCE = 8  # grey levels: the grain of a flat bar stays below this
STRAIGHT = 0.8  # of a row's length within the other bars, that is another tone
FADE = 8  # rows that the edge may take: JPEG's ringing
SPECKS = 0.02  # of a row, that may be another tone in a bar


def measure(image: Image) -> float:
    gray = image.raster_gray
    top, left = _bars(gray)
    bottom, right = _bars(np.ascontiguousarray(gray[::-1, ::-1]))
    height, width = gray.shape
    return 1 - float(max(0, height - top - bottom) * max(0, width - left - right)) / gray.size


def _bars(gray: npt.NDArray[np.uint8]) -> tuple[int, int]:
    """Rows of the bar at the top, columns of the bar at the left; 0 where none ends in a straight edge."""
    if min(np.ptp(gray[0]), np.ptp(gray[:, 0])) > TOLERANCE:  # as in most pictures
        return 0, 0
    tone = int(gray[0, 0])
    same = cv2.inRange(gray, max(0, tone - TOLERANCE), min(255, tone + TOLERANCE))
    down, across = (_share_other(same, axis) for axis in (1, 0))
    return _bar(down, float(np.mean(across > SPECKS))), _bar(across, float(np.mean(down > SPECKS)))


def _share_other(same: npt.NDArray[np.uint8], axis: int) -> npt.NDArray[np.float32]:
    """Of each row (axis 1) or column (axis 0) the share that is 0 in a mask of 0 and 255."""
    return np.asarray(1 - cv2.reduce(same, axis, cv2.REDUCE_AVG, dtype=cv2.CV_32F).ravel() / 255, np.float32)


def _bar(other: npt.NDArray[np.float32], length: float) -> int:
    """Rows before the first of another tone, if the edge is straight.

    other: share of each row. length: share of it that isn't bar itself.
    """
    within = np.flatnonzero(other > SPECKS)
    first = int(within[0]) if within.size else 0
    return first if first and other[first : first + FADE].max() >= STRAIGHT * length else 0
