"""Structural similarity over five scales, 0 to 1 (the same picture).

    l₅^w₅ · Π cₙ^wₙ        n = 1 … 5, w = .0448, .2856, .3001, .2363, .1333

l and c: the mean of ssim's first and second factor over pixels and channels, of the picture halved n − 1
times by means of 2 × 2 px. The coarsest scale takes the mean of l·c together. The finer scales leave out the
5 px at the borders, whose window is mirrored; a mean below 0 counts as 0. So torchmetrics has it.
Pictures with a side below 161 px have no value: too small.
Source: Wang, Simoncelli, Bovik 2003, "Multiscale structural similarity for image quality assessment", eq. 7
"""

import torch
from torch import Tensor

from anidata.training.compared import Compared
from anidata.training.metrics import Figure
from anidata.training.metrics.ssim import WINDOW, terms

SKIPPED = "too small"  # why no picture has it
VERSION = 1
QUICK, EXTRACTOR = False, ""
WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
LEAST = 161  # px of a side: the window on the coarsest scale
FIGURES = {"msssim": Figure("higher", "", 0, 1, "likeness of structure, fine and coarse")}


def metric(compared: Compared) -> dict[str, Tensor]:
    """One value a picture."""
    value = compared.output.new_ones(len(compared.output))
    if min(compared.output.shape[2:]) < LEAST:
        return {"msssim": value * torch.nan}
    inner = slice(WINDOW // 2, -(WINDOW // 2))
    for halvings, weight in enumerate(WEIGHTS[:-1]):
        structure = terms(compared, halvings)[1][..., inner, inner].mean(dim=(1, 2, 3))
        value = value * structure.clamp(min=0) ** weight
    light, structure = terms(compared, len(WEIGHTS) - 1)
    return {"msssim": value * (light * structure).mean(dim=(1, 2, 3)).clamp(min=0) ** WEIGHTS[-1]}
