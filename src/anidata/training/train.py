"""Train a baseline into a RUN folder: `run` puts together what a command asks for.

The same order again goes on where it stopped.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import torch

from anidata import recipe, registry
from anidata.dataset import samples
from anidata.engine import progress
from anidata.training import config, distributed, figures, models, optimizers
from anidata.training.baseline import Baseline
from anidata.training.data.loader import Loader, LoaderConfig
from anidata.training.run import folder
from anidata.training.run.outcome import Outcome
from anidata.training.run.session import Session


@dataclass(frozen=True, kw_only=True)
class Order:
    """What a command asks for."""

    baseline: str  # name or path of a model file
    dataset: str  # folder or URL
    run: Path
    preset: str = "default"
    settings: Sequence[str] = ()  # as --set gives them
    device: str = "auto"


def run(order: Order) -> Outcome:
    """Train, or go on with a training.

    Raises: RecipeError, UnknownPart, DatasetError, RunError, Locked, TrainingError, StorageError,
        Interrupted.
    """
    team = distributed.join(order.device)
    module = models.load(order.baseline)
    chosen = config.resolve(module, (order.baseline, order.preset, order.dataset), order.settings)
    session = Session(
        run=folder.Run(order.run.absolute()),
        recipe=chosen,
        team=team,
        baseline=_baseline(module, chosen),
        loaders=_data(chosen, team),
    )
    with folder.held(session.run, team):
        defaults = recipe.document_of(module.PRESETS[chosen.preset])
        if team.first and (note := folder.begin(session.run, chosen, _surroundings(session), defaults)):
            progress.say(note)
        team.wait()
        done = session.go_on()
    team.leave()
    return done


def _baseline(module: ModuleType, chosen: config.Recipe) -> Baseline:
    torch.manual_seed(chosen.train.seed)  # of the first weights
    baseline: Baseline = module.build(config.model_of(module, chosen))
    rates = dict.fromkeys(chosen.train.freeze, 0.0) | chosen.train.init_lr
    optimizers.spread(baseline.optimizers, baseline.networks, rates)
    return baseline


def _data(chosen: config.Recipe, team: distributed.Processes) -> tuple[Loader, Loader | None]:
    """The loaders of the split that is trained on, and of that of validation where there is one."""
    train_config = chosen.train
    figures.check_validated(train_config.metric)  # a wrong name fails now
    training = _loader(chosen, train_config.split, team, team.device)
    if not train_config.validate_every:
        return training, None
    # on the CPU, for many wait there for their turn
    return training, _loader(chosen, train_config.validation, team, torch.device("cpu"))


def _loader(chosen: config.Recipe, split: str, team: distributed.Processes, device: torch.device) -> Loader:
    train_config = chosen.train
    settings = LoaderConfig(
        batch=config.check_batch(train_config, team.ranks),
        size=train_config.size,
        conditions=train_config.conditions,
        styles=train_config.styles,
        seed=train_config.seed,
        workers=train_config.workers,
        augment=train_config.augment,
    )
    return Loader(samples.load_dataset(chosen.dataset, split), settings, team.rank, team.ranks, device)


def _surroundings(session: Session) -> folder.Surroundings:
    """The data set by its manifest, with its styles of line, and the model file by its text."""
    chosen = session.recipe
    return {
        "styles": list(session.loaders[0].samples.styles),
        "dataset": folder.digest_of(Path(chosen.dataset) / "manifest.json") or chosen.dataset,
        "model_file": folder.digest_of(registry.find("models", chosen.baseline)),
    }
