"""Paintings: how far a picture is one without ink, and what to draw of it then.

Nothing switches: between a drawing and a painting the lines that must be stronger, and the edges that are
drawn, grow by degrees, so that noise changes little.
Masks are uint8, 0 or 255.
"""

from typing import NamedTuple

import cv2
import numpy as np

from anidata.imaging.components import indices, without_smaller
from anidata.lineart.styles import xdog
from anidata.lineart.styles._strokes import FULL, SQUARE, Gray, Mask

SMOOTH = np.array([1, 4, 6, 4, 1], np.float32) / 16
WEAK, STEEP = 80, 160  # of Canny at half the size, Sobel's sums: the edges that ink should explain
NONE = 20  # px: with fewer edges nothing is to be explained
REACH = np.ones((5, 5), np.uint8)  # an edge within 2 px of ink is explained
APART = np.ones((7, 7), np.uint8)  # within 3 px of a line lies its flank
SWITCH = 0.1  # of edges explained, above and below the limit: in between, a picture becomes a painting
LACKING = (0.05, 0.25)  # above the limit: where the strongest edges are missed, and where none is
BOLD = (0.7, 0.9)  # share of bold lines up to which missed edges are drawn, and from which none is
TEXTURE = (0.87, 0.97)  # so few edges explained,
BUSY = (0.035, 0.055)  # by lines that cover so much of the picture,
FAINT, LOWER = 0.28, (0.3, 0.5)  # so faint in so large a share of them,
SHORT = (200, 300)  # of so few px each
GRAIN = 6  # grey levels in 5 × 5 px, from which on what lies between lines isn't flat
LEAVES = (0.25, 0.45)  # and so much of it: foliage, not ink
HEAVY, PHOTO = (0.12, 0.18), (0.4, 0.65)  # so much ink, with so much between that isn't flat: a photograph
LIGHTER = 16  # grey levels that the other side of an edge, within 3 px, is lighter by than its dark one
FADING = 0.3  # of XDoG's response: how much more the dark side of an edge needs, the less is painted
RIM, ALL = 3, 12  # px: what is drawn of the dark areas of a painting; the less it is one, the more
AWAY = np.ones((3, 3), np.uint8)  # half px: what is within 2 px of ink is no paper
LINES, STEEPEST = 0.075, 0.09  # share of a painting that lines may cover, and that may be steep
LEAST, MOST = 48, 400  # Sobel's sums between which that share puts the threshold
SLACK = 0.6  # of the threshold, down to which an edge goes on
LEAST_LONG = 24  # px: smaller edges, and smaller parts of the sketch, are texture


class Painted(NamedTuple):
    """How far a picture is a painting, 0 to 1, and what that is judged by."""

    lines: float  # so that only the strongest of its lines are drawn
    edges: float  # so that edges are drawn where there is no line
    explained: float  # share of its edges that the lines explain


def painted(luma: Gray, steps: Gray, ink: Mask, strength: Gray, explained: float, bold: float) -> Painted:
    """How far lines explain too few of the edges, or are the faint ones of a texture.

    explained: share of edges that is the limit; about it the change is smooth.
    bold: share of the lines that is bold; such artists leave edges bare on purpose.
    """
    share = _explained(luma, ink)
    covered = cv2.countNonZero(ink) / ink.size
    lines = 1 - _grade(share, explained - SWITCH, explained + SWITCH)
    if lines < 1 and covered > min(HEAVY + BUSY):
        grain = _grain(steps, ink)
        heavy = min(_grade(covered, *HEAVY), _grade(grain, *PHOTO))
        lines = max(lines, heavy, min(_textured(ink, strength, share, covered), _grade(grain, *LEAVES)))
    edges = max(lines, 1 - _grade(share, explained, explained + SWITCH))
    missed = 1 - _grade(share, *(explained + part for part in LACKING))
    return Painted(lines, max(edges, min(missed, 1 - _grade(bold, *BOLD))), share)


def _grade(value: float, low: float, high: float) -> float:
    """0 up to `low`, 1 from `high` on."""
    return float(np.clip((value - low) / (high - low), 0, 1))


