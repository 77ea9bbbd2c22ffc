"""Model files: looked up by name or path, loaded, configured, built. See baseline.py for what one holds."""

import hashlib
import importlib.util
import shlex
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Annotated, Any

import msgspec

from anidata import recipe, registry, storage
from anidata.errors import MissingExtra, RecipeError, RunError, StorageError, UnknownPart
from anidata.tar import opening

if TYPE_CHECKING:
    from anidata.training.baseline import Baseline

SHELF = "models"  # by that name trusted files are remembered too
HOLDS = ("Config", "PRESETS", "build")
# channels of each level of a network, from the full size down
Widths = Annotated[tuple[recipe.Positive, ...], msgspec.Meta(min_length=1)]


def load(name_or_path: str) -> ModuleType:
    """The module of a model file that the user names, executed anew; a file is trusted from now on.

    Raises: UnknownPart: no such model, or a file that is none. MissingExtra: it imports what isn't installed.
    """
    path = registry.find("models", name_or_path).resolve()
    data = _read(path)
    if name_or_path not in registry.names("models"):
        with suppress(StorageError):  # without a home nothing is remembered: a run's model is typed again
            registry.trust(SHELF, storage.digest(data))
    return _executed(path, data)


def load_of(run: Path, named: str, typed: Path | None = None) -> ModuleType:
    """The module of the model file that a run's recipe names: one of the registry, or a file that is trusted.

    A run may come from anywhere, and a model file is a program: by its word alone none is executed.
    typed: the file that the user names instead.

    Raises: RunError: the user has never named this very file. As `load`.
    """
    if typed is not None:
        return load(str(typed))
    if named in registry.names("models"):
        return load(named)
    path = Path(named)
    try:
        data = opening.read_bytes(path, opening.MOST_TEXT)
    except (OSError, ValueError) as error:
        raise RunError(_untrusted(run, named, "which can't be read here")) from error
    if not registry.is_trusted(SHELF, storage.digest(data)):
        raise RunError(_untrusted(run, named, "which nobody has trained with here as it stands"))
    return _executed(path, data)


def _untrusted(run: Path, named: str, why: str) -> str:
    return (
        f"{run} names a model file, {named}, {why}. A model file is a program, and a run's word doesn't "
        "start one. If it is yours, or you have read it, name it yourself: "
        f"anidata colorize {shlex.quote(str(run))} IMAGE -o DIR --model {shlex.quote(named)}"
    )


def _read(path: Path) -> bytes:
    try:
        return opening.read_bytes(path, opening.MOST_TEXT)
    except OSError as error:
        raise UnknownPart(f"{path}: can't be read ({opening.why(error)}).") from error


def _executed(path: Path, data: bytes) -> ModuleType:
    """The module of these very bytes: of no file that has changed since, nor of what __pycache__ holds."""
    name = f"anidata_model_{path.stem}_{hashlib.sha256(str(path).encode()).hexdigest()[:8]}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise UnknownPart(f"{path}: can't be imported. Give it a name that ends with .py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # before executing: a dataclass looks its own module up
    try:
        exec(compile(data, str(path), "exec", dont_inherit=True), vars(module))  # noqa: S102  it is trusted
    except ModuleNotFoundError as error:
        raise MissingExtra(_missing(path, error.name or "")) from error
    _check(module, path)
    return module


def configure(module: ModuleType, preset: str, settings: Mapping[str, Any], condition: int, size: int) -> Any:
    """The config of a preset with `settings` on top, for `condition` channels and pictures of `size` px.

    settings: a document, as recipe.assigned makes it of `--set model.key=value`: {"key": value}, tables for
    nested configs.
    Raises: UnknownPart: no such preset. RecipeError: an unknown key, a wrong value; or condition and size,
        that are the trainer's.
    """
    where = Path(module.__file__ or module.__name__).name
    if preset not in module.PRESETS:
        near = registry.nearest(preset, module.PRESETS)
        raise UnknownPart(
            f"{where}: there is no preset '{preset}'.{near} There are: {', '.join(module.PRESETS)}"
        )
    for name, instead in (("condition", "train.conditions"), ("size", "train.size")):
        if name in settings:
            raise RecipeError(f"{where}, [model] {name}: follows from the training. Set {instead} instead.")
    document = _merged(recipe.document_of(module.PRESETS[preset]), settings)
    whole = {**document, "condition": condition, "size": size}
    return recipe.build(module.Config, whole, f"{where}, [model]")


def build(
    module: ModuleType, preset: str, settings: Mapping[str, Any], condition: int, size: int
) -> "Baseline":
    """A baseline from a preset with `settings` on top; PyTorch's global generator draws its weights."""
    baseline: Baseline = module.build(configure(module, preset, settings, condition, size))
    return baseline


def check_sides(shape: Sequence[int], multiple: int, remedy: str) -> None:
    """Check that both sides, the last two of `shape`, are multiples of `multiple` px.

    A network halves them and doubles them again.
    Raises: RecipeError: they aren't; the nearest sizes that would do are named, and `remedy`: what in the
        model asks less.
    """
    height, width = shape[-2:]
    if height % multiple == 0 and width % multiple == 0 and height and width:
        return
    wrong = height if height % multiple or not height else width
    sizes = sorted({max(1, wrong // multiple) * multiple, (wrong // multiple + 1) * multiple})
    near = " or ".join(f"train.size={size}" for size in sizes)
    raise RecipeError(
        f"pictures of {width}×{height} px: this model takes sides that are multiples of {multiple}. "
        f"Set {near}{remedy}."
    )


def _check(module: ModuleType, path: Path) -> None:
    lacking = [name for name in HOLDS if not hasattr(module, name)]
    if lacking:
        raise UnknownPart(
            f"{path}: a model file has {', '.join(HOLDS)}; this one lacks {', '.join(lacking)}. "
            "Copy models/autoencoder.py to begin."
        )


def _missing(path: Path, package: str) -> str:
    root = package.partition(".")[0]
    remedy = "'anidata[train]'" if root in ("torch", "diffusers", "safetensors") else root
    return f"{path.name} needs {root}, which isn't installed. Install it with: pip install {remedy}"


def _merged(below: Mapping[str, Any], above: Mapping[str, Any]) -> recipe.Document:
    """`below` with what `above` says, tables by key."""
    both = {
        key: _merged(below[key], above[key])
        for key in below.keys() & above
        if isinstance(below[key], Mapping) and isinstance(above[key], Mapping)
    }
    return {**below, **above, **both}
