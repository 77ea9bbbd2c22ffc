"""The URLs that hold secrets, kept apart from what is published of them.

A plan names every URL without its credentials and signatures. Where that isn't what is to be fetched, the
whole URL stands in WORK/private/part-GGGGG-IIIII.json, which its owner alone may read, by the name of what
it is asked for. Responses are written down by the published spelling, too.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path

from anidata import storage
from anidata.catalog.damage import read_json
from anidata.sources.web.secrets import url_without_secrets
from anidata.stages.ingest import requests
from anidata.stages.ingest.rows import Sighting
from anidata.workspace import Workspace

Urls = dict[str, str]  # name of what is asked for → URL


def kept_apart(
    workspace: Workspace, generation: int, groups: Iterable[list[Sighting]]
) -> Iterator[list[Sighting]]:
    """Yield the parts of a plan with the published spelling of their URLs; the others are written down."""
    for index, group in enumerate(groups):
        urls: Urls = {}
        shown = [_without_secrets(row, urls) for row in group]
        if urls:
            storage.publish_json(_path(workspace, generation, index), urls, storage.PRIVATE)
        yield shown


def joined(workspace: Workspace, generation: int, index: int, rows: list[Sighting]) -> list[Sighting]:
    """The rows of a part of a plan, with their URLs as they are fetched. Raises: DamagedError."""
    path = _path(workspace, generation, index)
    if not path.exists():
        return rows
    urls = read_json(path, Urls)
    return [_with_secrets(row, urls) for row in rows]


def _path(workspace: Workspace, generation: int, index: int) -> Path:
    return workspace.folder("private") / f"part-{generation:05d}-{index:05d}.json"


def _without_secrets(row: Sighting, urls: Urls) -> Sighting:
    """A row with the published spelling of its URLs. urls: to be filled with what isn't published."""
    for url in requests.asked([row]):
        shown = url_without_secrets(url["at_uri"])
        if shown != url["at_uri"]:
            urls[url["record"]] = url["at_uri"]
            row = requests.spelled(row, url["record"], shown)
    return row


def _with_secrets(row: Sighting, urls: Urls) -> Sighting:
    for url in requests.asked([row]):
        whole = urls.get(url["record"])
        if whole is not None and url_without_secrets(whole) == url["at_uri"]:
            row = requests.spelled(row, url["record"], whole)
    return row
