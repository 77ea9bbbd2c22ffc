"""What a candidate pair of pictures is: a copy, a part, a mirror image, other colors, another expression, or nothing at all.

Both are brought to one small size and compared as they lie, then aligned and compared again. The alignment is an affine map and a gain
of light, fitted by Gauss-Newton from coarse to fine. A re-encoding errs a little everywhere, a redrawn mouth errs a lot in one spot:
so the largest local mean of the difference in lightness decides, and a mean over the picture, in which a mouth is lost, doesn't.
"""

from typing import Any, Literal, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from anidata import canvas

VERSION = 1  # raised when the same two thumbnails would get another relation
SIDE = 192  # px of the long side of what is compared: at 64 px an expression can't be told from JPEG noise
LIKENESS = 0.6  # correlation of outlines: copies .76 and more, other expressions .8, poses from .47
SPOT = 11.0  # L* of 100: copies reach 10 (12 where dense lines were brightened), other expressions begin at 12
QUIET = 6.0, 16.0  # L*, and times the noise: a lone spot in a clean difference was drawn, however thin its line
RANGE = 60.0  # L* from a picture's darkest to its lightest, below which a spot counts for more: night scenes are drawn in few levels
TINT = 7.0  # a*b* units: copies reach 6, turned hues begin at 8, gray at 13
COLORED = 12.0, 20  # chroma that counts as color, and px of it that there must be to speak of a tint
REFRAMED = 0.015  # of a side: corners that moved by more tell a crop from the rounding of sizes
BORDER = 4  # px along the rim of what a crop shows, where inside and outside blend
LEVELS = ((48, 8), (96, 4), (SIDE, 3))  # px of the long side, and most steps of the fit at that size
OUTLINE = 32  # px of the long side at which outlines are compared
LEAST = 8  # px: shorter sides hold no gradients to align by
FLAT = 12  # grey levels within which a row is plain border, ringing included
GAIN = 2.0  # times the light, either way, that is still the same picture
ASTRAY = 0.6  # of half a side: a corner further off its place means that the fit has lost its hold

Pixels = NDArray[np.uint8]  # (h, w, 3) sRGB
Plane = NDArray[np.float32]  # (h, w)
Lab = NDArray[np.float32]  # (h, w, 3): L* 0 to 100, a*, b*
Mask = NDArray[np.bool_]  # (h, w)
Affine = NDArray[np.float64]  # (2, 3): places in b → places in a, both from -1 to 1 across the frame
Relation = Literal["reencoded", "crop", "flip", "recolor", "variant", "unrelated"]

HERE = np.eye(2, 3)  # frame on frame
CORNERS = np.array([(-1, -1, 1), (-1, 1, 1), (1, -1, 1), (1, 1, 1)]).T


class Difference(NamedTuple):
    """What is left between two pictures on one grid."""

    spot: float  # L*: the largest mean of 3 × 3 px
    noise: float  # L*a*b* units: root mean square of such means
    tint: float  # a*b* units: median over what is colored
    spread: float  # L* from the darkest hundredth to the lightest
    likeness: float  # correlation of outlines, at most 1

    @property
    def is_drawn_alike(self) -> bool:
        limit = SPOT * min(1.0, self.spread / RANGE)
        return self.spot <= limit and self.spot <= max(QUIET[0], QUIET[1] * self.noise)


def thumbnail(rgb: Pixels) -> Pixels:
    """What is compared of a picture, uint8 (h, w, 3): the long side at most SIDE, by area."""
    height, width = rgb.shape[:2]
    scale = min(1.0, SIDE / max(height, width))
    return canvas.resize(rgb, max(1, round(width * scale)), max(1, round(height * scale)), "area")


def relation(a: Pixels, b: Pixels, flipped: bool = False) -> Relation:
    """What two pictures are to each other, from their thumbnails; flipped: a and the mirrored b, `flip` where one is a copy or a part.

    reencoded: size, format, quality, brightness. crop: one shows a part of the other; letterboxes and slight rotations too.
    recolor: the same drawing in other colors. variant: something drawn differs. unrelated: no more alike than any two drawings.
    """
    a, b = matched(a, np.ascontiguousarray(b[:, ::-1]) if flipped else b)
    here = difference(a, b, HERE)
    if _is_copy(here):
        return "flip" if flipped else "reencoded"
    fit = aligned(a, b)
    there = difference(a, b, fit)
    if _is_copy(there):
        return "flip" if flipped else "crop" if _moved(fit) > 2 * REFRAMED else "reencoded"
    best = max(here, there, key=lambda d: d.likeness)
    if best.likeness < LIKENESS:
        return "unrelated"
    return "recolor" if best.tint > TINT else "variant"


def matched(a: Pixels, b: Pixels) -> tuple[Pixels, Pixels]:
    """Both with the long side of the smaller."""
    side = min(max(a.shape[:2]), max(b.shape[:2]))
    return _shrunk(a, side), _shrunk(b, side)


