"""How much a picture is a page of text: the share of its ink that stands in even rows of letters, 0 to 1.

In the central window at full resolution, cut into strips of 128 px so that a page scanned askew
is straight enough in each. Ink is what lies nearer to the black than to the paper; it stands in rows
where bare rows part it into runs of like height (5 to 80 px, within two fifths of the median, at least 4),
each with as many strokes side by side as letters have. Columns of vertical script count as rows do.
What still passes for text and is none: keys of a keyboard, dice, diagrams.
Text of three large rows is no page.
"""

from itertools import pairwise

import cv2
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from anidata.imaging.image import Image
from anidata.measures._tones import levels

TYPE, VERSION = pa.float32(), 2
STRIP = 128  # px
LEAST_CONTRAST = 60  # grey levels from ink to paper
LEAST_INK, MOST_INK = 0.01, 0.4  # of the window: less ink is a blank page, more a picture
BARE = 0.012  # share of ink up to which a row counts as bare: specks and grain of a scan
LOWEST, HIGHEST = 5, 80  # px: the height of a row of letters
SPREAD = 0.4
FEWEST = 4  # rows in a strip
# Least borders of ink in a stretch as long as the row is high: letters have 2.4 and more, sprites mostly 1
STROKES = 1.2


def measure(image: Image) -> float:
    low, high = levels(image.window_tones, 0.01, 0.9)
    if high - low < LEAST_CONTRAST or min(image.window.shape) < 2:
        return 0.0
    ink = np.asarray(cv2.compare(image.window, (low + high) / 2, cv2.CMP_LT), np.uint8)
    share = cv2.countNonZero(ink) / ink.size
    if not LEAST_INK <= share <= MOST_INK:
        return 0.0
    return max(_standing(ink, axis=1), _standing(ink, axis=0))


def _standing(ink: npt.NDArray[np.uint8], axis: int) -> float:
    """Share of ink that stands in rows (axis 1) or columns (axis 0) of letters."""
    edges = cv2.absdiff(ink[:, 1:], ink[:, :-1]) if axis else cv2.absdiff(ink[1:], ink[:-1])
    length = ink.shape[axis]
    cuts = np.linspace(0, length, max(1, round(length / STRIP)) + 1).astype(int).tolist()
    strips = [(_profile(ink, axis, *cut), _profile(edges, axis, *cut)) for cut in pairwise(cuts)]
    total = float(sum(shares.sum() for shares, _ in strips))
    return sum(_lettered(*strip) for strip in strips) / total if total else 0.0


def _profile(mask: npt.NDArray[np.uint8], axis: int, start: int, end: int) -> npt.NDArray[np.float32]:
    """Of a strip, the share of every row that a mask of 0 and 255 takes."""
    strip = mask[:, start:end] if axis else mask[start:end]
    means = np.asarray(cv2.reduce(strip, axis, cv2.REDUCE_AVG, dtype=cv2.CV_32F), np.float32)
    return means.ravel() / np.float32(255)


def _lettered(share: npt.NDArray[np.float32], borders: npt.NDArray[np.float32]) -> float:
    """Ink of one strip, as the sum of its rows' shares, that stands in rows of letters."""
    filled = np.concatenate([[False], share > BARE, [False]])
    starts, ends = np.flatnonzero(filled[1:] & ~filled[:-1]), np.flatnonzero(~filled[1:] & filled[:-1])
    heights = ends - starts
    letters = (heights >= LOWEST) & (heights <= HIGHEST)
    if np.count_nonzero(letters) < FEWEST:
        return 0.0
    inks, edges = (np.concatenate([[0.0], np.cumsum(values)]) for values in (share, borders))
    middle = float(np.median(heights[letters]))
    strokes = edges[ends] - edges[starts]  # borders to a stretch as long as the row is high
    like = letters & (np.abs(heights - middle) <= SPREAD * middle) & (strokes >= STROKES)
    if np.count_nonzero(like) < FEWEST:
        return 0.0
    return float((inks[ends] - inks[starts])[like].sum())
