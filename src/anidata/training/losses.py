"""Losses by name. Pictures are float32 (b, 3, h, w) in [-1, 1]; every loss is a scalar.

Of a picture beside its truth: l1, l2, gradient, and, on the features of a network that the user has,
perceptual and style. Of a discriminator's logits: vanilla (minimax), lsgan (least squares), hinge.
"""

import hashlib
import re
import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, cast

import torch
import torch.nn.functional as F  # noqa: N812 its name everywhere
from torch import Tensor, nn

from anidata.errors import RecipeError
from anidata.recipe import Amount
from anidata.tar import opening
from anidata.training import foreign, watch
from anidata.training.weights import files

STAGES = 4  # of a VGG, up to relu4_3: what Johnson et al. compare
IMAGENET_MEAN = [0.485, 0.456, 0.406]  # of red, green and blue in [0, 1]: what a VGG was trained on
IMAGENET_STD = [0.229, 0.224, 0.225]
MOST = 1 << 31  # bytes of a VGG's weights: the largest has 0.6 GB
GUIDE = (
    "Convert LPIPS's VGG16 (anidata weights says how), or save vgg16(…).features.state_dict() of torchvision "
    "with safetensors.torch.save_file; then set model.loss.features=FILE"
)
# Of LPIPS's VGG16 the weight of each channel, behind each of its five stages: known, and left aside.
LINEAR = tuple(f"linear.{n}.weight" for n in range(5))


def l1(output: Tensor, truth: Tensor) -> Tensor:
    return F.l1_loss(output.float(), truth.float())


def l2(output: Tensor, truth: Tensor) -> Tensor:
    return F.mse_loss(output.float(), truth.float())


def gradient(output: Tensor, truth: Tensor) -> Tensor:
    """L1 between the differences of neighboring pixels, along x plus along y.

    Edges count, a constant shift doesn't.
    Source: Mathieu, Couprie, LeCun 2016, eq. 6 with α = 1, without the absolute values of the differences,
    arXiv 1511.05440
    """
    error = output.float() - truth.float()
    return error.diff(dim=-1).abs().mean() + error.diff(dim=-2).abs().mean()


class Features(nn.Module):
    """Activations of a VGG, frozen: those before the pooling, of each of its first four stages.

    (b, 3, h, w) in [-1, 1] → (b, c, h, w) for each stage. Widths and depth are read off the weights, which
    are named as in torchvision: `features.N.weight`, N skipping one number for each ReLU and one for each
    pooling. Every tensor has its place, those of the fifth stage too, which isn't looked through, and LPIPS's
    linear layers (c,) behind each of five stages.
    Raises: ValueError: a tensor that is none of a VGG's without batch norm, or none that could be weights.
    Source: Simonyan, Zisserman 2015, arXiv 1409.1556
    """

    mean: Tensor
    std: Tensor

    def __init__(self, weights: Mapping[str, Tensor]) -> None:
        super().__init__()
        own = {name: weight for name, weight in weights.items() if name not in LINEAR}
        stages = _stages({name.removeprefix("features."): weight for name, weight in own.items()})
        _check_linear(weights, [len(stage[-1][1]) for stage in stages])
        self.stages = nn.ModuleList(
            nn.ModuleList(_conv(*both) for both in stage) for stage in stages[:STAGES]
        )
        self.register_buffer("mean", torch.tensor(IMAGENET_MEAN)[:, None, None])
        self.register_buffer("std", torch.tensor(IMAGENET_STD)[:, None, None])
        self.requires_grad_(requires_grad=False)

    def forward(self, picture: Tensor) -> list[Tensor]:
        x = ((picture.float() + 1) / 2 - self.mean) / self.std
        activations = []
        for n, stage in enumerate(self.stages):
            x = F.max_pool2d(x, 2) if n else x
            for conv in cast("nn.ModuleList", stage):
                x = F.relu(conv(x))
            activations.append(x)
        return activations


def perceptual(output: list[Tensor], truth: list[Tensor]) -> Tensor:
    """Mean squared difference of features, averaged over the stages.

    Source: Johnson, Alahi, Li 2016, eq. 2, arXiv 1603.08155
    """
    return torch.stack([F.mse_loss(o, t) for o, t in zip(output, truth, strict=True)]).mean()


def style(output: list[Tensor], truth: list[Tensor]) -> Tensor:
    """Squared Frobenius distance of Gram matrices, averaged over batch and stages.

    It tells which features go together, wherever they are.
    Source: Johnson, Alahi, Li 2016, eq. 3 and 4, arXiv 1603.08155
    """
    distances = [
        (gram(o) - gram(t)).square().sum(dim=(1, 2)).mean() for o, t in zip(output, truth, strict=True)
    ]
    return torch.stack(distances).mean()


