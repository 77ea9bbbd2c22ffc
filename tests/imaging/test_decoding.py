"""Bytes become the picture that a viewer shows, or a code that says why not. The oracle is Pillow's own way to the same picture."""

import contextlib
import csv
import io
import struct
import subprocess
import sys
import time
import warnings
import zlib
from functools import cache

import cv2
import imagehash
import numpy as np
import PIL.Image
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import ImageCms, ImageOps

from anidata.errors import BadImage
from anidata.imaging import decode as decoding
from anidata.imaging import headers
from anidata.imaging.decode import decode
from shared import SHARED, needs_shared

LIMIT = 100_000_000
WIDTH, HEIGHT = 61, 47  # odd, unequal: turned or padded wrongly, they show


@cache
def art(channels: int = 4) -> np.ndarray:
    """Soft noise with every alpha from 0 to 255, and some color hidden under alpha 0."""
    rng = np.random.default_rng(5)
    pixels = cv2.normalize(
        cv2.GaussianBlur(rng.integers(0, 256, (HEIGHT, WIDTH, 4), np.uint8), (0, 0), 2),
        None,
        0,
        255,
        cv2.NORM_MINMAX,
    )
    pixels[:5, :, 3], pixels[5:9, :, 3] = 0, 255
    return pixels[..., 0] if channels == 1 else np.ascontiguousarray(pixels[..., :channels])


def picture(mode: str) -> PIL.Image.Image:
    if mode == "P+alpha":
        return PIL.Image.fromarray(art()).quantize(64)
    if mode == "I;16":
        return PIL.Image.fromarray(art(1).astype(np.uint16) * 251)
    return PIL.Image.fromarray(art(4 if mode in ("RGBA", "LA") else 3)).convert(mode)


def saved(source: PIL.Image.Image, form: str, **options: object) -> bytes:
    file = io.BytesIO()
    source.save(file, form, **options)
    return file.getvalue()


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
    return np.asarray(
        PIL.Image.alpha_composite(PIL.Image.new("RGBA", colored.size, "white"), colored).convert("RGB")
    )


def code_of(data: bytes, limit: int = LIMIT) -> str:
    """The error's code, or ok."""
    try:
        decode(data, limit)
    except BadImage as error:
        return error.code
    return "ok"


def chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def png(
    width: int, height: int, depth: int, color: int, rows: bytes, *chunks: bytes, interlaced: bool = False
) -> bytes:
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, color, 0, 0, interlaced))
    return (
        b"\x89PNG\r\n\x1a\n"
        + head
        + b"".join(chunks)
        + chunk(b"IDAT", zlib.compress(rows))
        + chunk(b"IEND", b"")
    )


def packed(values: np.ndarray, depth: int, *, interlaced: bool) -> bytes:
    """A PNG's rows, unfiltered, of samples (h, w, channels)."""
    passes = [
        (0, 0, 8, 8),
        (4, 0, 8, 8),
        (0, 4, 4, 8),
        (2, 0, 4, 4),
        (0, 2, 2, 4),
        (1, 0, 2, 2),
        (0, 1, 1, 2),
    ]  # x, y, steps: Adam7
    rows = [
        row for x, y, dx, dy in (passes if interlaced else [(0, 0, 1, 1)]) for row in values[y::dy, x::dx]
    ]
    bits = np.arange(depth - 1, -1, -1)
    return b"".join(
        b"\0" + np.packbits((row.reshape(-1, 1) >> bits & 1).astype(np.uint8)).tobytes() for row in rows
    )


def with_chunk(data: bytes, name: bytes, body: bytes) -> bytes:
    """A PNG with one more chunk behind its header."""
    return data[:33] + chunk(name, body) + data[33:]


def swapped_profile() -> bytes:
    """sRGB with red and blue exchanged: a sound profile whose effect needs no color theory to state."""
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    for red, blue in ((b"rXYZ", b"bXYZ"), (b"rTRC", b"bTRC")):
        profile = profile.replace(red, b"\0tmp").replace(blue, red).replace(b"\0tmp", blue)
    return profile


def exif(orientation: int) -> bytes:
    tags = PIL.Image.Exif()
    tags[0x0112] = orientation
    return tags.tobytes()


