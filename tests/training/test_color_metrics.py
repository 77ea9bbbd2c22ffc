"""Metrics of color against other implementations, closed forms and pictures computed by hand."""

import colorsys

import numpy as np
import pytest
import scipy.optimize
import skimage.color
import torch

from anidata.training.compared import Compared, lab, paper
from anidata.training.data.loader import to_tensor
from anidata.training.metrics import (
    ciede2000,
    colorfulness,
    harmony,
    mae_lab,
    mae_rgb,
    palette,
    psnr,
)

NEAR = {"rel": 1e-4}


def noise(seed, side=40):
    return np.random.default_rng(seed).integers(0, 256, (side, side + 3, 3), dtype=np.uint8)


def blocks(*colors, side=12):
    """Columns of color, as many px wide as high."""
    return np.concatenate([np.full((side, side, 3), color, np.uint8) for color in colors], axis=1)


PAIRS = {
    "noise": (noise(0), noise(1)),
    "near": (np.clip(noise(2).astype(int) + 1, 0, 255).astype(np.uint8), noise(2)),
    "colors": (blocks((200, 40, 30), (20, 60, 200)), blocks((190, 60, 30), (255, 255, 255))),
    "dark": (noise(3) // 20, noise(4) // 20),
}


@pytest.fixture(params=PAIRS)
def pair(request):
    return PAIRS[request.param]


def of(module, output, truth):
    values = module.metric(Compared(to_tensor(output)[None], to_tensor(truth)[None]))
    return {name: value.item() for name, value in values.items()}


def test_mae_of_rgb_is_numpys(pair):
    output, truth = pair
    expected = np.abs(output.astype(float) - truth.astype(float)).mean()
    assert of(mae_rgb, *pair)["mae_rgb"] == pytest.approx(expected, **NEAR)


def test_mae_and_psnr_in_lab_are_those_of_scikit_images_lab(pair):
    apart = np.diff([skimage.color.rgb2lab(picture) for picture in pair], axis=0)[0]
    errors = np.abs(apart).mean(axis=(0, 1))
    values = of(mae_lab, *pair)
    assert values["mae_lab"] == pytest.approx(errors.mean(), **NEAR)
    assert [values[f"mae_lab_{axis}"] for axis in "lab"] == pytest.approx(errors.tolist(), **NEAR)
    decibels = 10 * np.log10(255**2 / (apart[..., 1:] ** 2).mean())
    assert of(psnr, *pair)["psnr_ab"] == pytest.approx(decibels, **NEAR)


def test_figures_of_ciede2000_are_numpys_of_scikit_images_differences(pair):
    output, truth = (skimage.color.rgb2lab(picture) for picture in pair)
    apart = skimage.color.deltaE_ciede2000(truth, output)
    values = of(ciede2000, *pair)
    assert values["ciede2000_median"] == pytest.approx(np.median(apart), **NEAR)
    assert values["ciede2000_p95"] == pytest.approx(np.percentile(apart, 95), **NEAR)
    assert values["ciede2000_above_5"] == pytest.approx((apart > 5).mean(), **NEAR)
    assert values["ciede2000_above_10"] == pytest.approx((apart > 10).mean(), **NEAR)


def test_no_colors_are_farther_apart_than_the_ranges_say():
    levels = np.stack(np.meshgrid(*[np.linspace(0, 1, 8)] * 3), axis=-1).reshape(-1, 3)
    colors = lab(torch.from_numpy(levels).T[None, :, :, None])[0, :, :, 0]
    spans = (colors.max(dim=1).values - colors.min(dim=1).values).tolist()
    assert [round(span) for span in spans] == [100, 184, 202]
    assert spans[1] < mae_lab.FIGURES["mae_lab_a"].high
    assert spans[2] < mae_lab.FIGURES["mae_lab_b"].high
    every = torch.cdist(colors.T, colors.T)
    assert 258 < every.max() < palette.FIGURES["palette"].high
    wide = [x.expand(3, 512, 512)[None] for x in (colors[:, :, None], colors[:, None, :])]
    assert 110 < ciede2000.difference(*wide).max() < ciede2000.MOST


def test_psnr_of_the_drawn_part_leaves_out_white_that_is_joined_to_the_border_and_no_other():
    truth = np.full((20, 20, 3), 255, np.uint8)
    truth[4:16, 4:16] = 0  # a box of ink
    truth[6:14, 6:14] = 252  # white within: drawn
    assert (~paper(truth)).sum() == 12 * 12
    output = truth.copy()
    output[:4] = 0  # on paper alone
    assert of(psnr, output, truth)["psnr_drawn"] == pytest.approx(100)
    assert of(psnr, output, truth)["psnr"] < 20
    output = truth.copy()
    output[6:14, 6:14] = 252 - 51
    expected = 10 * np.log10(1 / (64 * 0.2**2 / 144))
    assert of(psnr, output, truth)["psnr_drawn"] == pytest.approx(expected, **NEAR)


def hasler(picture):
    """As its paper has it, in float64."""
    red, green, blue = picture.reshape(-1, 3).T.astype(float)
    rg, yb = red - green, 0.5 * (red + green) - blue
    return np.hypot(rg.std(), yb.std()) + 0.3 * np.hypot(rg.mean(), yb.mean())


def test_colorfulness_is_the_ratio_of_the_papers_figure(pair):
    expected = hasler(pair[0]) / hasler(pair[1])
    assert of(colorfulness, *pair)["colorfulness"] == pytest.approx(expected, **NEAR)


def test_colorfulness_of_one_color_is_by_hand():
    # rg = 100, yb = 50 − 0 in the truth, and half of both in the output
    assert of(colorfulness, blocks((50, 0, 0)), blocks((100, 0, 0)))["colorfulness"] == pytest.approx(0.5)
    value = colorfulness.colorfulness(torch.tensor([100.0, 0, 0]).view(1, 3, 1, 1) / 255)
    assert value.item() == pytest.approx(0.3 * np.hypot(100, 50), **NEAR)


# --- palette ---------------------------------------------------------------------------------------


def transported(one, other):
    """The least cost by linear programming."""
    cost = np.linalg.norm(one.colors[:, None] - other.colors[None], axis=2)
    rows = np.kron(np.eye(len(one.shares)), np.ones(len(other.shares)))
    columns = np.kron(np.ones(len(one.shares)), np.eye(len(other.shares)))
    shares = np.concatenate([one.shares, other.shares])
    return scipy.optimize.linprog(cost.ravel(), A_eq=np.vstack([rows, columns]), b_eq=shares).fun


@pytest.mark.parametrize("seed", range(12))
def test_the_transport_is_the_least_there_is(seed):
    rng = np.random.default_rng(seed)
    palettes = [
        palette.Palette(rng.normal(0, 40, (count, 3)), rng.dirichlet(np.ones(count)))
        for count in rng.integers(1, 9, 2)
    ]
    assert palette.distance(*palettes) == pytest.approx(transported(*palettes), **NEAR)


def test_the_palette_of_few_colors_is_these_colors(pair):
    picture = blocks((200, 40, 30), (20, 60, 200), (20, 60, 200), (255, 255, 255))
    colors = lab(torch.from_numpy(picture).permute(2, 0, 1)[None] / 255)
    made = palette.palette(picture, colors[0].flatten(1).double().numpy())
    assert sorted(made.shares) == pytest.approx([0.25, 0.25, 0.5])
    expected = skimage.color.rgb2lab(picture[0, ::12])
    assert all(np.abs(expected - color).max(axis=1).min() < 1e-2 for color in made.colors)


def test_the_distance_of_two_palettes_is_by_hand():
    red, blue, white = (200, 40, 30), (20, 60, 200), (255, 255, 255)
    colors = skimage.color.rgb2lab(np.array([red, blue], np.uint8)[None])[0]
    half = np.linalg.norm(colors[0] - colors[1]) / 2
    assert of(palette, blocks(red, white), blocks(blue, white))["palette"] == pytest.approx(half, **NEAR)
    assert of(palette, blocks(white, red, blue), blocks(blue, red, white))["palette"] < 1e-5


# --- harmony ---------------------------------------------------------------------------------------

# each template's sectors: middle and width in degrees
TEMPLATES = {
    "i": [(0, 18)],
    "V": [(0, 93.6)],
    "L": [(0, 18), (90, 79.2)],
    "I": [(0, 18), (180, 18)],
    "T": [(0, 180)],
    "Y": [(0, 93.6), (180, 18)],
    "X": [(0, 93.6), (180, 93.6)],
}


def out_of_harmony(picture):
    """Pixel by pixel over all seven templates and all turns."""
    hues, weights = [], []
    for red, green, blue in picture.reshape(-1, 3).tolist():
        hue, _, value = colorsys.rgb_to_hsv(red, green, blue)
        hues.append(np.floor(hue * 360 + 0.5 + 1e-9) % 360)
        weights.append(value - min(red, green, blue))
    hues, weights = np.array(hues), np.array(weights, float)

    def cost(sectors, turn):
        away = [np.abs((hues - turn - middle + 180) % 360 - 180) - width / 2 for middle, width in sectors]
        return (np.maximum(np.min(away, axis=0), 0) * weights).sum() / weights.sum()

    return min(cost(sectors, turn) for sectors in TEMPLATES.values() for turn in range(360))


@pytest.mark.parametrize("kind", ["noise", "skewed", "blocks", "three"])
def test_harmony_is_the_nearest_of_seven_templates(kind):
    picture = {
        "noise": noise(5, 16),
        "skewed": (noise(6, 16) * np.array([1, 0.6, 0.3])).astype(np.uint8),
        "blocks": blocks((255, 0, 0), (0, 255, 0), (0, 0, 255), side=6),
        "three": blocks((255, 0, 0), (0, 250, 90), (90, 0, 255), (255, 240, 0), side=6),
    }[kind]
    assert harmony.distance(picture) == pytest.approx(out_of_harmony(picture), rel=1e-4, abs=1e-9)
    assert harmony.distance(picture) > 0.5


def test_opposite_colors_are_in_harmony_and_a_triad_is_not():
    assert harmony.distance(blocks((255, 0, 0), (0, 255, 255))) == 0
    # X about one of three hues 120° apart: the others are 60° from its second middle, 13.2° outside
    assert harmony.distance(blocks((255, 0, 0), (0, 255, 0), (0, 0, 255))) == pytest.approx(
        2 * 13.2 / 3, **NEAR
    )
