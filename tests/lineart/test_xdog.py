"""The XDoG style: against the formula in plain NumPy and SciPy, its switches, and the artists' own lines."""

from dataclasses import replace

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import convolve1d, gaussian_filter

from anidata.lineart.styles import _gauss, xdog
from shared import SHARED

CONFIG = xdog.Config()


def luma(rgb):
    return np.round(rgb @ np.array([0.299, 0.587, 0.114])) / 255


def scene(seed=0):
    """Smooth fills with pen strokes across, 96 × 120."""
    rng = np.random.default_rng(seed)
    rgb = cv2.resize(
        rng.integers(60, 256, (4, 5, 3), dtype=np.uint8), (120, 96), interpolation=cv2.INTER_CUBIC
    )
    for _ in range(6):
        a, b = rng.integers(0, 96, (2, 2)).tolist()
        cv2.line(rgb, a, b, (20, 10, 15), 2, cv2.LINE_AA)
    return rgb


def formula(rgb, config):
    """u of the docstring, in float64, by SciPy."""
    gray = luma(rgb)
    narrow, wide = (gaussian_filter(gray, s, mode="mirror") for s in (config.sigma, config.k * config.sigma))
    return gray * ((1 + config.p) * narrow - config.p * wide)


@pytest.mark.parametrize(
    "config", [CONFIG, xdog.Config(sigma=1.0, k=1.6, p=20.0, epsilon=0.1), xdog.Config(p=0.0, epsilon=0.25)]
)
def test_ink_lies_where_the_formula_is_below_epsilon(config):
    rgb = scene()
    agree = (xdog.draw(rgb, config) == 0) == (formula(rgb, config) < config.epsilon)
    assert (
        agree.mean() > 0.99
    )  # luma in whole levels and weights in 256ths move the rim of a stroke here and there


def test_a_soft_edge_follows_the_hyperbolic_tangent():
    config = replace(CONFIG, phi=2.0)
    rgb = scene()
    expected = 255 * np.minimum(1, 1 + np.tanh(config.phi * (formula(rgb, config) - config.epsilon)))
    line = xdog.draw(rgb, config).astype(float)
    assert np.abs(line - expected).mean() < 3
    assert len(np.unique(line)) > 20


def test_a_steep_soft_edge_is_nearly_the_hard_one():
    hard, soft = xdog.draw(scene(), CONFIG), xdog.draw(scene(), replace(CONFIG, phi=1e5))
    assert ((soft < 128) == (hard < 128)).mean() > 0.999


def test_without_sharpening_and_blur_it_is_a_threshold_of_luma_squared():
    rgb = scene()
    line = xdog.draw(rgb, xdog.Config(sigma=0.0, p=0.0, epsilon=0.25))
    gray = cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY) / 255
    assert ((line == 0) == (gray**2 < 0.25)).all()


def test_areas_darker_than_the_root_of_epsilon_stay_solid_black():
    level = int(255 * CONFIG.epsilon**0.5)
    ink, paper = (xdog.draw(np.full((9, 9, 3), value, np.uint8), CONFIG) for value in (level - 1, level + 1))
    assert (ink == 0).all()
    assert (paper == 255).all()


def test_the_border_between_two_light_fills_is_no_ink():
    rgb = np.full((64, 64, 3), (250, 220, 200), np.uint8)
    rgb[:, 32:] = (180, 190, 240)
    assert (xdog.draw(rgb, CONFIG) == 255).all()


@settings(max_examples=40, deadline=None)
@given(st.floats(0.05, 6), st.integers(0, 255))
def test_a_blur_of_a_flat_picture_is_exactly_that_picture(sigma, level):
    assert (_gauss.blur(np.full((5, 40), level, np.uint8), sigma) == level * _gauss.UNIT**2).all()


@pytest.mark.parametrize("sigma", [0.0, 0.6, 2.4, 5.0])
def test_a_blur_is_exact_in_integers_so_every_machine_agrees(sigma):
    gray = np.random.default_rng(1).integers(0, 256, (40, 50), dtype=np.uint8)
    weights = _gauss._kernel(sigma).astype(np.int64)
    expected = convolve1d(
        convolve1d(gray.astype(np.int64), weights, axis=0, mode="mirror"), weights, axis=1, mode="mirror"
    )
    assert (_gauss.blur(gray, sigma) == expected).all()


@pytest.mark.parametrize("sigma", [0.6, 1.0, 2.4])
def test_a_blur_is_within_two_grey_levels_of_the_true_gaussian(sigma):
    gray = luma(scene()) * 255
    mine = _gauss.blur(np.round(gray).astype(np.uint8), sigma) / _gauss.UNIT**2
    assert np.abs(mine - gaussian_filter(np.round(gray), sigma, mode="mirror")).max() < 2


@pytest.mark.skipif(
    not (SHARED / "data/lineart").is_dir(), reason="the artists' own lines are not on this machine"
)
def test_most_of_the_artists_ink_is_found_and_little_else():
    hits, drawn, true = 0, 0, 0
    for path in sorted((SHARED / "data/lineart/dicebear-adventurer").glob("*_line.png"))[::10]:
        color = cv2.imread(str(path.with_name(path.name.replace("_line", "_color"))))
        ink = xdog.draw(color[..., ::-1], CONFIG) == 0
        lines = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE) < 190
        near = cv2.dilate(lines.astype(np.uint8), np.ones((5, 5), np.uint8)) > 0
        hits, drawn, true = (
            hits + int((ink & near).sum()),
            drawn + int(ink.sum()),
            true + int((ink & lines).sum() / lines.sum() > 0.6),
        )
    assert hits / drawn > 0.95
    assert true == 6
