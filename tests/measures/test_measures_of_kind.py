"""What kind of picture it is: line drawings, pages of text, photographs, the dark and the pale."""

import cv2
import numpy as np
import pytest

from anidata.measures import black_point, line_drawing, photo, text_page, white_point
from measure_lab import auc, gray, image, originals, painted, read
from pages import text_page as page_of_text
from shared import SHARED, needs_shared

LINES, TEXT = 0.75, 0.6  # where clean's rules cut


def strokes(color=(0, 0, 0), side=400):
    page = np.full((side, side, 3), 255, np.uint8)
    rng = np.random.default_rng(0)
    for _ in range(12):
        center, axes = rng.integers(60, side - 60, 2).tolist(), rng.integers(20, 120, 2).tolist()
        cv2.ellipse(page, center, axes, int(rng.integers(180)), 0, 360, color, 3, cv2.LINE_AA)
    return page


def test_black_and_white_are_percentiles_of_luma():
    luma = np.random.default_rng(0).integers(40, 201, (250, 250))
    low, high = np.percentile(luma, [1, 99])
    assert black_point.measure(image(gray(luma))) == pytest.approx(low, abs=1)
    assert white_point.measure(image(gray(luma))) == pytest.approx(high, abs=1)


def test_a_few_stray_pixels_move_neither_black_nor_white():
    page = np.full((200, 200, 3), 120, np.uint8)
    page[0, :100], page[1, :100] = 0, 255
    assert black_point.measure(image(page)) == white_point.measure(image(page)) == 120


@pytest.mark.parametrize("ink", [(0, 0, 0), (70, 45, 25), (30, 30, 60)])
def test_strokes_on_paper_are_a_line_drawing_whatever_their_ink(ink):
    assert line_drawing.measure(image(strokes(ink))) > LINES


def test_coloring_a_line_drawing_makes_it_none():
    colored = strokes()
    cv2.floodFill(colored, None, (200, 200), (250, 200, 120))
    cv2.circle(colored, (200, 200), 150, (250, 200, 120), -1)
    assert line_drawing.measure(image(np.minimum(colored, strokes()))) < LINES


def test_strokes_in_bright_colors_are_no_line_drawing():
    assert line_drawing.measure(image(strokes((230, 30, 30)))) < LINES


def test_blank_dark_and_painted_pictures_are_no_line_drawings():
    for rgb in (np.full((90, 90, 3), 255, np.uint8), 255 - strokes(), painted()):
        assert line_drawing.measure(image(rgb)) < 0.3


@pytest.mark.parametrize("seed", range(8))
def test_a_page_of_text_is_told_in_any_size_askew_or_grainy(seed):
    assert text_page.measure(image(page_of_text(seed))) > TEXT


def test_a_page_of_columns_of_script_is_a_page_of_text():
    assert text_page.measure(image(np.rot90(page_of_text(3)))) > TEXT


def test_ruled_lines_checkers_and_strokes_are_no_text():
    ruled = np.full((400, 400, 3), 255, np.uint8)
    ruled[::20] = ruled[1::20] = 0
    checkers = gray(np.kron(np.indices((20, 20)).sum(axis=0) % 2, np.ones((20, 20))) * 255)
    for rgb in (ruled, checkers, strokes(), painted(), np.full((50, 60, 3), 255, np.uint8)):
        assert text_page.measure(image(rgb)) < TEXT


def test_rows_of_blobs_alike_are_sprites_and_no_text():
    page = np.full((480, 480, 3), 255, np.uint8)
    for n in range(36):
        cv2.circle(page, (40 + n % 6 * 80, 40 + n // 6 * 80), 22, (40, 60, 90), -1)
    assert text_page.measure(image(page)) < TEXT


def test_all_tones_roughly_everywhere_look_more_like_a_photograph_than_strokes_do():
    grain = np.random.default_rng(0).normal(0, 25, (300, 300)) + np.linspace(30, 220, 300)
    assert photo.measure(image(gray(grain))) > 0.5 > photo.measure(image(strokes()))


@needs_shared
def test_text_pages_stand_out_from_art():
    pages = [page_of_text(seed) for seed in range(20)] + [
        read(p) for p in sorted((SHARED / "data/junk").glob("text_*"))
    ]
    art = originals(2) + [read(p) for p in sorted((SHARED / "data/lineart").glob("*/*_line.png"))[::6]]
    assert (
        auc([text_page.measure(image(p)) for p in pages], [text_page.measure(image(a)) for a in art]) > 0.95
    )


@needs_shared
def test_line_drawings_stand_out_from_colored_art():
    lines = [read(p) for p in sorted((SHARED / "data/lineart").glob("*/*_line.png"))[::6]]
    values = [line_drawing.measure(image(rgb)) for rgb in originals(2)]
    assert max(values) < LINES
    assert auc([line_drawing.measure(image(rgb)) for rgb in lines], values) > 0.99


@needs_shared
def test_photographs_stand_out_somewhat_which_is_too_little_to_reject_by():
    drawn = ("room1", "room3", "spotlight-stage", "woods-and-bench")  # these four are no photographs
    photos = [read(p) for p in sorted((SHARED / "data/photos").iterdir()) if not p.stem.startswith(drawn)]
    share = auc([photo.measure(image(p)) for p in photos], [photo.measure(image(a)) for a in originals(2)])
    assert 0.8 < share < 0.99
