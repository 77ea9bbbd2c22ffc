"""What a candidate pair of pictures is: a copy, a part, a mirror image, other colors, another expression, or nothing at all.

Both are brought to one small size and compared as they lie, then aligned and compared again. A re-encoding errs a little everywhere, a redrawn mouth errs a lot in one spot:
so the largest local mean of the difference in lightness decides, and a mean over the picture, in which a mouth is lost, doesn't.
"""

import math
from collections.abc import Iterator
from typing import Literal, NamedTuple

import cv2
import numpy as np

from anidata.duplicates import alignment
from anidata.duplicates.alignment import LIGHTNESS, LIKENESS, Affine, Lab, Mask, Pixels, View
from anidata.imaging import fit as fitting

VERSION = 5  # raised when the same two pictures would get another relation, by retouch too
SPOT = 11.5  # L* of 100: 99 of 100 copies stay below 10.4; other expressions begin at 19, one (a mouth of a single line) is 8.4
PLAINLY = 2.0  # times SPOT: redrawn, whichever of the two lies on the other
QUIET = (
    6.0,
    16.0,
)  # L*, and times the noise: copies reach 13, that mouth 19: a lone spot in a clean difference was drawn
RANGE = 50.0  # L* from a picture's darkest to its lightest, below which a spot counts for more: night scenes are drawn in few levels
TINT = 7.0  # a*b* units: copies reach 6.7 (GIF), 19 of 20 recolors begin at 7.5; nearly gray pictures have no tint to lose
STAIN = (
    10.0,
    0.04,
)  # a*b* units that are another tint, and the share of a picture that may have one: copies .03; cards on other paper .8
COLORED = (
    12.0,
    24,
)  # chroma that counts as color, and samples of it (one of nine px) that there must be to speak of a tint
REFRAMED = 0.012  # half sides: rounding of sizes moves a corner by up to .008, a rotation by 1° by .016
IN_PLACE = 0.97  # likeness of what lies frame on frame, whatever the colors: a crop of 2 % has less
THIN, EVEN = 0.08, 0.012  # of the short side: how wide a border may be, and by how much its sides may differ
PLAIN = 0.97  # of a border that has one color: what rings beside the picture hasn't
BORDER = 4  # px along the rim of what a crop shows, where inside and outside blend
CLOSE = 96  # px at which those of what is no copy are too: round shapes and flags are alike from afar; 19 of 20 variants stay above .6
LEAST = 8  # samples from which light can be fitted
GRAY = 128  # a* and b* of gray, as OpenCV packs them
CLIPPED, LIGHT_STEPS = (
    16,
    5,
)  # grey levels from black or white that clipping may have reached; rounds of the fit of light
GAIN = 2.0  # times the light, either way, that is still the same picture

Relation = Literal["reencoded", "crop", "flip", "recolor", "variant", "unrelated"]


class Difference(NamedTuple):
    """What is left between two pictures on one grid."""

    spot: float  # L*: the largest mean of 3 × 3 px
    noise: float  # L*a*b* units: root mean square of such means
    tint: float  # a*b* units: median over what is colored
    level: float  # L*: nine tenths of the picture differ by less
    spread: float  # L* from the darkest hundredth to the lightest
    stained: float  # share of the picture that has another tint, whatever its chroma
    likeness: float  # correlation of outlines, at most 1

    @property
    def is_copy(self) -> bool:
        return not self.is_redrawn and not self.is_recolored and self.likeness >= LIKENESS

    @property
    def is_redrawn(self) -> bool:
        limit = SPOT * min(1.0, self.spread / RANGE)
        return self.spot > min(limit, max(QUIET[0], QUIET[1] * self.noise))

    @property
    def is_recolored(self) -> bool:
        """In all that is colored, or only here and there, where nothing is redrawn."""
        return self.tint > TINT or (self.stained > STAIN[1] and not self.is_redrawn)

    @property
    def may_be_lit(self) -> bool:
        """Whether other light alone may be what makes the difference: spares the time to try where it can't."""
        return self.level > 0.6 and self.likeness > 0.95 and self.tint < 2 * TINT