def gram(features: Tensor) -> Tensor:
    """(b, c, h, w) → (b, c, c): products of channels, averaged over c·h·w."""
    flat = features.flatten(2)
    return flat @ flat.transpose(1, 2) / flat[0].numel()


def load_features(path: str, sha256: str) -> Features:
    """The network in a safetensors file of this digest: what a loss compares is part of a result.

    Raises: RecipeError: no file, another digest, or not the weights of a VGG.
    """
    from safetensors import SafetensorError  # noqa: PLC0415 only those who use it need it
    from safetensors.torch import load  # noqa: PLC0415

    data = _data_of(path)
    digest = hashlib.sha256(data).hexdigest()
    if files.is_known(digest):
        raise RecipeError(
            f"{path}: a file of others' weights as it was fetched. Type: anidata weights convert "
            f"{shlex.quote(path)}; then set model.loss.features to the file that it writes."
        )
    if foreign.kind(Path(path).expanduser()):
        remedy = foreign.remedy(Path(path).expanduser())
        raise RecipeError(f"{path}: not the weights of a VGG in safetensors. {remedy}")
    if digest != sha256.lower():
        raise RecipeError(
            f"{path}: its SHA-256 is {digest}, not {sha256 or 'given'}. "
            f"If you trust it, set model.loss.sha256={digest}"
        )
    try:
        return Features(load(data))
    except (SafetensorError, ValueError) as error:
        raise RecipeError(f"{path}: not the weights of a VGG in safetensors ({error}). {GUIDE}.") from error


@dataclass(frozen=True, kw_only=True)
class Weights:
    """How a picture is compared with its truth: the sum of the losses, each times its weight."""

    l1: Amount = 0.0  # 0: off
    l2: Amount = 0.0  # 0: off
    gradient: Amount = 0.0  # 0: off
    perceptual: Amount = 0.0  # needs `features`; 0: off
    style: Amount = 0.0  # needs `features`; 0: off
    features: str = ""  # path of a VGG's weights, safetensors with torchvision's names; "": none
    sha256: str = ""  # the digest that this file must have, 64 hex digits


