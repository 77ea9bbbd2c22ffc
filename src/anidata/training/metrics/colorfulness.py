"""Colorfulness of the output as a multiple of the truth's, 0 (gray) upwards; 1 is as colorful.

    M = √(σ²(rg) + σ²(yb)) + .3 · √(μ²(rg) + μ²(yb))        rg = R − G, yb = (R + G) / 2 − B, in levels of 255
    colorfulness = M(output) / M(truth)

A truth below M = 1, which is gray, gives no value.
Source: Hasler and Süsstrunk 2003, "Measuring colorfulness in natural images"
"""

import math

import torch
from torch import Tensor

from anidata.training.compared import Compared, Side
from anidata.training.metrics import Figure

VERSION = 1
QUICK, EXTRACTOR = False, ""
LEAST = 1.0  # M of a truth that counts as gray; 15 is "slightly colorful"
FIGURES = {"colorfulness": Figure("one", "", 0, math.inf, "colorfulness beside the truth's")}


def metric(compared: Compared) -> dict[str, Tensor]:
    """One value a picture."""
    truth = compared.truths.once(_of)
    return {"colorfulness": colorfulness(compared.outputs.rgb) / truth.where(truth >= LEAST, torch.nan)}


def _of(side: Side) -> Tensor:
    return colorfulness(side.rgb)


def colorfulness(rgb: Tensor) -> Tensor:
    """M of pictures (b, 3, h, w) in [0, 1]: (b,), 0 to about 190."""
    red, green, blue = (rgb * 255).flatten(2).unbind(1)
    axes = torch.stack([red - green, (red + green) / 2 - blue])
    spread, middle = axes.var(dim=2, correction=0), axes.mean(dim=2).square()
    return spread.sum(dim=0).sqrt() + 0.3 * middle.sum(dim=0).sqrt()
