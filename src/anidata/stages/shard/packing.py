"""Packing, in a worker: one shard's tar, its metadata table and its index, published with a marker that says what it was made from."""

import hashlib
import json
import re
from collections import Counter
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any, BinaryIO

import pyarrow as pa

from anidata import recipe, storage
from anidata.catalog import schemas, tables
from anidata.engine.engine import Watch
from anidata.storage import Reference
from anidata.tar import writer
from anidata.workspace import Workspace

VERSION = 1
PARTS = {"tar": ("data/{}.tar", "index/{}.idx"), "table": ("metadata/{}.parquet",)}
MARKS = ("ink", "stroke_width", "components", "specks")  # of the first style's line
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
    *MARKS,
)

Row = dict[str, Any]
Files = dict[str, dict[str, Any]]  # path below the data set → bytes and sha256


@dataclass(frozen=True)
class Shard:
    """A tar to write: its samples, sorted by key, and where the files of each lie."""

    workspace: Workspace
    dataset: Path
    markers: Path
    name: str  # SPLIT-00000-of-00012
    table: pa.Table  # its samples, sorted by key: the columns `known`
    files: (
        pa.Table
    )  # of its samples, sorted by key and style: the columns STORED; of two alike the first counts
    styles: tuple[str, ...]
    polarity: str  # of their lines

    @cached_property
    def rows(self) -> list[Row]:
        """The samples, each with its `files`, and the size and ink of what is in them."""
        found: list[Row] = self.table.to_pylist()
        files: dict[str, dict[str, Row]] = {row["key"]: {} for row in found}
        for entry in self.files.to_pylist():
            files[entry["key"]].setdefault(entry["style"], entry)
        for row in found:
            stored = files[row["key"]]
            color, drawn = stored.get(schemas.COLOR, {}), stored.get(self.styles[0], {})
            row |= {
                "files": [*stored.values()],
                "fitted_width": color.get("width"),
                "fitted_height": color.get("height"),
            }
            row |= {name: drawn.get(name) for name in ("drawn", *MARKS)}
        return found

    @property
    def split(self) -> str:
        return split_of(self.name)

    @property
    def fingerprints(self) -> dict[str, str]:
        """What the tar and what the table is made from: a new measure rewrites the table alone."""
        sources = [
            [{n: entry[n] for n in ("style", "suffix", "size", "fingerprint")} for entry in r["files"]]
            for r in self.rows
        ]
        tar = recipe.fingerprint(VERSION, [about(r, self.polarity) for r in self.rows], sources, self.styles)
        return {"tar": tar, "table": recipe.fingerprint(VERSION, [metadata(r) for r in self.rows])}


def stale(shard: Shard) -> set[str]:
    """Which of `tar` and `table` has to be written."""
    try:
        found = marker(shard.markers, shard.name)
    except (OSError, ValueError):
        return {"tar", "table"}
    prints = shard.fingerprints
    return {
        part
        for part, names in PARTS.items()
        if found.get(part) != prints[part]
        or not all(_is_there(shard, found, n.format(shard.name)) for n in names)
    }


def marker(markers: Path, name: str) -> Row:
    """What is known of a packed shard: its fingerprints, its files with size and SHA-256, its samples and their licenses.

    Of one that was begun and not finished: the names of its files alone.
    """
    found: Row = json.loads(_marker_path(markers, name).read_bytes())
    return found


def split_of(name: str) -> str:
    """The split of a shard by its name."""
    return name.rsplit("-", 3)[0]


def _marker_path(markers: Path, name: str) -> Path:
    return markers / f"{name}.json"


def pack(shard: Shard, watch: Watch) -> set[str]:
    """Write what is stale of one shard, its marker last. Until then the marker only says that it was begun."""
    todo = stale(shard)
    if not todo:
        for _ in watch.each(shard.rows):  # they count as done
            pass
        return todo
    files = {} if todo == set(PARTS) else marker(shard.markers, shard.name)["files"]
    storage.publish_json(
        _marker_path(shard.markers, shard.name),
        {"files": dict.fromkeys(n.format(shard.name) for names in PARTS.values() for n in names)},
    )
    if "tar" in todo:
        files |= _pack_tar(shard, watch)
    if "table" in todo:
        files |= _pack_table(shard)
    known = {"name": shard.name, "split": shard.split, "samples": len(shard.rows), "files": files}
    known["licenses"] = dict(sorted(Counter(r["license"] or "" for r in shard.rows).items()))
    storage.publish_json(_marker_path(shard.markers, shard.name), known | shard.fingerprints)
    return todo


