"""WebDataset tars and img2dataset's folders, here or by URL: samples with captions, lineart and all that
their JSON says; never unpacked
"""

from collections.abc import Iterator
from typing import Any

from anidata.errors import SourceError
from anidata.sources import Options, Record
from anidata.sources.listing.samples import placeholder, samples
from anidata.sources.listing.shards import look_of, rows_of, shards_of
from anidata.sources.listing.sidecars import clean
from anidata.sources.web.secrets import refuse_secrets
from anidata.storage import encode

EXAMPLE = "webdataset:shards/"
PREFIX = "webdataset:"
TAKES = "a tar, a folder of tars, a pattern like a-{00..99}.tar, or a URL"


def accepts(text: str) -> bool:
    return text.startswith(PREFIX)


def check(text: str) -> None:
    """Refuse a URL with credentials, which are never to be remembered. Raises: SourceError."""
    refuse_secrets(text)


def state(text: str, options: Options) -> str | None:  # noqa: ARG001  the contract's
    """Names, sizes and dates of tars that are here; of others only asking for them tells."""
    return look_of(text.removeprefix(PREFIX))


def placeholders(text: str) -> Iterator[Record]:
    """For each tar the record that stands for what of it can't be had; the next listing reads it again."""
    root, shards = shards_of(text.removeprefix(PREFIX))
    return (placeholder(root, shard.below) for shard in shards)


def records(text: str, options: Options) -> Iterator[Record]:
    root, shards = shards_of(text.removeprefix(PREFIX), options.passed_by)
    for shard in shards:
        rows: dict[str, Any] = {}
        try:
            rows = rows_of(shard)
        except SourceError as error:  # its tar is none the worse
            name, words = encode(shard.below or "tar"), clean(f"{error}")
            yield Record(root=root, name=f"{name}#table", file="\ufffd", error="corrupt", message=words)
        yield from samples(root, shard.below, shard.members(options), rows, options)
