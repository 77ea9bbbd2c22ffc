"""What the documents of a data set say of its styles, splits and shards. Given as bytes: a folder and a URL are read alike."""

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NoReturn, TypeVar

import msgspec

from anidata import registry
from anidata.errors import DatasetError, FormatError, UnknownPart

FORMAT = 1  # of DATASET, as stages/shard.py writes it; said again here, since a loader's worker has no use for the stages' imports
MANIFEST, INDEX = "manifest.json", "index/shardindex.json"
MAX_JSON = 1 << 28  # bytes of either
TAR = re.compile(r"\.\./data/([\w.-]+)\.tar")  # how the index names a tar; nothing that leads elsewhere


@dataclass(frozen=True)
class Shard:
    """A tar of the data set, and its index."""

    name: str  # SPLIT-00000-of-00012
    samples: int
    size: int  # bytes of the tar

    @property
    def tar(self) -> str:
        return f"data/{self.name}.tar"

    @property
    def index(self) -> str:
        return f"index/{self.name}.idx"


@dataclass(frozen=True)
class Description:
    """A data set by its own documents."""

    place: str  # its folder or URL
    styles: tuple[str, ...]  # the first is the default
    splits: Mapping[str, tuple[Shard, ...]]  # none of them empty
    planned: tuple[str, ...]  # the recipe's splits: some may have got no sample

    def shards(self, split: str) -> tuple[Shard, ...]:
        """The shards of a split.

        Raises: DatasetError: an empty split. UnknownPart: no such split.
        """
        if split in self.splits:
            return self.splits[split]
        there = (
            ", ".join(f"{name} ({sum(s.samples for s in shards):,})" for name, shards in self.splits.items())
            or "none"
        )
        if split in self.planned:
            raise DatasetError(
                f"{self.place}: the split '{split}' has no samples. Choose among: {there}; "
                f"or add pictures, or give it a larger share: anidata shard WORK --set 'shard.splits={{…}}'"
            )
        raise UnknownPart(
            f"{self.place}: there is no split '{split}'.{registry.nearest(split, self.splits)} There are: {there}"
        )

    def choose(self, styles: Sequence[str] | None) -> tuple[str, ...]:
        """The styles asked for; of None the first.

        Raises: UnknownPart: the data set has no such style.
        """
        chosen = self.styles[:1] if styles is None else tuple(styles)
        for style in chosen:
            if style not in self.styles:
                raise UnknownPart(unknown_style(self.place, style, self.styles))
        return chosen


def unknown_style(place: str, style: str, there: Sequence[str]) -> str:
    return (
        f"{place} has no lineart in the style '{style}'.{registry.nearest(style, there)} There are: {', '.join(there)}. "
        f"Draw it too with: anidata extract-lineart WORK --style {' --style '.join([*there, style])}, then anidata shard WORK"
    )


Document = TypeVar("Document", bound=msgspec.Struct)


class _Format(msgspec.Struct):
    format: int


class _Lineart(msgspec.Struct):
    styles: list[str]


class _Shares(msgspec.Struct):
    splits: dict[str, float]


class _Recipe(msgspec.Struct):
    lineart: _Lineart
    shard: _Shares


class _Manifest(msgspec.Struct):
    recipe: _Recipe


class _Entry(msgspec.Struct):
    url: str
    dataset: str
    nsamples: int
    filesize: int


class _Index(msgspec.Struct):
    shardlist: list[_Entry]


def describe(place: str, manifest: bytes, index: bytes) -> Description:
    """Raises: FormatError: of another format number. DatasetError: documents that aren't ours, or are damaged."""
    number = _parsed(place, MANIFEST, manifest, _Format).format
    if number != FORMAT:
        raise FormatError(
            f"{place} is of data set format {number}; this version of anidata reads {FORMAT}. Use the one that made it."
        )
    recipe = _parsed(place, MANIFEST, manifest, _Manifest).recipe
    splits: dict[str, list[Shard]] = defaultdict(list)
    for entry in _parsed(place, INDEX, index, _Index).shardlist:
        if entry.nsamples:
            splits[entry.dataset].append(_shard(place, entry))
    found = {split: tuple(sorted(shards, key=lambda s: s.name)) for split, shards in splits.items()}
    return Description(place, tuple(recipe.lineart.styles), found, tuple(recipe.shard.splits))


def _shard(place: str, entry: _Entry) -> Shard:
    named = TAR.fullmatch(entry.url)
    if not named or entry.nsamples < 0 or entry.filesize < 0:
        damaged(
            place,
            INDEX,
            f"{entry.url!r} with {entry.nsamples} samples in {entry.filesize} bytes isn't a shard",
        )
    return Shard(named[1], entry.nsamples, entry.filesize)


def _parsed(place: str, name: str, data: bytes, kind: type[Document]) -> Document:
    try:
        return msgspec.json.decode(data, type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        damaged(place, name, f"{error}", error)


def damaged(place: str, name: str, what: str, cause: Exception | None = None) -> NoReturn:
    """Raises: DatasetError: a file of the data set isn't what it should be."""
    raise DatasetError(
        f"{place}/{name}: {what}. See what else is wrong with it: anidata audit DATASET; "
        "then copy it anew, or build it again with: anidata shard WORK DATASET"
    ) from cause
