"""Metrics that look through a network, and of sets of features, beside closed forms and other programs."""

import math

import numpy as np
import pytest
import scipy.linalg
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from test_extractors import LAYERS, by_numpy, flat, tensors
from torchmetrics.image.kid import poly_mmd

import weights_lab as lab
from anidata import registry
from anidata.errors import NoWeights, WeightsError
from anidata.training import weights
from anidata.training.compared import Compared
from anidata.training.data.loader import floats
from anidata.training.metrics import cmmd, fid, gram, kid

EYES = {"lpips": ("lpips_alexnet", lab.alexnet), "lpips_vgg": ("lpips_vgg16", lab.vgg16)}


def eight_bit(seed, count=2, height=40, width=48):
    return np.random.default_rng(seed).integers(0, 256, (count, height, width, 3), dtype=np.uint8)


def compared(output, truth):
    """uint8 pictures as the evaluator gives them to metrics."""
    return Compared(
        *(floats(torch.from_numpy(side)).permute(0, 3, 1, 2).contiguous() for side in (output, truth))
    )


def network_of(name):
    extractor, published = EYES[name]
    module = registry.load("extractors", extractor)
    return module.build(tensors(module.convert(flat(published())))).eval()


# --- of a picture ------------------------------------------------------------------------------------


def lpips_by_numpy(output, truth, name):
    """LPIPS of uint8 pictures, after its authors' formulas."""
    extractor, published = EYES[name]
    network = published()
    linear = [network[f"NetLinLayer_{n}"]["Conv_0"]["kernel"].ravel()[:, None, None] for n in range(5)]
    values = []
    for both in zip(output, truth, strict=True):
        signed = [torch.from_numpy(side.astype("f8") / 127.5 - 1).permute(2, 0, 1) for side in both]
        stages = [by_numpy(side, next(iter(network.values())), LAYERS[extractor]) for side in signed]
        total = 0.0
        for weight, one, other in zip(linear, *stages, strict=True):
            first, second = (x / (np.sqrt((x**2).sum(axis=0)) + 1e-10) for x in (one, other))
            total += (weight * (first - second) ** 2).sum(axis=0).mean()
        values.append(total)
    return values


@pytest.mark.parametrize("name", EYES)
def test_lpips_is_that_of_its_authors_formulas_on_uint8(name):
    output, truth = eight_bit(1), eight_bit(2)
    ours = registry.load("metrics", name).metric(compared(output, truth), network_of(name))
    assert set(ours) == {name}
    np.testing.assert_allclose(ours[name].numpy(), lpips_by_numpy(output, truth, name), rtol=1e-4)


@pytest.mark.parametrize("name", EYES)
def test_lpips_is_zero_of_the_same_symmetric_and_more_of_what_is_further(name):
    metric, network = registry.load("metrics", name).metric, network_of(name)
    truth = eight_bit(1)
    near, far = (
        np.clip(truth + np.float64(step) * (eight_bit(5) - 128.0) / 128, 0, 255).astype("u1")
        for step in (8, 90)
    )
    assert metric(compared(truth, truth), network)[name].tolist() == [0, 0]
    one, other = metric(compared(near, truth), network)[name], metric(compared(truth, near), network)[name]
    torch.testing.assert_close(one, other)
    assert (one < metric(compared(far, truth), network)[name]).all()


@pytest.mark.parametrize(("name", "smallest"), [("lpips", 31), ("lpips_vgg", 16), ("gram", 16)])
@pytest.mark.parametrize("long", [1, 100])
def test_of_a_picture_too_small_for_its_network_there_is_no_value(name, smallest, long):
    network = network_of("lpips" if name == "lpips" else "lpips_vgg")
    metric = registry.load("metrics", name).metric
    for side, is_defined in ((smallest - 1, False), (smallest, True), (1, False)):
        size = {"height": max(side, long), "width": side}
        value = metric(compared(eight_bit(1, 3, **size), eight_bit(2, 3, **size)), network)[name]
        assert value.shape == (3,)
        assert torch.isfinite(value).tolist() == [is_defined and max(side, long) >= smallest] * 3


