"""A pair and a hint of how it lies: a part, one drawing with something over it, or nothing that counts."""

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from anidata.duplicates import alignment
from anidata.duplicates.alignment import View, thumbnail
from anidata.duplicates.page import Page
from anidata.duplicates.place_overlap import judged

HINT = np.dtype([("scale", "<f4"), ("dx", "<f4"), ("dy", "<f4"), ("agreeing", "u1")])
OTHER = {"a": "b", "b": "a", None: None}
INK = (30, 20, 30)


def drawing(seed=0, height=540, width=720):
    """Things with outlines, strokes and dots, no two drawings alike."""
    rng = np.random.default_rng(seed)
    page = np.full((height, width, 3), rng.integers(180, 250, 3), np.uint8)
    for x, y, wide, high, turn in rng.integers(
        (0, 0, 12, 12, 0), (width, height, 90, 90, 180), (45, 5)
    ).tolist():
        color = rng.integers(30, 250, 3).tolist()
        cv2.ellipse(page, (x, y), (wide, high), turn, 0, 360, color, -1, cv2.LINE_AA)
        cv2.ellipse(page, (x, y), (wide, high), turn, 0, 360, INK, 2, cv2.LINE_AA)
    for _ in range(50):
        corner = rng.integers((0, 0), (width, height), 2)
        line = corner + rng.integers(-40, 40, (6, 2)).cumsum(axis=0)
        cv2.polylines(page, [line.astype(np.int32)], False, INK, 2, cv2.LINE_AA)
    return page


def scaled(picture, scale):
    size = round(picture.shape[1] * scale), round(picture.shape[0] * scale)
    return cv2.resize(picture, size, interpolation=cv2.INTER_AREA)


def hint(a, b, scale=1.0, x=0.0, y=0.0, off=0.01):
    """A px of a at p lies at scale · p + (x, y) in b; `off` of the truth by that share of the long side."""
    long_a, long_b = max(a.shape), max(b.shape)
    values = scale * long_a / long_b * (1 + off), x / long_b + off, y / long_b - off, 4
    return np.array([values], HINT)[0]


def inverse(one):
    scale, dx, dy = (float(one[name]) for name in ("scale", "dx", "dy"))
    return np.array([(1 / scale, -dx / scale, -dy / scale, 4)], HINT)[0]


def view(picture):
    return View(thumbnail(np.ascontiguousarray(picture)))


def shared(a, b, one):
    """What two share, which doesn't depend on who comes first."""
    answer = judged(view(a), view(b), one, lambda: (Page(a), Page(b)))
    other = judged(view(b), view(a), inverse(one), lambda: (Page(b), Page(a)))
    assert (other.relation, other.holds, other.better) == (
        answer.relation,
        answer.holds,
        OTHER[answer.better],
    )
    assert other.because == answer.because
    assert alignment.moved(alignment.inverse(other.fit), answer.fit) < 0.01
    return answer


@pytest.mark.parametrize(
    ("x", "y", "wide", "high"), [(40, 30, 600, 480), (300, 20, 360, 400), (200, 150, 360, 270)]
)
def test_a_crop_is_a_part_of_the_picture_that_shows_more(x, y, wide, high):
    whole = drawing()
    crop = scaled(whole[y : y + high, x : x + wide], 0.8)
    answer = shared(whole, crop, hint(whole, crop, 0.8, -0.8 * x, -0.8 * y))
    assert (answer.relation, answer.holds, answer.better, answer.because) == ("part", True, "a", "crop")


def test_a_fit_is_exact_where_the_hint_is_off():
    whole = drawing()
    crop = np.ascontiguousarray(whole[100:400, 200:600])
    answer = judged(
        view(whole), view(crop), hint(whole, crop, 1, -200, -100, 0.015), lambda: (Page(whole), Page(crop))
    )
    corner = answer.fit @ (-1, -1, 1)
    assert corner == pytest.approx((200 / 360 - 1, 100 / 270 - 1), abs=0.01)


def test_a_small_panel_is_a_part_of_its_page():
    panel = drawing(1)
    page = drawing(2, 1200, 1600)
    page[500:1040, 700:1420] = panel
    page = scaled(page, 0.6)
    answer = shared(panel, page, hint(panel, page, 0.6, 420, 300, 0.005))
    assert (answer.relation, answer.holds, answer.better, answer.because) == ("part", True, "b", "crop")


def test_two_crops_that_share_a_large_part_are_parts_of_which_neither_is_better():
    whole = drawing(3)
    left, right = whole[:, :500], whole[:, 220:]
    answer = shared(left, right, hint(left, right, 1, -220, 0))
    assert (answer.relation, answer.holds, answer.better) == ("part", True, None)


def test_a_balloon_lies_over_the_drawing_which_is_the_better():
    clean = drawing(4)
    written = clean.copy()
    cv2.ellipse(written, (200, 130), (150, 90), 0, 0, 360, (255, 255, 255), -1, cv2.LINE_AA)
    cv2.ellipse(written, (200, 130), (150, 90), 0, 0, 360, INK, 3, cv2.LINE_AA)
    cv2.putText(written, "NOT YOU!", (90, 140), cv2.FONT_HERSHEY_DUPLEX, 1.4, INK, 2, cv2.LINE_AA)
    answer = shared(clean, written, hint(clean, written))
    assert (answer.relation, answer.holds, answer.better, answer.because) == ("overlay", True, "a", "overlay")