def _is_copy(left: Difference) -> bool:
    return left.is_drawn_alike and left.tint <= TINT and left.likeness >= LIKENESS


# --- difference ----------------------------------------------------------------------------------------------------------------------


def difference(a: Pixels, b: Pixels, fit: Affine) -> Difference:
    """Of a, laid on b's grid, and b; with the light of one fitted to the other's where the difference asks for it."""
    likeness = _likeness(a, b, fit)
    matrix = _in_pixels(fit, a, b)
    shown = _shown(matrix, a, b, BORDER if _moved(fit) > 2 / max(b.shape) else 0)
    if not shown.any():
        return Difference(np.inf, 0.0, 0.0, 0.0, likeness)
    a = _warped(a, matrix, b, cv2.INTER_CUBIC)
    plain = _left(a, b, shown, likeness)
    if plain.is_drawn_alike:
        return plain
    return min(plain, _left(_lit_as(a, b, shown), b, shown, likeness), _left(a, _lit_as(b, a, shown), shown, likeness))


def _left(a: Pixels, b: Pixels, shown: Mask, likeness: float) -> Difference:
    one, other = _lab(a), _lab(b)
    means = cv2.blur(one - other, (3, 3))[shown]
    both = np.concatenate([one[shown], other[shown]])
    chroma = np.hypot(both[:, 1], both[:, 2]).reshape(2, -1).max(axis=0)
    tint = np.hypot(means[:, 1], means[:, 2])[chroma > COLORED[0]]
    dark, light = np.percentile(both[::4, 0], (1, 99))
    return Difference(
        float(np.abs(means[:, 0]).max()),
        float(np.sqrt(np.square(means).sum(axis=1).mean())),
        float(np.median(tint)) if tint.size >= COLORED[1] else 0.0,
        float(light - dark),
        likeness,
    )


def _lit_as(a: Pixels, b: Pixels, shown: Mask) -> Pixels:
    """A with the gain and offset that bring it nearest to the second, clipped as light is; unchanged where that takes more than GAIN."""
    x, y = (p[::2, ::2][shown[::2, ::2]].astype(np.float32).ravel() for p in (a, b))
    gain, offset = 1.0, 0.0
    between = (np.minimum(x, y) > 16) & (np.maximum(x, y) < 239)  # what wasn't clipped tells the gain at once
    for round_ in range(5):
        rest = y - np.clip(gain * x + offset, 0, 255)
        free = between if round_ == 0 and np.count_nonzero(between) > 50 else np.abs(gain * x + offset - 127.5) < 131
        weight = free / (1 + np.square(rest / max(3.0, 2 * float(np.abs(rest).mean()))))
        total = float(weight.sum())
        if total < 50:
            return a
        mean_x, mean_rest = float(weight @ x) / total, float(weight @ rest) / total
        slope = float(weight @ ((x - mean_x) * (rest - mean_rest))) / (float(weight @ np.square(x - mean_x)) + 4 * total)
        gain, offset = gain + slope, offset + mean_rest - slope * mean_x
    if not 1 / GAIN < gain < GAIN:
        return a
    return np.asarray(cv2.LUT(a, np.clip(np.rint(gain * np.arange(256) + offset), 0, 255).astype(np.uint8)), np.uint8)


def _lab(rgb: Pixels) -> Lab:
    return np.asarray(cv2.cvtColor(rgb.astype(np.float32) / np.float32(255), cv2.COLOR_RGB2Lab), np.float32)


def _likeness(a: Pixels, b: Pixels, fit: Affine) -> float:
    """Correlation of the first differences of luma. Luma itself agrees between any two figures on white."""
    x, y = (_luma(_shrunk(p, OUTLINE)) for p in (a, b))
    matrix = _in_pixels(fit, x, y)
    x, shown = _warped(x, matrix, y), _shown(matrix, x, y, 0)
    across, down = shown[:, 1:] & shown[:, :-1], shown[1:] & shown[:-1]
    one, other = (np.concatenate([np.diff(p, axis=1)[across], np.diff(p, axis=0)[down]]) for p in (x, y))
    size = float(np.linalg.norm(one) * np.linalg.norm(other))
    return float(one @ other) / size if size > 1e-3 else float(not one.any() and not other.any())


# --- alignment -----------------------------------------------------------------------------------------------------------------------


def aligned(a: Pixels, b: Pixels) -> Affine:
    """The fit that lays a on b: from frame on frame, or from content on content where borders differ, whichever ends more alike."""
    x, y = _luma(a), _luma(b)
    content = _content_on_content(x, y)
    starts = [HERE, content] if REFRAMED / 2 < _moved(content) < 1 else [HERE]
    fit = max((_refined(x, y, start, *LEVELS[0]) for start in starts), key=lambda found: _likeness(a, b, found))
    for side, steps in LEVELS[1:]:
        fit = _refined(x, y, fit, side, steps)
    return fit


