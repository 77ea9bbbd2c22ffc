"""The shelves: a folder is a registry, a file in it is a part, and the file's name is the part's name.

`names("measures")` lists a shelf, `load("measures", "chroma")` imports one part, `find("pipelines", "quickstart")` gives the
path of a recipe or model, from the checkout when there is one and from the wheel otherwise.

Stages are folders, and work in an order: STAGES has their names, `stage("clean")` gives one by its face (see anidata.stages).
"""

import difflib
import importlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

from anidata.errors import UnknownPart

PACKAGE = Path(__file__).resolve().parent
FOLDERS = {"models": ".py", "pipelines": ".toml"}  # shelves of files beside the package, by their ending
DEEPER = {
    "styles": "lineart/styles",
    "metrics": "training/metrics",
}  # shelves that lie deeper; a metric may need an extra
STAGES = (
    "ingest",
    "clean",
    "dedup",
    "extract_lineart",
    "shard",
)  # folders below stages, in the order in which they run


@cache
def names(shelf: str) -> tuple[str, ...]:
    """The names of the parts on a shelf, sorted."""
    folder, suffix = (
        (_folder(shelf), FOLDERS[shelf]) if shelf in FOLDERS else (PACKAGE / DEEPER.get(shelf, shelf), ".py")
    )
    return tuple(sorted(p.stem for p in folder.glob(f"*{suffix}") if not p.name.startswith("_")))


def load(shelf: str, name: str) -> ModuleType:
    """The module of one part.

    Raises: UnknownPart: no such part; the message names the nearest.
    """
    if name not in names(shelf):
        raise UnknownPart(_unknown(shelf, name))
    return importlib.import_module(f"anidata.{DEEPER.get(shelf, shelf).replace('/', '.')}.{name}")


def find(shelf: str, name: str) -> Path:
    """The file of a recipe or model: a path as it is, a name on its shelf.

    Raises: UnknownPart: neither a file nor a name on the shelf.
    """
    suffix = FOLDERS[shelf]
    if name in names(shelf):
        return _folder(shelf) / f"{name}{suffix}"
    if name.endswith(suffix) and Path(name).is_file():
        return Path(name)
    raise UnknownPart(_unknown(shelf, name))


def title(part: ModuleType) -> str:
    """The first line of a part's docstring."""
    return (part.__doc__ or "").strip().split("\n", 1)[0]


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
    """A folder's `__getattr__`: gives a name from the file of the folder that is its home, imported when first asked for."""

    def get(name: str) -> Any:
        if name not in homes:
            raise AttributeError(f"module '{room}' has no attribute '{name}'")
        return getattr(importlib.import_module(f"{room}.{homes[name]}"), name)

    return get


def nearest(word: str, words: Iterable[str]) -> str:
    """' Did you mean …?' for the closest of `words`, or nothing."""
    close = difflib.get_close_matches(word, list(words), n=1)
    return f" Did you mean '{close[0]}'?" if close else ""


def _unknown(shelf: str, name: str) -> str:
    known = names(shelf)
    return f"{shelf}: there is no '{name}'.{nearest(name, known)} There are: {', '.join(known)}"


def _folder(shelf: str) -> Path:
    checkout = PACKAGE.parent.parent / shelf  # src/anidata → the checkout's top
    return (
        checkout
        if (PACKAGE.parent.parent / "pyproject.toml").is_file() and checkout.is_dir()
        else PACKAGE / shelf
    )
