"""The copies that a source has in WORK/blobs. Their tar notes its name: one in another's place is seen."""

import os
import tarfile
from pathlib import Path

from anidata.catalog.damage import damaged
from anidata.tar import opening, writer
from anidata.tar.reader import BLOCK

LONGEST = 255  # bytes of a name
NOTE = "blob"  # the member that holds the name


def note(tar: writer.TarWriter, name: str) -> None:
    """Note a tar's own name in it."""
    tar.add(NOTE, name.encode())


def check_end(blob: Path) -> None:
    """Look at the note that a tar of copies ends with; one of an older version has none.

    Raises: DamagedError: it is cut short, or another's.
    """
    with opening.opened(blob) as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - 2 * BLOCK - len(writer.END)))
        tail = file.read()
    if not tail.endswith(writer.END):
        raise damaged(blob, "it is cut short")
    name = tail[BLOCK : 2 * BLOCK].rstrip(b"\0")
    if tail[:BLOCK] == writer.header(NOTE, len(name)):
        compare(blob, name.decode("utf-8", "replace"))


def compare(path: Path, noted: str) -> None:
    """Raises: DamagedError: a file notes another name than its own."""
    if noted != path.name:
        raise damaged(path, f"it is {noted!r}")


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
                    compare(blob, file.read(min(member.size, LONGEST)).decode("utf-8", "replace"))
    except tarfile.TarError as error:
        raise damaged(blob, f"{error}") from error
    return [member for member in members if member.name != NOTE]
