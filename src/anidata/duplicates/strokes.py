"""Lines of letters: rows of strokes of like height, lighter or darker than what is around them.

Strokes are what an opening takes off, so neither color nor ground matters much, and an outline's letters are
seen as its filling. Every line comes as a strip: its strokes in white on black, brought to one height.
"""

from collections.abc import Iterator
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from anidata.duplicates import pairs
from anidata.duplicates.alignment import Pixels

HEIGHT = 24  # px of a strip
RIM = 0.1  # of a line's height, above and below it
WIDEST = 400  # px of a strip: of a longer line, the middle
MOST = 1_500_000  # px of a picture: a larger one is made smaller by a whole factor
STROKE = 9  # px: wider is no stroke; at half the size, letters twice as large are seen
SQUARE = np.ones((STROKE, STROKE), np.uint8)
FAINT = 36  # grey levels of a stroke, at least
SHORT, TALL = 5, 48  # px of a letter
SHORT_AT_HALF = 18  # likewise at half the size: smaller ones have been seen
LEAST = 6  # px of a picture's side
GAP = 1.2  # of a letter's height, to the next letter
RATIO = 2.2  # of the heights of letters that follow each other, at most
FEWEST = 3  # letters, or what hangs together, of a line
LEVEL = 0.3  # of the higher one's height: by so much their heads or their feet are apart, at most
SAMPLES = 20  # places in a gap that are looked at
LONG = 2  # times as long as high, at least
WHITE = 95  # percentile of a strip that is brought to full white
WIDE = 12  # times as wide as high: wider is no letter, nor a word whose letters hang together
HALF = 0.5  # of the brightest stroke near by: fainter is no stroke
AT = (0.2, 0.5, 0.8)  # of a letter's height: where its neighbor is looked for
CROWD = 3.0  # times as high as its letters, and it is no line

Strip = NDArray[np.uint8]
Ints = NDArray[np.int64]


class Line(NamedTuple):
    """A line as a strip, (HEIGHT, w)."""

    strip: Strip
    box: tuple[int, ...]  # left, top, right, bottom: where it lies in the picture
    letters: int  # or what hangs together


class _Parts(NamedTuple):
    """Connected strokes of the size of letters."""

    labels: NDArray[np.int32]  # (h, w): 0, or one more than the place in the others
    left: Ints
    top: Ints
    width: Ints
    height: Ints


def lines(rgb: Pixels) -> Iterator[Line]:
    """Yield lines of letters and what looks like them, in no order that matters."""
    gray = cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY)
    by = 1
    while gray.shape[0] * gray.shape[1] > MOST * by * by:
        by += 1
    for scale, shortest in ((by, SHORT), (2 * by, SHORT_AT_HALF)):
        size = gray.shape[1] // scale, gray.shape[0] // scale
        if min(size) < LEAST:
            return
        small = cv2.resize(gray, size, interpolation=cv2.INTER_AREA) if scale > 1 else gray
        for how in (cv2.MORPH_TOPHAT, cv2.MORPH_BLACKHAT):
            for line in _in_strokes(_strokes(small, how), shortest):
                yield line._replace(box=tuple(side * scale for side in line.box))


def _strokes(gray: NDArray[np.uint8], how: int) -> NDArray[np.uint8]:
    return np.asarray(cv2.morphologyEx(gray, how, SQUARE), np.uint8)


def _in_strokes(strokes: NDArray[np.uint8], shortest: int) -> Iterator[Line]:
    bright = cv2.dilate(strokes, SQUARE)
    ink = cv2.compare(strokes, cv2.max(cv2.addWeighted(bright, HALF, bright, 0, 0), FAINT), cv2.CMP_GE)
    parts = _parts(ink, shortest)
    if len(parts.left) < FEWEST:
        return
    row = pairs.components(len(parts.left), *_neighbors(parts))
    for members in _grouped(row):
        if line := _line(strokes, parts, members):
            yield line


