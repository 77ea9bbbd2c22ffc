"""Coloring of loose pictures with a run's weights: the command's files."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from anidata import registry
from anidata.errors import BadImage, SourceError
from anidata.imaging import encode
from anidata.imaging.loose.job import Done, Job, plan, read
from anidata.lineart import draw, selection
from anidata.training import config, distributed, models
from anidata.training.baseline import Baseline
from anidata.training.inference import colorize
from anidata.training.loop import autocast, seed
from anidata.training.run import weights
from anidata.training.run.folder import Run, digest_of

Pixels = npt.NDArray[np.uint8]

COMMAND = "colorize"
STYLE = "ink"  # where the data set's own can't be drawn, as `artist` can't


@dataclass(frozen=True)
class ColorRequest:
    """How pictures are to be colored."""

    seed: int = 0  # of what is random
    style: str = ""  # of the lines drawn of colored pictures; "": the one that the run was trained with
    reference: Path | None = None  # a picture whose colors to take, for models that ask for one
    device: str = "auto"
    model: Path | None = None  # the run's own model file, where it is none of the registry, nor trusted


def color_files(folder: Path, inputs: Sequence[Path], request: ColorRequest, job: Job) -> Done:
    """Color each picture, and those of folders, at its own size, as loose.targets names them.

    Raises: RunError: no run, or without weights. SourceError: no such file or folder, or a reference that
        can't be read. TrainingError: no such device. RecipeError: a model that asks for a reference, and
        none given; a reference or style given to one that asks for none. UnknownPart: no such style.
    """
    work = plan(inputs, job)
    _check_asked(Run(folder), request)
    reference = _reference(request.reference) if request.reference else None
    run = Run(folder)
    colored = painter(run, request, reference)
    return work.each(_settings(run, request), lambda rgb: encode.encode_png(colored(rgb)))


def _check_asked(run: Run, request: ColorRequest) -> None:
    conditions = run.recipe().train.conditions
    for option, condition in (("reference", "reference"), ("style", "lineart")):
        if getattr(request, option):
            colorize.check_asked(option, condition, conditions)


def _settings(run: Run, request: ColorRequest) -> list[Any]:
    """All that colors depend on beside the picture, but for the device, which changes their last bits."""
    style = selection.fingerprint(*draw.settled(request.style or _style_of(run), {}))
    model = models.load_of(run.path, run.recipe().baseline, request.model)
    files = [run.weights, run.recipe_file, Path(model.__file__ or ""), request.reference]
    return [request.seed, style, [digest_of(path) for path in files if path]]


def painter(run: Run, request: ColorRequest, reference: Pixels | None) -> Callable[[Pixels], Pixels]:
    """A function that colors a picture, (h, w, 3) → (h, w, 3), with a run's weights."""
    device = distributed.join(request.device).device
    baseline, chosen = open_run(run, device, request.model)
    style = request.style or _style_of(run)
    number, train = seed(request.seed), chosen.train

    def colored(rgb: Pixels) -> Pixels:
        generator = torch.Generator(device).manual_seed(number)
        torch.manual_seed(number)  # for what draws from the global generator
        with autocast(train, device):
            return colorize.colorize(baseline, rgb, train.conditions, train.size, generator, style, reference)

    return colored


def open_run(run: Run, device: torch.device, typed: Path | None = None) -> tuple[Baseline, config.Recipe]:
    """A run's baseline with its weights on the device, ready to sample. typed: as in models.load_of.

    Raises: RunError: no run, one without weights, or of a model file that isn't trusted. RecipeError: its
        model file has other settings.
    """
    chosen = run.recipe()
    module = models.load_of(run.path, chosen.baseline, typed)
    baseline: Baseline = module.build(config.model_of(module, chosen))
    weights.load(run.weights, baseline)
    for network in baseline.networks.values():
        network.to(device).eval()
    return baseline, chosen


def _style_of(run: Run) -> str:
    """The first of the styles of a run's data set that can be drawn."""
    styles = run.surroundings().get("styles", [])
    return next((style for style in styles if style in registry.names("styles")), STYLE)


def _reference(path: Path) -> Pixels:
    try:
        return read(path)
    except BadImage as error:
        raise SourceError(f"--reference {path}: {error}. Name a picture that can be read.") from error
