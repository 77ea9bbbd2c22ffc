"""What holds for every metric's file: its contract, its range, its best value, and pictures of every kind."""

import cv2
import numpy as np
import pytest
import torch

from anidata import registry
from anidata.lineart.draw import draw
from anidata.training.compared import Compared, Side
from anidata.training.compared import parts as compared_parts
from anidata.training.data.loader import floats, to_tensor, to_uint8
from anidata.training.figures import is_of_pictures

METRICS = registry.names("metrics")
OF_PICTURES = [name for name in METRICS if is_of_pictures(registry.load("metrics", name))]
SIDE = 192


@pytest.fixture(params=METRICS)
def module(request):
    return registry.load("metrics", request.param)


@pytest.fixture(params=OF_PICTURES)
def measuring(request):
    return registry.load("metrics", request.param)


def drawing(seed):
    """A page with disks and boxes of color, each within its line: uint8 (SIDE, SIDE, 3)."""
    rng = np.random.default_rng(seed)
    page = np.full((SIDE, SIDE, 3), 255, np.uint8)
    for _ in range(6):
        center, color = rng.integers(40, SIDE - 40, 2), rng.integers(40, 250, 3)
        corner = center + rng.integers(16, 36, 2)
        cv2.rectangle(page, center.tolist(), corner.tolist(), color.tolist(), -1)
        cv2.rectangle(page, center.tolist(), corner.tolist(), (0, 0, 0), 2)
        cv2.circle(page, center.tolist(), 18, color[::-1].tolist(), -1)
        cv2.circle(page, center.tolist(), 18, (0, 0, 0), 2)
    shade = rng.normal(0, 3, page.shape) * (page.min(axis=2, keepdims=True) > 0)
    return np.clip(page + shade, 0, 255).astype(np.uint8)


@pytest.fixture(scope="module")
def compared():
    """Three drawings, their lines, and outputs with noise in them."""
    pages = [drawing(seed) for seed in range(3)]
    truth = torch.stack([to_tensor(page) for page in pages])
    line = torch.stack([to_tensor(draw(page)) for page in pages])
    noise = torch.randn(truth.shape, generator=torch.Generator().manual_seed(0))
    output = rounded(truth + 0.2 * noise)
    return Compared(output, truth, line)


def rounded(pictures):
    return floats(torch.from_numpy(to_uint8(pictures)).permute(0, 3, 1, 2))


def flat(level, height=SIDE, width=SIDE):
    return floats(torch.full((2, 3, height, width), level, dtype=torch.uint8))


def within(module, values):
    for name, figure in module.FIGURES.items():
        defined = values[name][~values[name].isnan()]
        assert ((defined >= figure.low - 1e-4) & (defined <= figure.high + 1e-4)).all(), (name, values[name])


def held(value):
    """The arrays that a side holds, however deep."""
    if isinstance(value, np.ndarray):
        return [value]
    if isinstance(value, torch.Tensor):
        return [value.numpy()]
    if isinstance(value, Side):
        value = list(vars(value).values())
    if isinstance(value, dict):
        value = list(value.values())
    return [array for one in value for array in held(one)] if isinstance(value, list | tuple) else []


def test_a_metric_has_a_title_a_source_a_version_and_figures(module):
    name = module.__name__.rpartition(".")[2]
    assert registry.title(module).endswith(".")
    assert "\nSource: " in module.__doc__
    assert isinstance(module.VERSION, int)
    assert isinstance(module.QUICK, bool)
    assert isinstance(module.EXTRACTOR, str)
    assert next(iter(module.FIGURES)) == name
    for figure, known in module.FIGURES.items():
        assert figure == name or figure.startswith(f"{name}_")
        assert known.better in ("higher", "lower", "one")
        assert known.side in ("color", "style")
        assert known.low < known.high
        assert known.about
        assert not known.about.endswith(".")


def test_no_figure_is_of_two_files():
    figures = [figure for name in METRICS for figure in registry.load("metrics", name).FIGURES]
    assert len(figures) == len(set(figures))


def test_a_batch_of_one_has_the_value_that_it_has_among_others(measuring, compared):
    together = measuring.metric(Compared(compared.output, compared.truth, compared.line))
    assert list(together) == list(measuring.FIGURES)
    for n in range(3):
        parts = (x[n : n + 1] for x in (compared.output, compared.truth, compared.line))
        for name, value in measuring.metric(Compared(*parts)).items():
            assert together[name].shape == (3,)
            assert together[name].isfinite().all(), name
            torch.testing.assert_close(together[name][n : n + 1], value, rtol=1e-5, atol=1e-6)


