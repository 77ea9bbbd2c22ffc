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
from anidata.imaging.loose.pictures import Picture
from anidata.lineart import draw, selection
from anidata.training import config, distributed, models
from anidata.training.baseline import Baseline
from anidata.training.inference import colorize, hint_files
from anidata.training.loop import autocast, seed
from anidata.training.run import weights
from anidata.training.run.folder import Run, digest_of

Pixels = npt.NDArray[np.uint8]

COMMAND = "colorize"
STYLE = "ink"  # where the data set's own can't be drawn, as `artist` can't


@dataclass(frozen=True, kw_only=True)
class ColorRequest:
    """How pictures are to be colored."""

    seed: int = 0  # of what is random
    style: str = ""  # of the lines drawn of colored pictures; "": the one that the run was trained with
    reference: Path | None = None  # a picture whose colors to take, for models that ask for one
    hints: Path | None = None  # of a picture, or a folder of those of several
    device: str = "auto"
    model: Path | None = None  # the run's own model file, where it is none of the registry, nor trusted


def color_files(folder: Path, inputs: Sequence[Path], request: ColorRequest, job: Job) -> Done:
    """Color each picture, and those of folders, at its own size, as loose.targets names them.

    Raises: RunError: no run, or without weights. SourceError: no such file or folder, a reference or hints
        that can't be read, or hints of no picture. TrainingError: no such device. RecipeError: a model that
        asks for a reference, and none given; a reference, hints or style given to one that asks for none;
        hints that are none. UnknownPart: no such style.
    """
    work = plan(inputs, job)
    run = Run(folder)
    _check_asked(run, request)
    reference = _reference(request.reference) if request.reference else None
    hinted = hint_files.match(request.hints, work.pictures) if request.hints else {}
    colored, settings = painter(run, request, reference), _settings(run, request)

    def settings_of(picture: Picture) -> list[Any]:
        own = hinted.get(picture)
        return [*settings, hint_files.digest(own)] if own else settings

    def made(picture: Picture, rgb: Pixels) -> bytes:
        own = hinted.get(picture)
        return encode.encode_png(colored(rgb, hint_files.read(own, rgb.shape) if own else None))

    return work.beside(set(hinted.values())).each_of(settings_of, made)


def _check_asked(run: Run, request: ColorRequest) -> None:
    conditions = run.recipe().train.conditions
    for option, condition in (("reference", "reference"), ("hints", "hints"), ("style", "lineart")):
        if getattr(request, option):
            colorize.check_asked(option, condition, conditions)


def _settings(run: Run, request: ColorRequest) -> list[Any]:
    """All that colors depend on beside the picture, but for the device, which changes their last bits."""
    style = selection.fingerprint(*draw.settled(request.style or _style_of(run), {}))
    model = models.load_of(run.path, run.recipe().baseline, request.model)
    files = [run.weights, run.recipe_file, Path(model.__file__ or ""), request.reference]
    return [request.seed, style, [digest_of(path) for path in files if path]]


def painter(
    run: Run, request: ColorRequest, reference: Pixels | None
) -> Callable[[Pixels, Pixels | None], Pixels]:
    """A function that colors a picture, (h, w, 3) → (h, w, 3), with its hints or None, by a run's weights."""
    device = distributed.join(request.device).device
    baseline, chosen = open_run(run, device, request.model)
    style = request.style or _style_of(run)
    number, train = seed(request.seed), chosen.train

    def colored(rgb: Pixels, hints: Pixels | None) -> Pixels:
        generator = torch.Generator(device).manual_seed(number)
        torch.manual_seed(number)  # for what draws from the global generator
        given = colorize.Given(style, reference, hints)
        with autocast(train, device):
            return colorize.paint(baseline, rgb, train.conditions, train.size, generator, given)

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
