"""Conditional GANs: a residual U-Net against two-scale PatchGANs (`default`), \
`pix2pix` as in its paper, and `cyclegan` for unpaired sets.

    anidata train-baseline gan DATASET RUN                      a generator that runs on a CPU too
    anidata train-baseline gan DATASET RUN --preset large       wider, for a GPU
    anidata train-baseline gan DATASET RUN --preset pix2pix     with its own values
    anidata train-baseline gan DATASET RUN --preset cyclegan    no loss compares a line with its own color

pix2pix: Isola et al. 2017, arXiv 1611.07004; CycleGAN: Zhu et al. 2017, arXiv 1703.10593

Hardware, time, result:
    16 pairs of 64 px learned by heart (benchmarks/overfit.py), one CPU core: `default` past 25 dB PSNR after
        45 to 61 s (5 seeds); given each other's lines, the loss is more than 7 times as high
    128 px, 217 pairs, 10 minutes of one CPU core (benchmarks/compare_baselines.py), 65 held-out pairs, 2
        seeds: `default` 15.38 and 15.32 dB, CIEDE2000 13.1 and 13.3 after 4,684 and 3,812 images; `pix2pix`
        13.79 and 14.01 dB, 15.6 and 15.8 after 1,151 and 1,052 (before the jitter had brightness
        and contrast; with it, 5 minutes, 3 seeds: 14.26 dB, SSIM .720, 15.5 and 13.16, .638, 17.5)
    256 px on a GPU: not yet run
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from itertools import pairwise
from typing import Any, Literal

import torch
import torch.nn.functional as F  # noqa: N812 its name everywhere
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from anidata.errors import RecipeError
from anidata.recipe import Amount, Count, Positive, Share
from anidata.training import losses, optimizers, watch
from anidata.training.baseline import Batch, Update
from anidata.training.models import Widths, check_sides
from anidata.training.pool import Pools

PAIRED = losses.Weights(l1=100.0)  # as in pix2pix


@dataclass(frozen=True, kw_only=True)
class Config:
    """Generator, discriminator, and what either is trained by."""

    condition: Positive = 1  # channels of the conditions; the trainer sets it
    size: Positive = 256  # px of a side; the trainer sets it
    # resize-convolution U-Net, or those of pix2pix and CycleGAN
    generator: Literal["residual", "pix2pix", "resnet"] = "residual"
    # residual: of each level, half the sides of the one above; others take the first alone
    channels: Widths = (16, 32, 64, 128, 128)
    # residual: blocks of a level on the way down, and again on the way up; resnet: blocks in all
    blocks: Positive = 1
    # of its layers, all but the last of stride 2; four of them see patches of 70 px
    discriminator: Widths = (32, 64, 128, 256)
    scales: Positive = 2  # discriminators, each on a picture of half the sides; 1: the full size alone
    # of the discriminator: of its weights, or of its activations in each picture
    norm: Literal["spectral", "instance"] = "spectral"
    adversarial: Literal["hinge", "vanilla", "lsgan"] = "hinge"  # what the two play for
    adversarial_weight: Amount = 1.0  # in the generator's loss; 0: off
    pool: Count = 0  # past pictures, shown to a discriminator half of the time, with `cycle`; 0: none
    loss: losses.Weights = PAIRED  # of the picture beside its truth; all 0 for unpaired sets
    cycle: Amount = 0.0  # of L1 there and back again, for unpaired sets; 0: off, the pictures are pairs
    # of L1 between a color picture and itself painted, a line and itself drawn, with `cycle`; 0: off
    identity: Amount = 0.0
    # gamma of the penalty on the discriminator's gradient at real pictures, of a patch: the same at any size;
    # 0: off. At 128 px it is what 1e-3 was while the penalty summed over patches
    r1: Amount = 0.4
    r1_every: Positive = 16  # steps from one penalty to the next, on average; 1: in each
    optimizer: optimizers.Name = "adam"  # of both sides
    lr: Amount = 5e-4  # of the generator, at its highest; train.schedule moves both
    discriminator_lr: Amount = 2e-4  # at its highest
    discriminator_weight: Amount = 1.0  # of its loss, beside the clipping of its gradient; 1: off
    beta1: Share = 0.5  # of adam, adamw: what stays of the gradient's average in a step; 0: off
    beta2: Share = 0.999  # of adam, adamw: what stays of the squared gradient's average
    momentum: Share = 0.0  # of rmsprop, sgd; 0: off
    alpha: Share = 0.99  # of rmsprop: what stays of the squared gradient's average


DEFAULT = Config()
LARGE = replace(
    DEFAULT, channels=(64, 128, 256, 512, 512), blocks=2, discriminator=(64, 128, 256, 512), lr=2e-4
)
PIX2PIX = Config(
    generator="pix2pix",
    channels=(64,),
    discriminator=(64, 128, 256, 512),
    scales=1,
    norm="instance",
    adversarial="vanilla",
    r1=0.0,
    lr=2e-4,
    discriminator_lr=2e-4,
    discriminator_weight=0.5,
)
UNPAIRED: dict[str, Any] = {"loss": losses.Weights(), "cycle": 10.0, "identity": 5.0, "pool": 50}
CYCLEGAN = replace(PIX2PIX, generator="resnet", blocks=9, adversarial="lsgan", **UNPAIRED)
PRESETS = {
    "default": DEFAULT,
    "large": LARGE,
    "pix2pix": PIX2PIX,
    "cyclegan": CYCLEGAN,
    "smoke": replace(DEFAULT, channels=(8, 16, 32), discriminator=(8, 16, 32)),
}
PAPER: dict[str, Any] = {"batch": 1, "clip": 0, "ema": 0}
TRAIN: dict[str, dict[str, Any]] = {
    "default": {"batch": 4},
    "pix2pix": PAPER,
    "cyclegan": {**PAPER, "schedule": "linear"},
    "smoke": {"images": 800, "size": 64, "batch": 8},
}


def build(config: Config) -> "Paired | Unpaired":
    """Raises: RecipeError: a size that doesn't suit the networks, or losses that ask for other data."""
    if config.pool and not config.cycle:
        raise RecipeError("model.pool: past pictures are shown with model.cycle alone. Set model.pool=0.")
    return Unpaired(config) if config.cycle else Paired(config)


