"""The leak test: finds a planted leak, and none where ink is black; agrees with the closed form."""

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from anidata.lineart import color_leak
from anidata.lineart.styles import ink, xdog
from cels import paint


def pair(seed, *, leak):
    """A page of colored tiles, each with a stroke; its gray tells the tile's luma in `leak` of the cases."""
    rng = np.random.default_rng(seed)
    rgb, line = np.zeros((256, 256, 3), np.uint8), np.full((256, 256), 255, np.uint8)
    for y in range(0, 256, 32):
        for x in range(0, 256, 32):
            color = rng.integers(0, 256, 3)
            tone = color.mean() if rng.random() < leak else rng.integers(0, 256)
            rgb[y : y + 32, x : x + 32] = color
            line[y + 14 : y + 18, x : x + 32] = min(240, int(tone * 0.9))
    return line, rgb


def told(pairs, which=0):
    """What lines as they are (0) or binarized (1) give away."""
    return color_leak.leak(sum(color_leak.tally(line, rgb, n) for n, (line, rgb) in enumerate(pairs))[which])


def measured(leak, which=0):
    return told((pair(seed, leak=leak) for seed in range(12)), which)


def test_a_planted_leak_is_found_and_weaker_ones_weaker():
    full, half, none = (measured(share).lightness for share in (1.0, 0.5, 0.0))
    assert full > 0.6
    assert none + 0.02 < half < full / 2  # half of the tiles: a quarter of the variance at most
    assert none < 0.02


def test_a_leak_of_hue_alone_is_found():
    pairs = [pair(seed, leak=0.0) for seed in range(12)]
    red = [np.where(line < 255, rgb[..., 0] // 2, 255).astype(np.uint8) for line, rgb in pairs]
    leak = told((line, rgb) for line, (_, rgb) in zip(red, pairs, strict=True))
    assert leak.worst == leak.a > 0.15


def test_binarized_lines_tell_nothing():
    assert measured(1.0, which=1).worst < 0.02


def test_the_share_is_the_squared_correlation():
    pairs = [pair(seed, leak=1.0) for seed in range(40)]
    gray, lab = (
        np.concatenate(values) for values in zip(*(color_leak.regions(*p) for p in pairs), strict=True)
    )
    expected = [np.corrcoef(gray, lab[:, n])[0, 1] ** 2 for n in range(3)]
    assert told(pairs) == pytest.approx(expected, abs=0.02)


def test_sums_agree_with_the_regions_themselves():
    pairs = [pair(seed, leak=0.7) for seed in range(7)]
    regions = [color_leak.regions(*p) for p in pairs]
    missed, spread = np.zeros(3), np.zeros(3)
    for fold in range(color_leak.FOLDS):
        gray, lab = (
            np.concatenate([r[n] for k, r in enumerate(regions) if k % color_leak.FOLDS != fold])
            for n in (0, 1)
        )
        fits = [np.polyfit(gray, lab[:, n], 1) for n in range(3)]
        for held in regions[fold :: color_leak.FOLDS]:
            missed += [np.square(held.lab[:, n] - np.polyval(fits[n], held.gray)).sum() for n in range(3)]
            spread += np.square(held.lab - lab.mean(axis=0)).sum(axis=0)
    assert told(pairs) == pytest.approx(np.maximum(0, 1 - missed / spread), abs=1e-9)


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 100), st.integers(1, 100), st.integers(0, 255))
def test_regions_of_any_size_have_the_color_and_the_gray_that_is_there(height, width, tone):
    line, rgb = (
        np.full((height, width), min(tone, 249), np.uint8),
        np.full((height, width, 3), tone, np.uint8),
    )
    regions = color_leak.regions(line, rgb)
    assert np.allclose(regions.gray, min(tone, 249) / 255)
    lightness = cv2.cvtColor(np.full((1, 1, 3), tone / 255, np.float32), cv2.COLOR_RGB2LAB)[0, 0]
    assert np.allclose(regions.lab, lightness, atol=1e-3)


def test_without_ink_or_with_one_picture_there_is_no_figure():
    blank = np.full((64, 64), 255, np.uint8), np.zeros((64, 64, 3), np.uint8)
    assert np.isnan(told([blank, blank])).all()
    assert np.isnan(told([pair(0, leak=1.0)])).all()


def test_luma_leaks_and_ink_does_not():
    pictures = [paint(seed).rgb for seed in range(6)]
    soft = told((cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY), rgb) for rgb in pictures)
    assert soft.lightness > 0.9
    for style in (ink, xdog):
        assert told((style.draw(rgb, style.Config()), rgb) for rgb in pictures).worst < 0.02
