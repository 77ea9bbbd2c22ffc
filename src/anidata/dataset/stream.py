"""Streaming a data set from a URL: tars read from end to end, unpacked, grouped and shuffled by webdataset.

Imported only where a URL is named: webdataset isn't in the core, and imports torch where that is installed.
"""

import random
import tarfile
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from http.client import HTTPException
from itertools import islice
from typing import IO, Any
from urllib.parse import quote, urlsplit, urlunsplit
from urllib.request import urlopen

import numpy as np
from webdataset.filters import shuffle
from webdataset.gopen import gopen, gopen_schemes
from webdataset.pytorch import IterableDataset
from webdataset.tariterators import group_by_keys, tar_file_expander
from webdataset.utils import pytorch_worker_info

from anidata.dataset import order
from anidata.dataset.description import INDEX, MANIFEST, MAX_JSON, Description, ShardFile, damaged, describe
from anidata.dataset.sample import Sample, decode, line_suffix
from anidata.errors import DatasetError, MissingExtra

STALL = 60.0  # seconds without a byte, after which a connection is given up
TRIES = 3  # at a shard: connections break in the hours that a training takes
BUFFER = 1000  # samples, packed, among which a stream is shuffled; about 75 MB at 512 px
# Schemes for which webdataset runs a program.
PROGRAMS = gopen_schemes.keys() - {"http", "https", "pipe", "__default__"}

Raw = dict[str, Any]  # webdataset's: __key__, __url__, and suffix → bytes


@dataclass(frozen=True, kw_only=True)
class StreamPart:
    """The part of an epoch that a stream gives, and its order."""

    seed: int | None = None  # None: unshuffled
    epoch: int = 0
    rank: int = 0
    ranks: int = 1
    start: int = 0  # samples already seen, of those a loader gives


def open_stream(address: str, split: str, styles: Sequence[str] | None, config: str = "") -> "Stream":
    """A split of the data set behind a URL. Raises: as `load_dataset`."""
    description = described(address).of(config)
    return Stream(description, split, description.choose(styles))


def described(address: str) -> Description:
    """The data set behind a URL, by its documents. Raises: as `load_dataset`."""
    return describe(address, *(_document(address, name) for name in (MANIFEST, INDEX)))


# The base is torch's class, or webdataset's stand-in; it is Any to mypy, which has no types of webdataset.
class Stream(IterableDataset):  # type: ignore[misc]
    """The samples of a split behind a URL, in turn; each worker of a DataLoader reads shards of its own."""

    def __init__(
        self, description: Description, split: str, chosen: tuple[str, ...], part: StreamPart | None = None
    ) -> None:
        super().__init__()
        self.url, self.split, self.styles = description.address, split, description.styles
        self.config = description.config
        self._description, self._chosen, self._part = description, chosen, part or StreamPart()
        self._shards = description.shards(split)

    def __len__(self) -> int:
        """Samples of this rank's part of an epoch."""
        return sum(shard.samples for shard in self.shards())

    def __iter__(self) -> Iterator[Sample]:
        _, _, worker, workers = pytorch_worker_info()
        return self.read(worker, workers)

    def shuffled(self, seed: int, epoch: int, rank: int = 0, ranks: int = 1, start: int = 0) -> "Stream":
        """An epoch of this stream: its shards shuffled and cut among the ranks.

        Samples are shuffled within a buffer as they come. A pure function of all these and of the worker.
        start: samples that each worker leaves out, having given them before.
        """
        part = StreamPart(seed=seed, epoch=epoch, rank=rank, ranks=ranks, start=start)
        return Stream(self._description, self.split, self._chosen, part)

    def read(self, worker: int = 0, workers: int = 1) -> Iterator[Sample]:
        """A worker's part.

        Raises: DatasetError: fewer shards than loaders, or a shard that can't be read or is damaged.
        """
        lines = {style: line_suffix(style, self.styles[0]) for style in self._chosen}
        raws = (raw for shard in self.shards(worker, workers) for raw in _samples(self.url, shard))
        if self._part.seed is not None:
            own = f"{self._part.seed}:{self._part.epoch}:{self._part.rank}:{worker}"
            raws = shuffle(BUFFER, rng=random.Random(own))(raws)  # noqa: S311 no secret is drawn
        for raw in islice(raws, self._part.start, None):
            name, color = f"{raw['__url__']}/{raw['__key__']}", self._description.has_color
            yield decode(self.url, name, raw, lines, color=color)

    def shards(self, worker: int = 0, workers: int = 1) -> list[ShardFile]:
        """The shards that a worker of this rank reads.

        Raises: DatasetError: there are fewer shards than loaders.
        """
        part, count = self._part, len(self._shards)
        loaders = part.ranks * workers
        if count < loaders:
            raise DatasetError(
                f"{self.url}: '{self.split}' has {count} shards for {loaders} loaders "
                f"({part.ranks} ranks with {workers} workers each), and a loader of a stream reads whole "
                "shards. Take fewer workers; or copy the data set to a disk, where any number may read; "
                "or cut it finer: anidata shard WORK --reshard --set shard.shard_bytes=BYTES"
            )
        whole = np.arange(count) if part.seed is None else order.shuffled(count, part.seed, part.epoch)
        return [self._shards[n] for n in order.part(whole, part.rank, part.ranks, worker, workers)]


