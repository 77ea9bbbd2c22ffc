"""Packing, in a worker: one shard's tar, its metadata table and its index.

They are published with a marker that says what they were made from.
"""

import hashlib
import json
from collections import Counter
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import BinaryIO, TypedDict, cast

import pyarrow as pa

from anidata import recipe, storage
from anidata.catalog import schemas, tables
from anidata.catalog.damage import damaged
from anidata.catalog.pairs import pair_file
from anidata.engine.engine import Watch
from anidata.errors import DamagedError
from anidata.imaging.headers import sniff
from anidata.stages.shard import configs
from anidata.stages.shard.markers import (
    FileEntry,
    Files,
    Fingerprints,
    Marker,
    begin,
    group_of,
    marker_path,
    read_marker,
    split_of,
)
from anidata.stages.shard.samples import MARKS, Row, about, metadata, metadata_schema
from anidata.tar import opening, writer
from anidata.workspace import Workspace

VERSION = 1
TAR_FILES = ("data/{}.tar", "index/{}.idx")  # of one shard, by its name
TABLE_FILES = ("metadata/{}.parquet",)
FORMS = {"jpg": "jpeg", "png": "png", "webp": "webp"}  # of a pair's files, by their suffix
TAR, TABLE = "tar", "table"
BY_PIECE = {TAR: TAR_FILES, TABLE: TABLE_FILES}
STORED = (
    "key",
    "style",
    "suffix",
    "tar",
    "offset",
    "size",
    "fingerprint",
    "width",
    "height",
    "drawn",
    "digest",
    *MARKS,
)


class StoredFile(TypedDict):
    """A file of a pair in the workspace: a row of the columns STORED."""

    key: str
    style: str
    suffix: str
    tar: str
    offset: int
    size: int
    fingerprint: str
    width: int
    height: int
    digest: str | None
    drawn: str | None  # the style really drawn in; None: it is no line
    ink: float | None
    stroke_width: float | None
    components: int | None
    specks: int | None


@dataclass(frozen=True, kw_only=True)
class ShardPart:
    """A tar to write: its samples, sorted by key, and where the files of each lie."""

    workspace: Workspace
    dataset: Path
    markers: Path
    name: str  # GROUP-00000-of-00012
    table: pa.Table  # its samples, sorted by key: the columns `known`
    files: (
        pa.Table
    )  # of its samples, sorted by key and style: the columns STORED; of two alike the first counts
    styles: tuple[str, ...]
    polarity: str  # of their lines

    @cached_property
    def rows(self) -> list[Row]:
        """The samples, each with its `files`, and the size and ink of what is in them."""
        samples: list[Row] = self.table.to_pylist()
        files: dict[str, dict[str, StoredFile]] = {row["key"]: {} for row in samples}
        for entry in cast("list[StoredFile]", self.files.to_pylist()):
            if configs.has(self.config, entry["style"]):
                files[entry["key"]].setdefault(entry["style"], entry)
        for row in samples:
            _add_files(row, files[row["key"]], self.styles[0])
        return samples

    @property
    def split(self) -> str:
        return split_of(self.name)

    @property
    def config(self) -> str:
        """COLOR or LINEART of an unpaired set: the samples have no other pictures. Empty: they are pairs."""
        return configs.config_of(group_of(self.name))

    @property
    def fingerprints(self) -> Fingerprints:
        """Two, so that a new measure rewrites the table alone."""
        sources = [_sources(row["files"]) for row in self.rows]
        texts = [about(row, self.config, self.polarity) for row in self.rows]
        return {
            "tar": recipe.fingerprint(VERSION, texts, sources, self.styles),
            "table": recipe.fingerprint(VERSION, [metadata(row) for row in self.rows]),
        }


def _add_files(row: Row, stored: dict[str, StoredFile], first: str) -> None:
    """Complete a sample by its files. stored: by style; first: the style of lineart.png."""
    line = cast("Row", stored.get(first, {}))
    page = cast("Row", stored.get(schemas.COLOR, line))
    row["files"] = [*stored.values()]
    row["fitted_width"], row["fitted_height"] = page.get("width"), page.get("height")
    row |= {name: line.get(name) for name in ("drawn", *MARKS)}


def _sources(files: list[StoredFile]) -> list[Row]:
    """All of a sample's files that the tar depends on, besides their bytes' place."""
    return [
        {
            "style": entry["style"],
            "suffix": entry["suffix"],
            "size": entry["size"],
            "fingerprint": entry["fingerprint"],
        }
        for entry in files
    ]


