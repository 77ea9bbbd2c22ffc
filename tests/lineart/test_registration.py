"""Registration tells the lineart of a color picture from any other drawing."""

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from anidata.lineart.registration import THRESHOLD, registration
from shared import SHARED

LINEART = SHARED / "data/lineart"
needs_lineart = pytest.mark.skipif(
    not LINEART.is_dir(), reason="the artists' own lines are not on this machine"
)
SIDE = 300


def drawing(seed, ink=0, width=3):
    """A pair: strokes and closed shapes on white, and the same with the shapes filled."""
    rng = np.random.default_rng(seed)
    line, color = np.full((SIDE, SIDE, 3), 255, np.uint8), np.full((SIDE, SIDE, 3), 255, np.uint8)
    shapes = [
        (rng.integers(40, SIDE - 40, 2).tolist(), rng.integers(10, 60, 2).tolist(), int(rng.integers(180)))
        for _ in range(7)
    ]
    for center, axes, turn in shapes:
        cv2.ellipse(color, center, axes, turn, 0, 360, rng.integers(120, 256, 3).tolist(), -1, cv2.LINE_AA)
    for center, axes, turn in shapes:
        for page, tone in ((line, ink), (color, 0)):
            cv2.ellipse(page, center, axes, turn, 0, 360, (tone,) * 3, width, cv2.LINE_AA)
    return line, color


def resized(image, width, height):
    return cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)


@pytest.mark.parametrize("width", [1, 2, 5, 9])
@pytest.mark.parametrize("ink", [0, 150])
def test_thin_thick_black_and_gray_lines_are_registered_with_their_picture(width, ink):
    for seed in range(3):
        assert registration(*drawing(seed, ink, width)) >= THRESHOLD


def test_another_drawing_is_not_registered():
    for seed in range(8):
        assert registration(drawing(seed)[0], drawing(seed + 50)[1]) < THRESHOLD


@pytest.mark.parametrize("shift", [(6, 0), (0, -6), (6, 6), (-10, 4), (20, 0)])
def test_a_shifted_line_is_not_registered(shift):
    for seed in range(3):
        line, color = drawing(seed)
        assert registration(np.roll(line, shift, (0, 1)), color) < THRESHOLD


@pytest.mark.parametrize("flip", [0, 1, -1])
def test_a_mirrored_line_is_not_registered(flip):
    line, color = drawing(1)
    assert registration(cv2.flip(line, flip), color) < THRESHOLD


@pytest.mark.parametrize("size", [(600, 600), (151, 151), (301, 300), (299, 300), (1000, 1001)])
def test_sizes_may_differ_by_a_scale_or_a_pixel(size):
    line, color = drawing(2)
    assert registration(resized(line, *size), color) >= THRESHOLD
    assert registration(line, resized(color, *size)) >= THRESHOLD


def test_another_aspect_is_not_registered():
    line, color = drawing(2)
    assert registration(resized(line, 310, 300), color) == 0


@pytest.mark.parametrize("tone", [0, 128, 255])
def test_a_line_without_ink_and_a_picture_without_edges_give_zero(tone):
    line, color = drawing(3)
    flat = np.full_like(line, tone)
    assert registration(flat, color) == 0
    assert registration(line, flat) == 0


def test_a_line_of_one_channel_gives_what_its_gray_rgb_gives():
    line, color = drawing(4)
    assert registration(line[..., 0], color) == registration(line, color)


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 9), st.integers(1, 9), st.integers(0, 2**31))
def test_tiny_pictures_give_a_score_between_0_and_1(height, width, seed):
    rng = np.random.default_rng(seed)
    line, color = (rng.integers(0, 256, (height, width, 3), dtype=np.uint8) for _ in range(2))
    assert 0 <= registration(line, color) <= 1


def artists_pairs(step):
    for folder in sorted(p for p in LINEART.iterdir() if p.is_dir()):
        for path in sorted(folder.glob("*_line.png"))[::step]:
            color = cv2.imread(str(path.with_name(path.name.replace("_line", "_color"))))
            yield folder.name, cv2.imread(str(path)), np.ascontiguousarray(color[..., ::-1])


@needs_lineart
def test_artists_lines_are_registered_with_their_own_picture_and_with_no_other():
    before = {}
    for name, line, color in artists_pairs(5):
        assert registration(line, color) >= THRESHOLD
        if name in before:
            assert registration(resized(before[name], color.shape[1], color.shape[0]), color) < THRESHOLD
        before[name] = line


@needs_lineart
def test_artists_lines_are_not_registered_when_shifted():
    for _, line, color in artists_pairs(9):
        by = -(-6 * max(line.shape) // 512)
        moved = cv2.warpAffine(
            line,
            np.array([[1, 0, by], [0, 1, 0]], np.float32),
            line.shape[1::-1],
            borderValue=(255, 255, 255),
        )
        assert registration(moved, color) < THRESHOLD
