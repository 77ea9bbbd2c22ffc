"""Kernel distance of two sets of pictures by Inception's features, 0 (alike) to no end; unbiased.

    mean k(x, x') + mean k(y, y') − 2 · mean k(x, y)      k(x, y) = (x·y / d + 1)³, x ≠ x', y ≠ y'

In the features' own units, not times 1000. It is the mean over 100 subsets of 1,000, or of as many as the
smaller set has; where that is all of both, there is one. Which pictures a subset has is the same every time.
Of sets that are alike it may fall a little below 0.
Source: Bińkowski, Sutherland, Arbel, Gretton 2018, section 4 and 5, arXiv 1801.01401; Gretton et al. 2012,
"A kernel two-sample test", eq. 3
"""

import math
from collections.abc import Iterator

import torch
from torch import Tensor

from anidata.training.metrics import Figure

VERSION, QUICK, EXTRACTOR, SET = 1, False, "inception", True
FIGURES = {"kid": Figure("lower", "", -math.inf, math.inf, "kernel distance of Inception's features")}
SUBSETS, SUBSET = 100, 1000  # how many, and pictures of each


def metric(outputs: Tensor, truths: Tensor) -> dict[str, float]:
    """(n, d) and (m, d), float64. nan: a set of fewer than 2."""
    if min(len(outputs), len(truths)) < 2:
        return {"kid": math.nan}
    distances = [squared_mmd(one, other) for one, other in _subsets(outputs, truths)]
    return {"kid": torch.stack(distances).mean().item()}


def squared_mmd(one: Tensor, other: Tensor) -> Tensor:
    """The unbiased squared maximum mean discrepancy: (n, d) and (m, d) → ()."""
    return _within(kernel(one, one)) + _within(kernel(other, other)) - 2 * kernel(one, other).mean()


def kernel(one: Tensor, other: Tensor) -> Tensor:
    """(n, d), (m, d) → (n, m)."""
    return (one @ other.T / one.shape[1] + 1) ** 3


def _within(kernels: Tensor) -> Tensor:
    """The mean over all pairs of two pictures: (n, n) → ()."""
    count = len(kernels)
    return (kernels.sum() - kernels.diagonal().sum()) / (count * (count - 1))


def _subsets(outputs: Tensor, truths: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
    size = min(SUBSET, len(outputs), len(truths))
    if size == len(outputs) == len(truths):
        yield outputs, truths
        return
    generator = torch.Generator().manual_seed(0)
    for _ in range(SUBSETS):
        chosen = [torch.randperm(len(rows), generator=generator)[:size] for rows in (outputs, truths)]
        yield outputs[chosen[0].to(outputs.device)], truths[chosen[1].to(truths.device)]
