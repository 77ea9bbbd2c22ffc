"""Fréchet distance of two sets of pictures by Inception's 2048 features, 0 (alike) to no end.

    ‖μ − μ'‖² + tr(C + C' − 2·(C·C')^½)      μ, C: mean and covariance (n − 1) of each set's features

With A·Aᵀ = C, B·Bᵀ = C' the trace of the root is the sum of the singular values of Aᵀ·B, so that no root of a
matrix is taken, and none of what rounding has made negative.
It is biased upward where sets are small: below some 2,000 pictures it says more of the sets' size than of the
colors, and it can be set beside another FID only if the sizes are the same. Its extractor is the Inception of
2015-12-05; distances by any other network's features aren't FID.
Source: Heusel et al. 2017, eq. 6, arXiv 1706.08500; Dowson and Landau 1982, "The Fréchet distance between
multivariate normal distributions"
"""

import math

import torch
from torch import Tensor

from anidata.training.metrics import Figure

VERSION, QUICK, EXTRACTOR, SET = 1, False, "inception", True
FIGURES = {"fid": Figure("lower", "", 0.0, math.inf, "Fréchet distance of Inception's features")}


def metric(outputs: Tensor, truths: Tensor) -> dict[str, float]:
    """(n, d) and (m, d), float64. nan: a set of fewer than 2."""
    if min(len(outputs), len(truths)) < 2:
        return {"fid": math.nan}
    one, other = _spread(outputs), _spread(truths)
    means = (outputs.mean(dim=0) - truths.mean(dim=0)).square().sum()
    traces = one.square().sum() + other.square().sum()
    shared = torch.linalg.svdvals(one @ other.T).sum()
    return {"fid": max((means + traces - 2 * shared).item(), 0.0)}


def _spread(features: Tensor) -> Tensor:
    """A matrix Aᵀ of at most d rows with A·Aᵀ the covariance: (n, d) → (min(n, d), d)."""
    centered = (features - features.mean(dim=0)) / math.sqrt(len(features) - 1)
    if len(centered) <= centered.shape[1]:
        return centered
    root: Tensor = torch.linalg.qr(centered, mode="r").R
    return root
