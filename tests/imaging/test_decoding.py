"""Bytes become the picture that a viewer shows, or a code that says why not.

The oracle is Pillow's own way to the same picture.
"""

import contextlib
import csv
import io
import struct
import warnings

import cv2
import imagehash
import numpy as np
import PIL.Image
import pytest
from PIL import ImageCms, ImageOps

from anidata.imaging import decode as decoding
from anidata.imaging.decode import decode
from files_lab import (
    FILES,
    HEIGHT,
    LIMIT,
    WIDTH,
    art,
    chunk,
    code_of,
    exif,
    file,
    packed,
    picture,
    png,
    saved,
    swapped_profile,
    with_chunk,
)
from shared import SHARED, needs_shared

WITHOUT_LOSS = {
    "JPEG": {"quality": 95, "subsampling": 0},
    "WEBP": {"lossless": True, "exact": True},
}  # or with as little as there is


def as_seen(data: bytes) -> np.ndarray:
    """Pillow's way, step by step: turned, in RGBA, in sRGB, over a white sheet."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        loaded = ImageOps.exif_transpose(PIL.Image.open(io.BytesIO(data)))
    profile = loaded.info.get("icc_profile")
    if loaded.mode.startswith("I;16"):
        loaded = PIL.Image.fromarray((np.asarray(loaded) // 256).astype(np.uint8))
    colored = loaded.convert("RGB").convert("RGBA") if loaded.mode == "CMYK" else loaded.convert("RGBA")
    if profile:
        with contextlib.suppress(ImageCms.PyCMSError, OSError):  # a broken or foreign profile is ignored
            source, target = ImageCms.ImageCmsProfile(io.BytesIO(profile)), ImageCms.createProfile("sRGB")
            colored = ImageCms.profileToProfile(colored, source, target, outputMode="RGBA")
    sheet = PIL.Image.new("RGBA", colored.size, "white")
    return np.asarray(PIL.Image.alpha_composite(sheet, colored).convert("RGB"))


@pytest.mark.parametrize("name", FILES)
def test_a_picture_is_decoded_as_pillow_shows_it(name):
    seen = decode(file(name), LIMIT)
    assert seen.rgb.dtype == np.uint8
    assert seen.rgb.flags["C_CONTIGUOUS"]
    np.testing.assert_array_equal(seen.rgb, as_seen(file(name)))
    assert (seen.format, seen.frames) == (name.split()[0], 1)


@pytest.mark.parametrize(("depth", "color", "row"), [(2, 0, 0b00011011), (4, 0, 0x1E), (1, 0, 0b01010101)])
def test_gray_of_few_bits_fills_the_whole_range_and_its_key_is_transparent(depth, color, row):
    per_byte = 8 // depth
    data = png(per_byte, 1, depth, color, bytes([0, row]))
    levels = [(row >> 8 - depth * (n + 1)) & 2**depth - 1 for n in range(per_byte)]
    np.testing.assert_array_equal(
        decode(data, LIMIT).rgb[0, :, 0], [level * 255 // (2**depth - 1) for level in levels]
    )
    keyed = with_chunk(data, b"tRNS", struct.pack(">H", levels[0]))
    assert decode(keyed, LIMIT).transparency == pytest.approx(levels.count(levels[0]) / per_byte)
    assert decode(keyed, LIMIT).rgb[0, 0].tolist() == [255, 255, 255]


@pytest.mark.parametrize(("color", "channels"), [(0, 1), (2, 3), (4, 2), (6, 4)])
def test_sixteen_bits_keep_their_high_byte(color, channels):
    values = np.random.default_rng(1).integers(0, 65536, (9, 7, channels))
    if channels in (2, 4):
        values[..., -1] = 65535
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in values)
    shown = values[..., :3] if channels > 2 else values[..., :1].repeat(3, axis=2)
    np.testing.assert_array_equal(decode(png(7, 9, 16, color, rows), LIMIT).rgb, shown // 256)


def test_a_sixteen_bit_key_is_compared_in_sixteen_bits():
    data = png(
        2, 1, 16, 0, b"\0" + struct.pack(">HH", 0x1234, 0x1235), chunk(b"tRNS", struct.pack(">H", 0x1234))
    )
    assert decode(data, LIMIT).rgb[0, :, 0].tolist() == [255, 0x12]


@pytest.mark.parametrize(("depth", "color", "channels"), [(8, 2, 3), (8, 6, 4), (8, 0, 1)])
def test_interlaced_png_is_decoded(depth, color, channels):
    pixels = art(channels).reshape(HEIGHT, WIDTH, channels)
    data = png(WIDTH, HEIGHT, depth, color, packed(pixels, depth, interlaced=True), interlaced=True)
    np.testing.assert_array_equal(
        decode(data, LIMIT).rgb, as_seen(saved(PIL.Image.fromarray(art(channels)), "PNG"))
    )


def alpha_of(values: np.ndarray, depth: int, *, clear: bool) -> np.ndarray:
    """(h, w), 0 to 255: the second channel, or 0 where the sample is the first one's, which is `clear`."""
    if values.shape[2] == 2:
        return values[..., 1] >> depth - 8
    if clear:
        return np.where(values[..., 0] == values[0, 0, 0], 0, 255)
    return np.full(values.shape[:2], 255)


