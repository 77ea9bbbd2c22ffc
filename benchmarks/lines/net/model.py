"""The network: a small U of convolutions that maps a picture to the opacity of its ink.

    stem 6 × 6, stride 2 → a; 3 × 3, stride 2 → b, c, d; residual 3 × 3 (1, 1, 2 on the way down, 1, 1 up);
    1 × 1, nearest up, add; at half size 3 × 3 → a, 3 × 3 → 4, and pixel shuffle.
No normalization: what it draws of a pixel depends on the 90 px around it alone. So tiles that begin at
multiples of 16 px and overlap by 96 join without a seam.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

WIDTHS = {"small": (8, 16, 24, 32), "middle": (8, 16, 32, 48), "large": (16, 16, 32, 48)}
MULTIPLE = 16  # px: both sides of what goes in
PAPER = -2.0  # bias of the last layer: little ink to begin with


class Residual(nn.Module):
    """x + relu(3 × 3 (x))."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(width, width, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """(n, c, h, w) → the same."""
        return x + functional.relu(self.conv(x))


class LineNet(nn.Module):
    """Logits of ink; `widths`: channels at half, quarter, eighth and sixteenth size."""

    def __init__(self, widths: Sequence[int]) -> None:
        super().__init__()
        a, b, c, d = widths
        self.stem = nn.Conv2d(3, a, 6, stride=2, padding=2)
        self.down1, self.left1 = nn.Conv2d(a, b, 3, stride=2, padding=1), Residual(b)
        self.down2, self.left2 = nn.Conv2d(b, c, 3, stride=2, padding=1), Residual(c)
        self.down3, self.deep1, self.deep2 = nn.Conv2d(c, d, 3, stride=2, padding=1), Residual(d), Residual(d)
        self.up2, self.right2 = nn.Conv2d(d, c, 1), Residual(c)
        self.up1, self.right1 = nn.Conv2d(c, b, 1), Residual(b)
        self.up0 = nn.Conv2d(b, a, 1)
        self.fine, self.last = nn.Conv2d(a, a, 3, padding=1), nn.Conv2d(a, 4, 3, padding=1)
        nn.init.constant_(self.last.bias, PAPER)

    def forward(self, x: Tensor) -> Tensor:
        """RGB (n, 3, h, w) in [0, 1], sides multiples of 16 → logits (n, 1, h, w)."""
        half = functional.relu(self.stem(x))
        quarter = self.left1(functional.relu(self.down1(half)))
        eighth = self.left2(functional.relu(self.down2(quarter)))
        deep = self.deep2(self.deep1(functional.relu(self.down3(eighth))))
        eighth = self.right2(eighth + _doubled(self.up2(deep)))
        quarter = self.right1(quarter + _doubled(self.up1(eighth)))
        half = half + _doubled(self.up0(quarter))
        return functional.pixel_shuffle(self.last(functional.relu(self.fine(half))), 2)


def built(widths: Sequence[int], seed: int) -> LineNet:
    """A network with the weights that a seed gives."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return LineNet(widths)


def parameters(net: nn.Module) -> int:
    """How many numbers are learned."""
    return sum(p.numel() for p in net.parameters())


def _doubled(x: Tensor) -> Tensor:
    return functional.interpolate(x, scale_factor=2, mode="nearest")
