"""The pictures that colorizers are compared on: of a split, by their keys, at the models' size."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from anidata import registry
from anidata.dataset.description import damaged
from anidata.dataset.samples import Samples, load_dataset
from anidata.errors import DatasetError
from anidata.lineart import draw
from anidata.tar import opening, untrusted
from anidata.training.data import augment

Pixels = npt.NDArray[np.uint8]

# drawn for this alone, where a data set has one style: the first that it hasn't
OTHER = ("xdog", "ink", "canny")
TRUE = "artist"  # lines that a person has drawn


@dataclass(frozen=True)
class Page:
    """A picture as models see it: the square of its middle."""

    key: str
    cluster: str
    color: Pixels  # (size, size, 3)
    lines: Mapping[str, Pixels]  # style → (size, size), ink 0 on paper 255


@dataclass(frozen=True)
class Pages:
    """The pages of a split."""

    samples: Samples
    clusters: Mapping[str, str]  # key → cluster
    keys: Sequence[str]  # in order
    numbers: Sequence[int]  # of the samples, in that order
    styles: tuple[str, ...]
    size: int  # px

    def __len__(self) -> int:
        return len(self.numbers)

    def batches(self, count: int) -> Iterator[list[Page]]:
        """All of them, so many at a time."""
        pages = map(self.page, range(len(self)))
        while batch := list(islice(pages, count)):
            yield batch

    def page(self, index: int) -> Page:
        """One of them, by its index in the order. Raises: DatasetError: it is damaged."""
        own = [style for style in self.styles if style in self.samples.styles]
        sample = self.samples.read(self.numbers[index], own)
        lines = {style: sample["lineart"][style] for style in own}
        lines |= {style: draw.draw(sample["color"], style) for style in self.styles if style not in lines}
        return Page(
            key=sample["key"],
            cluster=self.clusters[sample["key"]],
            color=augment.warp(sample["color"], augment.WHOLE, self.size),
            lines={style: augment.warp(line, augment.WHOLE, self.size) for style, line in lines.items()},
        )


def open_pages(dataset: Path, split: str, styles: Sequence[str], size: int, most: int = 0) -> Pages:
    """The pages of a split, each with a line of each style. most: the first by key alone; 0: all.

    Raises: DatasetError: no data set, an empty split, or damaged. UnknownPart: no such split or style.
    """
    samples = _in_a_folder(dataset, split)
    drawn = tuple(dict.fromkeys(styles)) or default_styles(samples.styles)
    for style in drawn:
        if style not in samples.styles:
            draw.chosen(style, {})  # a wrong name fails now
    keys = list(samples.all_keys())
    order = sorted(range(len(keys)), key=keys.__getitem__)[: most or None]
    chosen = [keys[number] for number in order]
    return Pages(samples, _clusters(dataset, samples, keys), chosen, order, drawn, size)


def default_styles(there: Sequence[str]) -> tuple[str, ...]:
    """A data set's first style, and one that a model of it wasn't trained on.

    The artist's own lines before all; else the set's second; else one that is drawn for it.
    """
    others = [TRUE] if TRUE in there[1:] else list(there[1:2])
    drawn = [style for style in OTHER if style != there[0] and style in registry.names("styles")]
    return (there[0], *(others or drawn[:1]))


def _in_a_folder(dataset: Path, split: str) -> Samples:
    samples = load_dataset(dataset, split)
    if not isinstance(samples, Samples):
        raise DatasetError(
            f"{dataset}: figures need the whole split at hand. Download the data set, and name its folder."
        )
    return samples


def _clusters(dataset: Path, samples: Samples, keys: Sequence[str]) -> dict[str, str]:
    """By key, from the tables of metadata."""
    clusters: dict[str, str] = {}
    for name in samples.shard_names:
        clusters |= _read_clusters(dataset, f"metadata/{name}.parquet")
    if lacking := [key for key in keys if key not in clusters]:
        damaged(str(dataset), "metadata", f"no table there knows {lacking[0]}: pictures have no cluster")
    return clusters


def _read_clusters(dataset: Path, name: str) -> dict[str, str]:
    try:
        with (
            opening.opened(dataset / name) as file,
            pq.ParquetFile(file, **untrusted.PARQUET_BOUNDS) as table,
        ):
            columns = table.read(columns=["key", "cluster"]).to_pydict()
    except (OSError, pa.ArrowException) as error:
        damaged(str(dataset), name, f"can't be read ({error})", error)
    if columns.keys() != {"key", "cluster"}:
        damaged(str(dataset), name, "has no columns key and cluster")
    return {str(key): str(cluster) for key, cluster in zip(columns["key"], columns["cluster"], strict=True)}