@pytest.mark.parametrize("clear", [False, True])
@pytest.mark.parametrize(
    ("depth", "color", "channels"),
    [
        *[(depth, 0, 1) for depth in (1, 2, 4, 16)],
        *[(depth, 3, 1) for depth in (1, 2, 4, 8)],
        *[(depth, 4, 2) for depth in (8, 16)],
    ],
)
def test_every_layout_of_png_shows_the_levels_that_were_written(depth, color, channels, clear):
    """Interlaced and not; the oracle is the table that the file was made from."""
    rng = np.random.default_rng(depth + color)
    values, palette = rng.integers(0, 2**depth, (23, 19, channels)), rng.integers(0, 256, (256, 3), np.uint8)
    level = values[..., :1] >> 8 if depth == 16 else values[..., :1] * 255 // (2**depth - 1)
    shown = palette[values[..., 0]] if color == 3 else level.repeat(3, axis=2)
    first = int(values[0, 0, 0])
    key = bytes([255] * first + [0]) if color == 3 else struct.pack(">H", first)
    side = [chunk(b"PLTE", palette[: 2 ** min(depth, 8)].tobytes())] * (color == 3)
    side += [chunk(b"tRNS", key)] * (clear and channels == 1)
    alpha = alpha_of(values, depth, clear=clear)[..., None]
    expected = np.floor((shown.astype(int) * alpha + 255 * (255 - alpha)) / 255 + 0.5)
    for interlaced in (False, True):
        rows = packed(values, depth, interlaced=interlaced)
        data = png(19, 23, depth, color, rows, *side, interlaced=interlaced)
        np.testing.assert_array_equal(decode(data, LIMIT).rgb, expected)


def test_alpha_on_white_is_rounded_exactly_for_every_color_and_alpha():
    color, alpha = np.meshgrid(np.arange(256), np.arange(256))
    rgba = np.stack([color, color, color, alpha], axis=-1).astype(np.uint8)
    exact = np.floor((color * alpha + 255 * (255 - alpha)) / 255 + 0.5)
    seen = decode(saved(PIL.Image.fromarray(rgba), "PNG"), LIMIT)
    np.testing.assert_array_equal(seen.rgb[..., 1], exact)
    assert seen.transparency == pytest.approx(0.5)


def test_every_ink_on_every_black_is_as_pillow_has_it():
    """65,536 pairs, each in a flat block of a JPEG of quality 100."""
    ink, black = (
        np.repeat(np.repeat(levels.astype(np.uint8), 8, axis=0), 8, axis=1)
        for levels in np.meshgrid(np.arange(256), np.arange(256))
    )
    for part in np.split(np.dstack([ink, ink, 255 - ink, black]), 4):
        data = saved(PIL.Image.fromarray(part, "CMYK"), "JPEG", quality=100, subsampling=0)
        shown = PIL.Image.open(io.BytesIO(data)).convert("RGB")
        np.testing.assert_array_equal(decode(data, LIMIT).rgb, shown)


def test_color_hidden_under_alpha_zero_is_never_seen():
    hidden = art().copy()
    hidden[..., 3] = 0
    seen = decode(saved(PIL.Image.fromarray(hidden), "PNG"), LIMIT)
    assert (seen.rgb == 255).all()
    assert seen.transparency == 1


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF"])
def test_exif_turns_the_picture(form, orientation):
    data = saved(picture("RGB"), form, exif=exif(orientation), **WITHOUT_LOSS.get(form, {}))
    np.testing.assert_array_equal(decode(data, LIMIT).rgb, as_seen(data))
    assert decode(data, LIMIT).rgb.shape[:2] == ((HEIGHT, WIDTH) if orientation < 5 else (WIDTH, HEIGHT))


@pytest.mark.parametrize(
    "broken",
    [
        b"Exif\0\0",
        b"Exif\0\0II*\0\xff\xff\xff\xff",
        b"Exif\0\0MM\0*\0\0\0\x08\xff\xff" + b"\x01\x12" * 9,
        exif(99),
    ],
)
def test_broken_exif_is_ignored(broken):
    data = saved(picture("RGB"), "JPEG", exif=broken)
    assert decode(data, LIMIT).rgb.shape == (HEIGHT, WIDTH, 3)