class Comparison:
    """The weighted sum, with the network that some of its terms look through."""

    def __init__(self, weights: Weights) -> None:
        """Raises: RecipeError: perceptual or style without the weights of their network."""
        self.weights = weights
        deep = weights.perceptual or weights.style
        self.features = load_features(weights.features, weights.sha256) if deep else None

    def __call__(self, output: Tensor, truth: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """The sum, and each term by its name without its weight, detached."""
        terms = {name: loss(output, truth) for name, loss in PIXELS.items() if getattr(self.weights, name)}
        if self.features is not None:
            network = self.features.to(output.device)
            with torch.no_grad():
                aim = network(truth)
            seen = network(output)
            terms |= {name: loss(seen, aim) for name, loss in FEATURES.items() if getattr(self.weights, name)}
        weighted = (getattr(self.weights, name) * term for name, term in terms.items())
        total = sum(weighted, start=output.new_zeros(()))
        return total, {name: term.detach() for name, term in terms.items()}


PIXELS: dict[str, Callable[[Tensor, Tensor], Tensor]] = {"l1": l1, "l2": l2, "gradient": gradient}
FEATURES: dict[str, Callable[[list[Tensor], list[Tensor]], Tensor]] = {
    "perceptual": perceptual,
    "style": style,
}


class Adversarial(NamedTuple):
    """Both sides of a game over logits of any shape: a mean over all of them."""

    discriminator: Callable[[Tensor, Tensor], Tensor]  # (logits of real, logits of fake) → loss
    generator: Callable[[Tensor], Tensor]  # (logits of fake) → loss
    middle: float = 0.0  # the logit above which the discriminator says: real


ADVERSARIAL = {
    # Goodfellow et al. 2014, arXiv 1406.2661: minimax; the generator maximizes log D, as its section 3
    # advises
    "vanilla": Adversarial(
        lambda real, fake: F.softplus(-real).mean() + F.softplus(fake).mean(),
        lambda fake: F.softplus(-fake).mean(),
    ),
    # Mao et al. 2017, eq. 9 without its halves, as CycleGAN weighs it, arXiv 1611.04076
    "lsgan": Adversarial(
        lambda real, fake: (real - 1).square().mean() + fake.square().mean(),
        lambda fake: (fake - 1).square().mean(),
        0.5,
    ),
    # Lim, Ye 2017, arXiv 1705.02894; Miyato et al. 2018, eq. 16 and 17, arXiv 1802.05957
    "hinge": Adversarial(
        lambda real, fake: F.relu(1 - real).mean() + F.relu(1 + fake).mean(),
        lambda fake: -fake.mean(),
    ),
}


def right(game: Adversarial, scales: Sequence[tuple[Tensor, Tensor]]) -> dict[str, Tensor]:
    """The shares of real and of fake patches that a discriminator takes for what they are, over its scales.

    0.5 of both: it can't tell; 1: it always can. scales: (logits of real, logits of fake) of each.
    """
    real = torch.stack([(logits.detach() > game.middle).float().mean() for logits, _ in scales]).mean()
    fake = torch.stack([(logits.detach() < game.middle).float().mean() for _, logits in scales]).mean()
    return {watch.REAL: real, watch.FAKE: fake}


def _data_of(path: str) -> bytes:
    """The bytes of a file of weights. Raises: RecipeError: none is named, or it can't be read."""
    if not path:
        raise RecipeError(
            f"the losses perceptual and style compare features of a VGG, whose weights you bring. {GUIDE}."
        )
    file = Path(path).expanduser()
    if not file.is_file():
        raise RecipeError(f"{path}: no such file, for the losses perceptual and style. {GUIDE}.")
    try:
        return opening.read_bytes(file, MOST)
    except OSError as error:
        raise RecipeError(f"{path}: can't be read ({opening.why(error)}).") from error


def _stages(weights: Mapping[str, Tensor]) -> list[list[tuple[Tensor, Tensor]]]:
    """Weight and bias of a VGG's convolutions, those between two poolings together.

    Raises: ValueError: another network's, down to the last tensor.
    """
    numbers = sorted(int(name.partition(".")[0]) for name in weights if re.fullmatch(r"\d+\.bias", name))
    _check_names(weights, numbers)
    stages: list[list[tuple[Tensor, Tensor]]] = []
    before, entering = -3, 3  # so that the first, number 0, begins a stage
    for number in numbers:
        weight, bias = weights[f"{number}.weight"], weights[f"{number}.bias"]
        past_pooling, width = number - before == 3, len(bias)
        if weight.shape != (width, entering, 3, 3) or (width != entering and not past_pooling):
            asked = f"[n, {entering}, 3, 3]" if past_pooling else f"[{entering}, {entering}, 3, 3]"
            raise ValueError(f"{number}.weight is {list(weight.shape)}, where a VGG has {asked}")
        stages += [[]] if past_pooling else []
        stages[-1].append((weight, bias))
        before, entering = number, width
    return stages


def _check_names(weights: Mapping[str, Tensor], numbers: list[int]) -> None:
    """Raises: ValueError: a tensor too many or missing, or one that can't be weights."""
    if statistics := sorted(name for name in weights if name.endswith("running_mean")):
        raise ValueError(f"{statistics[0]}: it has batch norm; take the VGG without: vgg16, not vgg16_bn")
    own = {f"{number}.{kind}" for number in numbers for kind in ("weight", "bias")}
    if others := sorted(weights.keys() ^ (own or {"0.weight"})):
        raise ValueError(f"{others[0]}: {'none of a VGG' if others[0] in weights else 'missing'}")
    for before, number in zip([-3, *numbers], numbers, strict=False):
        if number - before not in (2, 3) or number == -1:
            raise ValueError(f"{number}.weight: no convolution of a VGG has this number")
    if wrong := foreign.unlike(weights, sorted(weights)):
        raise ValueError(wrong)


def _check_linear(weights: Mapping[str, Tensor], widths: list[int]) -> None:
    """Raises: ValueError: LPIPS's linear layers aren't of these stages, or some are missing."""
    given = [name for name in LINEAR if name in weights]
    asked = list(LINEAR[: len(widths)]) if given else []
    for name, width in zip(given, widths, strict=False):
        if weights[name].shape != (width,):
            raise ValueError(f"{name} is {list(weights[name].shape)}, where this VGG has [{width}]")
    if wrong := foreign.unlike(weights, given):
        raise ValueError(wrong)
    if others := sorted({*given} ^ {*asked}):
        raise ValueError(f"{others[0]}: {'none of this VGG' if others[0] in given else 'missing'}")


def _conv(weight: Tensor, bias: Tensor) -> nn.Conv2d:
    conv = nn.Conv2d(weight.shape[1], weight.shape[0], weight.shape[-1], padding=weight.shape[-1] // 2)
    conv.load_state_dict({"weight": weight, "bias": bias})
    return conv
