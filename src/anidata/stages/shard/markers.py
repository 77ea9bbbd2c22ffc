"""Markers: a note for each shard on what it was packed from, beside the state of its data set."""

from pathlib import Path
from typing import TypedDict

from anidata import storage
from anidata.catalog.damage import damaged, read_json
from anidata.errors import DamagedError
from anidata.stages.shard import configs


class FileEntry(TypedDict):
    """A file of the data set, as its manifest lists it."""

    bytes: int
    sha256: str


Files = dict[str, FileEntry]  # by path below the data set


class Fingerprints(TypedDict):
    """The fingerprints of all that a shard's tar and its table are made from."""

    tar: str
    table: str


class Marker(Fingerprints):
    """A packed shard. That of one that was begun and not finished has no more than the names of its files."""

    name: str  # GROUP-00000-of-00012
    split: str
    samples: int
    files: Files
    licenses: dict[str, int]  # license → samples


def read_marker(markers: Path, name: str) -> Marker:
    """The marker of a shard. Raises: OSError, DamagedError: there is none, or it was only begun."""
    path = marker_path(markers, name)
    marker = read_json(path, Marker)
    if marker["name"] != name:
        raise damaged(path, f"it is of {marker['name']}")
    return marker


def listed(document: Path) -> set[str]:
    """The files that a manifest or a marker lists; none where it is damaged: better one too many stays."""
    try:
        return set(read_json(document, _Listing)["files"])
    except (FileNotFoundError, DamagedError):
        return set()


class _Listing(TypedDict):
    """All that a manifest and every marker have."""

    files: dict[str, FileEntry | None]


def begin(markers: Path, name: str, files: list[str]) -> None:
    """Mark a shard as begun: these files may be there, and may be of any content."""
    storage.publish_json(marker_path(markers, name), {"files": dict.fromkeys(files)})


def marker_path(markers: Path, name: str) -> Path:
    return markers / f"{name}.json"


def group_of(name: str) -> str:
    """The group of a shard by its name."""
    return name.rsplit("-", 3)[0]


def split_of(name: str) -> str:
    """The split of a shard by its name."""
    return configs.split_of(group_of(name))
