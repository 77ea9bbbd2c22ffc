"""Copies that were cut, framed, turned or mirrored show in a window what their original shows as a whole."""

import io

import cv2
import numpy as np
import PIL.Image
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from anidata.duplicates import phash, windows
from anidata.duplicates.ways import MIRRORED
from anidata.duplicates.windows import WHOLES, WINDOWS, content
from anidata.imaging import decode
from drawings import ART, drawing

NEAR, FAR = 8, 80  # bits of 64 and of 256


def opened(rgb):
    file = io.BytesIO()
    PIL.Image.fromarray(np.ascontiguousarray(rgb)).save(file, "PNG")
    return decode.decode(file.getvalue(), 10**8)


def codes(rgb):
    picture = opened(rgb)
    plain = phash.codes(picture.rgb)
    return windows.codes(picture, plain.luma, plain.phash, plain.phash_flip)[0]


def meet(a, b):
    """The windows of b, by their numbers, in which a whole of a shows."""
    kinds = set()
    for whole in a[a["kind"] < len(WHOLES)]:
        near = np.bitwise_count(b["code"] ^ whole["code"]) <= NEAR
        fine = np.bitwise_count(b["fine"] ^ whole["fine"]).sum(axis=1) <= FAR
        kinds |= set(b["kind"][near & fine].tolist())
    return kinds


def bordered(rgb, wide, color=(255, 255, 255)):
    return cv2.copyMakeBorder(rgb, wide, wide, wide, wide, cv2.BORDER_CONSTANT, value=color)


def turned(rgb, degrees):
    height, width = rgb.shape[:2]
    matrix = cv2.getRotationMatrix2D((width / 2, height / 2), degrees, 1)
    return cv2.warpAffine(rgb, matrix, (width, height), flags=cv2.INTER_CUBIC, borderValue=(255, 255, 255))


def jpeg(rgb):
    return cv2.imdecode(cv2.imencode(".jpg", rgb, [cv2.IMWRITE_JPEG_QUALITY, 50])[1], cv2.IMREAD_COLOR)


def cut(rgb, top=0.0, bottom=0.0, left=0.0, right=0.0):
    height, width = rgb.shape[:2]
    return rgb[
        int(top * height) : height - int(bottom * height), int(left * width) : width - int(right * width)
    ]


CHANGES = {
    "same": lambda p: p,
    "jpeg": jpeg,
    "small": lambda p: cv2.resize(p, None, fx=0.3, fy=0.3, interpolation=cv2.INTER_AREA),
    "flip": lambda p: p[:, ::-1],
    "5 % around": lambda p: cut(p, 0.025, 0.025, 0.025, 0.025),
    "8 % of a corner": lambda p: cut(p, bottom=0.08, right=0.08),
    "8 % of another": lambda p: cut(p, top=0.08, right=0.08),
    "a strip below": lambda p: cut(p, bottom=0.1),
    "a strip aside": lambda p: cut(p, left=0.08),
    "turned": lambda p: turned(p, 3),
    "turned back": lambda p: turned(p, -2),
    "border": lambda p: bordered(p, 40),
    "two borders": lambda p: bordered(bordered(p, 12), 30, (0, 0, 0)),
    "bars": lambda p: cv2.copyMakeBorder(p, 90, 90, 0, 0, cv2.BORDER_CONSTANT),
    "framed flip": lambda p: bordered(p, 40)[:, ::-1],
}
# As these are others in kind, which are quick enough.
SLOW = {"same", "8 % of another", "a strip aside", "turned back", "two borders", "framed flip"}


@pytest.fixture(scope="module")
def art():
    paths = [
        path
        for path in sorted(ART.iterdir())
        if path.suffix in {".png", ".jpg", ".webp"} and "_line" not in path.stem
    ]
    return [decode.decode(path.read_bytes(), 10**8).rgb for path in paths]


@pytest.fixture(scope="module")
def originals(art):
    """The codes of the bundled pictures."""
    return [codes(rgb) for rgb in art]


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(change, id=name, marks=pytest.mark.slow if name in SLOW else ())
        for name, change in CHANGES.items()
    ],
)
def test_copies_of_all_bundled_pictures_but_one_meet_their_original(change, art, originals):
    copies = [(original, codes(change(rgb))) for original, rgb in zip(originals, art, strict=True)]
    assert (
        sum(bool(meet(original, copy) or meet(copy, original)) for original, copy in copies) >= len(art) - 1
    )


def test_other_pictures_hardly_ever_meet():
    pictures = [codes(drawing(seed)) for seed in range(60)]
    assert not [
        (i, j) for i, a in enumerate(pictures) for j, b in enumerate(pictures) if i != j and meet(a, b)
    ]


def test_the_codes_of_the_frame_are_its_phashes():
    rgb = drawing(1)
    plain = phash.codes(rgb)
    by_kind = {int(row["kind"]): int(row["code"]) for row in codes(rgb)}
    assert (
        by_kind[WINDOWS.index(windows.Window("frame"))],
        by_kind[WINDOWS.index(windows.Window("frame", way=MIRRORED))],
    ) == (
        plain.phash,
        plain.phash_flip,
    )


def test_the_windows_of_a_mirrored_picture_are_mirrored():
    rgb = drawing(3, 330, 350)
    here, there = codes(rgb), codes(rgb[:, ::-1])
    assert np.bitwise_count(here["fine"][0] ^ there["fine"][here["kind"] == 2][0]).sum() <= 4


@pytest.mark.parametrize("value", [0, 77, 255])
def test_a_flat_picture_has_no_window_worth_asking(value):
    assert len(codes(np.full((300, 200, 3), value, np.uint8))) == 0


def test_a_picture_without_borders_has_no_content_of_its_own():
    assert {WINDOWS[kind].base for kind in codes(drawing(2))["kind"]} == {"frame"}
    assert {WINDOWS[kind].base for kind in codes(bordered(drawing(2), 30))["kind"]} == {"frame", "content"}


@settings(deadline=None, max_examples=60)
@given(
    st.lists(st.tuples(*[st.integers(0, 40)] * 4, st.integers(0, 255)), max_size=windows.BORDERS),
    st.integers(0, 99),
)
def test_borders_within_each_other_are_taken_off(borders, seed):
    inner = np.random.default_rng(seed).integers(0, 256, (120, 140)).astype(np.uint8)
    gray = inner
    for top, bottom, left, right, color in borders:
        gray = cv2.copyMakeBorder(gray, top, bottom, left, right, cv2.BORDER_CONSTANT, value=color)
    lost = np.subtract(inner.shape, content(gray).shape)
    rim = 2 * windows.RIM * (windows.BORDERS + 1)
    assert (np.abs(lost) <= rim).all()


def test_hardly_any_content_is_none():
    gray = np.full((200, 200), 255, np.uint8)
    gray[100:104, 100:104] = 0
    assert content(gray).shape == (200, 200)


@pytest.mark.parametrize(("height", "width"), [(1, 1), (1, 3000), (3000, 1), (7, 40), (33, 31)])
def test_odd_shapes_have_codes_too(height, width):
    rgb = np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)
    assert codes(rgb).dtype == windows.CODE


def test_weights_of_a_sample_add_up():
    for window in WINDOWS:
        cells, weights, outside = windows._sampling(window, -3)
        assert outside.any() == (window.degrees != 0)
        assert (weights.sum(axis=1) == windows.UNIT**2).all()
        assert weights.min() >= 0
        assert 0 <= cells.min() <= cells.max() < phash.SIDE**2
