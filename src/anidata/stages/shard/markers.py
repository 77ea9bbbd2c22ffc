"""Markers: a note for each shard on what it was packed from, beside the state of its data set."""

import json
from pathlib import Path
from typing import TypedDict

from anidata import storage


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

    name: str  # SPLIT-00000-of-00012
    split: str
    samples: int
    files: Files
    licenses: dict[str, int]  # license → samples


def read_marker(markers: Path, name: str) -> Marker:
    """The marker of a shard. Raises: OSError, ValueError: there is none."""
    marker: Marker = json.loads(marker_path(markers, name).read_bytes())
    return marker


def begin(markers: Path, name: str, files: list[str]) -> None:
    """Mark a shard as begun: these files may be there, and may be of any content."""
    storage.publish_json(marker_path(markers, name), {"files": dict.fromkeys(files)})


def marker_path(markers: Path, name: str) -> Path:
    return markers / f"{name}.json"


def split_of(name: str) -> str:
    """The split of a shard by its name."""
    return name.rsplit("-", 3)[0]
