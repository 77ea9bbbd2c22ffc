"""The copies that a source has in WORK/blobs. Their tar notes its name: one in another's place is seen."""

import tarfile
from pathlib import Path

from anidata.catalog.damage import damaged
from anidata.tar import opening, writer

LONGEST = 255  # bytes of a name
NOTE = "blob"  # the member that holds the name


def note(tar: writer.TarWriter, name: str) -> None:
    """Note a tar's own name in it."""
    tar.add(NOTE, name.encode())


def copies(blob: Path) -> list[writer.Member]:
    """The members of a tar of copies, without its note; one of an older version has none.

    Raises: DamagedError: it is no tar any more, cut short, or another's.
    """
    try:
        with opening.opened(blob) as file:
            members = list(writer.members(file))
            for member in members:
                if member.name == NOTE:
                    file.seek(member.offset)
                    name = file.read(min(member.size, LONGEST)).decode("utf-8", "replace")
                    if name != blob.name:
                        raise damaged(blob, f"it is {name!r}")
    except tarfile.TarError as error:
        raise damaged(blob, f"{error}") from error
    return [member for member in members if member.name != NOTE]
