"""WebDataset tars and img2dataset's folders, here or by URL: samples with captions, lineart and all that their JSON says; never unpacked"""

from collections.abc import Iterator

from anidata.errors import SourceError
from anidata.sources import Options, Record
from anidata.sources.listing.samples import rest, samples
from anidata.sources.listing.shards import look_of, rows_of, shards_of
from anidata.sources.web.secrets import has_secrets, scrubbed

EXAMPLE = "webdataset:shards/"
PREFIX = "webdataset:"


def accepts(text: str) -> bool:
    return text.startswith(PREFIX)


def check(text: str) -> None:
    """Raises: SourceError: a URL with credentials, which are never to be remembered."""
    if "://" in text and has_secrets(text):
        raise SourceError(
            f"{scrubbed(text)}: credentials in a URL would be written down. Type it without: fsspec takes them from its own config"
        )


def state(text: str, options: Options) -> str | None:  # noqa: ARG001  the shelf's contract
    """Names, sizes and dates of tars that are here; of others only asking for them tells."""
    return look_of(text.removeprefix(PREFIX))


def placeholders(text: str) -> Iterator[Record]:
    """The row of each tar that stands for what of it can't be had; the next listing reads it again."""
    root, shards = shards_of(text.removeprefix(PREFIX))
    return (rest(root, shard.below) for shard in shards)


def records(text: str, options: Options) -> Iterator[Record]:
    root, shards = shards_of(text.removeprefix(PREFIX))
    for shard in shards:
        yield from samples(root, shard.below, shard.members(options), rows_of(shard), options)
