"""Structural similarity, -1 to 1 (the same picture).

    (2·μx·μy + C1)·(2·σxy + C2) / ((μx² + μy² + C1)·(σx² + σy² + C2))
    C1 = (.01·L)², C2 = (.03·L)², L: white − black

Means, variances and the covariance are taken under a Gaussian window of 11 × 11 px with σ = 1.5 px about
every pixel, in each channel by itself, the picture mirrored at its borders as torchmetrics has it. The mean
over pixels and channels is the picture's value.

The formula holds for values that begin at 0 for black, for it weighs means by their size: pictures are
brought from [-1, 1] to [0, 1] first, and the value is that of uint8 pictures with L = 255. Version 1 took
them as they were: gray 118 against 137 was -.93 in place of .99.
Pictures with a side below 6 px have no value.
Source: Wang, Bovik, Sheikh, Simoncelli 2004, "Image quality assessment: from error visibility to structural
similarity", eq. 13
"""

import torch
import torch.nn.functional as F  # noqa: N812 its usual name
from torch import Tensor

from anidata.training.compared import Compared, Side
from anidata.training.metrics import Figure

VERSION = 2
QUICK, EXTRACTOR = True, ""
WINDOW, SIGMA = 11, 1.5  # px
RANGE = 1  # of values from 0 to 1
C1, C2 = (0.01 * RANGE) ** 2, (0.03 * RANGE) ** 2
FIGURES = {"ssim": Figure("higher", "", -1, 1, "likeness of structure")}


def metric(compared: Compared) -> dict[str, Tensor]:
    """One value a picture."""
    if min(compared.output.shape[2:]) <= WINDOW // 2:
        return {"ssim": compared.output.new_full((len(compared.output),), torch.nan)}
    light, structure = terms(compared)
    return {"ssim": torch.mean(light * structure, dim=(1, 2, 3))}


def terms(compared: Compared, halvings: int = 0) -> tuple[Tensor, Tensor]:
    """The formula's two factors for each pixel and channel of the pictures, halved so often: (b, c, h, w)."""
    return compared.outputs.once(_terms, compared.truths, halvings)


def _terms(outputs: Side, truths: Side, halvings: int) -> tuple[Tensor, Tensor]:
    (x, xx), (y, yy) = outputs.once(moments, halvings), truths.once(moments, halvings)
    (xy,) = _blurred((outputs.once(halved, halvings) * truths.once(halved, halvings))[None])
    both, of_x, of_y = x * y, x * x, y * y
    return (2 * both + C1) / (of_x + of_y + C1), (2 * (xy - both) + C2) / (xx + yy - of_x - of_y + C2)


def halved(side: Side, halvings: int) -> Tensor:
    """Pictures in [0, 1], each halving by means of 2 × 2 px."""
    return F.avg_pool2d(side.once(halved, halvings - 1), 2) if halvings else side.rgb


def moments(side: Side, halvings: int) -> Tensor:
    """Mean and mean square under the window, (2, b, c, h, w)."""
    pictures = side.once(halved, halvings)
    return _blurred(torch.stack([pictures, pictures * pictures]))


def _blurred(pictures: Tensor) -> Tensor:
    """(n, b, c, h, w), each channel under the window: by shifts, for a convolution of one channel is slow."""
    height, width = pictures.shape[3:]
    steps = torch.arange(WINDOW, dtype=torch.float64) - WINDOW // 2
    weights = torch.exp(-0.5 * (steps / SIGMA) ** 2)
    shares: list[float] = (weights / weights.sum()).tolist()
    padded = F.pad(pictures.flatten(0, 1), [WINDOW // 2] * 4, mode="reflect")
    down: Tensor = padded[..., :height, :] * shares[0]
    for n, share in enumerate(shares[1:], 1):
        down.add_(padded[..., n : n + height, :], alpha=share)
    across: Tensor = down[..., :width] * shares[0]
    for n, share in enumerate(shares[1:], 1):
        across.add_(down[..., n : n + width], alpha=share)
    return across.view(pictures.shape)
