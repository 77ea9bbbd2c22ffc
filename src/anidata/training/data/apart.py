"""Batches without pairs: the color of one picture beside the line of another.

They are taken from two sets of pictures, or from one, where a picture comes with the line of the next one in
the order of training. Each has a view of its own. What a batch holds depends on the seed and on the images
seen before, as it does with pairs.
"""

from collections.abc import Iterator, Sequence
from itertools import islice, tee
from typing import TYPE_CHECKING

import numpy as np
from torch.utils.data import Dataset

from anidata.dataset.samples import Sample, Samples
from anidata.errors import AnidataError
from anidata.training.data.batches import (
    Chance,
    Epoch,
    LoaderConfig,
    Order,
    Packed,
    Pixels,
    Position,
    Streamed,
    lanes,
    packed,
)

if TYPE_CHECKING:
    from anidata.dataset.stream import Stream

APART = 1 << 32  # between the seeds of the colors' order and the lines': equally long sets aren't in step


def orders(colors: Samples, lines: Samples, seed: int) -> tuple[Order, Order]:
    """The orders in which colors and lines come."""
    if lines is colors:
        return Order(colors, seed), Order(colors, seed, ahead=1)
    return Order(colors, seed), Order(lines, seed + APART)


class Apart(Dataset[Packed | AnidataError]):
    """Batches from a disk, each by the positions of its colors and of its lines."""

    def __init__(self, colors: Samples, lines: Samples, config: LoaderConfig) -> None:
        self._colors, self._lines, self._config = colors, lines, config

    def __getitem__(self, positions: Sequence[tuple[Position, Position]]) -> Packed | AnidataError:
        try:
            return packed([self._read(color, line) for color, line in positions])
        except AnidataError as error:
            return error

    def _read(self, color: Position, line: Position) -> tuple[str, Pixels]:
        epoch, number = color
        sample = self._colors.read(number, ())
        line_epoch, line_number = line
        styles = Chance(self._config, line_epoch, self._lines.key(line_number)).styles(self._lines.styles)
        other = self._lines.read(line_number, styles, color=False)
        return together(self._config, (epoch, sample), (line_epoch, other))


class StreamedApart(Streamed):
    """Batches of two streams, or of one, without end, lane by lane."""

    def __init__(
        self, colors: "Stream", lines: "Stream", config: LoaderConfig, rank: int, ranks: int, first: int
    ) -> None:
        super().__init__(colors, config, rank, ranks, first)
        self._lines, self._alone = lines, lines is colors
        self.lanes = common_lanes(colors, lines, ranks)

    def _read(self, lane: int, seen: int) -> Iterator[tuple[str, Pixels]]:
        seed = self._config.seed
        colors = self._samples(self._stream, seed, lane, seen)
        if self._alone:
            both = others(colors)
        else:
            both = zip(colors, self._samples(self._lines, seed + APART, lane, seen), strict=False)
        return (together(self._config, color, line) for color, line in both)


def common_lanes(colors: "Stream", lines: "Stream", ranks: int) -> int:
    """Into how many lanes each rank's part of both is cut. Raises: DatasetError: fewer shards than ranks."""
    return min(lanes(colors, ranks), lanes(lines, ranks))


Met = tuple[Epoch, Sample]  # a sample in an epoch


def others(samples: Iterator[Met]) -> Iterator[tuple[Met, Met]]:
    """Each sample with the next one of another key: where two epochs meet that may be the one after."""
    first, second, third = tee(samples, 3)
    ahead = zip(first, islice(second, 1, None), islice(third, 2, None), strict=False)
    for own, next_, after in ahead:
        yield own, after if own[1]["key"] == next_[1]["key"] else next_


def together(config: LoaderConfig, color: Met, line: Met) -> tuple[str, Pixels]:
    """The color's key; its planes and the line's plane, uint8 (4, size, size)."""
    (epoch, own), (line_epoch, other) = color, line
    picture = Chance(config, epoch, own["key"]).color(own)
    drawn = Chance(config, line_epoch, other["key"]).line(other)
    return own["key"], np.concatenate([picture.transpose(2, 0, 1), drawn[None]])
