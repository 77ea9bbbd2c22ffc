"""What a loader's worker does: read pairs, augment them, lay them together.

It is uint8 throughout, torch only a wrapping.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import count, islice
from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.utils.data import Dataset, IterableDataset, get_worker_info

from anidata.dataset.samples import Sample, Samples
from anidata.errors import AnidataError, DatasetError
from anidata.recipe import Count, Positive
from anidata.training.data import augment, conditions
from anidata.training.data.augment import WHOLE, Augment, View

if TYPE_CHECKING:
    from anidata.dataset.stream import Stream

Pixels = npt.NDArray[np.uint8]
# "validation" instead of a number: pictures whole, in the first style, and chance the same in every run
Epoch = int | Literal["validation"]
Position = tuple[Epoch, int]  # an epoch, and a sample's number in the data set

# into how many a rank's part of a stream is cut, if it has the shards: whatever the number of workers
LANES = (8, 6, 4, 3, 2, 1)


@dataclass(frozen=True, kw_only=True)
class LoaderConfig:
    """Load batches: of which pictures, and how they are made."""

    batch: Positive = 16  # pictures: of one process, in one part of a step
    size: Positive = 256  # px of a side
    conditions: tuple[str, ...] = ("lineart",)
    # of the lineart: the set's first, or one by chance for each picture and epoch
    styles: Literal["first", "random"] = "first"
    seed: Count = 0
    workers: Count = 2  # processes that read ahead; 0: none, the training itself reads
    augment: Augment = field(default_factory=Augment)


class Packed(NamedTuple):
    """A batch on its way: uint8 (b, planes, size, size), the color first, then what the conditions take."""

    planes: Tensor
    keys: tuple[str, ...]


class Chance:
    """The random numbers of a sample in an epoch, in the order in which they are asked for."""

    def __init__(self, config: LoaderConfig, epoch: Epoch, key: str) -> None:
        self._config, self._training = config, epoch != "validation"
        self.rng = augment.randomness(config.seed if self._training else 0, epoch, key)
        self._style = self.rng.random()

    def styles(self, available: Sequence[str]) -> tuple[str, ...]:
        """The style whose line is taken; none where no condition asks for it."""
        if "lineart" not in self._config.conditions:
            return ()
        by_chance = self._training and self._config.styles == "random"
        return (available[int(self._style * len(available)) if by_chance else 0],)

    def planes(self, sample: Sample) -> Pixels:
        """The pair as it is viewed, and what the conditions take of it: uint8 (planes, size, size)."""
        config, view = self._config, self._view()
        color = self._colored(sample, view) if "color" in sample else self._white()
        styles = self.styles(list(sample["lineart"]))
        lines = [augment.warp(sample["lineart"][style], view, config.size) for style in styles]
        extras = conditions.extras(config.conditions, color, lines[0] if lines else None, self.rng)
        return np.concatenate([np.atleast_3d(p).transpose(2, 0, 1) for p in (color, *extras)])

    def color(self, sample: Sample) -> Pixels:
        """The color alone, as it is viewed: (size, size, 3)."""
        return self._colored(sample, self._view())

    def line(self, sample: Sample) -> Pixels:
        """A line alone, as it is viewed: (size, size)."""
        (style,) = self.styles(list(sample["lineart"]))
        return augment.warp(sample["lineart"][style], self._view(), self._config.size)

    def _view(self) -> View:
        return augment.draw(self._config.augment, self.rng) if self._training else WHOLE

    def _colored(self, sample: Sample, view: View) -> Pixels:
        return augment.recolor(augment.warp(sample["color"], view, self._config.size), view)

    def _white(self) -> Pixels:
        """The page of a line that has no color: no truth, and nothing is compared with it."""
        return np.full((self._config.size, self._config.size, 3), 255, np.uint8)


class Order:
    """The position of each image of a training in a set on disk: epoch after epoch, each shuffled anew."""

    def __init__(self, samples: Samples, seed: int, *, ahead: int = 0) -> None:
        """ahead: by how many places of an epoch's order, which ends where it began."""
        self._samples, self._seed, self._ahead = samples, seed, ahead
        self._epoch, self._order = -1, np.empty(0, np.int64)

    def at(self, image: int) -> Position:
        """The position of the image that comes after so many."""
        epoch, rank = divmod(image, len(self._samples))
        if epoch != self._epoch:
            self._epoch, self._order = epoch, self._samples.order(self._seed, epoch)
        return epoch, int(self._order[(rank + self._ahead) % len(self._samples)])


