"""A run: the folder of one training.

recipe.toml          every setting, resolved
environment.json     versions, hardware, digests of data set and model file
metrics.csv          images,name,value
tensorboard/         the same
samples/IMAGES.png   line | output | truth
checkpoints/IMAGES.safetensors
model.safetensors    the weights to use
README.md            the model card, with its figures
touched.json         looks at other splits, by `anidata evaluate`
costs.json           what a picture costs, by machine, as it was measured there
"""

import hashlib
import json
import os
import platform
import re
import secrets
import shlex
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, TypedDict

import torch

import anidata
from anidata import ownership, recipe, storage, workspace
from anidata.catalog.damage import read_json
from anidata.errors import DamagedError, RecipeError, RunError
from anidata.tar import opening
from anidata.training.config import FREE, TOLD, Recipe, consequences, differences
from anidata.training.distributed import Processes

PACKAGES = (
    "torch",
    "numpy",
    "opencv-python-headless",
    "diffusers",
    "accelerate",
    "safetensors",
    "webdataset",
)
FORMAT, KIND = 1, "run"  # of the mark
OURS = (ownership.LOCK, ownership.HOLDER, ownership.OTHER)  # in a folder that a killed run has just begun
FOLDERS = (".", "samples", "checkpoints")  # in which files are published
# The names of files that the version before had begun, at first and later.
BEGUN_BEFORE = (".holder.json.part", "recipe.toml.part")
OLDER = re.compile(
    r"(\d{12}\.(png|safetensors)|\.holder\.json|recipe\.toml|environment\.json|metrics\.csv"
    r"|model\.safetensors|README\.md)\.part"
)
DIGITS = 12  # of the images in a file's name: names sort as numbers


class Surroundings(TypedDict):
    """The things that a run depends on beside its recipe."""

    styles: list[str]  # of the data set's lineart
    dataset: str  # SHA-256 of the data set's manifest; where there is none, the data set's path or URL
    model_file: str  # SHA-256


@dataclass(frozen=True)
class Run:
    """The folder and what lies in it."""

    path: Path

    @property
    def recipe_file(self) -> Path:
        return self.path / "recipe.toml"

    @property
    def environment(self) -> Path:
        return self.path / "environment.json"

    @property
    def table(self) -> Path:
        return self.path / "metrics.csv"

    @property
    def tensorboard(self) -> Path:
        return self.path / "tensorboard"

    @property
    def weights(self) -> Path:
        return self.path / "model.safetensors"

    @property
    def card(self) -> Path:
        return self.path / "README.md"

    def sample(self, images: int) -> Path:
        return self.path / "samples" / f"{images:0{DIGITS}d}.png"

    def checkpoint(self, images: int) -> Path:
        return self.path / "checkpoints" / f"{images:0{DIGITS}d}.safetensors"

    def checkpoints(self) -> dict[int, Path]:
        """By images, the earliest first."""
        files = sorted((self.path / "checkpoints").glob("*.safetensors"))
        numbers = [(int(p.stem), p) for p in files if p.stem.isdecimal()]
        return {number: p for number, p in numbers if p == self.checkpoint(number)}  # others are the user's

    def latest(self) -> Path | None:
        return next(reversed(self.checkpoints().values()), None)

    def keep(self, images: Sequence[int]) -> None:
        """Delete the checkpoints that aren't among these."""
        for number, path in self.checkpoints().items():
            if number not in images:
                storage.delete(path)

    def surroundings(self) -> dict[str, Any]:
        """The content of environment.json, of the last session; empty in a new run.

        Raises: RunError: it is damaged.
        """
        if not self.environment.is_file():
            return {}
        try:
            return read_json(self.environment, dict[str, Any])
        except DamagedError as error:
            raise RunError(
                f"{self.environment} is damaged. Delete it; the next session writes it anew."
            ) from error

    def recipe(self) -> Recipe:
        """The recipe that the run was begun with.

        Raises: RunError: there is no run here. RecipeError: its recipe is damaged.
        """
        if not self.recipe_file.is_file():
            folder = shlex.quote(str(self.path))
            raise RunError(
                f"{self.path} is no run. Make one with: anidata train-baseline NAME DATASET {folder}"
            )
        try:
            return recipe.build(Recipe, recipe.read(self.recipe_file), str(self.recipe_file))
        except RecipeError as error:
            raise RecipeError(
                f"{error} It is a run's own recipe: put it back from a copy, or train anew into another "
                "folder: anidata train-baseline NAME DATASET RUN"
            ) from error


@contextmanager
def held(run: Run, processes: Processes) -> Iterator[None]:
    """Hold the run's folder for this training alone, and make it if need be.

    Raises: Locked: another process trains there. RunError: a folder with other things in it.
    """
    if not processes.first:
        yield
        return
    _check_folder(run)
    with workspace.held(run.path, lambda: _sweep(run)):
        if ownership.read_mark(run.path, ownership.OTHER) is None:
            mark = {"format": FORMAT, "kind": KIND, "id": secrets.token_hex(8)}
            storage.publish_json(run.path / ownership.OTHER, mark)
        yield


