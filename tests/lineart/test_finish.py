"""What is done to lines once they are drawn, and what is measured of them."""

import math
from collections import Counter

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage
from skimage.morphology import skeletonize

from anidata.imaging import fit as fitting
from anidata.lineart import postprocess
from anidata.lineart.postprocess import Finish
from anidata.stages.extract_lineart.config import Config
from drawings import ART

LIMIT = Config().max_scribble


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
    sizes = np.bincount(labels.ravel())[1:]
    by_size = Counter({0: 0, 1: 0})
    for size in sizes[sizes < postprocess.SHORT * math.sqrt(50 / 512)]:
        by_size[math.floor(4 * math.log2(size))] += int(size)
    short = sum(sorted(by_size.values())[:-2])
    assert marks.scribble == pytest.approx(short / max(1, sizes.sum()))


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


def ticks(size, lengths, seed, angle=None, width=2):
    """A page of strokes of lengths between two, px, in cells apart."""
    random, page = np.random.default_rng(seed), np.full((size, size), 255, np.uint8)
    step = int(lengths[1]) + 6
    for y in range(step, size - step, step):
        for x in range(step, size - step, step):
            turn = random.uniform(0, np.pi) if angle is None else angle
            reach = random.uniform(*lengths) / 2
            dx, dy = round(reach * np.cos(turn)), round(reach * np.sin(turn))
            cv2.line(page, (x - dx, y - dy), (x + dx, y + dy), 0, width)
    return page


@pytest.mark.parametrize(("size", "longest"), [(256, 20), (512, 20), (512, 32), (1024, 24), (1024, 32)])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_short_strokes_of_all_lengths_are_scribble_at_every_size(size, longest, seed):
    assert postprocess.measure(ticks(size, (2, longest), seed)).scribble > 0.45


TONES = [(size, pitch) for size in (256, 512, 1024) for pitch in (5, 7, 10) if size * pitch >= 3 * 512]


@pytest.mark.parametrize(("size", "pitch"), TONES)
@pytest.mark.parametrize("share", [0.12, 0.25, 0.4])
def test_a_screentone_is_no_scribble(size, pitch, share):
    """Drawn on a large page and fitted, as scans are; below 3 px its dots run into each other.

    pitch: px of a page of 512.
    """
    y, x = np.mgrid[0:1536, 0:1536] * np.sqrt(0.5) / 3
    u, v = (x + y) / pitch, (x - y) / pitch
    dots = np.hypot(u - np.round(u), v - np.round(v)) < np.sqrt(share / np.pi)
    line = np.where(dots, 0, 255).astype(np.uint8)
    cv2.circle(line, (768, 768), 500, 0, 9)
    assert postprocess.measure(fitting.fit(line, size, "pad", "area")).scribble < LIMIT


@pytest.mark.parametrize("size", [256, 512, 1024])
@pytest.mark.parametrize("lengths", [(12, 20), (16, 28), (24, 40)])
@pytest.mark.parametrize("angle", [0.3, 0.8, 1.2])
def test_a_hatching_is_no_scribble(size, lengths, angle):
    line = ticks(size, lengths, 0, angle)
    cv2.circle(line, (size // 2, size // 2), size // 3, 0, 3)
    assert postprocess.measure(line).scribble < LIMIT


@pytest.mark.parametrize("size", [256, 512, 1024])
def test_the_true_lines_of_the_bundled_pairs_are_no_scribble(size):
    for path in sorted(ART.glob("pair_*_line.png")):
        line = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
        fitted = fitting.fit(line, size, "pad", "area")
        assert postprocess.measure(fitted).scribble < LIMIT / 2, path.name


def test_ink_in_one_piece_and_a_page_without_any_are_no_scribble():
    assert postprocess.measure(page((WAVE, 2))).scribble == 0
    assert postprocess.measure(page()).scribble == 0
