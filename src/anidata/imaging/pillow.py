"""Pillow's plugins: one by name for each form, so that nothing is guessed and no helper program runs.

Pillow's own limit, PIL.Image.MAX_IMAGE_PIXELS, is the whole process's, so of whoever uses Pillow beside us.
It is neither
set here nor obeyed: ours is checked before a pixel is read. `PIL.Image.open`, which asks it, is not called,
and plugins that ask it themselves find nothing to ask about.
"""

import io
from collections.abc import Callable
from typing import Any

import numpy as np
import PIL.Image
from PIL import (
    AvifImagePlugin,
    BmpImagePlugin,
    GifImagePlugin,
    Jpeg2KImagePlugin,
    JpegImagePlugin,
    PngImagePlugin,
    TiffImagePlugin,
    WebPImagePlugin,
)

from anidata.errors import BadImage
from anidata.imaging import foreign
from anidata.imaging.fit import Pixels
from anidata.imaging.headers import check_size

WEBP_KIND = 16  # bytes of a WebP that say what it is; its size stands behind them
STRIPS, TILES = (273, 279), (324, 325)  # TIFF's tags: where pixels lie, and how many bytes of them


class _Gif(GifImagePlugin.GifImageFile):
    """The first frame alone is shown.

    Pillow would ask its limit about what is left when the frame is disposed of.
    """

    @property
    def disposal_method(self) -> int:
        return 0

    @disposal_method.setter
    def disposal_method(self, method: int) -> None: ...


class _Tiff(TiffImagePlugin.TiffImageFile):
    """Pillow asks its limit before it makes the picture; here it is made already."""

    def load_prepare(self) -> None:
        if self._im is None:
            self.im = PIL.Image.core.new(self.mode, self._tile_size)  # type: ignore[attr-defined]
        super().load_prepare()


class _WebpBytes(io.BytesIO):
    """A WebP whose beginning is read without its size, about which Pillow would ask its limit."""

    def read(self, size: int | None = -1, /) -> bytes:
        return super().read(WEBP_KIND if size and size > WEBP_KIND else size)


OPENERS: dict[str, Callable[[bytes], Any]] = {
    "jpeg": lambda data: JpegImagePlugin.JpegImageFile(io.BytesIO(data)),
    "png": lambda data: PngImagePlugin.PngImageFile(io.BytesIO(data)),
    "gif": lambda data: _Gif(io.BytesIO(data)),
    "webp": lambda data: WebPImagePlugin.WebPImageFile(_WebpBytes(data)),
    "bmp": lambda data: BmpImagePlugin.BmpImageFile(io.BytesIO(data)),
    "tiff": lambda data: _Tiff(io.BytesIO(data)),
    "avif": lambda data: AvifImagePlugin.AvifImageFile(io.BytesIO(data)),
    "jpeg2000": lambda data: Jpeg2KImagePlugin.Jpeg2KImageFile(io.BytesIO(data)),
}


def load(data: bytes, form: str, limit: int) -> PIL.Image.Image:
    """The first frame; its size is judged before its pixels are read.

    Raises: BadImage: of `foreign.decoder`, and `too_large` over `limit` pixels.
    """
    with foreign.decoder():
        opened: PIL.Image.Image = OPENERS[form](data)
        check_size(*opened.size, limit)
        if form == "tiff":
            _check_strips(opened, len(data))
        opened.load()
    return opened


def cropped(opened: PIL.Image.Image, box: tuple[int, int, int, int]) -> PIL.Image.Image:
    """A part of a loaded picture; Image.crop would ask Pillow's limit."""
    return opened._new(opened.im.crop(box))  # noqa: SLF001


def framed(pixels: Pixels, left: int, top: int, right: int, bottom: int) -> Pixels:
    """A GIF's frame on its canvas, transparent around it."""
    height, width = pixels.shape[:2]
    if (left, top, right, bottom) == (0, 0, width, height):
        return pixels
    box = np.s_[top:bottom, left:right]
    canvas = np.zeros((height, width, 4), np.uint8)
    canvas[box] = np.asarray(PIL.Image.fromarray(np.ascontiguousarray(pixels[box])).convert("RGBA"))
    return canvas


def _check_strips(opened: Any, size: int) -> None:
    for starts, lengths in (STRIPS, TILES):
        spans = zip(opened.tag_v2.get(starts, ()), opened.tag_v2.get(lengths, ()), strict=False)
        missing = max((start + length for start, length in spans), default=0) - size
        if missing > 0:
            raise BadImage("truncated", f"the TIFF lacks its last {missing:,} bytes")
