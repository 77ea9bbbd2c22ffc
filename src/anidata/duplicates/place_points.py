"""Where a picture's places lie: blobs of differences of Gaussians, at any size, the plainest first.

Whole numbers but for a few quotients and roots that every machine rounds alike (IEEE 754): the blurs of
16-bit pictures are OpenCV's fixed-point ones, so one picture has the same places everywhere. SIFT finds the
same blobs in twice the time and more: it enlarges the picture first, and its sums are floats.
Source: Lowe 2004, Distinctive image features from scale-invariant keypoints, sections 3 and 4
"""

from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

LAYERS = 3  # sizes an octave
SIGMA = 1.016  # px: the first blur; the smallest blob is 2^(1/3) of it wide
OCTAVES = 4  # blobs of 1.3 to 16 px
SPREAD = 6  # half side of a place over the blob's sigma
UNIT = 128  # of a grey level: blurs are 16-bit
CONTRAST = UNIT  # what a blob must differ by, at least
EDGE = 10  # curvature along over across beyond which a blob is but a piece of an edge
LEAST = 16  # px: a picture's short side
CLASSES = (0.026, 0.06, 0.12, 0.24, 1.0)  # half side over long side
QUOTA = (44, 20, 9, 3)  # places of each class
NEAR, LIKE = 0.3, 1.33  # half sides and ratio of sizes within which a weaker place is none of its own
PLENTY = 6
RIVAL = 1.3
CROWDED = 0.9
CAP = 1e9
OVERHANG = 0.5  # half sides that a place may reach past the frame

FINEST = 64  # of a px: half sides are rounded to it, since powers may differ in their last bit
WINDOW = np.ones((3, 3), np.uint8)

Gray = NDArray[np.uint8]
Differences = NDArray[np.int16]
Values = NDArray[np.float64]


class Points(NamedTuple):
    """Squares of a picture, (n,) each, in px; response: how much the blob differs, in grey levels / UNIT."""

    x: Values  # of the center, from the left edge
    y: Values
    half: Values  # half side
    response: Values

    def where(self, rows: NDArray[np.generic]) -> "Points":
        """Those of the flags or indices, (m,)."""
        return Points(*(column[rows] for column in self))


def points(gray: Gray) -> Points:
    """The places of a picture, (h, w): at most the QUOTA of each class, in order of class and response."""
    height, width = gray.shape
    if min(height, width) < LEAST:
        return Points(*(np.zeros(0) for _ in Points._fields))
    blobs = _blobs(gray)
    reach = blobs.half * (1 - OVERHANG)
    inside = (np.minimum(blobs.x, width - blobs.x) >= reach) & (
        np.minimum(blobs.y, height - blobs.y) >= reach
    )
    blobs = blobs.where(inside)
    kinds = np.searchsorted(CLASSES, blobs.half / max(height, width), "right") - 1
    blobs = _sorted(blobs, kinds, blobs.response)
    kinds = _kinds(blobs, max(height, width))
    blobs = blobs.where(_first(kinds, PLENTY))
    apart, room = _surroundings(blobs)
    blobs, room = blobs.where(apart), room[apart]
    kinds = _kinds(blobs, max(height, width))
    blobs = _sorted(blobs, kinds, room)
    return blobs.where(_first(np.sort(kinds), 1))


def _kinds(blobs: Points, long: int) -> NDArray[np.int64]:
    return np.searchsorted(CLASSES, blobs.half / long, "right") - 1


def _sorted(blobs: Points, kinds: NDArray[np.int64], value: Values) -> Points:
    """By class, and the largest value first."""
    return blobs.where(np.lexsort((blobs.x, blobs.y, blobs.half, -blobs.response, -value, kinds)))


def _first(kinds: NDArray[np.int64], times: int) -> NDArray[np.bool_]:
    """(n,): the first of each class, so many times its quota; kinds: ascending."""
    rank = np.arange(len(kinds)) - np.searchsorted(kinds, kinds)
    room = np.array([*(times * quota for quota in QUOTA), 0])  # -1 and the last: no class
    return np.asarray((kinds >= 0) & (rank < room[kinds]))


def _surroundings(blobs: Points) -> tuple[NDArray[np.bool_], Values]:
    """(n,) and (n,): no plainer blob of about its size lies beside; the way to the next plainer one.

    In half sides, squared. What is plain for its surroundings is chosen, so a part keeps places of its own.
    Source: Brown, Szeliski, Winder 2005, Multi-image matching using multi-scale oriented patches
    """
    x, y, half, response = (column.astype(np.float32)[:, None] for column in blobs)
    way = (np.square(x - x.T) + np.square(y - y.T)) / np.square(half)
    like = (half <= LIKE * half.T) & (half.T <= LIKE * half)
    rank = np.lexsort((np.arange(len(half)), -blobs.response)).argsort()
    near = (like & (rank < rank[:, None]) & (way <= NEAR**2)).any(axis=1)
    plainer = (half <= RIVAL * half.T) & (half.T <= RIVAL * half) & (response.T * CROWDED > response) & ~near
    room = np.where(plainer, way, np.inf).min(axis=1, initial=1e9)
    return ~near, np.minimum(room, CAP).astype(np.float64)


