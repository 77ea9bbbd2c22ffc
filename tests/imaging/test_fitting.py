"""Pictures are brought to a page and written.

Sizes, centers and white stand fixed, and what is lossless comes back whole.
"""

import io

import cv2
import numpy as np
import PIL.Image
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from anidata.imaging import encode, fit

FITS, FILTERS = ("pad", "crop", "bucket"), ("area", "bilinear", "bicubic", "lanczos")


def soft(height: int, width: int) -> np.ndarray:
    noise = np.random.default_rng(height * 5000 + width).integers(0, 256, (height, width, 3), np.uint8)
    return cv2.GaussianBlur(noise, (0, 0), 2)


def opened(data: bytes) -> PIL.Image.Image:
    return PIL.Image.open(io.BytesIO(data))


@settings(max_examples=60, deadline=None)
@given(
    st.integers(1, 700),
    st.integers(1, 700),
    st.sampled_from((64, 128, 320)),
    st.sampled_from(FITS),
    st.sampled_from(FILTERS),
    st.booleans(),
)
def test_every_page_has_its_size_whatever_the_picture(height, width, size, how, sampling, gray):
    picture = np.full((height, width) if gray else (height, width, 3), 40, np.uint8)
    page = fit.fit(picture, size, how, sampling)
    assert page.dtype == np.uint8
    assert page.ndim == picture.ndim
    assert page.shape[:2] == (size, size) or (how == "bucket" and page.shape[1::-1] in fit.buckets(size))
    assert how == "pad" or (page == 40).all()


@pytest.mark.parametrize(("height", "width"), [(300, 900), (900, 300), (50, 20), (128, 128), (1, 640)])
def test_pad_centers_the_whole_picture_on_white(height, width):
    page = fit.fit(np.zeros((height, width, 3), np.uint8), 128, "pad", "area")[..., 0]
    rows, columns = np.flatnonzero((page == 0).any(axis=1)), np.flatnonzero((page == 0).any(axis=0))
    scale = 128 / max(height, width)
    assert len(rows) == max(1, round(height * scale))
    assert len(columns) == max(1, round(width * scale))
    assert abs(rows[0] - (127 - rows[-1])) <= 1
    assert abs(columns[0] - (127 - columns[-1])) <= 1
    assert set(np.unique(page)) <= {0, 255}


def test_crop_takes_the_middle():
    picture = np.zeros((100, 300, 3), np.uint8)
    picture[:, 100:200] = 200
    assert (fit.fit(picture, 50, "crop", "area") == 200).all()


@pytest.mark.parametrize("size", [256, 512, 640, 1024])
def test_buckets_are_steps_of_64_below_the_area(size):
    pages = fit.buckets(size)
    assert (size, size) in pages
    assert all(
        w % 64 == h % 64 == 0 and w * h <= size * size and min(w, h) >= size / 2 and max(w, h) <= 2 * size
        for w, h in pages
    )
    assert {(h, w) for w, h in pages} == set(pages)


def test_the_buckets_of_512_are_the_known_ones():
    wide = {(w, h) for w, h in fit.buckets(512) if w >= h}
    assert wide == {
        (512, 512),
        (576, 448),
        (640, 384),
        (704, 320),
        (768, 320),
        (832, 256),
        (896, 256),
        (960, 256),
        (1024, 256),
    }


@pytest.mark.parametrize(("height", "width"), [(1000, 1000), (1000, 1500), (2000, 500), (333, 1000)])
def test_a_bucket_has_the_nearest_shape(height, width):
    page = fit.fit(soft(height, width), 512, "bucket", "area")
    error = abs(page.shape[1] / page.shape[0] - width / height)
    assert all(error <= abs(w / h - width / height) for w, h in fit.buckets(512))


