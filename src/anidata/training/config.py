"""The settings of a training, and how a command's words become them.

The model file's preset comes first, then `--set train.…` and `--set model.…`.
"""

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import reduce
from pathlib import Path
from types import ModuleType
from typing import Any, Literal

from anidata import recipe, registry
from anidata.errors import RecipeError
from anidata.recipe import Amount, Count, Document, Positive
from anidata.training import models, optimizers
from anidata.training.data.augment import Augment
from anidata.training.data.conditions import channels

# settings that may change when a run goes on: they alter neither what a step computes nor what figures mean
FREE = (
    "minutes",
    "workers",
    "compile",
    "channels_last",
    "validate_every",
    "checkpoint_every",
    "log_every",
    "keep_best",
    "patience",
)
# these may change too, and what follows is said: schedules are counted by the one, chance drawn by the other
TOLD = ("images", "accumulate")
TABLES = ("train", "model")  # that --set knows


@dataclass(frozen=True, kw_only=True)
class Config:
    """Train a baseline. Times are counted in images seen, so that they mean the same whatever the batch."""

    images: Positive = 1_000_000  # to see in all, each as often as it comes around
    minutes: Amount = 0  # of training after which to stop, validation not counted; 0: no limit
    batch: Positive = 16  # images of a step, over all processes and parts
    # parts in which a process computes its share of a step, one after another, where memory is short; once
    # for each optimizer, so that the second one's loss sees the first one's step
    accumulate: Positive = 1
    size: Positive = 256  # px of a side, as the model sees pictures
    seed: Count = 0
    split: str = "train"
    # lineart, gray, hints, reference, none; side by side in this order
    conditions: tuple[str, ...] = ("lineart",)
    styles: Literal["first", "random"] = "first"  # of the lineart, where the data set has several
    augment: Augment = field(default_factory=Augment)
    workers: Count = 2  # processes that read pictures; 0: none but this one
    precision: Literal["fp32", "bf16"] = "fp32"  # bf16: mixed, by autocast
    channels_last: bool = False  # memory format, which convolutions like best
    compile: bool = False  # torch.compile: minutes at the start, faster steps after
    # of the learning rate; linear: half the images at full rate, then down to 0
    schedule: Literal["constant", "linear", "cosine"] = "constant"
    warmup: Count = 0  # images over which the learning rate rises from 0
    clip: Amount = 1.0  # norm that an optimizer's gradient is cut down to; 0: never
    # steps running in which a gradient may be nan or infinite before training stops
    max_skipped: Positive = 20
    ema: Count = 20_000  # images in which half of the weights' average is renewed; 0: no average
    validation: str = "val"  # split
    validate_every: Count = 50_000  # images; 0: never
    validate_images: Positive = 64  # the first of the split
    metric: str = "psnr"  # see: anidata list metrics; by it the best are kept and training stops early
    patience: Count = 0  # validations without a better one after which to stop; 0: never
    keep_best: Count = 1  # checkpoints kept for their validation, beside the last two
    checkpoint_every: Positive = 50_000  # images
    log_every: Positive = 1_000  # images between rows of metrics.csv
    # patterns of weights that stay as they are, by NETWORK.KEY: ["generator.down.*"]
    freeze: tuple[str, ...] = ()
    # pattern → factor of the learning rate for these weights, the first that fits: {"generator.up.*" = 0.1}
    init_lr: dict[str, Amount] = field(default_factory=dict)
    init: str = ""  # a RUN or a .safetensors file whose weights training starts from, where they fit

    def rate(self, images: int) -> float:
        """Factor of the learning rate after so many images."""
        return optimizers.schedule(self.schedule, images, self.images, self.warmup)


@dataclass(frozen=True)
class Recipe:
    """A run's whole recipe, as it stands in RUN/recipe.toml."""

    baseline: str  # name or path of the model file
    preset: str
    dataset: str
    train: Config
    model: Document  # the model file's own settings


