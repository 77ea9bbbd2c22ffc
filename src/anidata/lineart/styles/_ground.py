"""Ground: what lies flat behind a figure up to the frame, and the contours of the figure before it.

Where the artist drew no line between the two, or a soft or colored one, the contour is the first edge
that one meets on the way from the ground to the figure.
Masks are uint8, 0 or 255; those of a ground and its regions are half as large as the picture.
Source: Canny 1986 for the edges; the rest is our own.
"""

from typing import Any, NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from anidata.imaging import components
from anidata.lineart.styles._strokes import FULL, SQUARE, Gray, Mask, brightest

FLAT = 8  # grey levels that lie within 3 × 3 px of flat parts; and between a ground and the gaps of a figure
LARGE, FRAMED = 0.02, 0.05  # share of the picture, and of its frame, that a ground has at least
REGION = 0.004  # share of the picture from which on a flat part is a region of its own
STEPS = 2  # of two px at a quarter of the size, by which a ground's color goes on where a figure hides it
WIDE = np.ones((5, 5), np.uint8)  # such a step
REACH = 10  # px from the ground within which its figure begins
BAND = np.ones((REACH + 1, REACH + 1), np.uint8)  # that, of half the size
WEAK, STEEP = 60, 150  # of Canny, Sobel's sums of the distance from the ground's color
CROSS = cv2.getStructuringElement(cv2.MORPH_CROSS, (3, 3))
NEAR = np.ones((7, 7), np.uint8)  # what is within 3 px of ink has its line
SHORT = 5  # px: shorter pieces are left out
INKED, BARE = 0.7, 0.2  # where ink explains so much of all contours, those between two regions of which it
# explains no more than that are bare on purpose
HALF = 0.5  # so far painted, nothing was left bare on purpose
REGIONS = 255  # more than there can be, by REGION
BESIDE = np.ones((9, 9), np.uint8)  # half px within which the regions on both sides of a contour lie


class Ground(NamedTuple):
    """What lies behind, of a picture at half its size."""

    small: npt.NDArray[np.uint8]  # (h, w, 3): the picture
    mask: Mask
    regions: Gray  # the number of the large flat part that a pixel lies in, by size; 0: in none


def find(rgb: npt.NDArray[np.uint8]) -> Ground | None:
    """The ground of a picture with even sides, (h, w, 3); None where it has none."""
    small = np.asarray(cv2.resize(rgb, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA), np.uint8)
    steps = np.asarray(cv2.subtract(cv2.dilate(small, SQUARE), cv2.erode(small, SQUARE)), np.uint8)
    flat = cv2.compare(brightest(steps), FLAT, cv2.CMP_LE)
    count, labels = cv2.connectedComponents(flat, connectivity=4, ltype=cv2.CV_32S)
    sizes = np.bincount(labels.ravel(), minlength=count)
    sizes[0] = 0
    grounds = _grounds(labels, small, sizes)
    if not grounds.any():
        return None
    largest = np.flatnonzero(sizes >= REGION * flat.size)
    numbers = np.zeros(count, np.uint8)
    numbers[largest[np.argsort(sizes[largest], kind="stable")]] = np.arange(1, len(largest) + 1)
    mask = np.asarray(np.take(np.where(grounds, FULL, 0).astype(np.uint8), labels), np.uint8)
    return Ground(small, mask, np.asarray(np.take(numbers, labels), np.uint8))


def _grounds(
    labels: npt.NDArray[np.int32], small: npt.NDArray[np.uint8], sizes: npt.NDArray[np.intp]
) -> npt.NDArray[np.bool_]:
    """Which flat parts are ground: large ones at the frame, and others there of such a one's color."""
    frame, colors = _frame(labels), _frame(small)
    framed = np.bincount(frame, minlength=len(sizes))
    grounds = np.asarray((sizes >= LARGE * labels.size) & (framed >= FRAMED * len(frame)), np.bool_)
    at = np.flatnonzero((framed > 0) & (sizes > 0))
    sums = [np.bincount(frame, weights=channel, minlength=len(sizes))[at] for channel in colors.T]
    means = np.stack(sums, axis=1) / framed[at, None]
    apart = np.abs(means[:, None] - means[grounds[at]][None]).max(axis=2)
    grounds[at] |= (apart <= FLAT).any(axis=1)
    return grounds


