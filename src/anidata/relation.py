"""What a candidate pair of pictures is: a copy, a part, a mirror image, other colors, another expression, or nothing at all.

Both are brought to one small size and compared as they lie, then aligned and compared again. The alignment is an affine map and a gain
of light, fitted by Gauss-Newton from coarse to fine. A re-encoding errs a little everywhere, a redrawn mouth errs a lot in one spot:
so the largest local mean of the difference in lightness decides, and a mean over the picture, in which a mouth is lost, doesn't.
"""

import math
from collections.abc import Iterator
from functools import partial
from itertools import product
from typing import Any, Literal, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from anidata import canvas

VERSION = 3  # raised when the same two thumbnails would get another relation
SIDE = 192  # px of the long side of what is compared: at 64 px an expression can't be told from JPEG noise
LIKENESS = 0.6  # correlation of outlines, aligned: copies .78 and more, other expressions .93; the likest of 700 unrelated pairs .45
SPOT = 11.5  # L* of 100: 99 of 100 copies stay below 10.4; other expressions begin at 19, one (a mouth of a single line) is 8.4
QUIET = 6.0, 16.0  # L*, and times the noise: copies reach 13, that mouth 19: a lone spot in a clean difference was drawn
RANGE = 50.0  # L* from a picture's darkest to its lightest, below which a spot counts for more: night scenes are drawn in few levels
TINT = 7.0  # a*b* units: copies reach 6.7 (GIF), 19 of 20 recolors begin at 7.5; nearly gray pictures have no tint to lose
STAIN = 10.0, 0.04  # a*b* units that are another tint, and the share of a picture that may have one: copies .03; cards on other paper .8
COLORED = 12.0, 24  # chroma that counts as color, and samples of it (one of nine px) that there must be to speak of a tint
REFRAMED = 0.012  # half sides: rounding of sizes moves a corner by up to .008, a rotation by 1° by .016
IN_PLACE = 0.97  # likeness of what lies frame on frame, whatever the colors: a crop of 2 % has less
THIN, EVEN = 0.08, 0.012  # of the short side: how wide a border may be, and by how much its sides may differ
PLAIN = 0.97  # of a border that has one color: what rings beside the picture hasn't
HOPELESS = 0.45  # likeness after the coarsest fit, from which finer ones don't reach LIKENESS
STILL = 0.0015  # half sides, 0.15 px: a fit that moves the corners by less is none
BORDER = 4  # px along the rim of what a crop shows, where inside and outside blend
LEVELS = ((48, 8), (96, 4), (SIDE, 2))  # px of the long side, and most steps of the fit at that size
OUTLINE = 32  # px of the long side at which outlines are compared
CLOSE = 96  # px at which those of what is no copy are too: round shapes and flags are alike from afar; 19 of 20 variants stay above .6
LEAST = 8  # px: shorter sides hold no gradients to align by
LIGHTNESS, GRAY = 100 / 255, 128  # L* a level; a* and b* of gray, as OpenCV packs them
CLIPPED, LIGHT_STEPS = 16, 5  # grey levels from black or white that clipping may have reached; rounds of the fit of light
GAIN = 2.0  # times the light, either way, that is still the same picture
ASTRAY = 0.6  # of half a side: a corner further off its place means that the fit has lost its hold

Pixels = NDArray[np.uint8]  # (h, w, 3) sRGB
Plane = NDArray[np.float32]  # (h, w), grey levels
Lab = NDArray[np.uint8]  # (h, w, 3), as OpenCV packs it: L* in 255 levels, a* and b* about 128
Mask = NDArray[np.uint8]  # (h, w): 1 where it counts
Affine = NDArray[np.float64]  # (2, 3): places in b → places in a, both from -1 to 1 across the frame
Relation = Literal["reencoded", "crop", "flip", "recolor", "variant", "unrelated"]

