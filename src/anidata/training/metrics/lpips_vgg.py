"""LPIPS by VGG16, as `lpips` is by AlexNet: 0 (the same) to about 1, less is better.

Its figures can't be set beside AlexNet's, nor beside those of papers that used the other. Below 16 px a side
it isn't defined.
Source: Zhang, Isola, Efros, Shechtman, Wang 2018, eq. 1, arXiv 1801.03924
"""

import math

from torch import Tensor

from anidata.training.compared import Compared
from anidata.training.extractors._lpips import Network
from anidata.training.metrics import Figure, lpips

VERSION, QUICK, EXTRACTOR = 1, False, "lpips_vgg16"
FIGURES = {"lpips_vgg": Figure("lower", "", 0.0, math.inf, "distance in VGG16's eye, fitted to people's")}


def metric(compared: Compared, network: Network) -> dict[str, Tensor]:
    """(b,). Sides of at least 16 px."""
    return {"lpips_vgg": lpips.distance(compared, network)}
