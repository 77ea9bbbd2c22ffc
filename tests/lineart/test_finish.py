"""What is done to lines once they are drawn, and what is measured of them."""

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage
from skimage.morphology import skeletonize

from anidata.lineart import postprocess
from anidata.lineart.postprocess import Finish


def page(*strokes, side=160):
    """Lines of (points, width) on white."""
    line = np.full((side, side), 255, np.uint8)
    for points, width in strokes:
        cv2.polylines(line, [np.array(points, np.int32)], isClosed=False, color=0, thickness=width)
    return line


def stroke(width, side=160):
    """A wave of a true width: all within half of it of a path that is known eight times as finely."""
    fine = np.ones((8 * side, 8 * side), bool)
    x = np.arange(15, 146, 1 / 32)
    fine[(8 * (80 + 40 * np.sin(x / 20))).astype(int), (8 * x).astype(int)] = False
    covered = (ndimage.distance_transform_edt(fine) < 4 * width).reshape(side, 8, side, 8).mean(axis=(1, 3))
    return np.where(covered >= 0.5, 0, 255).astype(np.uint8)


WAVE = [(x, 80 + round(40 * np.sin(x / 20))) for x in range(15, 146)]


def scribble(seed):
    rng = np.random.default_rng(seed)
    return page(*((rng.integers(5, 155, (4, 2)).tolist(), int(rng.integers(1, 9))) for _ in range(4)))


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000))
def test_a_thinned_drawing_is_as_connected_and_thin(seed):
    ink = (scribble(seed) < 128).astype(np.uint8)
    thin = postprocess.thinned(ink)
    assert not (thin & ~ink).any()
    assert ndimage.label(thin, np.ones((3, 3)))[1] == ndimage.label(ink, np.ones((3, 3)))[1]
    assert cv2.erode(thin, np.ones((2, 2), np.uint8)).sum() <= 0.02 * thin.sum()  # a crossing here and there


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10_000))
def test_a_thinned_drawing_lies_where_scikit_images_skeleton_does(seed):
    ink = scribble(seed) < 128
    ours, theirs = postprocess.thinned(ink.astype(np.uint8)) > 0, skeletonize(ink)
    for one, other in ((ours, theirs), (theirs, ours)):
        near = ndimage.distance_transform_edt(~other) <= 2
        assert (one & near).sum() >= 0.95 * one.sum()


@pytest.mark.parametrize("drawn", [1, 3, 6, 9])
@pytest.mark.parametrize("wanted", [1, 3, 5])
def test_strokes_of_any_width_come_out_at_the_width_asked_for(drawn, wanted):
    line = postprocess.finished(stroke(drawn), Finish(width=wanted))
    ink = line < 128
    middle = 2 * np.median(ndimage.distance_transform_edt(ink)[skeletonize(ink)]) - 0.5
    assert abs(middle - wanted) <= 1
    assert set(np.unique(line)) == {0, 255}


def test_a_new_width_leaves_black_areas_alone():
    line = page((WAVE, 7))
    cv2.circle(line, (40, 130), 20, 0, -1)
    thin = postprocess.finished(line, Finish(width=1)) < 128
    inside = np.zeros_like(line)
    cv2.circle(inside, (40, 130), 18, 1, -1)
    assert thin[inside > 0].all()
    assert thin.sum() < (line < 128).sum() - 400


def test_specks_are_wiped_and_strokes_stay():
    line = page((WAVE, 2))
    line[5:7, 5:8] = 0
    line[150, 150] = 0
    assert (postprocess.finished(line, Finish(despeckle=7)) == page((WAVE, 2))).all()
    assert (postprocess.finished(line, Finish(despeckle=6)) < 128)[5:7, 5:8].all()
    assert (postprocess.finished(line, Finish()) == line).all()


def test_a_level_makes_soft_lines_black_and_white():
    ramp = np.tile(np.arange(256, dtype=np.uint8), (4, 1))
    assert (
        postprocess.finished(ramp, Finish(binarize=200))[0] == np.where(np.arange(256) < 200, 0, 255)
    ).all()


def test_only_what_is_stored_has_another_polarity():
    line = page((WAVE, 2))
    inverted = Finish(polarity="white_on_black")
    assert (postprocess.finished(line, inverted) == line).all()
    assert (postprocess.stored(line, inverted) == 255 - line).all()
    assert (postprocess.stored(line, Finish()) == line).all()


@pytest.mark.parametrize("width", [1, 2, 3, 5, 8])
def test_the_width_of_strokes_is_told_to_a_pixel(width):
    assert abs(postprocess.measure(stroke(width)).stroke_width - width) <= 1


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000))
def test_components_specks_and_ink_are_those_that_scipy_counts(seed):
    line = np.where(np.random.default_rng(seed).random((40, 50)) < 0.15, 0, 255).astype(np.uint8)
    labels, count = ndimage.label(line < 128, np.ones((3, 3)))
    marks = postprocess.measure(line)
    assert marks.components == count
    assert marks.specks == (np.bincount(labels.ravel())[1:] < postprocess.SPECK).sum()
    assert marks.ink == (line < 128).mean()


@pytest.mark.parametrize("shape", [(1, 1), (1, 40), (40, 1), (2, 2)])
@pytest.mark.parametrize("tone", [0, 127, 255])
def test_any_page_is_measured_and_finished(shape, tone):
    line = np.full(shape, tone, np.uint8)
    assert postprocess.finished(line, Finish(128, 3, 2.5)).shape == shape
    marks, black = postprocess.measure(line), tone < 128
    assert (marks.ink, marks.components, marks.specks) == (
        black,
        black,
        black and line.size < postprocess.SPECK,
    )
    assert 0 <= marks.stroke_width < 2 * max(shape)
