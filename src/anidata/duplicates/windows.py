"""Codes of a picture's windows: of the whole, of what lies within plain borders, of parts and turns of it, and of their mirror images.

A copy that was cut, framed, turned or mirrored shows in one of its windows what another picture shows as a whole. So the two wholes are
the index, and all windows ask it: by 64 signs of the lowest frequencies, as a phash; by 256 signs it is seen whether a find is worth a look.
Everything is whole numbers up to the transform, which is the phash's own: the same bits on every machine.
"""

import math
from functools import lru_cache
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from anidata.duplicates import phash as hashing
from anidata.imaging import fit
from anidata.imaging.image import Image

VERSION = 1
FINE = 16  # frequencies a side of the fine code
BORDERS = 3  # borders within each other that are looked for: bars, then the paper's margins
RIM = 2  # px of the raster: where a border blends with what it surrounds
LEAST = 8  # px of the raster: what borders leave must be larger
SHAPES = 4  # classes of a picture's shape between 1 : 1 and 2 : 1
UNIT = 256  # bilinear weights are whole multiples of 1 / UNIT²

Gray = NDArray[np.uint8]
Base = Literal["frame", "content"]


class Window(NamedTuple):
    """Where to look in the base: what is cut off its sides, as shares of them."""

    base: Base
    left: float = 0.0
    right: float = 0.0
    top: float = 0.0
    bottom: float = 0.0
    degrees: float = 0.0
    mirrored: bool = False


AROUND, CORNER, EDGE, TURN = 0.025, 0.08, 0.08, 2.5
WHOLES = (Window("frame"), Window("content"))  # the index
PARTS = (
    Window("frame", AROUND, AROUND, AROUND, AROUND),
    *(Window("frame", CORNER - x, x, CORNER - y, y) for x in (0, CORNER) for y in (0, CORNER)),
    Window("frame", left=EDGE),
    Window("frame", right=EDGE),
    Window("frame", top=EDGE),
    Window("frame", bottom=EDGE),
    *(Window("frame", degrees=degrees) for degrees in (-TURN, TURN)),
    Window("content", AROUND, AROUND, AROUND, AROUND),
)
WINDOWS = (
    *WHOLES,
    *(whole._replace(mirrored=True) for whole in WHOLES),
    *PARTS,
)  # by their kind; a new order needs a new VERSION
CODE = np.dtype([("kind", "u1"), ("code", "<u8"), ("fine", "<u8", 4)])


def codes(picture: Image, luma: Gray, phash: int, phash_flip: int) -> tuple[NDArray[np.void], float]:
    """The codes of all windows that show anything, by kind: CODE, at most one a window; and the share of the frame within plain borders.

    luma: `hashing.luma` of the picture. The frame's own codes are its phashes. What is flat is left out: its bits would be
    rounding noise; and the content where there is no border.
    """
    grounds: dict[Base, Gray] = {"frame": luma}
    within = content(picture.raster_gray)
    share = within.size / picture.raster_gray.size
    if share < 1:
        grounds["content"] = _small(within)
    kinds = np.array([kind for kind, window in enumerate(WINDOWS) if window.base in grounds])
    shapes = {"frame": _shape(picture.raster_gray), "content": _shape(within)}
    asked = [window for window in WINDOWS if window.base in grounds and not window.mirrored]
    low = _low(np.stack([_seen(grounds[window.base], window, shapes[window.base]) for window in asked]))
    low = np.concatenate([low[: len(grounds)], _mirrored(low[: len(grounds)]), low[len(grounds) :]])
    coarse = low[:, : hashing.LOW, : hashing.LOW]
    found = np.empty(len(kinds), CODE)
    found["kind"], found["code"], found["fine"] = (
        kinds,
        _signs(coarse).view(">u8")[:, 0],
        _signs(low).view(">u8"),
    )
    found["code"][kinds == 0], found["code"][kinds == len(WHOLES)] = phash, phash_flip
    firm = hashing.are_firm(coarse)
    flat = {
        WINDOWS[kind].base for kind in kinds[~firm] if kind < len(WHOLES)
    }  # turned, they tell of white corners alone
    return found[firm & [WINDOWS[kind].base not in flat for kind in kinds]], share