def relation(a: View, b: View, flipped: bool = False) -> Relation:
    """What two pictures are to each other, from their thumbnails; flipped: a and the mirrored b, `flip` where one is a copy or a part.

    reencoded: size, format, quality, brightness, a thin border. crop: one shows a part of the other; letterboxes and slight rotations too.
    recolor: the same drawing in other colors. variant: something drawn differs. unrelated: no more alike than any two drawings.
    """
    if (b.rgb.shape, b.rgb.tobytes()) < (a.rgb.shape, a.rgb.tobytes()):  # the same whichever is named first
        a, b = b, a
    a, b = alignment.matched(a, b.mirrored if flipped else b)
    alike = []
    for one in _tries(a, b):
        if one.found.is_copy:
            return (
                "flip"
                if flipped
                else "crop"
                if alignment.moved(one.fit) > REFRAMED and not _is_framed(one)
                else "reencoded"
            )
        if one.found.likeness >= LIKENESS:
            alike.append(one)
    if not any(alignment.likeness(one.laid, one.ground, one.fit, CLOSE) >= LIKENESS for one in alike):
        return "unrelated"
    return "recolor" if max(alike, key=lambda one: one.found.likeness).found.is_recolored else "variant"


class _Try(NamedTuple):
    """One of two matched pictures laid on the other, and what is left."""

    laid: View
    ground: View
    fit: Affine
    found: Difference


def _tries(a: View, b: View) -> Iterator[_Try]:
    """As they lie, and aligned, either on the other: the picture with borders is the better ground."""
    here = difference(a, b, alignment.HERE)
    yield _Try(a, b, alignment.HERE, here)
    if here.tint > TINT and here.likeness > IN_PLACE:
        return
    coarse = alignment.found(a, b)
    ways = [(a, b, coarse), (b, a, alignment.inverse(coarse))]
    for one, ground, start in ways if np.linalg.det(coarse[:, :2]) > 1 else reversed(ways):
        has_hold = one is a or alignment.likeness(one, ground, start) >= LIKENESS
        fit = alignment.refined(one, ground, start if has_hold else alignment.found(one, ground))
        moved, found = alignment.moved(fit), here
        if moved > 0:
            found = difference(one, ground, fit)
            yield _Try(one, ground, fit, found)
        if moved <= REFRAMED and here.likeness >= LIKENESS and found.spot > PLAINLY * SPOT:
            return  # frame on frame, whichever is the ground


def _is_framed(one: _Try) -> bool:
    """Whether the ground, or else what is laid on it, is the other one in a thin plain border, equal on all four sides."""
    ground, fit = one.ground, one.fit
    outer, places = (
        (ground.rgb, alignment.inverse(fit)) if np.linalg.det(fit[:, :2]) > 1 else (one.laid.rgb, fit)
    )
    (height, width), corners = outer.shape[:2], places @ alignment.CORNERS
    low, high = corners.min(axis=1), corners.max(axis=1)
    margins = (
        np.array([1 + low[0], 1 - high[0]]) * width / 2,
        np.array([1 + low[1], 1 - high[1]]) * height / 2,
    )
    sides = np.concatenate(margins)  # px: left, right, top, bottom
    least = min(height, width)
    if sides.min() < 1 or sides.max() > THIN * least or np.ptp(sides) > max(1.0, EVEN * least):
        return False
    rim = np.ones((height, width), np.bool_)
    depth = int(sides.min())
    rim[depth : height - depth, depth : width - depth] = False
    around = outer[rim].astype(np.int16)
    return bool((np.abs(around - np.median(around, axis=0)) <= 2 * fitting.PLAIN).all(axis=1).mean() > PLAIN)


# --- difference ----------------------------------------------------------------------------------------------------------------------