def _textured(ink: Mask, strength: Gray, share: float, covered: float) -> float:
    """How far lines are the faint and short ones of foliage."""
    busy = min(1 - _grade(share, *TEXTURE), _grade(covered, *BUSY))
    if busy == 0:
        return 0.0
    at = indices(ink)
    counts = np.bincount(strength.ravel()[at], minlength=FULL + 1)
    faint = np.cumsum(counts)[round(FULL * FAINT)] / len(at)
    length = len(at) / max(1, cv2.connectedComponents(ink, connectivity=8)[0] - 1)
    return min(busy, _grade(faint, *LOWER), 1 - _grade(length, *SHORT))


def _grain(steps: Gray, ink: Mask) -> float:
    """Share of what lies between the lines that isn't flat."""
    between = cv2.bitwise_not(cv2.dilate(np.ascontiguousarray(ink[::2, ::2]), AWAY))
    rough = cv2.compare(np.ascontiguousarray(steps[::2, ::2]), GRAIN, cv2.CMP_GE)
    return cv2.countNonZero(between & rough) / max(1, cv2.countNonZero(between))


def _explained(luma: Gray, ink: Mask) -> float:
    """Share of the picture's edges that have ink near; 0 where there are too few."""
    edges = cv2.Canny(cv2.resize(luma, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA), WEAK, STEEP)
    count = cv2.countNonZero(edges)
    if count < NONE:
        return 0.0
    return cv2.countNonZero(edges & cv2.dilate(ink, REACH)[::2, ::2]) / count


def sketch(luma: Gray, ink: Mask, solid: Mask, ridges: Gray, painted: Painted) -> Mask:
    """The strongest of the lines, the rims of areas, and the longest of the edges beyond them."""
    lines = _lines(luma, ink, solid, ridges, painted.lines) if painted.lines > 0 else ink
    edges = without_smaller(_edges(luma, painted.edges) & ~cv2.dilate(lines, APART), LEAST_LONG)
    return np.asarray(lines | cv2.dilate(edges, SQUARE[:2, :2]), np.uint8)


def _lines(luma: Gray, ink: Mask, solid: Mask, ridges: Gray, painted: float) -> Mask:
    """The strongest lines, the dark side of edges, and the rims of what is dark."""
    strong = ink & ~solid & cv2.compare(ridges, round(painted * _budget(ink, ridges)), cv2.CMP_GE)
    lines = strong | _dark_sides(luma, painted) | _rims(ink & solid, round(RIM * (1 - painted) / painted))
    return without_smaller(np.asarray(lines, np.uint8), round(painted * LEAST_LONG))


def _dark_sides(luma: Gray, painted: float) -> Mask:
    """What sharpening pushes below black, beside what is lighter."""
    beside = cv2.compare(cv2.subtract(cv2.dilate(luma, APART), luma), LIGHTER, cv2.CMP_GE)
    return np.asarray(beside & xdog.below(luma, (painted - 1) * FADING), np.uint8)


def _rims(areas: Mask, width: int) -> Mask:
    """What of areas lies within `width` px of their border; of a wide rim all."""
    if width >= ALL:
        return areas
    return np.asarray(areas & ~cv2.erode(areas, np.ones((2 * width + 1, 2 * width + 1), np.uint8)), np.uint8)


def _budget(ink: Mask, strength: Gray) -> int:
    """The strength from which on lines cover no more than their share."""
    counts = np.bincount(strength.ravel()[indices(ink)], minlength=FULL + 1)
    as_strong = np.cumsum(counts[::-1])[::-1]
    return max(1, int(np.argmax(as_strong <= LINES * ink.size)))


def _edges(luma: Gray, share: float) -> Mask:
    """Canny's, one pixel wide, its threshold such that a certain share of the picture is steep.

    share: 0 to 1, how much of that threshold's inverse is left.
    """
    smooth = cv2.sepFilter2D(luma, -1, SMOOTH, SMOOTH, borderType=cv2.BORDER_REFLECT_101)
    across, down = cv2.Sobel(smooth, cv2.CV_16S, 1, 0), cv2.Sobel(smooth, cv2.CV_16S, 0, 1)
    steep = np.abs(across[::4, ::4]) + np.abs(down[::4, ::4])
    high = float(np.clip(np.quantile(steep, 1 - STEEPEST), LEAST, MOST)) / share
    return np.asarray(cv2.Canny(across, down, SLACK * high, high), np.uint8)
