"""Coloring of loose pictures with a run's weights: the command's files."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from anidata import registry, storage
from anidata.errors import BadImage, SourceError
from anidata.imaging import decode, encode
from anidata.lineart.draw import MAX_BYTES, MAX_PIXELS, Drawn
from anidata.training import config, distributed, models
from anidata.training.baseline import Baseline
from anidata.training.inference import colorize
from anidata.training.loop import autocast, seed
from anidata.training.run import weights
from anidata.training.run.folder import Run

Pixels = npt.NDArray[np.uint8]

STYLE = "ink"  # where the data set's own can't be drawn, as `artist` can't
# of what is taken from a folder
ENDINGS = (".avif", ".bmp", ".gif", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp")


@dataclass(frozen=True)
class ColorRequest:
    """How pictures are to be colored."""

    seed: int = 0  # of what is random
    style: str = ""  # of the lines drawn of colored pictures; "": the one that the run was trained with
    reference: Path | None = None  # a picture whose colors to take, for models that ask for one
    device: str = "auto"


def color_files(folder: Path, inputs: Sequence[Path], output: Path, request: ColorRequest) -> Drawn:
    """Color each picture as output/STEM.png, at its own size; those of a folder as output/SUBFOLDER/STEM.png.

    Raises: RunError: no run, or without weights. SourceError: no such file or folder, or a reference that
        can't be read. TrainingError: no such device. RecipeError: a model that asks for a reference, and
        none given. UnknownPart: no such style.
    """
    pictures = list(targets(inputs, output))
    reference = _reference(request.reference) if request.reference else None
    colored = painter(Run(folder), request, reference)
    done = Drawn()
    for path, target in pictures:
        try:
            rgb = _read(path)
        except BadImage as error:
            done.failed[str(path)] = str(error)
            continue
        if target in done.written:
            done.failed[str(path)] = f"name_taken: another picture has become {target}"
            continue
        storage.publish(target, encode.encode_png(colored(rgb)))
        done.written.append(target)
    return done


def painter(run: Run, request: ColorRequest, reference: Pixels | None) -> Callable[[Pixels], Pixels]:
    """A function that colors a picture, (h, w, 3) → (h, w, 3), with a run's weights."""
    device = distributed.join(request.device).device
    baseline, chosen = open_run(run, device)
    style = request.style or _style_of(run)
    number, train = seed(request.seed), chosen.train

    def colored(rgb: Pixels) -> Pixels:
        generator = torch.Generator(device).manual_seed(number)
        torch.manual_seed(number)  # for what draws from the global generator
        with autocast(train, device):
            return colorize.colorize(baseline, rgb, train.conditions, train.size, generator, style, reference)

    return colored


def open_run(run: Run, device: torch.device) -> tuple[Baseline, config.Recipe]:
    """A run's baseline with its weights on the device, ready to sample.

    Raises: RunError: no run, or one without weights. RecipeError: its model file has changed.
    """
    chosen = run.recipe()
    module = models.load(chosen.baseline)
    baseline: Baseline = module.build(config.model_of(module, chosen))
    weights.load(run.weights, baseline)
    for network in baseline.networks.values():
        network.to(device).eval()
    return baseline, chosen


def targets(inputs: Sequence[Path], output: Path) -> Iterator[tuple[Path, Path]]:
    """Each picture with the file it becomes.

    Raises: SourceError: no such file or folder.
    """
    for path in inputs:
        if path.is_dir():
            below = sorted(p for p in path.rglob("*") if p.suffix.lower() in ENDINGS and p.is_file())
            yield from ((p, output / p.relative_to(path).with_suffix(".png")) for p in below)
        elif path.exists():
            yield path, output / f"{path.stem}.png"
        else:
            raise SourceError(f"{path}: there is no such file or folder. Name pictures, or folders of them.")


def _style_of(run: Run) -> str:
    """The first of the styles of a run's data set that can be drawn."""
    styles = run.surroundings().get("styles", [])
    return next((style for style in styles if style in registry.names("styles")), STYLE)


def _read(path: Path) -> Pixels:
    reference = storage.Reference(storage.uri_of(path))
    return decode.decode(storage.read(reference, path.parent, MAX_BYTES), MAX_PIXELS).rgb


def _reference(path: Path) -> Pixels:
    try:
        return _read(path)
    except BadImage as error:
        raise SourceError(f"--reference {path}: {error}. Name a picture that can be read.") from error
