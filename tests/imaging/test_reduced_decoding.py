"""Where a small picture is enough, a JPEG is decoded at a fraction of its size.

It is as the full one would be seen, shrunk.
"""

import math
from pathlib import Path

import cv2
import numpy as np
import PIL.Image
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from anidata import storage
from anidata.duplicates import alignment
from anidata.errors import BadImage
from anidata.imaging import fit
from anidata.imaging.decode import ENOUGH, decode
from anidata.reports import contact_sheet
from anidata.storage import Reference
from anidata.workspace import Workspace
from files_lab import exif, saved, swapped_profile

LIMIT, SIDE = 10_000_000, 100
WIDTH, HEIGHT = 1001, 803  # px, odd: four times SIDE and a half
TOLERANCE = (
    1.5  # levels of 255 on average: a turned picture of odd sides loses its last row to the other side
)


def drawn(width: int = WIDTH, height: int = HEIGHT) -> PIL.Image.Image:
    """Soft colors under dark strokes, other in every corner."""
    rng = np.random.default_rng(3)
    sheet = cv2.resize(
        rng.integers(60, 256, (5, 6, 3), np.uint8), (width, height), interpolation=cv2.INTER_CUBIC
    )
    for line in (rng.random((20, 4)) * (width, height, width, height)).astype(int).tolist():
        cv2.line(sheet, line[:2], line[2:], (30, 20, 40), 5, cv2.LINE_AA)
    return PIL.Image.fromarray(sheet)


def shrunk(rgb: np.ndarray) -> np.ndarray:
    """To 100 px on the long side."""
    tall = rgb.shape[0] > rgb.shape[1]
    return fit.resize(rgb, *((80, 100) if tall else (100, 80)), "area")


VARIANTS = {
    "plain": {},
    "full chroma": {"subsampling": 0},
    "progressive": {"progressive": True},
    "turned": {"exif": exif(6)},
    "mirrored": {"exif": exif(5)},
    "profile": {"icc_profile": swapped_profile()},
    "gray": {"mode": "L"},
    "cmyk": {"mode": "CMYK"},
}


@pytest.mark.parametrize("name", VARIANTS)
def test_a_jpeg_at_reduced_size_is_the_full_picture_shrunk(name):
    options = dict(VARIANTS[name])
    data = saved(drawn().convert(options.pop("mode", "RGB")), "JPEG", quality=92, **options)
    full, small = decode(data, LIMIT), decode(data, LIMIT, SIDE)
    assert full.rgb.shape == ((WIDTH, HEIGHT, 3) if name in ("turned", "mirrored") else (HEIGHT, WIDTH, 3))
    assert small.rgb.shape == tuple(math.ceil(side / 4) for side in full.rgb.shape[:2]) + (3,)
    apart = np.abs(shrunk(full.rgb).astype(int) - shrunk(small.rgb))
    assert apart.mean() < TOLERANCE
    assert (small.format, small.frames, small.transparency, small.quality) == (
        full.format,
        full.frames,
        full.transparency,
        full.quality,
    )


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 900), st.integers(1, 900), st.integers(1, 400))
def test_twice_the_side_that_is_asked_for_is_always_left(width, height, side):
    picture = decode(saved(PIL.Image.new("RGB", (width, height), "red"), "JPEG"), LIMIT, side).rgb
    assert max(picture.shape[:2]) >= min(max(width, height), ENOUGH * side)
    assert picture.shape[0] * picture.shape[1] <= width * height


@pytest.mark.parametrize("form", ["PNG", "WEBP", "GIF", "BMP", "TIFF"])
def test_other_forms_come_in_full(form):
    assert decode(saved(drawn(), form), LIMIT, SIDE).rgb.shape == (HEIGHT, WIDTH, 3)


def test_a_small_jpeg_comes_in_full():
    data = saved(drawn(300, 200), "JPEG")
    np.testing.assert_array_equal(decode(data, LIMIT, SIDE).rgb, decode(data, LIMIT).rgb)


@pytest.mark.parametrize("progressive", [False, True])
def test_a_cut_jpeg_is_no_thumbnail_either(progressive):
    data = saved(drawn(), "JPEG", progressive=progressive)
    with pytest.raises(BadImage, match="truncated"):
        decode(data[: len(data) * 3 // 4], LIMIT, SIDE)


def test_the_limit_is_for_the_picture_not_for_what_is_left_of_it():
    with pytest.raises(BadImage, match="too_large"):
        decode(saved(drawn(), "JPEG"), WIDTH * HEIGHT - 1, SIDE)


def test_a_jpeg_without_its_end_mark_is_mended_at_reduced_size_too():
    data = saved(drawn(), "JPEG")
    assert shrunk(decode(data[:-2], LIMIT, SIDE).rgb).shape == (80, 100, 3)


def test_contact_sheets_show_what_they_showed(tmp_path: Path):
    data = saved(drawn(2600, 2000), "JPEG", quality=92)
    (tmp_path / "one.jpg").write_bytes(data)
    at = Reference(storage.uri_of(tmp_path / "one.jpg"), 0, len(data))
    seen = contact_sheet._seen(Workspace(tmp_path), at)
    before = fit.resize(decode(data, LIMIT).rgb, 512, 394, "area")
    assert seen.shape == before.shape
    assert np.abs(seen.astype(int) - before).mean() < TOLERANCE


def test_thumbnails_of_the_page_are_what_they_were():
    data = saved(drawn(2600, 2000), "JPEG", quality=92)
    reduced, full = (alignment.thumbnail(decode(data, LIMIT, side).rgb) for side in (alignment.SIDE, 0))
    assert reduced.shape == full.shape
    assert np.abs(reduced.astype(int) - full).mean() < TOLERANCE
