"""What two pictures share inside, one laid on the other: drawn edges, cell by cell, and more than stripes.

From afar two things of one outline are alike, or a frame and all that has a border; and of a flag each band
is a part. So what links pictures that differ, or a picture and its part, has to lie inside. Where the outline
is a disc's, a plate's or a card's, as those of planets, coins, flags and buttons are, edges along it tell
nothing either: then what lies within it has to be alike by itself, down to what is faint.
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
STRIPES = 1e-5  # what stripes alone leave; the plainest shape or shade leaves .00002
# Longest to shortest of what were equal lengths: copies of soft frames reach 1.02, a frame laid on a wider
# one has 1.06. Stripes are laid on any stripes by pulling them one way. Of what differs, and lies elsewhere
# too, true pairs reach 1.041; other pens, brushes and dialogs are laid on each other by being pulled more.
# What is turned by a quarter has sides of other lengths: a tricolor is any other one's turn, if pulled.
STRETCH, STRETCH_ELSEWHERE, STRETCH_TURNED = 1.03, 1.06, 1.1
# Of outlines that many things have: share of the rim that is ground; grey levels off that, from which it is a
# figure; share of its convex hull that it fills: discs, ovals and cards .95 and more.
GROUND, FIGURE, CONVEX = 0.7, 8, 0.9
WITHIN = (
    0.16  # of the figure's width and height, off on each side: what is left of a disc is the square in it
)
LEAST_WITHIN = 24  # px: less shows nothing by itself
SHADING = 6.0  # px: what is wider is light on a ball, not drawn
FAINT = 0.05  # squared grey levels a px, as BUSY: within, where nothing is louder
# Share of cells within that are alike: of copies in other colors .85 and more, of redrawn ones .54; of two
# planets mostly below .5. Those of more are so smooth that hardly anything is drawn: see DEPTH.
RECOLORED_WITHIN, REDRAWN_WITHIN = 0.75, 0.5


class Shared(NamedTuple):
    """What two pictures have in common where both show something."""

    cells: float  # share of the cells with edges in either, whose edges are alike; 1 where none has any
    depth: float  # least share of a picture's variance that few patterns across times down don't explain
    stretch: float  # longest to shortest of what were equal lengths

    @property
    def is_a_part(self) -> bool:
        """Whether a copy that lies elsewhere is one."""
        return self.cells >= REDRAWN and (self.depth >= DEPTH or self.stretch <= STRETCH)

    @property
    def is_striped(self) -> bool:
        """Whether a picture is stripes and nothing else, as two flags may be that are each other's turn."""
        return self.depth < STRIPES

    def is_one_drawing(self, is_recolored: bool, is_near: bool) -> bool:
        """Whether pictures that differ, in color or in what is drawn, are one drawing."""
        if not is_near and (self.stretch > STRETCH_ELSEWHERE or self.depth < DEPTH_ELSEWHERE):
            return False
        return self.depth >= DEPTH and self.cells >= (RECOLORED if is_recolored else REDRAWN)


class Within(NamedTuple):
    """What two pictures have in common within outlines that many things have; all of it in other ones."""

    cells: float = 1.0  # share of the cells with edges in either, however faint, whose edges are alike
    depth: float = 1.0  # as of Shared

    def is_one_drawing(self, is_recolored: bool) -> bool:
        least = RECOLORED_WITHIN if is_recolored else REDRAWN_WITHIN
        return self.depth >= DEPTH and self.cells >= least


def is_one_drawing(a: View, b: View, fit: Affine, is_recolored: bool, is_near: bool) -> bool:
    """Whether two pictures that differ, in color or in what is drawn, are one drawing; fit: lays a on b."""
    laid = _laid(a, b, fit)
    if not _shared(laid).is_one_drawing(is_recolored, is_near):
        return False
    return _within(laid).is_one_drawing(is_recolored)


def shared(a: View, b: View, fit: Affine) -> Shared:
    """What a, laid on b, has in common with it."""
    return _shared(_laid(a, b, fit))


def within(a: View, b: View, fit: Affine) -> Within:
    """What a, laid on b, has in common with it within the outlines, where these are any disc's or card's."""
    laid = _laid(a, b, fit)
    return _within(laid) if laid.parts else Within(0.0, 0.0)


def is_pulled(a: View, b: View, fit: Affine) -> bool:
    """Whether a fit pulls one way more than a copy that was turned is."""
    return _stretch(alignment.in_pixels(fit, a.rgb, b.rgb)) > STRETCH_TURNED


