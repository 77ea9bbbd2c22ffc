"""Lines keep their strokes at every size.

The oracle is a drawing's own geometry: the same curves are drawn large, with thin strokes, and small, with
strokes of one pixel, the least that a page shows whole.
"""

from functools import lru_cache

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from anidata.imaging import fit, reduction
from line_lab import score

LARGE, SMALL = 4096, 512
SEEDS = range(3)


def curves(seed):
    """Curves in a square of side 1, each (n, 2): loops, waves, strands of hair that meet, and a box."""
    rng = np.random.default_rng(seed)
    t = np.linspace(0, 1, 200)
    for n in range(3):
        center, turn, radius = rng.uniform(0.25, 0.75, 2), rng.uniform(0, 6), rng.uniform(0.05, 0.22)
        wave = radius * (1 + 0.15 * np.sin((3 + n) * 2 * np.pi * t + turn))
        yield center + np.column_stack([np.cos(2 * np.pi * t), np.sin(2 * np.pi * t)]) * wave[:, None]
    for n in range(4):
        ends, bend = np.array([[0.06, 0.1 + 0.03 * n], [0.94, 0.15 + 0.2 * n]]), rng.uniform(0.1, 0.9, 2)
        yield (
            ((1 - t) ** 2)[:, None] * ends[0] + (2 * t * (1 - t))[:, None] * bend + (t**2)[:, None] * ends[1]
        )
    yield np.array([[0.05, 0.05], [0.95, 0.05], [0.95, 0.95], [0.05, 0.95], [0.05, 0.05]])


@lru_cache(8)
def drawn(seed, side, width, gray=0, paper=255):
    """Those curves on a page, anti-aliased, with strokes of exactly that width."""
    far = np.full((side, side), np.float32(width), np.float32)  # px from a pixel to the middle of a stroke
    reach = width // 2 + 1
    around = np.mgrid[-reach : reach + 1, -reach : reach + 1].reshape(2, -1).T
    for points in curves(seed):
        at = walked(points * side - 0.5)
        near = np.rint(at)[:, None, ::-1] + around  # row, column
        apart = np.hypot(*np.moveaxis(near - at[:, None, ::-1], 2, 0)).astype(np.float32)
        inside = ((near >= 0) & (near < side)).all(axis=2)
        np.minimum.at(far, tuple(near[inside].astype(int).T), apart[inside])
    covered = np.clip(width / 2 + 0.5 - far, 0, 1)
    return np.rint(paper + (gray - paper) * covered).astype(np.uint8)


def walked(points):
    """Points at every half pixel of a polyline (n, 2)."""
    along = np.concatenate([[0], np.cumsum(np.hypot(*np.diff(points, axis=0).T))])
    steps = np.arange(0, along[-1], 0.5)
    return np.column_stack([np.interp(steps, along, points[:, axis]) for axis in (0, 1)])


def wide(seed, side, width):
    """Those curves with strokes of at least that width: all that a test of wide ones needs."""
    page = np.full((side, side), 255, np.uint8)
    fixed = [np.rint(points * side).astype(np.int32) for points in curves(seed)]
    return cv2.polylines(page, fixed, isClosed=False, color=0, thickness=width, lineType=cv2.LINE_AA)


def by_area(line, size):
    return fit.resize(line, size, size, "area")


def middles(page, seed):
    """Levels of a page at the middles of those curves."""
    side = len(page)
    at = np.clip(np.concatenate(list(curves(seed))) * side, 0, side - 1).astype(int)
    return cv2.erode(page, np.ones((2, 2), np.uint8), anchor=(0, 0))[at[:, 1], at[:, 0]]


