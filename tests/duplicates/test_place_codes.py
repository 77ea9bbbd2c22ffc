"""Places lie where something is drawn, move with it, and keep their codes."""

import io

import cv2
import numpy as np
import PIL.Image
import pytest
from scipy.fft import dctn

from anidata.duplicates.place_codes import (
    ALONG,
    CELLS,
    LONG,
    LOW,
    PLACE,
    codes,
    codes_of,
    halves_of,
    sizes_of,
)
from anidata.imaging import decode
from drawings import drawing

KEPT = 0.4  # of a picture's places, at least, that a copy shows


def opened(rgb):
    file = io.BytesIO()
    PIL.Image.fromarray(np.ascontiguousarray(rgb)).save(file, "PNG")
    return decode.decode(file.getvalue(), 10**8)


def in_px(places, shape):
    """(n, 3): x, y, half side."""
    long = max(shape[:2])
    return np.stack([places["x"] / ALONG, places["y"] / ALONG, halves_of(places["size"])], axis=1) * long


def kept(a, b, a_px, b_px, bits=12):
    """The share of a's places that b shows, within a fifth of their half sides."""
    far = np.hypot(*(a_px[:, None, :2] - b_px[None, :, :2]).transpose(2, 0, 1))
    near = (far < 0.2 * a_px[:, None, 2]) & (np.bitwise_count(a["code"][:, None] ^ b["code"]) <= bits)
    return near.any(axis=1).mean()


def test_a_picture_has_at_most_76_places_in_the_order_of_their_fields():
    places = codes(opened(drawing(1)))
    assert places.dtype == PLACE
    assert PLACE.itemsize == 13
    assert 20 < len(places) <= 76
    rows = [(p["size"], p["x"], p["y"], p["code"]) for p in places]
    assert rows == sorted(rows)
    assert (places["code"] >> np.uint64(63) == 0).all()  # brightness has no sign


def test_a_picture_has_the_same_places_again():
    assert codes(opened(drawing(2))).tobytes() == codes(opened(drawing(2))).tobytes()


def test_places_do_not_depend_on_the_instructions_that_the_processor_has():
    gray = cv2.cvtColor(drawing(3), cv2.COLOR_RGB2GRAY)[:256, :256]
    plain = codes_of(gray)
    cv2.setUseOptimized(False)
    try:
        assert codes_of(gray).tobytes() == plain.tobytes()
    finally:
        cv2.setUseOptimized(True)


def test_what_moves_on_white_paper_takes_its_places_along():
    page = np.full((2, 256, 256), 255, np.uint8)
    figure = cv2.resize(cv2.cvtColor(drawing(4), cv2.COLOR_RGB2GRAY), (120, 130))
    page[0, 40:170, 30:150], page[1, 72:202, 78:198] = figure, figure
    a, b = codes_of(page[0]), codes_of(page[1])
    moved = in_px(a, page[0].shape) + [48, 32, 0]
    assert kept(a, b, moved, in_px(b, page[1].shape)) > KEPT


def test_a_smaller_copy_keeps_places_and_codes():
    picture = drawing(5, 512, 512)
    small = cv2.resize(picture, (230, 230), interpolation=cv2.INTER_AREA)
    a, b = codes(opened(picture)), codes(opened(small))
    assert kept(a, b, in_px(a, (1, 1)), in_px(b, (1, 1))) > KEPT


@pytest.mark.parametrize("shape", [(1, 1), (1, 4000), (4000, 1), (3, 5), (15, 200), (16, 16), (40, 4000)])
def test_hardly_a_picture_has_few_places_or_none(shape):
    noise = np.random.default_rng(0).integers(0, 256, (*shape, 3), np.uint8)
    places = codes(opened(noise))
    assert len(places) <= 76
    assert min(shape) >= 15 or not len(places)


@pytest.mark.parametrize("level", [0, 128, 255])
def test_a_blank_picture_has_none(level):
    assert len(codes(opened(np.full((300, 200, 3), level, np.uint8)))) == 0


def test_a_code_is_the_signs_of_the_lowest_frequencies_of_its_square():
    """Held against SciPy's transform of the same square, which is read from the picture as floats."""
    gray = cv2.GaussianBlur(cv2.cvtColor(drawing(6, LONG, LONG), cv2.COLOR_RGB2GRAY), (0, 0), 1)
    places = codes_of(gray)
    same = []
    for (x, y, half), code in zip(in_px(places, gray.shape), places["code"], strict=True):
        if min(x, y, LONG - x, LONG - y) <= half:
            continue
        at = (np.arange(8 * CELLS) + 0.5) / (4 * CELLS) - 1
        columns, rows = np.meshgrid(x + half * at - 0.5, y + half * at - 0.5)
        square = cv2.remap(gray.astype(np.float32), columns.astype("f4"), rows.astype("f4"), cv2.INTER_LINEAR)
        low = dctn(square)[:LOW, :LOW].ravel()
        low[0] = 0
        word = int("".join("1" if value > 0 else "0" for value in low), 2)
        same.append(63 - (word ^ int(code)).bit_count())
    assert len(same) > 10
    assert np.mean(same) > 58  # the grid of a file's place is a little off the one that was read


def test_sizes_round_to_a_sixteenth_of_an_octave():
    halves = np.geomspace(2**-8, 1, 99)
    assert np.abs(np.log2(halves_of(sizes_of(halves)) / halves)).max() <= 1 / 32 + 1e-9