class Paired:
    """Lines with their own colors."""

    sampled = ("generator",)

    def __init__(self, config: Config) -> None:
        check(config, (config.size, config.size))
        self.config = config
        self.compare = losses.Comparison(config.loss)
        generator, judge = generator_of(config, config.condition), Discriminator(config, config.condition + 3)
        self.networks: dict[str, nn.Module] = {"generator": generator, "discriminator": judge}
        self.optimizers, self.diversity = optimizers_of(config, [generator], [judge]), watch.Diversity()

    def step(self, batch: Batch, generator: torch.Generator, update: Update) -> Mapping[str, Tensor]:
        check(self.config, batch.condition.shape)
        judge, line = self.networks["discriminator"], batch.condition
        painted = self.networks["generator"](line, generator)
        real, fake = torch.cat([line, batch.color], 1), torch.cat([line, painted], 1)
        judged, right = discriminator_loss(self.config, judge, real, fake.detach(), generator)
        update(judged, "discriminator")
        fooled = generator_loss(self.config, judge, fake)
        total, terms = self.compare(painted, batch.color)
        total = total + self.config.adversarial_weight * fooled
        update(total, "generator")
        game = {"adversarial": fooled.detach(), "discriminator": judged.detach()}
        return {"loss": total.detach(), **terms, **game, **right, **self.diversity(painted, batch.color)}

    @torch.no_grad()
    def sample(self, batch: Batch, generator: torch.Generator) -> Tensor:
        check(self.config, batch.condition.shape)
        painted: Tensor = self.networks["generator"](batch.condition, generator)
        return painted.float()


