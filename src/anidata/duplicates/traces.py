"""The middle of a picture, and traces of what it went through: JPEG's steps and blocks, few colors, noise."""

from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np
from numpy.typing import NDArray

from anidata.duplicates.alignment import Pixels, Plane

SIDE = 192  # px of the window that is looked at, in the middle of the picture
BLOCK = 8
LEAST = 24  # px of a side: less tells nothing
LEAST_BLOCKS = 60  # without black or white: of fewer all are taken
FEWEST = 20  # coefficients of a frequency beyond half a step: from fewer no step can be told
COMB = 0.6  # mean of cosines, of coefficients that are multiples of one step
STEPPED = 0.6  # of the frequencies that must have steps
FINE, BINS = 4, 480  # bins of a histogram of coefficients: to a unit, and in all
NEARLY = 6  # grey levels
COLORS = 256  # of a palette
EVERY = 3  # pixels: of one in so many, across and down, the colors are counted
PHASES = np.outer(np.arange(BLOCK), 2 * np.arange(BLOCK) + 1) * np.pi / 16
COSINES = (np.cos(PHASES) * np.where(np.arange(BLOCK) > 0, 0.5, np.sqrt(1 / 8))[:, None]).astype(np.float32)
FREQUENCIES = np.array([(u, v) for u in range(BLOCK) for v in range(BLOCK) if 1 <= u + v <= 9]).T
# The luma table of quality 50. Source: ITU-T T.81, table K.1
_LUMA = """16 11 10 16 24 40 51 61 12 12 14 19 26 58 60 55 14 13 16 24 40 57 69 56 14 17 22 29 51 87 80 62
18 22 37 56 68 109 103 77 24 35 55 64 81 104 113 92 49 64 78 87 103 121 120 101 72 92 95 98 112 100 103 99"""
TABLE = np.array(_LUMA.split(), np.float32).reshape(BLOCK, BLOCK)[FREQUENCIES[0], FREQUENCIES[1]]
STEPS = np.arange(2.0, 62.0, dtype=np.float32)  # of JPEG's tables, at qualities of 20 and more
_MIDDLES = ((np.arange(BINS) + 0.5) / FINE).astype(np.float32)[:, None]
BEYOND = (_MIDDLES > 0.6 * STEPS).astype(np.float32)
WAVES = (np.cos(2 * np.pi * _MIDDLES / STEPS) * BEYOND).astype(np.float32)
WEIGHTS = np.array([0.299, 0.587, 0.114], np.float32)
SECOND = np.array([1, -2, 1], np.float32)


