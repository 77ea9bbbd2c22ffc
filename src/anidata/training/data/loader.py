"""The one crossing from pictures to tensors, and the loader that feeds training.

Pictures are uint8 (h, w, 3) from 0 to 255, tensors float32 (b, 3, h, w) in [-1, 1]: black is -1, white 1.
What asks for [0, 1], a formula or a network of others, takes (x + 1) / 2 itself. Pictures stay uint8 through
the workers and become floats once a batch, on the device. What a batch holds depends on the seed and on the
images seen before, not on the workers: a run goes on where it stopped, with any number of them. Of a data
set on disk all processes' batches are one sequence dealt out image by image, so that holds for the number
of processes too.
"""

import heapq
import multiprocessing
import os
import signal
import threading
import warnings
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import count, islice
from multiprocessing.context import BaseContext
from typing import TYPE_CHECKING, Any, cast

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from anidata.dataset.description import LINEART
from anidata.dataset.samples import Sample, Samples
from anidata.errors import AnidataError, DatasetError, WorkerError
from anidata.training.baseline import Batch
from anidata.training.data import apart, conditions
from anidata.training.data.batches import (
    Chance,
    LoaderConfig,
    Order,
    Packed,
    Pictures,
    Pixels,
    Position,
    Streamed,
    packed,
)

if TYPE_CHECKING:
    from anidata.dataset.stream import Stream

__all__ = ["Loader", "LoaderConfig", "floats", "to_tensor", "to_uint8"]

AHEAD = 4  # batches that each worker has ready: enough to ride out a slow disk's hiccups
WORKER_DIED = "DataLoader worker"  # how torch begins to say so; test_loader.py holds it to that
TOO_MANY_WORKERS = "This DataLoader will create"  # how its warning begins, for a machine of few processors


def to_tensor(image: Pixels) -> Tensor:
    """uint8 0..255, (h, w, 3) or (h, w) → float32 in [-1, 1], (3, h, w) or (1, h, w)."""
    planes = np.atleast_3d(image).transpose(2, 0, 1)
    return floats(torch.from_numpy(np.ascontiguousarray(planes)))


def to_uint8(tensor: Tensor) -> Pixels:
    """Floats (…, c, h, w) in [-1, 1], clipped → uint8 (…, h, w, c) 0..255, rounded to the nearest."""
    levels = (tensor.detach().float().clamp(-1, 1) + 1) * 127.5
    return levels.round().to(torch.uint8).movedim(-3, -1).contiguous().cpu().numpy()


def floats(planes: Tensor) -> Tensor:
    """uint8 0..255 → float32 in [-1, 1]."""
    return planes.to(torch.float32, memory_format=torch.contiguous_format).div_(127.5).sub_(1)


class Loader:
    """Batches of a data set for the process `rank` of `ranks`, on its device."""

    def __init__(
        self,
        samples: "Samples | Stream",
        config: LoaderConfig,
        rank: int = 0,
        ranks: int = 1,
        device: torch.device | str = "cpu",
        *,
        lines: "Samples | Stream | None" = None,
    ) -> None:
        """Batches of pairs, or, where `lines` are given, of colors and lines that know nothing of each other.

        lines: where those are from. It may be `samples` itself, whose pictures then have each other's lines.
        """
        conditions.channels(config.conditions)  # a wrong name fails before the first picture
        self.styles = (lines or samples).styles
        if "lineart" in config.conditions and not self.styles:
            raise DatasetError(
                "the data set has no lineart. "
                "Draw it with: anidata extract-lineart WORK, then anidata shard WORK"
            )
        self.samples, self.lines, self.config, self.device = samples, lines, config, torch.device(device)
        self.rank, self.ranks = rank, ranks

    def __iter__(self) -> Iterator[Batch]:
        return self.batches()

    @property
    def has_truth(self) -> bool:
        """Whether a batch's colors are those of its lines."""
        return self.lines is None and self.samples.config != LINEART

    def batches(self, start: int = 0) -> Iterator[Batch]:
        """Batches without end, as if `start` images had been seen by all processes together.

        Of a stream, `start` is taken down to whole batches.
        Raises: DatasetError: a sample can't be read. StorageError: the disk fails. WorkerError: a worker
            died.
        """
        samples, lines, config = self.samples, self.lines, self.config
        if isinstance(samples, Samples):
            if lines is not None:
                of_lines = cast("Samples", lines)  # from the same place
                positions = _Positions(self, apart.orders(samples, of_lines, config.seed), start)
                return self._batches(apart.Apart(samples, of_lines, config), config.workers, positions)
            positions = _Positions(self, (Order(samples, config.seed),), start)
            return self._batches(Pictures(samples, config), config.workers, positions)
        first = start // (self.ranks * config.batch)
        streamed = Streamed(samples, config, self.rank, self.ranks, first)
        if lines is not None:
            of_stream = cast("Stream", lines)
            streamed = apart.StreamedApart(samples, of_stream, config, self.rank, self.ranks, first)
        return self._batches(streamed, _even_workers(config.workers, streamed.lanes))

    def validation(self, count: int) -> list[Batch]:
        """The first `count` samples by key (of a stream: as they come), whole, in the first style.

        They are the same in every run and process.
        """
        samples, size = self.samples, self.config.batch
        if isinstance(samples, Samples):
            numbers = heapq.nsmallest(count, range(len(samples)), key=samples.key)
            chosen: list[Position] = [("validation", number) for number in numbers]
            batches = [chosen[n : n + size] for n in range(0, len(chosen), size)]
            return list(self._batches(Pictures(samples, self.config), 0, batches))
        pictures = [self._validated(sample) for sample in islice(samples, count)]
        return [self._batch(packed(pictures[n : n + size])) for n in range(0, len(pictures), size)]

    def _validated(self, sample: Sample) -> tuple[str, Pixels]:
        return sample["key"], Chance(self.config, "validation", sample["key"]).planes(sample)

    def _batches(
        self, dataset: Dataset[Packed | AnidataError], workers: int, positions: Any = None
    ) -> Iterator[Batch]:
        with _starting():
            reader = DataLoader(
                dataset,
                sampler=positions,
                batch_size=None,  # what is read is a batch already
                num_workers=workers,
                prefetch_factor=AHEAD if workers else None,
                multiprocessing_context=_context(type(self.samples).__module__) if workers else None,
                collate_fn=_as_it_is,
                worker_init_fn=_begin,
                pin_memory=self.device.type == "cuda",
                # the workers' own seeds aren't used; the global generator isn't to be moved by them
                generator=torch.Generator(),
            )
            received = iter(reader)
        batches = map(self._batch, _received(received))
        return _ahead(batches) if workers else batches

    def _batch(self, packed: Packed) -> Batch:
        planes = packed.planes.to(self.device, non_blocking=True)
        color, extra = floats(planes[:, :3]), floats(planes[:, 3:])
        return Batch(color, conditions.build(self.config.conditions, color, extra), packed.keys)


