"""Whether a drawing is the lineart of this very color picture.

That is told by the share of its ink's edges that the picture has at the same spot and angle.
Both are brought to the color picture's shape, at most 512 px long. Then the share is compared with what
the best of the shifts by up to 8 px gives: lineart that would fit better elsewhere is not registered,
however much of it happens to meet some edge here.
A mirrored copy of a symmetric drawing is registered, and so is the line of another version
that differs in its colors alone.
"""

from itertools import product

import cv2
import numpy as np
import numpy.typing as npt

Pixels = npt.NDArray[np.uint8]
Slopes = npt.NDArray[np.float32]

THRESHOLD = 0.925  # 180 true pairs: .962 and more; false ones: .89 and less, of pictures that hardly differ
SIZE = 512  # px: the longest side at which the two are compared
ASPECT = 0.01  # relative difference of the two aspect ratios that rounding of sizes may leave
REACH = 2  # px at SIZE by which an edge may be off
FAR, STEP = 8, 4  # px at SIZE: shifts that are tried against, on a grid whose gaps REACH closes
ANGLES = 4  # classes of orientation, half a turn in all
BLUR = 0.8  # px: against pixel stairs
INK = 0.35  # of the drawing's strong slopes: what counts as its edge
EDGE = 3.0  # grey levels a px: what counts as an edge of the picture; JPEG noise stays below


def registration(line: Pixels, rgb: Pixels) -> float:
    """0 (another picture, another shape, an empty drawing) to 1 (every line has its edge).

    THRESHOLD and above: registered.
    line: (h, w, 3) or (h, w), ink darker than its paper, transparency already on white; rgb: (h2, w2, 3).
    """
    height, width = rgb.shape[:2]
    if abs(line.shape[0] * width / (line.shape[1] * height) - 1) > max(ASPECT, 1 / min(height, width)):
        return 0.0
    scale = min(1.0, SIZE / max(height, width))
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    rows, columns, kinds = _ink(*_slopes(_fitted(line, size)))
    if not rows.size:
        return 0.0
    edges = np.pad(_edges(*_slopes(_fitted(rgb, size))), FAR)  # what leaves the frame meets nothing
    moves = range(0, 2 * FAR + 1, STEP)
    shares = {(y, x): _share(edges[rows + y, columns + x] & kinds) for y, x in product(moves, moves)}
    here, best = shares[FAR, FAR], max(shares.values())
    return here * here / best if best else 0.0


def _share(met: Pixels) -> float:
    """The share that isn't 0."""
    return float(np.count_nonzero(met)) / met.size


def _fitted(image: Pixels, size: tuple[int, int]) -> Pixels:
    """(h, w): mean of luma and of the brightest channel.

    Black ink on deep blue is all but lost in luma alone.
    """
    small = np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)
    if small.ndim == 2:
        return small
    luma = cv2.cvtColor(small, cv2.COLOR_RGB2GRAY)
    return np.asarray(cv2.addWeighted(luma, 0.5, small.max(axis=2), 0.5, 0), np.uint8)


def _slopes(gray: Pixels) -> tuple[Slopes, Slopes]:
    """(steepness in grey levels a px, angle in classes: 0 to ANGLES over half a turn), each (h, w)."""
    smooth = cv2.GaussianBlur(gray.astype(np.float32), (0, 0), BLUR)
    across, down = (cv2.Sobel(smooth, cv2.CV_32F, *order, scale=1 / 8) for order in ((1, 0), (0, 1)))
    angle = np.asarray(cv2.phase(across, down), np.float32) * np.float32(ANGLES / np.pi) % ANGLES
    return np.asarray(cv2.magnitude(across, down), np.float32), angle


def _ink(steep: Slopes, angle: Slopes) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp], Pixels]:
    """(row, column, bit of the angle's class) of each pixel on a rim of ink."""
    slopes = steep[steep > EDGE]
    least = INK * np.percentile(slopes, 95) if slopes.size else np.inf
    rows, columns = np.nonzero(steep >= least)
    return rows, columns, np.left_shift(1, angle[rows, columns].astype(np.uint8) % ANGLES, dtype=np.uint8)


def _edges(steep: Slopes, angle: Slopes) -> Pixels:
    """(h, w), a bit a class: an edge of this angle, give or take half a class, is within REACH."""
    near = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * REACH + 1, 2 * REACH + 1))
    edge, classes = steep >= EDGE, np.zeros(steep.shape, np.uint8)
    for k in range(ANGLES):
        turned = np.abs(angle - (k + 0.5))
        alike = edge & (np.minimum(turned, ANGLES - turned) <= 1)
        classes |= np.asarray(cv2.dilate(alike.astype(np.uint8), near), np.uint8) << k
    return classes
