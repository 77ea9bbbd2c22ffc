"""Bytes → pixels: every format, oriented, in sRGB, alpha on white, under bounds of size."""

import io
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain
from typing import Any

import cv2
import numpy as np
import PIL.Image
import simplejpeg
from numpy.typing import NDArray
from PIL import ImageCms

from anidata.errors import BadImage
from anidata.imaging import foreign, headers, jpeg, orientation, pillow, png
from anidata.imaging.image import Image, Pixels
from anidata.imaging.white import on_white

VERSION = 2  # raised when the same bytes would decode to other pixels
SRGB_TOLERANCE = 2  # levels of 255: within it a profile is another writing of sRGB
UNFIT = "its color profile is broken, or not for its channels: ignored"
KEPT_PROFILE = 1 << 20  # bytes of a profile that is remembered, with 31 others
SRGB = ImageCms.createProfile("sRGB")
# Times the side that is asked for: without it the worst picture was 5.3 levels off on average, not 2.1
ENOUGH = 2
# Pixels that Pillow converts at once: each conversion is a copy, and becoming an array takes two
LOADED = 1 << 23
PADDING = 16  # bytes: encoders that pad a JPEG's last scan add a few; a stream that lost its way leaves more

# The words of libjpeg-turbo and simplejpeg for what costs no pixels, or may cost none
EXTRA_BYTES = re.compile(r"(\d+) extraneous bytes")
RARE_SUBSAMPLING = "subsampling"
NO_END_MARK = "Premature end of JPEG file"

SAMPLES = {1: "GRAY", 4: "CMYK"}  # a JPEG's channels → simplejpeg's name; RGB else
MODES = {
    "1": "L",
    "L": "L",
    "CMYK": "CMYK",
}  # Pillow's mode → the one to convert to; RGB else, RGBA with alpha
MEASUREMENTS = {"F", "I", "LAB"}  # Pillow's modes with no agreed black and white
Noted = tuple[Pixels, str]


@dataclass(frozen=True)
class Decoded:
    """Pixels as a file has them, and what is left to do with them."""

    pixels: Pixels  # (h, w) gray, (h, w, 3) RGB or (h, w, 4) RGBA; in sRGB
    frames: int
    exif: bytes
    quality: int = 100
    note: str = ""


def decode(data: bytes, max_pixels: int, side: int = 0) -> Image:
    """The picture that a viewer shows.

    side: px of the long side that are enough to look at: a JPEG is then decoded at a half,
    a quarter or an eighth of its size, with at least twice that side, where it has so much. 0: every pixel.
    For measures and hashes: 0.
    Raises: BadImage: `empty`, `not_an_image`, `truncated`, `corrupt`, or `too_large` where the file announces
    more than `max_pixels`.
    """
    form = _form(data)
    decoded = _decoded(data, form, max_pixels, side)
    rgb, transparency = on_white(decoded.pixels)
    return Image(
        rgb=np.ascontiguousarray(orientation.upright(rgb, decoded.exif)),
        format=form,
        frames=decoded.frames,
        transparency=transparency,
        quality=decoded.quality,
        note=decoded.note,
    )


def layers(data: bytes, max_pixels: int) -> Pixels:
    """The same picture before it is laid on white: (h, w) gray, (h, w, 3) RGB or (h, w, 4) RGBA.

    Raises: BadImage: as `decode`.
    """
    decoded = _decoded(data, _form(data), max_pixels, 0)
    return np.ascontiguousarray(orientation.upright(decoded.pixels, decoded.exif))


def _form(data: bytes) -> str:
    if not data:
        raise BadImage("empty", "the file has no bytes")
    form = headers.sniff(data)
    if form is None:
        raise BadImage("not_an_image", f"begins with {data[:8]!r}: none of {', '.join(pillow.OPENERS)}")
    return form


def _decoded(data: bytes, form: str, limit: int, side: int) -> Decoded:
    if form == "png":
        return _png(data, limit)
    if form == "jpeg":
        return _jpeg(data, limit, side)
    return _other(data, form, limit)


def _png(data: bytes, limit: int) -> Decoded:
    read = png.read(data, limit)
    if read.interlaced and read.depth < 8:
        loaded, _ = _channels(pillow.load(png.plain(read), "png", limit))
        pixels = png.keyed(loaded, read) if read.color == png.GRAY else loaded
    else:
        with foreign.decoder():
            pixels = png.pixels(read)
    seen, note = _to_srgb(_eight_bits(pixels), read.icc)
    return Decoded(seen, read.frames, read.exif, note=note)