@pytest.mark.parametrize("name", ["lpips", "lpips_vgg", "gram"])
def test_a_pictures_value_doesnt_depend_on_its_neighbors(name):
    network = network_of("lpips" if name == "lpips" else "lpips_vgg")
    metric = registry.load("metrics", name).metric
    output, truth = eight_bit(1, 3), eight_bit(2, 3)
    together = metric(compared(output, truth), network)[name]
    alone = torch.cat([metric(compared(output[n, None], truth[n, None]), network)[name] for n in range(3)])
    torch.testing.assert_close(together, alone, rtol=1e-5, atol=0)


def test_the_gram_distance_is_that_of_numpys_products():
    output, truth = eight_bit(1), eight_bit(2)
    network = lab.vgg16()["VGG16_0"]
    expected = []
    for both in zip(output, truth, strict=True):
        signed = [torch.from_numpy(side.astype("f8") / 127.5 - 1).permute(2, 0, 1) for side in both]
        shares = []
        for one, other in zip(
            *(by_numpy(side, network, LAYERS["lpips_vgg16"]) for side in signed), strict=True
        ):
            first, second = (np.einsum("chw,dhw->cd", x, x) for x in (one, other))
            shares.append(
                np.sqrt(((first - second) ** 2).sum())
                / (np.sqrt((first**2).sum()) + np.sqrt((second**2).sum()))
            )
        expected.append(np.mean(shares))
    ours = gram.metric(compared(output, truth), network_of("lpips_vgg"))["gram"]
    np.testing.assert_allclose(ours.numpy(), expected, rtol=1e-4)


def test_the_gram_distance_is_blind_to_where_things_are_and_sees_what_they_are_like():
    network = network_of("lpips_vgg")
    random = np.random.default_rng(0)
    coarse = random.integers(0, 256, (1, 8, 8, 3), dtype=np.uint8).repeat(8, axis=1).repeat(8, axis=2)
    moved, noise = np.roll(coarse, 16, axis=2), random.integers(0, 256, coarse.shape, dtype=np.uint8)
    values = [
        gram.metric(compared(other, coarse), network)["gram"].item() for other in (coarse, moved, noise)
    ]
    assert values[0] == 0
    assert values[1] < 0.5 * values[2]
    assert values[2] < 1


def test_a_network_looks_once_at_a_picture_for_all_metrics_that_ask():
    network, looks = network_of("lpips_vgg"), []
    network.register_forward_hook(lambda *_: looks.append(1))
    both = compared(eight_bit(1), eight_bit(2))
    together = [registry.load("metrics", name).metric(both, network)[name] for name in ("lpips_vgg", "gram")]
    assert len(looks) == 2  # the output and the truth
    apart = [
        registry.load("metrics", name).metric(compared(eight_bit(1), eight_bit(2)), network)[name]
        for name in ("lpips_vgg", "gram")
    ]
    assert all(torch.equal(one, other) for one, other in zip(together, apart, strict=True))


# --- FID ---------------------------------------------------------------------------------------------


def normal(count, mean, root, seed):
    """Numbers whose mean and covariance root·rootᵀ are exactly as said."""
    x = np.random.default_rng(seed).normal(size=(count, len(mean)))
    x -= x.mean(axis=0)
    x = x @ np.linalg.inv(np.linalg.cholesky(np.cov(x, rowvar=False))).T
    return torch.from_numpy(x @ np.asarray(root).T + mean)


def by_sqrtm(one, other):
    """The Fréchet distance as pytorch-fid computes it."""
    one, other = one.numpy(), other.numpy()
    c1, c2 = np.cov(one, rowvar=False), np.cov(other, rowvar=False)
    root = scipy.linalg.sqrtm(c1 @ c2)
    return ((one.mean(0) - other.mean(0)) ** 2).sum() + np.trace(c1 + c2 - 2 * np.real(root))


