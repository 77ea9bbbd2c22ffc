"""Every measure on the shelf keeps the shelf's contract, and each tells what it is for."""

import math
from types import ModuleType

import cv2
import numpy as np
import pyarrow as pa
import pytest

from anidata import registry
from anidata.imaging.image import Image
from anidata.measures import chroma, flatness, sharpness
from shared import SHARED, needs_shared

FLAT, GRAY, SOFT = 1 - 12 / 255, 6, 0.17  # where clean's rules cut


def image(rgb):
    return Image(rgb=np.ascontiguousarray(rgb), format="png", frames=1, transparency=0.0)


def flat(height, width, color):
    return np.full((height, width, 3), color, np.uint8)


def noise(height, width, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def read(path):
    return cv2.imread(str(path))[..., ::-1]


def drawn(side=400):
    """Anti-aliased black strokes over soft fills, as an inked picture has."""
    rng = np.random.default_rng(3)
    rgb = cv2.resize(
        rng.integers(150, 256, (5, 5, 3), dtype=np.uint8), (side, side), interpolation=cv2.INTER_CUBIC
    )
    for _ in range(25):
        a, b = rng.integers(0, side, (2, 2)).tolist()
        cv2.line(rgb, a, b, (15, 10, 20), 2, cv2.LINE_AA)
    return rgb


PICTURES = {
    "one pixel": flat(1, 1, 7),
    "two rows": noise(2, 300),
    "two columns": noise(300, 2),
    "three by five": noise(3, 5),
    "white": flat(64, 64, 255),
    "black": flat(64, 64, 0),
    "maroon": flat(300, 200, (128, 0, 0)),
    "gray": np.repeat(noise(90, 70)[..., :1], 3, axis=2),
    "wide": noise(7, 1200),
    "drawn": drawn(),
}


@pytest.fixture(params=registry.names("measures"))
def measure(request) -> ModuleType:
    return registry.load("measures", request.param)


@pytest.mark.parametrize("name", PICTURES)
def test_any_picture_has_a_value_of_the_columns_type_and_always_the_same(measure, name):
    value = measure.measure(image(PICTURES[name]))
    column = pa.array([value], measure.TYPE)
    assert column.type == measure.TYPE
    assert column.null_count == 0
    assert not isinstance(value, float) or math.isfinite(value)
    assert measure.measure(image(PICTURES[name])) == value


def test_the_picture_stays_as_it_is(measure):
    rgb = drawn()
    picture = image(rgb)
    measure.measure(picture)
    assert (picture.rgb == drawn()).all()


def test_the_docstring_says_what_is_measured_and_there_is_a_version(measure):
    assert len(registry.title(measure)) > 20
    assert isinstance(measure.VERSION, int)
    assert isinstance(measure.TYPE, pa.DataType)


@pytest.mark.parametrize("color", [(255, 255, 255), (0, 0, 0), (128, 0, 0), (3, 200, 90)])
def test_one_color_is_flat(color):
    assert flatness.measure(image(flat(80, 60, color))) == 1


def test_the_full_range_is_not_flat():
    ramp = np.tile(np.arange(256, dtype=np.uint8), (40, 1))
    assert flatness.measure(image(np.dstack([ramp] * 3))) == 0


def test_flatness_is_what_a_plain_percentile_says():
    rgb = noise(200, 200) // 4 + 30
    span = np.ptp(np.percentile(rgb.reshape(-1, 3), [0.1, 99.9], axis=0), axis=0).max()
    assert flatness.measure(image(rgb)) == pytest.approx(1 - span / 255, abs=1.5 / 255)


def test_two_colors_of_one_luma_are_not_flat():
    rgb = flat(50, 50, (200, 60, 60))
    rgb[:, 25:] = (0, 163, 58)  # the same luma within a level
    assert np.ptp(cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY)) <= 1
    assert flatness.measure(image(rgb)) < FLAT


@pytest.mark.parametrize("sigma", [0.5, 1.0, 1.5])
def test_a_blank_page_with_noise_is_flat(sigma):
    page = np.clip(np.random.default_rng(0).normal(200, sigma, (400, 400, 3)), 0, 255).astype(np.uint8)
    assert flatness.measure(image(page)) > FLAT