HERE = np.eye(2, 3)  # frame on frame
CORNERS = np.array([(-1, -1, 1), (-1, 1, 1), (1, -1, 1), (1, 1, 1)]).T


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


def thumbnail(rgb: Pixels) -> Pixels:
    """What is compared of a picture, uint8 (h, w, 3): the long side at most SIDE, by area."""
    height, width = rgb.shape[:2]
    scale = min(1.0, SIDE / max(height, width))
    return canvas.resize(rgb, max(1, round(width * scale)), max(1, round(height * scale)), "area")


def relation(a: Pixels, b: Pixels, flipped: bool = False) -> Relation:
    """What two pictures are to each other, from their thumbnails; flipped: a and the mirrored b, `flip` where one is a copy or a part.

    reencoded: size, format, quality, brightness, a thin border. crop: one shows a part of the other; letterboxes and slight rotations too.
    recolor: the same drawing in other colors. variant: something drawn differs. unrelated: no more alike than any two drawings.
    """
    a, b = matched(a, np.ascontiguousarray(b[:, ::-1]) if flipped else b)
    likest = _Try(a, b, HERE, Difference(np.inf, 0.0, 0.0, 0.0, 0.0, 0.0, -1.0))
    for one in _tries(a, b):
        if one.found.is_copy:
            return "flip" if flipped else "crop" if _moved(one.fit) > REFRAMED and not _is_framed(one) else "reencoded"
        likest = max(likest, one, key=lambda it: it.found.likeness)
    if likest.found.likeness < LIKENESS or _likeness(*_planes(likest.laid, likest.ground, CLOSE), likest.fit) < LIKENESS:
        return "unrelated"
    return "recolor" if likest.found.is_recolored else "variant"


class _Try(NamedTuple):
    """One of two matched pictures laid on the other, and what is left."""

    laid: Pixels
    ground: Pixels
    fit: Affine
    found: Difference


def _tries(a: Pixels, b: Pixels) -> Iterator[_Try]:
    """As they lie, and aligned, either on the other: the picture with borders is the better ground."""
    here = difference(a, b, HERE)
    yield _Try(a, b, HERE, here)
    if here.tint > TINT and here.likeness > IN_PLACE:
        return
    for one, ground in ((a, b), (b, a)):
        fit = aligned(one, ground)
        moved = _moved(fit)
        if moved > 0:
            yield _Try(one, ground, fit, difference(one, ground, fit))
        if moved <= REFRAMED and here.likeness >= LIKENESS:
            return  # frame on frame, whichever is the ground


def _is_framed(one: _Try) -> bool:
    """Whether the ground, or else what is laid on it, is the other one in a thin plain border, equal on all four sides."""
    ground, fit = one.ground, one.fit
    turned = np.linalg.inv(np.vstack([fit, (0, 0, 1)]))[:2]  # places in what is laid → places in the ground
    outer, places = (ground, turned) if np.linalg.det(fit[:, :2]) > 1 else (one.laid, fit)
    (height, width), corners = outer.shape[:2], places @ CORNERS
    low, high = corners.min(axis=1), corners.max(axis=1)
    margins = np.array([1 + low[0], 1 - high[0]]) * width / 2, np.array([1 + low[1], 1 - high[1]]) * height / 2
    sides = np.concatenate(margins)  # px: left, right, top, bottom
    least = min(height, width)
    if sides.min() < 1 or sides.max() > THIN * least or np.ptp(sides) > max(1.0, EVEN * least):
        return False
    rim = np.ones((height, width), np.bool_)
    depth = int(sides.min())
    rim[depth : height - depth, depth : width - depth] = False
    around = outer[rim].astype(np.int16)
    return bool((np.abs(around - np.median(around, axis=0)) <= 2 * canvas.PLAIN).all(axis=1).mean() > PLAIN)


def matched(a: Pixels, b: Pixels) -> tuple[Pixels, Pixels]:
    """Both with the long side of the smaller."""
    side = min(max(a.shape[:2]), max(b.shape[:2]))
    return _shrunk(a, side), _shrunk(b, side)