@pytest.mark.parametrize("how", FITS)
@pytest.mark.parametrize("sampling", FILTERS)
def test_small_pictures_are_enlarged_as_pillow_would(how, sampling):
    picture = soft(40, 40)
    kind = PIL.Image.Resampling[{"area": "BICUBIC"}.get(sampling, sampling.upper())]
    np.testing.assert_array_equal(
        fit.fit(picture, 128, how, sampling),
        np.asarray(PIL.Image.fromarray(picture).resize((128, 128), kind)),
    )


@pytest.mark.parametrize(
    ("height", "width", "limit"),
    [(960, 960, 0.5), (540, 530, 0.5), (2000, 1500, 1), (1301, 900, 2), (4099, 513, 2)],
)
def test_area_is_the_mean_of_the_pixels_below(height, width, limit):
    """Noise of a few pixels is the hard case.

    An odd side, that loses its last row where it is halved, shifts it by under a pixel.
    """
    picture = soft(height, width)
    small = max(1, round(width * 512 / max(height, width))), max(1, round(height * 512 / max(height, width)))
    ours = fit.shrink(picture, *small).astype(int)
    exact = cv2.resize(picture, small, interpolation=cv2.INTER_AREA)
    assert np.abs(ours - exact).mean() < limit
    assert abs(ours.mean() - picture.mean()) < 0.5


def test_halving_an_even_picture_is_exact():
    picture = soft(256, 512)
    mean = picture.reshape(128, 2, 256, 2, 3).sum(axis=(1, 3), dtype=int)
    np.testing.assert_array_equal(fit.shrink(picture, 256, 128), (mean + 2) // 4)


def test_a_thin_line_keeps_its_weight_wherever_it_lies():
    weights = []
    for column in range(200, 260):
        page = np.full((960, 960), 255, np.uint8)
        page[:, column] = 0
        weights.append((255 - fit.shrink(page, 512, 512)[100].astype(int)).sum())
    assert np.ptp(weights) < 0.15 * np.mean(weights)  # a bilinear step alone varies by more than the mean


def test_a_fit_does_not_depend_on_the_memory_layout():
    wide = soft(300, 400)
    view = np.asarray(np.dstack([wide, wide]))[:, ::-1, :3][:, ::-1]
    np.testing.assert_array_equal(fit.fit(view, 128, "pad", "area"), fit.fit(wide, 128, "pad", "area"))


@pytest.mark.parametrize("form", ["png", "webp"])
def test_lossless_color_comes_back_whole(form):
    picture = soft(61, 47)
    data = encode.encode_color(picture, form, 90)
    assert opened(data).format == form.upper()
    np.testing.assert_array_equal(np.asarray(opened(data).convert("RGB")), picture)


def test_jpeg_has_full_chroma_and_the_quality_asked_for():
    picture = soft(128, 128)
    good, poor = (opened(encode.encode_color(picture, "jpeg", quality)) for quality in (95, 40))
    assert [layer[1:3] for layer in good.layer] == [(1, 1)] * 3
    errors = [np.abs(np.asarray(jpeg, int) - picture).mean() for jpeg in (good, poor)]
    assert errors[0] < 2 < errors[1]


@pytest.mark.parametrize("gray", [True, False])
def test_a_png_is_eight_bit_and_whole(gray):
    pixels = soft(61, 47)[..., 0] if gray else soft(61, 47)
    picture = opened(encode.encode_png(pixels))
    assert picture.mode == ("L" if gray else "RGB")
    np.testing.assert_array_equal(np.asarray(picture), pixels)


def test_a_line_is_an_eight_bit_gray_png_even_in_black_and_white():
    line = np.where(soft(61, 47)[..., 0] > 127, 255, 0).astype(np.uint8)
    picture = opened(encode.encode_line(line))
    assert (picture.format, picture.mode) == ("PNG", "L")
    np.testing.assert_array_equal(np.asarray(picture), line)


@pytest.mark.parametrize("form", ["jpeg", "png", "webp"])
def test_the_same_picture_gives_the_same_bytes(form):
    assert encode.encode_color(soft(61, 47), form, 90) == encode.encode_color(soft(61, 47), form, 90)
