"""Bytes → pixels: every format, oriented, in sRGB, alpha on white, under bounds of size."""

import io
import re
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain
from typing import Any

import cv2
import numpy as np
import PIL.Image
import simplejpeg
from numpy.typing import NDArray
from PIL import (
    AvifImagePlugin,
    BmpImagePlugin,
    GifImagePlugin,
    ImageCms,
    Jpeg2KImagePlugin,
    JpegImagePlugin,
    PngImagePlugin,
    TiffImagePlugin,
    WebPImagePlugin,
)

from anidata.errors import BadImage
from anidata.imaging import headers, png
from anidata.imaging.image import Image, Pixels

VERSION = 2  # raised when the same bytes would decode to other pixels
SRGB_TOLERANCE = 2  # levels of 255: within it a profile is another writing of sRGB
JPEG_END = b"\xff\xd9"
UNFIT = "its color profile is broken, or not for its channels: ignored"
SRGB = ImageCms.createProfile("sRGB")
ENOUGH = (
    2  # times the side that is asked for: without it the worst picture was 5.3 levels off on average, not 2.1
)
STRIP = 1 << 18  # pixels put on white at once: what lies between stays in the cache
LOADED = (
    1 << 23
)  # pixels that Pillow converts at once: each conversion is a copy, and becoming an array takes two
PADDING = 16  # bytes: encoders that pad a JPEG's last scan add a few; a stream that lost its way leaves more
Noted = tuple[Pixels, str]

OPENERS: dict[str, Callable[[io.BytesIO], Any]] = {
    "jpeg": JpegImagePlugin.JpegImageFile,
    "png": PngImagePlugin.PngImageFile,
    "gif": GifImagePlugin.GifImageFile,
    "webp": WebPImagePlugin.WebPImageFile,
    "bmp": BmpImagePlugin.BmpImageFile,
    "tiff": TiffImagePlugin.TiffImageFile,
    "avif": AvifImagePlugin.AvifImageFile,
    "jpeg2000": Jpeg2KImagePlugin.Jpeg2KImageFile,
}
TURNS: dict[int, Callable[[Any], Any]] = {  # EXIF orientation → what undoes it
    2: lambda p: cv2.flip(p, 1),
    3: lambda p: cv2.rotate(p, cv2.ROTATE_180),
    4: lambda p: cv2.flip(p, 0),
    5: cv2.transpose,
    6: lambda p: cv2.rotate(p, cv2.ROTATE_90_CLOCKWISE),
    7: lambda p: cv2.rotate(cv2.transpose(p), cv2.ROTATE_180),
    8: lambda p: cv2.rotate(p, cv2.ROTATE_90_COUNTERCLOCKWISE),
}


@dataclass(frozen=True)
class Decoded:
    pixels: Pixels  # (h, w) gray, (h, w, 3) RGB or (h, w, 4) RGBA; in sRGB
    frames: int
    exif: bytes
    quality: int = 100
    note: str = ""


def decode(data: bytes, max_pixels: int, side: int = 0) -> Image:
    """The picture that a viewer shows.

    side: px of the long side that are enough to look at: a JPEG is then decoded at a half, a quarter or an eighth of its size, with at
    least twice that side, where it has so much. 0: every pixel. For measures and hashes: 0.
    Raises: BadImage: `empty`, `not_an_image`, `truncated`, `corrupt`, or `too_large` where the file announces more than `max_pixels`.
    """
    if not data:
        raise BadImage("empty", "the file has no bytes")
    form = headers.sniff(data)
    if form is None:
        raise BadImage("not_an_image", f"begins with {data[:8]!r}: none of {', '.join(OPENERS)}")
    decoded = (
        _png(data, max_pixels)
        if form == "png"
        else _jpeg(data, max_pixels, side)
        if form == "jpeg"
        else _other(data, form, max_pixels)
    )
    rgb, transparency = _on_white(decoded.pixels)
    turn = TURNS.get(_orientation(decoded.exif))
    return Image(
        np.ascontiguousarray(turn(rgb) if turn else rgb),
        form,
        decoded.frames,
        transparency,
        decoded.quality,
        decoded.note,
    )


