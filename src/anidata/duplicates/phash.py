"""Codes of a picture: the 64-bit phash as ImageHash has it, its mirrored twin, coarse colors, a digest.

The phash comes from 32 × 32 gray levels of the whole picture. Any other gray or reduction changes bits, so
gray and rows are Pillow's own; the columns, where Pillow spends its time, are Pillow's fixed-point sums done
as matrix products, equal to the last bit.
"""

import hashlib
from dataclasses import dataclass, field
from functools import cache, lru_cache
from itertools import pairwise

import cv2
import numpy as np
import xxhash
from numpy.typing import NDArray
from PIL import Image

VERSION = 2
SIDE = 32  # gray levels that phash looks at, a side
LOW = 8  # frequencies that it keeps, a side
GRID = 4  # cells of the color signature, a side
LOBES = 3  # of the Lanczos window
UNIT = 1 << 22  # Pillow's weights for 8 bits are whole multiples of 1 / UNIT
STRIP = 1 << 18  # pixels at once: what lies between is 2 MB of float64, whatever the picture's size
BAND = 8  # columns of one matrix product: their windows overlap
# DCT units: 3 standard deviations of what rounding to whole
# gray levels adds, 4 · sqrt(32² / 4) / sqrt(12) = 18.5
NOISE = 55.0
MIN_FIRM = 16  # bits, of 64, that must stand clear of NOISE

Gray = NDArray[np.uint8]  # (h, w)
Bands = tuple[tuple[slice, slice, NDArray[np.float64]], ...]  # pixels, columns, weights


@dataclass(frozen=True, kw_only=True)
class Codes:
    """Codes of a picture: to find it again by."""

    phash: int  # uint64, equal to int(str(imagehash.phash(picture)), 16)
    phash_flip: int  # the same of the mirrored picture
    colors: bytes  # (4, 4, 3) uint8, row by row: mean L*a*b* of each cell, as OpenCV scales it
    pixels: bytes  # 16 bytes: equal exactly where shape and pixels are
    degenerate: bool  # most phash bits are rounding noise (flat pictures, plain gradients): not for joins
    luma: Gray = field(compare=False)  # what the phash was computed from


def codes(rgb: NDArray[np.uint8]) -> Codes:
    """All codes of a picture as seen: uint8 (h, w, 3), sRGB, upright, alpha on white."""
    small = luma(rgb)
    low, colors = _low(small), _colors(rgb)
    return Codes(
        phash=_sign_bits(low),
        phash_flip=_sign_bits(_low(small[:, ::-1])),
        colors=colors,
        pixels=_digest(rgb, small, colors),
        degenerate=not are_firm(low[None])[0],
        luma=small,
    )


def alone(rgb: NDArray[np.uint8]) -> int:
    """The phash without the other codes."""
    return _sign_bits(_low(luma(rgb)))


def warm() -> None:
    """Import what is imported late."""
    import scipy.fftpack  # noqa: F401, PLC0415


def hex_of(code: int) -> str:
    """16 hex digits, as ImageHash prints a phash."""
    return f"{code:016x}"


def distance(a: int, b: int) -> int:
    """Bits of 64 in which two codes differ."""
    return (a ^ b).bit_count()


def luma(rgb: NDArray[np.uint8]) -> Gray:
    """uint8 (32, 32): equal to Pillow's convert("L").resize((32, 32), LANCZOS) of the whole picture."""
    height, width = rgb.shape[:2]
    is_tall = height - SIDE > 2 * (width - SIDE)  # Pillow from 13 on does the rows of these first
    if is_tall or not _sums_as_pillow():
        return _resized(_gray(rgb))
    return _summed(rgb)


def _gray(rgb: NDArray[np.uint8]) -> Image.Image:
    # Four bytes a pixel is how Pillow stores RGB: it can look at them in place.
    padded = cv2.cvtColor(rgb, cv2.COLOR_RGB2RGBA)
    height, width = padded.shape[:2]
    return Image.frombuffer("RGBX", (width, height), padded, "raw", "RGBX", 0, 1).convert("L")


def _resized(gray: Image.Image) -> Gray:
    return np.asarray(gray.resize((SIDE, SIDE), Image.Resampling.LANCZOS))


