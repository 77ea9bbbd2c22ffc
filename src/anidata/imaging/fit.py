"""Resize, and fit to a page. Images are uint8, (h, w, 3) RGB or (h, w) gray.

The same on every machine: integer arithmetic throughout.
`area` halves by exact 2 × 2 means while that leaves enough, then takes a bilinear step to twice the size and
halves once more: a third to two thirds of the time of OpenCV's INTER_AREA, 0.1 to 0.4 levels of 255 from
it on art, up to 1.5 (softer) where the last step is slight or a side odd, and no line is lost between two
pixels. The other filters are Pillow's, that widen with the reduction.
"""

import math
from functools import cache
from typing import Any, Literal

import cv2
import numpy as np
import PIL.Image
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]
Fit = Literal["pad", "crop", "bucket"]
Filter = Literal["area", "bilinear", "bicubic", "lanczos"]
Anchor = Literal["center", "ink"]

WHITE = 255
PLAIN = 12  # grey levels
BUCKET_STEP = 64  # px: what latent models ask of both sides
RESAMPLING = {
    "area": PIL.Image.Resampling.BICUBIC,  # of enlargements: there is no area to average
    "bilinear": PIL.Image.Resampling.BILINEAR,
    "bicubic": PIL.Image.Resampling.BICUBIC,
    "lanczos": PIL.Image.Resampling.LANCZOS,
}


def fit(
    rgb: Pixels,
    size: int,
    how: Fit,
    filter: Filter,  # noqa: A002 the recipe's own word
    at: float = 0.5,
) -> Pixels:
    """Bring a picture, or a line of it, to a page; small ones are enlarged.

    pad: long side = size, centered on a white square. crop: short side = size, the rest cut off.
    bucket: the page of about size² px whose shape is nearest, covered, the rest cut off.
    at: share of what is cut off that is cut above or left of the page; 0.5: as much as below or right.
    """
    return laid(resize(rgb, *scaled(rgb.shape, size, how), filter), page_of(rgb.shape, size, how), how, at)


def scaled(shape: tuple[int, ...], size: int, how: Fit) -> tuple[int, int]:
    """Width and height that a picture of this shape has on its page, before it is cut."""
    height, width = shape[:2]
    page = page_of(shape, size, how)
    ratios = page[0] / width, page[1] / height
    scale = min(ratios) if how == "pad" else max(ratios)
    limit = min if how == "pad" else max  # rounding may neither leave the page nor fail to cover it
    wide, high = (
        max(1, limit(most, round(side * scale))) for most, side in zip(page, (width, height), strict=True)
    )
    return wide, high


def laid(scaled: Pixels, page: tuple[int, int], how: Fit, at: float = 0.5) -> Pixels:
    """A picture so scaled, on its page: padded, or cut as `fit` says."""
    return _pad(scaled, *page) if how == "pad" else _crop(scaled, *page, at)


def page_of(shape: tuple[int, ...], size: int, how: Fit) -> tuple[int, int]:
    """Width and height of the page that a picture of this shape gets."""
    if how != "bucket":
        return size, size
    pages = buckets(size)
    return pages[_nearest(pages, shape[1] / shape[0])]


def richest(weight: NDArray[np.generic], page: tuple[int, int]) -> float:
    """`at` of `fit`: where to cut a picture to the page's shape so that most of the weight (h, w) stays.

    The most central of equals.
    """
    height, width = weight.shape
    across = width * page[1] > height * page[0]  # wider than the page: columns are cut
    along = np.asarray(weight.sum(axis=0 if across else 1), np.float64)
    kept = round(height * page[0] / page[1]) if across else round(width * page[1] / page[0])
    free = len(along) - kept
    if free <= 0:
        return 0.5
    sums = np.concatenate([[0.0], np.cumsum(along)])
    held = sums[kept:] - sums[: free + 1]
    best = np.flatnonzero(held == held.max())
    return float(best[np.argmin(np.abs(best - free / 2))] / free)


