"""LPIPS by AlexNet, the distance of pictures in a network's eye: 0 (the same) to about 1, less is better.

    Σ over stages of mean over pixels of Σ over channels w·(x̂ − ŷ)²      x̂: activations, of length 1 a pixel

Weights w of channels are those that were fitted to people's judgments (version 0.1, linear). Pictures go in
as they are, in [-1, 1]. Below 31 px a side it isn't defined: nothing reaches AlexNet's last stage.
Source: Zhang, Isola, Efros, Shechtman, Wang 2018, "The unreasonable effectiveness of deep features as a
perceptual metric", eq. 1, arXiv 1801.03924
"""

import math

import torch
from torch import Tensor

from anidata.training.compared import Compared
from anidata.training.extractors._lpips import Network
from anidata.training.metrics import Figure

VERSION, QUICK, EXTRACTOR = 1, False, "lpips_alexnet"
FIGURES = {"lpips": Figure("lower", "", 0.0, math.inf, "distance in AlexNet's eye, fitted to people's")}
LEAST = 1e-10  # beside a length


def metric(compared: Compared, network: Network) -> dict[str, Tensor]:
    """(b,). Sides of at least 31 px."""
    return {"lpips": distance(compared, network)}


def distance(compared: Compared, network: Network) -> Tensor:
    """LPIPS in the eye of either network, (b,); nan: the pictures are too small for it."""
    if min(compared.output.shape[2:]) < network.smallest:
        return compared.output.new_full((len(compared.output),), math.nan)
    stages = zip(network.linear, *compared.seen_by(network), strict=True)
    means = [_weighed(weight, _unit(one), _unit(other)) for weight, one, other in stages]
    return torch.stack(means).sum(dim=0)


def _unit(features: Tensor) -> Tensor:
    """Of length 1 at each pixel."""
    return features / (features.square().sum(dim=1, keepdim=True).sqrt() + LEAST)


def _weighed(weight: Tensor, one: Tensor, other: Tensor) -> Tensor:
    return torch.einsum("c,bchw->bhw", weight, (one - other).square()).mean(dim=(1, 2))
