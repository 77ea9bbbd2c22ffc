"""Laying one small picture on another: an affine map and a gain of light, fitted from coarse to fine.

A View keeps what each comparison asks of a picture again. Two of them are matched: brought to one size of the
long side.
"""

import math
from functools import cached_property
from itertools import product
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from anidata.duplicates.ways import STRAIGHT, Way
from anidata.imaging import fit as fitting

SIDE = 192  # px of the long side of what is compared: at 64 px an expression can't be told from JPEG noise
# Correlation of outlines, aligned: copies .78 and more, other expressions .93;
# the likest of 700 unrelated pairs .45.
LIKENESS = 0.6
HOPELESS = 0.45  # likeness after the coarsest fit, from which finer ones don't reach LIKENESS
STILL = 0.0015  # half sides, 0.15 px: a fit that moves the corners by less is none
LEVELS = ((48, 8), (96, 4), (SIDE, 2))  # px of the long side, and most steps of the fit at that size
OUTLINE = 32  # px of the long side at which outlines are compared
LEAST = 8  # px: shorter sides hold no gradients to align by
FLAT = 1e-6  # of a picture's area that a fit leaves: no way leads back
ASTRAY = 0.6  # of half a side: a corner further off its place means that the fit has lost its hold
LIGHTNESS = 100 / 255  # L* a level, as OpenCV packs it

Pixels = NDArray[np.uint8]  # (h, w, 3) sRGB
Plane = NDArray[np.float32]  # (h, w), grey levels
Lab = NDArray[np.uint8]  # (h, w, 3), as OpenCV packs it: L* in 255 levels, a* and b* about 128
Mask = NDArray[np.uint8]  # (h, w): 1 where it counts
Span = tuple[NDArray[np.float64], NDArray[np.float64]]  # (least, greatest) of x and y
Affine = NDArray[np.float64]  # (2, 3): places in b → places in a, both from -1 to 1 across the frame

HERE = np.eye(2, 3)  # frame on frame
CORNERS = np.array([(-1, -1, 1), (-1, 1, 1), (1, -1, 1), (1, 1, 1)]).T


class View:
    """A thumbnail, and what each comparison asks of it again: reductions, luma, L*a*b*, other ways round."""

    def __init__(self, rgb: Pixels) -> None:
        self.rgb = rgb
        self._reduced: dict[int, View] = {}
        self._seen: dict[Way, View] = {}

    def shrunk(self, side: int) -> "View":
        """The picture with its long side at most `side`, by area."""
        if side >= max(self.rgb.shape[:2]):
            return self
        if side not in self._reduced:
            self._reduced[side] = View(_shrunk(self.rgb, side))
        return self._reduced[side]

    def seen(self, way: Way) -> "View":
        if way == STRAIGHT:
            return self
        if way not in self._seen:
            self._seen[way] = View(way.of(self.rgb))
        return self._seen[way]

    @cached_property
    def lab(self) -> Lab:
        return lab_of(self.rgb)

    @cached_property
    def lights(self) -> NDArray[np.float64]:
        """(2,): L* of the darkest and the lightest hundredth."""
        return np.percentile(self.lab[::3, ::3, 0], (1, 99)) * LIGHTNESS

    @cached_property
    def content(self) -> Span:
        return _content(self.luma)

    @cached_property
    def luma(self) -> Plane:
        return np.asarray(cv2.cvtColor(self.rgb, cv2.COLOR_RGB2GRAY), np.float32)

    @cached_property
    def outline(self) -> Plane:
        """(n,): first differences of luma, across and down."""
        return _outline(self.luma)


def thumbnail(rgb: Pixels) -> Pixels:
    """The picture as it is compared, uint8 (h, w, 3): the long side at most SIDE, by area."""
    height, width = rgb.shape[:2]
    scale = min(1.0, SIDE / max(height, width))
    return fitting.resize(rgb, max(1, round(width * scale)), max(1, round(height * scale)), "area")


def matched(a: View, b: View) -> tuple[View, View]:
    """Both with the long side of the smaller."""
    side = min(max(a.rgb.shape[:2]), max(b.rgb.shape[:2]))
    return a.shrunk(side), b.shrunk(side)


def laid(a: View, b: View, fit: Affine) -> tuple[Pixels, Mask]:
    """Two matched pictures: a on b's grid, and where on it a shows anything."""
    matrix = in_pixels(fit, a.rgb, b.rgb)
    return warped(a.rgb, matrix, b.rgb, cv2.INTER_CUBIC), covered(matrix, a.rgb, b.rgb)