def inner_box(shape: tuple[int, ...], size: int, how: Fit) -> tuple[slice, slice]:
    """Rows and columns of `fit`'s page on which a picture of this shape lies: all of them but for pad."""
    if how != "pad":
        return slice(None), slice(None)
    height, width = (max(1, min(size, round(side * size / max(shape[:2])))) for side in shape[:2])
    top, left = (size - height) // 2, (size - width) // 2
    return slice(top, top + height), slice(left, left + width)


@cache
def buckets(size: int) -> tuple[tuple[int, int], ...]:
    """Pages (width, height) of at most size² px with sides of size / 2 to size · 2 in steps of 64 px, sorted.

    Source: the multi-aspect buckets of NovelAI 2022, as kohya's trainers lay them out
    """
    least = max(BUCKET_STEP, math.ceil(size / 2 / BUCKET_STEP) * BUCKET_STEP)
    square = max(BUCKET_STEP, size // BUCKET_STEP * BUCKET_STEP)
    pages = {(square, square)}
    for width in range(least, 2 * size + 1, BUCKET_STEP):
        height = min(2 * size, size * size // width) // BUCKET_STEP * BUCKET_STEP
        if height >= least:
            pages |= {(width, height), (height, width)}
    return tuple(sorted(pages))


def resize(
    rgb: Pixels,
    width: int,
    height: int,
    filter: Filter,  # noqa: A002 the recipe's own word
) -> Pixels:
    """A picture at another size."""
    if rgb.shape[:2] == (height, width):
        return rgb
    if filter == "area" and rgb.shape[0] >= height and rgb.shape[1] >= width:
        return shrink(rgb, width, height)
    return np.asarray(PIL.Image.fromarray(rgb).resize((width, height), RESAMPLING[filter]))


def at_most(picture: Pixels, size: int) -> Pixels:
    """A picture by area, with the long side of at most `size` px."""
    height, width = picture.shape[:2]
    scale = min(1.0, size / max(height, width))
    return resize(picture, max(1, round(width * scale)), max(1, round(height * scale)), "area")


def shrink(rgb: Pixels, width: int, height: int) -> Pixels:
    """A smaller picture, by area."""
    while rgb.shape[1] >= 2 * width and rgb.shape[0] >= 2 * height:
        rgb = halved(rgb)
    if rgb.shape[:2] == (height, width):
        return rgb
    double = cv2.resize(rgb, (2 * width, 2 * height), interpolation=cv2.INTER_LINEAR_EXACT)
    return halved(np.asarray(double, np.uint8))


def halved(rgb: Pixels) -> Pixels:
    """Half the size, at least one pixel; an odd last row or column falls off."""
    height, width = (max(1, side // 2) for side in rgb.shape[:2])
    even = rgb[: 2 * height, : 2 * width]
    return np.asarray(cv2.resize(even, (width, height), interpolation=cv2.INTER_AREA), np.uint8)


def plain_rows(rows: NDArray[Any]) -> int:
    """How many rows of one channel, from the first, stay within PLAIN of the first one's middle level.

    Those are a border's, ringing included.
    """
    middle = np.median(rows[0])
    outside = (rows.max(axis=1) > middle + PLAIN) | (rows.min(axis=1) < middle - PLAIN)
    return int(outside.argmax()) if outside.any() else len(rows)


def _nearest(pages: tuple[tuple[int, int], ...], shape: float) -> int:
    return min(range(len(pages)), key=lambda n: abs(pages[n][0] / pages[n][1] - shape))


def _pad(rgb: Pixels, width: int, height: int) -> Pixels:
    page = np.full((height, width, *rgb.shape[2:]), WHITE, np.uint8)
    y, x = (height - rgb.shape[0]) // 2, (width - rgb.shape[1]) // 2
    page[y : y + rgb.shape[0], x : x + rgb.shape[1]] = rgb
    return page


def _crop(rgb: Pixels, width: int, height: int, at: float) -> Pixels:
    y, x = (math.floor(at * (side - kept)) for side, kept in zip(rgb.shape[:2], (height, width), strict=True))
    return np.ascontiguousarray(rgb[y : y + height, x : x + width])