def test_fid_of_normal_distributions_on_axes_is_the_closed_form():
    """Σ (μ − μ')² + (σ − σ')², where covariances are diagonal."""
    one = normal(500, np.zeros(6), np.diag([1, 2, 3, 4, 5, 6]), 0)
    other = normal(400, np.arange(6.0), np.diag([2, 2, 1, 4, 9, 0.5]), 1)
    expected = (np.arange(6) ** 2).sum() + (np.array([1, 0, 2, 0, 4, 5.5]) ** 2).sum()
    assert fid.metric(one, other)["fid"] == pytest.approx(expected, rel=1e-9)


def test_fid_of_turned_distributions_is_that_of_scipys_root():
    random = np.random.default_rng(2)
    one = normal(300, random.normal(size=9), random.normal(size=(9, 9)), 3)
    other = normal(250, random.normal(size=9), random.normal(size=(9, 9)), 4)
    assert fid.metric(one, other)["fid"] == pytest.approx(by_sqrtm(one, other), rel=1e-6)


@pytest.mark.parametrize("counts", [(3, 5), (20, 20), (70, 20), (20, 70), (200, 300)])
def test_fid_of_fewer_pictures_than_features_is_that_of_the_roots_of_eigenvalues(counts):
    random = np.random.default_rng(5)
    one, other = (
        torch.from_numpy(random.normal(size=(count, 32)) * (1 + n)) for n, count in enumerate(counts)
    )
    c1, c2 = (np.cov(x.numpy(), rowvar=False) for x in (one, other))
    roots = np.sqrt(np.clip(np.linalg.eigvals(c1 @ c2).real, 0, None)).sum()
    expected = ((one.mean(0) - other.mean(0)) ** 2).sum().item() + np.trace(c1) + np.trace(c2) - 2 * roots
    assert fid.metric(one, other)["fid"] == pytest.approx(expected, rel=1e-5)


def test_fid_is_zero_of_the_same_set_in_any_order_and_symmetric():
    one, other = (torch.from_numpy(np.random.default_rng(n).normal(size=(40, 16)) + n) for n in (0, 1))
    assert fid.metric(one, one.flip(0))["fid"] == pytest.approx(0, abs=1e-9)
    assert fid.metric(one, other)["fid"] == pytest.approx(fid.metric(other, one)["fid"], rel=1e-12)
    assert fid.metric(one, one + 2)["fid"] == pytest.approx(4 * 16, rel=1e-9)


def test_fid_is_larger_of_smaller_sets():
    """The bias that the docstring speaks of."""
    rows = torch.from_numpy(np.random.default_rng(0).normal(size=(4000, 16)))
    values = [fid.metric(rows[:n], rows[2000 : 2000 + n])["fid"] for n in (20, 200, 2000)]
    assert values[0] > 2 * values[1] > 4 * values[2] > 0


# --- KID ---------------------------------------------------------------------------------------------


def mmd_by_loops(one, other):
    """Unbiased: over each two pictures of a set, and each of one with each of the other."""

    def k(x, y):
        return (sum(a * b for a, b in zip(x, y, strict=True)) / len(x) + 1) ** 3

    one, other = one.tolist(), other.tolist()
    within = [
        sum(k(x, y) for i, x in enumerate(rows) for j, y in enumerate(rows) if i != j)
        / (len(rows) * (len(rows) - 1))
        for rows in (one, other)
    ]
    across = sum(k(x, y) for x in one for y in other) / (len(one) * len(other))
    return sum(within) - 2 * across


@pytest.mark.parametrize("counts", [(2, 2), (9, 9), (7, 12)])
def test_the_squared_mmd_is_that_of_loops_over_pairs(counts):
    random = np.random.default_rng(0)
    one, other = (torch.from_numpy(random.normal(size=(count, 5)) + n) for n, count in enumerate(counts))
    assert kid.squared_mmd(one, other).item() == pytest.approx(mmd_by_loops(one, other), rel=1e-9)


