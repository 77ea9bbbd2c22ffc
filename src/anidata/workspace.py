"""A workspace: the folder in which records, decisions and pairs grow.

With its format number, its lock and its last recipe.
"""

import hmac
import os
import re
import secrets
import shlex
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from anidata import ownership, recipe, registry, storage
from anidata.errors import FormatError, Interrupted, RecipeError, StorageError, WorkspaceError
from anidata.tar import opening, untrusted

FORMAT = 1
TMP = "tmp"  # of private folders; it may be a link to another disk
FOLDERS = (
    "plan",
    "private",
    "fetched",
    "records",
    "images",
    "gathered",
    "blobs",
    "edges",
    "place_edges",
    "relations",
    "decisions",
    "pairs",
    "shards",
    TMP,
)
MARK = ownership.WORKSPACE  # its presence makes a folder a workspace
SETTINGS = (
    "# by_hand: what --set and options have set. It stands over every recipe, until --reset.\n"
    "# beneath: what the recipe itself says there. older: as an older version of anidata left it.\n"
)
DUCKDB_INTERRUPTED = (
    "Query interrupted"  # the text of DuckDB's RuntimeError where Ctrl-C struck within a query
)
# The names of files that the version before had begun: beside the mark, in FOLDERS, and in TMP.
OLDER = re.compile(r"(workspace\.json|\.holder\.json|recipe\.toml|contact-sheet\.png)\.part")
OLDER_PARTS = re.compile(
    r"(part-\d{5}(-\d{5})?|\d{5}|[a-z]+|[a-z]+-[0-9a-f]+|[a-z]+-\d{5}-of-\d{5}|\d{5}\.keys)"
    r"\.(parquet|tar|json|jsonl|npy)\.part"
)
OLDER_SPILL = re.compile(r"duckdb_temp_(storage|block)[\w-]*\.(tmp|block)")

