"""Data sets as training reads them: `load_dataset(DATASET, split="train")`.

From a folder they are read by number, from a URL as a stream.
Both follow PyTorch's protocols without importing it: give either to a `torch.utils.data.DataLoader`.
"""

import operator
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from itertools import accumulate
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, overload

import numpy as np
from numpy.typing import NDArray

from anidata import storage
from anidata.dataset import order as sample_order
from anidata.dataset.description import (
    INDEX,
    MANIFEST,
    MAX_JSON,
    Description,
    ShardFile,
    damaged,
    describe,
    unknown_style,
)
from anidata.dataset.indexed_tar import Files, IndexedTar, key_of, missing, refused
from anidata.dataset.sample import Sample, decode, line_suffix, wanted
from anidata.errors import DatasetError, MissingExtra, UnknownPart
from anidata.tar import opening

if TYPE_CHECKING:
    from anidata.dataset.stream import Stream

__all__ = ["Sample", "Samples", "load_dataset"]


def load_dataset(
    place: str | Path, split: str = "train", *, styles: Sequence[str] | None = None, config: str = ""
) -> "Samples | Stream":
    """A split of a data set: `Samples` of a folder, a `Stream` of a URL.

    Pictures are uint8, 0..255: color (h, w, 3) in sRGB, lineart (h, w), ink 0 on paper 255. Training has them
    as float32 in [-1, 1]: see anidata.training.data.loader.
    styles: the lineart to decode; the first style where none is named. config: color or lineart of an
    unpaired set, whose samples have nothing else.

    Raises: DatasetError: no data set, an empty split, missing or damaged files, an unpaired set without a
        config. FormatError: of another format number. UnknownPart: no such split, style or config.
        StorageError: no right to read. MissingExtra: a URL, and webdataset isn't installed.
    """
    root = _folder(place)
    if root:
        return Samples(root, split, styles, config)
    stream: Stream = _streams().open_stream(str(place), split, styles, config)
    return stream


def is_unpaired(place: str | Path) -> bool:
    """Whether a data set has no pairs, but color in one config and lineart in another.

    Raises: as `load_dataset`.
    """
    root = _folder(place)
    try:
        description = _described(root) if root else _streams().described(str(place))
    except OSError as error:
        raise refused(Path(error.filename or place), error) from error
    return description.unpaired


def _folder(place: str | Path) -> Path | None:
    """The folder that a place is; None of a URL."""
    text = str(place)
    if text.startswith(storage.FILE):
        return storage.path_of(text, Path())
    return None if "://" in text else Path(place)


def _streams() -> ModuleType:
    """The module of streams. Raises: MissingExtra: webdataset isn't installed."""
    try:
        from anidata.dataset import stream  # noqa: PLC0415 webdataset, and torch with it
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != "webdataset":
            raise
        raise MissingExtra(
            "streaming from a URL needs webdataset. Install it with: pip install 'anidata[train]'"
        ) from error
    return stream


