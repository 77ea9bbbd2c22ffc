"""Which of two pictures has the finer detail: what no filter makes of the other one.

The coarser of the two is brought to the other's grid, and the finer is foretold from that by the filters that
enlarge and sharpen: linear ones, by least squares. What is left over is detail that only the finer has, and
lies above the other's frequencies, along its edges; or it is noise, dither and blocks, which lie in quiet
places as well, and at all frequencies. An enlargement leaves next to nothing.
"""

import math
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from anidata.duplicates import alignment
from anidata.duplicates.alignment import Affine, Pixels, Plane

SIDE = 144  # px of the coarser picture that are compared, from its middle
MOST = 208  # px of the finer
LEAST = 24  # px: shorter sides tell nothing
EQUAL = 1.1  # times as fine: less is one scale
FIRM = 1.8  # times as fine: an octave tells more plainly
EDGES, QUIET = 0.75, 0.5  # quantiles of slopes: steeper are edges, flatter is quiet
CONTRAST = 0.7  # grey levels, root mean square along edges: less is a blank page
CRISP = 0.75  # of the coarser's finest octave over the next: less, and it may itself be an enlargement
CRISPER = 0.95  # likewise, for scales that are near to each other
BLURRED = 1.4  # times as large second differences
SOFTER = 2.5  # times as much left over as the other way round: one of two pictures of a scale is softer
# Of what is left above the coarser's frequencies, in units of its own finest octave, over the share below.
MORE, MORE_FIRM, LESS, LESS_FIRM = 2.2, 2.0, 0.35, 0.55
MAYBE = 0.95  # likewise, of what shows no blocks and has no palette
HIGH = 0.18  # in the same units: what the finer has at least
MARGIN = 8  # px
UNCLIPPED = (3, 252)


class Left(NamedTuple):
    """What filters of the coarser don't foretell of the finer."""

    high: float  # along edges beyond the noise, in units of the coarser's finest octave
    spread: float  # what lies at the coarser's own frequencies, to that above
    crisp: float
    contrast: float  # grey levels

    @property
    def detail(self) -> float:
        return self.high / max(self.spread, 0.02)


class Lead(NamedTuple):
    """`a` or `b`, whichever shows the finer detail; not plainly, where blocks or dither may pass for it."""

    name: str
    is_plain: bool = True
    is_of_one_scale: bool = False


def scale_of(a: Pixels, b: Pixels, fit: Affine) -> float:
    """How many pixels of a lie along one of b."""
    return math.sqrt(abs(float(np.linalg.det(alignment.in_pixels(fit, a, b)[:, :2]))))


def finer(a: Pixels, b: Pixels, fit: Affine) -> Lead | None:
    """Which shows the finer detail; fit: places in b → places in a. None where neither does."""
    matrix = alignment.in_pixels(fit, a, b)
    scale = scale_of(a, b, fit)
    if scale < 1 / EQUAL:
        lead = finer(b, a, alignment.inverse(fit))
        return lead and lead._replace(name="b" if lead.name == "a" else "a")
    if scale < EQUAL:
        return _crisper(a, b, matrix)
    left = _left(a, b, matrix, scale)
    if left is None or left.contrast < CONTRAST:
        return None
    is_firm = scale > FIRM
    if left.detail > MAYBE and left.high > HIGH:
        return Lead("a", left.detail > (MORE_FIRM if is_firm else MORE))
    is_crisp = left.crisp > (CRISP if is_firm else CRISPER)
    most = LESS_FIRM if is_firm else LESS
    return Lead("b") if is_crisp and left.detail < most else None


def _crisper(a: Pixels, b: Pixels, matrix: Affine) -> Lead | None:
    """Which of two pictures of one scale the other is a blurred one of."""
    if not _may_be_blurred(a, b, matrix):
        return None
    back = cv2.invertAffineTransform(matrix)
    one, other = _left(a, b, matrix, 1.0), _left(b, a, back, 1.0)
    if one is None or other is None or min(one.contrast, other.contrast) < CONTRAST:
        return None
    for name, mine, others in (("a", one, other), ("b", other, one)):
        if mine.detail > MORE and mine.high > HIGH and mine.high > SOFTER * others.high:
            return Lead(name, is_plain=False, is_of_one_scale=True)
    return None


def _may_be_blurred(a: Pixels, b: Pixels, matrix: Affine) -> bool:
    """Whether steps of one are so much smaller than the other's that a closer look is worth it."""
    tile, back = _tile(a, b, matrix, 1.0)
    other, _ = _around(b, tile, back)
    rough = [float(np.abs(np.diff(plane, 2, axis=1)).mean()) for plane in (tile, other) if plane.shape[1] > 2]
    return len(rough) == 2 and max(rough) > BLURRED * max(0.05, min(rough))