def stale(shard: ShardPart) -> set[str]:
    """Which of TAR and TABLE has to be written."""
    try:
        marker = read_marker(shard.markers, shard.name)
    except (OSError, DamagedError):
        return {TAR, TABLE}
    prints = shard.fingerprints
    return {
        piece
        for piece, names in BY_PIECE.items()
        if marker.get(piece) != prints.get(piece)
        or not all(_is_there(shard, marker, name.format(shard.name)) for name in names)
    }


def _is_there(shard: ShardPart, marker: Marker, name: str) -> bool:
    path = shard.dataset / name
    entry = marker["files"].get(name)
    return entry is not None and path.exists() and path.stat().st_size == entry["bytes"]


def pack(shard: ShardPart, watch: Watch) -> set[str]:
    """Write what is stale of one shard, its marker last.

    Until then the marker only says that it was begun.
    """
    todo = stale(shard)
    if not todo:
        for _ in watch.each(shard.rows):  # they count as done
            pass
        return todo
    files = {} if todo == {TAR, TABLE} else read_marker(shard.markers, shard.name)["files"]
    begin(shard.markers, shard.name, [name.format(shard.name) for name in (*TAR_FILES, *TABLE_FILES)])
    if TAR in todo:
        files |= _pack_tar(shard, watch)
    if TABLE in todo:
        files |= _pack_table(shard)
    licenses = Counter(row["license"] or "" for row in shard.rows)
    marker: Marker = {
        "name": shard.name,
        "split": shard.split,
        "samples": len(shard.rows),
        "files": files,
        "licenses": dict(sorted(licenses.items())),
        **shard.fingerprints,
    }
    storage.publish_json(marker_path(shard.markers, shard.name), marker)
    return todo


def _pack_tar(shard: ShardPart, watch: Watch) -> Files:
    path, index = (name.format(shard.name) for name in TAR_FILES)
    with storage.publishing(shard.dataset / path) as file:
        hashed = _Hashed(file)
        tar = writer.TarWriter(hashed)
        members = [
            tar.add(name, data) for row, _ in watch.each(shard.rows) for name, data in sample(shard, row)
        ]
        size = tar.close()
    text = writer.index_text(members).encode()
    storage.publish(shard.dataset / index, text)
    return {path: {"bytes": size, "sha256": hashed.digest.hexdigest()}, index: entry_of(text)}


def _pack_table(shard: ShardPart) -> Files:
    (name,) = TABLE_FILES
    path = name.format(shard.name)
    rows = [metadata(row) for row in shard.rows]
    tables.write_plain(shard.dataset / path, pa.Table.from_pylist(rows, schema=metadata_schema()))
    return {path: entry_of(opening.read_bytes(shard.dataset / path))}


def entry_of(data: bytes) -> FileEntry:
    return {"bytes": len(data), "sha256": storage.digest(data)}


def sample(shard: ShardPart, row: Row) -> list[tuple[str, bytes]]:
    """The members of a sample, sorted by name.

    KEY.color.EXT, KEY.json, KEY.lineart.png, and KEY.lineart.STYLE.png for further styles.
    """
    key = row["key"]
    text = json.dumps(about(row, shard.config, shard.polarity), ensure_ascii=False, sort_keys=True)
    members = {f"{key}.json": text.encode()}
    for entry in row["files"]:
        data = pair_file(shard.workspace, entry)
        _check_form(shard, entry, data)
        members[f"{key}.{_role(entry['style'], shard.styles[0])}.{entry['suffix']}"] = data
    return sorted(members.items())


def _check_form(shard: ShardPart, entry: StoredFile, data: bytes) -> None:
    """See that a file is a picture of the form, and as PNG of the size, that its row tells of.

    Raises: DamagedError.
    """
    size = entry["width"].to_bytes(4) + entry["height"].to_bytes(4)
    if sniff(data) != FORMS.get(entry["suffix"]) or (entry["suffix"] == "png" and data[16:24] != size):
        why = f"{entry['key']}.{entry['style']}.{entry['suffix']} isn't the picture that its row tells of"
        raise damaged(shard.workspace.folder("pairs") / entry["tar"], why)


def _role(style: str, first: str) -> str:
    """The word for a file of a sample in its member's name; first: the style of lineart.png."""
    if style == schemas.COLOR:
        return "color"
    return "lineart" if style == first else f"lineart.{style}"


class _Hashed:
    """A file that is hashed as it is written."""

    def __init__(self, file: BinaryIO) -> None:
        self._file, self.digest = file, hashlib.sha256()

    def write(self, data: bytes) -> int:
        self.digest.update(data)
        return self._file.write(data)
