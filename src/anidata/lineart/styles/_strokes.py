"""Strokes: ridges of darkness, how strong they are, and which of them are worth their ink.

Masks are uint8, 0 or 255.
"""

from functools import cache

import cv2
import numpy as np
import numpy.typing as npt

from anidata.imaging import components

Mask = npt.NDArray[np.uint8]
Gray = npt.NDArray[np.uint8]

FULL = 255
FLOOR = 40  # grey levels added to a tone, so that noise in the dark is no contrast
BESIDE, PEAK = 3, 2  # px: radius in which both sides of a stroke lie, and within which it has its peak
AREA = np.ones((9, 9), np.uint8)  # half px: ink in which such a square lies is an area
SQUARE = np.ones((3, 3), np.uint8)
# As far as luma must agree with the largest channel
TWICE = np.minimum(2 * np.arange(256), FULL).astype(np.uint8)
HALF = np.array([(n + 1) // 2 for n in range(256)], np.uint8)  # of the peak: what a stroke is as wide as


@cache
def octagon(radius: int) -> Mask:
    """The kernel of all within about `radius` px, 0 or 1."""
    y, x = np.mgrid[-radius : radius + 1, -radius : radius + 1]
    return np.asarray(abs(y) + abs(x) <= round(1.42 * radius), np.uint8)


def brightest(rgb: npt.NDArray[np.uint8]) -> Gray:
    """The largest channel: in it dark red on skin is as dark as ink."""
    red, green, blue = cv2.split(rgb)
    return np.asarray(cv2.max(cv2.max(red, green), blue), np.uint8)


def ridges(luma: Gray, bright: Gray, radius: int = BESIDE) -> Gray:
    """How much darker than both its sides each pixel is, in 255ths of the tone beside it.

    The largest channel counts as far as luma agrees: at borders where JPEG halved the chroma's size,
    it alone has a ridge.
    """
    by_luma = _contrast(luma, radius)
    by_channel = cv2.min(_contrast(bright, radius), cv2.LUT(by_luma, TWICE))
    return np.asarray(cv2.max(by_luma, by_channel), np.uint8)


def _contrast(gray: Gray, radius: int) -> Gray:
    closed = cv2.morphologyEx(gray, cv2.MORPH_CLOSE, octagon(radius), borderType=cv2.BORDER_REPLICATE)
    return np.asarray(cv2.divide(cv2.subtract(closed, gray), cv2.add(closed, FLOOR), scale=FULL), np.uint8)


def peaks(strength: Gray) -> Gray:
    """The strongest beside each pixel."""
    return np.asarray(cv2.dilate(strength, octagon(PEAK)), np.uint8)


def trace(strength: Gray, contrast: float) -> Mask:
    """Where a ridge is at least so strong, and at least half as strong as the strongest beside it."""
    least = np.maximum(HALF, max(1, round(FULL * contrast))).astype(np.uint8)
    return np.asarray(cv2.compare(strength, cv2.LUT(peaks(strength), least), cv2.CMP_GE), np.uint8)


def worthy(ink: Mask, strength: Gray, mass: float, specks: int) -> Mask:
    """Ink without the components that are too faint for their length, or mere specks."""
    pieces = components.of(ink)
    strengths = strength.ravel()[pieces.indices]
    strong = np.bincount(pieces.labels, weights=strengths, minlength=pieces.end) >= FULL * mass
    return components.kept(ink, pieces, strong & (components.sizes(pieces) >= specks))


def bold(ink: Mask) -> float:
    """Share of the rims of all strokes that those wider than about 5 px have; areas are no strokes."""
    few = np.ascontiguousarray(ink[::2, ::2])
    areas = cv2.morphologyEx(few, cv2.MORPH_OPEN, AREA)
    strokes = few & ~cv2.dilate(areas, SQUARE)
    wide = cv2.morphologyEx(strokes, cv2.MORPH_OPEN, SQUARE)
    bolds, every = (cv2.countNonZero(part & ~cv2.erode(part, SQUARE)) for part in (wide, strokes))
    return bolds / max(1, every)
