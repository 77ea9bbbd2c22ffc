"""Metrics of structure, lines and regions against other implementations and pictures computed by hand."""

import cv2
import numpy as np
import pytest
import scipy.ndimage
import scipy.stats
import skimage.color
import torch
import torchmetrics.functional.image as reference

from anidata.lineart.draw import draw
from anidata.training.compared import Compared
from anidata.training.data.loader import to_tensor
from anidata.training.metrics import bleeding, line_fidelity, msssim, regions, style

NEAR = {"rel": 1e-4}
PAPER = np.full((64, 64, 3), 255, np.uint8)


def of(module, output, truth, line=None):
    given = None if line is None else to_tensor(line)[None]
    values = module.metric(Compared(to_tensor(output)[None], to_tensor(truth)[None], given))
    return {name: value.item() for name, value in values.items()}


def noise(seed, height=48, width=40):
    coarse = np.random.default_rng(seed).integers(0, 256, (8, 8, 3), dtype=np.uint8)
    fine = np.random.default_rng(seed + 99).integers(-9, 10, (height, width, 3))
    return np.clip(cv2.resize(coarse, (width, height)).astype(int) + fine, 0, 255).astype(np.uint8)


@pytest.mark.parametrize("shape", [(176, 180), (200, 256), (256, 191)])
def test_msssim_is_that_of_torchmetrics(shape):
    truth, other = noise(0, *shape), noise(1, *shape)
    for output in (other, cv2.GaussianBlur(truth, (0, 0), 2), 255 - truth, truth // 2):
        levels = (torch.from_numpy(x).permute(2, 0, 1)[None].double() for x in (output, truth))
        expected = reference.multiscale_structural_similarity_index_measure(*levels, data_range=255.0)
        assert of(msssim, output, truth)["msssim"] == pytest.approx(expected.item(), rel=1e-4, abs=1e-6)


def test_msssim_of_less_than_161_px_is_not_defined():
    small, least = noise(0, 160, 300), noise(0, 161, 161)
    assert np.isnan(of(msssim, small, small)["msssim"])
    assert of(msssim, least, least)["msssim"] == pytest.approx(1, **NEAR)


# --- style -----------------------------------------------------------------------------------------


def features(picture):
    luma = picture.astype(float) @ (0.299, 0.587, 0.114)
    slopes = [scipy.ndimage.sobel(luma, axis, mode="mirror") / 8 for axis in (0, 1)]
    mean, square = (scipy.ndimage.uniform_filter(x, 7, mode="mirror") for x in (luma, luma**2))
    return np.hypot(*slopes).ravel(), np.sqrt(np.maximum(square - mean**2, 0)).ravel()


def test_style_is_scipys_distance_of_scipys_features():
    for output, truth in ((noise(0), noise(1)), (noise(2) // 3, noise(2)), (noise(3), PAPER[:48, :40])):
        expected = [
            scipy.stats.wasserstein_distance(*x) for x in zip(features(output), features(truth), strict=True)
        ]
        assert list(of(style, output, truth).values()) == pytest.approx(expected, **NEAR)


def test_style_of_a_ramp_is_by_hand():
    ramp = np.repeat(np.arange(0, 128, 2, dtype=np.uint8)[None, :, None], 64, axis=0).repeat(3, axis=2)
    # 2 levels a pixel, none in the two mirrored columns
    assert of(style, ramp, PAPER)["style"] == pytest.approx(2 * 62 / 64, **NEAR)


# --- regions ---------------------------------------------------------------------------------------


def crossed():
    """A cross of ink, 4 px wide, which makes four regions of 30 × 30 px."""
    line = np.full((64, 64), 255, np.uint8)
    line[30:34] = line[:, 30:34] = 0
    return line


def test_regions_compare_mean_colors_each_region_once():
    rng = np.random.default_rng(0)
    truth, output = rng.integers(0, 256, (2, 64, 64, 3), dtype=np.uint8)
    line = crossed()
    line[:30, 20:24] = 0  # cuts the first one in two of unequal size
    boxes = [(0, 30, 0, 20), (0, 30, 24, 30), (0, 30, 34, 64), (34, 64, 0, 30), (34, 64, 34, 64)]
    labs = [skimage.color.rgb2lab(x) for x in (output, truth)]
    parts = [[x[a:b, c:d].reshape(-1, 3) for a, b, c, d in boxes] for x in labs]
    apart = [
        skimage.color.deltaE_ciede2000(t.mean(axis=0), o.mean(axis=0)) for o, t in zip(*parts, strict=True)
    ]
    spreads = [sum(part.var(axis=0).sum() * len(part) for part in side) for side in parts]
    values = of(regions, output, truth, line)
    assert values["regions"] == pytest.approx(np.mean(apart), **NEAR)
    areas = [len(part) for part in parts[0]]
    assert values["regions_area"] == pytest.approx(np.average(apart, weights=areas), **NEAR)
    assert values["regions_variance"] == pytest.approx(spreads[0] / spreads[1], **NEAR)


def test_regions_do_not_see_ink_nor_parts_of_few_pixels():
    line = crossed()
    line[2:7, 2:7] = 0
    line[3:6, 3:6] = 255  # 9 px enclosed
    output = PAPER.copy()
    output[line == 0] = (0, 0, 255)
    output[3:6, 3:6] = 0
    assert of(regions, output, PAPER, line)["regions"] == 0
    assert np.isnan(of(regions, output, PAPER, line)["regions_variance"])  # of flat paper


# --- lines -----------------------------------------------------------------------------------------


def strokes(*rows):
    """Strokes of 2 px across a page."""
    page = PAPER.copy()
    for row in rows:
        page[row : row + 2, 4:60] = 0
    return page


def test_lines_of_the_output_are_held_against_the_input_by_hand():
    assert (draw(strokes(20, 40)) == strokes(20, 40)[..., 0]).all()
    scores = of(line_fidelity, strokes(20), PAPER, strokes(20, 40)[..., 0])
    assert scores["line_fidelity_precision"] == 1
    assert scores["line_fidelity_recall"] == 0.5
    assert scores["line_fidelity"] == pytest.approx(2 / 3, **NEAR)
    assert of(line_fidelity, strokes(20, 40), PAPER, strokes(20)[..., 0])["line_fidelity_precision"] == 0.5
    assert set(of(line_fidelity, PAPER, PAPER, strokes(20)[..., 0]).values()) == {0}
    assert np.isnan(of(line_fidelity, strokes(20), PAPER, PAPER[..., 0])["line_fidelity"])


@pytest.mark.parametrize(("shift", "expected"), [(1, 1), (2, 1), (3, 0.5), (4, 0)])
def test_lines_may_be_2_px_off(shift, expected):
    value = of(line_fidelity, strokes(20 + shift), PAPER, strokes(20)[..., 0])["line_fidelity"]
    assert value == pytest.approx(expected, **NEAR)


# --- bleeding --------------------------------------------------------------------------------------


def halves(edge):
    """Red left of a column and cyan right of it."""
    page = np.full((64, 64, 3), (200, 40, 40), np.uint8)
    page[:, edge:] = (40, 180, 180)
    return page


def barred():
    line = PAPER[..., 0].copy()
    line[:, 30:32] = 0
    return line


@pytest.mark.parametrize(("edge", "expected"), [(31, 0), (33, 0), (40, 1), (20, 1)])
def test_color_that_runs_over_a_line_bleeds(edge, expected):
    """All change of color lies at one edge: on the line, or away from it."""
    assert of(bleeding, halves(edge), halves(31), barred())["bleeding"] == pytest.approx(expected, abs=1e-6)


def test_color_that_changes_where_the_truth_does_or_in_lightness_alone_does_not_bleed():
    assert of(bleeding, halves(40), halves(40), barred())["bleeding"] == 0
    shaded = (PAPER * np.linspace(0.2, 1, 64)[None, :, None]).astype(np.uint8)
    assert np.isnan(of(bleeding, shaded, shaded, barred())["bleeding"])
    assert of(bleeding, shaded, halves(31), barred())["bleeding"] == pytest.approx(0, abs=1e-3)


def test_the_gradient_is_numpys_within_and_the_share_is_by_hand():
    ab = np.random.default_rng(0).normal(0, 20, (2, 30, 20)).astype(np.float32)
    slopes = np.stack([np.stack(np.gradient(plane.astype(float))) for plane in ab])
    expected = np.sqrt((slopes**2).sum(axis=(0, 1)))[1:-1, 1:-1]
    np.testing.assert_allclose(bleeding.gradient(ab)[1:-1, 1:-1], expected, rtol=1e-4)
    output, truth, ink = np.zeros((3, 20, 20), np.float32)
    output[5, 5], output[5, 15], output[15, 5], truth[15, 7], ink[5, 13] = 4, 2, 2, 1, 1
    # 4 of no line and no truth, 2 near the ink, 2 where the truth has 1 within 2 px
    assert bleeding.share(output, truth, ink > 0) == pytest.approx((4 + 1) / 8, **NEAR)