class _Positions(Sampler[list[Any]]):
    """The positions of a process's batches without end: of a picture each, or of a color and a line.

    Of all processes' images, one after another, it takes every `ranks`-th.
    """

    def __init__(self, loader: Loader, orders: tuple[Order, ...], start: int) -> None:
        self._loader, self._orders, self._start = loader, orders, start

    def __iter__(self) -> Iterator[list[Any]]:
        images = count(self._start + self._loader.rank, self._loader.ranks)
        while True:
            batch = list(islice(images, self._loader.config.batch))
            positions = [tuple(order.at(image) for order in self._orders) for image in batch]
            yield positions if len(self._orders) > 1 else [position for (position,) in positions]


def _even_workers(workers: int, lanes: int) -> int:
    """The most workers, `workers` at most, that have as many lanes each."""
    return max(n for n in range(min(workers, lanes) + 1) if not n or lanes % n == 0)


def _received(batches: Iterator[Packed | AnidataError]) -> Iterator[Packed]:
    while True:
        try:
            received = next(batches)
        except StopIteration:
            return
        # torch's own words, or what comes of asking the dead for a tensor
        except (RuntimeError, ConnectionError, EOFError) as error:
            if isinstance(error, RuntimeError) and not str(error).startswith(WORKER_DIED):
                raise
            raise WorkerError(
                f"a loader's worker is gone ({error}). Close other programs, "
                "give the machine more RAM or shared memory (/dev/shm), "
                "or read with fewer workers: --set train.workers=0"
            ) from error
        if isinstance(received, AnidataError):
            try:
                raise received
            finally:
                # else error and frame hold each other, and the workers are ended as garbage, which takes
                # them 5 s
                del received, batches
        yield received


def _ahead(batches: Iterator[Batch]) -> Iterator[Batch]:
    """The same, each taken over while the one before is trained on.

    Fetching a tensor from its worker and making it floats takes 2 ms or more.
    """
    with ThreadPoolExecutor(1, "anidata-loader") as thread:
        coming = thread.submit(next, batches, None)
        try:
            while (batch := coming.result()) is not None:
                coming = thread.submit(next, batches, None)
                yield batch
        finally:
            del coming, batches  # as in _received


def _context(module: str) -> BaseContext:
    """How workers are started: forked from a small server that has one thread and what they import.

    Torch and OpenCV have several threads here, whose locks a process forked from this one could wait for
    without end.
    """
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([Pictures.__module__, module])
    return context


@contextmanager
def _starting() -> Iterator[None]:
    """Keep torch to itself while workers are started.

    Their number is the user's affair, whatever torch thinks of it. And no handler of torch's stays behind
    that would raise a worker's death in the midst of a training step: it is told where a batch is awaited,
    seconds later.
    """
    handler = signal.getsignal(signal.SIGCHLD)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", TOO_MANY_WORKERS, UserWarning)
            yield
    finally:
        if handler is not None and threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGCHLD, handler)


def _begin(_: int) -> None:
    """Prepare a new worker: one thread is enough, Ctrl-C is its parent's to answer, and SIGTERM ends it."""
    threading.Thread(target=_end_with_the_training, daemon=True).start()
    cv2.setNumThreads(1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)


def _as_it_is(batch: Any) -> Any:
    return batch


def _end_with_the_training() -> None:
    """End a worker whose training is gone.

    Torch's own watch looks for the process that forked the worker, which is the small server, and that
    lives while its workers do.
    """
    training = multiprocessing.parent_process()
    if training:
        training.join()
        os._exit(1)
