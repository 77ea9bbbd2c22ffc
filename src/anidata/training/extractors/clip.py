"""CLIP's view of pictures, ViT-L/14 at 336 px: embeddings of length 1, by which CMMD is measured.

The vision half alone. Pictures are brought to 336 px bicubically, smoothed where they shrink, as CMMD's
reference does it.
Source: Radford et al. 2021, arXiv 2103.00020; Dosovitskiy et al. 2021, arXiv 2010.11929; Jayasumana et al.
2024, section 4, arXiv 2401.09603
"""

import math
from collections.abc import Mapping

import torch
import torch.nn.functional as F  # noqa: N812 its usual name
from torch import Tensor, nn

from anidata.training.extractors import Array, Source
from anidata.training.extractors._checked import check_names, check_values, sized

TITLE = "CLIP ViT-L/14 at 336 px, the vision half"
LICENSE = "MIT (OpenAI's CLIP; its model card advises against use beyond research)"
SOURCES = (
    Source(
        "pytorch_model.bin",
        "c6032c2e0caae3dc2d4fba35535fa6307dbb49df59c7e182b1bc4b3329b81801",
        "torch",
        "curl -LO https://huggingface.co/openai/clip-vit-large-patch14-336/resolve/main/pytorch_model.bin",
    ),
)
CONVERTED = ""
MEAN = [0.48145466, 0.4578275, 0.40821073]  # of red, green and blue in [0, 1], of what CLIP was trained on
STD = [0.26862954, 0.26130258, 0.27577711]
HEAD = 64  # numbers of an attention head
EPSILON = 1e-5  # beside a variance, in its layer norms
TOWER = "vision_model."
EMBEDDINGS = "vision_model.embeddings."
LAYER = "vision_model.encoder.layers."
PATCHES, CLASS = f"{EMBEDDINGS}patch_embedding.weight", f"{EMBEDDINGS}class_embedding"
PLACES, PROJECTION = f"{EMBEDDINGS}position_embedding.weight", "visual_projection.weight"
NORMS = ("pre_layrnorm", "post_layernorm")  # sic
ASIDE = f"{EMBEDDINGS}position_ids"
OF_LAYER = (
    "self_attn.q_proj",
    "self_attn.k_proj",
    "self_attn.v_proj",
    "self_attn.out_proj",
    "mlp.fc1",
    "mlp.fc2",
    "layer_norm1",
    "layer_norm2",
)


def convert(arrays: Mapping[str, Array]) -> dict[str, Array]:
    """The vision half of a CLIPModel's tensors, under the same names. Raises: ValueError."""
    kept = {
        name: array
        for name, array in arrays.items()
        if (name.startswith(TOWER) and name != ASIDE) or name == PROJECTION
    }
    check_names(kept, _own(kept))
    return kept


def build(weights: Mapping[str, Tensor]) -> "Clip":
    """(b, 3, h, w) → (b, d). Raises: ValueError: another network's weights."""
    return Clip(weights)


def _depth(names: Mapping[str, object]) -> int:
    """How many layers there are, by their names."""
    return len({name.removeprefix(LAYER).partition(".")[0] for name in names if name.startswith(LAYER)})


def _own(names: Mapping[str, object]) -> list[str]:
    both = [f"{TOWER}{norm}" for norm in NORMS]
    both += [f"{LAYER}{n}.{part}" for n in range(_depth(names)) for part in OF_LAYER]
    return [
        PATCHES,
        CLASS,
        PLACES,
        PROJECTION,
        *(f"{name}.{kind}" for name in both for kind in ("weight", "bias")),
    ]


class Clip(nn.Module):
    """Embeddings of length 1, frozen: (b, 3, h, w) in [-1, 1] → (b, d)."""

    smallest = 1  # px
    mean: Tensor
    std: Tensor

    def __init__(self, weights: Mapping[str, Tensor]) -> None:
        super().__init__()
        check_names(weights, _own(weights))
        check_values(weights)
        kernel = sized(weights, PATCHES, -1, 3, -1, -1)
        self.width, self.patch = len(kernel), kernel.shape[-1]
        sized(weights, PATCHES, self.width, 3, self.patch, self.patch)
        self.side = self.patch * math.isqrt(len(sized(weights, PLACES, -1, self.width)) - 1)
        self.kernel = nn.Parameter(kernel)
        self.first = nn.Parameter(sized(weights, CLASS, self.width))
        self.places = nn.Parameter(weights[PLACES])
        self.projection = nn.Parameter(sized(weights, PROJECTION, -1, self.width))
        self.before, self.after = (_norm(weights, f"{TOWER}{norm}", self.width) for norm in NORMS)
        self.layers = nn.ModuleList(Layer(weights, f"{LAYER}{n}", self.width) for n in range(_depth(weights)))
        self.register_buffer("mean", torch.tensor(MEAN)[:, None, None])
        self.register_buffer("std", torch.tensor(STD)[:, None, None])
        self.requires_grad_(requires_grad=False)

    def forward(self, pictures: Tensor) -> Tensor:
        size = (self.side, self.side)
        unit = F.interpolate((pictures.float() + 1) / 2, size, mode="bicubic", antialias=True)
        patches = F.conv2d((unit - self.mean) / self.std, self.kernel, stride=self.patch)
        x = patches.flatten(2).transpose(1, 2)
        x = torch.cat([self.first.expand(len(x), 1, -1), x], dim=1) + self.places
        x = self.before(x)
        for layer in self.layers:
            x = layer(x)
        return F.normalize(self.after(x[:, 0]) @ self.projection.T, dim=1)


class Layer(nn.Module):
    """Attention, then two linear layers with x·σ(1.702·x) between them, each upon a norm of what came."""

    def __init__(self, weights: Mapping[str, Tensor], name: str, width: int) -> None:
        super().__init__()
        self.heads = width // HEAD
        self.query, self.key, self.value, self.out = (
            _linear(weights, f"{name}.{part}", width, width) for part in OF_LAYER[:4]
        )
        inner = len(weights[f"{name}.mlp.fc1.bias"])
        self.up = _linear(weights, f"{name}.mlp.fc1", width, inner)
        self.down = _linear(weights, f"{name}.mlp.fc2", inner, width)
        self.norm1, self.norm2 = (_norm(weights, f"{name}.{part}", width) for part in OF_LAYER[6:])

    def forward(self, x: Tensor) -> Tensor:
        y = self.norm1(x)
        parts = (
            part(y).unflatten(2, (self.heads, -1)).transpose(1, 2)
            for part in (self.query, self.key, self.value)
        )
        x = x + self.out(F.scaled_dot_product_attention(*parts).transpose(1, 2).flatten(2))
        y = self.up(self.norm2(x))
        down: Tensor = self.down(y * torch.sigmoid(1.702 * y))
        return x + down


def _linear(weights: Mapping[str, Tensor], name: str, entering: int, width: int) -> nn.Linear:
    linear = nn.Linear(entering, width)
    linear.load_state_dict(
        {
            "weight": sized(weights, f"{name}.weight", width, entering),
            "bias": sized(weights, f"{name}.bias", width),
        }
    )
    return linear


def _norm(weights: Mapping[str, Tensor], name: str, width: int) -> nn.LayerNorm:
    norm = nn.LayerNorm(width, eps=EPSILON)
    norm.load_state_dict({kind: sized(weights, f"{name}.{kind}", width) for kind in ("weight", "bias")})
    return norm