def likeness(a: View, b: View, fit: Affine, side: int = OUTLINE) -> float:
    """Correlation of the first differences of two outlines at that size.

    Luma itself agrees between any two figures on white.
    """
    a, b = a.shrunk(side), b.shrunk(side)
    one, other = (a.outline, b.outline) if is_here(fit, a, b) else _outlines_where_both(a, b, fit)
    size = float(np.linalg.norm(one) * np.linalg.norm(other))
    return float(one @ other) / size if size > 1e-3 else float(not one.any() and not other.any())


def _outlines_where_both(a: View, b: View, fit: Affine) -> tuple[Plane, Plane]:
    """(n,) each: the outlines of a, laid on b, and of b, where both show something."""
    matrix = in_pixels(fit, a.rgb, b.rgb)
    over, shown = warped(a.luma, matrix, b.luma), covered(matrix, a.luma, b.luma) > 0
    both = np.concatenate([(shown[:, 1:] & shown[:, :-1]).ravel(), (shown[1:] & shown[:-1]).ravel()])
    return _outline(over)[both], b.outline[both]


def _outline(luma: Plane) -> Plane:
    """(n,): first differences, across and down."""
    return np.concatenate([np.diff(luma, axis=1).ravel(), np.diff(luma, axis=0).ravel()])


def aligned(a: View, b: View) -> Affine:
    """The fit that lays a on b, from frame on frame, or content on content where borders differ.

    Whichever ends more alike.
    """
    return refined(a, b, coarse_fit(a, b))


def refined(a: View, b: View, fit: Affine) -> Affine:
    """The finest fit from a coarse one; that one where it has no hold."""
    if likeness(a, b, fit) < HOPELESS:
        return fit
    for side, steps in LEVELS[1:]:
        fit = _descended(a.shrunk(side).luma, b.shrunk(side).luma, fit, steps)
        if moved(fit) < STILL:
            return HERE
    return fit


def coarse_fit(a: View, b: View) -> Affine:
    """The most alike of the starts and of the fits at the coarsest level."""
    (coarse, steps), (fine, _) = LEVELS[:2]
    start: Affine = max(_starts(a.shrunk(fine), b.shrunk(fine)), key=lambda fit: likeness(a, b, fit))
    starts = [HERE] if np.array_equal(start, HERE) else [HERE, start]
    refined = [_descended(a.shrunk(coarse).luma, b.shrunk(coarse).luma, start, steps) for start in starts]
    return max([*starts, *refined], key=lambda fit: likeness(a, b, fit))


def _descended(a: Plane, b: Plane, start: Affine, steps: int) -> Affine:
    """The fit after some steps of Gauss-Newton; the start where it goes astray.

    What is drawn otherwise weighs little.

    Source: Lucas, Kanade 1981, with gain and offset of light; weights of Geman, McClure 1985
    """
    if min(*a.shape, *b.shape) < LEAST:
        return start
    (height, width), fit, light = b.shape, start, np.array([1.0, 0.0])
    slopes = np.ones((8, height, width), np.float32)
    scratch = np.empty((8, height * width), np.float32)
    for _ in range(steps):
        matrix = in_pixels(fit, a, b)
        laid = warped(a, matrix, b)
        gain, offset = light
        _fill_slopes(slopes, laid, float(gain))
        residual = np.asarray(b - np.float32(gain) * laid - np.float32(offset), np.float32)
        step = _step(slopes.reshape(8, -1), residual.ravel(), covered(matrix, a, b).ravel(), scratch)
        fit, light = fit + step[:6].reshape(2, 3), light + step[6:]
        if moved(fit, start) > ASTRAY or not 0.2 < light[0] < 5:
            return start
        if np.abs(step[:6]).max() < 0.2 / max(height, width):  # a tenth of a pixel
            break
    return fit


def _fill_slopes(slopes: NDArray[np.float32], laid: Plane, gain: float) -> None:
    """Write the slopes, (8, h, w), of light by the fit's six numbers and by gain; by offset they are 1."""
    height, width = laid.shape
    x, y = _centers(width), _centers(height)[:, None]
    for row, (dx, dy, half) in enumerate(((1, 0, width / 2), (0, 1, height / 2))):
        slope = cv2.Sobel(laid, cv2.CV_32F, dx, dy, scale=half * gain / 8)
        np.multiply(slope, x, out=slopes[3 * row])
        np.multiply(slope, y, out=slopes[3 * row + 1])
        slopes[3 * row + 2] = slope
    slopes[6] = laid


def _step(slopes: Plane, residual: Plane, shown: Mask, scratch: Plane) -> NDArray[np.float64]:
    """(8,): what takes the residual away, by weighted least squares, slightly damped."""
    # Grey levels: what is off by more may be drawn otherwise.
    scale = max(4.0, 2 * float(np.linalg.norm(residual)) / math.sqrt(residual.size))
    weighed = np.multiply(slopes, shown / (1 + np.square(residual / np.float32(scale))), out=scratch)
    normal = (weighed @ slopes.T).astype(np.float64)
    damping = np.full(8, 1e-4 * np.trace(normal[:6, :6]) / 6 + 1e-6)
    damping[6:] = 1e-6
    return np.asarray(np.linalg.solve(normal + np.diag(damping), (weighed @ residual).astype(np.float64)))


