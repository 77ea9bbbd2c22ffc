"""Lines at a smaller size: thin strokes stay dark, and where they are.

By area a stroke of 4 px of 4096 is half a pixel wide on a page of 512, and gray. So what a stroke lacks in
width it is given in darkness: beside the area's mean a that a pixel has, and the darkest level m of it,

    a' = min(m, a + (gain − 1) · (a − O(a))), gain = pen · m / w, from 1 to 16
    O: opening by 5 × 5, so what is wide; w: the stroke's width times its level, ∑ a of 5 × 5 / 5

at twice the page's size, where it is spread by a pixel. Ink grows no darker than it is on the drawing itself,
strokes as wide as the pen stay as they are, and so do dots and screentones, which have no paper beside them.
Hatching, though its strokes be thinner than the pen, grows no darker than strokes with as much paper between.
Nothing changes where nothing is reduced, and little where little is: all this sets in from the drawing's own
size to half of it.

The same on every machine: integer arithmetic, but for a mean of sixteenths, which float32 holds exactly.
"""

import cv2
import numpy as np
import numpy.typing as npt

from anidata.imaging import fit
from anidata.imaging.fit import Filter, Pixels
from anidata.imaging.lines import PAPER, darkest, paper_of

Whole = npt.NDArray[np.int32]

VERSION = 1  # raised when the same lines would be reduced otherwise
PEN = 1.5  # px of the page: strokes that are thinner are as dark as one of this width
MOST = 16  # times that a stroke may be thinner than the pen and still be as dark

FINE = 2  # times the page's side: where strokes are looked at, so that they are spread by less than a pixel
LOSS = 4, 3  # what the spreading takes from the middle of strokes
WINDOW = np.ones((5, 5), np.uint8)  # in which strokes are looked at
DARK = 64  # levels below the paper from which on there is a stroke, and no paper
ABOUT = 9  # px: the square of which this many are paper about a tone at most, and about a stroke at least
TONE, STROKE = 33, 42
FULLEST = 115  # levels below the paper that hatching is given, as a mean of that square
RUN = 8  # px that a stroke is long; what is shorter is a dot
SPREAD_BY = np.array([0.25, 0.5, 0.25], np.float32)
BAND, BESIDE = 256, 32  # rows that are looked at together, and those about them that have a say
PARTS = 64  # of one, that widths and gains are counted in


def reduced(
    line: Pixels,
    width: int,
    height: int,
    filter: Filter = "area",  # noqa: A002 the recipe's own word
    pen: float = PEN,
) -> Pixels:
    """Lines (h, w), black on white, at a smaller size; enlarged ones as `fit.resize` does it.

    filter: of all that is no thin stroke. pen: px of the width that strokes are as dark as.
    """
    small = fit.resize(line, width, height, filter)
    by = min(FINE, line.shape[1] / width, line.shape[0] / height)
    if by <= 1:
        return small
    fine = max(width, round(width * by)), max(height, round(height * by))
    more = fit.resize(_more(line, fine, round(PARTS * by * pen)), width, height, "area")
    sets_in = np.arange(256) * round(PARTS * min(1, by - 1)) // PARTS
    return np.asarray(cv2.subtract(small, cv2.LUT(more, sets_in.astype(np.uint8))), np.uint8)


def _more(line: Pixels, fine: tuple[int, int], pen: int) -> Pixels:
    """By how many levels each pixel of a fine page (width, height) is to be darker. pen: 64ths of one.

    By bands of rows: whole numbers of so many pixels would take much memory. What is seen is the same.
    """
    mean, deepest = _below_paper(fit.resize(line, *fine, "area"), darkest(line, *fine))
    more = np.zeros_like(mean)
    for top in range(0, len(mean), BAND):
        first = max(0, top - BESIDE)
        seen = slice(first, top + BAND + BESIDE)
        more[top : top + BAND] = _lacking(mean[seen], deepest[seen], pen)[top - first :][:BAND]
    return more


def _below_paper(mean: Pixels, least: Pixels) -> tuple[Pixels, Pixels]:
    """How much darker than the paper the mean of what pixels stand for is, and the darkest of it."""
    paper = paper_of(mean)
    white = np.full_like(mean, paper if paper >= PAPER else fit.WHITE)
    return cv2.subtract(white, mean), cv2.subtract(white, np.minimum(mean, least))


def _lacking(mean: Pixels, deepest: Pixels, pen: int) -> Pixels:
    """By how many levels thin strokes (h, w) are to be darker to be a pen's, in 64ths of a pixel."""
    thin = cv2.subtract(mean, cv2.morphologyEx(mean, cv2.MORPH_OPEN, WINDOW)).ravel()
    at = np.flatnonzero(thin)
    spread = cv2.dilate(deepest, np.ones((3, 3), np.uint8))
    widths = np.maximum(_summed(mean, len(WINDOW), at), len(WINDOW))  # times 5
    gain = len(WINDOW) * pen * spread.ravel()[at].astype(np.int32) // widths
    times = LOSS[0] * (np.clip(gain, PARTS, MOST * PARTS) - PARTS) * _strokes(deepest > DARK, at)
    more = np.zeros(mean.shape, np.float32)
    more.ravel()[at] = times * thin[at] // (LOSS[1] * PARTS * (STROKE - TONE))
    blurred = np.minimum(cv2.sepFilter2D(more, -1, SPREAD_BY, SPREAD_BY), cv2.subtract(spread, mean))
    return _within(FULLEST, blurred.astype(np.uint8), mean)


def _within(fullest: int, more: Pixels, mean: Pixels) -> Pixels:
    """What is added (h, w), so far as all together leaves a square of hatching no darker than that level."""
    at = np.flatnonzero(more)
    added = _summed(more, ABOUT, at)
    room = np.maximum(0, fullest * ABOUT**2 - _summed(mean, ABOUT, at))
    within = np.zeros_like(more)
    within.ravel()[at] = more.ravel()[at] * np.minimum(room, added) // added
    return within


def _strokes(dark: npt.NDArray[np.bool_], at: npt.NDArray[np.intp]) -> Whole:
    """How far pixels are of strokes, in ninths: with paper beside them, and no specks."""
    plain = dark.astype(np.uint8)
    _, labels, pieces, _ = cv2.connectedComponentsWithStats(plain, connectivity=8)
    runs = pieces[:, [cv2.CC_STAT_WIDTH, cv2.CC_STAT_HEIGHT]].max(axis=1) >= RUN
    paper = ABOUT**2 - _summed(plain, ABOUT, at) - TONE
    return np.asarray(np.clip(paper, 0, STROKE - TONE) * runs[labels.ravel()[at]], np.int32)


def _summed(plane: Pixels, side: int, at: npt.NDArray[np.intp]) -> Whole:
    """The sum of a square about each of these pixels."""
    sums = cv2.boxFilter(plane, cv2.CV_32S, (side, side), normalize=False)
    return np.asarray(sums.ravel()[at], np.int32)
