"""The relation of two pictures: a copy, a part, a mirror image, a turn, other colors, redrawn, or none.

Both are brought to one small size and compared as they lie, then aligned and compared again. A re-encoding
errs a little everywhere, a redrawn mouth errs a lot in one spot: so the largest local mean of the difference
in lightness decides, and a mean over the picture, in which a mouth is lost, doesn't.
"""

import math
from collections.abc import Iterator
from typing import Literal, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from anidata.duplicates import alignment, light, structure
from anidata.duplicates.alignment import LIGHTNESS, LIKENESS, Affine, Lab, Mask, Pixels, View
from anidata.duplicates.ways import STRAIGHT, Way
from anidata.imaging import fit as fitting

VERSION = 7  # raised when the same two pictures would get another relation, by retouch too
# L* of 100: 99 of 100 copies stay below 10.4; other expressions begin at 19,
# one (a mouth of a single line) is 8.4.
SPOT = 11.5
PLAINLY = 2.0  # times SPOT: redrawn, whichever of the two lies on the other
# A lone spot in a clean difference was drawn: copies reach 13 times the noise, that mouth 19.
QUIET_SPOT = 6.0  # L*
QUIET_RATIO = 16.0  # times the noise
# L* from a picture's darkest to its lightest, below which a spot counts for more:
# night scenes have few levels.
RANGE = 50.0
# a*b* units: copies reach 6.7 (GIF), 19 of 20 recolors begin at 7.5;
# nearly gray pictures have no tint to lose.
TINT = 7.0
STAIN = 10.0  # a*b* units that are another tint
STAINED = 0.04  # share of a picture that may have one: copies .03; cards on other paper .8
COLORED = 12.0  # chroma that counts as color
COLORED_SAMPLES = 24  # samples of it (one of nine px) that there must be to speak of a tint
REFRAMED = 0.012  # half sides: rounding of sizes moves a corner by up to .008, a rotation by 1° by .016
NEAR = (
    0.05  # half sides: what is redrawn draws the fit to it by .035; other pictures of one balloon are .44 off
)
IN_PLACE = 0.97  # likeness of what lies frame on frame, whatever the colors: a crop of 2 % has less
# Likeness from which what differs and was turned too is one drawing: two patterns reach .81, two slopes .93.
TURNED = 0.95
THIN = 0.08  # of the short side: how wide a border may be
EVEN = 0.012  # of the short side: by how much a border's sides may differ
PLAIN = 0.97  # of a border that has one color: what rings beside the picture hasn't
BORDER = 4  # px along the rim of what a crop shows, where inside and outside blend
# px at which outlines of what is no copy must be alike too: round shapes and flags are, from afar;
# 19 of 20 variants stay above .6.
CLOSE = 96
STARRY = 0.35  # likeness, below CLOSE, of what is all stars or dots, which are lost from afar
GRAY = 128  # a* and b* of gray, as OpenCV packs them

Relation = Literal["reencoded", "crop", "flip", "turn", "recolor", "variant", "unrelated"]


class Difference(NamedTuple):
    """The difference that is left between two pictures on one grid."""

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
        return self.spot > min(limit, max(QUIET_SPOT, QUIET_RATIO * self.noise))

    @property
    def is_recolored(self) -> bool:
        """Whether in all that is colored, or only here and there, where nothing is redrawn."""
        return self.tint > TINT or (self.stained > STAINED and not self.is_redrawn)

    @property
    def may_be_lit(self) -> bool:
        """Whether other light alone may make the difference: spares the time to try where it can't."""
        return self.level > 0.6 and self.likeness > 0.95 and self.tint < 2 * TINT


def relation(a: View, b: View, flipped: bool = False, quarters: int = 0) -> Relation:
    """The relation of two pictures to each other, from their thumbnails.

    flipped: of a and the mirrored b: `flip` where one is a copy or a part.
    quarters: of a and b, mirrored or not, turned by so many: `turn` where one is a copy or a part.

    reencoded: size, format, quality, brightness, a thin border.
    crop: one shows a part of the other; letterboxes and slight rotations too.
    recolor: the same drawing in other colors.
    variant: something drawn differs.
    unrelated: no more alike than any two drawings.
    """
    return related(a, b, flipped, quarters).relation


class Try(NamedTuple):
    """One of two matched pictures laid on the other, and what is left."""

    laid: View
    ground: View
    fit: Affine  # places in the ground → places in what is laid on it
    left: Difference