def _starts(a: View, b: View) -> list[Affine]:
    """Frame or content of a on frame or content of b, where content is what lies within plain borders."""
    frame = np.array([-1.0, -1.0]), np.array([1.0, 1.0])
    fits = []
    for (low_a, high_a), (low_b, high_b) in product((frame, a.content), (frame, b.content)):
        scale = (high_a - low_a) / (high_b - low_b)
        fits.append(np.column_stack([np.diag(scale), low_a - low_b * scale]))
    return fits


def _content(plane: Plane) -> Span:
    """From -1 to 1, of what lies within plain borders; the frame where hardly anything does."""
    height, width = plane.shape
    sides = [(width, plane.T), (height, plane)]
    cuts = np.array(
        [(fitting.plain_rows(rows), size - fitting.plain_rows(rows[::-1])) for size, rows in sides],
        np.float64,
    )
    if (cuts[:, 1] - cuts[:, 0] < LEAST).any():
        return np.array([-1.0, -1.0]), np.array([1.0, 1.0])
    low, high = (cuts * 2 / np.array([[width], [height]]) - 1).T
    return low, high


# --- grids --------------------------------------------------------------------------------------------------


def moved(fit: Affine, start: Affine = HERE) -> float:
    """The farthest that the fit takes a corner of b from where the start does, in half sides of a."""
    return float(np.abs((fit - start) @ CORNERS).max())


def inverse(fit: Affine) -> Affine:
    """Places in a → places in b; frame on frame where all has shrunk to a line."""
    if abs(np.linalg.det(fit[:, :2])) < FLAT:
        return HERE
    return np.asarray(np.linalg.inv(np.vstack([fit, (0, 0, 1)]))[:2])


def is_here(fit: Affine, a: View, b: View) -> bool:
    """Whether each pixel of a lies on one of b."""
    return a.rgb.shape == b.rgb.shape and np.array_equal(fit, HERE)


def _centers(length: int) -> NDArray[np.float32]:
    return ((np.arange(length) + 0.5) * 2 / length - 1).astype(np.float32)


def in_pixels(fit: Affine, a: NDArray[Any], b: NDArray[Any]) -> Affine:
    """(2, 3): pixels of b → pixels of a."""
    (height_a, width_a), (height_b, width_b) = a.shape[:2], b.shape[:2]
    from_b = np.array([(2 / width_b, 0, 1 / width_b - 1), (0, 2 / height_b, 1 / height_b - 1), (0, 0, 1)])
    matrix = np.array([[width_a / 2], [height_a / 2]]) * (fit @ from_b)
    matrix[:, 2] += (width_a / 2 - 0.5, height_a / 2 - 0.5)
    return np.asarray(matrix)


def warped(a: NDArray[Any], matrix: Affine, b: NDArray[Any], how: int = cv2.INTER_LINEAR) -> NDArray[Any]:
    """A on b's grid."""
    return np.asarray(
        cv2.warpAffine(
            a, matrix, b.shape[1::-1], flags=how | cv2.WARP_INVERSE_MAP, borderMode=cv2.BORDER_REPLICATE
        )
    )


def covered(matrix: Affine, a: NDArray[Any], b: NDArray[Any]) -> Mask:
    """Where b's grid lies in a's frame."""
    (height, width), (bottom, right) = a.shape[:2], (n - 1 for n in b.shape[:2])
    x, y = matrix @ np.array([(0, 0, 1), (right, 0, 1), (0, bottom, 1), (right, bottom, 1)]).T
    if min(x.min(), y.min()) > 0 and x.max() < width - 1 and y.max() < height - 1:  # all of it
        return np.ones(b.shape[:2], np.uint8)
    frame = np.ones(a.shape[:2], np.uint8)
    return np.asarray(
        cv2.warpAffine(frame, matrix, b.shape[1::-1], flags=cv2.INTER_NEAREST | cv2.WARP_INVERSE_MAP),
        np.uint8,
    )


def _shrunk(a: NDArray[Any], side: int) -> NDArray[Any]:
    """The picture with its long side at most `side`, by area."""
    scale = side / max(a.shape[:2])
    if scale >= 1:
        return a
    size = (max(1, round(a.shape[1] * scale)), max(1, round(a.shape[0] * scale)))
    return np.asarray(cv2.resize(a, size, interpolation=cv2.INTER_AREA))


def lab_of(rgb: Pixels) -> Lab:
    return np.asarray(cv2.cvtColor(rgb, cv2.COLOR_RGB2LAB), np.uint8)