# --- difference ----------------------------------------------------------------------------------------------------------------------


def difference(a: Pixels, b: Pixels, fit: Affine) -> Difference:
    """Of b and of a laid on it, two matched pictures; with one in the other's light where they are no copies as they are."""
    likeness = _likeness(*_planes(a, b, OUTLINE), fit)
    if likeness < LIKENESS:
        return Difference(np.inf, 0.0, 0.0, 0.0, 0.0, 0.0, likeness)
    a, shown = laid(a, b, fit)
    if _moved(fit) > 2 / max(b.shape):  # a pixel: no longer frame on frame
        shown = _inner(shown)
    lab_a, lab_b = _lab(a), _lab(b)
    spread = float(np.ptp(np.percentile([lab_a[::3, ::3, 0], lab_b[::3, ::3, 0]], (1, 99)))) * LIGHTNESS
    found = _left(lab_a, lab_b, shown, likeness, spread)
    if found.is_copy or not found.may_be_lit:
        return found
    lit = _left(_lab(_lit(a, b, shown)), lab_b, shown, likeness, spread)
    if lit.is_copy:
        return lit
    other = _left(lab_a, _lab(_lit(b, a, shown)), shown, likeness, spread)  # what is clipped in one can be told from the other alone
    return min(found, lit, other, key=lambda left: left.noise)


def laid(a: Pixels, b: Pixels, fit: Affine) -> tuple[Pixels, Mask]:
    """Of two matched pictures a on b's grid, and where on it a shows anything."""
    matrix = _in_pixels(fit, a, b)
    return _warped(a, matrix, b, cv2.INTER_CUBIC), _shown(matrix, a, b)


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
    return Difference(max(-low, high), noise, float(np.median(tint)) if tint.size >= COLORED[1] else 0.0, level, spread, stained, likeness)


def _lit(a: Pixels, b: Pixels, shown: Mask) -> Pixels:
    """The first with the gain and offset that bring it nearest to the second, clipped as light is; unchanged where that is beyond GAIN."""
    few = shown[::3, ::3] > 0
    x, y = (p[::3, ::3][few].astype(np.float32).ravel() for p in (a, b))
    free = (np.minimum(x, y) > CLIPPED) & (np.maximum(x, y) < 255 - CLIPPED)  # what is clipped in neither tells the gain at once
    gain, offset = 1.0, 0.0
    for _ in range(LIGHT_STEPS):
        rest = y - np.clip(gain * x + offset, 0, 255)
        weight = free / (1 + np.square(rest / max(3.0, 2 * float(np.abs(rest).mean()))))
        total = float(weight.sum())
        if total < LEAST:
            return a
        mean_x, mean_rest = float(weight @ x) / total, float(weight @ rest) / total
        slope = float(weight @ ((x - mean_x) * (rest - mean_rest))) / (float(weight @ np.square(x - mean_x)) + 4 * total)
        gain, offset = gain + slope, offset + mean_rest - slope * mean_x
        free = np.abs(gain * x + offset - 127.5) < 131  # then all that the gain doesn't clip
    if not 1 / GAIN < gain < GAIN:
        return a
    levels = np.clip(np.rint(gain * np.arange(256) + offset), 0, 255).astype(np.uint8)
    return np.asarray(cv2.LUT(a, levels), np.uint8)


def _lab(rgb: Pixels) -> Lab:
    return np.asarray(cv2.cvtColor(rgb, cv2.COLOR_RGB2LAB), np.uint8)


def _likeness(a: Plane, b: Plane, fit: Affine) -> float:
    """Correlation of the first differences of two outlines. Luma itself agrees between any two figures on white."""
    matrix = _in_pixels(fit, a, b)
    a, shown = _warped(a, matrix, b), _shown(matrix, a, b) > 0
    across, down = shown[:, 1:] & shown[:, :-1], shown[1:] & shown[:-1]
    one, other = (np.concatenate([np.diff(p, axis=1)[across], np.diff(p, axis=0)[down]]) for p in (a, b))
    size = float(np.linalg.norm(one) * np.linalg.norm(other))
    return float(one @ other) / size if size > 1e-3 else float(not one.any() and not other.any())