class Related(NamedTuple):
    """A relation, and of a dropped one the try that tells it."""

    relation: Relation
    tried: Try | None = None
    is_a_laid: bool = True  # whether it is the first named that is laid on the other
    is_b_moved: bool = True  # whether it is the second named that is seen another way, or the first
    way: Way = STRAIGHT  # in which that one is seen


def related(a: View, b: View, flipped: bool = False, quarters: int = 0) -> Related:
    """The relation as `relation` has it, and what it was told by: the same whichever is named first."""
    swapped = (b.rgb.shape, b.rgb.tobytes()) < (a.rgb.shape, a.rgb.tobytes())
    first, second = (b, a) if swapped else (a, b)
    way = Way(flipped, quarters).back if swapped else Way(flipped, quarters)
    first, second = alignment.matched(first, second.seen(way))
    alike = []
    for one in _tries(first, second):
        if way.quarters and structure.is_pulled(one.laid, one.ground, one.fit):
            continue
        if one.left.is_copy and _is_of_substance(one, way):
            is_a_laid = (one.laid is first) != swapped
            return Related(_kind_of_copy(one, way), one, is_a_laid, not swapped, way)
        if one.left.likeness >= LIKENESS and (not way.quarters or _is_hardly_changed(one)):
            alike.append(one)
    if not any(alignment.likeness(one.laid, one.ground, one.fit, CLOSE) >= LIKENESS for one in alike):
        return Related("unrelated")
    return Related(_kind_of_alike(max(alike, key=lambda one: one.left.likeness)))


def _is_of_substance(one: Try, way: Way) -> bool:
    """Whether a copy lies frame on frame as it is, or what is shown of it is more than a flag's stripes."""
    is_in_place = alignment.moved(one.fit) <= REFRAMED
    if is_in_place and not way.quarters:
        return True
    shared = structure.shared(one.laid, one.ground, one.fit)
    if way.quarters and shared.is_striped:
        return False
    return is_in_place or shared.is_a_part


def _is_hardly_changed(one: Try) -> bool:
    """Whether two that differ are so alike that one is the other, turned as well."""
    return one.left.likeness >= TURNED and alignment.moved(one.fit) <= NEAR


def _kind_of_alike(one: Try) -> Relation:
    """What two pictures that are alike from afar are by what they share inside."""
    is_recolored, is_near = one.left.is_recolored, alignment.moved(one.fit) <= NEAR
    if not structure.is_one_drawing(one.laid, one.ground, one.fit, is_recolored, is_near):
        return "unrelated"
    return "recolor" if is_recolored else "variant"


def _kind_of_copy(one: Try, way: Way) -> Relation:
    if way != STRAIGHT:
        return "turn" if way.quarters else "flip"
    return "crop" if alignment.moved(one.fit) > REFRAMED and not _is_framed(one) else "reencoded"


def _tries(a: View, b: View) -> Iterator[Try]:
    """Yield the two as they lie, then aligned, either on the other: first on the one with borders."""
    here = difference(a, b, alignment.HERE)
    yield Try(a, b, alignment.HERE, here)
    if here.tint > TINT and here.likeness > IN_PLACE:
        return
    coarse = alignment.coarse_fit(a, b)
    ways = [(a, b, coarse), (b, a, alignment.inverse(coarse))]
    for one, ground, start in ways if np.linalg.det(coarse[:, :2]) > 1 else reversed(ways):
        has_hold = one is a or alignment.likeness(one, ground, start) >= LIKENESS
        fit = alignment.refined(one, ground, start if has_hold else alignment.coarse_fit(one, ground))
        moved, left = alignment.moved(fit), here
        if moved > 0:
            left = difference(one, ground, fit)
            yield Try(one, ground, fit, left)
        if moved <= REFRAMED and here.likeness >= LIKENESS and left.spot > PLAINLY * SPOT:
            return  # frame on frame, whichever is the ground


def _is_framed(one: Try) -> bool:
    """Whether one of the two is the other in a thin plain border, equal on all four sides."""
    is_ground = np.linalg.det(one.fit[:, :2]) > 1
    outer, fit = (one.ground.rgb, alignment.inverse(one.fit)) if is_ground else (one.laid.rgb, one.fit)
    margins = _margins(outer, fit)
    short = min(outer.shape[:2])
    if margins.min() < 1 or margins.max() > THIN * short or np.ptp(margins) > max(1.0, EVEN * short):
        return False
    return _is_plain(outer, int(margins.min()))