FILES = {
    "jpeg": lambda: saved(picture("RGB"), "JPEG", quality=92),
    "jpeg 4:4:4": lambda: saved(picture("RGB"), "JPEG", quality=92, subsampling=0),
    "jpeg progressive": lambda: saved(picture("RGB"), "JPEG", progressive=True),
    "jpeg gray": lambda: saved(picture("L"), "JPEG"),
    "jpeg cmyk": lambda: saved(picture("CMYK"), "JPEG"),
    "jpeg restarts": lambda: saved(picture("RGB"), "JPEG", restart_marker_blocks=2),
    **{
        f"png {mode}": lambda mode=mode: saved(picture(mode), "PNG")
        for mode in ("1", "L", "LA", "RGB", "RGBA", "P", "P+alpha", "I;16")
    },
    "png icc": lambda: saved(
        picture("RGB"), "PNG", icc_profile=ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    ),
    "png gray key": lambda: saved(picture("L"), "PNG", transparency=int(art(3)[20, 20].mean())),
    "png color key": lambda: saved(picture("RGB"), "PNG", transparency=tuple(int(v) for v in art(3)[20, 20])),
    "png palette key": lambda: saved(picture("P"), "PNG", transparency=3),
    "gif": lambda: saved(picture("P"), "GIF"),
    "gif transparent": lambda: saved(picture("P"), "GIF", transparency=3),
    "gif interlaced": lambda: saved(picture("L"), "GIF", interlace=1),
    "webp": lambda: saved(picture("RGB"), "WEBP"),
    "webp alpha": lambda: saved(picture("RGBA"), "WEBP"),
    "webp lossless": lambda: saved(picture("RGBA"), "WEBP", lossless=True),
    **{f"bmp {mode}": lambda mode=mode: saved(picture(mode), "BMP") for mode in ("1", "L", "P", "RGB")},
    **{
        f"tiff {mode}": lambda mode=mode: saved(picture(mode), "TIFF")
        for mode in ("1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "I;16")
    },
    "tiff lzw": lambda: saved(picture("RGB"), "TIFF", compression="tiff_lzw"),
    "tiff deflate": lambda: saved(picture("RGBA"), "TIFF", compression="tiff_adobe_deflate"),
    "avif": lambda: saved(picture("RGBA"), "AVIF"),
    "jpeg2000": lambda: saved(picture("RGB"), "JPEG2000"),
}
WHOLE = (
    "jpeg",
    "jpeg progressive",
    "jpeg restarts",
    "png RGB",
    "png P+alpha",
    "webp",
    "webp lossless",
    "gif",
    "tiff lzw",
    "tiff RGB",
    "bmp RGB",
    "jpeg2000",
    "avif",
)


@cache
def file(name: str) -> bytes:
    return FILES[name]()


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


@pytest.mark.parametrize("clear", [False, True])
@pytest.mark.parametrize(
    ("depth", "color", "channels"),
    [
        (1, 0, 1),
        (2, 0, 1),
        (4, 0, 1),
        (16, 0, 1),
        (1, 3, 1),
        (2, 3, 1),
        (4, 3, 1),
        (8, 3, 1),
        (8, 4, 2),
        (16, 4, 2),
    ],
)
def test_every_layout_of_png_shows_the_levels_that_were_written(depth, color, channels, clear):
    """Interlaced and not; the oracle is the table that the file was made from."""
    rng = np.random.default_rng(depth + color)
    values, palette = rng.integers(0, 2**depth, (23, 19, channels)), rng.integers(0, 256, (256, 3), np.uint8)
    level = (values[..., :1] >> 8 if depth == 16 else values[..., :1] * 255 // (2**depth - 1)).repeat(
        3, axis=2
    )
    shown, first = palette[values[..., 0]] if color == 3 else level, int(values[0, 0, 0])
    alpha = (
        values[..., 1] >> depth - 8
        if channels == 2
        else np.where(values[..., 0] == first, 0, 255)
        if clear
        else np.full((23, 19), 255)
    )
    key = bytes([255] * first + [0]) if color == 3 else struct.pack(">H", first)
    side = [chunk(b"PLTE", palette[: 2 ** min(depth, 8)].tobytes())] * (color == 3) + [
        chunk(b"tRNS", key)
    ] * (clear and channels == 1)
    expected = np.floor((shown.astype(int) * alpha[..., None] + 255 * (255 - alpha[..., None])) / 255 + 0.5)
    for interlaced in (False, True):
        data = png(
            19, 23, depth, color, packed(values, depth, interlaced=interlaced), *side, interlaced=interlaced
        )
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
    options = {"quality": 95} if form == "JPEG" else {"lossless": True} if form == "WEBP" else {}
    data = saved(picture("RGB"), form, exif=exif(orientation), **options)
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
    options = (
        {"quality": 95, "subsampling": 0}
        if form == "JPEG"
        else {"lossless": True, "exact": True}
        if form == "WEBP"
        else {}
    )
    plain, colored = (
        saved(picture(mode), form, icc_profile=profile, **options) for profile in (b"", swapped_profile())
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


@pytest.mark.parametrize("name", WHOLE)
@pytest.mark.parametrize("share", [0.3, 0.6, 0.95])
def test_a_truncated_picture_fails_as_truncated(name, share):
    data = file(name)
    assert code_of(data[: int(len(data) * share)]) == "truncated"


@pytest.mark.parametrize("name", ["jpeg", "jpeg progressive", "jpeg restarts"])
def test_cut_at_any_byte_a_jpeg_is_never_shown_in_part(name):
    data, whole = file(name), decode(file(name), LIMIT).rgb
    shown = [end for end in range(4, len(data)) if code_of(data[:end]) != "truncated"]
    assert shown == [
        end for end in shown if end >= len(data) - 3
    ]  # nothing but the end mark, or bits that pad, is missing
    for end in shown:
        np.testing.assert_array_equal(decode(data[:end], LIMIT).rgb, whole)


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(list(FILES)), st.floats(0, 1))
def test_cut_anywhere_a_picture_is_whole_or_fails(name, share):
    data = file(name)
    try:
        seen = decode(data[: int(len(data) * share)], LIMIT)
    except BadImage:
        return
    np.testing.assert_array_equal(seen.rgb, decode(data, LIMIT).rgb)


@settings(max_examples=300, deadline=None)
@given(
    st.sampled_from(list(FILES)),
    st.lists(
        st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255), st.integers(0, 3)),
        min_size=1,
        max_size=4,
    ),
)
def test_changed_anywhere_a_picture_decodes_or_is_a_bad_image(name, changes):
    data = bytearray(file(name))
    for place, value, kind in changes:
        at = int(place * len(data))
        data[at : at + (1, 1, 0, 9)[kind]] = (
            bytes([value]),
            bytes([data[at] ^ 1 << value % 8]),
            bytes([value]) * 5,
            b"",
        )[kind]
    code_of(bytes(data), 1_000_000)