# --- alignment -----------------------------------------------------------------------------------------------------------------------


def aligned(a: Pixels, b: Pixels) -> Affine:
    """The fit that lays a on b: from frame on frame, or from content on content where borders differ, whichever ends more alike."""
    levels = [(_planes(a, b, side), steps) for side, steps in LEVELS]
    likeness = partial(_likeness, *_planes(a, b, OUTLINE))
    start: Affine = max(_starts(*levels[1][0]), key=likeness)
    starts = [HERE] if np.array_equal(start, HERE) else [HERE, start]
    fit: Affine = max([*starts, *(_refined(*levels[0][0], start, levels[0][1]) for start in starts)], key=likeness)
    if likeness(fit) < HOPELESS:
        return fit
    for planes, steps in levels[1:]:
        fit = _refined(*planes, fit, steps)
        if _moved(fit) < STILL:
            return HERE
    return fit


def _refined(a: Plane, b: Plane, start: Affine, steps: int) -> Affine:
    """The fit after some steps of Gauss-Newton, where drawings differ weighing little; the start where it goes astray.

    Source: Lucas, Kanade 1981, with gain and offset of light; weights of Geman, McClure 1985
    """
    if min(*a.shape, *b.shape) < LEAST:
        return start
    (height, width), fit, light = b.shape, start, np.array([1.0, 0.0])
    x, y = _centers(width), _centers(height)[:, None]
    slopes = np.ones((8, height, width), np.float32)  # of a's light, by each of the six numbers of the fit, gain and offset
    scratch = np.empty((8, height * width), np.float32)
    for _ in range(steps):
        matrix = _in_pixels(fit, a, b)
        laid = _warped(a, matrix, b)
        for row, (dx, dy, half) in enumerate(((1, 0, width / 2), (0, 1, height / 2))):
            slope = cv2.Sobel(laid, cv2.CV_32F, dx, dy, scale=half * float(light[0]) / 8)
            np.multiply(slope, x, out=slopes[3 * row])
            np.multiply(slope, y, out=slopes[3 * row + 1])
            slopes[3 * row + 2] = slope
        slopes[6] = laid
        rest = np.asarray(b - np.float32(light[0]) * laid - np.float32(light[1]), np.float32)
        step = _step(slopes.reshape(8, -1), rest.ravel(), _shown(matrix, a, b).ravel(), scratch)
        fit, light = fit + step[:6].reshape(2, 3), light + step[6:]
        if _moved(fit, start) > ASTRAY or not 0.2 < light[0] < 5:
            return start
        if np.abs(step[:6]).max() < 0.2 / max(height, width):  # a tenth of a pixel
            break
    return fit


def _step(slopes: Plane, rest: Plane, shown: Mask, scratch: Plane) -> NDArray[np.float64]:
    """(8,): what takes the rest away, by weighted least squares, slightly damped."""
    scale = max(4.0, 2 * float(np.linalg.norm(rest)) / math.sqrt(rest.size))  # grey levels: what is off by more may be drawn otherwise
    weighed = np.multiply(slopes, shown / (1 + np.square(rest / np.float32(scale))), out=scratch)
    normal = (weighed @ slopes.T).astype(np.float64)
    damping = np.full(8, 1e-4 * np.trace(normal[:6, :6]) / 6 + 1e-6)
    damping[6:] = 1e-6
    return np.asarray(np.linalg.solve(normal + np.diag(damping), (weighed @ rest).astype(np.float64)))


