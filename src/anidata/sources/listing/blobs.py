"""The copies that a source has in WORK/blobs."""

import tarfile
from pathlib import Path

from anidata.catalog.damage import damaged
from anidata.tar import opening, writer


def copies(blob: Path) -> list[writer.Member]:
    """The members of a tar of copies.

    Raises: DamagedError: it is no tar any more, or cut short.
    """
    try:
        with opening.opened(blob) as file:
            return list(writer.members(file))
    except tarfile.TarError as error:
        raise damaged(blob, f"{error}") from error
