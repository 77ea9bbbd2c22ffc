"""anidata and other tools over piles of copies; what they say, as CSV files that are written whole.

Where such a file lies there, its run is done: the same command goes on where it was broken off.
"""

import contextlib
import csv
import io
import os
import shutil
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

import peers
from anidata import pipeline, recipe, workspace
from anidata.catalog.catalog import Catalog
from anidata.engine.engine import Engine
from bench import SHARED, took
from copies.making import Copy

# `why` is in newer records alone.
COLUMNS = "^(key|file|cluster|keeper|relation|keep|why)$"
ASKED = f"SELECT COLUMNS('{COLUMNS}') FROM records"
PEERS = Path(peers.__file__).with_name("peer_duplicates.py")
TOOLS = ("ImageHash 10", "ImageHash 4", "imagededup")
Row = dict[str, str]


def pile(folder: Path, made: Path, copies: Iterable[Copy]) -> Path:
    """A folder of hard links to files of originals' folders."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for copy in copies:
        (folder / copy.file).hardlink_to(made / copy.source / copy.file)
    return folder


def anidata(result: Path, sources: Sequence[Path], engine: Engine, settings: Sequence[str] = ()) -> list[Row]:
    """Records after ingest and dedup of what these hold, in a workspace of their own.

    What `anidata ingest` and `anidata dedup` do, without their starts.
    """
    if not result.exists():
        work = result.with_suffix(".work")
        shutil.rmtree(work, ignore_errors=True)
        with open(os.devnull, "w") as quiet, contextlib.redirect_stderr(quiet):
            rows = _decided(work, sources, engine, settings)
        write(result, rows)
        shutil.rmtree(work)
    return read(result)


def _decided(work: Path, sources: Sequence[Path], engine: Engine, settings: Sequence[str]) -> list[Row]:
    space, typed = workspace.create(work), pipeline.typed([str(source) for source in sources])
    with space.locked():
        chosen = pipeline.resolve(space, None, settings, typed)
        space.remember(recipe.dump(chosen))
        for stage in ("ingest", "dedup"):
            pipeline.run_stage(stage, pipeline.job(space, chosen, engine, pipeline.Request(typed)))
    with Catalog(space) as views:
        rows = views.select(ASKED).to_pylist()
    return [{name: "" if value is None else str(value) for name, value in row.items()} for row in rows]


def peer(tool: str, result: Path, folder: Path) -> list[Row]:
    """The same of another tool: file, cluster, keep."""
    if not result.exists():
        begun = result.with_suffix(".begun")
        name, _, bits = tool.partition(" ")
        if name == "ImageHash":
            took([sys.executable, str(SHARED / "bench/peer_phash.py"), str(folder), str(begun), bits])
        else:
            took([peers.python(name), str(PEERS), name, str(folder), str(begun)])
        begun.replace(result)
    return read(result)


def read(path: Path) -> list[Row]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def _publish(path: Path, data: bytes) -> None:
    begun = path.with_suffix(f".{os.getpid()}")
    begun.write_bytes(data)
    begun.replace(path)


def write(path: Path, rows: Sequence[Row]) -> None:
    """Write rows as a CSV file, whole."""
    text = io.StringIO()
    out = csv.DictWriter(text, list(rows[0]))
    out.writeheader()
    out.writerows(rows)
    _publish(path, text.getvalue().encode())