def _summed(rgb: NDArray[np.uint8]) -> Gray:
    """uint8 (32, 32): columns first, by our sums, then rows, by Pillow."""
    height, width = rgb.shape[:2]
    bands, rows = _bands(width), max(1, STRIP // width)
    strips = (np.asarray(_gray(rgb[top : top + rows])) for top in range(0, height, rows))
    return _resized(Image.fromarray(np.concatenate([_narrowed(strip, bands) for strip in strips])))


@cache
def _sums_as_pillow() -> bool:
    """Whether the installed Pillow still sums as `_summed` does: asked once.

    So another Pillow costs time, and no bits.
    """
    shapes = ((40, 97), (95, 64), (300, 200))  # rows and columns: wide, almost too tall, a portrait
    pictures = [np.random.default_rng(0).integers(0, 256, (*shape, 3), np.uint8) for shape in shapes]
    return all(np.array_equal(_summed(rgb), _resized(_gray(rgb))) for rgb in pictures)


def _narrowed(gray: Gray, bands: Bands) -> Gray:
    """uint8 (h, 32): the first pass of Pillow's resize, whose int32 sums are exact in float64."""
    wide, sums = gray.astype(np.float64), np.empty((len(gray), SIDE))
    for pixels, columns, weights in bands:
        np.matmul(wide[:, pixels], weights, out=sums[:, columns])
    return np.clip(np.floor(sums / UNIT + 0.5), 0, 255).astype(np.uint8)


@lru_cache(maxsize=64)
def _bands(width: int) -> Bands:
    """Weights from a row's pixels to its 32 columns, in whole UNITs as Pillow rounds, in bands of columns."""
    spread = max(width / SIDE, 1.0)
    centers = (np.arange(SIDE) + 0.5) * width / SIDE
    # The pixels that a column looks at.
    start = np.maximum(centers - LOBES * spread + 0.5, 0).astype(np.int64)
    stop = np.minimum(centers + LOBES * spread + 0.5, width).astype(np.int64)
    pixels = start + np.arange((stop - start).max())[:, None]
    x = (pixels - centers + 0.5) / spread
    weights = np.where((pixels < stop) & (np.abs(x) < LOBES), np.sinc(x) * np.sinc(x / LOBES), 0.0)
    weights *= UNIT / weights.sum(axis=0)
    matrix = np.zeros((width + len(pixels), SIDE))  # room for what runs over the edge: zeros
    matrix[pixels, np.arange(SIDE)] = np.trunc(weights + np.copysign(0.5, weights))
    cuts = [(slice(start[i], stop[i + BAND - 1]), slice(i, i + BAND)) for i in range(0, SIDE, BAND)]
    return tuple((used, columns, np.ascontiguousarray(matrix[used, columns])) for used, columns in cuts)


def _low(small: Gray) -> NDArray[np.float64]:
    """float64 (8, 8): lowest frequencies, by ImageHash's own calls, so that even rounding noise agrees."""
    from scipy.fftpack import dct  # noqa: PLC0415  .25 s, which only workers need to spend

    return np.asarray(dct(dct(np.ascontiguousarray(small), axis=0), axis=1)[:LOW, :LOW])


def _sign_bits(low: NDArray[np.float64]) -> int:
    return int.from_bytes(np.packbits(low > np.median(low)).tobytes(), "big")


def are_firm(low: NDArray[np.float64]) -> NDArray[np.bool_]:
    """(n,): whether enough bits of a code from these frequencies, (n, 8, 8), are more than rounding noise."""
    middle = np.median(low, axis=(1, 2), keepdims=True)
    return np.asarray(np.count_nonzero(np.abs(low - middle) > NOISE, axis=(1, 2)) >= MIN_FIRM)


def _colors(rgb: NDArray[np.uint8]) -> bytes:
    (height, width), means = rgb.shape[:2], np.empty((GRID, GRID, 3), np.uint8)
    across = _cuts(width)
    for row, rows in enumerate(_cuts(height)):
        # (w, 3): exact below 8 million rows
        sums = cv2.reduce(rgb[rows], 0, cv2.REDUCE_SUM, dtype=cv2.CV_32S)[0]
        for column, columns in enumerate(across):
            count = (rows.stop - rows.start) * (columns.stop - columns.start)
            means[row, column] = (sums[columns].sum(axis=0, dtype=np.int64) + count // 2) // count
    return bytes(cv2.cvtColor(means, cv2.COLOR_RGB2LAB))


def _cuts(length: int) -> list[slice]:
    """Quarters of a side; below four pixels they overlap."""
    starts = [i * length // GRID for i in range(GRID + 1)]
    return [slice(start, max(stop, start + 1)) for start, stop in pairwise(starts)]


def _digest(rgb: NDArray[np.uint8], small: Gray, colors: bytes) -> bytes:
    """16 bytes: the SHA-256 of shape, XXH3 of the pixels, luma and colors.

    XXH3 reads a picture eight times faster than SHA-256. It can be forged, but not for two pictures that
    don't look
    alike: see `small`.
    """
    shape = f"{rgb.shape[0]}x{rgb.shape[1]}:".encode()
    pixels = xxhash.xxh3_128_digest(np.ascontiguousarray(rgb).data)
    return hashlib.sha256(shape + pixels + np.ascontiguousarray(small).tobytes() + colors).digest()[:16]
