"""Model files: looked up by name or path, loaded, configured, built. See baseline.py for what one holds."""

import hashlib
import importlib.util
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Annotated, Any

import msgspec

from anidata import recipe, registry
from anidata.errors import MissingExtra, RecipeError, UnknownPart

if TYPE_CHECKING:
    from anidata.training.baseline import Baseline

HOLDS = ("Config", "PRESETS", "build")
# channels of each level of a network, from the full size down
Widths = Annotated[tuple[recipe.Positive, ...], msgspec.Meta(min_length=1)]


def load(name_or_path: str) -> ModuleType:
    """The module of a model file, executed anew.

    Raises: UnknownPart: no such model, or a file that is none. MissingExtra: it imports what isn't installed.
    """
    path = registry.find("models", name_or_path).resolve()
    name = f"anidata_model_{path.stem}_{hashlib.sha256(str(path).encode()).hexdigest()[:8]}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise UnknownPart(f"{path}: can't be imported. Give it a name that ends with .py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # before executing: a dataclass looks its own module up
    try:
        spec.loader.exec_module(module)
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
