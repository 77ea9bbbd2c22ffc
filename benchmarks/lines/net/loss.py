"""What is made small: 2 · BCE + ½ · Tversky, of the opacity of ink, weighted by the pixel.

    Tversky = 1 − TP / (TP + α · FP + β · FN); α .4, β .6 at first, .5 and .5 in the last third: what misses
    lines is worse to begin with; kept to the end, that would push the useful threshold up to .7.
Source: Salehi et al. 2017, arXiv 1706.05721, eq. 4.
"""

from torch import Tensor
from torch.nn import functional

FALSE, MISSED = 0.4, 0.6  # weights of false and of missed ink, before the last third
SYMMETRIC = 2 / 3  # of the training, from where on both weigh the same


def loss(logits: Tensor, ink: Tensor, weight: Tensor, progress: float) -> Tensor:
    """Of logits, true opacity in [0, 1] and weights, all (n, 1, h, w), a number."""
    bce = functional.binary_cross_entropy_with_logits(logits, ink, weight, reduction="sum") / weight.sum()
    return 2 * bce + 0.5 * tversky(logits.sigmoid(), ink, weight, progress)


def tversky(drawn: Tensor, ink: Tensor, weight: Tensor, progress: float) -> Tensor:
    """1 − the index, over the whole batch."""
    false, missed = (0.5, 0.5) if progress >= SYMMETRIC else (FALSE, MISSED)
    hit = (weight * drawn * ink).sum()
    over, under = (weight * drawn * (1 - ink)).sum(), (weight * (1 - drawn) * ink).sum()
    return 1 - (hit + 1) / (hit + false * over + missed * under + 1)
