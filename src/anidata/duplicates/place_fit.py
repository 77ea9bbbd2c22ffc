"""Laying the part that two pictures share exactly on itself, where a hint says roughly how it lies.

The overlap is cut out of both on one grid, the finer reduced to the coarser; the shift comes from correlation
of gradients, the rest from descent. No turns: a hint has a scale and a shift, and a fit has a scale for each
axis, since the sides of files are rounded.
"""

import math
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from anidata.duplicates import alignment
from anidata.duplicates.alignment import Affine, Plane

Box = NDArray[np.float64]  # (2, 2): least and greatest (x, y) in a frame, from -1 to 1
Flow = NDArray[np.float32]  # (2, h, w): grey levels a px, across and down
FRAME = np.array([(-1.0, -1.0), (1.0, 1.0)])
LEAST = 12  # px: shorter sides show nothing
REACH = 0.1  # of the overlap's long side, by which a hint may be off
EVEN = 12.0  # grey levels a px, from which stronger gradients count hardly more
SOFT = 4.0  # grey levels: what differs by less is noise
SMOOTH = 0.8  # px: below that compression draws its own edges
ASTRAY = 0.15  # of half a side: a corner that moves further has lost its hold


class Cut(NamedTuple):
    """The overlap of two pictures on one grid, (h, w) each, and where in each frame it was cut out."""

    a: Plane
    b: Plane
    box_a: Box
    box_b: Box

    def local(self, fit: Affine) -> Affine:
        """A fit of the pictures as one of what was cut out of them."""
        return _after(alignment.inverse(_into(self.box_a)), _after(fit, _into(self.box_b)))

    def whole(self, fit: Affine) -> Affine:
        """A fit of what was cut out as one of the pictures."""
        return _after(_into(self.box_a), _after(fit, alignment.inverse(_into(self.box_b))))


def from_hint(hint: np.void, a: tuple[int, ...], b: tuple[int, ...]) -> Affine | None:
    """A hint, between long sides of pictures of these shapes (h, w, …), as a fit: b → a; None of no size."""
    scale, shift = float(hint["scale"]), np.array([float(hint["dx"]), float(hint["dy"])])
    if not 0 < scale < math.inf or not np.isfinite(shift).all():
        return None
    sides_a, sides_b = (np.array(shape[1::-1]) / max(shape[:2]) for shape in (a, b))
    slope = sides_b / (scale * sides_a)
    return np.column_stack([np.diag(slope), slope - 1 - 2 * shift / (scale * sides_a)])


def boxes(fit: Affine) -> tuple[Box, Box]:
    """Where in a and in b both show something; least beyond greatest where nowhere."""
    slope, shift = np.diag(fit), fit[:, 2]
    in_b = np.array([np.maximum(-1, (-1 - shift) / slope), np.minimum(1, (1 - shift) / slope)])
    return in_b * slope + shift, in_b


def share(box: Box) -> float:
    """Of the frame's area."""
    return float(np.prod(np.clip(box[1] - box[0], 0, 2)) / 4)


def short_side(fit: Affine, a: tuple[int, ...], b: tuple[int, ...]) -> float:
    """Px of the overlap's short side, in pictures of these shapes, where they are fewer."""
    spans = (np.ptp(box, axis=0) / 2 * shape[1::-1] for box, shape in zip(boxes(fit), (a, b), strict=True))
    return float(np.min([*spans]))


def cut(a: NDArray[np.generic], b: NDArray[np.generic], fit: Affine, most: tuple[int, int]) -> Cut | None:
    """The overlap, on a grid that is no finer than either; None where it is too small.

    a, b: (h, w) luma or (h, w, 3) RGB. most: px of the short and of the long side.
    """
    parts = [_part(picture, box) for picture, box in zip((a, b), boxes(fit), strict=True)]
    if any(min(part.shape[:2]) < LEAST for part, _ in parts):
        return None
    high, wide = (min(sides) for sides in zip(*(part.shape[:2] for part, _ in parts), strict=True))
    scale = min(1.0, most[0] / min(high, wide), most[1] / max(high, wide))
    size = (max(LEAST, round(wide * scale)), max(LEAST, round(high * scale)))
    (part_a, box_a), (part_b, box_b) = parts
    return Cut(_reduced(part_a, size), _reduced(part_b, size), box_a, box_b)


