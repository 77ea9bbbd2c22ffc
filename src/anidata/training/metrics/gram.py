"""Distance of styles by VGG16's Gram matrices, 0 (the same) to 1 (nothing in common).

    mean over stages of ‖G − G'‖ / (‖G‖ + ‖G'‖)      G: products of channels, averaged over c·h·w

Which features go together, wherever they are: hatching, grain, softness, palette. Each stage counts as much
as another, for its distance is a share of its size; the norm is Frobenius's. Below 16 px a side it isn't
defined.
Source: Gatys, Ecker, Bethge 2016, "Image style transfer using convolutional neural networks", eq. 3 and 4,
but for the size that is taken off, and with the stages of LPIPS's VGG16
"""

import math

import torch
from torch import Tensor

from anidata.training.compared import Compared
from anidata.training.extractors._lpips import Network
from anidata.training.losses import gram
from anidata.training.metrics import Figure

VERSION, QUICK, EXTRACTOR = 1, False, "lpips_vgg16"
FIGURES = {"gram": Figure("lower", "", 0.0, 1.0, "distance of VGG16's Gram matrices, a share", "style")}


def metric(compared: Compared, network: Network) -> dict[str, Tensor]:
    """(b,). Sides of at least 16 px."""
    if min(compared.output.shape[2:]) < network.smallest:
        return {"gram": compared.output.new_full((len(compared.output),), math.nan)}
    stages = zip(*compared.seen_by(network), strict=True)
    return {"gram": torch.stack([_distance(gram(one), gram(other)) for one, other in stages]).mean(dim=0)}


def _distance(one: Tensor, other: Tensor) -> Tensor:
    """(b, c, c), twice → (b,); two without any feature are the same."""
    sizes = _size(one) + _size(other)
    return _size(one - other) / torch.where(sizes == 0, 1, sizes)


def _size(matrices: Tensor) -> Tensor:
    return matrices.square().sum(dim=(1, 2)).sqrt()