def _png(data: bytes, limit: int) -> Decoded:
    read = png.read(data, limit)
    if read.interlaced and read.depth < 8:
        loaded, _ = _channels(_load(png.plain(read), "png", limit))
        pixels = png.keyed(loaded, read) if read.color == png.GRAY else loaded
    else:
        with _foreign():
            pixels = png.pixels(read)
    seen, note = _to_srgb(_eight_bits(pixels), read.icc)
    return Decoded(seen, read.frames, read.exif, note=note)


def _jpeg(data: bytes, limit: int, side: int) -> Decoded:
    head = headers.read_jpeg(data, limit)
    try:
        pixels, note = _turbo(data, head, side)
    except BadImage as error:
        if error.code == "too_large":
            raise
        pixels, note = _mended(data, head, error.message, limit)
    return Decoded(pixels, 1, head.exif, head.quality, note)


def _turbo(data: bytes, head: headers.Jpeg, side: int = 0) -> Noted:
    by = _reduction(max(head.width, head.height), side)
    least = {"min_height": -(-head.height // by), "min_width": -(-head.width // by)} if by > 1 else {}
    with _foreign():
        samples = simplejpeg.decode_jpeg(data, {1: "GRAY", 4: "CMYK"}.get(head.channels, "RGB"), **least)
    if head.channels != 4:
        return _to_srgb(samples[..., 0] if head.channels == 1 else samples, head.icc)
    if not head.icc:
        black = cv2.cvtColor(cv2.extractChannel(samples, 3), cv2.COLOR_GRAY2RGB)
        return np.asarray(
            cv2.multiply(cv2.cvtColor(samples, cv2.COLOR_RGBA2RGB), black, scale=1 / 255), np.uint8
        ), ""
    cv2.bitwise_not(samples, samples)  # inverted in the file, as Adobe began and all followed
    return _channels(
        PIL.Image.frombuffer("CMYK", samples.shape[1::-1], samples, "raw", "CMYK", 0, 1), head.icc
    )


def _reduction(long: int, side: int) -> int:
    """By how much a JPEG may be reduced: powers of two, for which libjpeg-turbo is fast, to ENOUGH times the side that is asked for.

    A thumbnail of 192 px takes 1/1.6 of the time from 1 megapixel, 1/2.2 from 4, and is 0.3 to 0.5 levels of 255 from that of the full
    picture on average, 2.1 in the worst of 20 (hard edges: a transform cut short isn't a mean); of 512 px 1/1.5, 1.0 and 2.6.
    Measured by benchmarks/compare_decoders.py --reduced --pictures 10.
    """
    return max((by for by in (1, 2, 4, 8) if side and long >= ENOUGH * side * by), default=1)


def _mended(data: bytes, head: headers.Jpeg, complaint: str, limit: int) -> Noted:
    """The pixels of a JPEG that libjpeg complains of, where the complaint costs none of them.

    Raises: BadImage: `truncated` or `corrupt`.
    """
    extra = re.search(r"(\d+) extraneous bytes", complaint)
    if (
        extra and int(extra[1]) <= PADDING
    ) or "subsampling" in complaint:  # a rare subsampling, that Pillow knows
        return _channels(_load(data, "jpeg", limit), head.icc)
    if "Premature end of JPEG file" not in complaint and head.ended:
        raise BadImage("corrupt", complaint)
    if not head.alone:
        raise BadImage("truncated", "the JPEG ends before its last scan")
    try:
        return _turbo(
            data + JPEG_END, head
        )  # with an end mark, libjpeg only complains where pixels are missing
    except BadImage as error:
        raise BadImage("truncated", "the JPEG ends before its picture does") from error


def _other(data: bytes, form: str, limit: int) -> Decoded:
    frames = 1
    if form == "gif":
        frames = headers.read_gif(data, limit)
    elif form == "webp":
        frames = headers.read_webp(data, limit)
    elif form == "tiff":
        frames, data = headers.read_tiff(data)
    elif form in ("avif", "jpeg2000"):
        headers.check_boxes(data)
    opened: Any = _load(data, form, limit)
    frames = opened.n_frames if form == "avif" else frames
    exif = (
        opened.info.get("exif", b"") if form in ("avif", "webp") else b""
    )  # Pillow has turned a TIFF already
    pixels, note = _channels(opened, opened.info.get("icc_profile", b""))
    return Decoded(
        _framed(pixels, *opened.dispose_extent) if form == "gif" else pixels, frames, exif, note=note
    )


def _framed(pixels: Pixels, left: int, top: int, right: int, bottom: int) -> Pixels:
    """A GIF's frame on its canvas, transparent around it."""
    height, width = pixels.shape[:2]
    if (left, top, right, bottom) == (0, 0, width, height):
        return pixels
    place = np.s_[top:bottom, left:right]
    canvas = np.zeros((height, width, 4), np.uint8)
    canvas[place] = np.asarray(PIL.Image.fromarray(np.ascontiguousarray(pixels[place])).convert("RGBA"))
    return canvas


def _load(data: bytes, form: str, limit: int) -> PIL.Image.Image:
    """The first frame, by Pillow; its size is judged before its pixels are read."""
    with _foreign():
        opened: PIL.Image.Image = OPENERS[form](io.BytesIO(data))
        headers.check_size(*opened.size, limit)
        if form == "tiff":
            _check_strips(opened, len(data))
        opened.load()
    return opened


def _check_strips(opened: Any, size: int) -> None:
    for places, lengths in ((273, 279), (324, 325)):  # strips, tiles
        ends = [
            place + length
            for place, length in zip(
                opened.tag_v2.get(places, ()), opened.tag_v2.get(lengths, ()), strict=False
            )
        ]
        if max(ends, default=0) > size:
            raise BadImage("truncated", f"the TIFF lacks its last {max(ends) - size:,} bytes")


def _channels(opened: PIL.Image.Image, icc: bytes = b"") -> Noted:
    """A loaded picture as 8-bit gray, RGB or RGBA, in sRGB."""
    if opened.mode in ("F", "I", "LAB"):
        raise BadImage(
            "not_an_image",
            f"samples of Pillow's mode {opened.mode}: measurements, with no agreed black and white",
        )
    if opened.mode.startswith("I;16"):
        return _to_srgb(_eight_bits(np.asarray(opened)), icc)
    mode = (
        "RGBA"
        if opened.has_transparency_data
        else {"1": "L", "L": "L", "CMYK": "CMYK"}.get(opened.mode, "RGB")
    )
    with _foreign():
        to_srgb, note = _transform(icc, mode) if icc else (None, "")
        width, height, rows = *opened.size, max(1, LOADED // opened.width)
        if rows >= height:
            return _converted(opened, mode, to_srgb), note
        strips = (
            _converted(opened.crop((0, top, width, min(height, top + rows))), mode, to_srgb)
            for top in range(0, height, rows)
        )
        first = next(strips)
        whole, end = np.empty((height, *first.shape[1:]), np.uint8), 0
        for strip in chain([first], strips):
            whole[end : end + len(strip)], end = strip, end + len(strip)
        return whole, note


def _converted(opened: PIL.Image.Image, mode: str, to_srgb: ImageCms.ImageCmsTransform | None) -> Pixels:
    simple = opened if opened.mode == mode else opened.convert(mode)
    if to_srgb:
        simple = ImageCms.applyTransform(simple, to_srgb) or simple
    return np.asarray(simple.convert("RGB") if simple.mode == "CMYK" else simple)


def _to_srgb(pixels: Pixels, icc: bytes) -> Noted:
    return _channels(PIL.Image.fromarray(pixels), icc) if icc else (pixels, "")


@lru_cache(maxsize=32)
def _transform(icc: bytes, mode: str) -> tuple[ImageCms.ImageCmsTransform | None, str]:
    """The way from a profile to sRGB, and a note; no way where the profile is broken, not for these channels (both noted), or sRGB itself."""
    try:
        profile = ImageCms.ImageCmsProfile(io.BytesIO(icc))
        to_srgb = ImageCms.buildTransform(profile, SRGB, mode, mode if mode == "RGBA" else "RGB")
    except (ImageCms.PyCMSError, OSError, ValueError):
        return None, UNFIT
    if mode not in ("RGB", "RGBA"):
        return to_srgb, ""
    grid = (
        np.stack(np.meshgrid(*[np.arange(0, 256, 17)] * 3, [255]), axis=-1)
        .reshape(64, 64, 4)
        .astype(np.uint8)
    )
    colors = PIL.Image.fromarray(grid[..., : len(mode)])
    moved = np.asarray(ImageCms.applyTransform(colors, to_srgb), np.int16) - np.asarray(colors, np.int16)
    return (to_srgb if np.abs(moved).max() > SRGB_TOLERANCE else None), ""


def _eight_bits(pixels: NDArray[Any]) -> Pixels:
    """The high bytes."""
    high = (
        pixels.astype(pixels.dtype.newbyteorder("<"), copy=False).view(np.uint8)[..., 1::2]
        if pixels.dtype != np.uint8
        else pixels
    )
    return np.ascontiguousarray(high)


def _on_white(pixels: Pixels) -> tuple[Pixels, float]:
    """RGB on white paper, and the mean transparency."""
    if pixels.ndim == 2:
        return np.asarray(cv2.cvtColor(pixels, cv2.COLOR_GRAY2RGB), np.uint8), 0.0
    if pixels.shape[2] == 3:
        return pixels, 0.0
    height, width = pixels.shape[:2]
    rgb, opacity, rows = np.empty((height, width, 3), np.uint8), 0.0, max(1, STRIP // width)
    for top in range(0, height, rows):
        opacity += _strip_on_white(pixels[top : top + rows], rgb[top : top + rows])
    return rgb, 1 - opacity / (255 * height * width)


def _strip_on_white(pixels: Pixels, rgb: Pixels) -> float:
    """Put RGBA rows on white, into `rgb`; the sum of their alpha."""
    alpha = cv2.extractChannel(pixels, 3)
    opacity = cv2.sumElems(alpha)[0]
    cv2.cvtColor(pixels, cv2.COLOR_RGBA2RGB, rgb)
    if opacity < 255 * alpha.size:
        cv2.bitwise_not(rgb, rgb)  # the distance from white, which alpha scales
        cv2.multiply(rgb, cv2.cvtColor(alpha, cv2.COLOR_GRAY2RGB), rgb, scale=1 / 255)
        cv2.bitwise_not(rgb, rgb)
    return float(opacity)


def _orientation(exif: bytes) -> int:
    """1 to 8; 1 where there is none, or it can't be read."""
    if not exif:
        return 1
    tags = PIL.Image.Exif()
    try:
        with _foreign():
            tags.load(exif)
            value = tags.get(0x0112, 1)
    except BadImage:
        return 1
    return value if isinstance(value, int) else 1


@contextmanager
def _foreign() -> Iterator[None]:
    """Around a decoder: on hostile bytes it may raise anything, which becomes BadImage; its warnings and own limits are out of force."""
    limit = PIL.Image.MAX_IMAGE_PIXELS
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            PIL.Image.MAX_IMAGE_PIXELS = None  # the size is judged here
            yield
    except BadImage:
        raise
    except MemoryError as error:
        raise BadImage("too_large", "its pixels don't fit in memory") from error
    except Exception as error:  # struct.error, SyntaxError, KeyError, OverflowError … each from some plugin
        text = str(error) or type(error).__name__
        raise BadImage(
            "truncated" if "truncated" in text.lower() or isinstance(error, EOFError) else "corrupt", text
        ) from error
    finally:
        PIL.Image.MAX_IMAGE_PIXELS = limit
