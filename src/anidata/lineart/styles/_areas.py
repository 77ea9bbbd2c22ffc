"""Areas of ink: black ones, and thick strokes and areas in the color that the picture is inked with.

Masks are uint8, 0 or 255.
"""

from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from anidata.imaging import components
from anidata.imaging.components import indices
from anidata.lineart.styles._strokes import FULL, SQUARE, Gray, Mask, brightest, octagon, peaks, ridges

STRONG, BOTTOM = 0.3, 0.85  # of the tone beside, and of the peak: ridges whose bottom shows the ink's color
FEW = 0.002  # share of the picture: with fewer strong thin ridges the wide ones are asked, at half the size
LEAST, MANY = 30, 4096  # px: fewer tell no color, more are not asked
COMMON, SURE = 0.25, 0.6  # share of one color at the bottom: it may be the ink's, areas of it may be ink
DARK = 125  # luma: what is lighter is no ink
EXACT = 12  # grey levels within which a whole area is of the ink's color
DEEP, RIM = 4, 3  # half px inside which an area is no stroke any more; px of its rim that may be one
BESIDE = np.ones((5, 5), np.uint8)  # 2 px on each side of a border
CRISP = 32  # grey levels across the border of an area of ink, along at least half of it


class Color(NamedTuple):
    """The ink's."""

    rgb: npt.NDArray[np.uint8]
    share: float  # of the bottoms of ridges that have it


class Areas(NamedTuple):
    """Where ink may lie flat, and where the picture has about the ink's color."""

    mask: Mask
    like: Mask


def ink_color(rgb: npt.NDArray[np.uint8], strength: Gray, luma: Gray) -> Color | None:
    """The commonest color at the bottom of strong ridges, if it is common and dark enough."""
    table = np.maximum(np.ceil(BOTTOM * np.arange(256)), round(STRONG * FULL)).astype(np.uint8)
    bottoms = cv2.compare(strength, cv2.LUT(peaks(strength), table), cv2.CMP_GE)
    if cv2.countNonZero(bottoms) < FEW * bottoms.size:
        bottoms = cv2.bitwise_or(bottoms, _wide_ridges(luma, brightest(rgb)))
    at = indices(bottoms)
    return _commonest(rgb.reshape(-1, 3)[at[:: 1 + len(at) // MANY]])


def _wide_ridges(luma: Gray, bright: Gray) -> Mask:
    """Strong ridges of the picture at half its size."""
    small, small_bright = (
        cv2.resize(v, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA) for v in (luma, bright)
    )
    wide = cv2.compare(ridges(small, small_bright, radius=4), round(STRONG * FULL), cv2.CMP_GE)
    return np.asarray(cv2.resize(wide, luma.shape[::-1], interpolation=cv2.INTER_NEAREST), np.uint8)


def _commonest(colors: npt.NDArray[np.uint8]) -> Color | None:
    """The median of the fullest cube of 3 × 3 × 3 cells of 16 levels, and the share of all in it.

    None where they are few, or it is no ink.
    """
    if len(colors) < LEAST:
        return None
    cells = colors >> 4
    counts = np.pad(np.bincount(cells @ np.array([256, 16, 1]), minlength=4096).reshape(16, 16, 16), 1)
    counts = counts[:-2] + counts[1:-1] + counts[2:]
    counts = counts[:, :-2] + counts[:, 1:-1] + counts[:, 2:]
    counts = counts[:, :, :-2] + counts[:, :, 1:-1] + counts[:, :, 2:]
    fullest = np.array(np.unravel_index(counts.argmax(), counts.shape))
    within = (np.abs(cells.astype(np.int8) - fullest) <= 1).all(axis=1)
    color, share = np.median(colors[within], axis=0), float(within.mean())
    if share < COMMON or color @ (0.299, 0.587, 0.114) > DARK:
        return None
    return Color(color.astype(np.uint8), share)


def find(rgb: npt.NDArray[np.uint8], black: Mask, color: Color | None, tolerance: int, solid: bool) -> Areas:
    """Black areas and those in the ink's color.

    Of deep ones the rim alone, but for what is ink throughout and to be solid.
    """
    area, whole, like = black, black, np.zeros_like(black)
    if color is not None:
        like = _close_to(rgb, color.rgb, tolerance)
        if color.share >= SURE:
            area, whole = black | like, black | _close_to(rgb, color.rgb, min(EXACT, tolerance))
    return Areas(_hollow(area, whole if solid else np.zeros_like(area)), like)


def _close_to(rgb: npt.NDArray[np.uint8], color: npt.NDArray[np.uint8], levels: int) -> Mask:
    low, high = (tuple(np.clip(color.astype(float) + n, 0, FULL).tolist()) for n in (-levels, levels))
    return np.asarray(cv2.inRange(rgb, low, high), np.uint8)


def _hollow(area: Mask, whole: Mask) -> Mask:
    """The area with only a rim of those of its parts that are deep and not whole."""
    deep = cv2.erode(area[::2, ::2], octagon(DEEP)) & ~whole[::2, ::2]
    if not deep.any():
        return area
    parts = cv2.resize(cv2.dilate(deep, octagon(DEEP + 1)), area.shape[::-1], interpolation=cv2.INTER_NEAREST)
    return np.asarray(area & ~(parts & cv2.erode(area, octagon(RIM))), np.uint8)


def crisp(area: Mask, luma: Gray) -> Mask:
    """Those parts of an area that have a crisp border, grown to where it is half as dark.

    Blurred rims belong to them.
    """
    darkest, lightest = cv2.erode(luma, BESIDE), cv2.dilate(luma, BESIDE)
    parts = _crisp_parts(area, cv2.subtract(lightest, darkest))
    dark = cv2.compare(cv2.subtract(luma, darkest), cv2.subtract(lightest, luma), cv2.CMP_LE)
    return np.asarray(parts | (cv2.dilate(parts, SQUARE) & dark), np.uint8)


def _crisp_parts(area: Mask, steps: Gray) -> Mask:
    """Components of which half the rim, at least, is steep."""
    pieces = components.of(area)
    rim = cv2.subtract(area, cv2.erode(area, SQUARE)).ravel()[pieces.indices] > 0
    labels, steep = pieces.labels[rim], steps.ravel()[pieces.indices[rim]] >= CRISP
    sharp = np.bincount(labels, weights=steep, minlength=pieces.end)
    least = (
        np.bincount(labels, minlength=pieces.end) / 2
    )  # 0 where there is no rim: that is all of the picture
    return components.kept(area, pieces, sharp >= least)
