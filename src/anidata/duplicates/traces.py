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
FEW = 200  # px that there must be
STEEP = 40  # grey levels between neighbors: an edge
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
        some = np.sort(self.packed.reshape(self.rgb.shape[:2])[::EVERY, ::EVERY], axis=None)
        return 1 + int(np.count_nonzero(some[1:] != some[:-1]))

    @cached_property
    def packed(self) -> NDArray[np.int32]:
        """(h * w,): colors as numbers."""
        return np.asarray(cv2.cvtColor(self.rgb, cv2.COLOR_RGB2RGBA).view(np.int32).ravel())

    @cached_property
    def order(self) -> NDArray[np.int64]:
        """(h * w,): pixels by color."""
        # By so few bits at once the sort looks at each number once.
        order = np.argsort(self.packed.astype(np.uint16), kind="stable")
        return np.asarray(order[np.argsort((self.packed >> 16).astype(np.uint8)[order], kind="stable")])

    @cached_property
    def repeated(self) -> NDArray[np.bool_]:
        """(h * w - 1,): in that order, whether the next pixel has the same color."""
        return ~self.parts(self)

    def parts(self, other: "Window") -> NDArray[np.bool_]:
        """(h * w - 1,): in this one's order, whether the next pixel has another color in the other one."""
        there = other.packed[self.order]
        return np.asarray(there[1:] != there[:-1])

    @cached_property
    def ranges(self) -> NDArray[np.uint8]:
        """(h, w): the range of the channel that varies most, within the pixel and the eight about it."""
        red, green, blue = cv2.split(
            cv2.morphologyEx(self.rgb, cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8))
        )
        return np.asarray(cv2.max(cv2.max(red, green), blue), np.uint8)

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
        return cv2.countNonZero(cv2.inRange(self.ranges, 1, NEARLY)) / self.ranges.size

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
        return self.black + self.white

    @cached_property
    def black(self) -> float:
        return 1 - cv2.countNonZero(self.rgb.reshape(-1)) / self.rgb.size

    @cached_property
    def white(self) -> float:
        return int(np.count_nonzero(self.rgb == 255)) / self.rgb.size

    @cached_property
    def comb(self) -> float:
        """Roughness of the channels' histograms, of what is drawn: other light leaves gaps and peaks."""
        drawn = cv2.bitwise_not(self.flat.view(np.uint8) * 255)
        if cv2.countNonZero(drawn) < FEW:
            return 0.0
        counts = (cv2.calcHist([self.rgb], [n], drawn, [256], [0, 256]).ravel() for n in range(3))
        return float(np.mean([_roughness(channel) for channel in counts]))

    @cached_property
    def ringing(self) -> float:
        """Share that isn't wholly flat of what is nearly flat beside edges."""
        edges = cv2.dilate((self.ranges > STEEP).view(np.uint8), np.ones((9, 9), np.uint8)) > 0
        beside = self.ranges[edges & (self.ranges <= STEEP // 2)]
        return int(np.count_nonzero(beside)) / beside.size if beside.size > FEW // 4 else 0.0

    @cached_property
    def measures(self) -> dict[str, float]:
        """What two pictures are compared by."""
        flat, nearly = int(np.count_nonzero(self.flat)) / self.flat.size, self.nearly_flat
        chroma = sum(float(second_differences(self.chroma[..., n]).mean()) for n in (0, 1))
        fine = float(np.log(float(self.second.mean()) + 0.05))
        half = cv2.resize(self.luma, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
        return {
            "noise": float(np.log(self.noise + 0.05)),
            "clean": flat / (flat + nearly) if flat + nearly > 0.1 else 0.0,
            "flat": flat,
            "nearly": nearly,
            "colors": float(np.log(self.count)),
            "all colors": float(np.log(self.repeated.size + 1 - np.count_nonzero(self.repeated))),
            "palette": float(self.count <= COLORS),
            "blocks": self.blockiness,
            "step": float(np.log(self.step + 0.05)),
            "clipped": self.clipped,
            "black": self.black,
            "white": self.white,
            "comb": float(np.log(self.comb + 0.02)),
            "ringing": self.ringing,
            "fine": fine,
            "crisp": fine - float(np.log(second_differences(half).mean() + 0.05)),
            "edges": float(np.log(float(np.percentile(self.second, 95)) + 0.1)),
            "chroma": float(np.log(chroma + 0.05)),
        }


def _roughness(counts: NDArray[np.float32]) -> float:
    """Of a histogram, without black and white: second differences, to its sum."""
    inner = counts[2:254].astype(np.float64)
    some = inner[inner > 0]
    if not some.size:
        return 0.0
    capped = np.minimum(inner, np.percentile(some, 95))
    return float(np.abs(np.diff(capped, 2)).sum() / 2 / capped.sum())


def window(rgb: Pixels) -> Window:
    """The middle of a picture."""
    top, left = (max(0, side - SIDE) // 2 // BLOCK * BLOCK for side in rgb.shape[:2])
    return Window(np.ascontiguousarray(rgb[top : top + SIDE, left : left + SIDE]))


def second_differences(plane: Plane) -> Plane:
    """Of a plane, (h, w), across and down."""
    return np.asarray(np.abs(cv2.sepFilter2D(plane, cv2.CV_32F, SECOND, SECOND)) / 6, np.float32)
