"""The stored files of pairs, read back from WORK/pairs."""

from collections.abc import Mapping
from typing import Any

from anidata import storage
from anidata.catalog.damage import damaged
from anidata.errors import BadImage
from anidata.storage import Reference
from anidata.tar import writer
from anidata.tar.reader import BLOCK
from anidata.workspace import Workspace

MOST = 1 << 30  # bytes of a file of a pair


def pair_file(workspace: Workspace, entry: Mapping[str, Any]) -> bytes:
    """The bytes of a file of a pair, that its row tells of; entry: a row of schemas.PAIRS.

    Raises: DamagedError: its tar is missing, cut short, or has something else there.
    """
    tar, offset, size = entry["tar"], entry["offset"], entry["size"]
    name = f"{entry['key']}.{entry['style']}.{entry['suffix']}"
    at = Reference(f"pairs/{tar}", offset - BLOCK, size + BLOCK)
    try:
        block = storage.read(at, workspace.path, MOST)
    except BadImage as error:
        raise damaged(workspace.folder("pairs") / tar, error.message) from error
    if block[:BLOCK] != writer.header(name, size):
        raise damaged(workspace.folder("pairs") / tar, f"{name} isn't at byte {offset:,}")
    data = block[BLOCK:]
    digest = entry.get("digest")  # none: an earlier version's
    if digest and storage.key_of(data) != digest:
        raise damaged(workspace.folder("pairs") / tar, f"{name} isn't the file that its row tells of")
    return data
