"""Finish lines once they are drawn, in any style, and measure them.

Lines are uint8 (h, w), black ink on white paper.
"""

from dataclasses import dataclass
from typing import Literal, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from anidata.imaging import components
from anidata.recipe import Amount, Count

VERSION = 2
INK, PAPER = 128, 255  # grey levels: what is darker than INK is ink
DEEP = 9  # px: what is farther inside is no stroke but a black area
SPECK = 8  # px: a smaller component is a speck
SHORT = 120  # px of ink: a smaller component is a short piece; on pages below WHOLE px fewer, by the root
WHOLE = 512  # px of a page's long side
COMMON = (
    2  # classes of size that hold the most of that ink: dots of a screentone, ticks of a hatching are alike
)
CLASSES = np.array([0, *(np.log2(np.arange(1, SHORT)) * 4).astype(int)])  # size in px → quarter of an octave
PASSES = 64  # of thinning at most; a stroke loses two px of its width in each
# The bits of a pixel's neighbors, clockwise from above left
AROUND = np.array([[1, 2, 4], [128, 0, 8], [64, 32, 16]], np.float32)

Line = NDArray[np.uint8]
Mask = NDArray[np.uint8]  # 0 or 1


@dataclass(frozen=True)
class Finish:
    """Steps that lines go through once they are drawn, in this order."""

    binarize: Count = 0  # grey level below which a line is ink, all else paper; 0: as drawn
    despeckle: Count = 0  # px: smaller components of ink are wiped; 0: none is
    width: Amount = 0.0  # px: strokes are drawn anew so wide, along their middle; 0: as wide as they are
    polarity: Literal["black_on_white", "white_on_black"] = "black_on_white"  # of what is stored


class Marks(NamedTuple):
    """Figures of lines."""

    ink: float  # share of the page, 0 to 1
    stroke_width: float  # px, the median over the middle of strokes, half a pixel exact; 0: there is no ink
    components: int  # of ink, 8-connected
    specks: int  # of them those smaller than SPECK px
    scribble: float  # share of the ink in short pieces, but for those of the COMMON sizes, 0 to 1


def finished(line: Line, finish: Finish) -> Line:
    """Lines as they are to be, still black on white."""
    if finish.binarize:
        line = np.where(line < finish.binarize, 0, PAPER).astype(np.uint8)
    if finish.despeckle:
        line = _despeckled(line, finish.despeckle)
    return _restroked(line, finish.width) if finish.width else line


def stored(line: Line, finish: Finish) -> Line:
    """Lines in the polarity in which they are stored."""
    return line if finish.polarity == "black_on_white" else np.asarray(cv2.bitwise_not(line), np.uint8)


def measure(line: Line) -> Marks:
    """How much ink there is, how thick, and in how many pieces."""
    ink = _ink(line)
    pieces = components.of(ink)
    sizes = components.sizes(pieces)[1:]
    specks = int((sizes < SPECK).sum())
    share = len(pieces.indices) / line.size
    return Marks(share, _width(ink), pieces.end - 1, specks, scribble(sizes, max(line.shape)))


def scribble(sizes: NDArray[np.intp], side: int) -> float:
    """Share of the ink that lies in short pieces of no common size; 0: there is no ink.

    A drawing's ink hangs together in a few long pieces; of a texture or a photo a style makes many short ones
    of all sizes, where dots of a screentone and ticks of a hatching are alike. AUC between 237 good lines of
    `ink` and 18 scribbles, of packages that it wasn't fitted on: .88.
    sizes: px of each piece; side: px of the page's long side.
    """
    short = sizes[sizes < SHORT * min(1, side / WHOLE) ** 0.5]
    by_class = np.bincount(CLASSES[short], weights=short, minlength=COMMON)
    return float(np.sort(by_class)[:-COMMON].sum()) / max(1, int(sizes.sum()))


def thinned(ink: Mask) -> Mask:
    """The middle of strokes, one pixel wide, as connected as they were.

    Source: Guo and Hall 1989, "Parallel thinning with two-subiteration algorithms", A1
    """
    left = np.pad(ink, 1)
    for _ in range(PASSES):
        before = cv2.countNonZero(left)
        for goes in GOES:
            around = cv2.filter2D(left, -1, AROUND, borderType=cv2.BORDER_CONSTANT)
            left = cv2.bitwise_and(left, cv2.LUT(around, goes))
        if cv2.countNonZero(left) == before:
            break
    return np.asarray(left[1:-1, 1:-1], np.uint8)


def _tables() -> tuple[Mask, Mask]:
    """Whether a pixel stays (1) in either half of a pass, by the bits of its neighbors."""
    bits = np.arange(256)[:, None] >> np.arange(8) & 1  # clockwise from above left
    p = {
        n: bits[:, (n - 1) % 8] for n in range(2, 10)
    }  # as in the paper: p2 above, p4 right, p6 below, p8 left
    corners = sum((1 - p[n]) & (p[n + 1] | p[n + 2 if n < 8 else 2]) for n in (2, 4, 6, 8))
    ends = np.minimum(
        (p[9] | p[2]) + (p[3] | p[4]) + (p[5] | p[6]) + (p[7] | p[8]),
        (p[2] | p[3]) + (p[4] | p[5]) + (p[6] | p[7]) + (p[8] | p[9]),
    )
    rim = (corners == 1) & (ends >= 2) & (ends <= 3)
    first = rim & ((p[2] | p[3] | (1 - p[5])) & p[4] == 0)
    second = rim & ((p[6] | p[7] | (1 - p[9])) & p[8] == 0)
    return (~first).astype(np.uint8), (~second).astype(np.uint8)


GOES = _tables()


def _ink(line: Line) -> Mask:
    return (line < INK).astype(np.uint8)


def _despeckled(line: Line, least: int) -> Line:
    ink = _ink(line)
    wiped = cv2.subtract(ink, components.without_smaller(ink, least))
    return np.where(wiped, np.uint8(PAPER), line)


def _restroked(line: Line, width: float) -> Line:
    """Strokes along their middle at a width; black areas stay. Black and white."""
    ink = _ink(line)
    inside = (_depth(ink) > DEEP).astype(np.uint8)
    areas = cv2.bitwise_and(ink, _within(inside, DEEP + 1))
    strokes = _within(thinned(cv2.subtract(ink, areas)), width / 2)
    return np.asarray(PAPER * (1 - cv2.bitwise_or(areas, strokes)), np.uint8)


def _depth(ink: Mask) -> NDArray[np.float32]:
    """How far each pixel of ink is from paper, px; beyond the page lies paper."""
    return np.asarray(cv2.distanceTransform(np.pad(ink, 1), cv2.DIST_L2, 5)[1:-1, 1:-1], np.float32)


def _within(mask: Mask, reach: float) -> Mask:
    """Pixels nearer than `reach` px to the middle of a pixel of the mask; none, where that is empty."""
    if not mask.any():
        return mask
    return np.asarray(cv2.distanceTransform(1 - mask, cv2.DIST_L2, 5) < max(reach, 0.5), np.uint8)


def _width(ink: Mask) -> float:
    """Twice the median distance from the middle of strokes to paper.

    Less the half pixel that it is too large by.
    """
    if not ink.any():
        return 0.0
    if ink.all():
        return float(min(ink.shape))
    far = cv2.distanceTransform(ink, cv2.DIST_L2, 3)
    middle = (ink > 0) & (far >= cv2.dilate(far, np.ones((3, 3), np.uint8)))
    return round(2 * float(np.median(far[middle])) - 0.5, 2)