def test_kid_is_that_of_torchmetrics():
    random = np.random.default_rng(1)
    one, other = (torch.from_numpy(random.random((60, 24)) + shift) for shift in (0, 0.2))
    kernels = [(a @ b.T / 24 + 1) ** 3 for a, b in ((one, one), (one, other), (other, other))]
    assert kid.metric(one, other)["kid"] == pytest.approx(poly_mmd(one, other).item(), rel=1e-6)
    assert torch.equal(kid.kernel(one, other), kernels[1])


def test_kid_has_no_bias_of_small_sets():
    rows = torch.from_numpy(np.random.default_rng(0).normal(size=(4000, 8)))
    halves = [kid.squared_mmd(part[:20], part[20:]).item() for part in rows.split(40)]
    assert abs(np.mean(halves)) < 3 * np.std(halves) / 10  # of 100: within three errors of 0
    assert min(halves) < 0 < max(halves)


def test_kids_subsets_are_no_larger_than_the_smaller_set_and_the_same_every_time(monkeypatch):
    sizes = []
    own = kid.squared_mmd
    monkeypatch.setattr(kid, "squared_mmd", lambda *both: sizes.append([len(x) for x in both]) or own(*both))
    random = np.random.default_rng(0)
    monkeypatch.setattr(kid, "SUBSET", 50)
    large, small, larger = (torch.from_numpy(random.normal(size=(n, 4))) for n in (70, 30, 55))
    values = [kid.metric(large, small)["kid"] for _ in range(2)]
    assert values[0] == values[1]
    assert sizes == [[30, 30]] * 200
    sizes.clear()
    kid.metric(larger, larger + 1)
    assert sizes == [[50, 50]] * 100
    sizes.clear()
    kid.metric(small, small)
    assert sizes == [[30, 30]]


def test_kid_of_subsets_is_near_that_of_the_whole(monkeypatch):
    monkeypatch.setattr(kid, "SUBSET", 200)
    random = np.random.default_rng(0)
    one, other = (torch.from_numpy(random.normal(size=(300, 6)) + shift) for shift in (0, 0.5))
    assert kid.metric(one, other)["kid"] == pytest.approx(kid.squared_mmd(one, other).item(), rel=0.05)


# --- CMMD --------------------------------------------------------------------------------------------


def unit(count, seed, shift=0.0):
    x = torch.randn(count, 12, generator=torch.Generator().manual_seed(seed), dtype=torch.float64) + shift
    return x / x.norm(dim=1, keepdim=True)


@pytest.mark.parametrize("counts", [(1, 1), (6, 6), (4, 9)])
@pytest.mark.parametrize("rows", [2, 1024])
def test_cmmd_is_that_of_loops_over_pairs(counts, rows, monkeypatch):
    monkeypatch.setattr(cmmd, "ROWS", rows)
    one, other = unit(counts[0], 1), unit(counts[1], 2, 1.0)

    def mean(first, second):
        pairs = [
            math.exp(-sum((a - b) ** 2 for a, b in zip(x, y, strict=True)) / 200)
            for x in first.tolist()
            for y in second.tolist()
        ]
        return sum(pairs) / len(pairs)

    expected = 1000 * (mean(one, one) + mean(other, other) - 2 * mean(one, other))
    assert cmmd.metric(one, other)["cmmd"] == pytest.approx(expected, rel=1e-6, abs=1e-9)


def test_cmmd_is_zero_of_the_same_and_its_most_of_opposites():
    one = unit(1, 1).expand(5, -1)
    assert cmmd.metric(one, one)["cmmd"] == pytest.approx(0, abs=1e-9)
    assert cmmd.metric(one, -one)["cmmd"] == pytest.approx(cmmd.MOST)
    assert pytest.approx(1000 * (2 - 2 * math.exp(-4 / 200))) == cmmd.MOST


# --- of all sets -------------------------------------------------------------------------------------

SETS = [fid, kid, cmmd]


