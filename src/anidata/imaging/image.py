"""The one decoder: bytes → sRGB uint8 as seen: the first frame, turned as EXIF says, in sRGB, alpha on white.

Who decodes, by what was fastest among those that fail on a damaged file: PNG by kornia-rs,
JPEG by libjpeg-turbo (simplejpeg, where a warning is an error), all else by Pillow,
one plugin by name for each form: never a guess, never a helper program. Pillow's time over ours,
1 megapixel of art (benchmarks/compare_decoders.py): JPEG 1.4 to 1.9 (progressive 1.1, gray 1.3, CMYK 1.3),
PNG 2.3 (gray 2.0, 16 bits 1.7, palette 1.05); every pixel is Pillow's. OpenCV takes WebP in 0.6 to 0.7
of Pillow's time, but of 15,000 damaged WebPs it shows 178 that Pillow refuses, and 17 otherwise,
from bytes behind the file's end: so Pillow keeps them. BMP in 0.3 to 0.7: a millisecond, of a rare form.

- 16-bit channels keep their high byte (>> 8), as Pillow has it.
- Alpha a over white: 255 − round((255 − c)·a / 255), exact: no half arises.
  Color under alpha 0 is never seen.
- A color profile is applied where it is sound, fits the picture's channels, and moves a color by more than
  SRGB_TOLERANCE; one that is broken or doesn't fit is noted.
- What a GIF's first frame leaves bare of its canvas is transparent, as in browsers,
  whatever the file calls its background.
- EXIF alone turns a picture; an orientation in XMP doesn't, as in browsers.
- A truncated or damaged picture is never half shown: it raises.
"""

import logging
from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np
from numpy.typing import NDArray

from anidata.imaging.fit import halved

WINDOW = 512  # px: the side of the central window that fine measures look at, never resized
BLOCK = 8  # px: the window begins on a JPEG's block border, so that blocks fall alike in every picture
# px: longest side of the small picture that coarse measures look at; over half of that where the picture is
RASTER = 512

Pixels = NDArray[np.uint8]
# A library's remarks about one file are not for the user's terminal
logging.getLogger("PIL").addHandler(logging.NullHandler())


@dataclass(frozen=True, kw_only=True)
class Image:
    """A picture as seen, and what its file tells about it."""

    rgb: Pixels  # (h, w, 3), sRGB
    format: str  # jpeg png gif webp bmp tiff avif jpeg2000: by content
    frames: int  # 1 unless animated or of several pages
    transparency: float  # mean of 1 − alpha / 255; 0 for an opaque picture
    quality: int = 100  # of a JPEG file, by its tables; 100 for all else
    note: str = ""  # what of the file was passed over

    @cached_property
    def gray(self) -> Pixels:
        """Luma, (h, w)."""
        return np.asarray(cv2.cvtColor(self.rgb, cv2.COLOR_RGB2GRAY), np.uint8)

    @cached_property
    def window(self) -> Pixels:
        """Luma of the central window at full resolution, at most WINDOW px a side."""
        top, left = (max(0, side - WINDOW) // 2 // BLOCK * BLOCK for side in self.rgb.shape[:2])
        window = self.rgb[top : top + WINDOW, left : left + WINDOW]
        return np.asarray(cv2.cvtColor(window, cv2.COLOR_RGB2GRAY), np.uint8)

    @cached_property
    def raster(self) -> Pixels:
        """The picture halved, by exact 2 × 2 means, until its long side is at most RASTER px."""
        rgb = self.rgb
        while max(rgb.shape[:2]) > RASTER:
            rgb = halved(rgb)
        return rgb

    @cached_property
    def raster_gray(self) -> Pixels:
        """Luma of the raster."""
        return np.asarray(cv2.cvtColor(self.raster, cv2.COLOR_RGB2GRAY), np.uint8)

    @cached_property
    def raster_ends(self) -> tuple[Pixels, Pixels]:
        """The darkest and the lightest channel of each pixel of the raster.

        Ink and color are dark in the first, color alone lies between.
        """
        red, green, blue = cv2.split(self.raster)
        low, high = cv2.min(cv2.min(red, green), blue), cv2.max(cv2.max(red, green), blue)
        return np.asarray(low, np.uint8), np.asarray(high, np.uint8)

    @cached_property
    def raster_tones(self) -> NDArray[np.float32]:
        """`tones` of the raster's luma."""
        return tones(self.raster_gray)

    @cached_property
    def window_tones(self) -> NDArray[np.float32]:
        """`tones` of the window."""
        return tones(self.window)


def tones(channel: Pixels) -> NDArray[np.float32]:
    """How many pixels there are of each level, (256,), among some 2^16, evenly spread.

    Flat art makes a histogram wait for itself, 1.6 ns a pixel.
    """
    step = max(1, channel.size >> 16)
    # A plain row: calcHist takes a strided view of one channel for a copy of all of them
    counts = cv2.calcHist([np.ascontiguousarray(channel.ravel()[::step])], [0], None, [256], [0, 256])
    return np.asarray(counts, np.float32).ravel()
