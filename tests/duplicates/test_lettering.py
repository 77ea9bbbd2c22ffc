"""Which way lettering reads: lines of any font, size and color; nothing where there is no text."""

import hashlib
import json

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageDraw, ImageFont

from anidata.duplicates import lettering
from anidata.stages.dedup import codes
from drawings import ART, drawing

SENTENCES = (
    "nobody came back from\nthe old mill before night\nfell, and they can hear us\nat every single step",
    "WE SHOULD NEVER HAVE\nOPENED THAT DOOR",
    "Press Start to continue,\nor Esc to leave the game.",
)
HERSHEY = (
    *(cv2.FONT_HERSHEY_SIMPLEX, cv2.FONT_HERSHEY_DUPLEX, cv2.FONT_HERSHEY_COMPLEX),
    cv2.FONT_HERSHEY_TRIPLEX,
)
FEW = ("stop", "nobody came back", "Oh no! The old mill", "MOTTO", "1881", "И вот Яна")


def art(name):
    return np.array(Image.open(ART / name).convert("RGB"))


def typed(text, size, ink, paper, stroke=0, ground=None):
    """Text in the font that Pillow has, which the network has not been fitted to."""
    image = Image.new("RGB", (560, 360), paper) if ground is None else Image.fromarray(ground)
    how = {"stroke_width": stroke, "stroke_fill": paper} if stroke else {}
    ImageDraw.Draw(image).multiline_text((16, 20), text, ink, ImageFont.load_default(size), **how)
    return np.array(image)


def plotted(text, face, scale, ink, paper):
    """Text in one of OpenCV's fonts of strokes."""
    page = np.full((300, 900, 3), paper, np.uint8)
    for n, line in enumerate(text.split("\n")):
        at = (20, int(40 + n * 45 * max(scale, 0.7)))
        cv2.putText(page, line, at, face, scale, ink, max(1, round(scale * 2)), cv2.LINE_AA)
    return page


def mirrored(rgb):
    return np.ascontiguousarray(rgb[:, ::-1])


