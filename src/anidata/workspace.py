"""A workspace: the folder in which records, decisions and pairs grow.

With its format number, its lock and its last recipe.
"""

import json
import os
import shlex
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from filelock import FileLock, Timeout

from anidata import recipe, registry, storage
from anidata.errors import FormatError, Interrupted, Locked, RecipeError, StorageError, WorkspaceError

FORMAT = 1
FOLDERS = (
    "plan",
    "fetched",
    "records",
    "images",
    "gathered",
    "blobs",
    "edges",
    "relations",
    "decisions",
    "pairs",
    "shards",
    "tmp",
)
MARK = "workspace.json"  # its presence makes a folder a workspace
MARK_BEGUN = MARK + storage.TEMPORARY  # left by a run killed in its first moment
HOLDER = ".holder.json"  # who holds the lock
DUCKDB_INTERRUPTED = (
    "Query interrupted"  # the text of DuckDB's RuntimeError where Ctrl-C struck within a query
)


@dataclass(frozen=True)
class Workspace:
    """The folder, by its absolute path. Everything a stage leaves behind lies below it."""

    path: Path

    def folder(self, name: str) -> Path:
        """One of FOLDERS, or `dataset`."""
        return self.path / name

    @property
    def recipe_file(self) -> Path:
        return self.path / "recipe.toml"

    def last_recipe(self) -> recipe.Document:
        """The document of the last resolved recipe, empty in a new workspace.

        Raises: RecipeError: it is damaged.
        """
        if not self.recipe_file.exists():
            return {}
        try:
            document = recipe.read(self.recipe_file)
        except RecipeError as error:
            raise RecipeError(f"{error} {self._other_recipe()}") from error
        last = registry.stage(registry.STAGES[-1]).SETTINGS
        if last not in document and not self.recipe_file.read_bytes().endswith(b"\n"):
            raise RecipeError(f"{self.recipe_file} is cut short. {self._other_recipe()}")
        return document

    def _other_recipe(self) -> str:
        work = shlex.quote(str(self.path))
        return f"Mend it, or have another recipe take its place: anidata run RECIPE {work} SOURCE"

    def remember(self, text: str) -> None:
        """Keep a resolved recipe, as TOML, for the commands to come."""
        if not self.recipe_file.exists() or self.recipe_file.read_bytes() != text.encode():
            storage.publish(self.recipe_file, text.encode())

    def _sweep(self) -> None:
        """Delete what a killed run had begun to write."""
        begun = f"*{storage.TEMPORARY}"
        below = (self.folder(name).rglob("*" if name == "tmp" else begun) for name in FOLDERS)
        leftovers = [self.path.glob(begun), *below]
        for path in chain.from_iterable(leftovers):
            storage.delete(path)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the workspace for this process alone; the lock ends with the process, however that ends.

        Raises: Locked: another run holds it, and which. StorageError: no lock can be made there.
        Interrupted: Ctrl-C within.
        """
        lock, holder = self._acquired_lock(), self.path / HOLDER
        try:
            with _ctrl_c_is_typed():
                self._sweep()  # first: on a full disk it makes the room for what follows
                storage.publish_json(holder, _this_process())
                yield
        finally:
            with suppress(OSError):  # the folder may have turned read-only; the next holder writes over it
                holder.unlink(missing_ok=True)
            lock.release()

    def _acquired_lock(self) -> FileLock:
        lock = FileLock(self.path / ".lock")
        try:
            lock.acquire(timeout=0)
        except Timeout as error:
            raise Locked(
                f"{self.path} is in use by {_described(self.path / HOLDER)}. "
                "Wait for it, or stop it, then run this command again."
            ) from error
        except OSError as error:
            raise StorageError(
                f"{self.path} can't be locked ({error.strerror or error}). "
                "Give write access, then run this command again."
            ) from error
        return lock


def create(path: Path) -> Workspace:
    """Open a workspace; make one where there is nothing or an empty folder.

    Raises: WorkspaceError: a folder with other things in it. FormatError: a workspace of another format.
    """
    path = path.absolute()
    if path.exists() and not path.is_dir():
        raise WorkspaceError(f"{path} is a file; a workspace is a folder. Name another one.")
    if not (path / MARK).exists():
        if path.exists() and any(p.name != MARK_BEGUN for p in path.iterdir()):
            raise WorkspaceError(f"{path} has files in it and is no workspace. Name a new or empty folder.")
        storage.publish_json(path / MARK, {"format": FORMAT})
    return open_workspace(path)


def open_workspace(path: Path) -> Workspace:
    """Open a workspace that is there.

    Raises: WorkspaceError: it isn't. FormatError: it has another format number.
    """
    path = path.absolute()
    try:
        number = json.loads((path / MARK).read_bytes())["format"]
    except OSError as error:
        raise WorkspaceError(
            f"{path} is no workspace. Start one with: anidata ingest {shlex.quote(str(path))} SOURCE"
        ) from error
    except (ValueError, TypeError, KeyError) as error:
        raise WorkspaceError(
            f"{path / MARK} is not anidata's, or damaged. Name another folder; or, if this was a workspace, "
            f'write {{"format": {FORMAT}}} into that file.'
        ) from error
    if number != FORMAT:
        raise FormatError(
            f"{path} has workspace format {number}; this version of anidata reads format {FORMAT}. "
            f"Use the version that made it, or start a new workspace with: anidata ingest NEW_WORK SOURCE"
        )
    return Workspace(path)


@contextmanager
def _ctrl_c_is_typed() -> Iterator[None]:
    """Raises: Interrupted: Ctrl-C between maps, which take it themselves."""
    try:
        yield
    except (KeyboardInterrupt, RuntimeError) as pressed:
        if isinstance(pressed, RuntimeError) and str(pressed) != DUCKDB_INTERRUPTED:
            raise
        raise Interrupted("stopped; what was finished is kept. The same command goes on.") from pressed


def _this_process() -> dict[str, int | str]:
    """The content of HOLDER for this process."""
    return {
        "process": os.getpid(),
        "host": socket.gethostname(),
        "command": Path(sys.argv[0]).name + " " + " ".join(sys.argv[1:3]),
    }


def _described(path: Path) -> str:
    """Who holds a workspace, by its HOLDER file."""
    try:
        holder = json.loads(path.read_bytes())
        return f"process {holder['process']} on {holder['host']} ({holder['command']})"
    except (OSError, ValueError, TypeError, KeyError):
        return "another process"
