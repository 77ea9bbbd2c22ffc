"""Codes equal ImageHash's bit for bit, tell copies from recolors, and say where they are only noise."""

import dataclasses

import cv2
import imagehash
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageOps

from anidata.duplicates import phash
from anidata.duplicates.phash import codes, distance, hex_of, luma
from shared import SHARED

ART = (
    sorted((SHARED / "data" / "demo").glob("*.[jpw][pne][gb]*"))
    + sorted((SHARED / "data" / "dups" / "originals").glob("*"))[::3]
)


def wanted(rgb, mirrored=False):
    picture = Image.fromarray(rgb)
    return int(str(imagehash.phash(ImageOps.mirror(picture) if mirrored else picture)), 16)


def is_equal_to_imagehash(rgb):
    ours = codes(rgb)
    return (ours.phash, ours.phash_flip) == (wanted(rgb), wanted(rgb, mirrored=True))


def noise(height, width, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def scene(height, width, seed=0):
    coarse = np.random.default_rng(seed).integers(0, 256, (6, 6, 3), dtype=np.uint8)
    return cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)


def on_white(path):
    picture = ImageOps.exif_transpose(Image.open(path)).convert("RGBA")
    white = Image.new("RGBA", picture.size, "white")
    return np.asarray(Image.alpha_composite(white, picture).convert("RGB"))


@settings(deadline=None, max_examples=150)
@given(st.integers(1, 400), st.integers(1, 400), st.integers(0, 2**32 - 1), st.sampled_from([noise, scene]))
def test_phash_and_its_mirror_equal_imagehash_on_random_pictures(height, width, seed, draw):
    assert is_equal_to_imagehash(draw(height, width, seed))


@pytest.mark.parametrize(
    ("height", "width"),
    [
        (1, 1),
        (1, 3000),
        (3000, 1),
        (7, 3000),
        (3000, 7),
        (32, 32),
        (33, 32),
        (32, 33),
        (968, 500),
        (969, 500),
        (1000, 900),
        (700, 1500),
    ],
)
def test_odd_shapes_equal_imagehash(height, width):
    assert is_equal_to_imagehash(noise(height, width))
    assert is_equal_to_imagehash(scene(height, width))


@pytest.mark.parametrize("value", [0, 1, 127, 254, 255])
def test_flat_and_gray_pictures_equal_imagehash_down_to_its_rounding_noise(value):
    assert is_equal_to_imagehash(np.full((300, 200, 3), value, np.uint8))
    assert is_equal_to_imagehash(np.minimum(noise(300, 200)[..., :1], value).repeat(3, axis=2))


@pytest.mark.skipif(not ART, reason="the shared pictures aren't here")
def test_artwork_equals_imagehash_mirror_included():
    assert [path.name for path in ART if not is_equal_to_imagehash(on_white(path))] == []


@pytest.mark.parametrize("width", [*range(33, 200, 5), 511, 512, 513, 1023, 1500, 2000, 4099])
def test_gray_levels_equal_pillow_at_every_width(width):
    rgb = noise(40, width, width) // 255 * 255  # black and white rows ring hardest
    assert np.array_equal(
        luma(rgb), np.asarray(Image.fromarray(rgb).convert("L").resize((32, 32), Image.Resampling.LANCZOS))
    )


def test_the_fast_sums_are_in_use_with_this_pillow():
    assert phash._sums_as_pillow()


def test_another_pillow_costs_time_and_no_bits(monkeypatch):
    monkeypatch.setattr(phash, "_sums_as_pillow", lambda: False)
    monkeypatch.setattr(phash, "_summed", None)
    assert is_equal_to_imagehash(scene(300, 400))


def test_strips_of_any_height_give_the_same_gray_levels(monkeypatch):
    rgb = noise(300, 200)
    whole = luma(rgb)
    monkeypatch.setattr(phash, "STRIP", 7 * 200)
    assert np.array_equal(luma(rgb), whole)


