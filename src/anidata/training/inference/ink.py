"""The ink of line art: black on white, and as dark on a small page as the lines that models are trained on.

Data sets are drawn at 512 px, with strokes of 3 px, and reduced by area. An artist's are thinner: 4 px of
4096 reach a page of 256 px by area at a sixth of that, gray. So what a stroke lacks in width it is given in
darkness: beside the area's mean a that a pixel has, and the darkest level m of it,

    a' = min(m, a + (gain − 1) · (a − O(a))), gain = pen · m / w, from 1 to 8
    O: opening by 5 × 5, so what is wide; w: the stroke's width times its level, ∑ a of 5 × 5 / 5

at twice the page's size, where it is spread by a pixel. Ink grows no darker than it is on the drawing itself,
strokes as wide as the pen stay as they are, and so do dots and screentones, which have no paper beside them.
Nothing changes where nothing is reduced.

Levels at the middle of strokes (0 black; the pixels darkest among their neighbors, median over drawings) on
pages of 256, 128 and 64 px: of 3 px of 512 by area 0, 64, 160; of 4 px of 4096 by area 176, 193, 196, here
11, 77, 162. The lines that `ink` draws of 38 pictures, thick ones among them, have a mean of 9, 37, 82.
"""

import cv2
import numpy as np
import numpy.typing as npt

from anidata.imaging import fit, lines
from anidata.imaging.fit import Pixels
from anidata.imaging.image import RASTER
from anidata.imaging.lines import darkest

Plane = npt.NDArray[np.float32]

PEN = 3 / 512  # of the long side: width of the strokes that models are trained on
WIDEST = 1.5  # px of the page: a pen that is wider makes nothing darker
MOST = 8.0  # times that a stroke may be thinner than the pen and still be as dark

FINE = 2  # times the page's side: where strokes are looked at, so that they are spread by less than a pixel
LOSS = 4 / 3  # what the spreading takes from the middle of strokes
WINDOW = np.ones((5, 5), np.uint8)  # in which strokes are looked at
DARK = 64  # levels below the paper from which on there is a stroke, and no paper
ABOUT = (9, 9)  # px, of which this much is paper about a tone at most, and about a stroke at least
TONE, STROKE = 0.4, 0.5
RUN = 8  # px that a stroke is long; what is shorter is a dot
SPREAD_BY = np.array([0.25, 0.5, 0.25], np.float32)

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
    small = fit.resize(line, width, height, "area")
    by = min(FINE, line.shape[1] / width, line.shape[0] / height)
    if by <= 1:
        return small
    fine = max(width, round(width * by)), max(height, round(height * by))
    pen = by * min(PEN * max(width, height), WIDEST)
    more = _lacking(fit.resize(line, *fine, "area"), darkest(line, *fine), pen) * min(1, by - 1)
    return np.asarray(cv2.subtract(small, fit.resize(more.astype(np.uint8), width, height, "area")), np.uint8)


def _lacking(line: Pixels, most: Pixels, pen: float) -> Plane:
    """By how much thin strokes are to be darker to be a pen's. most: the darkest that a pixel stands for."""
    mean = (255 - line).astype(np.float32)
    deepest = np.maximum(255 - most, 255 - line)
    spread = cv2.dilate(deepest, np.ones((3, 3), np.uint8)).astype(np.float32)
    thin = mean - cv2.morphologyEx(mean, cv2.MORPH_OPEN, WINDOW)
    width = cv2.boxFilter(mean, -1, WINDOW.shape, normalize=False, borderType=cv2.BORDER_REPLICATE) / 5
    gain = np.clip(pen * spread / np.maximum(width, 1), 1, MOST)
    more = LOSS * (gain - 1) * thin * _strokes(deepest > DARK)
    return np.asarray(np.clip(cv2.sepFilter2D(more, -1, SPREAD_BY, SPREAD_BY), 0, spread - mean), np.float32)


def _strokes(dark: npt.NDArray[np.bool_]) -> Plane:
    """How far pixels (h, w) are of strokes, 0 to 1: with paper beside them, and no specks."""
    plain = dark.astype(np.uint8)
    _, labels, pieces, _ = cv2.connectedComponentsWithStats(plain, connectivity=8)
    runs = pieces[:, [cv2.CC_STAT_WIDTH, cv2.CC_STAT_HEIGHT]].max(axis=1) >= RUN
    paper = cv2.boxFilter(1 - plain.astype(np.float32), -1, ABOUT, borderType=cv2.BORDER_REPLICATE)
    return np.asarray(np.clip((paper - TONE) / (STROKE - TONE), 0, 1) * runs[labels], np.float32)


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
