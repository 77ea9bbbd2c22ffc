"""What two pictures on one grid have in common, tile by tile: what is drawn, and whether it agrees."""

from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from anidata.duplicates.alignment import Mask, Plane
from anidata.duplicates.place_fit import Box, Flow, flow, repeated

Grid = NDArray[np.bool_]  # (rows, columns) of tiles
DRAWN = 4.0  # squared grey levels a px: a mean from which a tile has edges
SHOWN = 0.6  # of a tile, from which it counts
# Share of a tile's squared gradients across their main direction, from which it is more than an edge.
TWO_WAYS = 0.03
OBLIQUE = 0.25  # likewise of gradients aslant, .64 where all directions are: corners of boxes have .15
REPEATING = 0.7  # correlation of gradients from which a tile is another one again


class Tiles(NamedTuple):
    """Of each tile, whether something is drawn in a and in b, and whether it agrees."""

    in_a: Grid
    in_b: Grid
    agree: Grid

    @property
    def drawn(self) -> Grid:
        return self.in_a | self.in_b

    @property
    def agreeing(self) -> int:
        return int(self.agree.sum())

    @property
    def share(self) -> float:
        """Of the tiles with a drawing in either, those that agree."""
        return self.agreeing / max(1, int(self.drawn.sum()))

    def within(self, rim: float) -> "Tiles":
        """The tiles that are left where a share of all is cut off each side."""
        down, across = (round(rim * count) for count in self.agree.shape)
        rows, columns = self.agree.shape
        return Tiles(*(grid[down : rows - down, across : columns - across] for grid in self))


def compared(a: Flow, b: Flow, shown: Mask, side: int, alike: float) -> Tiles:
    """Tiles of so many px a side, of two fields of gradients; alike: correlation from which they agree."""
    weight = shown.astype(np.float32)
    area = means(weight, side)
    own_a, own_b, both = (means(weight * (p * q).sum(axis=0), side) for p, q in ((a, a), (b, b), (a, b)))
    seen = area > SHOWN
    in_a, in_b = (seen & (own > DRAWN * area) for own in (own_a, own_b))
    agree = (in_a | in_b) & (both > alike * np.sqrt(own_a * own_b) + 1e-6)
    return Tiles(in_a, in_b, agree)


def rich(tiles: Tiles, a: Flow, b: Flow, side: int) -> int:
    """How many tiles agree in more than one direction, and lie nowhere else in b."""
    return int(np.count_nonzero(tiles.agree & _is_rich(a, side) & _is_rich(b, side) & ~_repeating(b, side)))


def _is_rich(own: Flow, side: int) -> Grid:
    """Which tiles have edges in more than one direction, and not only upright and level ones."""
    xx, yy, xy = (means(p * q, side) for p, q in ((own[0], own[0]), (own[1], own[1]), (own[0], own[1])))
    total = xx + yy + np.float32(1e-6)
    longest = (total + np.sqrt(np.square(xx - yy) + 4 * np.square(xy))) / 2
    oblique = 2 * means(np.abs(own[0] * own[1]), side)
    return np.asarray((total - longest > TWO_WAYS * total) & (oblique > OBLIQUE * total))


def _repeating(own: Flow, side: int) -> Grid:
    """Which tiles of a picture lie in it once more, at the shift by which it is most like itself."""
    x, y = repeated(own)
    seen = np.ones(own.shape[1:], np.uint8)
    again = np.zeros([n // side for n in own.shape[1:]], np.bool_)
    for sign in (1, -1):
        move = np.array([(1, 0, sign * x), (0, 1, sign * y)], np.float64)
        across, down, shown = (cv2.warpAffine(p, move, seen.shape[::-1]) for p in (*own, seen))
        there = np.array([across, down], np.float32)
        again |= compared(there, own, np.asarray(shown, np.uint8), side, REPEATING).agree
    return again


def weights(a: Flow, b: Flow, shown: Mask, side: int, least: float) -> Plane:
    """(h, w): 1 in tiles whose gradients correlate by `least`, 0 elsewhere; 1 where none does."""
    own_a, own_b, both = (means(shown * (p * q).sum(axis=0), side) for p, q in ((a, a), (b, b), (a, b)))
    alike = both > least * np.sqrt(own_a * own_b) + DRAWN / 4
    grid = np.where(alike, np.float32(1), np.float32(0 if alike.any() else 1))
    return np.asarray(cv2.resize(grid, b.shape[:0:-1], interpolation=cv2.INTER_NEAREST))


def outside(luma: Plane, box: Box, side: float) -> float:
    """How many tiles with edges a picture has beyond a box; side: of a tile, in half sides of the width."""
    (high, wide), own = luma.shape, flow(luma)
    step = max(1, round(side * wide / 2))
    if min(high, wide) < step:
        return 0.0
    tiles = means((own * own).sum(axis=0), step) > DRAWN
    x, y = (
        ((np.arange(n) + 0.5) * step * 2 / of - 1)
        for n, of in zip(tiles.shape[::-1], (wide, high), strict=True)
    )
    within_x, within_y = (x > box[0, 0]) & (x < box[1, 0]), (y > box[0, 1]) & (y < box[1, 1])
    beyond = int(np.count_nonzero(tiles & ~(within_y[:, None] & within_x)))
    return float(beyond * (step / (side * wide / 2)) ** 2)


def means(plane: Plane, side: int) -> NDArray[np.float32]:
    """(h // side, w // side): means over tiles; what is left over at the far sides is not seen."""
    rows, columns = plane.shape[0] // side, plane.shape[1] // side
    whole = np.ascontiguousarray(plane[: rows * side, : columns * side], np.float32)
    return np.asarray(cv2.resize(whole, (columns, rows), interpolation=cv2.INTER_AREA), np.float32)