@pytest.mark.parametrize("form", ["PNG", "JPEG", "WEBP", "TIFF"])
@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
def test_a_color_profile_is_applied(form, mode):
    if (form, mode) == ("JPEG", "RGBA"):
        pytest.skip("JPEG has no alpha")
    plain, colored = (
        saved(picture(mode), form, icc_profile=profile, **WITHOUT_LOSS.get(form, {}))
        for profile in (b"", swapped_profile())
    )
    difference = decode(colored, LIMIT).rgb.astype(int) - decode(plain, LIMIT).rgb[..., ::-1]
    assert abs(difference).max() <= 1
    assert decode(colored, LIMIT).transparency == decode(plain, LIMIT).transparency


@pytest.mark.parametrize(
    "profile",
    [
        b"no profile",
        ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes(),
        swapped_profile()[:300],
    ],
)
def test_a_broken_or_foreign_profile_is_ignored(profile):
    data = saved(picture("RGB"), "PNG", icc_profile=profile)
    np.testing.assert_array_equal(decode(data, LIMIT).rgb, art(3))


@pytest.mark.parametrize("frames", [2, 7])
@pytest.mark.parametrize("form", ["GIF", "WEBP", "PNG", "TIFF", "AVIF"])
def test_the_first_frame_is_shown_and_the_frames_are_counted(form, frames):
    pages = [PIL.Image.fromarray(np.roll(art(3), n * 3, axis=0)) for n in range(frames)]
    data = saved(pages[0], form, save_all=True, append_images=pages[1:])
    seen = decode(data, LIMIT)
    assert seen.frames == frames
    np.testing.assert_array_equal(seen.rgb, as_seen(data))


def test_a_still_picture_outside_its_animation_counts_as_a_frame():
    pages = [PIL.Image.fromarray(np.roll(art(3), n * 3, axis=0)) for n in range(3)]
    data = saved(pages[0], "PNG", save_all=True, append_images=pages[1:], default_image=True)
    assert decode(data, LIMIT).frames == PIL.Image.open(io.BytesIO(data)).n_frames


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "empty"),
        (b"<html>404</html>", "not_an_image"),
        (bytes(5000), "not_an_image"),
        (b"BM" + b"text" * 9, "not_an_image"),
    ],
)
def test_what_is_no_picture_is_told_so(data, code):
    assert code_of(data) == code


def test_postscript_is_no_picture_here():
    assert code_of(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n" * 3) == "not_an_image"


def test_gray_and_raster_are_lumas_and_small():
    large = PIL.Image.fromarray(art(3)).resize((1301, 900))
    seen = decode(saved(large, "PNG"), LIMIT)
    assert seen.gray.shape == (900, 1301)
    np.testing.assert_allclose(seen.gray, np.asarray(large.convert("L")), atol=1)
    assert seen.raster.shape == (225, 325, 3)  # halved twice
    assert seen.raster_gray.shape == (225, 325)
    area = cv2.resize(np.asarray(large), (325, 225), interpolation=cv2.INTER_AREA)
    assert np.abs(seen.raster.astype(int) - area).mean() < 1
    assert decode(file("png RGB"), LIMIT).raster.shape == (HEIGHT, WIDTH, 3)


def test_the_same_bytes_decode_to_the_same_pixels():
    for name in FILES:
        assert decode(file(name), LIMIT).rgb.tobytes() == decode(file(name), LIMIT).rgb.tobytes()
    assert decoding.VERSION >= 1


@needs_shared
def test_the_junk_gets_the_codes_it_should():
    wrong = []
    for row in csv.DictReader((SHARED / "data" / "junk.csv").read_text(encoding="utf-8").splitlines()):
        code = code_of((SHARED / "data" / "junk" / row["file"]).read_bytes())
        if row["status"] != "either" and code != (row["error"] or "ok"):
            wrong.append((row["file"], code, row["error"]))
    assert wrong == []


@needs_shared
def test_real_pictures_are_as_pillow_shows_them_and_so_are_their_hashes():
    paths = sorted(
        path
        for folder in ("demo", "dups", "lineart", "photos")
        for path in (SHARED / "data" / folder).rglob("*.*")
        if path.suffix in (".png", ".jpg", ".webp")
    )
    for path in paths[:: max(1, len(paths) // 60)]:
        data = path.read_bytes()
        seen, shown = decode(data, LIMIT).rgb, as_seen(data)
        np.testing.assert_array_equal(seen, shown, err_msg=path.name)
        assert imagehash.phash(PIL.Image.fromarray(seen)) == imagehash.phash(PIL.Image.fromarray(shown)), (
            path.name
        )