class Unpaired:
    """Lines and colors of other pictures: each is translated, judged beside past ones, translated back."""

    sampled, unpaired = ("painter",), True

    def __init__(self, config: Config) -> None:
        check_unpaired(config)
        check(config, (config.size, config.size))
        self.config = config
        painter, drawer = generator_of(config, 3), generator_of(config, 3)
        generators: dict[str, nn.Module] = {"painter": painter, "drawer": drawer}
        judges: dict[str, nn.Module] = {k: Discriminator(config, 3) for k in ("color_judge", "line_judge")}
        self.pools = Pools(len(judges), config.pool, config.size)
        self.networks = generators | judges | {"pools": self.pools}
        self.optimizers = optimizers_of(config, list(generators.values()), list(judges.values()))
        self.diversity = watch.Diversity()

    def step(self, batch: Batch, generator: torch.Generator, update: Update) -> Mapping[str, Tensor]:
        check(self.config, batch.condition.shape)
        config, line, color = self.config, as_picture(batch.condition), batch.color
        paint, draw = (partial(self.networks[name], generator=generator) for name in ("painter", "drawer"))
        painted, drawn = paint(line), draw(color)
        judges = self.networks["color_judge"], self.networks["line_judge"]
        past = self.pools([painted.detach(), drawn.detach()], generator)
        sides = zip(judges, (color, line), past, strict=True)
        games = [discriminator_loss(config, *side, generator) for side in sides]
        judged = games[0][0] + games[1][0]
        if update(judged, "discriminator") is not False:
            self.pools.keep()
        fakes = zip(judges, (painted, drawn), strict=True)
        fooled = sum(generator_loss(config, judge, fake) for judge, fake in fakes)
        cycle = losses.l1(draw(painted), line) + losses.l1(paint(drawn), color)
        identity = torch.zeros_like(cycle)
        if config.identity:
            identity = losses.l1(paint(color), color) + losses.l1(draw(line), line)
        total = config.adversarial_weight * fooled + config.cycle * cycle + config.identity * identity
        update(total, "generator")
        terms = {"loss": total, "cycle": cycle, "identity": identity, "adversarial": fooled}
        terms |= {"discriminator": judged, **games[0][1], **self.diversity(painted, color)}
        return {name: value.detach() for name, value in terms.items()}

    @torch.no_grad()
    def sample(self, batch: Batch, generator: torch.Generator) -> Tensor:
        check(self.config, batch.condition.shape)
        painted: Tensor = self.networks["painter"](as_picture(batch.condition), generator)
        return painted.float()


def discriminator_loss(
    config: Config, judge: nn.Module, real: Tensor, fake: Tensor, generator: torch.Generator
) -> tuple[Tensor, dict[str, Tensor]]:
    """The discriminator's loss, and how often it is right; now and then with the penalty, the heavier for it.

    When is drawn by chance: a step doesn't count.
    """
    game = losses.ADVERSARIAL[config.adversarial]
    scales = [logits.float().chunk(2) for logits in judge(torch.cat([real, fake]))]
    loss = torch.stack([game.discriminator(*scale) for scale in scales]).mean()
    if config.r1 and torch.rand((), generator=generator, device=real.device) < 1 / config.r1_every:
        loss = loss + config.r1_every * config.r1 / 2 * penalty(judge, real)
    return config.discriminator_weight * loss, losses.right(game, scales)


def generator_loss(config: Config, judge: nn.Module, fake: Tensor) -> Tensor:
    """The adversarial part of the generator's loss."""
    game = losses.ADVERSARIAL[config.adversarial].generator
    return torch.stack([game(logits.float()) for logits in judge(fake)]).mean()


