"""Paintings: whether a picture has ink at all, and what to draw of one that has none.

Masks are uint8, 0 or 255.
"""

import cv2
import numpy as np

from anidata.imaging.components import indices, without_smaller
from anidata.lineart.styles._strokes import FULL, SQUARE, Gray, Mask

SMOOTH = np.array([1, 4, 6, 4, 1], np.float32) / 16
WEAK, STEEP = 80, 160  # of Canny at half the size, Sobel's sums: the edges that ink should explain
NONE = 20  # px: with fewer edges nothing is to be explained
REACH = np.ones((5, 5), np.uint8)  # an edge within 2 px of ink is explained
APART = np.ones((7, 7), np.uint8)  # an edge within 3 px of a line is its flank
TEXTURE, BUSY = 0.92, 0.045  # so few edges explained, by lines that cover so much of the picture,
FAINT, LOWER = 0.28, 0.4  # so faint in so large a share of them,
SHORT = 250  # and of so few px each: foliage, not ink
# Of so much ink, paper in whose median 5 × 5 px there are so many grey levels shows a photograph
HEAVY, GRAIN = 0.15, 4
AWAY = np.ones((7, 7), np.uint8)  # from ink: what is within 3 px of it is no paper
LINES, STEEPEST = 0.075, 0.09  # share of a painting that lines may cover, and that may be steep
LEAST, MOST = 48, 400  # Sobel's sums between which that share puts the threshold
SLACK = 0.6  # of the threshold, down to which an edge goes on
LONG, SHORTEST = 24, 8  # px: smaller edges, and smaller parts of the sketch, are texture


def is_painting(luma: Gray, ink: Mask, strength: Gray, explained: float) -> bool:
    """Whether lines explain too few of the edges, or are the faint ones of a texture."""
    share = _explained(luma, ink)
    if share < explained or (cv2.countNonZero(ink) > HEAVY * ink.size and _is_grainy(luma, ink)):
        return True
    if share >= TEXTURE or cv2.countNonZero(ink) < BUSY * ink.size:
        return False
    at = indices(ink)
    counts = np.bincount(strength.ravel()[at], minlength=FULL + 1)
    faint = np.cumsum(counts)[round(FULL * FAINT)] > LOWER * len(at)
    return bool(faint) and len(at) < SHORT * (cv2.connectedComponents(ink, connectivity=8)[0] - 1)


def _explained(luma: Gray, ink: Mask) -> float:
    """Share of the picture's edges that have ink near; 0 where there are too few."""
    edges = cv2.Canny(cv2.resize(luma, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA), WEAK, STEEP)
    count = cv2.countNonZero(edges)
    if count < NONE:
        return 0.0
    return cv2.countNonZero(edges & cv2.dilate(ink, REACH)[::2, ::2]) / count


def _is_grainy(luma: Gray, ink: Mask) -> bool:
    """Whether what lies between the lines is nowhere flat."""
    steps = cv2.subtract(cv2.dilate(luma, REACH), cv2.erode(luma, REACH))
    counts = np.bincount(steps.ravel()[indices(cv2.bitwise_not(cv2.dilate(ink, AWAY)))], minlength=FULL + 1)
    return bool(np.cumsum(counts)[GRAIN - 1] < counts.sum() / 2)


def sketch(luma: Gray, ink: Mask, strength: Gray) -> Mask:
    """The strongest of the lines, and the longest of the edges beyond them."""
    lines = ink & cv2.compare(strength, _budget(ink, strength), cv2.CMP_GE)
    edges = without_smaller(_edges(luma), LONG) & ~cv2.dilate(lines, APART)
    return without_smaller(np.asarray(lines | cv2.dilate(edges, SQUARE[:2, :2]), np.uint8), SHORTEST)


def _budget(ink: Mask, strength: Gray) -> int:
    """The strength from which on lines cover no more than their share."""
    counts = np.bincount(strength.ravel()[indices(ink)], minlength=FULL + 1)
    as_strong = np.cumsum(counts[::-1])[::-1]
    return max(1, int(np.argmax(as_strong <= LINES * ink.size)))


def _edges(luma: Gray) -> Mask:
    """Canny's, one pixel wide, its threshold such that a certain share of the picture is steep."""
    smooth = cv2.sepFilter2D(luma, -1, SMOOTH, SMOOTH, borderType=cv2.BORDER_REFLECT_101)
    across, down = cv2.Sobel(smooth, cv2.CV_16S, 1, 0), cv2.Sobel(smooth, cv2.CV_16S, 0, 1)
    steep = np.abs(across[::4, ::4]) + np.abs(down[::4, ::4])
    high = float(np.clip(np.quantile(steep, 1 - STEEPEST), LEAST, MOST))
    return np.asarray(cv2.Canny(across, down, SLACK * high, high), np.uint8)
