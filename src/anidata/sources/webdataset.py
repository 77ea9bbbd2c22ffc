"""WebDataset tars and img2dataset's folders, here or by URL: samples with captions, lineart and all that their JSON says; never unpacked"""

from collections.abc import Iterator

from anidata.sources import Options, Record
from anidata.sources._samples import samples
from anidata.sources._shards import look_of, rows_of, shards_of

EXAMPLE = "webdataset:shards/"
PREFIX = "webdataset:"


def accepts(text: str) -> bool:
    return text.startswith(PREFIX)


def state(text: str, options: Options) -> str | None:  # noqa: ARG001  the shelf's contract
    """Names, sizes and dates of tars that are here; of others only asking for them tells."""
    return look_of(text.removeprefix(PREFIX))


def records(text: str, options: Options) -> Iterator[Record]:
    root, shards = shards_of(text.removeprefix(PREFIX))
    for shard in shards:
        yield from samples(root, shard.below, shard.members(options), rows_of(shard), options)
