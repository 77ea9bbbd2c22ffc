"""Damage is measured as strongly as it was done: blocks, quality, noise, enlarged pixels, bars."""

import io

import cv2
import numpy as np
import PIL.Image
import pytest

from anidata.imaging.decode import decode
from anidata.measures import border, jpeg_blocks, jpeg_quality, noise, pixel_art
from measure_lab import auc, gray, image, originals, painted
from pages import jpeg
from pages import pixel_art as pixels_drawn
from shared import needs_shared

BLOCKS, NOISY, PIXELS = 0.45, 2.8, 0.7  # where clean's rules cut


def test_blocks_show_the_more_the_coarser_jpeg_was_and_not_at_all_without_it():
    values = [jpeg_blocks.measure(image(jpeg(painted(), quality))) for quality in (6, 12, 25, 50, 90)]
    assert values == sorted(values, reverse=True)
    assert values[1] > BLOCKS > values[4]
    assert jpeg_blocks.measure(image(painted())) < 0.2


@pytest.mark.parametrize("offset", [(0, 0), (3, 5), (7, 1), (4, 4)])
def test_blocks_are_found_wherever_their_grid_begins(offset):
    cut = jpeg(painted(1), 8)[offset[0] :, offset[1] :]
    assert jpeg_blocks.measure(image(cut)) > BLOCKS


def test_blocks_stay_after_saving_again_at_high_quality():
    assert jpeg_blocks.measure(image(jpeg(jpeg(painted(2), 8), 96))) > BLOCKS


def test_ruled_boxes_along_the_grid_are_no_blocks():
    page = np.full((400, 400, 3), 255, np.uint8)
    for n in range(3):
        cv2.rectangle(page, (16 + 96 * n, 16), (88 + 96 * n, 376), (40, 80, 200), -1)
    assert jpeg_blocks.measure(image(page)) < BLOCKS


def test_gradients_and_tiny_pictures_have_no_blocks():
    ramp = np.tile(np.arange(256, dtype=np.uint8), (256, 1))
    assert jpeg_blocks.measure(image(np.dstack([ramp, ramp.T, ramp]))) < 0.2
    assert jpeg_blocks.measure(image(painted()[:31])) == 0


@pytest.mark.parametrize("quality", range(1, 101))
def test_a_jpegs_quality_is_what_it_was_saved_with(quality):
    file = io.BytesIO()
    PIL.Image.fromarray(painted()[:40, :40]).save(file, "JPEG", quality=quality)
    assert jpeg_quality.measure(decode(file.getvalue(), 10_000)) == quality


def test_what_is_no_jpeg_has_lost_nothing():
    file = io.BytesIO()
    PIL.Image.fromarray(painted()[:40, :40]).save(file, "PNG")
    assert jpeg_quality.measure(decode(file.getvalue(), 10_000)) == 100


def test_a_jpeg_with_one_table_for_all_channels_has_a_quality_too():
    file = io.BytesIO()
    PIL.Image.fromarray(painted()[:40, :40]).save(file, "JPEG", qtables=[[7] * 64])
    assert 1 <= jpeg_quality.measure(decode(file.getvalue(), 10_000)) < 100


@pytest.mark.parametrize("sigma", [2.0, 5.0, 10.0, 20.0])
def test_noise_is_the_sigma_that_was_added(sigma):
    flat = 128 + np.random.default_rng(0).normal(0, sigma, (512, 512))
    assert noise.measure(image(gray(flat))) == pytest.approx(
        sigma, rel=0.2
    )  # the quietest tenth has a little less


def test_noise_is_blind_to_gradients_and_to_lines():
    ramp = np.tile(np.linspace(0, 255, 400), (300, 1))
    assert noise.measure(image(gray(ramp))) < 0.5
    page = np.full((400, 400, 3), 240, np.uint8)
    for n in range(12):
        cv2.line(page, (0, 30 * n), (399, 33 * n + 5), (0, 0, 0), 2, cv2.LINE_AA)
    assert noise.measure(image(page)) == 0


def test_texture_that_halving_leaves_is_no_noise_and_hides_none():
    rng = np.random.default_rng(3)
    parchment = 128 + 70 * cv2.GaussianBlur(rng.normal(0, 1, (400, 400)), (0, 0), 0.8)
    assert noise.measure(image(gray(parchment))) < NOISY
    assert noise.measure(image(gray(parchment + rng.normal(0, 10, parchment.shape)))) > NOISY