def _pack_tar(shard: Shard, watch: Watch) -> Files:
    path, index = (name.format(shard.name) for name in PARTS["tar"])
    with storage.publishing(shard.dataset / path) as file:
        hashed = _Hashed(file)
        tar = writer.TarWriter(hashed)
        members = [
            tar.add(name, data) for row, _ in watch.each(shard.rows) for name, data in sample(shard, row)
        ]
        size = tar.close()
    text = writer.index_text(members).encode()
    storage.publish(shard.dataset / index, text)
    return {path: {"bytes": size, "sha256": hashed.digest.hexdigest()}, index: _entry(text)}


def _pack_table(shard: Shard) -> Files:
    (path,) = (name.format(shard.name) for name in PARTS["table"])
    tables.write(
        shard.dataset / path,
        pa.Table.from_pylist([metadata(r) for r in shard.rows], schema=metadata_schema()),
    )
    return {path: _entry((shard.dataset / path).read_bytes())}


def _entry(data: bytes) -> dict[str, Any]:
    return {"bytes": len(data), "sha256": storage.digest(data)}


def _is_there(shard: Shard, found: Row, name: str) -> bool:
    path = shard.dataset / name
    return path.exists() and path.stat().st_size == found["files"][name]["bytes"]


def sample(shard: Shard, row: Row) -> list[tuple[str, bytes]]:
    """The members of a sample, sorted by name: KEY.color.EXT, KEY.json, KEY.lineart.png, and KEY.lineart.STYLE.png for further styles."""
    found = {
        f"{row['key']}.json": json.dumps(
            about(row, shard.polarity), ensure_ascii=False, sort_keys=True
        ).encode()
    }
    for entry in row["files"]:
        at = Reference(f"pairs/{entry['tar']}", entry["offset"], entry["size"])
        role = (
            "color"
            if entry["style"] == schemas.COLOR
            else "lineart"
            if entry["style"] == shard.styles[0]
            else f"lineart.{entry['style']}"
        )
        found[f"{row['key']}.{role}.{entry['suffix']}"] = storage.read(
            at, shard.workspace.path, entry["size"]
        )
    return sorted(found.items())


def about(row: Row, polarity: str) -> Row:
    """The JSON of a sample: the same names and types in every one, without nulls or empty lists."""
    known = {
        name: row[name] or "" for name in ("url", "license", "artist", "rating", "caption", "file", "format")
    }
    sizes = {
        "width": row["fitted_width"],
        "height": row["fitted_height"],
        "source_width": row["width"],
        "source_height": row["height"],
    }
    marks = {name: round(row[name], 6) for name in MARKS}
    line = {"style": row["drawn"], "polarity": polarity, **marks}
    return known | sizes | line | {"key": row["key"], "tags": _listed(row["tags"] or [])}


def _listed(tags: list[str]) -> str:
    """Tags as one text that can be split again at ', ': commas and line breaks within a tag become spaces."""
    words = (" ".join(re.split(r"[\s,]+", tag)).strip() for tag in tags)
    return ", ".join(word for word in words if word)


def metadata(row: Row) -> Row:
    """The row of a sample in the metadata table."""
    return {name: row[name] for name in metadata_schema().names} | {"phash": f"{row['phash']:016x}"}


@cache
def metadata_schema() -> pa.Schema:
    """The columns of the metadata table, those of the measures last."""
    texts = (
        "key",
        "file",
        "source",
        "url",
        "license",
        "artist",
        "rating",
        "caption",
        "format",
        "cluster",
        "split",
        "phash",
    )
    found = {n: pa.string() for n in texts} | {
        "tags": pa.list_(pa.string()),
        "sightings": pa.int64(),
        "bytes": pa.int64(),
    }
    found |= {n: pa.int32() for n in ("width", "height", "frames", "fitted_width", "fitted_height")}
    found |= {
        "transparency": pa.float32(),
        "ink": pa.float32(),
        "stroke_width": pa.float32(),
        "components": pa.int32(),
        "specks": pa.int32(),
    }
    return pa.schema(found | schemas.measures())


def known() -> list[str]:
    """The columns of the view `images` that a sample is made from."""
    return [name for name in metadata_schema().names if name not in ("fitted_width", "fitted_height", *MARKS)]


class _Hashed:
    """A file that is hashed as it is written."""

    def __init__(self, file: BinaryIO) -> None:
        self._file, self.digest = file, hashlib.sha256()

    def write(self, data: bytes) -> int:
        self.digest.update(data)
        return self._file.write(data)
