"""How plainly JPEG's blocks of 8 × 8 px show, 0 (not at all) to 10; also in a PNG that was a JPEG, \
or was cut out of one.

    (min(bx, by) − 1) · (1 − 1.5 g)        in the central window at full resolution

bx, by: lone steps, at least 2 levels larger than both steps beside them, counted by column (row).
They gather on the blocks' borders, wherever the grid begins: the geometric mean of the counts in the fullest
column modulo 8 over that of the others, at most 11.
g: of the first row and column of the blocks' DCT, u = 1 to 4, of what is not nothing the share below 22:
coarse tables leave little there.
Unspoilt art has up to .2, at quality 10 1 and more, at 25 from .4 upward, half of it at 50.
A border ruled along the grid counts for little in a geometric mean, pixels enlarged by 8 do count.
"""

import cv2
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from anidata.imaging.image import BLOCK, Image

TYPE, VERSION = pa.float32(), 1
LONE = 2  # grey levels that a step must have over its neighbors
MOST = 11.0  # a stronger grid is no worse
# |c| in units of the 8-bit orthonormal DCT: below, rounding leaves it; a coarse table's first step
NOTHING, COARSE = 5, 22
WEIGHT = 1.5  # of g, which is .6 to .9 in fresh pictures
LITTLE = 0.5 / 512  # lone steps to a pixel that chance gives
LEAST = 4 * BLOCK  # px of a side that a grid can be told from
PHASES = np.outer(2 * np.arange(BLOCK) + 1, np.arange(1, 5)) * np.pi / 16  # (8, u = 1 to 4)
COSINES = (np.sqrt(BLOCK) / 2 * np.cos(PHASES)).astype(np.float32)


def measure(image: Image) -> float:
    across, down = image.window, np.asarray(cv2.transpose(image.window), np.uint8)
    if min(across.shape) < LEAST:
        return 0.0
    (bx, x), (by, y) = _grid(across), _grid(down)
    if min(bx, by) <= 1:
        return 0.0
    fine, coarse = _coefficients(across[y:, x:]) + _coefficients(down[x:, y:])
    return float((min(bx, by) - 1) * max(0.0, 1 - WEIGHT * fine / max(fine + coarse, 1)))


def _grid(gray: npt.NDArray[np.uint8]) -> tuple[float, int]:
    """How far the fullest column modulo 8 stands out by its lone steps, and the first column of a block."""
    steps = cv2.absdiff(gray[:, 1:], gray[:, :-1])
    lone = cv2.subtract(steps[:, 1:-1], cv2.max(steps[:, 2:], steps[:, :-2]))
    lone = cv2.threshold(lone, LONE - 1, 1, cv2.THRESH_BINARY)[1]
    counts = np.log1p(cv2.reduce(lone, 0, cv2.REDUCE_SUM, dtype=cv2.CV_32F).ravel())
    means = np.array([np.expm1(counts[n::BLOCK].mean()) for n in range(BLOCK)]) + LITTLE * len(gray)
    fullest = int(means.argmax())
    others = np.delete(means, fullest)
    strength = float(means[fullest] / np.sqrt(np.median(others) * others.max()))
    return min(MOST, strength), (fullest + 2) % BLOCK


def _coefficients(gray: npt.NDArray[np.uint8]) -> npt.NDArray[np.int64]:
    """The number of coefficients of the blocks' first rows that are fine, and that are coarse."""
    height, width = (side // BLOCK * BLOCK for side in gray.shape)
    rows = gray[:height, :width].reshape(height // BLOCK, BLOCK, width).mean(axis=1, dtype=np.float32)
    # No BLAS: OpenCV's dies where it gets no 32 MB for a buffer
    sizes = np.abs(np.einsum("nk,kc->nc", rows.reshape(-1, BLOCK), COSINES))
    coarse = np.count_nonzero(sizes >= COARSE)
    return np.array([np.count_nonzero(sizes >= NOTHING) - coarse, coarse])
