"""Codes of a picture's windows: the whole, what lies within plain borders, parts, turns and mirror images.

A copy that was cut, framed, turned or mirrored shows in one of its windows what another picture shows as a
whole. So the two wholes are the index, and all windows ask it: by 64 signs of the lowest frequencies, as a
phash; by 256 signs it is seen whether a match is worth a look. Everything is whole numbers up to the
transform, which is the phash's own: the same bits on every machine.
"""

import math
from functools import lru_cache
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from anidata.duplicates import phash as hashing
from anidata.duplicates.ways import MIRRORED, STRAIGHT, TURNS, Way
from anidata.imaging import fit
from anidata.imaging.image import Image

VERSION = 2
FINE = 16  # frequencies a side of the fine code
BORDERS = 3  # borders within each other that are looked for: bars, then the paper's margins
RIM = 2  # px of the raster: where a border blends with what it surrounds
LEAST = 8  # px of the raster: what borders leave must be larger
SHAPES = 4  # classes of a picture's shape between 1 : 1 and 2 : 1
UNIT = 256  # bilinear weights are whole multiples of 1 / UNIT²

Gray = NDArray[np.uint8]
Base = Literal["frame", "content"]


class Window(NamedTuple):
    """Where to look in the base, what is cut off its sides, as shares of them, and which way it is seen."""

    base: Base
    left: float = 0.0
    right: float = 0.0
    top: float = 0.0
    bottom: float = 0.0
    degrees: float = 0.0
    way: Way = STRAIGHT


AROUND = 0.025  # of a side: cut off all four
CORNER = 0.08  # of a side: cut off two that meet
EDGE = 0.08  # of a side: cut off one
TURN = 2.5  # degrees, either way
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
# Of a picture that is another's turned by 270° that one is turned by 90°: it asks.
ASKING = tuple(way for way in TURNS if way.mirrored or way.quarters < 3)
# By their kind; a new order needs a new VERSION.
WINDOWS = (
    *WHOLES,
    *(whole._replace(way=MIRRORED) for whole in WHOLES),
    *PARTS,
    *(whole._replace(way=way) for way in ASKING for whole in WHOLES),
)
CODE = np.dtype([("kind", "u1"), ("code", "<u8"), ("fine", "<u8", 4)])


def codes(picture: Image, luma: Gray, phash: int, phash_flip: int) -> tuple[NDArray[np.void], float]:
    """The codes of all windows that show anything, by kind: CODE, at most one a window.

    And the share of the frame within plain borders.

    luma: `hashing.luma` of the picture. The frame's own codes are its phashes. What is flat is left out: its
    bits would be rounding noise; and the content where there is no border.
    """
    within = content(picture.raster_gray)
    share = within.size / picture.raster_gray.size
    grounds: dict[Base, Gray] = {"frame": luma}
    if share < 1:
        grounds["content"] = _small(within)
    shapes: dict[Base, int] = {"frame": _shape(picture.raster_gray), "content": _shape(within)}
    low = _frequencies(grounds, shapes)
    coarse = low[:, : hashing.LOW, : hashing.LOW]
    kinds = np.array([kind for kind, window in enumerate(WINDOWS) if window.base in grounds])
    rows = np.empty(len(kinds), CODE)
    rows["kind"] = kinds
    rows["code"] = _signs(coarse).view(">u8")[:, 0]
    rows["fine"] = _signs(low).view(">u8")
    rows["code"][kinds == 0], rows["code"][kinds == len(WHOLES)] = phash, phash_flip
    return rows[_is_telling(kinds, hashing.are_firm(coarse))], share


def _frequencies(grounds: dict[Base, Gray], shapes: dict[Base, int]) -> NDArray[np.float64]:
    """(n, 16, 16): the lowest frequencies of all windows of the bases there are, by kind."""
    straight = [window for window in WINDOWS if window.base in grounds and window.way == STRAIGHT]
    low = _low(np.stack([_seen(grounds[window.base], window, shapes[window.base]) for window in straight]))
    wholes, parts = low[: len(grounds)], low[len(grounds) :]
    turned = [_turned(wholes, way) for way in ASKING]
    return np.concatenate([wholes, _turned(wholes, MIRRORED), parts, *turned])


