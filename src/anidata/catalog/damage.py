"""Files of a workspace that turn out to be damaged: what they held, and how that is made again.

Every file that is read back is read by `read_json`, by anidata.catalog.tables or by anidata.catalog.arrays;
they raise DamagedError where it is cut short, or holds something else than was written there. KINDS alone
says which files can be made again: whoever holds the workspace deletes such a one (`clear`), and runs the
stage that makes it.
"""

import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TypeVar

import msgspec

from anidata import registry, storage
from anidata.errors import DamagedError
from anidata.tar import opening
from anidata.workspace import MARK, Workspace

T = TypeVar("T")

NEW = "put it back from a copy, or begin anew with: anidata run $work/recipe.toml NEW_WORK"
NAMED = "name it, and it is brought up to date: anidata shard $work DATASET"
DRAWN = "put it back from a copy, or delete it and have splits drawn anew by: anidata shard $work"


@dataclass(frozen=True)
class Kind:
    """Files of one kind."""

    pattern: str  # of their paths below the workspace
    stage: str  # makes them
    # Files that go too, the first first: they say that it is done, or count on it. * is its name, without
    # the ending.
    companions: tuple[str, ...] = ()
    lost: str = ""  # what no stage makes again
    remedy: str = ""  # where something is lost


KINDS = (
    Kind("plan/listed.json", "ingest"),
    Kind("plan/shards.json", "shard"),
    Kind("plan/*.known.npy", "ingest"),
    Kind("plan/*.parquet", "ingest", lost="the list of what an ingest took in", remedy=NEW),
    Kind("fetched/*.parquet", "ingest"),  # blobs/*.tar holds the responses too
    # copies of what a source holds, and what it holds
    *(Kind(f"blobs/{kind}-*", "ingest") for kind in ("archive", "parquet", "video")),
    Kind("images/*.parquet", "ingest", ("records/*.parquet",)),
    Kind("records/*.parquet", "ingest"),
    Kind("edges/*", "dedup", ("edges",)),
    Kind("place_edges/*", "dedup", ("place_edges",)),
    Kind("relations/*.parquet", "dedup"),
    Kind("pairs/*", "extract_lineart", ("pairs/*.parquet", "pairs/*.tar")),
    Kind("decisions/splits.parquet", "shard", lost="the split of each picture", remedy=DRAWN),
    Kind("decisions/samples.parquet", "shard"),
    Kind("shards/*/state.json", "shard", lost="the folder of the last data set", remedy=NAMED),
    Kind("gathered/*.parquet", "ingest"),
)


def read_json(path: Path, kind: type[T]) -> T:
    """The value in a JSON file of ours, of this type.

    Raises: DamagedError: no JSON, or of another type. OSError: no such file, or no right to read it.
    """
    try:
        return msgspec.json.decode(opening.read_bytes(path), type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise damaged(path, f"{error}") from error
    except opening.Refused as error:
        raise damaged(path, opening.why(error)) from error


def name_of(path: Path) -> str:
    """The name by which a file notes in itself which one it is."""
    return f"{path.parent.name}/{path.name}"


def damaged(path: Path, why: str) -> DamagedError:
    """The error for a damaged file: what is lost, and the command that helps."""
    home = _home(path)
    kind = _kind(path, home) if home else None
    head = f"{path} is damaged ({' '.join(why.split())})."
    if home is None or kind is None:
        return DamagedError(str(path), f"{head} Put it back from a copy.")
    work = shlex.quote(str(home))
    if kind.lost:
        remedy = kind.remedy.replace("$work", work)
        return DamagedError(str(path), f"{head} It holds {kind.lost}: {remedy}")
    command = registry.command_of(kind.stage)
    return DamagedError(str(path), f"{head} What it held is made again by: anidata {command} {work}")


def clear(workspace: Workspace, error: DamagedError) -> str:
    """Delete a damaged file that can be made again; the stage that does so.

    Raises: DamagedError: this one, where it can't be.
    """
    path = Path(error.path)
    kind = _kind(path, workspace.path)
    if kind is None or kind.lost:
        raise error
    for companion in kind.companions:
        at = workspace.path / companion.replace("*", path.stem)
        for file in sorted(at.iterdir(), reverse=True) if at.is_dir() else [at]:
            storage.delete(file)
    storage.delete(path)
    return kind.stage


def _home(path: Path) -> Path | None:
    """The workspace that a file lies in."""
    return next((folder for folder in path.parents if (folder / MARK).exists()), None)


def _kind(path: Path, home: Path) -> Kind | None:
    if not path.is_relative_to(home):
        return None
    name = path.relative_to(home).as_posix()
    return next((kind for kind in (*KINDS, *_decisions()) if fnmatchcase(name, kind.pattern)), None)


def _decisions() -> Iterator[Kind]:
    """The tables that stages declare."""
    for name in registry.STAGES:
        stage = registry.stage(name)
        if hasattr(stage, "DECISION"):
            yield Kind(f"decisions/{stage.DECISION.name}.parquet", name)