def penalty(judge: nn.Module, real: Tensor) -> Tensor:
    """Squared norm of the gradient of a scale's logits by the colors, for each of its patches.

    The mean over batch and scales. R1 is of one logit for a picture; the gradient of a sum over patches has a
    squared norm that grows with their number, while the loss beside it is their mean: so it is divided by
    that number, and one gamma means the same at any size. The colors are the last three channels.
    Source: Mescheder et al. 2018 (R1), arXiv 1801.04406; lazily: Karras et al. 2020 (StyleGAN2), arXiv
    1912.04958
    """
    real = real.detach().float().requires_grad_()
    with torch.autocast(real.device.type, enabled=False):  # second derivatives want full precision
        norms = []
        for logits in judge(real):
            (gradient,) = torch.autograd.grad(logits.sum(), real, create_graph=True)
            norms.append(gradient[:, -3:].square().sum(dim=(1, 2, 3)).mean() / logits[0].numel())
    return torch.stack(norms).mean()


def optimizers_of(
    config: Config, generators: list[nn.Module], discriminators: list[nn.Module]
) -> dict[str, torch.optim.Optimizer]:
    sides = {"generator": (generators, config.lr), "discriminator": (discriminators, config.discriminator_lr)}
    return {
        name: optimizers.of(config, nn.ModuleList(networks).parameters(), lr)
        for name, (networks, lr) in sides.items()
    }


def as_picture(line: Tensor) -> Tensor:
    """Lines as pictures of three channels, so that either generator can be given either kind."""
    return line.expand(-1, 3, -1, -1)


def generator_of(config: Config, channels: int) -> nn.Module:
    match config.generator:
        case "residual":
            return ResidualUNet(channels, config.channels, config.blocks)
        case "pix2pix":
            return UNet256(channels, config.channels[0], int(math.log2(config.size)))
        case "resnet":
            return ResNet(channels, config.channels[0], config.blocks)


def check(config: Config, shape: tuple[int, ...]) -> None:
    """Raises: RecipeError: sides that the generator can't halve as often as it does."""
    halvings, remedy = {
        "residual": (len(config.channels) - 1, ", or fewer levels in model.channels"),
        "pix2pix": (int(math.log2(config.size)), ", or model.generator=residual"),
        "resnet": (2, ""),
    }[config.generator]
    check_sides(shape, 2**halvings, remedy)


def check_unpaired(config: Config) -> None:
    """Raises: RecipeError: losses or conditions that only pairs have."""
    if config.condition not in (1, 3):
        lines = f"lines are pictures of 1 or 3 channels here, not of {config.condition}"
        raise RecipeError(f'model.cycle: {lines}. Set train.conditions=["lineart"], or model.cycle=0.')
    if config.loss != losses.Weights():
        raise RecipeError(
            "model.cycle: unpaired pictures have no truth to be compared with. "
            "Set all of model.loss to 0, or model.cycle=0."
        )


class ResidualUNet(nn.Module):
    """Down by strided convolutions, up by enlarging and convolving, which leaves no checkerboard.

    There are residual blocks on the way.
    Source: Ronneberger et al. 2015, arXiv 1505.04597; Odena et al. 2016, distill.pub/2016/deconv-checkerboard
    """

    def __init__(self, entering: int, channels: tuple[int, ...], count: int) -> None:
        super().__init__()
        pairs = list(pairwise(channels))
        self.enter = nn.Conv2d(entering, channels[0], 3, padding=1)
        self.down = nn.ModuleList(nn.Conv2d(above, below, 3, stride=2, padding=1) for above, below in pairs)
        # none at the full size, which is passed quickly: it costs most
        self.before = nn.ModuleList(blocks(below, count) for _, below in pairs)
        self.middle = blocks(channels[-1], count)
        self.up = nn.ModuleList(nn.Conv2d(below, above, 3, padding=1) for above, below in pairs)
        self.after = nn.ModuleList(blocks(above, count) for above, _ in pairs)
        last = nn.Conv2d(channels[0], 3, 3, padding=1)
        self.leave = nn.Sequential(norm(channels[0]), nn.SiLU(), last, nn.Tanh())

    def forward(
        self,
        condition: Tensor,
        generator: torch.Generator | None = None,  # noqa: ARG002 it has no noise
    ) -> Tensor:
        """(b, c, h, w) → (b, 3, h, w) in [-1, 1]."""
        x = self.enter(condition)
        passed = []
        for down, before in zip(self.down, self.before, strict=True):
            passed.append(x)
            x = before(down(x))
        x = self.middle(x)
        for up, after in zip(reversed(self.up), reversed(self.after), strict=True):
            x = after(up(F.interpolate(x, scale_factor=2.0)) + passed.pop())
        painted: Tensor = self.leave(x)
        return painted