def _is_telling(kinds: NDArray[np.int64], firm: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """(n,): firm windows of bases that are firm as a whole; turned, flat ones tell of white corners alone."""
    flat = {WINDOWS[kind].base for kind in kinds[~firm] if kind < len(WHOLES)}
    return np.asarray(firm & [WINDOWS[kind].base not in flat for kind in kinds])


def _turned(low: NDArray[np.float64], way: Way) -> NDArray[np.float64]:
    """The frequencies, (n, 16, 16), of the picture seen another way.

    Mirrored, each odd one across changes its sign; turned by 90°, across becomes down, and each odd one down
    changes it.
    """
    signs = np.where(np.arange(FINE) % 2, -1.0, 1.0)
    seen = low * signs if way.mirrored else low
    for _ in range(way.quarters):
        seen = seen.swapaxes(1, 2) * signs[:, None]
    return seen


def content(gray: Gray) -> Gray:
    """The picture, (h, w), without plain borders within each other; all of it if hardly anything is left."""
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
    sampling = _sampling(window, shape if window.degrees else 0)
    seen = np.einsum("ij,ij->i", ground.ravel()[sampling.cells].astype(np.int32), sampling.weights)
    seen[sampling.outside] = fit.WHITE * UNIT**2
    return np.asarray(seen.reshape(ground.shape))


class _Sampling(NamedTuple):
    """The way a window's (32, 32) grid is read from its base's (32, 32) luma: bilinear, in whole numbers."""

    cells: NDArray[np.int64]  # (1024, 4) of the raveled luma
    weights: NDArray[np.int32]  # (1024, 4), in 1 / UNIT²
    outside: NDArray[np.bool_]  # (1024,): what was turned has white corners


@lru_cache(maxsize=256)
def _sampling(window: Window, shape: int = 0) -> _Sampling:
    """Bilinear sampling of a window; shape: of the base, as `_shape` has it."""
    side = hashing.SIDE
    seen = _grid(window, shape)
    across, down = (
        np.rint(np.clip((axis.ravel() + 1) / 2 * side - 0.5, 0, side - 1) * UNIT).astype(np.int64)
        for axis in seen
    )
    (column, right), (row, below) = np.divmod(across, UNIT), np.divmod(down, UNIT)
    next_column, next_row = np.minimum(column + 1, side - 1), np.minimum(row + 1, side - 1)
    left, above = UNIT - right, UNIT - below
    corners = [(row, column), (row, next_column), (next_row, column), (next_row, next_column)]
    cells = np.stack([y * side + x for y, x in corners], axis=1)
    weights = np.stack([above * left, above * right, below * left, below * right], axis=1)
    return _Sampling(cells, weights.astype(np.int32), (np.abs(seen) > 1).any(axis=0).ravel())


def _grid(window: Window, shape: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(32, 32) each: where in the base, from -1 to 1, the cells of a window lie, across and down."""
    u = (np.arange(hashing.SIDE) + 0.5) * 2 / hashing.SIDE - 1
    x, y = np.meshgrid(u, u)
    x = x * (1 - window.left - window.right) + window.left - window.right
    y = y * (1 - window.top - window.bottom) + window.top - window.bottom
    turn = np.radians(window.degrees)
    long = 2 ** (shape / SHAPES)  # width over height: what is square here isn't there
    return np.cos(turn) * x - np.sin(turn) * y / long, np.sin(turn) * x * long + np.cos(turn) * y


def _low(seen: NDArray[np.int32]) -> NDArray[np.float64]:
    """(n, 16, 16): the lowest frequencies of what windows see, in the units of a phash."""
    from scipy.fftpack import dct  # noqa: PLC0415  .25 s, which only workers need to spend

    return np.asarray(dct(dct(seen / UNIT**2, axis=1), axis=2)[:, :FINE, :FINE])


def _signs(low: NDArray[np.float64]) -> NDArray[np.uint8]:
    """(n, bytes): a bit for each frequency, whether it lies above the middle one."""
    flat = low.reshape(len(low), -1)
    return np.packbits(flat > np.median(flat, axis=1, keepdims=True), axis=1)
