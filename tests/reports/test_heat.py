"""The map of where two pictures differ is hot where they do, black where they don't.

It is gray where one shows nothing.
"""

from itertools import product

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from anidata.duplicates.ways import MIRRORED, STRAIGHT, TURNS
from anidata.reports.page import heat, thumbnails
from drawings import drawing

PATCH = np.s_[80:110, 60:100]  # rows and columns of what is redrawn


@pytest.fixture(scope="module")
def keeper():
    return cv2.resize(drawing(1), (160, 180), interpolation=cv2.INTER_AREA)


@pytest.fixture(scope="module")
def redrawn(keeper):
    picture = keeper.copy()
    picture[PATCH] = 255 - picture[PATCH]
    return picture


def test_the_distance_is_that_of_cie_1976():
    color = pytest.importorskip("skimage.color")
    rng = np.random.default_rng(1)
    a, b = (rng.integers(0, 256, (40, 50, 3)).astype(np.uint8) for _ in range(2))
    expected = color.deltaE_cie76(color.rgb2lab(a), color.rgb2lab(b))
    # OpenCV looks its Lab up in a table.
    np.testing.assert_allclose(heat.distance(a, b), expected, rtol=0.01, atol=0.5)


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=20, deadline=None)
def test_the_distance_is_symmetric_and_zero_on_itself(seed):
    a, b = np.random.default_rng(seed).integers(0, 256, (2, 9, 7, 3)).astype(np.uint8)
    assert not heat.distance(a, a).any()
    np.testing.assert_array_equal(heat.distance(a, b), heat.distance(b, a))


def test_equal_pictures_are_black(keeper):
    differences = heat.compared(keeper, keeper, "reencoded")
    assert (differences.mean, differences.spot, differences.way) == (0, 0, STRAIGHT)
    assert differences.pixels.shape == keeper.shape
    assert differences.pixels.max() <= 4  # the first color of the map is nearly black


def test_what_is_redrawn_is_hot_and_nothing_else_is(keeper, redrawn):
    bright = heat.compared(keeper, redrawn, "crop").pixels.astype(int).sum(axis=2)
    assert np.median(bright[PATCH]) > 300
    bright[PATCH] = 0
    assert bright.max() < 30


@pytest.mark.parametrize(
    ("relation", "way"),
    [*product(["flip", "variant", "recolor"], [MIRRORED]), *product(["turn", "variant", "recolor"], TURNS)],
)
def test_a_mirror_image_and_a_turned_copy_are_turned_back_first(keeper, redrawn, relation, way):
    differences = heat.compared(keeper, way.of(redrawn), relation)
    straight = heat.compared(keeper, redrawn, "reencoded")
    assert differences.way == way.back
    np.testing.assert_array_equal(differences.pixels, straight.pixels)
    assert heat.compared(keeper, redrawn, "variant").way == STRAIGHT


def test_a_crop_is_laid_where_it_belongs_and_gray_stands_for_what_it_lacks(keeper):
    differences = heat.compared(keeper, np.ascontiguousarray(keeper[9:171, 8:152]), "crop")
    gray = (differences.pixels == heat.OUTSIDE).all(axis=2)
    assert gray.shape == (162, 144)  # both at the size of the smaller
    assert gray[:6].all()
    assert gray[:, :5].all()
    assert not gray[11:151, 10:134].any()
    assert differences.mean < 3


@pytest.mark.parametrize("shape", [(1, 1), (1, 192), (192, 1), (5, 7)])
def test_pictures_too_small_to_align_are_compared_as_they_lie(shape):
    black, white = (np.full((*shape, 3), level, np.uint8) for level in (0, 255))
    assert heat.compared(black, white, "variant").mean == pytest.approx(100, abs=0.1)


def test_more_than_the_hottest_is_the_last_color():
    shown = np.ones((1, 2), np.uint8)
    one, other = heat.colored(np.array([[heat.HOTTEST, 10 * heat.HOTTEST]], np.float32), shown)[0]
    assert (one == other).all()


def test_a_thumbnail_of_noise_is_small_too():
    noise = np.random.default_rng(1).integers(0, 256, (192, 192, 3)).astype(np.uint8)
    thumbnail = thumbnails.small(noise)
    assert len(thumbnail.data) <= thumbnails.MOST_BYTES
    decoded = cv2.imdecode(np.frombuffer(thumbnail.data, np.uint8), cv2.IMREAD_COLOR)
    assert decoded.shape == (thumbnail.height, thumbnail.width, 3)
