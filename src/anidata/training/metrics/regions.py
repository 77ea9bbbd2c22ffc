"""Color of the regions that the lines enclose against the truth's, ΔE00, 0 (the same) to about 120.

regions           mean over the regions of ΔE00 between their mean colors, each region counting once
regions_area      the same, each region counting by its area
regions_variance  variance of L*, a* and b* within regions as a multiple of the truth's: 1 is as even, below 1
                  flatter, above 1 blotched; regions count by area; nan where the truth's is below 1

A region is a connected part, by edges, of what isn't ink (darker than 128) in the line that the model was
given, of 16 px at least. Lines with gaps enclose less. No line, or no region: no value.
Source: our own, with ΔE00 as in ciede2000, for the flat colors of Zhang et al. 2021, "User-guided line art
flat filling with split filling mechanism"; regions are plain components here
"""

import math

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from anidata.training.compared import Compared, Mask, Side, ink
from anidata.training.metrics import Figure
from anidata.training.metrics.ciede2000 import MOST, difference

VERSION = 1
QUICK, EXTRACTOR = False, ""
LEAST = 16  # px of a region
FLAT = 1.0  # variance in Lab of a truth that counts as flat
FIGURES = {
    "regions": Figure("lower", "ΔE00", 0, MOST, "difference of the regions' mean colors"),
    "regions_area": Figure("lower", "ΔE00", 0, MOST, "the same, by area"),
    "regions_variance": Figure("one", "", 0, math.inf, "variance within regions beside the truth's"),
}

Colors = NDArray[np.float64]


def metric(compared: Compared) -> dict[str, Tensor]:
    """Three values a picture."""
    lines = compared.lines
    if lines is None:
        return compared.gathered(lambda _: dict.fromkeys(FIGURES, math.nan))
    areas = [of for _, of in lines.once(regions)]
    outputs, truths = _all_moments(compared.outputs, lines), compared.truths.once(_all_moments, lines)

    def measured(number: int) -> dict[str, float]:
        if not len(areas[number]):
            return dict.fromkeys(FIGURES, math.nan)
        return _figures(outputs[number], truths[number], areas[number])

    return compared.gathered(measured)


def regions(lines: Side) -> list[tuple[NDArray[np.intp], Colors]]:
    """Of each picture what its lines enclose."""
    return [enclosed(mask) for mask in lines.once(ink)]


def enclosed(mask: Mask) -> tuple[NDArray[np.intp], Colors]:
    """The regions' numbers for each pixel, (h·w,), 0 for none, and their areas, (n,), from number 1 on."""
    _, labels = cv2.connectedComponents((~mask).astype(np.uint8), connectivity=4)
    areas = np.bincount(labels.ravel())
    large = areas >= LEAST
    large[0] = False  # the ink
    numbers = np.where(large, np.cumsum(large), 0)
    return numbers[labels.ravel()], areas[large].astype(np.float64)


def _all_moments(side: Side, lines: Side) -> list[tuple[Colors, float]]:
    """Of each picture that has regions; (nothing, 0) of others."""
    pairs = zip(side.planes, lines.once(regions), strict=True)
    return [_moments(lab, *of) if len(of[1]) else (np.empty((3, 0)), 0.0) for lab, of in pairs]


def _figures(output: tuple[Colors, float], truth: tuple[Colors, float], areas: Colors) -> dict[str, float]:
    """Of two pictures' moments."""
    (one, spread), (other, expected) = output, truth
    apart = difference(torch.from_numpy(one)[None], torch.from_numpy(other)[None])[0].numpy()
    return {
        "regions": float(apart.mean()),
        "regions_area": float(np.average(apart, weights=areas)),
        "regions_variance": spread / expected if expected >= FLAT else math.nan,
    }


def _moments(lab: Colors, labels: NDArray[np.intp], areas: Colors) -> tuple[Colors, float]:
    """The regions' mean colors, (3, n), and the variance about them."""
    count = len(areas) + 1
    means = np.stack([np.bincount(labels, channel, count)[1:] for channel in lab]) / areas
    away = lab - np.concatenate([np.zeros((3, 1)), means], axis=1)[:, labels]
    squares = (away * away).sum(axis=0)
    return means, float(squares[labels > 0].sum() / areas.sum())