class Samples:
    """The samples of a split in a folder, by number: shard after shard, sorted by key within each."""

    def __init__(
        self, root: Path, split: str = "train", styles: Sequence[str] | None = None, config: str = ""
    ) -> None:
        root = root.absolute()  # a worker may be started elsewhere
        try:
            description = _described(root).of(config)
            shards = description.shards(split)
            _check_files(root, shards)
        except OSError as error:
            raise refused(Path(error.filename or root), error) from error
        files = Files()
        self.root, self.split, self.styles = root, split, description.styles
        self.config, self._has_color = description.config, description.has_color
        self._chosen = description.choose(styles)
        self._tars = [IndexedTar(root, shard, files) for shard in shards]
        self._ends = list(accumulate(shard.samples for shard in shards))

    def __len__(self) -> int:
        return self._ends[-1]

    def __getitem__(self, index: int) -> Sample:
        """A sample with its color and the chosen styles decoded.

        Raises: IndexError. DatasetError: one of its files is missing or damaged. StorageError: it can't be
            read.
        """
        return self.read(index, self._chosen)

    def __getitems__(self, indices: Sequence[int]) -> list[Sample]:
        """Several samples, as PyTorch asks for a batch."""
        return [self[index] for index in indices]

    def __iter__(self) -> Iterator[Sample]:
        return (self[index] for index in range(len(self)))

    def __repr__(self) -> str:
        styles = ", ".join(self.styles) or "none"
        config = f", config={self.config!r}" if self.config else ""
        return f"Samples({str(self.root)!r}, {self.split!r}{config}): {len(self):,} samples, styles {styles}"

    def read(self, index: int, styles: Sequence[str], *, color: bool = True) -> Sample:
        """A sample with other styles than the chosen ones, or none; its color too unless told otherwise.

        Raises: as for samples[index]. UnknownPart: the data set has no such style.
        """
        tar, row = self._locate(index)
        lines = self._lines(styles)
        members = tar.members(row)
        has_color = color and self._has_color
        suffixes = wanted(members, lines.values(), color=has_color)
        files = {suffix: tar.read(members[suffix]) for suffix in suffixes if suffix in members}
        return decode(str(self.root), f"{tar.shard.tar}/{key_of(members)}", files, lines, color=has_color)

    def files(self, index: int) -> dict[str, bytes]:
        """The files of a sample as they are, by suffix: color.jpg, json, lineart.png …"""
        tar, row = self._locate(index)
        return {suffix: tar.read(member) for suffix, member in tar.members(row).items()}

    @property
    def shard_names(self) -> list[str]:
        """The names of the split's shards, SPLIT-00000-of-00012 and so on."""
        return [tar.shard.name for tar in self._tars]

    @property
    def keys(self) -> Sequence[str]:
        """The samples' keys, read as they are asked for."""
        return Keys(self)

    def key(self, index: int) -> str:
        """The key of one sample."""
        tar, row = self._locate(index)
        return key_of(tar.members(row))

    def all_keys(self) -> Iterator[str]:
        """The keys of all samples, in order; each index is read from end to end."""
        return (key for tar in self._tars for key in tar.read_keys())

    def order(
        self, seed: int, epoch: int, rank: int = 0, ranks: int = 1, worker: int = 0, workers: int = 1
    ) -> NDArray[np.int64]:
        """The samples' numbers in the order of an epoch, shuffled exactly: int64 (n,).

        A rank's part, and a worker's part of that, are disjoint from the others', make the whole with them,
        and are equally long ±1. To resume, leave out those already seen.
        """
        whole = sample_order.shuffled(len(self), seed, epoch)
        return sample_order.part(whole, rank, ranks, worker, workers)

    def _lines(self, styles: Sequence[str]) -> dict[str, str]:
        for style in styles:
            if style not in self.styles:
                raise UnknownPart(unknown_style(str(self.root), style, self.styles))
        return {style: line_suffix(style, self.styles[0]) for style in styles}

    def _locate(self, index: int) -> tuple[IndexedTar, int]:
        """The tar of a sample, and its number there."""
        number = operator.index(index)
        if not -len(self) <= number < len(self):
            raise IndexError(f"sample {number:,} of {len(self):,}")
        number %= len(self)
        shard = bisect_right(self._ends, number)
        tar = self._tars[shard]
        return tar, number - self._ends[shard] + tar.shard.samples


class Keys(Sequence[str]):
    """The keys of samples, lazily."""

    def __init__(self, samples: Samples) -> None:
        self._samples = samples

    def __len__(self) -> int:
        return len(self._samples)

    @overload
    def __getitem__(self, index: int) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> list[str]: ...
    def __getitem__(self, index: int | slice) -> str | list[str]:
        if isinstance(index, slice):
            return [self._samples.key(n) for n in range(len(self))[index]]
        return self._samples.key(index)

    def __iter__(self) -> Iterator[str]:
        return self._samples.all_keys()


def _described(root: Path) -> Description:
    if not (root / MANIFEST).is_file():
        raise DatasetError(_no_dataset(root))
    return describe(str(root), *(_document(root, name) for name in (MANIFEST, INDEX)))


def _no_dataset(root: Path) -> str:
    inner = root / "dataset"
    if (inner / MANIFEST).is_file():
        return f"{root} is a workspace; its data set is {inner}. Name that."
    return (
        f"{root} is no data set of anidata: there is no {MANIFEST} in it. "
        "Make one with: anidata run quickstart WORK SOURCE"
    )


def _document(root: Path, name: str) -> bytes:
    try:
        return opening.read_bytes(root / name, MAX_JSON)
    except opening.TooLarge as error:
        damaged(str(root), name, f"has over {MAX_JSON:,} bytes", error)
    except OSError as error:
        raise refused(root / name, error) from error


def _check_files(root: Path, shards: Sequence[ShardFile]) -> None:
    """See that all files are there and of their size: better now than hours later.

    Raises: DatasetError: a shard or its index is missing, or a tar isn't of its size.
    """
    absent = [name for s in shards for name in (s.tar, s.index) if not (root / name).is_file()]
    if absent:
        raise DatasetError(missing(root / absent[0], len(absent) - 1))
    for shard in shards:
        if (size := (root / shard.tar).stat().st_size) != shard.size:
            damaged(str(root), shard.tar, f"has {size:,} bytes; the index says {shard.size:,}")
