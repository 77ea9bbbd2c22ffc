"""White lines on black, and on transparency, are seen as such; dark pictures and black lines aren't."""

import cv2
import numpy as np
import pytest

from anidata.errors import BadImage
from anidata.imaging import decode
from anidata.imaging.lines import black_on_white, is_lineart
from drawings import ART, drawing

LINES = sorted(p for p in ART.iterdir() if p.name.endswith("_line.png"))
PICTURES = sorted(
    p for p in ART.iterdir() if p.suffix in {".png", ".jpg", ".webp"} and not p.name.endswith("_line.png")
)
SCALES = (1.0, 0.5, 0.3, 0.2, 0.1)


def read(path):
    return decode.decode(path.read_bytes(), 10**8).rgb


def sketch(side=400, width=3):
    """Black on white, (h, w, 3)."""
    line = np.full((side, side), 255, np.uint8)
    cv2.rectangle(line, (side // 8, side // 8), (side // 2, side // 2), 0, width, cv2.LINE_AA)
    cv2.circle(line, (side // 2, 3 * side // 4), side // 6, 0, width, cv2.LINE_AA)
    cv2.line(line, (side // 2, side // 3), (side - 5, side // 2), 0, width, cv2.LINE_AA)
    return np.dstack([line] * 3)


def on_transparency(line, level):
    """The same lines, (h, w, 4), of a level."""
    ink = np.full_like(line, level)
    return np.dstack([ink, 255 - line[..., 0]])


def is_inverted(layers):
    return black_on_white(layers)[1]


def seen(layers):
    """Whether a picture is inverted, or the code that it is refused with."""
    try:
        return black_on_white(layers)[1]
    except BadImage as error:
        return error.code


@pytest.mark.parametrize("path", LINES, ids=lambda p: p.name)
def test_an_artists_lines_are_no_white_ones_and_their_negative_is_no_picture(path):
    """Of those with large areas it is refused."""
    line = read(path)
    assert seen(line) is False
    assert seen(255 - line) in (True, "unclear")
    assert np.array_equal(black_on_white(255 - line, invert=True)[0], line)


def test_most_negatives_are_seen():
    assert sum(seen(255 - read(path)) is True for path in LINES) >= 0.8 * len(LINES)


@pytest.mark.parametrize("scale", SCALES)
def test_no_picture_is_inverted_however_dark(scale):
    for path in PICTURES:
        dark = np.rint(read(path) * scale).astype(np.uint8)
        assert not is_inverted(dark), path.name


def test_a_night_sky_without_color_is_a_picture():
    rng = np.random.default_rng(0)
    for moon in (False, True):
        sky = np.clip(rng.normal(8, 3, (500, 700)), 0, 255).astype(np.uint8)
        for _ in range(250):
            at = int(rng.integers(700)), int(rng.integers(500))
            cv2.circle(sky, at, int(rng.integers(0, 3)), int(rng.integers(120, 256)), -1)
        if moon:
            cv2.circle(sky, (560, 100), 40, 235, -1)
        assert not is_inverted(np.dstack([sky] * 3))


@pytest.mark.parametrize("make", [lambda p: 0 * p, lambda p: 0 * p + 30, lambda p: 0 * p + 255])
def test_an_empty_page_stays_as_it_is(make):
    blank = make(sketch())
    rgb, inverted = black_on_white(blank)
    assert not inverted
    assert np.array_equal(rgb, blank)


@pytest.mark.parametrize("shape", [(1, 1), (1, 50), (2, 3)])
@pytest.mark.parametrize("level", [0, 255])
def test_a_page_of_a_pixel_stays_as_it_is(shape, level):
    assert not is_inverted(np.full((*shape, 3), level, np.uint8))
    assert not is_inverted(np.full((*shape, 4), level, np.uint8))


@pytest.mark.parametrize("width", [1, 2, 5])
@pytest.mark.parametrize("side", [200, 1500])
def test_thin_white_lines_are_seen_at_any_size(side, width):
    if side == 1500:
        width *= 2
    assert is_inverted(255 - sketch(side, width))


def test_chalk_on_a_board_with_its_noise_is_seen():
    noise = np.random.default_rng(0).normal(0, 5, (400, 400, 1))
    board = np.clip(35 + (255 - sketch()) * 0.6 + noise, 0, 255).astype(np.uint8)
    rgb, inverted = black_on_white(board)
    assert inverted
    assert is_lineart(rgb)


# --- transparency ----------------------------------------------------------------------------------


@pytest.mark.parametrize("level", [255, 220])
def test_white_lines_on_transparency_become_black(level):
    rgb, inverted = black_on_white(on_transparency(sketch(), level))
    assert inverted
    assert np.abs(rgb.astype(int) - sketch()).max() <= 256 - level
    assert is_lineart(rgb)


@pytest.mark.parametrize("level", [0, 60, 128])
def test_dark_lines_on_transparency_stay_black(level):
    rgb, inverted = black_on_white(on_transparency(sketch(), level))
    assert not inverted
    assert rgb.min() == level


def test_a_white_shape_on_transparency_is_no_blank_page():
    """However large; on white it would be lost."""
    layers = np.zeros((300, 300, 4), np.uint8)
    layers[100:200, 100:200] = 255
    rgb, inverted = black_on_white(layers)
    assert inverted
    assert rgb[150, 150].tolist() == [0, 0, 0]


def test_a_sticker_with_black_lines_and_white_within_stays_as_it_is():
    line = sketch()
    outside = cv2.floodFill(line[..., 0].copy(), None, (0, 0), 77)[1] == 77
    rgb, inverted = black_on_white(np.dstack([line, np.where(outside, 0, 255).astype(np.uint8)]))
    assert not inverted
    assert (rgb < 64).any()


def test_a_colored_picture_on_transparency_stays_as_it_is():
    picture = drawing(3, 200, 200)
    alpha = np.zeros((200, 200), np.uint8)
    cv2.circle(alpha, (100, 100), 80, 255, -1)
    assert not is_inverted(np.dstack([picture, alpha]))


def test_a_transparent_page_is_white_paper():
    rgb, inverted = black_on_white(np.zeros((50, 50, 4), np.uint8))
    assert not inverted
    assert (rgb == 255).all()


# --- what can't be told ----------------------------------------------------------------------------


def unclear_negative():
    line = sketch()
    line[250:390, 20:160] = 0
    return 255 - line


def mixed():
    """Two drawings on one layer, white and less black."""
    layers = on_transparency(sketch(), 255)
    layers[20:24, 200:380] = (0, 0, 0, 255)
    return layers


@pytest.mark.parametrize(
    ("make", "why"), [(unclear_negative, "a drawing in white"), (mixed, "black lines and white")]
)
def test_what_cannot_be_told_is_refused_with_the_remedy_and_taken_as_it_is_called(make, why):
    layers = make()
    with pytest.raises(BadImage, match=f"{why}.*--invert for .*--no-invert for") as refused:
        black_on_white(layers)
    assert refused.value.code == "unclear"
    as_is, inverted = black_on_white(layers, invert=False)
    assert not inverted
    negative, inverted = black_on_white(layers, invert=True)
    assert inverted
    assert not np.array_equal(as_is, negative)
