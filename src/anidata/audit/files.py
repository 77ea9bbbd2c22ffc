"""Audit, around the tars: which there are, their splits, and whether manifest, index and tables agree."""

import hashlib
import os
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from anidata.audit.tar import Notes
from anidata.catalog import tables as catalog_tables
from anidata.dataset.description import CONFIGS, FORMAT
from anidata.engine.engine import Engine, Limits, Watch
from anidata.errors import FormatError, StorageError, WorkspaceError
from anidata.tar import opening, untrusted

ROLES = {"train": "train", "training": "train", "test": "test", "testing": "test", "eval": "eval"}
ROLES |= dict.fromkeys(("val", "valid", "validation", "dev"), "val")
# a tar's name, without .tar; a config is one of an unpaired set
OURS = re.compile(rf"((?P<config>{'|'.join(CONFIGS)})-)?(?P<split>.+)-\d{{5}}-of-\d{{5}}")
SLOWEST = 2 << 20  # bytes of a file read in a second at the least: who is slower hangs
MAX_JSON = 1 << 28  # bytes of a manifest or index


@dataclass(frozen=True)
class Dataset:
    """A folder of tars, or a single tar."""

    root: Path  # resolved; of a single tar its folder
    name: str
    tars: list[Path]
    alone: bool  # a single tar: what stands beside it is not looked at
    prefix: str  # of its findings

    def where(self, path: Path) -> str:
        """A file as findings call it."""
        return self.prefix + path.relative_to(self.root).as_posix()

    def strays(self, path: Path) -> bool:
        """Whether a path leads out of the data set, by its name or by links."""
        return not path.resolve().is_relative_to(self.root)

    def beside(self, tar: Path, folder: str, suffix: str) -> Path | None:
        """The file that goes with a tar of our own layout, if it is there."""
        path = self.root / folder / f"{tar.stem}{suffix}"
        ours = not self.alone and tar.parent == self.root / "data"
        return path if ours and path.is_file() and not self.strays(path) else None


def open_datasets(paths: Sequence[Path]) -> list[Dataset]:
    """The data sets at some paths, and their tars.

    Raises: WorkspaceError: no such folder or tar, or a folder without tars. StorageError: one that can't be
        listed.
    """
    roots = [p.resolve() for p in paths]
    names = Counter(r.name for r in roots)
    datasets = []
    for path, root in zip(paths, roots, strict=True):
        name = root.name if names[root.name] == 1 else str(path)
        prefix = f"{name}:" if len(paths) > 1 else ""
        tars = _tars(path, root)
        datasets.append(Dataset(root if root.is_dir() else root.parent, name, tars, root.is_file(), prefix))
    return datasets


def _tars(path: Path, root: Path) -> list[Path]:
    if root.is_file():
        return [root]
    if not root.is_dir():
        raise WorkspaceError(
            f"{path}: there is no such folder or tar. Name a folder with *.tar files in it, or one tar."
        )
    tars = [p for p in _files(root) if p.suffix.lower() == ".tar"]
    if not tars:
        raise WorkspaceError(
            f"{path} has no *.tar in it. "
            f"Name the folder of a data set, or make one: anidata shard WORK {path}"
        )
    return tars


def _files(root: Path) -> Iterator[Path]:
    """All files below a folder, sorted; links to folders are not followed."""

    def fail(error: OSError) -> None:
        raise StorageError(
            f"{error.filename} can't be read ({error.strerror}). "
            "Give read access, then run the same command again."
        )

    for folder, folders, names in os.walk(root, onerror=fail):
        folders.sort()
        yield from (Path(folder, name) for name in sorted(names))


def split_of(tar: Path, root: Path) -> str:
    """The split of a tar, by its name or its folders.

    By our own naming, else by the first word for a split in the tar's name, else by the nearest folder named
    for one; else 'all'.
    """
    if named := OURS.fullmatch(tar.stem):
        return named["split"]
    folders = [part.lower() for part in reversed((root.name, *tar.relative_to(root).parts[:-1]))]
    words = [*re.split(r"[^a-z]+", tar.stem.lower()), *folders]
    return next((word for word in words if word in ROLES), "all")


def config_of(tar: Path) -> str:
    """The config that a tar of an unpaired set is of, by its name; empty: of none."""
    named = OURS.fullmatch(tar.stem)
    return (named["config"] if named else None) or ""


def limits(paths: Iterable[Path]) -> Limits:
    """A time limit for reading each of some files from end to end."""
    return Limits(seconds=60 + max((p.stat().st_size for p in paths), default=0) / SLOWEST)


# --- manifest -----------------------------------------------------------------------------------------------