def _mirrored(low: NDArray[np.float64]) -> NDArray[np.float64]:
    """Of the mirrored picture: each odd frequency across changes its sign."""
    return low * np.where(np.arange(FINE) % 2, -1.0, 1.0)


def content(gray: Gray) -> Gray:
    """What lies within plain borders of a picture, (h, w), one within the other; all of it where hardly anything does."""
    inner, rim = gray, 0
    for _ in range(BORDERS):
        seen = inner[rim : len(inner) - rim, rim : inner.shape[1] - rim]
        (height, width), rim = seen.shape, RIM
        if min(height, width) < LEAST:
            return inner
        top, bottom, left, right = (fit.plain_rows(rows) for rows in (seen, seen[::-1], seen.T, seen.T[::-1]))
        if not any((top, bottom, left, right)):
            return inner
        if top + bottom > height - LEAST or left + right > width - LEAST:
            return gray
        inner = seen[top : height - bottom, left : width - right]
    return inner


def _small(gray: Gray) -> Gray:
    size = max(hashing.SIDE, gray.shape[1]), max(hashing.SIDE, gray.shape[0])
    return fit.shrink(fit.resize(np.ascontiguousarray(gray), *size, "bilinear"), hashing.SIDE, hashing.SIDE)


def _shape(gray: Gray) -> int:
    """Width over height, as the nearest power of 2 by SHAPES."""
    return round(math.log2(gray.shape[1] / gray.shape[0]) * SHAPES)


def _seen(ground: Gray, window: Window, shape: int) -> NDArray[np.int32]:
    """(32, 32) in 1 / UNIT² of a grey level. shape: of the base, as `_shape` has it."""
    places, weights, outside = _sampling(window, shape if window.degrees else 0)
    seen = np.einsum("ij,ij->i", ground.ravel()[places].astype(np.int32), weights)
    seen[outside] = fit.WHITE * UNIT**2
    return np.asarray(seen.reshape(ground.shape))


@lru_cache(maxsize=256)
def _sampling(
    window: Window, shape: int = 0
) -> tuple[NDArray[np.int64], NDArray[np.int32], NDArray[np.bool_]]:
    """Places in the (32, 32) luma and weights, both (1024, 4), of what a window sees; and what lies outside: what was turned has white corners."""
    side = hashing.SIDE
    u = (np.arange(side) + 0.5) * 2 / side - 1
    x, y = np.meshgrid(u, u)
    turn = np.radians(window.degrees)
    x, y = (
        x * (1 - window.left - window.right) + window.left - window.right,
        y * (1 - window.top - window.bottom) + window.top - window.bottom,
    )
    long = 2 ** (shape / SHAPES)  # width over height: what is square here isn't there
    seen = np.cos(turn) * x - np.sin(turn) * y / long, np.sin(turn) * x * long + np.cos(turn) * y
    across, down = (
        np.rint(np.clip((axis.ravel() + 1) / 2 * side - 0.5, 0, side - 1) * UNIT).astype(np.int64)
        for axis in seen
    )
    (column, right), (row, below) = np.divmod(across, UNIT), np.divmod(down, UNIT)
    next_column, next_row = np.minimum(column + 1, side - 1), np.minimum(row + 1, side - 1)
    places = np.stack(
        [
            row * side + column,
            row * side + next_column,
            next_row * side + column,
            next_row * side + next_column,
        ],
        axis=1,
    )
    weights = np.stack(
        [(UNIT - below) * (UNIT - right), (UNIT - below) * right, below * (UNIT - right), below * right],
        axis=1,
    )
    return places, weights.astype(np.int32), (np.abs(seen) > 1).any(axis=0).ravel()


def _low(seen: NDArray[np.int32]) -> NDArray[np.float64]:
    """(n, 16, 16): the lowest frequencies of what windows see, in the units of a phash."""
    from scipy.fftpack import dct  # noqa: PLC0415  .25 s, which only workers need to spend

    return np.asarray(dct(dct(seen / UNIT**2, axis=1), axis=2)[:, :FINE, :FINE])


def _signs(low: NDArray[np.float64]) -> NDArray[np.uint8]:
    """(n, bytes): a bit for each frequency, whether it lies above the middle one."""
    flat = low.reshape(len(low), -1)
    return np.packbits(flat > np.median(flat, axis=1, keepdims=True), axis=1)