def _left(a: Pixels, b: Pixels, matrix: Affine, scale: float) -> Left | None:
    """matrix: pixels of b → pixels of a, the finer one."""
    tile, back = _tile(a, b, matrix, scale)
    if min(*tile.shape, *b.shape[:2]) < LEAST:
        return None
    coarse, back = _around(b, tile, back)
    ways = [alignment.warped(coarse, back, tile, how) for how in (cv2.INTER_CUBIC, cv2.INTER_LINEAR)]
    smooth, blunt = (cv2.GaussianBlur(ways[0], (0, 0), sigma * scale) for sigma in (0.8, 1.6))
    octave = ways[0] - smooth
    near = alignment.warped(coarse, back, tile, cv2.INTER_NEAREST) if scale > EQUAL else smooth
    sharp = cv2.Laplacian(ways[0], cv2.CV_32F)
    rows = [ways[0], ways[1] - ways[0], near - ways[0], sharp, octave, ways[0] - blunt]
    rest = _rest(tile, np.stack(rows))
    low = cv2.GaussianBlur(rest, (0, 0), 0.8 * scale)
    slope = cv2.magnitude(cv2.Sobel(smooth, cv2.CV_32F, 1, 0), cv2.Sobel(smooth, cv2.CV_32F, 0, 1))
    return _weighed(rest - low, low, octave, smooth - blunt, slope)


def _weighed(high: Plane, low: Plane, octave: Plane, next_octave: Plane, slope: Plane) -> Left:
    steep, flat = np.percentile(slope[::2, ::2], (100 * EDGES, 100 * QUIET))
    edges, quiet = slope >= max(steep, 1.0), slope <= flat
    if not edges.any():
        return Left(0.0, 1.0, 0.0, 0.0)
    contrast = math.sqrt(_mean(octave, edges))
    noise, below = _mean(high, quiet), _mean(low, edges)
    above = max(0.0, _mean(high, edges) - noise)
    return Left(
        high=math.sqrt(above) / max(contrast, CONTRAST),
        spread=math.sqrt((below + noise) / max(above, 1e-6)),
        crisp=contrast / max(0.3, math.sqrt(_mean(next_octave, edges))),
        contrast=contrast,
    )


def _mean(plane: Plane, where: NDArray[np.bool_]) -> float:
    """The mean square there."""
    mask = where.view(np.uint8)
    return float(cv2.norm(plane, cv2.NORM_L2SQR, mask)) / max(1, cv2.countNonZero(mask))


def _tile(a: Pixels, b: Pixels, matrix: Affine, scale: float) -> tuple[Plane, Affine]:
    """The middle of what both show, of a, and the way from its pixels to those of b."""
    height, width = a.shape[:2]
    middle = matrix @ np.array([b.shape[1] / 2, b.shape[0] / 2, 1])
    side = round(min(MOST, SIDE * scale))
    x, y = (
        max(0, min(round(float(m)) - side // 2, n - side))
        for m, n in zip(middle, (width, height), strict=True)
    )
    tile = np.ascontiguousarray(a[y : y + side, x : x + side])
    back = cv2.invertAffineTransform(matrix)
    back[:, 2] += back[:, :2] @ (x, y)
    return np.asarray(cv2.cvtColor(tile, cv2.COLOR_RGB2GRAY), np.float32), np.asarray(back)


def _around(b: Pixels, tile: Plane, back: Affine) -> tuple[Plane, Affine]:
    """Luma of what of b lies under the tile, and the way from the tile's pixels to its own."""
    corners = (
        back @ np.array([(0, 0, 1), (tile.shape[1], 0, 1), (0, tile.shape[0], 1), (*tile.shape[::-1], 1)]).T
    )
    (left, top), (right, bottom) = corners.min(axis=1) - MARGIN, corners.max(axis=1) + MARGIN
    x, y = max(0, int(left)), max(0, int(top))
    part = np.ascontiguousarray(b[y : max(y + 1, int(bottom)), x : max(x + 1, int(right))])
    moved = back - np.array([(0, 0, x), (0, 0, y)], np.float64)
    return np.asarray(cv2.cvtColor(part, cv2.COLOR_RGB2GRAY), np.float32), moved


def _rest(tile: Plane, rows: NDArray[np.float32]) -> Plane:
    """(h, w): what a sum of the rows, (n, h, w), and an offset leave of the tile; 0 where it is clipped."""
    low, high = UNCLIPPED
    free = ((tile > low) & (tile < high)).astype(np.float32)
    known = np.concatenate([rows, np.ones((1, *tile.shape), np.float32)]).reshape(len(rows) + 1, -1)
    weighed = known * free.ravel()
    normal = np.einsum("in,jn->ij", weighed, known).astype(np.float64)
    normal += np.eye(len(known)) * (1e-3 * max(1.0, float(free.sum())))
    wanted = np.einsum("in,n->i", weighed, tile.ravel()).astype(np.float64)
    weights = np.linalg.solve(normal, wanted).astype(np.float32)
    return np.asarray((tile - np.einsum("i,in->n", weights, known).reshape(tile.shape)) * free, np.float32)