def check_manifest(dataset: Dataset, notes: Notes, engine: Engine) -> None:
    """Check sizes and checksums of what our manifest lists, and what lies in data/ without being listed.

    Raises: FormatError: it is of another format.
    """
    path = dataset.root / "manifest.json"
    if dataset.alone or not path.is_file():
        return
    try:
        manifest = _parsed(path)
    except (ValueError, OSError, RecursionError) as error:
        notes.add("manifest", dataset.where(path), f"can't be parsed: {error}")
        return
    if not _is_ours(manifest):
        return  # somebody else's file of that name
    if manifest["format"] != FORMAT:
        raise FormatError(
            f"{path} is of data set format {manifest['format']}; this version of anidata reads {FORMAT}. "
            "Use the one that made it."
        )
    listed = [
        _Listed(dataset.root / name, name, about.get("bytes"), about.get("sha256"))
        for name, about in sorted(manifest["files"].items())
    ]
    paths = {file.path for file in listed}
    for extra in _files(dataset.root):
        if extra.is_relative_to(dataset.root / "data") and extra not in paths:
            notes.add("extra", dataset.where(extra), "is in data/ but not in the manifest")
    _check_listed(dataset, listed, notes, engine)


def _is_ours(manifest: Any) -> bool:
    if not isinstance(manifest, dict) or not isinstance(manifest.get("format"), int):
        return False
    listed = manifest.get("files")
    return isinstance(listed, dict) and all(isinstance(about, dict) for about in listed.values())


@dataclass(frozen=True)
class _Listed:
    """A file that a manifest lists."""

    path: Path
    name: str
    size: Any
    digest: Any


def _check_listed(dataset: Dataset, listed: list[_Listed], notes: Notes, engine: Engine) -> None:
    """Read what is there and has the right size."""
    same = []
    for file in listed:
        where = dataset.prefix + file.name
        if dataset.strays(file.path):
            text = f"lists {file.name}, which lies outside the data set"
            notes.add("unsafe_name", f"{dataset.prefix}manifest.json", text)
        elif not file.path.is_file():
            notes.add("missing", where, "is in the manifest but not there")
        elif (size := file.path.stat().st_size) != file.size:
            notes.add("checksum", where, f"has {size} bytes; the manifest says {file.size}")
        else:
            same.append(file)
    given = limits(file.path for file in same)
    done = engine.map(_digest, same, limits=given, label="checksums", total=len(same), unit="files")
    for file, digest in sorted(done, key=lambda pair: pair[0].name):
        if digest != file.digest:
            text = f"has SHA-256 {digest}; the manifest says {file.digest}"
            notes.add("checksum", dataset.prefix + file.name, text)


def _digest(listed: _Listed, watch: Watch) -> str:
    """The SHA-256 of a file, or why there is none."""
    digest = ""
    for _, failure in watch.each([listed]):
        try:
            with opening.opened(listed.path) as file:
                digest = failure.code if failure else hashlib.file_digest(file, "sha256").hexdigest()
        except OSError as error:
            digest = f"unreadable: {error.strerror}"
    return digest


def _parsed(path: Path) -> Any:
    try:
        return untrusted.read_json(opening.read_bytes(path, MAX_JSON), MAX_JSON)
    except opening.TooLarge as error:
        raise ValueError(f"has over {MAX_JSON:,} bytes") from error


# --- tables -------------------------------------------------------------------------------------------------


def check_tables(dataset: Dataset, samples: Mapping[Path, int], notes: Notes, engine: Engine) -> None:
    """Hold the metadata tables and shard index of our own layout against the samples in each tar."""
    tables = {table: tar for tar in samples if (table := dataset.beside(tar, "metadata", ".parquet"))}
    for table, rows in sorted(engine.map(_count_rows, tables, limits=Limits())):
        if rows != (count := samples[tables[table]]):
            text = f"{rows} rows" if isinstance(rows, int) else rows
            notes.add("metadata", dataset.where(table), f"{text}; {tables[table].name} has {count} samples")
    index = dataset.root / "index" / "shardindex.json"
    if not dataset.alone and index.is_file() and (complaint := _shard_index(index, samples)):
        notes.add("index", dataset.where(index), complaint)


def _count_rows(table: Path, watch: Watch) -> int | str:
    """Rows of a table, or a complaint about it."""
    rows: int | str = ""
    for _, failure in watch.each([table]):
        try:
            rows = failure.message if failure else sum(catalog_tables.group_sizes(table))
        except StorageError as error:
            rows = f"can't be read: {error}"
    return rows


def _shard_index(path: Path, samples: Mapping[Path, int]) -> str:
    """A complaint about a shard index, or nothing."""
    try:
        shards = _parsed(path)["shardlist"]
        listed = {s["url"].rpartition("/")[2]: (s["nsamples"], s["filesize"]) for s in shards}
    except (ValueError, OSError, RecursionError, LookupError, TypeError, AttributeError) as error:
        return f"can't be read: {type(error).__name__}: {error}"
    there = {tar.name: (count, tar.stat().st_size) for tar, count in samples.items()}
    wrong = sorted(name for name in listed.keys() | there.keys() if listed.get(name) != there.get(name))
    return f"samples and sizes differ from those of {', '.join(wrong[:5])}" if wrong else ""