def resolve(module: ModuleType, names: tuple[str, str, str], settings: Sequence[str]) -> Recipe:
    """The recipe of (baseline, preset, dataset) with what the command line sets.

    Raises: UnknownPart: no such preset. RecipeError: no such table or setting, or a value of the wrong type
        or range.
    """
    given, preset, dataset = names
    # absolute, for the run may be used from elsewhere
    baseline = given if given in registry.names("models") else str(Path(given).absolute())
    document = _document(module, preset, settings)
    train = recipe.build(Config, document["train"], "--set, [train]")
    check_batch(train)
    model = models.configure(module, preset, document["model"], channels(train.conditions), train.size)
    return Recipe(baseline, preset, dataset, train, recipe.document_of(model))


def model_of(module: ModuleType, chosen: Recipe) -> Any:
    """The model file's Config, as a resolved recipe has it.

    Raises: RecipeError: the model file has other settings by now.
    """
    return recipe.build(module.Config, chosen.model, f"{chosen.baseline}, [model]")


def check_batch(config: Config, ranks: int = 1) -> int:
    """Images of a batch: of one process and part.

    Raises: RecipeError: a step's images can't be dealt out evenly.
    """
    parts = ranks * config.accumulate
    if config.batch % parts:
        remedy = (
            f"Take a multiple of {parts}: --set train.batch={max(1, round(config.batch / parts)) * parts}"
        )
        raise RecipeError(
            f"train.batch = {config.batch} can't be dealt out evenly to {ranks} processes "
            f"with {config.accumulate} parts each. {remedy}"
        )
    return config.batch // parts


def differences(old: Recipe, new: Recipe, defaults: Document | None = None) -> list[str]:
    """The settings that tell two recipes of a run apart, `train.batch` and so on.

    Those that may change, and the data set's path, aren't among them. defaults: of the model's settings,
    which those have that an older version didn't know.
    """
    known = {f"model.{name}": value for name, value in _flat(defaults or {}).items()}
    before, after = (known | _flat(recipe.document_of(r)) for r in (old, new))
    free = {"dataset", *(f"train.{name}" for name in (*FREE, *TOLD))}
    return sorted(name for name in {*before, *after} - free if before.get(name) != after.get(name))


def consequences(old: Config, new: Config, run: Path, seen: int) -> list[str]:
    """Sentences on what follows from settings that a run goes on with after `seen` images; what to type."""
    notes = []
    if new.images != old.images and new.schedule != "constant" and seen:
        before, after = old.rate(seen), new.rate(seen)
        notes.append(
            f"train.images was {old.images:,} and is {new.images:,}: train.schedule={new.schedule} is "
            f"counted by it, and after {seen:,} images the learning rate's factor goes from {before:.3g} "
            f"to {after:.3g}. To leave it: --set train.images={old.images}. To train on at one low rate: "
            f"a new RUN, with --init {shlex.quote(str(run))} --set train.schedule=constant "
            "--set model.lr=RATE."
        )
    if new.accumulate != old.accumulate and seen:
        notes.append(
            f"train.accumulate was {old.accumulate} and is {new.accumulate}: a step has the same pictures, "
            "but what is random in it is drawn by its parts. To have the figures that the run would have "
            f"had: --set train.accumulate={old.accumulate}."
        )
    return notes


def _document(module: ModuleType, preset: str, settings: Sequence[str]) -> Document:
    """The tables that --set knows: what the model file's TRAIN has for the preset, and `settings` on top.

    Raises: RecipeError: a setting of no such table.
    """
    ours = dict(getattr(module, "TRAIN", {}).get(preset, {}))
    document = reduce(recipe.assigned, settings, {"train": ours, "model": {}})
    for name in document:
        if name not in TABLES:
            near = registry.nearest(name, TABLES)
            raise RecipeError(
                f"--set {name}.…: no such table.{near} Write train.KEY=VALUE or model.KEY=VALUE."
            )
    return document


def _flat(document: Mapping[str, Any], above: str = "") -> dict[str, Any]:
    """Settings by their full names; a list is a list, whether TOML or Python says so."""
    settings: dict[str, Any] = {}
    for name, value in document.items():
        if isinstance(value, Mapping):
            settings |= _flat(value, f"{above}{name}.")
        else:
            settings[above + name] = list(value) if isinstance(value, tuple) else value
    return settings