def halved(cut: Cut) -> Cut:
    """The same at half the size, at least LEAST px a side."""
    size = tuple(max(LEAST, n // 2) for n in cut.b.shape[::-1])
    return cut._replace(a=_reduced(cut.a, size), b=_reduced(cut.b, size))


def _part(picture: NDArray[np.generic], box: Box) -> tuple[NDArray[np.generic], Box]:
    """The whole px of a box, and the box that they are."""
    size = np.array(picture.shape[1::-1])
    low, high = np.clip(np.rint((box + 1) / 2 * size), 0, size).astype(int)
    high = np.maximum(low, high)
    return picture[low[1] : high[1], low[0] : high[0]], np.array([low, high]) * 2 / size - 1


def _reduced(part: NDArray[np.generic], size: tuple[int, int]) -> Plane:
    gray = cv2.cvtColor(part, cv2.COLOR_RGB2GRAY) if part.ndim == 3 else part
    if gray.shape[1::-1] != size:
        gray = cv2.resize(gray, size, interpolation=cv2.INTER_AREA)
    return np.asarray(gray, np.float32)


# --- fit ----------------------------------------------------------------------------------------------------


def flow(luma: Plane) -> Flow:
    """Gradients, slightly smoothed."""
    smooth = cv2.GaussianBlur(luma, (0, 0), SMOOTH)
    return np.array([cv2.Sobel(smooth, cv2.CV_32F, *way, scale=1 / 8) for way in ((1, 0), (0, 1))])


def shifted(a: Flow, b: Flow) -> tuple[int, int]:
    """(x, y), px: where in a the origin of b lies, by correlation of gradients within REACH.

    Gradients count for their direction more than for their size: a balloon's outline is as strong as any.
    """
    reach = max(2, math.ceil(REACH * max(a.shape[1:])))
    size = tuple(cv2.getOptimalDFTSize(n + reach) for n in a.shape[1:])
    spectra = [np.fft.fft2(_evened(one), size) for one in (a, b)]
    product = np.fft.ifft2(spectra[0] * np.conj(spectra[1])).real
    near = np.arange(-reach, reach + 1)
    best = int(np.argmax(product[np.ix_(near, near)]))
    return int(near[best % len(near)]), int(near[best // len(near)])


def repeated(own: Flow) -> tuple[int, int]:
    """(x, y), px: the shift, beyond REACH of the short side, by which a picture is most like itself."""
    height, width = own.shape[1:]
    near = max(2, math.ceil(REACH * min(height, width)))
    size = tuple(cv2.getOptimalDFTSize(n + n // 2) for n in (height, width))
    product = np.fft.ifft2(np.square(np.abs(np.fft.fft2(_evened(own), size)))).real
    down, across = np.arange(height // 2), np.arange(-(width // 2), width // 2)
    half = product[np.ix_(down, across)]
    half[:near, np.abs(across) < near] = -np.inf
    best = int(np.argmax(half))
    return int(across[best % len(across)]), int(down[best // len(across)])


def _evened(one: Flow) -> NDArray[np.complex64]:
    field = one[0] + 1j * one[1]
    return np.asarray(field / (EVEN + np.abs(field)), np.complex64)


def moved_by(shift: tuple[int, int], shape: tuple[int, ...]) -> Affine:
    """A shift in px, on a grid of that shape (h, w), as a fit."""
    return np.array([(1, 0, 2 * shift[0] / shape[1]), (0, 1, 2 * shift[1] / shape[0])], np.float64)


def descended(a: Plane, b: Plane, start: Affine, steps: int, weight: Plane) -> Affine:
    """The fit after some steps of Gauss-Newton, of scales and shifts alone; the start where it goes astray.

    What is drawn otherwise weighs little. weight: (h, w) of b, by which a pixel counts.

    Source: Lucas, Kanade 1981, with gain and offset of light; weights of Geman, McClure 1985
    """
    (height, width), fit, light = b.shape, start, np.array([1.0, 0.0])
    rows = np.ones((6, height, width), np.float32)
    for _ in range(steps):
        matrix = alignment.in_pixels(fit, a, b)
        laid = alignment.warped(a, matrix, b)
        _fill_rows(rows, laid, float(light[0]))
        left = b - np.float32(light[0]) * laid - np.float32(light[1])
        step = _step(rows.reshape(6, -1), left.ravel(), (weight * alignment.covered(matrix, a, b)).ravel())
        fit = fit + np.array([(step[0], 0, step[1]), (0, step[2], step[3])])
        light = light + step[4:]
        if alignment.moved(fit, start) > ASTRAY or not 0.2 < light[0] < 5:
            return start
        if np.abs(step[:4]).max() < 0.1 / max(height, width):  # a twentieth of a px
            break
    return fit


def _fill_rows(rows: NDArray[np.float32], laid: Plane, gain: float) -> None:
    """Write the slopes of light by x's scale and shift, by y's, and by gain; by offset they are 1."""
    height, width = laid.shape
    x, y = ((np.arange(n, dtype=np.float32) + 0.5) * 2 / n - 1 for n in (width, height))
    for row, (way, half, at) in enumerate((((1, 0), width / 2, x), ((0, 1), height / 2, y[:, None]))):
        slope = cv2.Sobel(laid, cv2.CV_32F, *way, scale=half * gain / 8)
        np.multiply(slope, at, out=rows[2 * row])
        rows[2 * row + 1] = slope
    rows[4] = laid


def _step(rows: Plane, left: Plane, shown: Plane) -> NDArray[np.float64]:
    """(6,): what takes the residual away, by weighted least squares, slightly damped."""
    scale = np.float32(max(SOFT, 2 * float(np.linalg.norm(left)) / math.sqrt(left.size)))
    weighed = rows * (shown / (1 + np.square(left / scale)))
    normal = (weighed @ rows.T).astype(np.float64)
    damping = np.full(6, 1e-4 * np.trace(normal[:4, :4]) / 4 + 1e-6)
    damping[4:] = 1e-6
    return np.asarray(np.linalg.solve(normal + np.diag(damping), (weighed @ left).astype(np.float64)))


# --- maps ---------------------------------------------------------------------------------------------------


def _into(box: Box) -> Affine:
    """A box's own frame → the frame that it lies in."""
    return np.column_stack([np.diag((box[1] - box[0]) / 2), box.mean(axis=0)])


def _after(second: Affine, first: Affine) -> Affine:
    return np.asarray(second @ np.vstack([first, (0, 0, 1)]))