# --- the same with the other sign ---------------------------------------------------------------------------


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 260), st.integers(1, 260), st.sampled_from([0, 10, 20]))
def test_a_mirror_image_has_the_same_score_with_the_other_sign_to_the_bit(seed, height, width, size):
    rng = np.random.default_rng(seed)
    rgb = rng.integers(0, 256, (height, width, 3), np.uint8)
    if size:
        rgb = cv2.blur(rgb, (9, 9)) // 2
        ground = Image.fromarray(rgb)
        text = "".join(map(chr, rng.integers(33, 127, 60)))
        ImageDraw.Draw(ground).text((3, height // 3), text, "white", ImageFont.load_default(size))
        rgb = np.array(ground)
    score, other = lettering.reads(rgb), lettering.reads(mirrored(rgb))
    assert score == -other
    assert np.float64(score + 0.0).tobytes() == np.float64(-other + 0.0).tobytes()


def test_a_picture_that_is_its_own_mirror_image_reads_neither_way():
    half = typed(SENTENCES[0], 20, "black", "white")
    both = np.concatenate([half, mirrored(half)], axis=1)
    assert lettering.reads(both) == 0.0
    assert lettering.reads(half) > lettering.MARGIN


# --- lines of letters ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", SENTENCES)
@pytest.mark.parametrize("size", [10, 13, 20, 28, 40])
@pytest.mark.parametrize(
    ("ink", "paper"), [("black", "white"), ("#fff0c0", "#203060"), ("#a02020", "#f0d8c0")]
)
def test_sentences_read_as_they_lie_in_any_size_and_color(text, size, ink, paper):
    page = typed(text, size, ink, paper)
    assert lettering.way(page, page) == 1
    assert lettering.way(mirrored(page), mirrored(page)) == -1


@pytest.mark.parametrize("face", HERSHEY)
@pytest.mark.parametrize("scale", [0.7, 1.0])
@pytest.mark.parametrize(("ink", "paper"), [((0, 0, 0), 255), ((250, 250, 200), 30)])
def test_fonts_of_strokes_read_as_they_lie(face, scale, ink, paper):
    page = plotted(SENTENCES[0], face, scale, ink, paper)
    assert lettering.way(page, page) == 1


@pytest.mark.parametrize("name", ["vn_scene_01.jpg", "comic_02.jpg"])
@pytest.mark.parametrize("size", [20, 32])
def test_outlined_letters_on_a_picture_read_as_they_lie(name, size):
    page = typed(SENTENCES[2], size, "white", "black", 2, art(name))
    assert lettering.way(page, page) == 1


def test_a_jpeg_of_small_letters_reads_as_it_lies():
    page = typed(SENTENCES[0], 14, "black", "white")
    _, file = cv2.imencode(".jpg", page, [cv2.IMWRITE_JPEG_QUALITY, 60])
    assert lettering.way(*[cv2.imdecode(file, cv2.IMREAD_COLOR)] * 2) == 1


@pytest.mark.parametrize("text", FEW)
@pytest.mark.parametrize("size", [10, 12, 16, 24, 36])
def test_a_few_words_are_never_read_the_wrong_way(text, size):
    page = typed(text, size, "black", "white")
    assert lettering.way(page, page) >= 0
    assert lettering.way(mirrored(page), mirrored(page)) <= 0


def test_the_card_beside_the_weights_is_about_them_and_names_licenses():
    data = lettering.WEIGHTS.read_bytes()
    card = json.loads(lettering.WEIGHTS.with_suffix(".json").read_text())
    assert (card["sha256"], card["bytes"]) == (hashlib.sha256(data).hexdigest(), len(data))
    assert all(card["fonts"].values())
    assert all(card["pictures"].values())


def test_text_is_asked_of_mirror_images_alone_after_sides_and_before_prefer():
    order = [code for group in codes.ACROSS for code in group]
    assert order.index(codes.SIDE) < order.index(codes.TEXT) < order.index(codes.PREFER)
    assert codes.TEXT not in [code for group in codes.STRAIGHT for code in group]


# --- none ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["noise", "stripes", "checks", "dots", "bricks", "strokes"])
@pytest.mark.parametrize("seed", range(4))
def test_patterns_read_neither_way(kind, seed):
    page = pattern(kind, np.random.default_rng(seed))
    assert lettering.way(page, page) == 0


def pattern(kind, rng):
    """What has lines and isn't text."""
    page = np.full((320, 400, 3), 235, np.uint8)
    step = int(rng.integers(7, 24))
    if kind == "noise":
        return rng.integers(0, 256, page.shape, np.uint8)
    if kind == "stripes":
        page[:, ::step] = page[:, 1::step] = 20
    if kind == "checks":
        page[(np.add.outer(np.arange(320) // step, np.arange(400) // step) % 2) == 0] = 40
    for y in range(step, 320, 2 * step):
        for x in range(step, 400, 2 * step):
            if kind == "dots":
                cv2.circle(page, (x, y), step // 2, (30, 30, 30), 2, cv2.LINE_AA)
            if kind == "bricks":
                cv2.rectangle(page, (x, y), (x + step * 3 // 2, y + step), (60, 40, 30), 2)
            if kind == "strokes":
                end = (x + int(rng.integers(-step, step)), y + int(rng.integers(-step, step)))
                cv2.line(page, (x, y), end, (30, 30, 30), 2, cv2.LINE_AA)
    return page


@pytest.mark.parametrize("seed", range(3))
def test_drawings_without_text_read_neither_way(seed):
    page = drawing(seed)
    assert lettering.way(page, page) == 0


@pytest.mark.parametrize("shape", [(1, 1), (1, 900), (900, 1), (5, 7), (24, 24)])
def test_tiny_pictures_read_neither_way(shape):
    page = np.random.default_rng(0).integers(0, 256, (*shape, 3), np.uint8)
    assert lettering.reads(page) == 0.0


def test_a_huge_picture_is_read_smaller():
    page = np.full((5000, 6000, 3), 255, np.uint8)
    page[1000:2440, 1000:3240] = cv2.resize(typed(SENTENCES[0], 28, "black", "white"), None, fx=4, fy=4)
    assert lettering.way(page, page) == 1
    page[1000:2440, 1000:3240] = 255
    assert lettering.reads(page) == 0.0


def test_a_picture_cut_off_in_the_middle_of_its_letters_is_read_as_far_as_it_goes():
    page = typed(SENTENCES[0], 28, "black", "white")
    page[44:] = 128  # as a truncated file is filled
    assert lettering.reads(page) > 0
    assert lettering.reads(page) == -lettering.reads(mirrored(page))
