"""Which way a picture's lettering reads: as the picture lies, or mirrored.

Lines of letters (and what looks like them) are found as strips of one height; a small network says of each
whether it reads this way, the other way, or is none. It was fitted by benchmarks/fit_lettering.py, to text in
fonts of free licenses written on free art; lettering.json says which. Where nothing that looks like a line of
letters is there, the score is 0.
"""

import io
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from anidata.duplicates import strokes
from anidata.duplicates.alignment import Pixels
from anidata.duplicates.strokes import Line
from anidata.tar import opening

WEIGHTS = Path(__file__).with_name("lettering.npz")
WIDTHS = (16, 16, 112)  # channels
HOW = ((2, (2, 2)), (2, (1, 1)), (1, (0, 2)), (1, (0, 0)))  # strides, paddings of the layers
COLUMN, SPACE = 4, 16  # px: of a strip that are told together, and around each strip; no column sees farther
MOST = 3000  # px of all strips of a picture: those of the most letters are read
SCALE = 255.0
NOTHING = 8.0  # weight of what speaks for nothing
DOUBT = 0.3  # of nothing: more, and a line isn't counted
FLOOR = 0.01  # of a reading: so no line says more than 1 : 100
MARGIN = 4.0  # log odds: what is less decides nothing

Floats = NDArray[np.float32]


class Layer(NamedTuple):
    """A convolution."""

    weight: Floats  # (out, in, h, w)
    bias: Floats
    stride: int
    padding: tuple[int, int]


def reads(rgb: Pixels) -> float:
    """Log odds that a picture, (h, w, 3), reads as it lies; of its mirror image the same with the other sign.

    To the bit: of a picture and its mirror image always the same one is looked at.
    """
    mirrored = np.ascontiguousarray(rgb[:, ::-1])
    here = np.flatnonzero((rgb != mirrored).any(axis=(1, 2)))
    if not here.size:
        return 0.0
    is_first = rgb[here[0]].tobytes() < mirrored[here[0]].tobytes()
    return _score(rgb) if is_first else -_score(mirrored)


def way(one: Pixels, other: Pixels) -> int:
    """1: what two pictures of the same show reads as they lie, -1: it reads mirrored, 0: that isn't plain."""
    score = reads(one) + reads(other)
    return int(np.sign(score)) if abs(score) >= 2 * MARGIN else 0


def _score(rgb: Pixels) -> float:
    lines = _chosen(list(strokes.lines(rgb)))
    if not lines:
        return 0.0
    this, other, nothing = chances([line.strip for line in lines]).T.astype(np.float64)
    odds = np.log((this + FLOOR) / (other + FLOOR))
    return float(odds[nothing < DOUBT].sum())


def _chosen(lines: list[Line]) -> list[Line]:
    """Those of the most letters, as many as are read."""
    lines.sort(key=lambda line: (-line.letters, line.box))
    ends = np.cumsum([line.strip.shape[1] for line in lines])
    return lines[: int(np.searchsorted(ends, MOST, "right"))]


def chances(strips: list[NDArray[np.uint8]]) -> Floats:
    """(n, 3): of each strip, (strokes.HEIGHT, w), that it reads this way, mirrored, or is nothing."""
    columns = np.array([-(-strip.shape[1] // COLUMN) for strip in strips])
    starts = np.cumsum([0, *(columns * COLUMN + SPACE)]) + SPACE
    row = np.zeros((strokes.HEIGHT, starts[-1]), np.float32)
    for strip, start in zip(strips, starts, strict=False):
        row[:, start : start + strip.shape[1]] = strip
    row /= SCALE
    straight, turned = _told(row), _told(row[:, ::-1])[:, ::-1]
    first = starts[:-1] // COLUMN
    spans = np.column_stack([first, first + columns]).ravel()
    some, others = (np.add.reduceat(one, spans, axis=1)[:, ::2] for one in (straight, turned))
    nothing = (some[1] + others[1]) / columns / 2 * NOTHING
    logits = np.stack([some[0] / np.sqrt(columns), others[0] / np.sqrt(columns), nothing], axis=1)
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True), np.float32)


def _told(row: Floats) -> Floats:
    """(2, columns): of each column of a row of strips what speaks for this way, and for nothing."""
    x = row[None]
    *layers, last = _layers()
    for layer in layers:
        x = np.maximum(_convolved(x, layer), 0)
    return _convolved(x, last)[:, 0]


def _convolved(x: Floats, layer: Layer) -> Floats:
    """(out, h, w) of (in, h, w)."""
    count, _, *kernel = layer.weight.shape
    x = np.pad(x, ((0, 0), *((side, side) for side in layer.padding)))
    seen = sliding_window_view(x, kernel, axis=(1, 2))[:, :: layer.stride, :: layer.stride]
    height, width = seen.shape[1:3]
    rows = seen.transpose(0, 3, 4, 1, 2).reshape(-1, height * width)
    return (layer.weight.reshape(count, -1) @ rows + layer.bias[:, None]).reshape(count, height, width)


@lru_cache(1)
def _layers() -> list[Layer]:
    with np.load(io.BytesIO(opening.read_bytes(WEIGHTS)), allow_pickle=False) as file:
        arrays = {name: file[name].astype(np.float32) for name in file.files}
    return [Layer(arrays[f"weight{n}"], arrays[f"bias{n}"], *some) for n, some in enumerate(HOW)]
