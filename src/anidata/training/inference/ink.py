"""The ink of line art: black on white, and as dark on a small page as the lines that models are trained on.

Data sets are drawn at 512 px, with strokes of 3 px, and reduced by area. An artist's are thinner: 4 px of
4096 reach a page of 256 px by area at a sixth of that, gray. So they are given what a stroke of 3 px of 512
has there (`imaging.reduction`).

Levels at the middle of strokes (0 black; the pixels darkest among their neighbors, median over drawings) on
pages of 256, 128 and 64 px: of 3 px of 512 by area 0, 64, 160; of 4 px of 4096 by area 176, 193, 196, here
11, 77, 162. The lines that `ink` draws of 38 pictures, thick ones among them, have a mean of 9, 37, 82.
"""

import cv2
import numpy as np

from anidata.imaging import fit, lines, reduction
from anidata.imaging.fit import Pixels
from anidata.imaging.image import RASTER

PEN = 3 / 512  # of the long side, up to reduction.PEN: width of the strokes that models are trained on

CLEAR = 24  # levels below the paper from which on there may be ink
NOISE = 5.0  # deviations of the paper's noise that ink is below it
DEPTH = 48  # levels below the paper that the darkest ink is at least; what is fainter stays so
DARKEST = 0.05  # of the ink: the level that becomes black
LEAST = 1e-4  # of all pixels: less ink than this is none
SPREAD = 9  # px of the raster: what is darker than all about it within that is drawn, a shadow isn't
EDGE = 8  # levels by which it is


def of_lineart(rgb: Pixels) -> Pixels:
    """The lines (h, w) of line art (h, w, 3): its paper white, its darkest ink black."""
    gray = np.asarray(cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY), np.uint8)
    paper = lines.paper_of(gray)
    black = _black(gray, paper)
    levels = (np.arange(256) - black) * (255 / (paper - black))
    return np.asarray(cv2.LUT(gray, np.rint(np.clip(levels, 0, 255)).astype(np.uint8)), np.uint8)


def reduced(line: Pixels, width: int, height: int) -> Pixels:
    """Lines (h, w) at a smaller size: thin strokes as dark as a pen's; enlarged ones as they are."""
    return reduction.reduced(line, width, height, pen=min(PEN * max(width, height), reduction.PEN))


def page(line: Pixels, size: int) -> Pixels:
    """Lines (h, w) on a white page of `size` px, as fit.fit pads it."""
    inner = fit.inner_box(line.shape, size, "pad")
    white = np.full((size, size), fit.WHITE, np.uint8)
    rows, columns = inner
    white[inner] = reduced(line, columns.stop - columns.start, rows.stop - rows.start)
    return white


def _black(gray: Pixels, paper: int) -> int:
    """The level of the darkest ink; 0 where none is drawn, or what there is is faint."""
    counts = np.bincount(gray.ravel(), minlength=256)
    apart = np.abs(np.arange(256) - paper)
    noise = 1.4826 * _quantile(np.bincount(apart, counts), 0.5)
    limit = max(0, int(np.ceil(paper - max(CLEAR, NOISE * noise))))
    ink = counts[:limit]
    if ink.sum() <= LEAST * gray.size or not _is_drawn(gray):
        return 0
    black = _quantile(ink, DARKEST)
    return black if paper - black >= DEPTH else 0


def _quantile(counts: np.ndarray, share: float) -> int:
    """The first level at which so much of a histogram is reached."""
    return int(np.searchsorted(np.cumsum(counts), share * counts.sum()))


def _is_drawn(gray: Pixels) -> bool:
    """Whether there is something darker than all about it."""
    small = fit.at_most(gray, RASTER)
    closed = cv2.morphologyEx(small, cv2.MORPH_CLOSE, np.ones((SPREAD, SPREAD), np.uint8))
    return bool((cv2.subtract(closed, small) > EDGE).mean() > LEAST)
