"""Augmentation, against closed forms: one view for line and color, jitter of the color alone.

Chance depends on nothing but names.
"""

import dataclasses
import math

import cv2
import numpy as np
import pytest

from anidata.training.data import augment
from anidata.training.data.augment import WHOLE, Augment, View, randomness, recolor, warp
from drawings import drawing

OFF = Augment(crop=1, flip=0, rotation=0, jitter=0)


def noise(height, width, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def smooth(height, width, seed=0):
    return cv2.resize(noise(6, 6, seed), (width, height), interpolation=cv2.INTER_CUBIC)


def block_means(picture, factor):
    height, width = (side // factor for side in picture.shape[:2])
    blocks = picture[: height * factor, : width * factor].reshape(height, factor, width, factor, -1)
    return blocks.astype(np.float64).mean(axis=(1, 3))


def close(one, other, levels):
    difference = np.asarray(one, np.float64).reshape(np.shape(other)) - np.asarray(other, np.float64)
    return np.abs(difference).max() <= levels


# --- views -----------------------------------------------------------------------------------------


def test_a_whole_square_picture_of_the_right_size_stays_as_it_is():
    picture = noise(48, 48)
    assert np.array_equal(warp(picture, WHOLE, 48), picture)


@pytest.mark.parametrize("factor", [2, 4, 8])
def test_a_reduction_by_a_power_of_two_is_the_mean_of_blocks(factor):
    picture = noise(128, 128)
    levels = math.log2(factor) / 2 + 0.01
    assert close(warp(picture, WHOLE, 128 // factor), block_means(picture, factor), levels)


@pytest.mark.parametrize("size", [64, 96, 100, 127])
def test_the_square_in_the_middle_is_taken_of_a_picture_of_another_shape(size):
    tall, wide = smooth(200, 128), smooth(128, 200)
    assert close(warp(tall, WHOLE, size), warp(np.ascontiguousarray(tall[36:164]), WHOLE, size), 1)
    assert close(warp(wide, WHOLE, size), warp(np.ascontiguousarray(wide[:, 36:164]), WHOLE, size), 1)


def test_a_crop_of_whole_pixels_is_that_part_of_the_picture():
    picture = noise(80, 100)
    view = View(side=40 / 80, right=0.25, down=0.5)  # 15 px of the 60 to the left, 20 of the 40 above
    assert np.array_equal(warp(picture, view, 40), picture[20:60, 15:55])


def test_the_mirror_image_of_a_view_is_the_view_mirrored():
    picture = smooth(90, 120)
    for turn in (0, 7):
        view = View(side=0.8, right=0.3, down=0.6, turn=turn)
        mirrored = dataclasses.replace(view, mirrored=True)
        assert close(warp(picture, mirrored, 50)[:, ::-1], warp(picture, view, 50), 1)


@pytest.mark.parametrize(("turn", "quarters"), [(90, -1), (180, 2), (-90, 1)])
def test_turns_are_clockwise_in_degrees(turn, quarters):
    picture = noise(33, 33)
    assert close(warp(picture, View(turn=turn), 33), np.rot90(picture, quarters), 1)


def test_a_small_turn_agrees_with_interpolation_by_hand():
    picture, angle, size = smooth(61, 61), math.radians(9), 61
    turned = warp(picture, View(turn=9), size)
    rows, columns = np.mgrid[20:41, 20:41] - 30.0
    across = 30 + math.cos(angle) * columns + math.sin(angle) * rows
    down = 30 - math.sin(angle) * columns + math.cos(angle) * rows
    left, top = np.floor(across).astype(int), np.floor(down).astype(int)
    x, y = (across - left)[..., None], (down - top)[..., None]
    at = picture.astype(np.float64)
    above = (1 - x) * at[top, left] + x * at[top, left + 1]
    below = (1 - x) * at[top + 1, left] + x * at[top + 1, left + 1]
    expected = (1 - y) * above + y * below
    assert close(turned[20:41, 20:41], expected, 3)  # OpenCV steps by 1/32 px


def test_what_a_turned_view_sees_beyond_the_picture_is_white_in_line_and_color():
    black = np.zeros((64, 64, 3), np.uint8)
    for picture in (black, black[..., 0]):
        seen = warp(picture, View(turn=20), 64)
        assert (seen[0, 0] == 255).all()
        assert (seen[32, 32] == 0).all()


@pytest.mark.parametrize("size", [40, 64, 90, 128, 200])
def test_an_upright_view_sees_nothing_but_the_picture(size):
    black = np.zeros((128, 160, 3), np.uint8)
    for view in (WHOLE, View(side=0.77, right=0, down=1), View(side=0.77, right=1, down=0, mirrored=True)):
        assert warp(black, view, size).max() == 0


@pytest.mark.parametrize("size", [16, 33, 64, 96, 128, 300])
@pytest.mark.parametrize("shape", [(128, 128), (97, 131), (300, 40)])
def test_any_size_comes_out_square_and_whole(size, shape):
    for picture in (noise(*shape), noise(*shape)[..., 0]):
        seen = warp(picture, View(side=0.7, turn=3), size)
        assert seen.shape == (size, size, *picture.shape[2:])
        assert seen.dtype == np.uint8


def test_line_and_color_are_seen_alike():
    line = cv2.cvtColor(drawing(1, 128, 128), cv2.COLOR_RGB2GRAY)
    rng = randomness(0, 0, "key")
    for _ in range(20):
        view = augment.draw(Augment(rotation=10), rng)
        color = warp(np.dstack([line] * 3), view, 50)
        assert np.array_equal(color, np.dstack([warp(line, view, 50)] * 3))


@pytest.mark.parametrize("size", [100, 130, 170, 200, 255])
def test_no_line_is_lost_in_a_reduction(size):
    line = np.full((256, 256), 255, np.uint8)
    line[:, 3::16] = 0  # one px wide
    seen = warp(line, WHOLE, size)
    row = 1 - seen[size // 2].astype(float) / 255
    for middle in np.arange(3.5, 256, 16) * size / 256:  # px of the view
        ink = row[max(0, math.floor(middle) - 2) : math.floor(middle) + 3].sum()
        # a quarter: of steps to either side of a px of twice the size
        assert ink == pytest.approx(size / 256, rel=0.26)


# --- colors ----------------------------------------------------------------------------------------


def test_a_third_of_a_turn_of_hue_passes_the_channels_on():
    rgb = noise(20, 20)
    assert close(recolor(rgb, View(hue=2 * math.pi / 3)), rgb[..., [2, 0, 1]], 1)


def test_without_saturation_all_is_the_mean_of_the_channels():
    rgb = noise(20, 20)
    gray = np.repeat(rgb.astype(float).mean(axis=2, keepdims=True), 3, axis=2)
    assert close(recolor(rgb, View(saturation=0)), gray, 1)


def test_gamma_is_an_exponent():
    rgb = noise(20, 20)
    assert close(recolor(rgb, View(gamma=1.7)), 255 * (rgb / 255) ** 1.7, 0.51)


def test_contrast_is_an_exponent_of_the_distance_from_the_nearer_end():
    rgb = noise(20, 20)
    value = rgb / 255
    dark, light = 255 * (2 * value) ** 1.5 / 2, 255 * (1 - (2 - 2 * value) ** 1.5 / 2)
    assert close(recolor(rgb, View(contrast=1.5)), np.where(value < 0.5, dark, light), 0.51)
    slope = np.diff(augment.levels(View(contrast=1.5)).astype(int))
    assert slope[120:135].mean() > 1.4
    assert slope[:8].mean() < 0.5


def test_brightness_is_the_distance_from_white():
    rgb = noise(20, 20)
    for darkness in (0.8, 1.25):
        expected = np.clip(255 - (255 - rgb.astype(float)) * darkness, 0, 255)
        assert close(recolor(rgb, View(darkness=darkness)), expected, 0.51)


def jittered(strength, count=50):
    rng = randomness(0, 0, "key")
    return [augment.draw(Augment(jitter=strength), rng) for _ in range(count)]


@pytest.mark.parametrize("strength", [0.05, 0.5, 1.0])
def test_white_paper_stays_whatever_the_jitter(strength):
    page = np.full((8, 8, 3), 255, np.uint8)
    for view in jittered(strength):
        assert np.array_equal(recolor(page, view), page)


@pytest.mark.parametrize("strength", [0.05, 0.5, 1.0])
def test_levels_keep_their_order_whatever_the_jitter(strength):
    tables = [augment.levels(view).astype(int) for view in jittered(strength)]
    assert all((np.diff(table) >= 0).all() for table in tables)
    assert all(table[255] == 255 for table in tables)
    assert len({tuple(table) for table in tables}) > 25


def test_black_ink_stays_but_for_the_brightness():
    page = np.zeros((8, 8, 3), np.uint8)
    for view in jittered(0.5):
        assert not recolor(page, dataclasses.replace(view, darkness=1.0)).any()
    lightest = max(recolor(page, view).max() for view in jittered(0.05, 400))
    assert 20 < lightest <= 255 * (1 - math.exp(-0.1)) + 1  # of the default: a tenth


def test_no_jitter_leaves_the_picture_alone():
    rgb = noise(9, 9)
    assert np.array_equal(recolor(rgb, augment.draw(OFF, randomness(0, 0, "key"))), rgb)


# --- chance ----------------------------------------------------------------------------------------


def draws(config, count=400):
    return [augment.draw(config, randomness(0, 0, str(n))) for n in range(count)]


def test_switched_off_every_view_is_of_the_whole_picture():
    picture = noise(64, 64)
    assert all(np.array_equal(warp(picture, view, 64), picture) for view in draws(OFF, 20))


def test_draws_fill_their_ranges_and_keep_to_them():
    views = draws(Augment(crop=0.6, flip=0.25, rotation=12, jitter=0.1))
    sides, turns = [v.side for v in views], [v.turn for v in views]
    assert 0.6 <= min(sides) < 0.63
    assert 0.97 < max(sides) <= 1
    assert -12 <= min(turns) < -11
    assert 11 < max(turns) <= 12
    assert 0.18 < np.mean([v.mirrored for v in views]) < 0.32
    areas = [v.side**2 for v in views]
    assert np.mean(areas) == pytest.approx((0.6**2 + 1) / 2, abs=0.03)  # they are uniform
    assert max(abs(v.hue) for v in views) <= math.pi * 0.1
    assert all(math.exp(-0.4) <= v.saturation <= math.exp(0.4) for v in views)
    assert all(math.exp(-0.2) <= v.gamma <= math.exp(0.2) for v in views)
    for values, most in (([v.contrast for v in views], 0.4), ([v.darkness for v in views], 0.2)):
        assert -most <= math.log(min(values)) < -0.95 * most
        assert 0.95 * most < math.log(max(values)) <= most


@pytest.mark.parametrize(
    ("one", "other"), [((0, 0, "a"), (1, 0, "a")), ((0, 0, "a"), (0, 1, "a")), ((0, 0, "a"), (0, 0, "b"))]
)
def test_chance_is_a_function_of_seed_epoch_and_key(one, other):
    assert augment.draw(Augment(), randomness(*one)) == augment.draw(Augment(), randomness(*one))
    assert augment.draw(Augment(), randomness(*one)) != augment.draw(Augment(), randomness(*other))


def test_a_setting_does_not_move_the_others_chance():
    for n in range(20):
        configs = (Augment(), Augment(flip=0, rotation=0))
        one, other = (augment.draw(config, randomness(0, 0, str(n))) for config in configs)
        assert (one.side, one.right, one.hue) == (other.side, other.right, other.hue)