def difference(a: View, b: View, fit: Affine) -> Difference:
    """Of b and of a laid on it, two matched pictures; with one in the other's light where they are no copies as they are."""
    likeness = alignment.likeness(a, b, fit)
    if likeness < LIKENESS:
        return Difference(np.inf, 0.0, 0.0, 0.0, 0.0, 0.0, likeness)
    matrix, here = alignment.in_pixels(fit, a.rgb, b.rgb), alignment.is_here(fit, a, b)
    shown = alignment.covered(matrix, a.rgb, b.rgb)
    if alignment.moved(fit) > 2 / max(b.rgb.shape):  # a pixel: no longer frame on frame
        shown = _inner(shown)
    lab_a, lab_b = a.lab if here else alignment.warped(a.lab, matrix, b.rgb, cv2.INTER_CUBIC), b.lab
    spread = float(np.ptp([a.lights, b.lights]))
    found = _left(lab_a, lab_b, shown, likeness, spread)
    if found.is_copy or not found.may_be_lit:
        return found
    over = a.rgb if here else alignment.warped(a.rgb, matrix, b.rgb, cv2.INTER_CUBIC)
    lit = _left(alignment.lab_of(_lit(over, b.rgb, shown)), lab_b, shown, likeness, spread)
    if lit.is_copy:
        return lit
    relit = alignment.lab_of(
        _lit(b.rgb, over, shown)
    )  # what is clipped in one can be told from the other alone
    other = _left(lab_a, relit, shown, likeness, spread)
    return min(found, lit, other, key=lambda left: left.noise)


def _left(a: Lab, b: Lab, shown: Mask, likeness: float, spread: float) -> Difference:
    means = cv2.blur(cv2.subtract(a, b, dtype=cv2.CV_32F), (3, 3))
    means[..., 0] *= LIGHTNESS
    low, high = cv2.minMaxLoc(cv2.extractChannel(means, 0), shown)[:2]
    noise = cv2.norm(means, cv2.NORM_L2, shown) / math.sqrt(max(1, cv2.countNonZero(shown)))
    few = shown[::3, ::3] > 0  # of each row and column every third: enough for a median
    one, other, left = (np.asarray(p[::3, ::3][few], np.float32).T for p in (a, b, means))
    level = float(np.percentile(np.abs(left[0]), 90)) if left.size else 0.0
    chroma = np.maximum(np.hypot(*(one[1:] - GRAY)), np.hypot(*(other[1:] - GRAY)))
    off = np.hypot(*left[1:])
    tint, stained = off[chroma > COLORED[0]], float(np.count_nonzero(off > STAIN[0])) / max(1, off.size)
    return Difference(
        max(-low, high),
        noise,
        float(np.median(tint)) if tint.size >= COLORED[1] else 0.0,
        level,
        spread,
        stained,
        likeness,
    )


def _lit(a: Pixels, b: Pixels, shown: Mask) -> Pixels:
    """The first with the gain and offset that bring it nearest to the second, clipped as light is; unchanged where that is beyond GAIN."""
    few = shown[::3, ::3] > 0
    x, y = (p[::3, ::3][few].astype(np.float32).ravel() for p in (a, b))
    free = (np.minimum(x, y) > CLIPPED) & (
        np.maximum(x, y) < 255 - CLIPPED
    )  # what is clipped in neither tells the gain at once
    gain, offset = 1.0, 0.0
    for _ in range(LIGHT_STEPS):
        rest = y - np.clip(gain * x + offset, 0, 255)
        weight = free / (1 + np.square(rest / max(3.0, 2 * float(np.abs(rest).mean()))))
        total = float(weight.sum())
        if total < LEAST:
            return a
        mean_x, mean_rest = float(weight @ x) / total, float(weight @ rest) / total
        slope = float(weight @ ((x - mean_x) * (rest - mean_rest))) / (
            float(weight @ np.square(x - mean_x)) + 4 * total
        )
        gain, offset = gain + slope, offset + mean_rest - slope * mean_x
        free = np.abs(gain * x + offset - 127.5) < 131  # then all that the gain doesn't clip
    if not 1 / GAIN < gain < GAIN:
        return a
    levels = np.clip(np.rint(gain * np.arange(256) + offset), 0, 255).astype(np.uint8)
    return np.asarray(cv2.LUT(a, levels), np.uint8)


def _inner(shown: Mask) -> Mask:
    """Less BORDER along the rim."""
    square = np.ones((2 * BORDER + 1, 2 * BORDER + 1), np.uint8)
    return np.asarray(cv2.erode(shown, square, borderType=cv2.BORDER_CONSTANT, borderValue=0), np.uint8)