def test_a_box_of_dialogue_lies_over_the_drawing():
    clean = drawing(5)
    written = clean.copy()
    written[400:530, 20:700] = (written[400:530, 20:700] * 0.2 + (13, 19, 48)).astype(np.uint8)
    cv2.rectangle(written, (20, 400), (700, 530), (240, 240, 255), 2)
    cv2.putText(
        written, "And then she left.", (50, 470), cv2.FONT_HERSHEY_DUPLEX, 1.4, (255,) * 3, 2, cv2.LINE_AA
    )
    answer = shared(clean, scaled(written, 0.7), hint(clean, scaled(written, 0.7), 0.7))
    assert (answer.relation, answer.holds, answer.better) == ("overlay", True, "a")


def test_a_picture_as_it_is_has_nothing_over_it():
    clean = drawing(6)
    answer = shared(clean, scaled(clean, 0.6), hint(clean, scaled(clean, 0.6), 0.6))
    assert (answer.relation, answer.holds, answer.better) == ("part", True, None)


def test_one_base_with_much_drawn_otherwise_never_holds():
    """Half a drawing of two is the same, and the other half of each is another one."""
    left, right = drawing(7), drawing(8)
    right[:, :360] = left[:, :360]
    assert not shared(left, right, hint(left, right)).holds


@settings(max_examples=25, deadline=None)
@given(st.integers(10, 10**6), st.floats(0.4, 2.5), st.floats(-300, 300), st.floats(-300, 300))
def test_other_drawings_are_unrelated_however_they_are_laid(seed, scale, x, y):
    a, b = drawing(seed), drawing(seed + 1)
    assert shared(a, b, hint(a, b, scale, x, y)).relation == "unrelated"


def stripes(color):
    flag = np.full((400, 600, 3), 255, np.uint8)
    flag[:, :200], flag[:, 400:] = color, (200, 30, 40)
    return flag


def framed(color):
    """A flat frame around a flat card."""
    card = np.full((400, 600, 3), 235, np.uint8)
    cv2.rectangle(card, (30, 30), (570, 370), (40, 40, 60), 12)
    cv2.rectangle(card, (80, 80), (520, 320), color, -1)
    return card


def balloon(text):
    page = np.full((400, 600, 3), 255, np.uint8)
    cv2.ellipse(page, (300, 200), (220, 130), 0, 0, 360, INK, 3, cv2.LINE_AA)
    cv2.putText(page, text, (150, 215), cv2.FONT_HERSHEY_DUPLEX, 1.6, INK, 2, cv2.LINE_AA)
    return page


def slope(low):
    return np.broadcast_to(np.linspace(low, 255, 600).astype(np.uint8)[None, :, None], (400, 600, 3)).copy()


@pytest.mark.parametrize(
    ("a", "b"),
    [
        (stripes((10, 120, 60)), stripes((20, 40, 160))),
        (framed((200, 180, 90)), framed((90, 180, 200))),
        (balloon("WHAT? NO!"), balloon("I SEE HIM")),
        (slope(0), slope(40)),
    ],
    ids=["flags", "frames", "balloons", "gradients"],
)
def test_furniture_is_no_drawing(a, b):
    assert shared(a, b, hint(a, b, off=0.0)).relation == "unrelated"


@pytest.mark.parametrize("level", [0, 128, 255])
def test_blank_pictures_are_unrelated(level):
    blank = np.full((300, 400, 3), level, np.uint8)
    for other in (blank, drawing()):
        assert shared(blank, other, hint(blank, other)).relation == "unrelated"


def test_a_texture_that_repeats_is_no_drawing():
    tile = scaled(drawing(9), 0.12)
    sheet = np.tile(tile, (9, 9, 1))
    a, b = sheet[:400, :560], sheet[65:465, 86:646]
    assert shared(a, b, hint(a, b, 1, 0, 0, 0.0)).relation == "unrelated"


@pytest.mark.parametrize(
    "values",
    [(1, 3, 0), (1, 0, -2), (0.001, 0.5, 0.5), (1000, -500, -500), (0, 0, 0), (-1, 0, 0), (1, np.nan, 0)],
)
def test_a_hint_that_points_nowhere_links_nothing(values):
    a = drawing()
    one = np.array([(*values, 4)], HINT)[0]
    assert judged(view(a), view(a), one, lambda: (Page(a), Page(a))).relation == "unrelated"


def test_pictures_of_a_few_pixels_are_unrelated():
    tiny = drawing()[:5, :7]
    assert shared(tiny, drawing(), hint(tiny, drawing())).relation == "unrelated"


def test_the_answer_is_the_same_each_time():
    a, b = drawing(11), drawing(11)[60:, 80:]
    one = hint(a, b, 1, -80, -60)
    first, second = (judged(view(a), view(b), one, lambda: (Page(a), Page(b))) for _ in range(2))
    assert first._replace(fit=0) == second._replace(fit=0)
    assert np.array_equal(first.fit, second.fit)


def test_files_are_not_opened_for_what_a_glance_discards():
    a, b = drawing(12), drawing(13)

    def whole():
        raise AssertionError("opened")

    assert judged(view(a), view(b), hint(a, b, 0.4, 100, 100), whole).relation == "unrelated"