def _samples(address: str, shard: ShardFile) -> Iterator[Raw]:
    """The samples of a shard; where the connection breaks it is read again, up to where it broke.

    Raises: DatasetError: it can't be read, or holds another number of samples than the index says.
    """
    given, trouble = 0, ""
    for _ in range(TRIES):
        try:
            for raw in islice(_unpacked(address, shard), given, None):
                given += 1
                yield raw
            if given >= shard.samples:
                break
            trouble = f"ends after {given:,} samples of {shard.samples:,}"
        except (OSError, HTTPException, tarfile.TarError, ValueError) as error:
            trouble = f"can't be read after {given:,} samples: {error}"
    else:
        damaged(address, shard.tar, trouble)
    if given != shard.samples:
        damaged(address, shard.tar, f"has more than the {shard.samples:,} samples that the index says")


def _unpacked(address: str, shard: ShardFile) -> Iterator[Raw]:
    with _opened(below(address, shard.tar)) as stream:
        yield from group_by_keys(tar_file_expander([{"url": shard.tar, "stream": stream}]), lcase=False)


def _document(address: str, name: str) -> bytes:
    """One of the documents of a data set."""
    try:
        with _opened(below(address, name)) as stream:
            data: bytes = stream.read(MAX_JSON + 1)
    except (OSError, HTTPException, ValueError) as error:
        raise DatasetError(
            f"{address}: {name} can't be read: {error}. "
            f"Name the URL of a data set's folder, in which {MANIFEST} lies, and see that you may read it."
        ) from error
    if len(data) > MAX_JSON:
        damaged(address, name, f"has over {MAX_JSON:,} bytes")
    return data


def below(address: str, name: str) -> str:
    """The URL of a file of the data set; a query, that may hold a key, stays behind the path."""
    parts = urlsplit(address)
    return urlunsplit(parts._replace(path=f"{parts.path.rstrip('/')}/{quote(name)}"))


def _opened(url: str) -> AbstractContextManager[IO[bytes]]:
    """A URL's bytes: of HTTP by Python itself, which times out; else by webdataset's programs or fsspec."""
    scheme = urlsplit(url).scheme
    if scheme in ("http", "https"):
        # The user names it.
        return urlopen(url, timeout=STALL)  # type: ignore[no-any-return]  # noqa: S310
    return gopen(url) if scheme in PROGRAMS else _by_fsspec(url)


@contextmanager
def _by_fsspec(url: str) -> Iterator[IO[bytes]]:
    try:
        import fsspec  # noqa: PLC0415  not in the core

        file = fsspec.open(url, "rb")
    except ImportError as error:  # of fsspec itself, or of what it needs for this scheme, which it names
        raise MissingExtra(
            f"{url}: {error}. "
            "Such URLs are read by fsspec and a package for each scheme: install what is named."
        ) from error
    with file as stream:
        yield stream