@pytest.mark.parametrize(
    "name", ["jpeg", "jpeg progressive", "png RGB", "gif", "webp", "bmp RGB", "tiff RGB"]
)
def test_bytes_behind_the_end_are_ignored(name):
    np.testing.assert_array_equal(
        decode(file(name) + b"\xff\xd8\xff tail" * 9, LIMIT).rgb, decode(file(name), LIMIT).rgb
    )


def test_a_jpeg_that_lacks_its_end_mark_alone_is_whole_unless_it_is_progressive():
    np.testing.assert_array_equal(decode(file("jpeg")[:-2], LIMIT).rgb, decode(file("jpeg"), LIMIT).rgb)
    assert code_of(file("jpeg progressive")[:-2]) == "truncated"


def test_a_jpeg_with_a_hole_and_an_end_is_corrupt():
    data = saved(
        PIL.Image.fromarray(np.random.default_rng(0).integers(0, 256, (200, 200, 3), np.uint8)), "JPEG"
    )
    assert code_of(data[: len(data) // 2] + b"\xff\xd9") == "corrupt"


def test_a_jpeg_that_ends_with_an_empty_scan_header_is_truncated():
    data = file("jpeg")
    assert code_of(data[: data.index(b"\xff\xda")] + b"\xff\xda\0\2") == "truncated"


def test_a_jpeg_padded_before_its_end_mark_is_whole():
    np.testing.assert_array_equal(
        decode(file("jpeg")[:-2] + bytes(3) + b"\xff\xd9", LIMIT).rgb, decode(file("jpeg"), LIMIT).rgb
    )


@pytest.mark.parametrize("name", ["png RGB", "png P", "png L"])
def test_a_wrong_checksum_is_corrupt(name):
    data = bytearray(file(name))
    data[data.index(b"IDAT") + 40] ^= 4
    assert code_of(bytes(data)) == "corrupt"


@pytest.mark.parametrize(
    ("depth", "color", "width"),
    [(8, 2, WIDTH * 3), (8, 3, WIDTH), (8, 4, WIDTH * 2), (1, 0, (WIDTH + 7) // 8)],
)
def test_rows_missing_under_sound_checksums_are_no_picture(depth, color, width):
    rows = bytes((1 + width) * (HEIGHT - 1))
    palette = chunk(b"PLTE", bytes(range(6)))
    assert code_of(png(WIDTH, HEIGHT, depth, color, rows, palette)) == "corrupt"
    assert code_of(png(WIDTH, HEIGHT, depth, color, rows + bytes(1 + width), palette)) == "ok"


@pytest.mark.parametrize("name", [name for name in FILES if name not in ("png 1", "bmp 1")])
def test_a_picture_over_the_limit_is_too_large_and_one_at_it_is_not(name):
    assert code_of(file(name), WIDTH * HEIGHT - 1) == "too_large"
    assert code_of(file(name), WIDTH * HEIGHT) == "ok"


BOMBS = {
    "png": png(65500, 65500, 8, 2, b""),
    "gif": b"GIF89a" + struct.pack("<HH", 65535, 65535) + bytes(3) + file("gif")[13:],
    "webp": b"RIFF"
    + struct.pack("<I", 40)
    + b"WEBPVP8X"
    + struct.pack("<I", 10)
    + bytes(4)
    + b"\xff" * 6
    + bytes(30),
    "bmp": b"BM"
    + struct.pack("<IIIIiiHHIIIIII", 60, 0, 54, 40, 65500, 65500, 1, 24, 0, 0, 0, 0, 0, 0)
    + bytes(6),
    "jpeg": b"\xff\xd8\xff\xc0\0\x11\x08\xff\xdc\xff\xdc\x03\x01\x11\0\x02\x11\x01\x03\x11\x01"
    + file("jpeg")[-300:],
}


@pytest.mark.parametrize("form", BOMBS)
def test_a_picture_that_announces_too_much_is_refused_unread(form):
    start = time.process_time()
    assert code_of(BOMBS[form]) == "too_large"
    assert time.process_time() - start < 0.1  # seconds: 4 billion pixels take some


@pytest.mark.parametrize(
    ("name", "head"),
    [(b"zTXt", b"Comment\0\0"), (b"iCCP", b"icc\0\0"), (b"iTXt", b"XML:com.adobe.xmp\0\1\0\0\0")],
)
def test_a_bomb_in_a_side_chunk_is_not_unpacked(name, head):
    bomb = with_chunk(file("png P"), name, head + zlib.compress(bytes(200 << 20), 9))
    np.testing.assert_array_equal(decode(bomb, LIMIT).rgb, decode(file("png P"), LIMIT).rgb)


def test_a_large_text_chunk_spoils_nothing():
    text = with_chunk(file("png P"), b"zTXt", b"workflow\0\0" + zlib.compress(bytes(range(256)) * 20_000))
    assert code_of(text) == "ok"


def test_a_tiff_whose_pages_go_in_a_circle_ends():
    data = bytearray(saved(picture("RGB"), "TIFF"))
    (page,) = struct.unpack_from("<I", data, 4)
    (entries,) = struct.unpack_from("<H", data, page)
    struct.pack_into("<I", data, page + 2 + 12 * entries, page)
    assert decode(bytes(data), LIMIT).frames == 1


def test_ten_thousand_pages_are_counted_without_reading_them():
    data = bytearray(saved(picture("L"), "TIFF"))
    (page,) = struct.unpack_from("<I", data, 4)
    (entries,) = struct.unpack_from("<H", data, page)
    struct.pack_into("<I", data, page + 2 + 12 * entries, len(data))
    start = len(data)
    for n in range(30_000):
        data += struct.pack("<HI", 0, start + 6 * (n + 1))
    data += struct.pack("<HI", 0, 0)
    begin = time.process_time()
    assert decode(bytes(data), LIMIT).frames == headers.MAX_PAGES
    assert time.process_time() - begin < 0.5  # seconds


def test_a_jpeg_of_a_thousand_scans_is_refused():
    data = file("jpeg progressive")
    assert code_of(data[:-2] + b"\xff\xda\0\x08\x01\x01\0\0\x3f\0" * 1000 + data[-2:]) == "corrupt"


def test_nothing_is_said_on_stderr_and_pillows_settings_stay(tmp_path):
    for n, name in enumerate(WHOLE):
        (tmp_path / f"{n}a").write_bytes(file(name))
        (tmp_path / f"{n}b").write_bytes(file(name)[: len(file(name)) // 2])
        (tmp_path / f"{n}c").write_bytes(bytes(b ^ (at % 41 == 40) for at, b in enumerate(file(name))))
    script = (
        "import sys, pathlib, PIL.Image\nfrom anidata.imaging.decode import decode\nfrom anidata.errors import BadImage\n"
        "PIL.Image.MAX_IMAGE_PIXELS = 1000\n"  # a limit that every file here would be warned of
        "for path in sorted(pathlib.Path(sys.argv[1]).iterdir()):\n"
        "    try: decode(path.read_bytes(), 10**8)\n"
        "    except BadImage: pass\n"
        "assert PIL.Image.MAX_IMAGE_PIXELS == 1000\n"
    )
    done = subprocess.run(
        [sys.executable, "-W", "always", "-c", script, str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")


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


@pytest.mark.slow
@needs_shared
def test_a_large_picture_is_decoded_where_the_limit_allows_it():
    assert decode(
        (SHARED / "data" / "junk/huge_legit_12000x9000.png").read_bytes(), 108_000_000
    ).rgb.shape == (9000, 12000, 3)


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
