"""Distance of the two palettes in Lab, 0 (the same) to about 259: \
how far color would have to be moved to make one of the other.

    min Σ flow · |color − color'|        the earth mover's distance, by exact transport

A palette: 8 colors at most, with their shares of the pixels. Where they lie in the picture doesn't matter.
The colors are k-means' of the histogram of 16 levels a channel (each cell by its mean in Lab), begun at the
commonest cell and then, one by one, at that with the largest share · distance²; nothing in it is random.
Source: Rubner, Tomasi, Guibas 2000, "The earth mover's distance as a metric for image retrieval"
"""

from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from anidata.training.compared import Compared, Side
from anidata.training.metrics import Figure

VERSION = 1
QUICK, EXTRACTOR = False, ""
COLORS = 8  # of a palette, at most
BITS = 4  # of each channel, by which the histogram's cells are numbered
ROUNDS = 10  # of k-means
FIGURES = {"palette": Figure("lower", "Lab", 0, 259, "distance of the palettes")}


class Palette(NamedTuple):
    """Colors and what they cover."""

    colors: NDArray[np.float64]  # (k, 3) in Lab
    shares: NDArray[np.float64]  # (k,), 1 in all


def metric(compared: Compared) -> dict[str, Tensor]:
    """One value a picture."""
    outputs, truths = compared.outputs.once(palettes), compared.truths.once(palettes)
    return compared.gathered(lambda number: {"palette": distance(outputs[number], truths[number])})


def palettes(side: Side) -> list[Palette]:
    """Of each picture."""
    return [palette(levels, lab) for levels, lab in zip(side.levels, side.planes, strict=True)]


def palette(levels: NDArray[np.uint8], lab: NDArray[np.float64]) -> Palette:
    """Of a picture (h, w, 3) and the same in Lab (3, h·w)."""
    red, green, blue = (levels.reshape(-1, 3).T >> (8 - BITS)).astype(np.intp)
    cell = (red << 2 * BITS) + (green << BITS) + blue
    counts = np.bincount(cell, minlength=1 << 3 * BITS)
    used = np.flatnonzero(counts)
    sums = np.stack([np.bincount(cell, channel, counts.size)[used] for channel in lab], axis=1)
    weights = counts[used].astype(np.float64)
    points = sums / weights[:, None]
    centers = _begun(points, weights)
    for _ in range(ROUNDS):
        nearest = _squares(points, centers).argmin(axis=1)
        centers, shares = _means(points, weights, nearest, centers)
    return Palette(centers[shares > 0], shares[shares > 0])


def distance(one: Palette, other: Palette) -> float:
    """The least cost of turning one palette into the other."""
    cost = np.sqrt(_squares(one.colors, other.colors)).astype(np.float32)
    here, there = (p.shares.astype(np.float32)[:, None] for p in (one, other))
    return max(0.0, float(cv2.EMD(here, there, cv2.DIST_USER, cost)[0]))


def _begun(points: NDArray[np.float64], weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """The points that k-means starts from, as many as there are different ones up to COLORS."""
    chosen = [int(weights.argmax())]
    nearest = _squares(points, points[chosen])[:, 0]
    while len(chosen) < min(COLORS, len(points)):
        chosen.append(int((weights * nearest).argmax()))
        nearest = np.minimum(nearest, _squares(points, points[chosen[-1:]])[:, 0])
    return points[chosen]


def _means(
    points: NDArray[np.float64],
    weights: NDArray[np.float64],
    nearest: NDArray[np.intp],
    centers: NDArray[np.float64],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The clusters' means and shares; one that has lost all its points stays where it was."""
    totals = np.bincount(nearest, weights, len(centers))
    sums = np.stack([np.bincount(nearest, weights * axis, len(centers)) for axis in points.T], axis=1)
    means = sums / np.maximum(totals, 1)[:, None]
    return np.where(totals[:, None] > 0, means, centers), totals / totals.sum()


def _squares(one: NDArray[np.float64], other: NDArray[np.float64]) -> NDArray[np.float64]:
    """Squared distances of (n, 3) from (m, 3): (n, m)."""
    return np.asarray(((one[:, None] - other[None]) ** 2).sum(axis=2))
