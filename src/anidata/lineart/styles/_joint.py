"""What a network's answer adds to lines that were drawn without it, and what it takes away.

Masks are uint8, 0 or 255; `opacity` of ink is uint8 (h, w).
"""

from typing import NamedTuple

import cv2
import numpy as np

from anidata.imaging import components
from anidata.lineart.styles._strokes import FULL, SQUARE, Gray, Mask, octagon

PX = 16  # steps of a pixel in which distances are counted
HALF = 2.0  # px: half the width that strokes keep about their middle
ACROSS = np.ones((11, 11), np.uint8)  # within it the middle of a stroke is looked for
WEAKER = 0.5  # of the opacity, down to which a broad stroke goes
BROAD, BROADEST = 2.2, 9  # px: half the widths between which a stroke is broad; beyond it is an area
AROUND = np.ones((15, 15), np.uint8)  # within it none may be wider
LONG = 24  # half widths squared: a smaller piece is no stroke,
SMALL, SLIM, SHORT = 1500, 6, 12  # but for pieces of fewer px, and half so many px wide, as brows are
RIMMED = 0.7  # share of a piece's rim that has ink; so long ones have it on one side at least:
LONGER, HALF_RIMMED = 60, 0.35
CERTAIN = 200  # levels: mean opacity below which a piece is none
MOSTLY = 0.5  # of the network's ink: unless so much is broad strokes, there is none
CORE = 6  # px: fewer of its middle tell no stroke
ALL = octagon(7)  # px about that, all of the stroke
ON = octagon(5)  # px by which its middle goes on where it meets others
BESIDE = octagon(2)  # px: lines within are the same
FAINT, HELD = 0.2, 0.54  # of the opacity, where a painting's line goes on, and what it has somewhere
LEAST, PAINTED_LEAST = 24, 14  # px: smaller pieces aren't added, nor to a painting,
FLAT, WITHIN = 8, np.ones((7, 7), np.uint8)  # nor what lies where so few grey levels differ
JOINED = octagon(3)  # px by which what is added reaches towards what is there
DOUBTED = 28  # levels: mean opacity below which a piece of a painting's sketch is none, but for larger ones
SURE = 300  # px of such
CROWDED = (0.05, 0.08)  # share of ink: below the first none is doubted


class Strokes(NamedTuple):
    """A network's strokes."""

    whole: Mask
    narrow: Mask  # at most about 5 px wide, along their middle
    depth: Gray  # px · PX from the rim


def strokes(opacity: Gray, least: int) -> Strokes:
    """Where the opacity of ink is at least so much."""
    whole = np.asarray(cv2.compare(opacity, least, cv2.CMP_GE), np.uint8)
    far = cv2.distanceTransform(whole, cv2.DIST_L2, 5)
    depth = np.asarray(np.minimum(far, np.float32(FULL / PX)) * np.float32(PX), np.uint8)
    middle = cv2.subtract(cv2.dilate(depth, ACROSS), round(HALF * PX))
    return Strokes(whole, np.asarray(whole & cv2.compare(depth, middle, cv2.CMP_GT), np.uint8), depth)


def lines(opacity: Gray, sure: float, painted: float) -> Strokes:
    """The network's lines, of a painting also those that are faint and somewhere less so.

    sure: 0 to 1, the opacity of others. painted: 0 to 1, how far the picture is one.
    """
    least, held = (FULL * sure * (1 + painted * (share - 1)) for share in (FAINT, HELD))
    answer = strokes(opacity, round(least))
    if painted == 0:
        return answer
    pieces = components.of(answer.whole)
    strongest = np.zeros(pieces.end, np.uint8)
    np.maximum.at(strongest, pieces.labels, opacity.ravel()[pieces.indices])
    clear = components.kept(answer.whole, pieces, strongest >= round(held))
    return answer._replace(whole=clear, narrow=np.asarray(answer.narrow & clear, np.uint8))


def broad(answer: Strokes, ink: Mask, opacity: Gray) -> Mask:
    """The network's broad strokes of which `ink` has both rims, in a drawing that mostly consists of such.

    Elsewhere what looks like one is the mottled fill of something dark.
    """
    middle = cv2.compare(answer.depth, round(BROAD * PX), cv2.CMP_GT) & ~ink
    middle &= cv2.compare(cv2.dilate(answer.depth, AROUND), round(BROADEST * PX), cv2.CMP_LE)
    if not middle.any():
        return np.asarray(middle, np.uint8)
    core = components.without_smaller(np.asarray(middle, np.uint8), CORE)
    pieces = np.asarray(cv2.dilate(core, ALL) & answer.whole, np.uint8)
    certain = _rimmed(pieces, answer.depth, ink, opacity)
    if cv2.countNonZero(certain) < MOSTLY * cv2.countNonZero(answer.whole):
        return np.zeros_like(certain)
    return certain


def _rimmed(mask: Mask, depth: Gray, ink: Mask, opacity: Gray) -> Mask:
    """The pieces of a mask that are certain, long for their width, and have ink along their rim."""
    pieces = components.of(mask)
    widest = np.zeros(pieces.end)
    np.maximum.at(widest, pieces.labels, depth.ravel()[pieces.indices] / PX)
    sizes = components.sizes(pieces)
    sums = np.bincount(pieces.labels, weights=opacity.ravel()[pieces.indices], minlength=pieces.end)
    least = np.where((sizes < SMALL) & (widest <= SLIM), SHORT, LONG)
    rim = (mask & ~cv2.erode(mask, SQUARE)).ravel()[pieces.indices] > 0
    inked = cv2.dilate(ink, JOINED).ravel()[pieces.indices] > 0
    rims, both = (np.bincount(pieces.labels[of], minlength=pieces.end) for of in (rim, rim & inked))
    rimmed = both >= np.where(sizes >= LONGER * widest**2, HALF_RIMMED, RIMMED) * rims
    keep = rimmed & (sizes >= least * widest**2) & (sums >= CERTAIN * sizes)
    return components.kept(mask, pieces, keep)


def believed(ink: Mask, opacity: Gray, painted: float) -> Mask:
    """Of a painting's crowded sketch the pieces in which the network sees some line, or that are large.

    painted: 0 to 1, how far it is one.
    """
    covered = cv2.countNonZero(ink) / ink.size
    least = painted * DOUBTED * np.interp(covered, CROWDED, (0, 1))
    if least == 0:
        return ink
    pieces = components.of(ink)
    sizes = components.sizes(pieces)
    sums = np.bincount(pieces.labels, weights=opacity.ravel()[pieces.indices], minlength=pieces.end)
    return components.kept(ink, pieces, (sums >= least * sizes) | (sizes > SURE))


def joined(ink: Mask, answer: Strokes, narrow: Mask, wide: Mask, luma: Gray, least: int) -> Mask:
    """Lines, broad strokes along their middle in place of what lies there, and the lines that lack.

    least: px of a piece of those.
    """
    ink = np.where(cv2.dilate(wide, BESIDE) > 0, narrow, ink) | (narrow & cv2.dilate(wide, ON))
    thin = cv2.compare(cv2.dilate(answer.depth, ACROSS), round(BROAD * PX), cv2.CMP_LE)
    uneven = cv2.compare(cv2.subtract(cv2.dilate(luma, WITHIN), cv2.erode(luma, WITHIN)), FLAT, cv2.CMP_GE)
    new = answer.narrow & thin & uneven & ~cv2.dilate(ink, BESIDE)
    new = components.without_smaller(np.asarray(new, np.uint8), least)
    return np.asarray(ink | (cv2.dilate(new, JOINED) & answer.narrow), np.uint8)
