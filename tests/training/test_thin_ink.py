"""Ink survives reduction, as dark as the lines that models are trained on; pencil becomes black."""

import cv2
import numpy as np
import pytest
import torch

from anidata.imaging import fit, lines
from anidata.lineart import draw
from anidata.training.data.loader import to_uint8
from anidata.training.inference import colorize, ink
from drawings import ART, drawing


def line_of(picture):
    """The lines of line art, as a model is told them."""
    assert lines.is_lineart(picture)
    return ink.of_lineart(picture)


class Listener:
    """A baseline that keeps what it is told."""

    def sample(self, batch, _generator):
        self.told = batch.condition
        return batch.color


def strokes(side=4096, width=4, gray=0):
    """A page with straight strokes of a width, level, upright and slanted; their middles."""
    page = np.full((side, side), 255, np.uint8)
    for n in range(1, 8):
        at = n * side // 8 + 3 * n
        page[at : at + width, side // 10 : side // 2 - side // 20] = gray
        page[side // 10 : side - side // 10, side // 2 + at // 3 : side // 2 + at // 3 + width] = gray
    cv2.line(page, (side // 10, side - side // 20), (side // 2, side - side // 16), gray, width)
    return page


def rgb(gray):
    return np.dstack([gray] * 3)


def darkness(page):
    """Mean level of the pixels darkest among their neighbors: of the middles of strokes."""
    lowest = cv2.erode(page, np.ones((3, 3), np.uint8))
    return page[(page == lowest) & (page < 250)].mean()


def area(line, size):
    return fit.fit(line, size, "pad", "area")


@pytest.mark.parametrize("size", [64, 128, 256, 512])
@pytest.mark.parametrize("width", [4, 8, 16])
def test_thin_strokes_are_as_dark_on_a_page_as_those_of_3_px_of_512(size, width):
    trained = darkness(area(strokes(512, 3), size))
    line = line_of(rgb(strokes(4096, width)))
    assert darkness(ink.page(line, size)) == pytest.approx(trained, abs=45)
    if width == 4:
        assert darkness(area(line, size)) > trained + 45  # what it is spared


def test_4_px_of_4096_are_nearly_black_at_256():
    line = strokes(4096, 4)
    assert darkness(area(line, 256)) > 150
    assert darkness(ink.page(line, 256)) < 40


def test_strokes_stay_where_they_are_and_have_soft_edges():
    line = np.full((2048, 2048), 255, np.uint8)
    line[:, 1003:1005] = 0
    page = ink.page(line, 256)
    dark = 255.0 - page[100]
    assert (dark * np.arange(256)).sum() / dark.sum() == pytest.approx(1004 / 8 - 0.5, abs=0.15)
    slanted = np.full((2048, 2048), 255, np.uint8)
    cv2.line(slanted, (100, 100), (1900, 700), 0, 2)
    levels = ink.page(slanted, 256)
    assert ((levels > 40) & (levels < 215)).sum() > (levels <= 40).sum()


def test_strokes_as_wide_as_the_pen_stay_as_they_are():
    """Those of data sets, and the solid areas of both."""
    for path in sorted(ART.glob("pair_*_line.png"))[:4]:
        line = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
        drawn = draw.draw(rgb(line))
        for size in (64, 128, 256):
            changed = np.abs(ink.page(drawn, size).astype(int) - area(drawn, size))
            assert changed.mean() < 1
    solid = np.full((2048, 2048), 255, np.uint8)
    cv2.circle(solid, (1024, 1024), 600, 0, -1)
    assert np.abs(ink.page(solid, 256).astype(int) - area(solid, 256)).max() <= 4


@pytest.mark.parametrize("every", [10, 25])
@pytest.mark.parametrize("tone", [10, 25, 50])
def test_a_screentone_stays_as_light_as_it_is(tone, every):
    dots = np.full((4096, 4096), 255, np.uint8)
    side = round(every * (tone / 100) ** 0.5)
    steps = np.arange(2000) % every < side
    dots[1000:3000, 1000:3000][np.ix_(steps, steps)] = 0
    inner = np.s_[70:180, 70:180]
    assert ink.page(dots, 256)[inner].mean() == pytest.approx(area(dots, 256)[inner].mean(), abs=every / 3)


def test_ink_grows_no_darker_than_it_is_on_the_drawing():
    page = ink.page(strokes(4096, 4, gray=150), 256)
    assert page.min() >= 149
    assert darkness(page) < 165


@pytest.mark.parametrize("shape", [(1, 1), (1, 400), (300, 2), (64, 64), (90, 70), (40, 30)])
def test_every_size_has_its_page(shape):
    line = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    page = ink.page(line, 64)
    assert page.shape == (64, 64)
    if max(shape) <= 64:
        np.testing.assert_array_equal(page, area(line, 64))


# --- the black level -------------------------------------------------------------------------------


def scan(line, ink_level, paper_level, noise, seed=0):
    levels = ink_level + (line / 255.0) * (paper_level - ink_level)
    noisy = levels + np.random.default_rng(seed).normal(0, noise, line.shape)
    return np.clip(np.rint(noisy), 0, 255).astype(np.uint8)


@pytest.mark.parametrize("level", [40, 90, 140, 180])
@pytest.mark.parametrize("paper", [225, 250])
def test_gray_ink_becomes_black_and_its_paper_white(level, paper):
    line = line_of(rgb(scan(strokes(1024, 5), level, paper, 2)))
    drawn = strokes(1024, 5) == 0
    assert np.median(line[drawn]) < 45
    assert np.median(line[~drawn]) == 255


def test_black_ink_stays_as_it_is():
    np.testing.assert_array_equal(line_of(rgb(strokes(1024, 3))), strokes(1024, 3))


def test_a_speck_of_black_on_a_pencil_drawing_is_not_its_darkest_ink():
    pencil = strokes(1024, 5, gray=150)
    pencil[500:506, 30:36] = 0
    line = line_of(rgb(pencil))
    assert np.median(line[strokes(1024, 5) == 0]) == 0


@pytest.mark.parametrize("noise", [1, 4, 8])
def test_noise_on_an_empty_page_does_not_become_ink(noise):
    blank = scan(np.full((700, 500), 255, np.uint8), 0, 240, noise)
    assert np.percentile(line_of(rgb(blank)), 0.01) > 255 - 7 * noise


def test_a_shadow_on_an_empty_page_does_not_become_ink():
    rows, columns = np.mgrid[:800, :600]
    blank = np.clip(
        250 - 0.0004 * np.maximum(0, (rows - 300) ** 2 + (columns - 200) ** 2 - 100_000), 180, 250
    )
    line = line_of(rgb(blank.astype(np.uint8)))
    assert line.min() >= 175


@pytest.mark.parametrize("depth", [10, 20, 35])
def test_what_is_fainter_than_ink_stays_faint(depth):
    line = line_of(rgb(strokes(1024, 5, gray=255 - depth)))
    assert line.min() == 255 - depth


def test_a_colored_picture_is_drawn_as_before():
    picture, model = drawing(2, 300, 200), Listener()
    colorize.colorize(model, picture, ["lineart"], 64, torch.Generator(), style="xdog")
    expected = fit.fit(draw.draw(picture, "xdog"), 64, "pad", "area")
    np.testing.assert_array_equal(to_uint8(model.told.expand(-1, 3, -1, -1))[0, ..., 0], expected)
