"""The description of a data set by its own documents: its styles, splits and shards.

They are given as bytes: a folder and a URL are read alike.
"""

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NoReturn, TypeVar

import msgspec

from anidata import registry
from anidata.errors import DatasetError, FormatError, UnknownPart

FORMAT = 1  # of DATASET: what the shard stage writes, and loaders and the audit read
# What a sample has; each is a config of an unpaired set, in whose samples it stands alone.
COLOR, LINEART = CONFIGS = ("color", "lineart")
MANIFEST, INDEX = "manifest.json", "index/shardindex.json"
MAX_JSON = 1 << 28  # bytes of either
UNPAIRED = (
    "has no pairs: no sample of it has both a line and its color. Read one of its configs with "
    "load_dataset(DATASET, SPLIT, config='color') or config='lineart'; train on both with "
    "anidata train-baseline gan DATASET RUN --preset cyclegan; or build pairs with "
    "anidata shard WORK DATASET --set shard.unpaired=false"
)
TAR = re.compile(r"\.\./data/([\w.-]+)\.tar")  # how the index names a tar; nothing that leads elsewhere


@dataclass(frozen=True)
class ShardFile:
    """A tar of the data set, and its index."""

    name: str  # SPLIT-00000-of-00012; of an unpaired set CONFIG-SPLIT-00000-of-00012
    samples: int
    size: int  # bytes of the tar

    @property
    def tar(self) -> str:
        return f"data/{self.name}.tar"

    @property
    def index(self) -> str:
        return f"index/{self.name}.idx"


@dataclass(frozen=True, kw_only=True)
class Description:
    """A data set by its own documents, or one config of an unpaired set."""

    address: str  # its folder or URL
    styles: tuple[str, ...]  # the first is the default
    splits: Mapping[str, tuple[ShardFile, ...]]  # none of them empty
    planned: tuple[str, ...]  # the recipe's splits: some may have got no sample
    unpaired: bool = False  # its samples have color or lines, none has both
    config: str = ""  # COLOR or LINEART of an unpaired set; its splits are CONFIG-SPLIT until one is chosen

    def of(self, config: str) -> "Description":
        """What a config has; of a set of pairs all, by the name ''.

        Raises: DatasetError: an unpaired set, and no config is named. UnknownPart: no such config.
        """
        if not self.unpaired and config:
            raise UnknownPart(
                f"{self.address} has no config '{config}': its samples are pairs. Leave the config out; or "
                "build a set without pairs with: anidata shard WORK DATASET --set shard.unpaired=true"
            )
        if not self.unpaired:
            return self
        if not config:
            raise DatasetError(f"{self.address} {UNPAIRED}")
        if config not in CONFIGS:
            near = registry.nearest(config, CONFIGS)
            raise UnknownPart(f"{self.address} has no config '{config}'.{near} There are: color, lineart")
        own = {
            name.removeprefix(f"{config}-"): shards
            for name, shards in self.splits.items()
            if name.startswith(f"{config}-")
        }
        return replace(self, config=config, splits=own, styles=() if config == COLOR else self.styles)

    @property
    def has_color(self) -> bool:
        """Whether its samples have color."""
        return self.config != LINEART

    def shards(self, split: str) -> tuple[ShardFile, ...]:
        """The shards of a split.

        Raises: DatasetError: an empty split. UnknownPart: no such split.
        """
        if split in self.splits:
            return self.splits[split]
        counts = {name: sum(shard.samples for shard in shards) for name, shards in self.splits.items()}
        there = ", ".join(f"{name} ({count:,})" for name, count in counts.items()) or "none"
        address = f"{self.address}, config '{self.config}'" if self.config else self.address
        if split in self.planned:
            raise DatasetError(
                f"{address}: the split '{split}' has no samples. Choose among: {there}; "
                f"or add pictures, or give it a larger share: anidata shard WORK --set 'shard.splits={{…}}'"
            )
        raise UnknownPart(
            f"{address}: there is no split '{split}'.{registry.nearest(split, self.splits)} "
            f"There are: {there}"
        )

    def choose(self, styles: Sequence[str] | None) -> tuple[str, ...]:
        """The styles asked for; of None the first.

        Raises: UnknownPart: the data set has no such style.
        """
        if styles and self.config == COLOR:
            raise UnknownPart(f"{self.address}: the config 'color' has no lineart; 'lineart' has")
        chosen = self.styles[:1] if styles is None else tuple(styles)
        for style in chosen:
            if style not in self.styles:
                raise UnknownPart(unknown_style(self.address, style, self.styles))
        return chosen


def unknown_style(address: str, style: str, there: Sequence[str]) -> str:
    styles = " --style ".join([*there, style])
    return (
        f"{address} has no lineart in the style '{style}'.{registry.nearest(style, there)} "
        f"There are: {', '.join(there)}. "
        f"Draw it too with: anidata extract-lineart WORK --style {styles}, then anidata shard WORK"
    )


Document = TypeVar("Document", bound=msgspec.Struct)


class _Format(msgspec.Struct):
    format: int


class _Lineart(msgspec.Struct):
    styles: list[str]


class _Shares(msgspec.Struct):
    splits: dict[str, float]
    unpaired: bool = False


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


def describe(address: str, manifest: bytes, index: bytes) -> Description:
    """The description that a manifest and an index of shards give.

    Raises: FormatError: of another format number. DatasetError: documents that aren't ours, or are damaged.
    """
    number = _parsed(address, MANIFEST, manifest, _Format).format
    if number != FORMAT:
        raise FormatError(
            f"{address} is of data set format {number}; this version of anidata reads {FORMAT}. "
            "Use the one that made it."
        )
    recipe = _parsed(address, MANIFEST, manifest, _Manifest).recipe
    splits: dict[str, list[ShardFile]] = defaultdict(list)
    for entry in _parsed(address, INDEX, index, _Index).shardlist:
        if entry.nsamples:
            splits[entry.dataset].append(_shard(address, entry))
    return Description(
        address=address,
        styles=tuple(recipe.lineart.styles),
        splits={split: tuple(sorted(shards, key=lambda s: s.name)) for split, shards in splits.items()},
        planned=tuple(recipe.shard.splits),
        unpaired=recipe.shard.unpaired,
    )


def _shard(address: str, entry: _Entry) -> ShardFile:
    named = TAR.fullmatch(entry.url)
    if not named or entry.nsamples < 0 or entry.filesize < 0:
        text = f"{entry.url!r} with {entry.nsamples} samples in {entry.filesize} bytes isn't a shard"
        damaged(address, INDEX, text)
    return ShardFile(named[1], entry.nsamples, entry.filesize)


def _parsed(address: str, name: str, data: bytes, kind: type[Document]) -> Document:
    try:
        return msgspec.json.decode(data, type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        damaged(address, name, f"{error}", error)


def damaged(address: str, name: str, what: str, cause: Exception | None = None) -> NoReturn:
    """Raise for a file of the data set that isn't what it should be.

    Raises: DatasetError.
    """
    raise DatasetError(
        f"{address}/{name}: {what}. See what else is wrong with it: anidata audit DATASET; "
        "then copy it anew, or build it again with: anidata shard WORK DATASET"
    ) from cause