class _Laid(NamedTuple):
    """Luma of one picture on another's grid, and of both what lies where both show something."""

    over: Plane
    ground: Plane
    matrix: Affine
    shown: Mask
    parts: list[Plane]  # none where nothing is shown


def _laid(a: View, b: View, fit: Affine) -> _Laid:
    matrix = alignment.in_pixels(fit, a.rgb, b.rgb)
    if alignment.is_here(fit, a, b):
        return _Laid(a.luma, b.luma, matrix, np.ones(b.luma.shape, np.uint8), [a.luma, b.luma])
    over, shown = alignment.warped(a.luma, matrix, b.luma), alignment.covered(matrix, a.luma, b.luma)
    x, y, width, height = cv2.boundingRect(shown)
    parts = [luma[y : y + height, x : x + width] for luma in (over, b.luma)] if width else []
    return _Laid(over, b.luma, matrix, shown, parts)


def _shared(laid: _Laid) -> Shared:
    if not laid.parts:
        return Shared(0.0, 0.0, np.inf)
    alike, depth = _alike(laid.over, laid.ground, laid.shown), min(map(_depth, laid.parts))
    return Shared(alike, depth, _stretch(laid.matrix))


def _stretch(matrix: Affine) -> float:
    """Longest to shortest of what were equal lengths."""
    longest, shortest = np.linalg.svd(matrix[:, :2], compute_uv=False).tolist()
    return float(longest / max(shortest, 1e-9))


def _within(laid: _Laid) -> Within:
    """What is within the outlines, where these are any disc's or card's."""
    inner = _inner(laid.parts)
    if not inner:
        return Within()
    one, other = (part - cv2.GaussianBlur(part, (0, 0), SHADING) for part in inner)
    return Within(_alike(one, other, np.ones(one.shape, np.uint8), FAINT), min(map(_depth, inner)))


def _inner(parts: list[Plane]) -> list[Plane]:
    """What lies within the outlines of both; nothing where one of them is of another kind."""
    first = _figure(parts[0])
    second = _figure(parts[1]) if first else None
    if not first or not second:
        return []
    low, high = np.maximum(first[:2], second[:2]), np.minimum(first[2:], second[2:])
    off = (WITHIN * (high - low)).astype(int)
    (left, top), (right, bottom) = low + off, high - off
    if min(right - left, bottom - top) < LEAST_WITHIN:
        return []
    return [np.ascontiguousarray(part[top:bottom, left:right]) for part in parts]


def _figure(luma: Plane) -> tuple[int, int, int, int] | None:
    """Left, top, right and bottom, px, of a convex figure on plain ground; None of any other picture."""
    rim = np.concatenate([luma[0], luma[-1], luma[:, 0], luma[:, -1]])
    ground = np.median(rim)
    if np.mean(np.abs(rim - ground) <= FIGURE) < GROUND:
        return None
    off = cv2.threshold(cv2.absdiff(luma, float(ground)), FIGURE, 1, cv2.THRESH_BINARY)[1].astype(np.uint8)
    pieces = cv2.findContours(off, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)[0]
    if not pieces:
        return None
    outline = np.concatenate(pieces)
    if sum(map(cv2.contourArea, pieces)) <= CONVEX * cv2.contourArea(cv2.convexHull(outline)):
        return None
    x, y, width, height = cv2.boundingRect(outline)
    return x, y, x + width, y + height


def _alike(a: Plane, b: Plane, shown: Mask, least: float = BUSY) -> float:
    """The share of cells with edges in either picture, from `least` on, in which these correlate."""
    square = np.ones((2 * RIM + 1, 2 * RIM + 1), np.uint8)
    inner = cv2.erode(shown, square).astype(np.float32)
    (across_a, down_a), (across_b, down_b) = _gradients(a), _gradients(b)
    area = _cells(inner)
    own_a = _cells(inner * (across_a * across_a + down_a * down_a))
    own_b = _cells(inner * (across_b * across_b + down_b * down_b))
    both = np.abs(_cells(inner * (across_a * across_b + down_a * down_b)))
    busy = (area > SHOWN) & (np.maximum(own_a, own_b) > least * area)
    alike = busy & (both > ALIKE * np.sqrt(own_a * own_b + np.square(least / BUSY * area)))
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