def _blobs(gray: Gray) -> Points:
    """All blobs of a picture, whatever lies about them."""
    chunks = []
    level = cv2.GaussianBlur(np.multiply(gray, UNIT, dtype=np.uint16), (0, 0), SIGMA)
    for octave in range(OCTAVES):
        if min(level.shape) < LEAST // 2:
            break
        blurred = _blurred(level)
        chunks.append(_of_octave(blurred, octave))
        level = np.ascontiguousarray(blurred[LAYERS][::2, ::2])
    return Points(*(np.concatenate(column) for column in zip(*chunks, strict=True)))


def _blurred(level: NDArray[np.uint16]) -> list[NDArray[np.uint16]]:
    """Six pictures, from a blur of SIGMA, each blurred a third of an octave more."""
    levels = [level]
    for layer in range(1, LAYERS + 3):
        more = SIGMA * np.sqrt(4 ** (layer / LAYERS) - 4 ** ((layer - 1) / LAYERS))
        levels.append(cv2.GaussianBlur(levels[-1], (0, 0), float(more)))
    return levels


def _of_octave(levels: list[NDArray[np.uint16]], octave: int) -> Points:
    """The blobs of one octave: what differs more than all 26 around it in place and size."""
    pairs = zip(levels[1:], levels[:-1], strict=True)
    stack = np.empty((len(levels) - 1, *levels[0].shape), np.int16)
    for layer, (more, less) in enumerate(pairs):
        cv2.subtract(more, less, dst=stack[layer], dtype=cv2.CV_16S)
    extremes = [_extremes(*stack[layer - 1 : layer + 2]) for layer in range(1, LAYERS + 1)]
    layers = np.repeat(np.arange(1, LAYERS + 1), [len(cells) for cells in extremes])
    return _refined(stack, layers, np.concatenate(extremes), octave)


def _extremes(less: Differences, layer: Differences, more: Differences) -> NDArray[np.intp]:
    """Which pixels of a layer, raveled, differ more than all around, in its neighbors too."""
    high = cv2.dilate(cv2.max(cv2.max(less, layer), more), WINDOW)
    low = cv2.erode(cv2.min(cv2.min(less, layer), more), WINDOW)
    top = cv2.compare(layer, cv2.max(high, CONTRAST), cv2.CMP_EQ)
    bottom = cv2.compare(layer, cv2.min(low, -CONTRAST), cv2.CMP_EQ)
    extreme = cv2.bitwise_or(top, bottom)
    extreme[[0, -1]] = extreme[:, [0, -1]] = 0
    return np.flatnonzero(extreme.ravel().view(np.bool_))


def _refined(stack: Differences, layer: NDArray[np.intp], cells: NDArray[np.intp], octave: int) -> Points:
    """Blobs between pixels and layers, by a parabola along each axis; those on edges left out.

    stack: (5, h, w); layer, cells: (n,), the pixels as `_extremes` has them.
    """
    (_, height, width), flat = stack.shape, stack.ravel()
    at = layer * (height * width) + cells
    around = at[:, None] + np.array([-1, 1, -width, width, -height * width, height * width])
    middle = flat[at].astype(np.int64)
    left, right, above, below, less, more = flat[around].T.astype(np.int64)
    corners = flat[at[:, None] + np.array([-width - 1, width + 1, 1 - width, width - 1])].astype(np.int64)
    xx, yy = left + right - 2 * middle, above + below - 2 * middle
    xy = (corners @ np.array([1, 1, -1, -1])) / 4
    is_round = np.square(xx + yy) * EDGE < (EDGE + 1) ** 2 * (xx * yy - np.square(xy))
    step = 2.0**octave
    x = (cells % width + _vertex(left, middle, right)) * step + 0.5
    y = (cells // width + _vertex(above, middle, below)) * step + 0.5
    sigma = SIGMA * step * 2 ** ((layer + _vertex(less, middle, more)) / LAYERS)
    half = np.rint(SPREAD * sigma * FINEST) / FINEST
    return Points(x, y, half, np.abs(middle).astype(np.float64)).where(is_round)


def _vertex(before: NDArray[np.int64], at: NDArray[np.int64], after: NDArray[np.int64]) -> Values:
    """Where between -0.5 and 0.5 the parabola through three values has its vertex, the middle one extreme."""
    bend = np.maximum(1, np.abs(before + after - 2 * at)) * np.where(at > 0, 2.0, -2.0)
    return np.asarray(np.clip((after - before) / bend, -0.5, 0.5))