def _parts(ink: NDArray[np.uint8], shortest: int) -> _Parts:
    count, labels, stats, _ = cv2.connectedComponentsWithStats(ink, connectivity=8)
    left, top, width, height, area = stats.T.astype(np.int64)
    fits = (height >= shortest) & (height <= TALL) & (width <= WIDE * height) & (area >= height)
    fits[0] = False
    number = np.zeros(count, np.int32)
    number[fits] = np.arange(1, fits.sum() + 1)
    return _Parts(number[labels], left[fits], top[fits], width[fits], height[fits])


def _neighbors(parts: _Parts) -> tuple[Ints, Ints]:
    """(n,), (n,): letters and what follows them on the right."""
    wide = parts.labels.shape[1]
    step = np.maximum(1, np.ceil(parts.height * GAP / SAMPLES)).astype(np.int64)
    right = (parts.left + parts.width)[:, None] + np.arange(SAMPLES) * step[:, None]
    some, other = [], []
    mine = np.arange(len(parts.left))
    for share in AT:
        y = parts.top + (parts.height * share).astype(np.int64)
        seen = np.where(right < wide, parts.labels[y[:, None], np.minimum(right, wide - 1)], 0)
        first = (seen > 0).argmax(axis=1)
        met = seen[mine, first].astype(np.int64) - 1
        gap = right[mine, first] - right[:, 0]
        fits = (met >= 0) & (met != mine) & _are_in_line(parts, met, gap)
        some.append(mine[fits])
        other.append(met[fits])
    return np.concatenate(some), np.concatenate(other)


def _are_in_line(parts: _Parts, other: Ints, gap: Ints) -> NDArray[np.bool_]:
    """(n,): whether letters and what follows are of like height, close, and have one foot or one head."""
    top, height = parts.top[other], parts.height[other]
    larger, smaller = np.maximum(height, parts.height), np.minimum(height, parts.height)
    head, foot = np.abs(top - parts.top), np.abs(top + height - parts.top - parts.height)
    is_level = np.minimum(head, foot) <= LEVEL * larger
    return np.asarray((larger <= RATIO * smaller) & (gap <= GAP * larger) & is_level)


def _grouped(group: Ints) -> Iterator[Ints]:
    order = np.argsort(group, kind="stable")
    starts = np.flatnonzero(np.diff(group[order], prepend=-1))
    for start, stop in zip(starts, [*starts[1:], len(order)], strict=True):
        if stop - start >= FEWEST:
            yield order[start:stop]


def _line(strokes: NDArray[np.uint8], parts: _Parts, members: Ints) -> Line | None:
    left, right = int(parts.left[members].min()), int((parts.left + parts.width)[members].max())
    top, bottom = int(parts.top[members].min()), int((parts.top + parts.height)[members].max())
    height = bottom - top
    if height > CROWD * float(np.median(parts.height[members])) or right - left < LONG * height:
        return None
    rim = max(1, round(RIM * height))
    here = strokes[max(0, top - rim) : bottom + rim, max(0, left - rim) : right + rim]
    return Line(_strip(here), (left, top, right, bottom), len(members))


def _strip(here: NDArray[np.uint8]) -> Strip:
    """Strokes of a line in one height and full white."""
    width = min(WIDEST, round(here.shape[1] * HEIGHT / here.shape[0]))
    most = round(WIDEST * here.shape[0] / HEIGHT)
    if here.shape[1] > most:
        start = (here.shape[1] - most) // 2
        here = here[:, start : start + most]
    how = cv2.INTER_AREA if here.shape[0] > HEIGHT else cv2.INTER_LINEAR
    strip = cv2.resize(here, (width, HEIGHT), interpolation=how)
    strip = cv2.convertScaleAbs(strip, alpha=255 / max(1.0, float(np.percentile(strip, WHITE))))
    return np.asarray(strip, np.uint8)
