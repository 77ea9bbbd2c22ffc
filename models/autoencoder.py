"""Deterministic regression: a U-Net (`unet`), or a convolutional autoencoder with a bottleneck (`cae`). \
The floor that other baselines must beat.

    anidata train-baseline autoencoder DATASET RUN                     a U-Net that runs on a CPU too
    anidata train-baseline autoencoder DATASET RUN --preset large      wider, for a GPU
    anidata train-baseline autoencoder DATASET RUN --preset cae        all goes through the bottleneck

What minimizes L1 is a median: colors that the lines don't tell come out muted, like the average over all
pictures. That is expected.

Hardware, time, result:
    16 pairs of 64 px learned by heart (benchmarks/overfit.py), one CPU core: `unet` past 25 dB PSNR after
        45 to 60 s, `cae` past 20 dB after 30 to 61 s (5 seeds each); given each other's lines, the loss of
        `unet` is 9 times as high or more, of `cae` 4.6 times
    128 px, 217 pairs, 10 minutes of one CPU core (benchmarks/compare_baselines.py), 65 held-out pairs: `unet`
        15.36 and 15.35 dB, CIEDE2000 13.8 and 13.7 (2 seeds) after 6,000 images; `cae` 13.37 dB, 16.0 (one
        seed) after 5,796 (before the jitter had brightness and contrast; with it, after
        five minutes, 3 seeds: `unet` 14.55 dB, SSIM .726, CIEDE2000 15.4; `cae` 12.62, .494, 17.7)
    256 px on a GPU: not yet run
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812 its name everywhere
from torch import Tensor, nn

from anidata.errors import RecipeError
from anidata.recipe import Amount, Count, Positive, Share
from anidata.training import losses, optimizers, watch
from anidata.training.baseline import Batch, Update
from anidata.training.models import Widths, check_sides

L1 = losses.Weights(l1=1.0)


@dataclass(frozen=True, kw_only=True)
class Config:
    """A network from conditions to colors, and what its output is compared by."""

    condition: Positive = 1  # channels of the conditions; the trainer sets it
    size: Positive = 256  # px of a side; the trainer sets it
    channels: Widths = (16, 32, 64, 128, 128)  # of each level, half the sides of the one above
    blocks: Positive = 1  # residual blocks of a level on the way down, and again on the way up
    skips: bool = True  # each level on the way up sees its twin on the way down; false: an autoencoder
    bottleneck: Count = 0  # channels that the lowest level is squeezed to; 0: not at all
    loss: losses.Weights = L1  # of the picture beside its truth
    optimizer: optimizers.Name = "adamw"  # adam, adamw, rmsprop, sgd
    lr: Amount = 5e-4  # at its highest; train.schedule moves it
    beta1: Share = 0.9  # of adam, adamw: what stays of the gradient's average in a step; 0: off
    beta2: Share = 0.999  # of adam, adamw: what stays of the squared gradient's average
    momentum: Share = 0.0  # of rmsprop, sgd; 0: off
    alpha: Share = 0.99  # of rmsprop: what stays of the squared gradient's average
    weight_decay: Amount = 0.0  # share of the rate by which weights shrink in a step; 0: off


UNET = Config()
PRESETS = {
    "default": UNET,
    "unet": UNET,
    "cae": replace(UNET, skips=False, bottleneck=64),
    "large": replace(UNET, channels=(64, 128, 256, 512, 512), blocks=2, lr=2e-4),
    "smoke": replace(UNET, channels=(8, 16, 32)),
}
SMALL: dict[str, Any] = {"batch": 4}
TRAIN: dict[str, dict[str, Any]] = {
    "default": SMALL,
    "unet": SMALL,
    "cae": SMALL,
    "smoke": {"images": 800, "size": 64, "batch": 8},
}


def build(config: Config) -> "Regression":
    """Raises: RecipeError: a size that can't be halved often enough, or no loss at all."""
    return Regression(config)