class Residual(nn.Module):
    """x + f(x), f two convolutions, each after norm and activation; at first f is 0.

    Source: He et al. 2016, arXiv 1603.05027
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            norm(channels),
            nn.SiLU(),
            nn.Conv2d(channels, channels, 3, padding=1),
            norm(channels),
            nn.SiLU(),
            nn.Conv2d(channels, channels, 3, padding=1),
        )
        nn.init.zeros_(self.body[-1].weight)
        nn.init.zeros_(self.body[-1].bias)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.body(x)


def blocks(channels: int, count: int) -> nn.Sequential:
    return nn.Sequential(*[Residual(channels) for _ in range(count)])


def norm(channels: int) -> nn.GroupNorm:
    """Of each picture by itself, in 8 groups, or as many as divide the channels."""
    return nn.GroupNorm(math.gcd(8, channels), channels)


class UNet256(nn.Module):
    """The U-Net of pix2pix: halved until a single pixel is left, enlarged again, each level beside its twin.

    Dropout is its noise. Batch norm as in the paper at its batch of 1, where it is instance norm; none in
    the first and the last layer on the way down.
    Source: Isola et al. 2017, appendix 6.1, with its later correction, arXiv 1611.07004
    """

    def __init__(self, entering: int, width: int, depth: int) -> None:
        super().__init__()
        widths = [width * min(8, 2**n) for n in range(depth)]
        falling = zip([entering, *widths], widths, strict=False)
        self.down = nn.ModuleList(nn.Conv2d(a, b, 4, 2, 1) for a, b in falling)
        inner = [instance_norm(width) for width in widths[1:-1]]
        self.down_norm = nn.ModuleList([nn.Identity(), *inner, nn.Identity()])
        rising = [*widths[-2::-1], 3]
        below = [widths[-1], *[2 * w for w in widths[-2::-1]]]
        self.up = nn.ModuleList(nn.ConvTranspose2d(a, b, 4, 2, 1) for a, b in zip(below, rising, strict=True))
        self.up_norm = nn.ModuleList([*[instance_norm(w) for w in rising[:-1]], nn.Identity()])
        self.apply(normal_weights)

    def forward(self, condition: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """(b, c, h, w) → (b, 3, h, w) in [-1, 1]; dropout stays on where it samples, as in the paper."""
        passed = [self.down[0](condition)]
        for down, norm_ in zip(self.down[1:], self.down_norm[1:], strict=True):
            passed.append(norm_(down(F.leaky_relu(passed[-1], 0.2))))
        x = passed.pop()
        for n, (up, norm_) in enumerate(zip(self.up, self.up_norm, strict=True)):
            x = norm_(up(F.relu(x)))
            if passed:
                x = torch.cat([dropout(x, generator) if n < 3 else x, passed.pop()], 1)
        return torch.tanh(x)


class ResNet(nn.Module):
    """The generator of CycleGAN: two halvings, residual blocks, two doublings.

    Borders are reflected, and norm is of each instance.
    Source: Zhu et al. 2017, appendix 7.2, arXiv 1703.10593; Johnson et al. 2016, arXiv 1603.08155
    """

    def __init__(self, entering: int, width: int, count: int) -> None:
        super().__init__()
        layers = [padded(entering, width, 7), *then(width)]
        for n in (1, 2):
            layers += [nn.Conv2d(width * n, 2 * width * n, 3, 2, 1), *then(2 * width * n)]
        layers += [Twice(4 * width) for _ in range(count)]
        for n in (2, 1):
            up = nn.ConvTranspose2d(2 * width * n, width * n, 3, 2, 1, output_padding=1)
            layers += [up, *then(width * n)]
        self.body = nn.Sequential(*layers, padded(width, 3, 7), nn.Tanh())
        self.apply(normal_weights)

    def forward(
        self,
        picture: Tensor,
        generator: torch.Generator | None = None,  # noqa: ARG002 it has no noise
    ) -> Tensor:
        """(b, 3, h, w) → (b, 3, h, w) in [-1, 1]."""
        painted: Tensor = self.body(picture)
        return painted


class Twice(nn.Module):
    """A residual block with its norm after each convolution."""

    def __init__(self, width: int) -> None:
        super().__init__()
        first, second = padded(width, width, 3), padded(width, width, 3)
        self.body = nn.Sequential(first, *then(width), second, instance_norm(width))

    def forward(self, x: Tensor) -> Tensor:
        return x + self.body(x)


class Discriminator(nn.Module):
    """PatchGANs on a picture, on its half, and so on: (b, c, h, w) → a map of logits for each scale.

    Source: Isola et al. 2017, arXiv 1611.07004; several scales: Wang et al. 2018 (pix2pixHD), arXiv
    1711.11585; spectral norm: Miyato et al. 2018, arXiv 1802.05957
    """

    def __init__(self, config: Config, entering: int) -> None:
        """Raises: RecipeError: pictures too small for the last of the scales."""
        super().__init__()
        layers = len(config.discriminator)
        least = 3 * 2 ** (config.scales - 1 + layers - 1)  # the last two layers take a pixel off each
        if config.size < least:
            raise RecipeError(
                f"pictures of {config.size} px are too small for discriminators of {layers} layers "
                f"in {config.scales} scales: they take {least} px. Set train.size={least} or more, "
                "model.scales=1, or fewer layers in model.discriminator."
            )
        judges = (patch_gan(entering, config.discriminator, config.norm) for _ in range(config.scales))
        self.scales = nn.ModuleList(judges)

    def forward(self, picture: Tensor) -> list[Tensor]:
        logits = []
        for judge in self.scales:
            logits.append(judge(picture))
            picture = F.avg_pool2d(picture, 2)
        return logits


def patch_gan(entering: int, channels: tuple[int, ...], kind: str) -> nn.Sequential:
    """4 × 4 convolutions, all but the last two of stride 2; the last gives the logits."""
    layers: list[nn.Module] = []
    for n, (above, below) in enumerate(zip([entering, *channels], channels, strict=False)):
        layers += [nn.Conv2d(above, below, 4, 2 if n < len(channels) - 1 else 1, 1)]
        layers += [instance_norm(below)] if kind == "instance" and n else []
        layers += [nn.LeakyReLU(0.2)]
    judge = nn.Sequential(*layers, nn.Conv2d(channels[-1], 1, 4, 1, 1)).apply(normal_weights)
    for layer in judge if kind == "spectral" else ():
        if isinstance(layer, nn.Conv2d):
            spectral_norm(layer)
    return judge


def padded(entering: int, leaving: int, kernel: int) -> nn.Conv2d:
    return nn.Conv2d(entering, leaving, kernel, padding=kernel // 2, padding_mode="reflect")


def then(width: int) -> list[nn.Module]:
    return [instance_norm(width), nn.ReLU()]


def instance_norm(channels: int) -> nn.GroupNorm:
    return nn.GroupNorm(channels, channels)  # the same, and content with a single pixel


def dropout(x: Tensor, generator: torch.Generator | None, share: float = 0.5) -> Tensor:
    """Dropout whose choice is drawn from a generator."""
    return x * (torch.rand(x.shape, generator=generator, device=x.device) >= share) / (1 - share)


def normal_weights(module: nn.Module) -> None:
    """Weights from N(0, 0.02), as in DCGAN and all that follow it."""
    if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d)):
        nn.init.normal_(module.weight, 0.0, 0.02)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
