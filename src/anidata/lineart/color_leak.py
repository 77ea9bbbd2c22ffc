"""The leak test: how much of a picture's color its lineart gives away, by a linear probe.

Gray lines that are dark where the picture is dark tell a colorizer the answer, and it fails on lines that
don't. Of each region (a tile of the page) where something is drawn, the probe sees the mean gray of what
is drawn, and predicts the region's mean L*a*b*:

    R² = 1 − Σ (y − (m·gray + n))² / Σ (y − mean)²

y: L*, a* or b*; m, n by least squares over the other folds.
Black ink alone has one gray, and so gives 0; at 1 the lines are the picture in disguise.
Folds are whole pictures.
"""

from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

TILE = 32  # px of a region's side
PAPER = 250  # grey level; what is lighter is paper, whatever rims a resize left
LEAST = 8  # px drawn, for a region to count
FOLDS = 5
BINARY = 128  # grey level that binarized lines are cut at
CONSTANT = 1e-9  # variance of gray, of 1: below it there is nothing to learn from

Pixels = NDArray[np.uint8]
Sums = NDArray[np.float64]  # (…, FOLDS, 12): of pictures together, their sums


class Leak(NamedTuple):
    """Share of the variance that the gray of lines predicts, 0 to 1.

    nan where nothing is drawn, or all is of one color.
    """

    lightness: float  # L*
    a: float  # green to red
    b: float  # blue to yellow

    @property
    def worst(self) -> float:
        """The largest of the three."""
        return max(self)


class Regions(NamedTuple):
    """The regions of a picture where something is drawn."""

    gray: NDArray[np.float64]  # (n,): mean of what is drawn, 0 to 1
    lab: NDArray[np.float64]  # (n, 3): mean L*a*b*


def tally(line: Pixels, rgb: Pixels, fold: int) -> Sums:
    """The probe's sums of a pair, (2, FOLDS, 12): of its lines as they are, and binarized.

    Such sums add up; equal folds belong together.
    line: (h, w), black on white. rgb: (h, w, 3), of the same size.
    """
    lab, sums = _lab(rgb), np.zeros((2, FOLDS, 12))
    for n, drawn in enumerate((line, binarized(line))):
        x, y = _regions(drawn, lab)
        terms = np.column_stack([np.ones(len(x)), x, x * x, y, y * y, y * x[:, None]])
        sums[n, fold % FOLDS] = terms.sum(axis=0)
    return sums


def regions(line: Pixels, rgb: Pixels) -> Regions:
    """The regions of a pair."""
    return _regions(line, _lab(rgb))


def _lab(rgb: Pixels) -> NDArray[np.float64]:
    """Sums of L*a*b* over tiles, (n, 3)."""
    lab = cv2.cvtColor(np.float32(rgb) / np.float32(255), cv2.COLOR_RGB2LAB)
    return np.stack([_tiles(lab[..., n]) for n in range(3)], axis=1)


def _regions(line: Pixels, lab: NDArray[np.float64]) -> Regions:
    drawn = line < PAPER
    count = _tiles(drawn)
    enough = count >= LEAST
    gray = _tiles(np.where(drawn, line, 0))[enough] / count[enough] / 255
    return Regions(gray, lab[enough] / _tiles(np.ones_like(drawn))[enough, None])


def binarized(line: Pixels) -> Pixels:
    """The same lines in black and white."""
    return np.where(line < BINARY, 0, 255).astype(np.uint8)


def leak(sums: Sums) -> Leak:
    """The share of color that the lines of the pictures in `sums`, (FOLDS, 12), give away."""
    missed, spread = np.zeros(3), np.zeros(3)
    for held in sums[sums[:, 0] > 0]:
        others = sums.sum(axis=0) - held
        if others[0] > 0:
            slope, offset = _fit(others)
            missed += _squares(held, slope, offset)
            spread += _squares(held, np.zeros(3), others[3:6] / others[0])
    return Leak(*map(_explained, missed.tolist(), spread.tolist()))


def _explained(missed: float, spread: float) -> float:
    """R², at least 0; nan where there is nothing to explain."""
    return max(0.0, 1 - missed / spread) if spread > 0 else float("nan")


def _fit(sums: Sums) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Slope and offset of each channel by least squares."""
    n, x, xx, y, xy = sums[0], sums[1], sums[2], sums[3:6], sums[9:12]
    variance = xx / n - (x / n) ** 2
    slope = (xy / n - x / n * y / n) / variance if variance > CONSTANT else np.zeros(3)
    return slope, y / n - slope * x / n


def _squares(sums: Sums, slope: NDArray[np.float64], offset: NDArray[np.float64]) -> NDArray[np.float64]:
    """Σ (y − slope·x − offset)² of each channel."""
    n, x, xx, y, yy, xy = sums[0], sums[1], sums[2], sums[3:6], sums[6:9], sums[9:12]
    return np.asarray(
        yy - 2 * (slope * xy + offset * y) + slope**2 * xx + 2 * slope * offset * x + n * offset**2
    )


def _tiles(values: NDArray[np.generic]) -> NDArray[np.float64]:
    """Sums over tiles of TILE × TILE px, row by row.

    What is left at the right and below makes smaller ones.
    """
    rows, columns = (np.arange(0, side, TILE) for side in values.shape)
    bands = np.add.reduceat(values.astype(np.float64), rows, axis=0)
    return np.asarray(np.add.reduceat(bands, columns, axis=1).ravel())
