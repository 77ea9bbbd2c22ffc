"""Pixels → bytes of the files of a pair."""

import io
from typing import Any, Literal

import cv2
import numpy as np
import PIL.Image
import simplejpeg

from anidata.imaging.fit import Pixels

Form = Literal["jpeg", "webp", "png"]


def encode_color(rgb: Pixels, form: Form, quality: int) -> bytes:
    """A color picture's file: JPEG of `quality` (1 to 100) with full chroma, WebP or PNG without loss."""
    if form == "jpeg":
        return bytes(simplejpeg.encode_jpeg(np.ascontiguousarray(rgb), quality, "RGB", "444", fastdct=False))
    if form == "png":
        return encode_png(rgb)
    file = io.BytesIO()
    PIL.Image.fromarray(rgb).save(file, "WEBP", lossless=True, quality=0, method=0)
    return file.getvalue()


def encode_line(line: Pixels) -> bytes:
    """A line's file: PNG, 8-bit gray.

    Unfiltered runs are the smallest form of flat paper, and the quickest.
    """
    return _png(line, cv2.IMWRITE_PNG_FILTER_NONE)


def encode_png(pixels: Pixels) -> bytes:
    """PNG of an RGB or gray picture.

    Differences to the row above: as small as a search for the best filter, in half its time or less.
    """
    return _png(pixels, cv2.IMWRITE_PNG_FILTER_UP)


def _png(pixels: Pixels, row_filter: int) -> bytes:
    options = {
        cv2.IMWRITE_PNG_COMPRESSION: 1,
        cv2.IMWRITE_PNG_STRATEGY: cv2.IMWRITE_PNG_STRATEGY_RLE,
        cv2.IMWRITE_PNG_FILTER: row_filter,
    }
    ordered = pixels if pixels.ndim == 2 else cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR)
    data: Any = cv2.imencode(".png", ordered, [n for option in options.items() for n in option])[1]
    return bytes(data)