@pytest.mark.parametrize(("color", "expected"), [((255, 0, 0), 255), ((10, 20, 50), 40), ((90, 90, 90), 0)])
def test_chroma_is_the_spread_of_the_channels(color, expected):
    assert chroma.measure(image(flat(30, 30, color))) == expected


def test_chroma_needs_more_than_a_hundredth_of_the_picture():
    rgb = flat(100, 100, 128)
    rgb[0, :90] = (255, 0, 0)
    assert chroma.measure(image(rgb)) < GRAY
    rgb[1:3] = (255, 0, 0)
    assert chroma.measure(image(rgb)) == 255


def test_a_gray_picture_is_monochrome_after_jpeg_too():
    gray = np.dstack([cv2.cvtColor(drawn(), cv2.COLOR_RGB2GRAY)] * 3)
    jpeg = cv2.imdecode(cv2.imencode(".jpg", gray, [cv2.IMWRITE_JPEG_QUALITY, 60])[1], cv2.IMREAD_COLOR)
    assert chroma.measure(image(jpeg)) < GRAY


def test_a_picture_without_edges_counts_as_sharp():
    ramp = np.tile(np.arange(256, dtype=np.uint8), (300, 1))
    for rgb in (flat(100, 100, 80), np.dstack([ramp] * 3)):
        assert sharpness.measure(image(rgb)) == 1


def test_pen_strokes_are_sharp_and_each_further_blur_is_less_so():
    values = [sharpness.measure(image(drawn()))]
    values += [sharpness.measure(image(cv2.GaussianBlur(drawn(), (0, 0), sigma))) for sigma in (1, 2, 4)]
    assert values == sorted(values, reverse=True)
    assert values[0] > SOFT > values[2]


@pytest.mark.parametrize("how", [cv2.INTER_LINEAR, cv2.INTER_CUBIC, cv2.INTER_LANCZOS4])
def test_an_enlarged_picture_is_soft(how):
    assert sharpness.measure(image(cv2.resize(drawn(), None, fx=3, fy=3, interpolation=how))) < SOFT


def test_faint_lines_are_as_sharp_as_black_ones():
    faint = (drawn() * 0.2 + 200).astype(np.uint8)
    assert sharpness.measure(image(faint)) > SOFT


@needs_shared
def test_the_junk_that_is_flat_is_flat_and_a_gradient_is_not():
    junk = SHARED / "data/junk"
    for name in ("blank_white.png", "blank_black.png", "blank_maroon.png", "blank_paper_noise.jpg"):
        assert flatness.measure(image(read(junk / name))) > FLAT, name
    assert flatness.measure(image(read(junk / "gradient.png"))) < FLAT
    assert sharpness.measure(image(read(junk / "upscaled_blurry.png"))) < SOFT


@needs_shared
def test_good_art_is_neither_flat_nor_gray_nor_soft_and_its_blur_and_enlargement_are():
    gray = []
    for path in sorted((SHARED / "data/dups/originals").glob("*.png"))[::3]:
        rgb = read(path)
        assert flatness.measure(image(rgb)) < FLAT, path.name
        assert sharpness.measure(image(rgb)) > SOFT, path.name
        assert sharpness.measure(image(cv2.GaussianBlur(rgb, (0, 0), max(rgb.shape) / 150))) < SOFT, path.name
        gray += [path.name] if chroma.measure(image(rgb)) < GRAY else []
    assert len(gray) <= 1  # one of the ninety is exactly gray


@needs_shared
def test_most_of_what_was_enlarged_twofold_is_soft():
    soft = []
    for path in sorted((SHARED / "data/dups/originals").glob("*.png"))[::3]:
        rgb = read(path)
        small = cv2.resize(rgb, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
        soft.append(
            sharpness.measure(image(cv2.resize(small, rgb.shape[1::-1], interpolation=cv2.INTER_CUBIC)))
            < SOFT
        )
    assert sum(soft) >= 0.75 * len(soft)
