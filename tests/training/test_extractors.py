"""Networks that pictures are looked at through, beside others written anew from the papers."""

import numpy as np
import pytest
import torch
from scipy.signal import correlate

import weights_lab as lab
from anidata import registry
from anidata.training.extractors import clip, inception, lpips_alexnet, lpips_vgg16

NAMES = registry.names("extractors")


def pictures(count=2, height=40, width=48, seed=3):
    return torch.rand(count, 3, height, width, generator=torch.Generator().manual_seed(seed)) * 2 - 1


def flat(nested, prefix=""):
    """Arrays by their names with / between."""
    made = {}
    for name, value in nested.items():
        made |= flat(value, f"{prefix}{name}/") if isinstance(value, dict) else {f"{prefix}{name}": value}
    return made


def tensors(arrays):
    return {name: torch.from_numpy(np.array(array)) for name, array in arrays.items()}


def arrays(tensors):
    return {name: tensor.numpy() for name, tensor in tensors.items()}


BUILT = {
    "lpips_alexnet": lambda: lpips_alexnet.convert(flat(lab.alexnet())),
    "lpips_vgg16": lambda: lpips_vgg16.convert(flat(lab.vgg16())),
    "inception": lambda: inception.convert(arrays(lab.randomized(lab.Inception()).state_dict())),
    "clip": lambda: clip.convert(arrays(lab.clip())),
}


@pytest.fixture(params=NAMES)
def weights(request):
    """(module, weights of a small network of its)."""
    return registry.load("extractors", request.param), tensors(BUILT[request.param]())


# --- the contract ------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_an_extractor_says_what_it_is_and_where_it_comes_from(name):
    module = registry.load("extractors", name)
    assert "Source: " in module.__doc__
    assert module.TITLE
    assert module.LICENSE
    for source in module.SOURCES:
        assert len(source.sha256) == 64
        assert source.form in ("pickle", "torch")
    assert module.SOURCES[0].command.startswith("curl -LO https://")
    assert module.SOURCES[0].command.endswith(module.SOURCES[0].file)


def test_features_are_frozen_and_the_same_every_time_and_of_a_picture_alone(weights):
    module, own = weights
    network = module.build(own).eval()
    assert not any(parameter.requires_grad for parameter in network.parameters())
    both, again = network(pictures()), network(pictures())
    alone = network(pictures()[:1])
    for one, other, single in zip(*map(as_list, (both, again, alone)), strict=True):
        assert torch.equal(one, other)
        assert one.dtype == torch.float32
        torch.testing.assert_close(one[:1], single, rtol=1e-4, atol=1e-5)


def as_list(features):
    return features if isinstance(features, list) else [features]


def test_the_gradient_passes_through_to_the_picture(weights):
    module, own = weights
    picture = pictures(1).requires_grad_()
    sum(one.sum() for one in as_list(module.build(own).eval()(picture))).backward()
    assert picture.grad.abs().sum() > 0


def test_a_tensor_too_many_or_missing_or_that_is_no_weight_is_refused_by_name(weights):
    module, own = weights
    for name in own:
        with pytest.raises(ValueError, match=r"\S+: missing"):
            module.build({key: value for key, value in own.items() if key != name})
    with pytest.raises(ValueError, match="more: none of this network"):
        module.build({**own, "more": torch.ones(1)})
    name = next(iter(own))
    for wrong, why in ((torch.nan, "aren't finite"), (None, "no weights in floating point")):
        value = own[name].int() if wrong is None else torch.full_like(own[name], wrong)
        with pytest.raises(ValueError, match=why):
            module.build({**own, name: value})


def test_a_tensor_of_another_shape_is_refused_by_name(weights):
    module, own = weights
    wrong = {**own}
    name = max(own)
    wrong[name] = torch.ones(*own[name].shape, 2)
    with pytest.raises(ValueError, match=f"{name} is .*, where this network has"):
        module.build(wrong)


