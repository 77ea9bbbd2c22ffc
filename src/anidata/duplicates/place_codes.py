"""Codes of a picture's places: what a crop, a panel or a picture drawn on still shows of the whole.

A place is a square around a blob; its code the signs of its lowest frequencies. Parts of pictures that
show the same have places with nearly the same codes, at places and of sizes that agree (place_agreement.py).
"""

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from anidata.duplicates.place_points import OVERHANG, Points, points
from anidata.imaging import fit
from anidata.imaging.image import Image

VERSION = 1
# x, y: of the center, in 1 / 65535 of the picture's long side, from the left and the top; size: `size_of`.
PLACE = np.dtype([("x", "<u2"), ("y", "<u2"), ("size", "u1"), ("code", "<u8")])
LONG = 256  # px: the long side at which places are looked for
ALONG = 65535  # units of a long side
STEPS, LEAST = 16, 2.0**-8  # sizes an octave, and the half side of size 0, in long sides
CELLS = 16  # of a place, each way
LOW = 8  # frequencies each way
SUBPIXELS = 16
COSINE = 1024  # units of the transform: whole numbers, so that its sums are exact
FLAT = 2.0  # grey levels: root mean square of a place's low frequencies, at least

Gray = NDArray[np.uint8]


def codes(picture: Image) -> NDArray[np.void]:
    """The places of a picture: (n,) PLACE, at most 76, in the order of their fields."""
    return codes_of(fit.at_most(picture.raster_gray, LONG))


def codes_of(gray: Gray) -> NDArray[np.void]:
    """The same of its luma, (h, w), with a long side of at most LONG."""
    seen = points(gray)
    cells, area = _cells(gray, seen)
    low = _low(cells)
    loud = np.square(low).sum(axis=1) >= np.square(area * FLAT * COSINE**2 * CELLS**2 / 2)
    places = np.zeros(len(seen.x), PLACE)
    long = max(gray.shape)
    places["x"], places["y"] = np.rint(seen.x / long * ALONG), np.rint(seen.y / long * ALONG)
    places["size"] = sizes_of(seen.half / long)
    places["code"] = np.packbits(low > 0, axis=1).view(">u8")[:, 0]
    places = places[loud]
    return np.asarray(places[np.lexsort((places["code"], places["y"], places["x"], places["size"]))])


def sizes_of(half: NDArray[np.float64]) -> NDArray[np.uint8]:
    """Half sides, in long sides, as sizes: a sixteenth of an octave each."""
    return np.clip(np.rint(STEPS * np.log2(np.maximum(half, LEAST) / LEAST)), 0, 255).astype(np.uint8)


def halves_of(sizes: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Sizes as half sides, in long sides."""
    return np.asarray(LEAST * 2 ** (sizes.astype(np.float64) / STEPS))


def _cells(gray: Gray, seen: Points) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(n, 16, 16): the sums of the luma over the cells of places, and (n,) the area of a cell in the same units.

    From sums over all that is above and left, between which borders within a pixel lie linearly: exact.
    """
    rim = math.ceil(OVERHANG * float(seen.half.max(initial=0))) + 1
    table = _summed(cv2.copyMakeBorder(gray, rim, rim, rim, rim, cv2.BORDER_REFLECT))
    rows, y = _borders(seen.y + rim, seen.half)
    columns, x = _borders(seen.x + rim, seen.half)
    step = table.shape[1]
    at = (rows * step)[:, :, None] + columns[:, None, :]
    flat, x, y = table.ravel(), x[:, None, :], y[:, :, None]
    upper = flat[at] * (SUBPIXELS - x) + flat[at + 1] * x
    lower = flat[at + step] * (SUBPIXELS - x) + flat[at + step + 1] * x
    sums = upper * (SUBPIXELS - y) + lower * y
    cells = np.diff(np.diff(sums, axis=1), axis=2)
    return cells.astype(np.float64), np.square(2 * seen.half / CELLS * SUBPIXELS)


def _summed(gray: Gray) -> NDArray[np.int64]:
    """(h + 2, w + 2): the sum of all pixels above and left; the last row and column are there to be read."""
    sums = cv2.copyMakeBorder(cv2.integral(gray), 0, 1, 0, 1, cv2.BORDER_REPLICATE)
    return np.asarray(sums, np.int64)


def _borders(
    center: NDArray[np.float64], half: NDArray[np.float64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """(n, 17): the pixels in which cells begin and end, and how many SUBPIXELS within."""
    share = np.arange(CELLS + 1) / (CELLS / 2) - 1
    at = np.rint((center[:, None] + half[:, None] * share) * SUBPIXELS).astype(np.int64)
    pixels, within = np.divmod(at, SUBPIXELS)
    return pixels, within


_BASIS = np.rint(COSINE * np.cos(np.pi * np.arange(LOW)[:, None] * (np.arange(CELLS) + 0.5) / CELLS))


def _low(cells: NDArray[np.float64]) -> NDArray[np.float64]:
    """(n, 64): the lowest frequencies of places; the first, their brightness, is 0.

    Sums of whole numbers below 2^53: exact, in whatever order they are added.
    """
    low = (_BASIS @ cells @ _BASIS.T).reshape(-1, LOW * LOW)
    low[:, 0] = 0
    return np.asarray(low)