def _refined(a: Plane, b: Plane, start: Affine, side: int, steps: int) -> Affine:
    """The fit after some steps of Gauss-Newton on planes of that side, weighed against what differs; the start where it goes astray.

    Source: Lucas, Kanade 1981, with gain and offset; weights of Geman, McClure 1985
    """
    a, b = _shrunk(a, side), _shrunk(b, side)
    if min(*a.shape, *b.shape) < LEAST:
        return start
    (height, width), fit, light = b.shape, start, np.array([1.0, 0.0])
    x, y = _centers(width), _centers(height)[:, None]
    slopes = np.empty((8, height, width), np.float32)  # of a's light, by each of the six numbers of the fit, gain and offset
    for _ in range(steps):
        matrix = _in_pixels(fit, a, b)
        laid = _warped(a, matrix, b)
        for row, (dx, dy, half) in enumerate(((1, 0, width / 2), (0, 1, height / 2))):
            slope = cv2.Sobel(laid, cv2.CV_32F, dx, dy, scale=half * float(light[0]) / 8)
            slopes[3 * row], slopes[3 * row + 1], slopes[3 * row + 2] = slope * x, slope * y, slope
        slopes[6], slopes[7] = laid, 1
        rest = b - np.float32(light[0]) * laid - np.float32(light[1])
        step = _step(slopes.reshape(8, -1), np.ascontiguousarray(rest, np.float32).ravel(), _shown(matrix, a, b, 0).ravel())
        fit, light = fit + step[:6].reshape(2, 3), light + step[6:]
        if _moved(fit, start) > ASTRAY or not 0.2 < light[0] < 5:
            return start
        if np.abs(step[:6]).max() < 0.1 / max(height, width):  # a twentieth of a pixel
            break
    return fit


def _step(slopes: NDArray[np.float32], rest: NDArray[np.float32], shown: Mask) -> NDArray[np.float64]:
    """(8,): what takes the rest away, by weighted least squares, slightly damped."""
    scale = max(4.0, 2.5 * float(np.abs(rest).mean()))  # grey levels: what is off by more is another drawing there
    weighed = slopes * (shown / (1 + np.square(rest / np.float32(scale))))
    normal = (weighed @ slopes.T).astype(np.float64)
    damping = np.full(8, 1e-4 * np.trace(normal[:6, :6]) / 6 + 1e-6)
    damping[6:] = 1e-6
    return np.asarray(np.linalg.solve(normal + np.diag(damping), (weighed @ rest).astype(np.float64)))


def _content_on_content(a: Plane, b: Plane) -> Affine:
    """Frame on frame once plain borders are cut off."""
    boxes = [_content(p) for p in (a, b)]
    (scale_a, shift_a), (scale_b, shift_b) = (((high - low) / 2, (high + low) / 2) for low, high in boxes)
    return np.column_stack([np.diag(scale_a / scale_b), shift_a - shift_b * scale_a / scale_b])


def _content(plane: Plane) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(least, greatest) of x and y, from -1 to 1, of what lies within plain borders; the frame where hardly anything does."""
    height, width = plane.shape
    sides = [(width, plane.T), (height, plane)]
    cuts = np.array([(_plain(rows), size - _plain(rows[::-1])) for size, rows in sides], np.float64)
    if (cuts[:, 1] - cuts[:, 0] < LEAST).any():
        return np.array([-1.0, -1.0]), np.array([1.0, 1.0])
    low, high = (cuts * 2 / np.array([[width], [height]]) - 1).T
    return low, high


def _plain(rows: Plane) -> int:
    """How many rows, from the first, stay within FLAT of the first one's middle level."""
    inside = np.abs(rows - np.median(rows[0])).max(axis=1) <= FLAT
    return len(inside) if inside.all() else int(inside.argmin())


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


def _shown(matrix: Affine, a: NDArray[Any], b: NDArray[Any], border: int) -> Mask:
    """Where b's grid lies in a's frame, less a border along the rim."""
    x, y = np.arange(b.shape[1]), np.arange(b.shape[0])[:, None]
    shown = np.ones(b.shape[:2], np.uint8)
    for (by_x, by_y, shift), length in zip(matrix, a.shape[1::-1], strict=True):
        place = by_x * x + by_y * y + shift
        shown &= (place >= -0.5 - 1e-6) & (place <= length - 0.5 + 1e-6)
    if border:
        shape = np.ones((2 * border + 1, 2 * border + 1), np.uint8)
        shown = np.asarray(cv2.erode(shown, shape, borderType=cv2.BORDER_CONSTANT, borderValue=0), np.uint8)
    return shown.astype(np.bool_)


def _luma(rgb: Pixels) -> Plane:
    return np.asarray(cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY), np.float32)


def _shrunk(a: NDArray[Any], side: int) -> NDArray[Any]:
    """With the long side at most `side`, by area."""
    scale = side / max(a.shape[:2])
    if scale >= 1:
        return a
    size = (max(1, round(a.shape[1] * scale)), max(1, round(a.shape[0] * scale)))
    return np.asarray(cv2.resize(a, size, interpolation=cv2.INTER_AREA))