class Regression:
    """One network, one loss."""

    sampled = ("network",)

    def __init__(self, config: Config) -> None:
        check(config, (config.size, config.size))
        if config.loss == losses.Weights():
            raise RecipeError("model.loss: all of it is 0. Set model.loss.l1=1")
        self.config = config
        self.compare, self.diversity = losses.Comparison(config.loss), watch.Diversity()
        network = UNet(config)
        self.networks: dict[str, nn.Module] = {"network": network}
        self.optimizers = {"network": optimizers.of(config, network.parameters(), config.lr)}

    def step(
        self,
        batch: Batch,
        generator: torch.Generator,  # noqa: ARG002 nothing is random
        update: Update,
    ) -> Mapping[str, Tensor]:
        check(self.config, batch.condition.shape)
        painted = self.networks["network"](batch.condition)
        total, terms = self.compare(painted, batch.color)
        update(total, "network")
        return {"loss": total.detach(), **terms, **self.diversity(painted, batch.color)}

    @torch.no_grad()
    def sample(self, batch: Batch, generator: torch.Generator) -> Tensor:  # noqa: ARG002 nothing is random
        check(self.config, batch.condition.shape)
        painted: Tensor = self.networks["network"](batch.condition)
        return painted.float().clamp(-1, 1)


def check(config: Config, shape: tuple[int, ...]) -> None:
    check_sides(shape, 2 ** (len(config.channels) - 1), ", or fewer levels in model.channels")


class UNet(nn.Module):
    """Down by strided convolutions, up by enlarging and convolving, which leaves no checkerboard.

    There are residual blocks on the way.
    Source: Ronneberger et al. 2015, arXiv 1505.04597; Odena et al. 2016, distill.pub/2016/deconv-checkerboard
    """

    def __init__(self, config: Config) -> None:
        super().__init__()
        channels, lowest = config.channels, config.channels[-1]
        pairs = list(pairwise(channels))
        self.skips = config.skips
        self.enter = nn.Conv2d(config.condition, channels[0], 3, padding=1)
        self.down = nn.ModuleList(nn.Conv2d(above, below, 3, stride=2, padding=1) for above, below in pairs)
        # none at the full size, which is passed quickly: it costs most
        self.before = nn.ModuleList(blocks(below, config.blocks) for _, below in pairs)
        if config.bottleneck:
            self.middle = squeeze(lowest, config.bottleneck)
        else:
            self.middle = blocks(lowest, config.blocks)
        self.up = nn.ModuleList(nn.Conv2d(below, above, 3, padding=1) for above, below in pairs)
        self.after = nn.ModuleList(blocks(above, config.blocks) for above, _ in pairs)
        self.leave = nn.Sequential(*activated(channels[0]), nn.Conv2d(channels[0], 3, 3, padding=1))

    def forward(self, condition: Tensor) -> Tensor:
        """(b, condition, h, w) → (b, 3, h, w), about [-1, 1] but not held there."""
        x = self.enter(condition)
        passed = []
        for down, before in zip(self.down, self.before, strict=True):
            passed.append(x)
            x = before(down(x))
        x = self.middle(x)
        for up, after in zip(reversed(self.up), reversed(self.after), strict=True):
            x = up(F.interpolate(x, scale_factor=2.0))
            skip = passed.pop()
            x = after(x + skip if self.skips else x)
        painted: Tensor = self.leave(x)
        return painted


class Residual(nn.Module):
    """x + f(x), f two convolutions, each after norm and activation; at first f is 0.

    Source: He et al. 2016, arXiv 1603.05027
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            *activated(channels),
            nn.Conv2d(channels, channels, 3, padding=1),
            *activated(channels),
            nn.Conv2d(channels, channels, 3, padding=1),
        )
        nn.init.zeros_(self.body[-1].weight)
        nn.init.zeros_(self.body[-1].bias)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.body(x)


def blocks(channels: int, count: int) -> nn.Sequential:
    return nn.Sequential(*[Residual(channels) for _ in range(count)])


def squeeze(channels: int, bottleneck: int) -> nn.Sequential:
    """Through fewer channels: (h·w·bottleneck) numbers are all that passes."""
    return nn.Sequential(
        Residual(channels),
        nn.Conv2d(channels, bottleneck, 1),
        nn.Conv2d(bottleneck, channels, 1),
        Residual(channels),
    )


def activated(channels: int) -> list[nn.Module]:
    return [norm(channels), nn.SiLU()]


def norm(channels: int) -> nn.GroupNorm:
    """Of each picture by itself, in 8 groups, or as many as divide the channels."""
    return nn.GroupNorm(math.gcd(8, channels), channels)
