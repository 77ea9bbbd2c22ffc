"""The registries: each is a folder, a file in it is a plugin, and the file's name is the plugin's name.

`names("measures")` lists a registry, `load("measures", "chroma")` imports one plugin,
`find("pipelines", "quickstart")` gives the path of a recipe or model, from the checkout when there is one and
from the wheel otherwise.

Stages are folders, and work in an order: STAGES has their names, `stage("clean")` gives one by its face (see
anidata.stages).
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
FOLDERS = {"models": ".py", "pipelines": ".toml"}  # registries of files beside the package, by their ending
# Registries that lie deeper; a metric may need an extra.
DEEPER = {"styles": "lineart/styles", "metrics": "training/metrics"}
# Folders below stages, in the order in which they run.
STAGES = (
    "ingest",
    "clean",
    "dedup",
    "extract_lineart",
    "shard",
)


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
