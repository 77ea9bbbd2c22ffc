"""The registries: each is a folder, a file in it is a plugin, and the file's name is the plugin's name.

`names("measures")` lists a registry, `load("measures", "chroma")` imports one plugin,
`find("pipelines", "quickstart")` gives the path of a recipe or model, from the checkout when there is one and
from the wheel otherwise.

Stages are folders, and work in an order: STAGES has their names, `stage("clean")` gives one by its face (see
anidata.stages).

What isn't of a registry is taken where the user has typed it, now or before: that is remembered in the user's
own state folder (`trust`), and by no file of a WORK, RUN or DATASET.
"""

import difflib
import importlib
import os
import re
import stat
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

from anidata.errors import StorageError, UnknownPart

PACKAGE = Path(__file__).resolve().parent
FOLDERS = {"models": ".py", "pipelines": ".toml"}  # registries of files beside the package, by their ending
# Registries that lie deeper; a metric may need an extra.
DEEPER = {
    "styles": "lineart/styles",
    "metrics": "training/metrics",
    "extractors": "training/extractors",
}
# Folders below stages, in the order in which they run.
STAGES = (
    "ingest",
    "clean",
    "dedup",
    "extract_lineart",
    "shard",
)
SECRET, WORD = "secret", re.compile("[0-9a-f]{16,64}")
MOST = 1 << 10  # bytes of the secret


@cache
def names(registry: str) -> tuple[str, ...]:
    """The names of the plugins of a registry, sorted."""
    if registry in FOLDERS:
        folder, suffix = _folder(registry), FOLDERS[registry]
    else:
        folder, suffix = PACKAGE / DEEPER.get(registry, registry), ".py"
    return tuple(sorted(p.stem for p in folder.glob(f"*{suffix}") if not p.name.startswith("_")))


def load(registry: str, name: str) -> ModuleType:
    """The module of one plugin.

    Raises: UnknownPart: no such plugin; the message names the nearest.
    """
    if name not in names(registry):
        raise UnknownPart(_unknown(registry, name))
    return importlib.import_module(f"anidata.{DEEPER.get(registry, registry).replace('/', '.')}.{name}")


def find(registry: str, name: str) -> Path:
    """The file of a recipe or model: a path as it is, a name from its registry.

    Raises: UnknownPart: neither a file nor a name in the registry.
    """
    suffix = FOLDERS[registry]
    if name in names(registry):
        return _folder(registry) / f"{name}{suffix}"
    if name.endswith(suffix) and Path(name).is_file():
        return Path(name)
    raise UnknownPart(_unknown(registry, name))


def title(plugin: ModuleType) -> str:
    """The first paragraph of a plugin's docstring, on one line."""
    return " ".join((plugin.__doc__ or "").strip().split("\n\n", 1)[0].split())


def stage(name: str) -> Any:
    """A stage's face: what its folder offers, imported when it is asked for."""
    return importlib.import_module(f"anidata.stages.{name}")


def stages(*, before: str | None = None) -> Iterator[Any]:
    """The stages' faces in their order; only those before one of them."""
    yield from (stage(name) for name in STAGES[: STAGES.index(before) if before else None])


def command_of(name: str) -> str:
    """The command that runs a stage."""
    return name.replace("_", "-")


def face(room: str, homes: Mapping[str, str]) -> Callable[[str], Any]:
    """A folder's `__getattr__`.

    It gives a name from the file of the folder that is its home, imported when first asked for.
    """

    def get(name: str) -> Any:
        if name not in homes:
            raise AttributeError(f"module '{room}' has no attribute '{name}'")
        return getattr(importlib.import_module(f"{room}.{homes[name]}"), name)

    return get


def nearest(word: str, words: Iterable[str]) -> str:
    """' Did you mean …?' for the closest of `words`, or nothing."""
    close = difflib.get_close_matches(word, list(words), n=1)
    return f" Did you mean '{close[0]}'?" if close else ""


def _unknown(registry: str, name: str) -> str:
    known = names(registry)
    return f"{registry}: there is no '{name}'.{nearest(name, known)} There are: {', '.join(known)}"


def _folder(registry: str) -> Path:
    checkout = PACKAGE.parent.parent / registry  # src/anidata → the checkout's top
    is_checkout = (PACKAGE.parent.parent / "pyproject.toml").is_file() and checkout.is_dir()
    return checkout if is_checkout else PACKAGE / registry


# --- what the user trusts ----------------------------------------------------------------------------


def nobody(_question: str) -> bool:
    """The answer where nobody can be asked."""
    return False


ask: Callable[[str], bool] = nobody  # a question that the user answers; the command line sets it


def state() -> Path:
    """The folder in which is remembered what the user trusts: by XDG, for the user alone.

    Raises: StorageError: there is no home.
    """
    return home("XDG_STATE_HOME", ".local/state")


def home(variable: str, otherwise: str) -> Path:
    """The user's own folder of anidata that a variable of XDG names, or one below the home.

    Raises: StorageError: there is no home.
    """
    given = os.environ.get(variable, "")
    try:
        base = Path(given) if os.path.isabs(given) else Path.home() / otherwise  # noqa: PTH117
    except RuntimeError as error:
        raise StorageError(
            f"there is no home to keep anything of yours in. Set {variable} to a folder that stays."
        ) from error
    return base / "anidata"


def trust(kind: str, word: str) -> None:
    """Remember that the user trusts something: `models` by their SHA-256, `workspaces` by a mark.

    Raises: StorageError: it can't be written down.
    """
    _write_new(_private(state() / kind) / word, b"")


def is_trusted(kind: str, word: str) -> bool:
    """Whether the user trusts it."""
    try:
        path = state() / kind / word
        return bool(WORD.fullmatch(word)) and path.exists() and _private(path.parent) == path.parent
    except (OSError, StorageError):
        return False


def secret() -> bytes:
    """Random bytes that the user alone has, made when they are first asked for.

    Raises: StorageError: they can't be kept.
    """
    from anidata import ownership  # noqa: PLC0415  --help does without
    from anidata.tar import opening  # noqa: PLC0415

    path = _private(state()) / SECRET
    try:
        if not path.exists():
            _write_new(path, os.urandom(32).hex().encode())
        return opening.read_bytes(path, MOST, links=False)
    except OSError as error:
        raise ownership.unwritable(path, error) from error


def _private(folder: Path) -> Path:
    """A folder of the user's state, made if need be.

    Raises: StorageError: it can't be made; others may write there, so that it isn't the user's word.
    """
    from anidata import ownership  # noqa: PLC0415

    for path in (state(), folder):
        ownership.make_private(path)
        status = path.stat()
        if status.st_uid != os.geteuid() or status.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
            raise StorageError(
                f"{path} is another user's, or others may write into it, so that nothing there is believed. "
                f"Type: chmod -R go-w {path}; or set XDG_STATE_HOME to a folder of yours."
            )
    return folder


def _write_new(path: Path, data: bytes) -> None:
    """Write a small file of the user's state, whole, unless it is there. Raises: StorageError."""
    from anidata import ownership  # noqa: PLC0415

    draft = path.with_name(ownership.temporary_name(path.name))
    try:
        handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            os.write(handle, data)
            with suppress(FileExistsError):  # another process was quicker: its word stands
                os.link(draft, path)
        finally:
            os.close(handle)
            draft.unlink()
    except OSError as error:
        raise ownership.unwritable(path, error) from error
