"""Inception-v3 of 2015-12-05, by whose 2048 features FID is measured; no other network's are called so.

It isn't the Inception of torchvision: its average pools don't count their padding, and the last block's
pool is a maximum. Pictures are brought to 299 px bilinearly, without smoothing, as pytorch-fid does it.
Source: Szegedy, Vanhoucke, Ioffe, Shlens, Wojna 2016, table 1 and fig. 5 to 7, arXiv 1512.00567; Heusel et
al. 2017, arXiv 1706.08500; the weights by Seitzer's pytorch-fid
"""

from collections.abc import Callable, Mapping

import torch
import torch.nn.functional as F  # noqa: N812 its usual name
from torch import Tensor, nn

from anidata.training.extractors import Array, Source
from anidata.training.extractors._checked import check_names, check_values, sized

TITLE = "Inception-v3 of FID, 2015-12-05"
LICENSE = "Apache-2.0 (TensorFlow's Inception and pytorch-fid)"
URL = "https://github.com/mseitzer/pytorch-fid/releases/download/fid_weights/"
FILE = "pt_inception-2015-12-05-6726825d.pth"
SOURCES = (
    Source(
        FILE,
        "6726825d0af5f729cebd5821db510b11b1cfad8faad88a03f1befd49fb9129b2",
        "torch",
        f"curl -LO {URL}{FILE}",
    ),
)
CONVERTED = ""
SIDE = 299  # px
EPSILON = 0.001  # beside a variance, in its batch norms
STEM = (
    ("Conv2d_1a_3x3", "Conv2d_2a_3x3", "Conv2d_2b_3x3", "halved"),
    ("Conv2d_3b_1x1", "Conv2d_4a_3x3", "halved"),
)
POOLS: dict[str, Callable[[Tensor], Tensor]] = {
    "average": lambda x: F.avg_pool2d(x, 3, 1, 1, count_include_pad=False),
    "maximum": lambda x: F.max_pool2d(x, 3, 1, 1),
    "halved": lambda x: F.max_pool2d(x, 3, 2),
}
POOLED, LARGEST = ("average", "branch_pool"), ("maximum", "branch_pool")
ONE, THRICE = ("branch1x1",), ("branch3x3dbl_1", "branch3x3dbl_2", "branch3x3dbl_3")
SEVENS = ("branch7x7_1", "branch7x7_2", "branch7x7_3"), tuple(f"branch7x7dbl_{n}" for n in range(1, 6))
TREES = tuple(
    (*stem, f"{last}{end}") for *stem, last in (("branch3x3_1", "branch3x3_2"), THRICE) for end in ("a", "b")
)
# Block → its branches, side by side: what each puts one after the other.
BLOCKS: dict[str, tuple[tuple[str, ...], ...]] = {
    **dict.fromkeys(
        ("Mixed_5b", "Mixed_5c", "Mixed_5d"), (ONE, ("branch5x5_1", "branch5x5_2"), THRICE, POOLED)
    ),
    "Mixed_6a": (("branch3x3",), THRICE, ("halved",)),
    **dict.fromkeys(("Mixed_6b", "Mixed_6c", "Mixed_6d", "Mixed_6e"), (ONE, *SEVENS, POOLED)),
    "Mixed_7a": (
        ("branch3x3_1", "branch3x3_2"),
        tuple(f"branch7x7x3_{n}" for n in range(1, 5)),
        ("halved",),
    ),
    "Mixed_7b": (ONE, *TREES, POOLED),
    "Mixed_7c": (ONE, *TREES, LARGEST),
}
# These halve the picture, and look at no pixel beyond it; so do the stem's 2a and 4a the latter.
HALVING = (
    "Conv2d_1a_3x3",
    "Mixed_6a.branch3x3",
    "Mixed_6a.branch3x3dbl_3",
    "Mixed_7a.branch3x3_2",
    "Mixed_7a.branch7x7x3_4",
)
WITHIN = (*HALVING, "Conv2d_2a_3x3", "Conv2d_4a_3x3")
OF_NORM = ("weight", "bias", "running_mean", "running_var")
NAMES = (
    *(name for part in STEM for name in part if name not in POOLS),
    *(
        f"{block}.{name}"
        for block, branches in BLOCKS.items()
        for name in dict.fromkeys(name for branch in branches for name in branch)
        if name not in POOLS
    ),
)
HEAD = ("fc.weight", "fc.bias")  # of 1008 classes: not looked through


def convert(arrays: Mapping[str, Array]) -> dict[str, Array]:
    """The tensors of pytorch-fid's file, but for its head and counters. Raises: ValueError."""
    aside = {*HEAD, *(f"{name}.bn.num_batches_tracked" for name in NAMES)}
    kept = {name: array for name, array in arrays.items() if name not in aside}
    check_names(kept, _own())
    return kept


def build(weights: Mapping[str, Tensor]) -> "Inception":
    """(b, 3, h, w) → (b, 2048). Raises: ValueError: another network's weights."""
    return Inception(weights)


def _own() -> list[str]:
    norms = [f"{name}.bn.{kind}" for name in NAMES for kind in OF_NORM]
    return [f"{name}.conv.weight" for name in NAMES] + norms


class Inception(nn.Module):
    """The mean of each channel of the last block, frozen: (b, 3, h, w) in [-1, 1] → (b, 2048)."""

    smallest = 1  # px

    def __init__(self, weights: Mapping[str, Tensor]) -> None:
        super().__init__()
        check_names(weights, _own())
        check_values(weights)
        self.convs = nn.ModuleDict({name.replace(".", "/"): _conv(weights, name) for name in NAMES})
        self.requires_grad_(requires_grad=False)

    def forward(self, pictures: Tensor) -> Tensor:
        x = F.interpolate(pictures.float(), (SIDE, SIDE), mode="bilinear", align_corners=False)
        for part in STEM:
            x = self._after("", part, _beginning(x))
        for block, branches in BLOCKS.items():
            done = _beginning(x)  # branches may begin with the same
            x = torch.cat([self._after(f"{block}/", branch, done) for branch in branches], dim=1)
        return x.mean(dim=(2, 3))

    def _after(self, block: str, names: tuple[str, ...], done: dict[tuple[str, ...], Tensor]) -> Tensor:
        """What convolutions and pools of a block make of done[()], one after the other."""
        if names not in done:
            before, last = self._after(block, names[:-1], done), names[-1]
            pool = POOLS.get(last)
            done[names] = pool(before) if pool else F.relu(self.convs[block + last](before))
        return done[names]


def _beginning(x: Tensor) -> dict[tuple[str, ...], Tensor]:
    return {(): x}


def _conv(weights: Mapping[str, Tensor], name: str) -> nn.Conv2d:
    """A convolution with the batch norm behind it, of fixed statistics, in one."""
    kernel = sized(weights, f"{name}.conv.weight", -1, -1, -1, -1).double()
    width, entering, *size = kernel.shape
    gain, bias, mean, variance = (sized(weights, f"{name}.bn.{kind}", width).double() for kind in OF_NORM)
    gain = gain / (variance + EPSILON).sqrt()
    padding = (0, 0) if name in WITHIN else (size[0] // 2, size[1] // 2)
    conv = nn.Conv2d(entering, width, (size[0], size[1]), 2 if name in HALVING else 1, padding)
    folded = {"weight": kernel * gain[:, None, None, None], "bias": bias - mean * gain}
    conv.load_state_dict({key: value.float() for key, value in folded.items()})
    return conv