@dataclass(frozen=True)
class Window:
    """The middle of a picture, on its own blocks of 8 px, and what shows of its past."""

    rgb: Pixels

    @cached_property
    def coefficients(self) -> NDArray[np.float32]:
        """(n, 8, 8): the DCT of the blocks of luma."""
        height, width = (side // BLOCK * BLOCK for side in self.rgb.shape[:2])
        luma = self.rgb[:height, :width].astype(np.float32) @ WEIGHTS
        blocks = luma.reshape(height // BLOCK, BLOCK, width // BLOCK, BLOCK).swapaxes(1, 2)
        return np.asarray(COSINES @ blocks.reshape(-1, BLOCK, BLOCK) @ COSINES.T, np.float32)

    @cached_property
    def unclipped(self) -> NDArray[np.bool_]:
        """(n,): blocks without black or white, where rounding alone moves coefficients."""
        height, width = (side // BLOCK for side in self.rgb.shape[:2])
        free = cv2.inRange(self.rgb[: height * BLOCK, : width * BLOCK], (2, 2, 2), (253, 253, 253))
        return np.asarray(cv2.resize(free, (width, height), interpolation=cv2.INTER_AREA) == 255).ravel()

    @cached_property
    def steps(self) -> NDArray[np.float32]:
        """(n,) of FREQUENCIES: the steps in which each comes; 0: in none, NaN: too few tell."""
        few = np.count_nonzero(self.unclipped) < LEAST_BLOCKS
        blocks = self.coefficients if few else self.coefficients[self.unclipped]
        sizes = np.abs(blocks[:, FREQUENCIES[0], FREQUENCIES[1]])
        bins = np.minimum((sizes * FINE).astype(np.int64), BINS) + np.arange(sizes.shape[1]) * (BINS + 1)
        counts = np.bincount(bins.ravel(), minlength=sizes.shape[1] * (BINS + 1))
        counts = counts.reshape(-1, BINS + 1)[:, :BINS].astype(np.float32)
        score, enough = counts @ WAVES, counts @ BEYOND
        fits = (enough >= FEWEST) & (score > COMB * enough)
        largest = np.where(fits, STEPS, 0).max(axis=1)
        return np.where(enough.max(axis=1) >= FEWEST, largest, np.nan)

    @cached_property
    def step(self) -> float:
        """The middle step, in those of quality 50; 0 for what was never a JPEG, or can't be told."""
        known = self.steps[~np.isnan(self.steps)]
        if known.size < 5 or np.mean(known > 0) < STEPPED:
            return 0.0
        return float(np.median((self.steps / TABLE)[self.steps > 0]))

    @cached_property
    def count(self) -> int:
        """How many colors there are among one pixel in so many."""
        some = self.rgb[::EVERY, ::EVERY].reshape(-1, 3).astype(np.int64)
        return len(np.unique(some @ (65536, 256, 1)))

    @cached_property
    def ranges(self) -> NDArray[np.uint8]:
        """(h, w): the range of the channel that varies most, within the pixel and the eight about it."""
        return np.asarray(
            cv2.morphologyEx(self.rgb, cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8)).max(axis=2)
        )

    @cached_property
    def flat(self) -> NDArray[np.bool_]:
        """(h, w): where a pixel has the color of the eight about it."""
        return np.asarray(self.ranges == 0)

    @cached_property
    def luma(self) -> Plane:
        return np.asarray(cv2.cvtColor(self.rgb, cv2.COLOR_RGB2GRAY), np.float32)

    @cached_property
    def chroma(self) -> NDArray[np.float32]:
        """(h, w, 2): Cr and Cb."""
        return np.asarray(cv2.cvtColor(self.rgb, cv2.COLOR_RGB2YCrCb)[..., 1:], np.float32)

    @cached_property
    def second(self) -> Plane:
        """Grey levels: second differences across and down, of noise about two thirds of its strength."""
        return second_differences(self.luma)

    @cached_property
    def noise(self) -> float:
        """Grey levels: second differences in the quieter third."""
        means = cv2.blur(self.second, (9, 9))[4:-4:4, 4:-4:4]
        return float(np.percentile(means, 30)) if means.size else 0.0

    @cached_property
    def nearly_flat(self) -> float:
        """Share of the picture that is nearly flat and not wholly."""
        return float(((self.ranges > 0) & (self.ranges <= NEARLY)).mean())

    @cached_property
    def blockiness(self) -> float:
        """Logarithm of the steps along the grid of JPEG's blocks over those elsewhere."""
        on, off = 0.2, 0.2
        for axis in (0, 1):
            means = np.abs(np.diff(self.luma, axis=axis)).mean(axis=1 - axis)
            is_grid = np.arange(len(means)) % BLOCK == BLOCK - 1
            on, off = on + float(means[is_grid].mean()), off + float(means[~is_grid].mean())
        return float(np.log(on / off))

    @cached_property
    def clipped(self) -> float:
        """Share of all channels' pixels at black or white."""
        return float(((self.rgb == 0) | (self.rgb == 255)).mean())


def window(rgb: Pixels) -> Window:
    """The middle of a picture."""
    top, left = (max(0, side - SIDE) // 2 // BLOCK * BLOCK for side in rgb.shape[:2])
    return Window(np.ascontiguousarray(rgb[top : top + SIDE, left : left + SIDE]))


def second_differences(plane: Plane) -> Plane:
    """Of a plane, (h, w), across and down."""
    return np.asarray(np.abs(cv2.sepFilter2D(plane, cv2.CV_32F, SECOND, SECOND)) / 6, np.float32)