# JPEG


def _jpeg(data: bytes, limit: int, side: int) -> Decoded:
    head = jpeg.read(data, limit)
    try:
        pixels, note = _turbo(data, head, side)
    except BadImage as error:
        if error.code == "too_large":
            raise
        pixels, note = _mended(data, head, error.message, limit)
    return Decoded(pixels, 1, head.exif, head.quality, note)


def _turbo(data: bytes, head: jpeg.Jpeg, side: int = 0) -> Noted:
    """By libjpeg-turbo, at the size that is enough for `side`."""
    by = _reduction(max(head.width, head.height), side)
    least = {"min_height": -(-head.height // by), "min_width": -(-head.width // by)} if by > 1 else {}
    with foreign.decoder():
        samples = simplejpeg.decode_jpeg(data, SAMPLES.get(head.channels, "RGB"), **least)
    if head.channels == 4:
        return _inks(samples, head.icc)
    return _to_srgb(samples[..., 0] if head.channels == 1 else samples, head.icc)


def _inks(samples: Pixels, icc: bytes) -> Noted:
    """RGB of CMYK, which is inverted in the file, as Adobe began and all followed."""
    if icc:
        cv2.bitwise_not(samples, samples)
        size = samples.shape[1::-1]
        return _channels(PIL.Image.frombuffer("CMYK", size, samples, "raw", "CMYK", 0, 1), icc)
    black = cv2.cvtColor(cv2.extractChannel(samples, 3), cv2.COLOR_GRAY2RGB)
    shown = cv2.multiply(cv2.cvtColor(samples, cv2.COLOR_RGBA2RGB), black, scale=1 / 255)
    return np.asarray(shown, np.uint8), ""


def _reduction(long: int, side: int) -> int:
    """By how much a JPEG may be reduced: powers of two, for which libjpeg-turbo is fast,
    to ENOUGH times `side`.

    A thumbnail of 192 px takes 1/1.6 of the time from 1 megapixel, 1/2.2 from 4,
    and is 0.3 to 0.5 levels of 255 from that of the full picture on average,
    2.1 in the worst of 20 (hard edges: a transform cut short isn't a mean); of 512 px 1/1.5, 1.0 and 2.6.
    Measured by benchmarks/compare_decoders.py --reduced --pictures 10.
    """
    return max((by for by in (1, 2, 4, 8) if side and long >= ENOUGH * side * by), default=1)


def _mended(data: bytes, head: jpeg.Jpeg, complaint: str, limit: int) -> Noted:
    """The pixels of a JPEG that libjpeg complains of, where the complaint costs none of them.

    Raises: BadImage: `truncated` or `corrupt`.
    """
    extra = EXTRA_BYTES.search(complaint)
    if RARE_SUBSAMPLING in complaint or (extra and int(extra[1]) <= PADDING):  # Pillow knows both
        return _channels(pillow.load(data, "jpeg", limit), head.icc)
    if NO_END_MARK not in complaint and head.ended:
        raise BadImage("corrupt", complaint)
    if not head.alone:
        raise BadImage("truncated", "the JPEG ends before its last scan")
    try:
        # With an end mark, libjpeg only complains where pixels are missing
        return _turbo(data + jpeg.END_MARK, head)
    except BadImage as error:
        raise BadImage("truncated", "the JPEG ends before its picture does") from error


# All else, by Pillow


def _other(data: bytes, form: str, limit: int) -> Decoded:
    frames = 1
    if form == "gif":
        frames, data = headers.read_gif(data, limit)
    elif form == "webp":
        frames = headers.read_webp(data, limit)
    elif form == "tiff":
        frames, data = headers.read_tiff(data)
    elif form in {"avif", "jpeg2000"}:
        headers.check_boxes(data)
    opened: Any = pillow.load(data, form, limit)
    if form == "avif":
        frames = opened.n_frames
    exif = (
        opened.info.get("exif", b"") if form in {"avif", "webp"} else b""
    )  # Pillow has turned a TIFF already
    pixels, note = _channels(opened, opened.info.get("icc_profile", b""))
    if form == "gif":
        pixels = pillow.framed(pixels, *opened.dispose_extent)
    return Decoded(pixels, frames, exif, note=note)


# Color


def _channels(opened: PIL.Image.Image, icc: bytes = b"") -> Noted:
    """A loaded picture as 8-bit gray, RGB or RGBA, in sRGB."""
    if opened.mode in MEASUREMENTS:
        raise BadImage(
            "not_an_image",
            f"samples of Pillow's mode {opened.mode}: measurements, with no agreed black and white",
        )
    if opened.mode.startswith("I;16"):
        return _to_srgb(_eight_bits(np.asarray(opened)), icc)
    mode = "RGBA" if opened.has_transparency_data else MODES.get(opened.mode, "RGB")
    with foreign.decoder():
        to_srgb, note = _way(icc, mode)
        rows = max(1, LOADED // opened.width)
        if rows >= opened.height:
            return _converted(opened, mode, to_srgb), note
        strips = (_converted(strip, mode, to_srgb) for strip in _strips(opened, rows))
        return _stacked(strips, opened.height), note


def _strips(opened: PIL.Image.Image, rows: int) -> Iterator[PIL.Image.Image]:
    """A picture in strips of so many rows, from the top."""
    width, height = opened.size
    for top in range(0, height, rows):
        yield pillow.cropped(opened, (0, top, width, min(height, top + rows)))


def _stacked(strips: Iterator[Pixels], height: int) -> Pixels:
    """Strips below each other; one is held at a time."""
    first = next(strips)
    whole, end = np.empty((height, *first.shape[1:]), np.uint8), 0
    for strip in chain([first], strips):
        whole[end : end + len(strip)] = strip
        end += len(strip)
    return whole


def _converted(opened: PIL.Image.Image, mode: str, to_srgb: ImageCms.ImageCmsTransform | None) -> Pixels:
    simple = opened if opened.mode == mode else opened.convert(mode)
    if to_srgb:
        simple = ImageCms.applyTransform(simple, to_srgb) or simple
    return np.asarray(simple.convert("RGB") if simple.mode == "CMYK" else simple)


def _to_srgb(pixels: Pixels, icc: bytes) -> Noted:
    return _channels(PIL.Image.fromarray(pixels), icc) if icc else (pixels, "")


def _way(icc: bytes, mode: str) -> tuple[ImageCms.ImageCmsTransform | None, str]:
    if not icc:
        return None, ""
    if len(icc) > png.MAX_PROFILE:
        return None, UNFIT
    return (_transform if len(icc) <= KEPT_PROFILE else _transform.__wrapped__)(icc, mode)


@lru_cache(maxsize=32)
def _transform(icc: bytes, mode: str) -> tuple[ImageCms.ImageCmsTransform | None, str]:
    """The way from a profile to sRGB, and a note.

    No way where the profile is broken, not for these channels (both noted), or sRGB itself.
    """
    try:
        profile = ImageCms.ImageCmsProfile(io.BytesIO(icc))
        to_srgb = ImageCms.buildTransform(profile, SRGB, mode, mode if mode == "RGBA" else "RGB")
    except (ImageCms.PyCMSError, OSError, ValueError):
        return None, UNFIT
    if mode in {"RGB", "RGBA"} and not _moves_a_color(to_srgb, mode):
        return None, ""
    return to_srgb, ""


def _moves_a_color(to_srgb: ImageCms.ImageCmsTransform, mode: str) -> bool:
    """Whether any of 16³ colors leaves SRGB_TOLERANCE."""
    grid = np.stack(np.meshgrid(*[np.arange(0, 256, 17)] * 3, [255]), axis=-1)
    colors = PIL.Image.fromarray(grid.reshape(64, 64, 4).astype(np.uint8)[..., : len(mode)])
    moved = np.asarray(ImageCms.applyTransform(colors, to_srgb), np.int16) - np.asarray(colors, np.int16)
    return bool(np.abs(moved).max() > SRGB_TOLERANCE)


def _eight_bits(pixels: NDArray[Any]) -> Pixels:
    """The high bytes."""
    if pixels.dtype == np.uint8:
        return np.ascontiguousarray(pixels)
    little = pixels.astype(pixels.dtype.newbyteorder("<"), copy=False)
    return np.ascontiguousarray(little.view(np.uint8)[..., 1::2])
