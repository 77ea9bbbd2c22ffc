"""What two pictures share inside, one laid on the other: drawn edges, cell by cell, and more than stripes.

From afar two things of one outline are alike, or a frame and all that has a border; and of a flag each band
is a part. So what links pictures that differ, or a picture and its part, has to lie inside.
"""

from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from anidata.duplicates import alignment
from anidata.duplicates.alignment import Affine, Mask, Plane, View

CELLS = 12  # each way
BUSY = 4.0  # squared grey levels a px: a mean from which a cell has edges
SHOWN = 0.2  # of a cell, from which it counts
RIM = 3  # px along the rim of what a part shows, where inside and outside blend
SMOOTH = 1.2  # px: below that compression draws its own edges
ALIKE = 0.5  # correlation of a cell's gradients, of either sign: in other colors light may turn dark
SIDE, PATTERNS = 32, 3  # px; flags, crosses and frames are sums of so many patterns across times down
# Share of cells with edges that are alike in both: of copies in other colors .8 and more, of other drawings
# of one outline mostly less; of what is redrawn .6 and more, of the same balloon over two drawings .3.
RECOLORED, REDRAWN = 0.75, 0.6
# What flags and frames leave beyond their patterns is next to nothing, what the plainest drawing does .0015.
# Where something differs and lies elsewhere too there must be more.
DEPTH, DEPTH_ELSEWHERE = 0.001, 0.01
# Longest to shortest of what were equal lengths: copies of soft frames reach 1.02, a frame laid on a wider
# one has 1.06. Stripes are laid on any stripes by pulling them one way.
STRETCH = 1.03


class Shared(NamedTuple):
    """What two pictures have in common where both show something."""

    cells: float  # share of the cells with edges in either, whose edges are alike; 1 where none has any
    depth: float  # least share of a picture's variance that few patterns across times down don't explain
    stretch: float  # longest to shortest of what were equal lengths

    @property
    def is_a_part(self) -> bool:
        """Whether a copy that lies elsewhere is one."""
        return self.cells >= REDRAWN and (self.depth >= DEPTH or self.stretch <= STRETCH)

    def is_one_drawing(self, is_recolored: bool, is_near: bool) -> bool:
        """Whether pictures that differ, in color or in what is drawn, are one drawing."""
        is_deep = self.depth >= (DEPTH if is_near else DEPTH_ELSEWHERE)
        return is_deep and self.cells >= (RECOLORED if is_recolored else REDRAWN)


def shared(a: View, b: View, fit: Affine) -> Shared:
    """What a, laid on b, has in common with it."""
    matrix = alignment.in_pixels(fit, a.rgb, b.rgb)
    over, shown = alignment.warped(a.luma, matrix, b.luma), alignment.covered(matrix, a.luma, b.luma)
    x, y, width, height = cv2.boundingRect(shown)
    if not width:
        return Shared(0.0, 0.0, np.inf)
    parts = [luma[y : y + height, x : x + width] for luma in (over, b.luma)]
    longest, shortest = np.linalg.svd(matrix[:, :2], compute_uv=False).tolist()
    stretch = longest / max(shortest, 1e-9)
    return Shared(_alike(over, b.luma, shown), min(map(_depth, parts)), stretch)


def _alike(a: Plane, b: Plane, shown: Mask) -> float:
    """The share of cells with edges in either picture, in which these correlate."""
    square = np.ones((2 * RIM + 1, 2 * RIM + 1), np.uint8)
    inner = cv2.erode(shown, square).astype(np.float32)
    (across_a, down_a), (across_b, down_b) = _gradients(a), _gradients(b)
    area = _cells(inner)
    own_a = _cells(inner * (across_a * across_a + down_a * down_a))
    own_b = _cells(inner * (across_b * across_b + down_b * down_b))
    both = np.abs(_cells(inner * (across_a * across_b + down_a * down_b)))
    busy = (area > SHOWN) & (np.maximum(own_a, own_b) > BUSY * area)
    alike = busy & (both > ALIKE * np.sqrt(own_a * own_b + np.square(area)))
    return float(alike.sum() / busy.sum()) if busy.any() else 1.0


def _gradients(luma: Plane) -> tuple[Plane, Plane]:
    """Grey levels a px, across and down."""
    smooth = cv2.GaussianBlur(luma, (0, 0), SMOOTH)
    across, down = (cv2.Sobel(smooth, cv2.CV_32F, *way, scale=1 / 8) for way in ((1, 0), (0, 1)))
    return np.asarray(across), np.asarray(down)


def _cells(plane: Plane) -> NDArray[np.float32]:
    """(CELLS, CELLS): means."""
    return np.asarray(cv2.resize(plane, (CELLS, CELLS), interpolation=cv2.INTER_AREA), np.float32)


def _depth(luma: Plane) -> float:
    """The share of the variance that is left beyond few patterns across times down."""
    small = cv2.resize(luma, (SIDE, SIDE), interpolation=cv2.INTER_AREA)
    energy = np.square(np.linalg.svd(small - small.mean(), compute_uv=False))
    total = float(energy.sum())
    return float(energy[PATTERNS:].sum()) / total if total > 1 else 0.0
