"""Damaged files: a small workspace of every kind of source, and the ways in which a file is damaged."""

import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

import anidata.cli.entry
from anidata.errors import AnidataError
from drawings import drawing, save
from finished import run_inline
from inline import Inline
from resume_lab import SET
from web_lab import Web, picture

SETTINGS = [
    *("clean.min_side=32", "clean.min_sharpness=0", "clean.max_noise=99", "clean.max_jpeg_blocks=1"),
    *("lineart.size=32", "lineart.part_size=8", "ingest.part_size=5", "shard.shard_samples=4"),
    "shard.splits={train=0.5,val=0.5}",
]
OPTIONS = [*(word for setting in SETTINGS for word in ("--set", setting)), *SET[1:]]
OPTIONS += ["--set", "ingest.fetch.allow_private=true"]
DAMAGES = ("cut", "empty", "swapped")


@dataclass(frozen=True)
class Place:
    """A workspace that is done, and the command that made it."""

    work: Path
    words: tuple[str, ...]


def make_work(folder: Path, web: Web) -> Place:
    """Pairs of a folder, an archive, a table and a list of URLs, taken in by two ingests."""
    pile = folder / "pile"
    for n in range(6):
        save(pile / f"{n}.png", drawing(n, 64, 64))
    save(pile / "copy.jpg", drawing(1, 64, 64))
    with zipfile.ZipFile(folder / "a.zip", "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("z.png", picture(20, 64))
    pq.write_table(pa.table({"image": [picture(21, 64), picture(22, 64)]}), folder / "t.parquet")
    urls = [web.url(f"good/{n}") for n in range(2)]
    (folder / "list.txt").write_text("\n".join(urls))
    sources = (str(pile), str(folder / "a.zip"), f"parquet:{folder}/t.parquet", f"urls:{folder}/list.txt")
    words = ("run", "quickstart", str(folder / "work"), *sources, *OPTIONS)
    run_inline(*words)
    for n in range(30, 34):
        save(pile / f"{n}.png", drawing(n, 64, 64))
    run_inline(*words)
    return Place(folder / "work", words)


def files(folder: Path) -> list[Path]:
    """All files below a folder but what says that it is held."""
    return sorted(p for p in folder.rglob("*") if p.is_file() and not p.name.startswith((".lock", ".holder")))


def kind(path: Path, root: Path) -> str:
    """A word for all files like it: its folder and ending."""
    parts = path.relative_to(root).parts
    name = "*" + "".join(Path(parts[-1]).suffixes[-2:]) if any(c.isdigit() for c in parts[-1]) else parts[-1]
    return "/".join([*("*" if len(part) == 16 else part for part in parts[:-1]), name])


def damage(path: Path, how: str) -> bool:
    """Damage a file; False where it can't be in this way."""
    if how == "swapped":
        others = sorted(p for p in path.parent.glob(f"*{path.suffix}") if p != path and p.is_file())
        others = [p for p in others if p.read_bytes() != path.read_bytes()]
        if not path.suffix or not others:
            return False
        path.write_bytes(others[0].read_bytes())
        return True
    path.write_bytes(path.read_bytes()[:40] if how == "cut" else b"")
    return True


def outcome(*words: object) -> tuple[str, Any]:
    """`ok` with the output, `error` with a typed error, or `unsound`. What else is raised is a traceback."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ANIDATA_QUIET", "1")
        patch.setattr("anidata.engine.engine.Engine", Inline)
        patch.setattr("anidata.reports.status.Engine", Inline)
        done = CliRunner().invoke(anidata.cli.entry.app, [str(word) for word in words])
    error = done.exception
    if error is None or (isinstance(error, SystemExit) and error.code == 0):
        return "ok", done.stdout
    if isinstance(error, AnidataError):
        return "error", error
    if isinstance(error, SystemExit) and words[0] == "audit":
        return "unsound", done.stdout
    raise error


def commands(place: Place, name: Path) -> Iterator[tuple[object, ...]]:
    """The commands that look at what a file of a workspace is part of."""
    yield "status", place.work
    if name.parts[0] == "dataset":
        yield "audit", place.work / "dataset"
    else:
        yield "query", place.work, "SELECT file, key, keep, split, shard FROM records"
