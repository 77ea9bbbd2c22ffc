"""Hints, as points or strokes of color on transparency, in the form in which models are trained with them.

That is, on the model's page, color and a mask: squares of 2 · POINT of a side (`training.data.conditions`).
Each pixel of the page takes the color of the most opaque of the hints' pixels that fall on it, of those the
nearest to its middle: no color is mixed, neither with transparency nor with another. So a point of one
pixel is still there on a page a sixteenth as wide. What is smaller than a trained square is then grown to
one, each new pixel in the color nearest to it; what is larger stays as large as it is.
"""

import cv2
import numpy as np
import numpy.typing as npt

from anidata.errors import RecipeError
from anidata.imaging import fit
from anidata.imaging.fit import Pixels
from anidata.training.data.conditions import POINT

OPAQUE = 128  # of 255: what is less opaque than this is no hint

Mask = npt.NDArray[np.bool_]


def check(hints: Pixels, shape: tuple[int, ...]) -> None:
    """See that hints are points or strokes on transparency, for a picture of this shape.

    Raises: RecipeError: they are opaque, empty, or of another shape.
    """
    if hints.ndim < 3 or hints.shape[2] < 4:
        raise RecipeError(
            "hints: it has no transparency, so that nothing says what is a hint. "
            "Paint points or strokes on a transparent layer over the picture, and save that layer as PNG."
        )
    alpha = hints[..., 3]
    if alpha.min() >= OPAQUE:
        raise RecipeError(
            "hints: it is opaque all over. Leave out the picture: save the layer of hints alone, as PNG."
        )
    if alpha.max() < OPAQUE:
        raise RecipeError(
            "hints: nothing in it is half opaque or more. Paint with an opaque brush, or leave --hints out "
            "(hints= in Python)."
        )
    if not _is_of_shape(hints.shape, shape):
        (height, width), (high, wide) = hints.shape[:2], shape[:2]
        raise RecipeError(
            f"hints: it is {width} x {height} px, and the picture {wide} x {high}, of another shape. "
            f"Save it at {wide} x {high} px, or at any size of that shape."
        )


def page(hints: Pixels, size: int, shape: tuple[int, ...]) -> tuple[Pixels, Pixels]:
    """The hints' color (size, size, 3) and mask (size, size), 255 at a hint, of a picture of this shape."""
    rows, columns = fit.inner_box(shape, size, "pad")
    color = np.zeros((size, size, 3), np.uint8)
    mask = np.zeros((size, size), bool)
    inner = rows.stop - rows.start, columns.stop - columns.start
    color[rows, columns], mask[rows, columns] = _cells(hints, *inner)
    grown = _grown(mask)
    return _nearest(color, mask, grown), np.asarray(grown * np.uint8(255), np.uint8)


def _is_of_shape(one: tuple[int, ...], other: tuple[int, ...]) -> bool:
    """Whether one is the other at any size, but for a pixel's rounding."""
    (height, width), (high, wide) = one[:2], other[:2]
    exact = abs(width * high - wide * height)
    return exact <= max(high, wide) or exact <= max(height, width)


def _cells(hints: Pixels, height: int, width: int) -> tuple[Pixels, Mask]:
    """Color (height, width, 3) and mask of the pixels that hints fall on, or that lie in a hint's pixel."""
    tall, wide = max(height, hints.shape[0]), max(width, hints.shape[1])
    if (tall, wide) != hints.shape[:2]:  # each of its pixels becomes several
        hints = np.asarray(cv2.resize(hints, (wide, tall), interpolation=cv2.INTER_NEAREST), np.uint8)
    color, mask = np.zeros((height, width, 3), np.uint8), np.zeros((height, width), bool)
    down = (np.arange(tall) + 0.5) * height / tall
    ends = np.searchsorted(down, np.arange(height + 1))
    for row in range(height):  # a strip at once, for large files
        strip = np.s_[ends[row] : ends[row + 1]]
        taken, colors = _best(hints[strip], down[strip] - row, width)
        color[row, taken], mask[row, taken] = colors, True
    return color, mask


def _best(strip: Pixels, down: npt.NDArray[np.float64], width: int) -> tuple[npt.NDArray[np.int64], Pixels]:
    """The columns of a row of the page on which hints fall, and the color of each.

    strip: the pixels of that row, (h, w, 4). down: how far down in it each of their rows is, 0 to 1.
    """
    rows, columns = np.nonzero(strip[..., 3] >= OPAQUE)
    across = (columns + 0.5) * width / strip.shape[1]
    cells = across.astype(np.int64)
    from_middle = (down[rows] - 0.5) ** 2 + (across - cells - 0.5) ** 2
    order = np.lexsort((from_middle, 255 - strip[rows, columns, 3], cells))
    taken, first = np.unique(cells[order], return_index=True)
    best = order[first]
    return taken, strip[rows[best], columns[best], :3]


def _grown(mask: Mask) -> Mask:
    """A mask with all that is smaller than a trained square grown to one."""
    reach = max(1, round(len(mask) * POINT))
    square = np.ones((2 * reach + 1, 2 * reach + 1), np.uint8)
    plain = mask.astype(np.uint8)
    small = plain & ~cv2.morphologyEx(plain, cv2.MORPH_OPEN, square)
    return np.asarray(cv2.dilate(small, square) | plain, bool)


def _nearest(color: Pixels, mask: Mask, grown: Mask) -> Pixels:
    """The color of the nearest pixel of the mask, within what has grown of it; zeros elsewhere."""
    _, labels = cv2.distanceTransformWithLabels(
        np.asarray(~mask, np.uint8), cv2.DIST_L2, cv2.DIST_MASK_5, labelType=cv2.DIST_LABEL_PIXEL
    )
    colors = np.zeros((labels.max() + 1, 3), np.uint8)
    colors[labels[mask]] = color[mask]
    return np.asarray(colors[labels] * grown[..., None], np.uint8)