def hatching(pitch, width, side=2048):
    page = np.full((side, side), 255, np.uint8)
    for x in range(-side, 2 * side, pitch):
        cv2.line(page, (x, 0), (x + side // 3, side), 0, width)
    return page


@pytest.mark.parametrize("width", [2, 4, 8])
@pytest.mark.parametrize("seed", SEEDS)
def test_a_large_drawing_has_its_own_lines_on_a_small_page(seed, width):
    page = reduction.reduced(drawn(seed, LARGE, width), SMALL, SMALL)
    agreement = score(page, drawn(seed, SMALL, 1))
    assert agreement.f1 >= 0.95
    assert 0.95 < agreement.length < 1.05


def test_by_area_thin_strokes_would_be_lost():
    """What the test above would say of it."""
    for seed in SEEDS:
        page = by_area(drawn(seed, LARGE, 2), SMALL)
        assert score(page, drawn(seed, SMALL, 1)).recall < 0.5


@pytest.mark.parametrize("size", [128, 200, 256, 300, 512, 1024])
@pytest.mark.parametrize("width", [2, 4])
def test_strokes_are_dark_on_a_page_of_any_size(size, width):
    large = drawn(0, LARGE, width)
    assert np.median(middles(reduction.reduced(large, size, size), 0)) < 60
    if width / LARGE < 0.5 / size:
        assert np.median(middles(by_area(large, size), 0)) > 150


@pytest.mark.parametrize("size", [128, 256, 512])
@pytest.mark.parametrize("width", [2, 4, 8])
def test_strokes_grow_no_wider_than_the_pen(size, width):
    """There is no more ink than strokes of two pixels have, nor less than strokes of one have."""
    ink = (255.0 - reduction.reduced(drawn(1, LARGE, width), size, size)).sum()
    least = (255.0 - drawn(1, size, 1)).sum()
    assert 0.9 * least < ink < 1.6 * least


@pytest.mark.parametrize("size", [256, 512, 700])
@pytest.mark.parametrize("pixels", [2, 3, 8])
def test_strokes_as_wide_as_the_pen_stay_as_they_are(size, pixels):
    large = wide(2, 2048, round(pixels * 2048 / size))
    change = by_area(large, size).astype(int) - reduction.reduced(large, size, size)
    assert change.min() >= 0
    assert change.mean() < 0.5


@pytest.mark.parametrize("width", [2, 4])
@pytest.mark.parametrize("pitch", [8, 12, 16, 24, 32, 48, 96])
@pytest.mark.parametrize("size", [128, 256, 512])
def test_hatching_does_not_become_black(size, pitch, width):
    page = reduction.reduced(hatching(pitch, width), size, size)
    inner, area = (
        p[size // 4 : -size // 4, size // 4 : -size // 4]
        for p in (page, by_area(hatching(pitch, width), size))
    )
    assert inner.mean() > min(255 - reduction.FULLEST, area.mean()) - 6
    assert inner.mean() <= area.mean() + 0.5


@pytest.mark.parametrize("gray", [90, 150, 190])
def test_ink_grows_no_darker_than_it_is_on_the_drawing(gray):
    page = reduction.reduced(drawn(3, 2048, 2, gray=gray), 256, 256)
    assert page.min() >= gray - 1
    assert np.median(middles(page, 3)) < gray + 40


@pytest.mark.parametrize("scale", [1.05, 1.1, 1.2])
def test_pencil_keeps_its_grays_where_little_is_reduced(scale):
    """A thousand soft strokes of every gray."""
    rng, page = np.random.default_rng(0), np.full((1200, 1200), 255, np.uint8)
    for x, y, dx, dy, gray in rng.integers(
        (0, 0, -90, -90, 60), (1200, 1200, 90, 90, 240), (1000, 5)
    ).tolist():
        cv2.line(page, (x, y), (x + dx, y + dy), gray, 1, cv2.LINE_AA)
    size = round(1200 / scale)
    change = by_area(page, size).astype(int) - reduction.reduced(page, size, size)
    assert change.mean() < 3
    assert np.percentile(change, 99) < 70 * (scale - 1) * 3


@pytest.mark.parametrize("paper", [205, 235, 255])
def test_strokes_are_as_dark_on_paper_that_is_not_white(paper):
    page = reduction.reduced(drawn(0, 2048, 2, paper=paper), 256, 256)
    assert np.median(middles(page, 0)) < 60
    assert np.median(page) == paper


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 300), st.integers(1, 300), st.integers(1, 300), st.integers(1, 300), st.integers(0, 99))
def test_every_size_is_reached_and_nothing_becomes_lighter(height, width, tall, wide, seed):
    line = np.random.default_rng(seed).integers(0, 256, (height, width), np.uint8)
    page, plain = reduction.reduced(line, wide, tall), fit.resize(line, wide, tall, "area")
    assert page.shape == (tall, wide)
    assert (page <= plain).all()
    if tall >= height or wide >= width:
        np.testing.assert_array_equal(page, plain)


def test_at_its_own_size_nothing_changes():
    line = drawn(0, 512, 1)
    np.testing.assert_array_equal(reduction.reduced(line, 512, 512), line)


def test_the_size_makes_no_jump():
    """Neither where more begins to be given, nor where a step of halving ends."""
    line = drawn(1, 1024, 2)
    ink = {
        n: (255.0 - reduction.reduced(line, n, n)).mean()
        for n in (1024, 1023, 1000, 513, 512, 511, 257, 256, 255)
    }
    assert ink[1023] == pytest.approx(ink[1024], rel=0.03)
    assert ink[1000] == pytest.approx(ink[1024], rel=0.05)
    for n in (512, 256):
        assert ink[n + 1] == pytest.approx(ink[n], rel=0.2)
        assert ink[n - 1] == pytest.approx(ink[n], rel=0.2)


def test_a_line_at_the_rim_of_the_page_stays():
    line = np.full((2048, 2048), 255, np.uint8)
    line[100:1900, 0:2] = line[0:2, 100:1900] = line[100:1900, -2:] = 0
    page = reduction.reduced(line, 256, 256)
    assert max(page[40:200, 0].max(), page[0, 40:200].max(), page[40:200, -1].max()) < 100


def test_bands_of_rows_leave_no_seam(monkeypatch):
    line = drawn(2, 2048, 3)
    line[500:900, 500:900] = hatching(16, 3)[500:900, 500:900]
    page = reduction.reduced(line, 512, 512)
    monkeypatch.setattr(reduction, "BAND", 10_000)
    np.testing.assert_array_equal(reduction.reduced(line, 512, 512), page)
    monkeypatch.setattr(reduction, "BAND", 100)
    np.testing.assert_array_equal(reduction.reduced(line, 512, 512), page)


def test_it_is_the_same_on_every_machine():
    """The pixels of one page, as a sum that any change of one would change."""
    line = np.minimum(hatching(70, 2), cv2.circle(hatching(18, 3), (900, 900), 600, 120, 3))
    page = reduction.reduced(line, 300, 300).astype(np.int64).ravel()
    assert int((page * (np.arange(len(page)) % 9973 + 1)).sum()) == 70701407748