def test_the_truth_itself_has_the_best_value_there_is(measuring, compared):
    same = measuring.metric(Compared(compared.truth, compared.truth, compared.line))
    noisy = measuring.metric(compared)
    within(measuring, same)
    within(measuring, noisy)
    if getattr(measuring, "ALONE", False):
        return
    for name, figure in measuring.FIGURES.items():
        best = {"higher": figure.high, "lower": figure.low, "one": 1}[figure.better]
        assert same[name].tolist() == pytest.approx([best] * 3, abs=1e-4), name
        losses = [sum(figure.loss(v) for v in values[name].tolist()) for values in (same, noisy)]
        assert losses[0] <= losses[1], name


def test_some_figure_of_each_metric_sees_the_noise(measuring, compared):
    same = measuring.metric(Compared(compared.truth, compared.truth, compared.line))
    noisy = measuring.metric(compared)
    seen = [(same[name] - noisy[name]).abs().max() > 1e-3 for name in measuring.FIGURES]
    assert any(seen)


def test_a_metric_leaves_its_pictures_and_what_is_shared_alone(measuring, compared):
    fresh = Compared(*(x.clone() for x in (compared.output, compared.truth, compared.line)))
    first = measuring.metric(fresh)
    sides = (fresh.outputs, fresh.truths, fresh.lines)
    before = [array.copy() for side in sides for array in held(side)]
    assert len(before) >= 3
    second = measuring.metric(fresh)
    after = [array for side in sides for array in held(side)]
    assert all(np.array_equal(*pair, equal_nan=True) for pair in zip(before, after, strict=True))
    for name, value in first.items():
        assert torch.equal(value, second[name]), name
    assert torch.equal(fresh.output, compared.output)
    assert torch.equal(fresh.truth, compared.truth)


def test_a_truth_and_a_line_that_outputs_share_change_no_bit(measuring, compared):
    truth, line = Side(compared.truth), Side(compared.line)
    for output in (compared.output, compared.truth, -compared.output):
        shared = measuring.metric(Compared(output, truth, line))
        for name, value in measuring.metric(Compared(output, compared.truth, compared.line)).items():
            assert np.array_equal(value, shared[name], equal_nan=True), name


def test_a_truth_beside_other_lines_is_seen_by_those(measuring, compared):
    truth, other = Side(compared.truth), compared.line.flip(3)
    measuring.metric(Compared(compared.output, truth, compared.line))
    later = measuring.metric(Compared(compared.output, truth, other))
    for name, value in measuring.metric(Compared(compared.output, compared.truth, other)).items():
        assert np.array_equal(value, later[name], equal_nan=True), name


@pytest.mark.parametrize("count", [1, 2, 3, 7, 16])
def test_parts_are_all_pictures_in_order_and_none_is_alone(count):
    parts = [list(range(count))[part] for part in compared_parts(count)]
    assert [number for part in parts for number in part] == list(range(count))
    assert all(len(part) > 1 for part in parts) or count == 1
    assert max(map(len, parts)) <= 3


@pytest.mark.parametrize("size", [(1, 1), (1, 40), (7, 3), (SIDE, SIDE)])
@pytest.mark.parametrize(
    ("output", "truth", "ink"), [(255, 255, 255), (0, 0, 0), (0, 255, 0), (255, 0, 255), (120, 130, 0)]
)
def test_pictures_of_one_pixel_or_one_color_have_a_value_in_the_range_or_none(
    measuring, size, output, truth, ink
):
    line = flat(ink, *size)[:, :1]
    for given in (line, None):
        values = measuring.metric(Compared(flat(output, *size), flat(truth, *size), given))
        assert list(values) == list(measuring.FIGURES)
        assert all(value.shape == (2,) for value in values.values())
        within(measuring, values)


@pytest.mark.parametrize("name", ["line_fidelity", "bleeding", "regions"])
def test_without_a_line_there_is_no_value(name, compared):
    module = registry.load("metrics", name)
    values = module.metric(Compared(compared.output, compared.truth))
    assert all(value.isnan().all() for value in values.values())


@pytest.mark.parametrize(
    ("figure", "name", "output", "truth"),
    [
        ("psnr_drawn", "psnr", 120, 255),  # all paper
        ("msssim", "msssim", None, None),  # too small
        ("colorfulness", "colorfulness", 120, 130),  # a gray truth
        ("harmony", "harmony", 120, 120),  # a gray output
    ],
)
def test_what_is_not_defined_is_no_number(figure, name, output, truth):
    size = (160, SIDE) if output is None else (SIDE, SIDE)
    values = registry.load("metrics", name).metric(
        Compared(flat(output or 9, *size), flat(truth or 99, *size))
    )
    assert values[figure].isnan().all()