def test_a_view_of_a_picture_has_the_codes_of_its_copy():
    rgb = scene(200, 300)
    assert codes(rgb[::2, 50:250]) == codes(rgb[::2, 50:250].copy())


def test_a_mirrored_picture_swaps_the_two_phashes():
    rgb = scene(300, 200)
    here, there = codes(rgb), codes(np.ascontiguousarray(rgb[:, ::-1]))
    assert (here.phash, here.phash_flip) == (there.phash_flip, there.phash)


def test_the_digest_is_of_shape_and_pixels():
    rgb = noise(20, 30)
    changed = rgb.copy()
    changed[19, 29, 2] ^= 1
    digests = [codes(picture).pixels for picture in (rgb, changed, rgb.reshape(30, 20, 3), rgb[:, ::-1])]
    assert len(set(digests)) == 4
    assert len(digests[0]) == 16
    assert codes(rgb.copy()).pixels == digests[0]


def test_colors_are_the_mean_of_each_cell_in_lab():
    cells = noise(4, 4)
    rgb = cells.repeat(25, axis=0).repeat(30, axis=1)
    assert codes(rgb).colors == cv2.cvtColor(cells, cv2.COLOR_RGB2LAB).tobytes()


@pytest.mark.parametrize(("height", "width"), [(1, 1), (2, 3), (5, 3000), (131, 257)])
def test_colors_of_a_flat_picture_are_its_color_in_every_cell(height, width):
    flat = np.empty((height, width, 3), np.uint8)
    flat[:] = 200, 30, 90
    assert codes(flat).colors == cv2.cvtColor(flat[:1, :1], cv2.COLOR_RGB2LAB).tobytes() * 16


def test_a_recolor_keeps_the_phash_nearly_and_changes_the_colors():
    gray = scene(400, 300)[..., :1].repeat(3, axis=2)
    tint = cv2.cvtColor(gray, cv2.COLOR_RGB2LAB)
    tint[..., 2] = 170  # the same lightness, yellow
    tinted = cv2.cvtColor(tint, cv2.COLOR_LAB2RGB)
    assert distance(codes(gray).phash, codes(tinted).phash) <= 6
    shift = np.abs(
        np.subtract(*(np.frombuffer(codes(rgb).colors, np.uint8).astype(int) for rgb in (gray, tinted)))
    )
    assert shift.max() > 20


@pytest.mark.parametrize(
    "rgb",
    [
        np.full((300, 200, 3), 255, np.uint8),
        np.full((1, 1, 3), 7, np.uint8),
        250 + noise(300, 200) % 6,
        np.linspace(0, 255, 400).astype(np.uint8)[None, :, None].repeat(300, 0).repeat(3, 2),
    ],
    ids=["white", "one pixel", "paper grain", "gradient"],
)
def test_pictures_without_content_are_degenerate(rgb):
    assert codes(rgb).degenerate


@pytest.mark.parametrize(
    "rgb",
    [noise(300, 200), scene(300, 200), scene(900, 1600, 5) // 8 + 100],
    ids=["noise", "scene", "pale scene"],
)
def test_pictures_with_content_are_not_degenerate(rgb):
    assert not codes(rgb).degenerate


@pytest.mark.skipif(not ART, reason="the shared pictures aren't here")
def test_no_artwork_is_degenerate():
    assert [path.name for path in ART if codes(on_white(path)).degenerate] == []


@given(st.integers(0, 2**64 - 1), st.integers(0, 2**64 - 1))
def test_distance_and_hex_are_those_of_imagehash(a, b):
    there, other = imagehash.hex_to_hash(hex_of(a)), imagehash.hex_to_hash(hex_of(b))
    assert str(there) == hex_of(a)
    assert distance(a, b) == distance(b, a) == there - other


def test_codes_are_frozen():
    with pytest.raises(dataclasses.FrozenInstanceError):
        codes(noise(8, 8)).phash = 0