class Pictures(Dataset[Packed | AnidataError]):
    """Batches of a data set on disk, each by its positions.

    An error is handed over instead of a batch, to be raised where that is awaited: raised here, its message
    would carry a traceback.
    """

    def __init__(self, samples: Samples, config: LoaderConfig) -> None:
        self._samples, self._config = samples, config

    def __getitem__(self, positions: Sequence[Position]) -> Packed | AnidataError:
        try:
            return packed([self._read(epoch, number) for epoch, number in positions])
        except AnidataError as error:
            return error

    def _read(self, epoch: Epoch, number: int) -> tuple[str, Pixels]:
        key = self._samples.key(number)
        chance = Chance(self._config, epoch, key)
        sample = self._samples.read(number, chance.styles(self._samples.styles))
        return key, chance.planes(sample)


class Streamed(IterableDataset[Packed | AnidataError]):
    """Batches of a stream without end, from the `first` on, cut into lanes.

    Batch k is the next one of lane k modulo their number. A lane reads shards of its own, epoch after
    epoch, and belongs to one worker: so the batches don't depend on the number of workers.
    """

    def __init__(self, stream: "Stream", config: LoaderConfig, rank: int, ranks: int, first: int) -> None:
        super().__init__()
        self._stream, self._config, self._rank, self._ranks, self._first = stream, config, rank, ranks, first
        self.lanes = lanes(stream, ranks)

    def __iter__(self) -> Iterator[Packed | AnidataError]:
        info = get_worker_info()
        worker, workers = (info.id, info.num_workers) if info else (0, 1)
        readers: dict[int, Iterator[tuple[str, Pixels]]] = {}
        try:
            for number in count(self._first + worker, workers):
                turn, lane = divmod(number, self.lanes)
                if lane not in readers:
                    readers[lane] = self._read(lane, turn * self._config.batch)
                yield packed(list(islice(readers[lane], self._config.batch)))
        except AnidataError as error:
            yield error

    def _read(self, lane: int, seen: int) -> Iterator[tuple[str, Pixels]]:
        """A lane's pictures with their keys, after those `seen`."""
        for epoch, sample in self._samples(self._stream, self._config.seed, lane, seen):
            yield sample["key"], Chance(self._config, epoch, sample["key"]).planes(sample)

    def _samples(self, stream: "Stream", seed: int, lane: int, seen: int) -> Iterator[tuple[Epoch, Sample]]:
        """A lane's samples with their epochs, after those `seen`."""
        for epoch in count():
            whole = stream.shuffled(seed, epoch, self._rank, self._ranks)
            of_epoch = sum(shard.samples for shard in whole.shards(lane, self.lanes))
            if seen < of_epoch:
                remaining = stream.shuffled(seed, epoch, self._rank, self._ranks, seen)
                yield from ((epoch, sample) for sample in remaining.read(lane, self.lanes))
            seen = max(0, seen - of_epoch)


def lanes(stream: "Stream", ranks: int) -> int:
    """Into how many lanes each rank's part of a stream is cut.

    Raises: DatasetError: fewer shards than ranks.
    """
    shards = len(stream.shards())
    if shards < ranks:
        raise DatasetError(
            f"{stream.url}: '{stream.split}' has {shards} shards for {ranks} processes, "
            f"and each reads whole shards. Train with {shards} processes; "
            "or copy the data set to a disk, where any number may read; "
            "or cut it finer: anidata shard WORK --reshard --set shard.shard_bytes=BYTES"
        )
    return next(number for number in LANES if number <= shards // ranks)


def packed(pictures: Sequence[tuple[str, Pixels]]) -> Packed:
    planes = np.stack([planes for _, planes in pictures])
    return Packed(torch.from_numpy(planes), tuple(key for key, _ in pictures))