def _sweep(run: Run) -> None:
    """Delete what a killed run had begun to write."""
    for name in FOLDERS:
        ownership.sweep(run.path / name, OLDER, deep=False)


def begin(
    run: Run, chosen: Recipe, surroundings: Surroundings, defaults: recipe.Document | None = None
) -> str:
    """Write a new run's recipe and environment, or compare with those that are there.

    defaults: of the model's settings, for those that the run's version didn't know yet.
    Returns: notes for the user, or nothing.
    Raises: RunError: the run was begun with another recipe or data set.
    """
    known, notes = run.surroundings(), []
    if run.recipe_file.is_file():
        before = run.recipe()
        if changed := differences(before, chosen, defaults):
            raise _other(run, before, chosen, changed)
        _check_dataset(run, chosen, surroundings, known)
        notes = consequences(before.train, chosen.train, run.path, max(run.checkpoints(), default=0))
    publish_changed(run.recipe_file, recipe.dump(chosen))
    document = environment() | surroundings
    publish_changed(run.environment, json.dumps(document, indent=1, sort_keys=True) + "\n")
    changed = known.get("model_file", surroundings["model_file"]) != surroundings["model_file"]
    if changed:
        notes.append(f"the model file {chosen.baseline} isn't as it was in the last session.")
    return " ".join(notes)


def publish_changed(path: Path, text: str) -> None:
    """Write a small file, unless it says that already."""
    if not path.is_file() or opening.read_bytes(path) != text.encode():
        storage.publish(path, text.encode())


def environment() -> dict[str, Any]:
    """Versions and hardware, which figures depend on."""
    gpus = [torch.cuda.get_device_name(n) for n in range(torch.cuda.device_count())]
    versions = {name: _version(name) for name in PACKAGES}
    return {
        "anidata": anidata.__version__,
        "python": platform.python_version(),
        "platform": platform.platform(),
        "processors": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "gpus": gpus,
        "cuda": torch.version.cuda,
        "packages": {name: installed for name, installed in versions.items() if installed},
    }


def digest_of(path: Path) -> str:
    """SHA-256 of a file in hex, empty where there is none."""
    if not path.is_file():
        return ""
    with opening.opened(path) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _check_folder(run: Run) -> None:
    """Raises: RunError: a folder that is no run. RecipeError: its recipe is damaged, or no training's."""
    path = run.path
    storage.refuse_bytes(path, RunError)
    if path.exists() and not path.is_dir():
        raise RunError(f"{path} is a file; a run is a folder. Name another one.")
    if _is_other(path):
        raise RunError(f"{path} is a workspace or a data set, and no run. Name a new or empty folder.")
    if run.recipe_file.is_file():
        run.recipe()
    elif path.is_dir() and not all(_is_begun(below.name) for below in path.iterdir()):
        raise RunError(f"{path} has files in it and is no run. Name a new or empty folder.")


def _is_other(path: Path) -> bool:
    mark = ownership.read_mark(path, ownership.OTHER)
    return (mark is not None and mark.get("kind") != KIND) or ownership.read_mark(
        path, ownership.WORKSPACE
    ) is not None


def _is_begun(name: str) -> bool:
    """Whether a name is that of a file in a run that was killed in its first moment."""
    return ownership.is_leftover(name) or name in (*OURS, *BEGUN_BEFORE)


def _other(run: Run, before: Recipe, chosen: Recipe, changed: Sequence[str]) -> RunError:
    old, new = (recipe.document_of(r) for r in (before, chosen))
    more = f" (and {len(changed) - 1} more: {', '.join(changed[1:])})" if len(changed) > 1 else ""
    return RunError(
        f"{run.path} was begun with {_setting(changed[0], old)}, not {_setting(changed[0], new)}{more}. "
        f"Give the same settings, or name a new RUN. What may change: {', '.join(FREE)}; "
        f"and, with a word on what follows: {', '.join(TOLD)}."
    )


def _check_dataset(run: Run, chosen: Recipe, surroundings: Surroundings, known: dict[str, Any]) -> None:
    """Raises: RunError: another data set."""
    if known.get("dataset", surroundings["dataset"]) != surroundings["dataset"]:
        raise RunError(
            f"{run.path} was begun on another data set: {chosen.dataset} has another manifest.json. "
            "Name that one, or a new RUN."
        )


def _setting(name: str, document: recipe.Document) -> str:
    """`train.batch = 16` of a recipe's document."""
    value: Any = document
    for word in name.split("."):
        value = value.get(word) if isinstance(value, dict) else None
    return f"{name} = {json.dumps(value)}"


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
