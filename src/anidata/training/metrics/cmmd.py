"""Kernel distance of two sets of pictures by CLIP's embeddings, 0 (alike) to 40.

    1000 · (mean k(x, x') + mean k(y, y') − 2 · mean k(x, y))      k(x, y) = exp(−‖x − y‖² / (2·σ²)), σ = 10

Over all pairs, those of a picture with itself too, as its authors' program has it: of sets that are alike in
kind it is a little above 0, and less so the larger they are. It assumes no normal distribution, and is
steadier than FID on small sets.
Source: Jayasumana, Ramalingam, Veit, Glasner, Chakrabarti, Kumar 2024, "Rethinking FID: towards a better
evaluation metric for image generation", eq. 5, arXiv 2401.09603
"""

import math

import torch
from torch import Tensor

from anidata.training.metrics import Figure

VERSION, QUICK, EXTRACTOR, SET = 1, False, "clip", True
SIGMA, SCALE = 10, 1000
MOST = 2 * SCALE * (1 - math.exp(-2 / SIGMA**2))  # each set a point, of length 1, and opposite
FIGURES = {"cmmd": Figure("lower", "", 0.0, MOST, "kernel distance of CLIP's embeddings, times 1000")}
ROWS = 1024  # of embeddings whose pairs are held at a time


def metric(outputs: Tensor, truths: Tensor) -> dict[str, float]:
    """(n, d) and (m, d), float64. nan: an empty set."""
    if min(len(outputs), len(truths)) < 1:
        return {"cmmd": math.nan}
    within = _mean(outputs, outputs) + _mean(truths, truths)
    return {"cmmd": SCALE * (within - 2 * _mean(outputs, truths))}


def _mean(one: Tensor, other: Tensor) -> float:
    """Of the kernel over all pairs."""
    parts = (one[start : start + ROWS] for start in range(0, len(one), ROWS))
    total = sum(kernel(rows, other).sum().item() for rows in parts)
    return total / (len(one) * len(other))


def kernel(one: Tensor, other: Tensor) -> Tensor:
    """(n, d), (m, d) → (n, m)."""
    squares = one.square().sum(dim=1)[:, None] + other.square().sum(dim=1) - 2 * one @ other.T
    return torch.exp(-squares.clamp(min=0) / (2 * SIGMA**2))
