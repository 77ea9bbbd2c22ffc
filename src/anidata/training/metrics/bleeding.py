"""Bleeding across lines, 0 (none) to 1: \
the share of color changes that lie away from lines and that the truth hasn't.

    Σ max(0, g(output) − ĝ(truth)) / max(Σ g(output), Σ g(truth))        above: over pixels off the lines

g: length of the gradient of a* and b* (central differences); ĝ: its largest within 2 px. A pixel is off the
lines where no ink is within 2 px. Color that stops at a line, or where the truth's does, counts nothing, and
so do lightness and shading; color that runs over a line, or ends short of it, changes where neither the line
nor the truth does. The divisor is the larger sum, so that the noise of a gray picture isn't bleeding.
Where neither picture has changes of color, or no line was given, there is no value.
Source: our own, for the artifact that Kim et al. 2021, "Deep edge-aware interactive colorization against
color-bleeding effects" (arXiv 2107.01619) measure by clusters of pixels
"""

import cv2
import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from anidata.training.compared import Compared, Mask, Pixels, Side, disc, near
from anidata.training.metrics import Figure

VERSION = 1
QUICK, EXTRACTOR = False, ""
NEAR = 2  # px
LEAST = 1e-3  # sum of gradients a pixel, in Lab: floats of a gray picture stay below
FIGURES = {"bleeding": Figure("lower", "", 0, 1, "share of color changes that no line or truth explains")}

Plane = NDArray[np.float32]


def metric(compared: Compared) -> dict[str, Tensor]:
    """One value a picture."""
    if compared.lines is None:
        return compared.gathered(lambda _: {"bleeding": float("nan")})
    outputs, truths = compared.outputs.once(gradients), compared.truths.once(gradients)
    wide, lines = compared.truths.once(widened), compared.lines.once(near, NEAR)
    of = list(zip(outputs, truths, wide, lines, strict=True))
    return compared.gathered(lambda number: {"bleeding": _share(*of[number])})


def gradients(side: Side) -> list[Plane]:
    """Of each picture."""
    return [gradient(ab) for ab in side.lab[:, 1:].cpu().float().numpy()]


def widened(side: Side) -> list[Plane]:
    """The largest gradient within reach, of each picture."""
    return [cv2.dilate(plane, disc(NEAR)) for plane in side.once(gradients)]


def gradient(ab: Plane) -> Plane:
    """Length of the gradient of two planes (2, h, w), in Lab a pixel: (h, w); borders go on outward."""
    padded = np.pad(ab, ((0, 0), (1, 1), (1, 1)), mode="edge")
    across = (padded[:, 1:-1, 2:] - padded[:, 1:-1, :-2]) / 2
    down = (padded[:, 2:, 1:-1] - padded[:, :-2, 1:-1]) / 2
    return np.asarray(np.sqrt((across**2 + down**2).sum(axis=0)), np.float32)


def share(output: Plane, truth: Plane, ink: Mask) -> float:
    """Of two gradients (h, w) and the mask of the ink."""
    return _share(output, truth, cv2.dilate(truth, disc(NEAR)), cv2.dilate(ink.astype(np.uint8), disc(NEAR)))


def _share(output: Plane, truth: Plane, wide: Plane, near_line: Pixels) -> float:
    """wide: the truth's largest gradients within reach. near_line: 1 where ink is within reach."""
    total = max(output.sum(dtype=np.float64), truth.sum(dtype=np.float64))
    if total < LEAST * near_line.size:
        return float("nan")
    off = near_line == 0
    excess = np.maximum(output - wide, 0)
    return float((excess * off).sum(dtype=np.float64) / total)