_MADE: set[str] = set()  # the workspaces made by this process without a home to sign them with


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
        if last not in document and not opening.read_bytes(self.recipe_file).endswith(b"\n"):
            raise RecipeError(f"{self.recipe_file} is cut short. {self._other_recipe()}")
        return document

    def _other_recipe(self) -> str:
        work = shlex.quote(str(self.path))
        return f"Mend it, or have another recipe take its place: anidata run RECIPE {work} SOURCE"

    def remember(self, text: str) -> None:
        """Keep a resolved recipe, as TOML, for the commands to come."""
        _publish_changed(self.recipe_file, text)

    @property
    def settings_file(self) -> Path:
        return self.path / "settings.toml"

    def settings(self) -> recipe.Document | None:
        """Read what was set by hand, and what stood beneath; None: an older version made the workspace.

        Raises: RecipeError: it is damaged.
        """
        try:
            return recipe.read(self.settings_file) if self.settings_file.exists() else None
        except RecipeError as error:
            again = f"anidata run RECIPE {shlex.quote(str(self.path))} --reset"
            raise RecipeError(f"{error} Mend it, or forget what was set by hand: {again}") from error

    def remember_settings(self, document: recipe.Document) -> None:
        """Keep what was set by hand. It goes before the recipe: one without it is an older version's."""
        _publish_changed(self.settings_file, SETTINGS + recipe.dump(document))

    @property
    def ids(self) -> tuple[str, ...]:
        """Its own id, random, then those of the workspaces that it is a copy of; () until it is locked."""
        return tuple((ownership.read_mark(self.path, MARK) or {}).get("ids", ()))

    def is_own(self) -> bool:
        """Whether this user has made it, or what it is a copy of, by a signature that only theirs can be.

        An earlier version signed none.
        """
        mark = ownership.read_mark(self.path, MARK)
        ids = (mark or {}).get("ids")
        if mark is None or str(self.path) in _MADE:
            return True
        if not isinstance(ids, list) or not ids or "owner" not in mark:
            return False
        try:
            return hmac.compare_digest(str(mark["owner"]), _signature(str(ids[-1])))
        except StorageError:
            return False

    def look(self) -> str:
        """32 hex digits that tell this folder, at this path, from any other that is put there."""
        mark, status = ownership.read_mark(self.path, MARK) or {}, self.path.stat()
        things = str(self.path), status.st_ino, mark.get("ids"), mark.get("owner")
        return storage.digest(repr(things).encode("utf-8", "surrogateescape"))[:32]

    def _sweep(self) -> None:
        """Delete what a killed run had begun to write."""
        ownership.sweep(self.path, OLDER, deep=False)
        for name in FOLDERS:
            if name != TMP:
                ownership.sweep(self.folder(name), OLDER_PARTS, deep=True)
        ownership.sweep_scratch(self.folder(TMP))
        if not self.folder(TMP).is_symlink():
            ownership.sweep(self.folder(TMP), OLDER_SPILL, deep=False)

    def _identify(self) -> None:
        """Give the workspace an id where it has none, or only that of the one it is a copy of."""
        mark: dict[str, Any] = untrusted.read_json(opening.read_bytes(self.path / MARK))
        ids, home = self.ids, mark.get("path", "")
        if ids and home == str(self.path):
            return
        if not ids or self._is_copy_of(Workspace(Path(home))):
            ids = (secrets.token_hex(8), *ids)
        storage.publish_json(self.path / MARK, mark | {"ids": ids, "path": str(self.path)})

    def _is_copy_of(self, other: "Workspace") -> bool:
        """Whether this is a copy: the other one is where the mark says that this one is, not moved away."""
        return other.ids[:1] == self.ids[:1] and not other.path.samefile(self.path)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the workspace for this process alone; the lock ends with the process, however that ends.

        Raises: Locked: another run holds it, and which. StorageError: no lock can be made there.
        Interrupted: Ctrl-C within.
        """
        with held(self.path, self._sweep):
            ownership.make_private(self.folder(TMP))
            self._identify()
            yield


@contextmanager
def held(folder: Path, sweep: Callable[[], None]) -> Iterator[None]:
    """Hold a WORK or RUN for this process alone. sweep: deletes what a killed one has left there.

    Raises: Locked: another process holds it, and which. StorageError: no lock can be made there.
    Interrupted: Ctrl-C within.
    """
    holder = folder / ownership.HOLDER
    with ownership.locked(folder), _ctrl_c_is_typed():
        try:
            sweep()  # first: on a full disk it makes the room for what follows
            storage.publish_json(holder, _this_process())
            yield
        finally:
            with suppress(StorageError):  # the folder may have turned read-only; the next one writes over it
                storage.delete(holder)


def _publish_changed(path: Path, text: str) -> None:
    """Write a small file, unless it says that already."""
    if not path.exists() or opening.read_bytes(path) != text.encode():
        storage.publish(path, text.encode())


def create(path: Path) -> Workspace:
    """Open a workspace; make one where there is nothing or an empty folder.

    Raises: WorkspaceError: a folder with other things in it. FormatError: a workspace of another format.
    """
    path = path.absolute()
    storage.refuse_bytes(path, WorkspaceError)
    if path.exists() and not path.is_dir():
        raise WorkspaceError(f"{path} is a file; a workspace is a folder. Name another one.")
    if not (path / MARK).exists():
        if path.exists() and not all(is_begun(below.name) for below in path.iterdir()):
            raise WorkspaceError(f"{path} has files in it and is no workspace. Name a new or empty folder.")
        storage.publish_json(path / MARK, _new_mark(path))
    return open_workspace(path)


def _new_mark(path: Path) -> dict[str, Any]:
    """The mark of a new workspace: an id, signed by this user."""
    own = secrets.token_hex(8)
    mark = {"format": FORMAT, "ids": [own], "path": str(path)}
    try:
        return mark | {"owner": _signature(own)}
    except StorageError:  # without a home it is known as the user's for as long as this process lives
        _MADE.add(str(path))
        return mark


def _signature(text: str) -> str:
    """The user's signature under an id. Raises: StorageError: there is no home for what it is made with."""
    return hmac.new(registry.secret(), text.encode(), "sha256").hexdigest()[:32]


def is_begun(name: str) -> bool:
    """Whether a file's name is that of one which a run killed in its first moment leaves."""
    return ownership.is_leftover(name) or name == f"{MARK}.part"


def open_workspace(path: Path) -> Workspace:
    """Open a workspace that is there.

    Raises: WorkspaceError: it isn't. FormatError: it has another format number.
    """
    path = path.absolute()
    try:
        number = untrusted.read_json(opening.read_bytes(path / MARK))["format"]
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
    """The content of ownership.HOLDER for this process."""
    return {
        "process": os.getpid(),
        "host": socket.gethostname(),
        "command": Path(sys.argv[0]).name + " " + " ".join(sys.argv[1:3]),
    }