@pytest.mark.parametrize("name", NAMES)
def test_what_others_publish_with_a_tensor_missing_isnt_converted(name):
    module = registry.load("extractors", name)
    published = {
        "lpips_alexnet": lambda: flat(lab.alexnet()),
        "lpips_vgg16": lambda: flat(lab.vgg16()),
        "inception": lambda: arrays(lab.Inception().state_dict()),
        "clip": lambda: arrays(lab.clip()),
    }[name]()
    assert module.convert(published)
    lacking = next(key for key in published if "bias" in key)
    del published[lacking]
    with pytest.raises(ValueError, match=": missing"):
        module.convert(published)


# --- AlexNet and VGG16 -------------------------------------------------------------------------------


def convolved(x, layer, stride, padding):
    """One picture (h, w, c) by a kernel (h, w, in, out): SciPy's correlation, then every so manieth."""
    x = np.pad(x, [(padding, padding), (padding, padding), (0, 0)])
    maps = [
        correlate(x, layer["kernel"][..., n].astype("f8"), "valid", method="direct")[::stride, ::stride, 0]
        for n in range(layer["kernel"].shape[-1])
    ]
    return np.maximum(np.stack(maps, -1) + layer["bias"], 0)


def pooled(x, size):
    rows, columns = ((side - size) // 2 + 1 for side in x.shape[:2])
    windows = np.lib.stride_tricks.sliding_window_view(x, (size, size), axis=(0, 1))[::2, ::2]
    return windows[:rows, :columns].max(axis=(-1, -2))


def by_numpy(picture, network, layers):
    """Activations of LPIPS's networks, as its authors' formulas have them. layers: the stages."""
    x = picture.numpy().astype("f8").transpose(1, 2, 0)
    x = (x - np.array([-0.030, -0.088, -0.188])) / np.array([0.458, 0.448, 0.450])
    activations, n = [], 0
    for pool, stage in layers:
        x = pooled(x, pool) if pool else x
        for stride, padding in stage:
            x = convolved(x, network[f"Conv_{n}"], stride, padding)
            n += 1
        activations.append(x.transpose(2, 0, 1))
    return activations


LAYERS = {
    "lpips_alexnet": [(0, [(4, 2)]), (3, [(1, 2)]), (3, [(1, 1)]), (0, [(1, 1)]), (0, [(1, 1)])],
    "lpips_vgg16": [(2 if n else 0, [(1, 1)] * len(stage)) for n, stage in enumerate(lab.VGG)],
}


@pytest.mark.parametrize(("name", "published"), [("lpips_alexnet", lab.alexnet), ("lpips_vgg16", lab.vgg16)])
@pytest.mark.parametrize("size", [(40, 48), (31, 53)])
def test_activations_are_those_of_scipys_correlations(name, published, size):
    module, network = registry.load("extractors", name), published()
    built = module.build(tensors(module.convert(flat(network)))).eval()
    picture = pictures(1, *size)
    expected = by_numpy(picture[0], next(iter(network.values())), LAYERS[name])
    for ours, theirs in zip(built(picture), expected, strict=True):
        np.testing.assert_allclose(ours[0].numpy(), theirs, rtol=1e-4, atol=1e-5)
    for n, weight in enumerate(built.linear):
        assert np.array_equal(weight.numpy(), network[f"NetLinLayer_{n}"]["Conv_0"]["kernel"].ravel())


@pytest.mark.parametrize("name", ["lpips_alexnet", "lpips_vgg16"])
def test_the_smallest_picture_reaches_the_last_stage_and_one_pixel_less_doesnt(name):
    module = registry.load("extractors", name)
    network, side = module.build(tensors(BUILT[name]())), module.SMALLEST
    assert network.smallest == side
    assert min(network(pictures(1, side, side))[-1].shape) >= 1
    with pytest.raises(RuntimeError):
        network(pictures(1, side - 1, side))


# --- Inception ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [(40, 48), (299, 299), (320, 300)])
def test_inceptions_features_are_those_of_the_papers_blocks(size):
    reference = lab.randomized(lab.Inception())
    built = inception.build(tensors(inception.convert(arrays(reference.state_dict()))))
    x = pictures(1, *size)
    with torch.no_grad():
        ours, theirs = built(x), reference(x)
    assert ours.shape == (1, 2048 // 16)
    assert theirs.std() > 0.05 * theirs.mean()  # not all the same, so that a mistake would be seen
    assert (ours - theirs).norm() < 1e-4 * theirs.norm()


def test_inception_at_its_papers_widths_is_as_large_as_it_is_published_to_be():
    """23,834,568 numbers with a head of 1000 classes and no auxiliary one; FID's has 1008."""
    reference = lab.Inception(share=1)
    count = sum(parameter.numel() for parameter in reference.parameters())
    assert count == 23_834_568 + 8 * 2049
    built = inception.build(tensors(inception.convert(arrays(reference.state_dict()))))
    kernels = sum(p.numel() for name, p in built.named_parameters() if name.endswith("weight"))
    assert kernels == sum(
        p.numel() for name, p in reference.named_parameters() if name.endswith("conv.weight")
    )


def test_an_average_doesnt_count_its_padding_and_the_last_pool_is_a_maximum():
    x = torch.ones(1, 1, 3, 3)
    assert torch.equal(inception.POOLS["average"](x), x)
    assert "maximum" in [branch[0] for branch in inception.BLOCKS["Mixed_7c"]]
    assert "maximum" not in [branch[0] for branch in inception.BLOCKS["Mixed_7b"]]


# --- CLIP --------------------------------------------------------------------------------------------


def keys(x):
    """Keys' bicubic weights with a = -1/2 of distances."""
    x = np.abs(x)
    near, far = 1.5 * x**3 - 2.5 * x**2 + 1, -0.5 * x**3 + 2.5 * x**2 - 4 * x + 2
    return np.where(x < 1, near, np.where(x < 2, far, 0))


def bicubic(x, side):
    """(…, n) → (…, side) along the last axis: what CMMD's reference does, by jax.image.resize."""
    n = x.shape[-1]
    scale = max(n / side, 1)  # shrinking smooths
    centers = (np.arange(side) + 0.5) * n / side - 0.5
    weights = keys((np.arange(n)[None] - centers[:, None]) / scale)
    return x @ (weights / weights.sum(axis=1, keepdims=True)).T


@pytest.mark.parametrize("size", [(20, 24), (28, 28), (90, 41)])
def test_clips_embeddings_are_those_of_torchs_own_attention(size):
    published = lab.clip()
    built = clip.build(tensors(clip.convert(arrays(published))))
    x = pictures(2, *size)
    unit = (x.numpy().astype("f8") + 1) / 2
    unit = bicubic(bicubic(unit, 28).swapaxes(2, 3), 28).swapaxes(2, 3)
    mean, std = (np.array(of)[:, None, None] for of in (clip.MEAN, clip.STD))
    pixels = torch.from_numpy((unit - mean) / std).float()
    with torch.no_grad():
        ours, theirs = built(x), lab.clip_embeddings(published, pixels, heads=2)
    assert ours.shape == (2, 24)
    torch.testing.assert_close(ours.norm(dim=1), torch.ones(2))
    torch.testing.assert_close(ours, theirs, rtol=1e-3, atol=1e-5)


def test_clip_at_its_own_widths_is_as_large_as_it_is_published_to_be():
    """427,944,193 numbers in all, 123,650,305 of them the text half's with its projection and the scale."""
    names = lab.clip(width=64, layers=24, inner=8, embedding=4)
    count = 0
    for array in clip.convert(arrays(names)).values():
        sizes = {64: 1024, 8: 4096, 4: 768, 5: 577}
        shape = [sizes.get(side, side) for side in array.shape]
        count += int(np.prod(shape))
    assert count == 427_944_193 - 123_650_305
