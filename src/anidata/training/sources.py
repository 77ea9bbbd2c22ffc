"""Where a training's pictures come from: pairs, or the two configs of a set without pairs."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from anidata.dataset.description import COLOR, LINEART
from anidata.dataset.samples import Samples, is_unpaired, load_dataset
from anidata.errors import DatasetError, RecipeError
from anidata.training.baseline import Baseline
from anidata.training.config import Config, Recipe

if TYPE_CHECKING:
    from anidata.dataset.stream import Stream

Opened = tuple["Samples | Stream", "Samples | Stream | None"]  # samples, and where lines are from if apart
LINES = ("lineart",)  # conditions of a model that learns without pairs

NO_TRUTH = (
    "the data set has no pairs, so no truth: validation shows pictures without figures, "
    "and the newest weights are kept"
)
OTHERS_LINES = (
    "the data set has pairs, and this model learns without: each picture comes with the line of another"
)


@dataclass(frozen=True)
class Source:
    """A data set as a baseline is to see it."""

    recipe: Recipe
    unpaired: bool  # the set has no pairs
    apart: bool  # the model is given colors and lines that know nothing of each other
    notes: list[str] = field(default_factory=list)  # for the user

    def training(self) -> Opened:
        """The split that is trained on. Raises: as `load_dataset`."""
        dataset, split = self.recipe.dataset, self.recipe.train.split
        if self.unpaired:
            return load_dataset(dataset, split, config=COLOR), load_dataset(dataset, split, config=LINEART)
        pairs = load_dataset(dataset, split)
        return pairs, pairs if self.apart else None

    def validation(self) -> Opened:
        """The split that is validated with: pairs, or lines alone. Raises: as `load_dataset`."""
        config = LINEART if self.unpaired else ""
        return load_dataset(self.recipe.dataset, self.recipe.train.validation, config=config), None


def of(recipe: Recipe, baseline: Baseline) -> Source:
    """The data set that a recipe names.

    Raises: DatasetError: no data set, or one without pairs for a model that needs them. RecipeError: settings
        that ask for a truth that there isn't. Others as `load_dataset`.
    """
    model_is_unpaired = bool(getattr(baseline, "unpaired", False))
    unpaired = is_unpaired(recipe.dataset)
    if unpaired and not model_is_unpaired:
        raise DatasetError(
            f"{recipe.dataset} has no pairs, and {recipe.baseline} with preset {recipe.preset} learns from "
            "pairs. Train one that doesn't: anidata train-baseline gan DATASET RUN --preset cyclegan; "
            "or build pairs: anidata shard WORK DATASET --set shard.unpaired=false"
        )
    if unpaired:
        _check(recipe.train)
        return Source(recipe, unpaired, apart=True, notes=[NO_TRUTH])
    apart = model_is_unpaired and recipe.train.conditions == LINES
    return Source(recipe, unpaired, apart, [OTHERS_LINES] if apart else [])


def _check(train: Config) -> None:
    """Raises: RecipeError: a setting that asks for the truth of a line, or for something else than lines."""
    if train.conditions != LINES:
        raise RecipeError(
            f"train.conditions: {list(train.conditions)}: a set without pairs has lines alone to color. "
            'Set train.conditions=["lineart"].'
        )
    if train.patience:
        raise RecipeError(
            "train.patience: a set without pairs has no truth, so validation has no figure to wait for. "
            "Set train.patience=0, and train.images or train.minutes to when training ends."
        )
    if train.metric != Config.metric:
        raise RecipeError(
            f"train.metric: a set without pairs has no truth that {train.metric} could be taken against. "
            f"Leave train.metric at {Config.metric}: it isn't taken either, and the newest weights are kept."
        )