def _starts(a: Plane, b: Plane) -> list[Affine]:
    """Frame on frame, and what plain borders leave of either on the other's frame or on what they leave of that."""
    frame = np.array([-1.0, -1.0]), np.array([1.0, 1.0])
    found = []
    for (low_a, high_a), (low_b, high_b) in product((frame, _content(a)), (frame, _content(b))):
        scale = (high_a - low_a) / (high_b - low_b)
        found.append(np.column_stack([np.diag(scale), low_a - low_b * scale]))
    return found


def _content(plane: Plane) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(least, greatest) of x and y, from -1 to 1, of what lies within plain borders; the frame where hardly anything does."""
    height, width = plane.shape
    sides = [(width, plane.T), (height, plane)]
    cuts = np.array([(canvas.plain_rows(rows), size - canvas.plain_rows(rows[::-1])) for size, rows in sides], np.float64)
    if (cuts[:, 1] - cuts[:, 0] < LEAST).any():
        return np.array([-1.0, -1.0]), np.array([1.0, 1.0])
    low, high = (cuts * 2 / np.array([[width], [height]]) - 1).T
    return low, high


# --- grids ---------------------------------------------------------------------------------------------------------------------------


def _moved(fit: Affine, start: Affine = HERE) -> float:
    """How far the fit takes the farthest corner of b from where the start does, in half sides of a."""
    return float(np.abs((fit - start) @ CORNERS).max())


def _centers(length: int) -> NDArray[np.float32]:
    return ((np.arange(length) + 0.5) * 2 / length - 1).astype(np.float32)


def _in_pixels(fit: Affine, a: NDArray[Any], b: NDArray[Any]) -> Affine:
    """(2, 3): pixels of b → pixels of a."""
    (height_a, width_a), (height_b, width_b) = a.shape[:2], b.shape[:2]
    from_b = np.array([(2 / width_b, 0, 1 / width_b - 1), (0, 2 / height_b, 1 / height_b - 1), (0, 0, 1)])
    matrix = np.array([[width_a / 2], [height_a / 2]]) * (fit @ from_b)
    matrix[:, 2] += (width_a / 2 - 0.5, height_a / 2 - 0.5)
    return np.asarray(matrix)


def _warped(a: NDArray[Any], matrix: Affine, b: NDArray[Any], how: int = cv2.INTER_LINEAR) -> NDArray[Any]:
    """A on b's grid."""
    return np.asarray(cv2.warpAffine(a, matrix, b.shape[1::-1], flags=how | cv2.WARP_INVERSE_MAP, borderMode=cv2.BORDER_REPLICATE))


def _shown(matrix: Affine, a: NDArray[Any], b: NDArray[Any]) -> Mask:
    """Where b's grid lies in a's frame."""
    frame = np.ones(a.shape[:2], np.uint8)
    return np.asarray(cv2.warpAffine(frame, matrix, b.shape[1::-1], flags=cv2.INTER_NEAREST | cv2.WARP_INVERSE_MAP), np.uint8)


def _inner(shown: Mask) -> Mask:
    """Less BORDER along the rim."""
    square = np.ones((2 * BORDER + 1, 2 * BORDER + 1), np.uint8)
    return np.asarray(cv2.erode(shown, square, borderType=cv2.BORDER_CONSTANT, borderValue=0), np.uint8)


def _planes(a: Pixels, b: Pixels, side: int) -> tuple[Plane, Plane]:
    """Luma of both, the long side at most `side`."""
    one, other = (np.asarray(cv2.cvtColor(_shrunk(p, side), cv2.COLOR_RGB2GRAY), np.float32) for p in (a, b))
    return one, other


def _shrunk(a: NDArray[Any], side: int) -> NDArray[Any]:
    """With the long side at most `side`, by area."""
    scale = side / max(a.shape[:2])
    if scale >= 1:
        return a
    size = (max(1, round(a.shape[1] * scale)), max(1, round(a.shape[0] * scale)))
    return np.asarray(cv2.resize(a, size, interpolation=cv2.INTER_AREA))