def _frame(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """The outermost pixels."""
    return np.concatenate([values[0], values[-1], values[1:-1, 0], values[1:-1, -1]])


def contours(rgb: npt.NDArray[np.uint8], ink: Mask, painted: float) -> Mask:
    """Contours between the ground and figures that have no ink yet.

    painted: 0 to 1, how far the picture is one without ink.
    """
    ground = find(rgb)
    if ground is None:
        return np.zeros_like(ink)
    edges = _first_edges(ground, (rgb.shape[1], rgb.shape[0]))
    inked = edges & cv2.dilate(ink, NEAR)
    length = cv2.countNonZero(edges)
    bare = edges & ~inked
    if not bare.any():
        return np.asarray(bare, np.uint8)
    if cv2.countNonZero(inked) > INKED * length and painted < HALF:
        bare &= ~_bare_on_purpose(edges, inked, ground.regions)
    bare = _without_short(bare)
    linked = bare | (edges & cv2.dilate(bare, NEAR))
    return np.asarray(cv2.dilate(linked, SQUARE[:2, :2]), np.uint8)


def _first_edges(ground: Ground, size: tuple[int, int]) -> Mask:
    """The edges that are met first on the way from the ground, one pixel wide, of a picture of (w, h) px."""
    half = ground.mask.shape[::-1]
    behind = cv2.resize(_behind(ground), half, interpolation=cv2.INTER_LINEAR_EXACT)
    away = brightest(np.asarray(cv2.absdiff(ground.small, behind), np.uint8))
    far = cv2.resize(away, size, interpolation=cv2.INTER_LINEAR_EXACT)
    band = cv2.resize(cv2.dilate(ground.mask, BAND), size, interpolation=cv2.INTER_NEAREST)
    across, down = (cv2.copyTo(cv2.Sobel(far, cv2.CV_16S, x, 1 - x), band) for x in (1, 0))
    edges = np.asarray(cv2.Canny(across, down, WEAK, STEEP), np.uint8)
    return np.asarray(edges & _reach(ground.mask, edges), np.uint8)


def _reach(mask: Mask, edges: Mask) -> Mask:
    """Where one comes from the ground without crossing an edge, and the edges there; of the edges' size."""
    size = mask.shape[::-1]
    walls = cv2.compare(cv2.resize(edges, size, interpolation=cv2.INTER_AREA), 0, cv2.CMP_GT)
    free = ~walls
    reached = mask & free
    for _ in range(REACH // 2):
        reached = cv2.dilate(reached, CROSS) & free
    return np.asarray(
        cv2.resize(cv2.dilate(reached, SQUARE), edges.shape[::-1], interpolation=cv2.INTER_NEAREST), np.uint8
    )


def _behind(ground: Ground) -> npt.NDArray[np.uint8]:
    """The ground's color, also where a figure hides it, at a quarter of the picture's size; far off 0."""
    size = tuple(max(1, side // 2) for side in ground.mask.shape[::-1])
    known = np.asarray(cv2.resize(ground.mask, size, interpolation=cv2.INTER_NEAREST), np.uint8)
    small = cv2.resize(ground.small, size, interpolation=cv2.INTER_AREA)
    colors = np.asarray(cv2.bitwise_and(small, small, mask=known), np.uint8)
    for _ in range(STEPS):
        sums, counts = (
            cv2.boxFilter(part, cv2.CV_32F, WIDE.shape, normalize=False, borderType=cv2.BORDER_CONSTANT)
            for part in (colors, known & 1)
        )
        grown = (sums / np.maximum(counts, 1)[..., None]).astype(np.uint8)
        colors = np.asarray(cv2.copyTo(colors, known, grown), np.uint8)
        known = np.asarray(cv2.dilate(known, WIDE), np.uint8)
    return colors


def _bare_on_purpose(edges: Mask, inked: Mask, regions: Gray) -> Mask:
    """The edges between two regions of which hardly any is inked: shapes of a background."""
    top = cv2.dilate(regions, BESIDE)
    known = cv2.compare(regions, 0, cv2.CMP_GT)
    low = ~cv2.dilate(~regions & known, BESIDE)
    at = components.indices(edges)
    half = _halved(at, edges)
    first, second = low.ravel()[half].astype(np.intp), top.ravel()[half].astype(np.intp)
    pairs = np.where((first < second) & (second > 0), first * (REGIONS + 1) + second, 0)
    lengths = np.bincount(pairs)
    explained = np.bincount(pairs, weights=inked.ravel()[at] > 0)
    on_purpose = explained < BARE * lengths
    on_purpose[0] = False
    mask = np.zeros_like(edges)
    mask.ravel()[at[on_purpose[pairs]]] = FULL
    return mask


def _without_short(bare: Mask) -> Mask:
    """The pieces that are long enough, with those beside them counted in."""
    near = cv2.dilate(bare[::2, ::2] | bare[1::2, ::2] | bare[::2, 1::2] | bare[1::2, 1::2], SQUARE)
    _, labels = cv2.connectedComponents(near, connectivity=8, ltype=cv2.CV_32S)
    at = components.indices(bare)
    mine = labels.ravel()[_halved(at, bare)]
    left = bare.copy()
    left.ravel()[at[np.bincount(mine)[mine] < SHORT]] = 0
    return left


def _halved(at: npt.NDArray[np.intp], mask: Mask) -> npt.NDArray[np.intp]:
    """Indices into a flat mask as those into one of half its size."""
    width = mask.shape[1]
    return np.asarray((at // width // 2) * (width // 2) + at % width // 2, np.intp)