@pytest.mark.parametrize("module", SETS)
def test_a_set_too_small_for_a_figure_has_none(module):
    least = 1 if module is cmmd else 2
    one, other = unit(5, 1), unit(5, 2)
    for n in range(5):
        for value in (*module.metric(one[:n], other).values(), *module.metric(one, other[:n]).values()):
            assert math.isnan(value) == (n < least)


@pytest.mark.parametrize("module", SETS)
@settings(deadline=None, max_examples=20)
@given(seed=st.integers(0, 1000), n=st.integers(2, 40), m=st.integers(2, 40))
def test_a_figure_of_sets_is_within_its_range_and_the_order_of_pictures_is_nothing(module, seed, n, m):
    ((name, figure),) = module.FIGURES.items()
    one, other = unit(n, seed), unit(m, seed + 1, 0.5)
    value = module.metric(one, other)[name]
    assert figure.low <= value <= figure.high
    if n == m:  # else KID draws others
        assert module.metric(one.flip(0), other)[name] == pytest.approx(value, rel=1e-6, abs=1e-9)


@pytest.mark.parametrize("module", SETS)
def test_what_is_further_away_is_more(module):
    (name,) = module.FIGURES
    values = [module.metric(unit(60, 1), unit(60, 2, shift))[name] for shift in (0.0, 0.5, 3.0)]
    assert values == sorted(values)
    assert values[0] < 0.3 * values[2]


# --- the whole way -----------------------------------------------------------------------------------

PUBLISHED = {
    "lpips_alexnet": lambda: (lab.pickled(lab.alexnet()), "pickle"),
    "lpips_vgg16": lambda: (lab.pickled(lab.vgg16()), "pickle"),
    "inception": lambda: (lab.saved(lab.randomized(lab.Inception()).state_dict(), zipped=False), "torch"),
    "clip": lambda: (lab.saved(lab.clip()), "torch"),
}
LOOKING = [
    name for name in registry.names("metrics") if getattr(registry.load("metrics", name), "EXTRACTOR", "")
]


def taken(name):
    """A metric's values by the weights that are here, of nearly the same pictures, and of others."""
    module = registry.load("metrics", name)
    network = weights.load(module.EXTRACTOR)
    truth = eight_bit(1, 4)
    values = []
    for output in (np.clip(truth, 4, 251), eight_bit(2, 4) // 4):
        both = compared(output, truth)
        if getattr(module, "SET", False):
            values.append(module.metric(network(both.output).double(), network(both.truth).double()))
        else:
            values.append({key: value.mean().item() for key, value in module.metric(both, network).items()})
    assert all(set(value) == set(module.FIGURES) for value in values)
    return [value[name] for value in values]


@pytest.mark.parametrize("name", LOOKING)
def test_from_the_fetched_file_to_the_figure_and_not_with_another_digest(name, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    extractor = registry.load("metrics", name).EXTRACTOR
    with pytest.raises(NoWeights, match=f"skipped: no weights of {extractor}"):
        taken(name)
    data, form = PUBLISHED[extractor]()
    lab.pin(monkeypatch, extractor, ("a.bin", data, form, ""))
    (tmp_path / "a.bin").write_bytes(data + b"\0")
    with pytest.raises(WeightsError, match="which is none of the known"):
        weights.convert(tmp_path / "a.bin")
    (tmp_path / "a.bin").write_bytes(data)
    (done,) = weights.convert(tmp_path / "a.bin")
    near, far = taken(name)
    assert near < far / 2
    assert far > 0
    whole = done.path.read_bytes()
    done.path.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    with pytest.raises(WeightsError, match="its tensors are others than were converted"):
        taken(name)


def test_every_metric_that_looks_through_a_network_names_one_that_is_there():
    assert LOOKING == ["cmmd", "fid", "gram", "kid", "lpips", "lpips_vgg"]
    for name in LOOKING:
        assert registry.load("metrics", name).EXTRACTOR in registry.names("extractors")
        assert not registry.load("metrics", name).QUICK  # none in a training's validations