def test_a_dithered_palette_is_half_as_noisy_as_it_looks_and_a_noisy_one_still_is():
    dithered = PIL.Image.fromarray(painted()).convert("P", palette=PIL.Image.Palette.WEB)
    strewn, luma = (
        noise.measure(image(rgb))
        for rgb in (np.asarray(dithered.convert("RGB")), gray(np.asarray(dithered.convert("L"))))
    )
    assert strewn > 2
    assert strewn == pytest.approx(luma / 2, rel=0.05)  # in gray it is noise
    spoilt = PIL.Image.fromarray(
        np.clip(painted() + np.random.default_rng(3).normal(0, 40, painted().shape), 0, 255).astype(np.uint8)
    )
    assert noise.measure(image(np.asarray(spoilt.quantize(256).convert("RGB")))) > NOISY


def test_enlarged_pixels_are_found_at_any_scale_and_smooth_pictures_are_none():
    sprite = painted(4, 80, 80)
    for scale in (2, 2.5, 3, 4, 6):
        side = round(80 * scale)
        large = cv2.resize(sprite, (side, side), interpolation=cv2.INTER_NEAREST)
        assert pixel_art.measure(image(large)) > PIXELS, scale
    for how in (cv2.INTER_LINEAR, cv2.INTER_CUBIC):
        assert pixel_art.measure(image(cv2.resize(sprite, (320, 320), interpolation=how))) < 0.3


def test_enlarged_pixels_are_found_after_jpeg():
    for cell in (3, 4, 5):
        assert pixel_art.measure(image(pixels_drawn(cell, cell, saved_as_jpeg=True))) > PIXELS


def test_the_bands_of_a_slow_gradient_are_no_pixel_art():
    y, x = np.mgrid[0:400, 0:400] // 16
    assert pixel_art.measure(image(np.dstack([200 + x, 200 + y, 255 - x]).astype(np.uint8))) == 0


def test_flags_are_no_pixel_art():
    flag = np.zeros((300, 450, 3), np.uint8)
    flag[100:200], flag[:, 150:180] = (250, 200, 0), (0, 0, 160)
    assert pixel_art.measure(image(flag)) == 0


def test_bars_are_measured_by_their_area():
    framed = cv2.copyMakeBorder(painted(6, 300, 400), 50, 50, 0, 0, cv2.BORDER_CONSTANT, value=(0, 0, 0))
    assert border.measure(image(framed)) == pytest.approx(0.25, abs=0.02)
    both = cv2.copyMakeBorder(
        painted(6, 300, 400), 50, 50, 50, 50, cv2.BORDER_CONSTANT, value=(250, 250, 250)
    )
    assert border.measure(image(both)) == pytest.approx(1 - 300 * 400 / (400 * 500), abs=0.02)
    assert border.measure(image(painted(6))) == 0


def test_bars_of_two_tones_and_bars_saved_as_jpeg_are_bars():
    top = cv2.copyMakeBorder(painted(7, 300, 400), 100, 0, 0, 0, cv2.BORDER_CONSTANT, value=(0, 0, 0))
    two = cv2.copyMakeBorder(top, 0, 100, 0, 0, cv2.BORDER_CONSTANT, value=(255, 255, 255))
    assert border.measure(image(two)) == pytest.approx(0.4, abs=0.02)
    assert border.measure(image(jpeg(two, 80))) == pytest.approx(0.4, abs=0.03)


def test_paper_about_a_figure_is_no_bar_and_a_blank_page_has_none():
    page = np.full((400, 300, 3), 255, np.uint8)
    assert border.measure(image(page)) == 0
    cv2.circle(page, (150, 200), 60, (200, 40, 40), -1, cv2.LINE_AA)
    assert border.measure(image(page)) == 0


@needs_shared
def test_pixel_art_stands_out_from_art():
    drawn = [
        pixel_art.measure(image(pixels_drawn(seed, cell))) for seed in range(6) for cell in (2, 2.5, 3, 4, 8)
    ]
    assert auc(drawn, [pixel_art.measure(image(rgb)) for rgb in originals(3)]) > 0.95


@needs_shared
def test_good_art_has_neither_blocks_nor_noise_and_shows_them_once_it_has():
    rng = np.random.default_rng(0)
    for rgb in originals(4):
        assert jpeg_blocks.measure(image(rgb)) < BLOCKS
        assert noise.measure(image(rgb)) < NOISY
        assert jpeg_blocks.measure(image(jpeg(rgb, 10))) > BLOCKS
        assert (
            noise.measure(image(np.clip(rgb + rng.normal(0, 20, rgb.shape), 0, 255).astype(np.uint8))) > NOISY
        )
