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
BLACK, CHROMA = 30, 30  # L* and chroma up to which a color is black, and may be solid
BENDS = 6  # half px squared: a smaller inside is the bend of a stroke
BROAD = 4  # px inside which an area of it is no stroke
ABOUT = np.ones((11, 11), np.uint8)  # of such an inside, all of the stroke
OUTLINE = 2  # px of the rim that are drawn of what isn't
BESIDE = np.ones((5, 5), np.uint8)  # 2 px on each side of a border
CRISP = 32  # grey levels across the border of an area of ink, along at least half of it


class Color(NamedTuple):
    """The ink's."""

    rgb: npt.NDArray[np.uint8]
    share: float  # of the bottoms of ridges that have it


class Areas(NamedTuple):
    """Where ink may lie flat, where the picture has about the ink's color, and where that is a black."""

    mask: Mask
    like: Mask
    black: Mask  # where the picture has about that color, if it is a black; else nothing


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
    cells = (colors >> 4).astype(np.intp) @ np.array([256, 16, 1])
    cube = np.bincount(cells, minlength=4096).reshape(16, 16, 16)
    fullest = int(_sums(cube).argmax())
    around = np.zeros((16, 16, 16), np.bool_)
    around[tuple(slice(max(0, n - 1), n + 2) for n in np.unravel_index(fullest, cube.shape))] = True
    within = around.ravel()[cells]
    color, share = np.median(colors[within], axis=0), float(within.mean())
    if share < COMMON or color @ (0.299, 0.587, 0.114) > DARK:
        return None
    return Color(color.astype(np.uint8), share)


def _sums(cube: npt.NDArray[np.intp]) -> npt.NDArray[np.intp]:
    """Of each cell and its neighbors, along all three axes."""
    padded = np.pad(cube, 1)
    planes = padded[:-2] + padded[1:-1] + padded[2:]
    rows = planes[:, :-2] + planes[:, 1:-1] + planes[:, 2:]
    return np.asarray(rows[:, :, :-2] + rows[:, :, 1:-1] + rows[:, :, 2:], np.intp)


def find(rgb: npt.NDArray[np.uint8], black: Mask, color: Color | None, tolerance: int, solid: bool) -> Areas:
    """Black areas and those in the ink's color.

    Of deep ones the rim alone, thin where it isn't black, but for what is ink throughout and to be solid.
    """
    none = np.zeros_like(black)
    whole = black if solid else none
    if color is None:
        return Areas(_hollow(black, whole, RIM), none, none)
    like = _close_to(rgb, color.rgb, tolerance)
    is_black = _is_black(color.rgb[None].astype(float))[0]
    if color.share < SURE:
        return Areas(_hollow(black, whole, RIM), like, like if is_black else none)
    if not is_black:
        return Areas(_hollow(black, whole, RIM) | _hollow(like, black, OUTLINE), like, none)
    if solid:
        whole = black | _close_to(rgb, color.rgb, min(EXACT, tolerance))
    return Areas(_hollow(black | like, whole, RIM), like, like)


def without_fills(ink: Mask, rgb: npt.NDArray[np.uint8], black: Mask) -> Mask:
    """Ink without the inside of what is no black.

    Of areas and broad strokes an outline is left; strokes of 7 and 8 px lose a pixel on each side.
    black: where the picture is black for certain, or has the color of a black ink.
    """
    inside = cv2.erode(np.ascontiguousarray(ink[::2, ::2]), SQUARE) & ~black[::2, ::2]
    fills = _not_black(inside, rgb) if inside.any() else inside
    if not fills.any():
        return ink
    fills = cv2.resize(cv2.dilate(fills, SQUARE), ink.shape[::-1], interpolation=cv2.INTER_NEAREST)
    fills &= cv2.erode(ink, octagon(RIM))
    broad = cv2.dilate(fills & cv2.erode(ink, octagon(BROAD)), ABOUT)
    strokes = cv2.dilate(fills & ~broad, ABOUT) & ~broad
    gone = (broad & cv2.erode(ink, octagon(OUTLINE))) | (strokes & ~cv2.erode(ink, SQUARE))
    return np.asarray(ink & ~gone, np.uint8)


def _not_black(inside: Mask, rgb: npt.NDArray[np.uint8]) -> Mask:
    """The pieces of a mask, of half the picture's size, that aren't dark and gray."""
    pieces = components.of(inside)
    width = inside.shape[1]
    at = pieces.indices // width * (2 * rgb.shape[1]) + pieces.indices % width * 2
    colors = rgb.reshape(-1, 3)[at]
    sums = [np.bincount(pieces.labels, weights=channel, minlength=pieces.end) for channel in colors.T]
    sizes = components.sizes(pieces)
    means = np.stack(sums, axis=1) / np.maximum(sizes, 1)[:, None]
    return components.kept(inside, pieces, ~_is_black(means) & (sizes >= BENDS))


def _is_black(colors: npt.NDArray[np.float64]) -> npt.NDArray[np.bool_]:
    """Whether colors, (n, 3), are dark and gray enough to be solid ink."""
    lab = cv2.cvtColor((colors[None] / FULL).astype(np.float32), cv2.COLOR_RGB2LAB)[0]
    return np.asarray((lab[:, 0] <= BLACK) & (np.hypot(lab[:, 1], lab[:, 2]) <= CHROMA), np.bool_)


def _close_to(rgb: npt.NDArray[np.uint8], color: npt.NDArray[np.uint8], levels: int) -> Mask:
    low, high = (tuple(np.clip(color.astype(float) + n, 0, FULL).tolist()) for n in (-levels, levels))
    return np.asarray(cv2.inRange(rgb, low, high), np.uint8)


def _hollow(area: Mask, whole: Mask, rim: int) -> Mask:
    """The area with only a rim of those of its parts that are deep and not whole."""
    deep = cv2.erode(area[::2, ::2], octagon(DEEP)) & ~whole[::2, ::2]
    if not deep.any():
        return area
    parts = cv2.resize(cv2.dilate(deep, octagon(DEEP + 1)), area.shape[::-1], interpolation=cv2.INTER_NEAREST)
    return np.asarray(area & ~(parts & cv2.erode(area, octagon(rim))), np.uint8)


def crisp(area: Mask, luma: Gray) -> tuple[Mask, Gray]:
    """Those parts of an area that have a crisp border, grown to where it is half as dark.

    Blurred rims belong to them. And the grey levels within 2 px of each pixel.
    """
    darkest, lightest = cv2.erode(luma, BESIDE), cv2.dilate(luma, BESIDE)
    steps = np.asarray(cv2.subtract(lightest, darkest), np.uint8)
    parts = _crisp_parts(area, steps)
    dark = cv2.compare(cv2.subtract(luma, darkest), cv2.subtract(lightest, luma), cv2.CMP_LE)
    return np.asarray(parts | (cv2.dilate(parts, SQUARE) & dark), np.uint8), steps


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