def _margins(outer: Pixels, fit: Affine) -> NDArray[np.float64]:
    """(4,), px: what surrounds the inner picture left, right, above and below."""
    (height, width), corners = outer.shape[:2], fit @ alignment.CORNERS
    low, high = corners.min(axis=1), corners.max(axis=1)
    across = np.array([1 + low[0], 1 - high[0]]) * width / 2
    down = np.array([1 + low[1], 1 - high[1]]) * height / 2
    return np.concatenate([across, down])


def _is_plain(outer: Pixels, depth: int) -> bool:
    """Whether a picture's border, `depth` px wide, has one color."""
    height, width = outer.shape[:2]
    rim = np.ones((height, width), np.bool_)
    rim[depth : height - depth, depth : width - depth] = False
    around = outer[rim].astype(np.int16)
    of_its_color = (np.abs(around - np.median(around, axis=0)) <= 2 * fitting.PLAIN).all(axis=1)
    return bool(of_its_color.mean() > PLAIN)


# --- difference ---------------------------------------------------------------------------------------------


def difference(a: View, b: View, fit: Affine) -> Difference:
    """The difference of b and of a laid on it, two matched pictures.

    With one in the other's light where they are no copies as they are.
    """
    likeness = alignment.likeness(a, b, fit)
    if STARRY < likeness < LIKENESS:
        likeness = max(likeness, alignment.likeness(a, b, fit, CLOSE))
    if likeness < LIKENESS:
        return Difference(np.inf, 0.0, 0.0, 0.0, 0.0, 0.0, likeness)
    matrix, here = alignment.in_pixels(fit, a.rgb, b.rgb), alignment.is_here(fit, a, b)
    shown = alignment.covered(matrix, a.rgb, b.rgb)
    if alignment.moved(fit) > 2 / max(b.rgb.shape):  # a pixel: no longer frame on frame
        shown = _inner(shown)
    lab_a, lab_b = a.lab if here else alignment.warped(a.lab, matrix, b.rgb, cv2.INTER_CUBIC), b.lab
    spread = float(np.ptp([a.lights, b.lights]))
    as_is = _difference(lab_a, lab_b, shown, likeness, spread)
    if as_is.is_copy or not as_is.may_be_lit:
        return as_is
    over = a.rgb if here else alignment.warped(a.rgb, matrix, b.rgb, cv2.INTER_CUBIC)
    lit = _difference(alignment.lab_of(light.lit(over, b.rgb, shown)), lab_b, shown, likeness, spread)
    if lit.is_copy:
        return lit
    # What is clipped in one can be told from the other alone.
    relit = alignment.lab_of(light.lit(b.rgb, over, shown))
    other = _difference(lab_a, relit, shown, likeness, spread)
    return min(as_is, lit, other, key=lambda left: left.noise)


def _difference(a: Lab, b: Lab, shown: Mask, likeness: float, spread: float) -> Difference:
    """The difference of two pictures of one size, where both show something."""
    means = cv2.blur(cv2.subtract(a, b, dtype=cv2.CV_32F), (3, 3))
    means[..., 0] *= LIGHTNESS
    low, high = cv2.minMaxLoc(cv2.extractChannel(means, 0), shown)[:2]
    noise = cv2.norm(means, cv2.NORM_L2, shown) / math.sqrt(max(1, cv2.countNonZero(shown)))
    few = shown[::3, ::3] > 0  # of each row and column every third: enough for a median
    one, other, left = (np.asarray(p[::3, ::3][few], np.float32).T for p in (a, b, means))
    chroma = np.maximum(np.hypot(*(one[1:] - GRAY)), np.hypot(*(other[1:] - GRAY)))
    off = np.hypot(*left[1:])
    tint = off[chroma > COLORED]
    return Difference(
        spot=max(-low, high),
        noise=noise,
        tint=float(np.median(tint)) if tint.size >= COLORED_SAMPLES else 0.0,
        level=float(np.percentile(np.abs(left[0]), 90)) if left.size else 0.0,
        spread=spread,
        stained=float(np.count_nonzero(off > STAIN)) / max(1, off.size),
        likeness=likeness,
    )


def _inner(shown: Mask) -> Mask:
    """The mask less BORDER along its rim."""
    square = np.ones((2 * BORDER + 1, 2 * BORDER + 1), np.uint8)
    return np.asarray(cv2.erode(shown, square, borderType=cv2.BORDER_CONSTANT, borderValue=0), np.uint8)
