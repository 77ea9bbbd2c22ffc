"""The runs that are compared: opened, and those of one recipe with several seeds together."""

import re
import shlex
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import takewhile
from pathlib import Path

import numpy as np
import torch

from anidata.errors import RecipeError, RunError
from anidata.training import config, distributed
from anidata.training.evaluation import colorizers, protocols
from anidata.training.evaluation.colorizers import Trained
from anidata.training.evaluation.pages import Pages
from anidata.training.inference.files import open_run
from anidata.training.run.folder import Run

TRIED = 2  # pages on which is seen whether a colorizer draws by chance


@dataclass(frozen=True)
class Model:
    """Runs of one recipe, that differ in their seed alone."""

    name: str
    runs: tuple[Trained, ...]

    @property
    def conditions(self) -> tuple[str, ...]:
        return self.runs[0].chosen.train.conditions


def open_all(paths: Sequence[Path], device: str, typed: Path | None) -> list[Model]:
    """All runs with their weights, by recipe; each is named once.

    Raises: RunError: no run, or without weights. RecipeError: runs that can't be compared.
    """
    distinct = list(dict.fromkeys(path.absolute() for path in paths))
    where = distributed.join(device).device
    opened = [_opened(path, distinct, where, typed) for path in distinct]
    _check_sizes(opened)
    return _grouped(opened)


def _opened(path: Path, others: Sequence[Path], where: torch.device, typed: Path | None) -> Trained:
    run = Run(path)
    if run.recipe_file.is_file() and not run.weights.is_file():
        raise RunError(
            f"{path} has no model.safetensors: its training hasn't come to its first checkpoint, or was cut "
            f"short. Go on with it by the command that began it, or leave it out."
        )
    baseline, chosen = open_run(run, where, typed)
    return Trained(run, chosen, baseline, where, colorizers.label(path, others))


def check_dataset(models: Sequence[Model], dataset: Path, digest: str) -> None:
    """See that all runs were trained on the data set whose split is looked at.

    Raises: RecipeError: one was trained on another, which may hold this one's pictures. RunError: it isn't
        known on which.
    """
    for trained in runs_of(models):
        own = trained.run.surroundings().get("dataset")
        if own is None:
            raise RunError(
                f"{trained.run.environment} isn't there, or names no data set: which pictures the run has "
                "learned isn't known. The command that trained it writes it anew: type it again. Or, if you "
                "know that it was trained on none of these: --set evaluate.other=true"
            )
        if own != digest:
            raise RecipeError(
                f"{trained.run.path} was trained on another data set ({trained.chosen.dataset}), which may "
                f"hold pictures that {dataset} tests with. If you know that it doesn't: "
                "--set evaluate.other=true"
            )


def check_shared(models: Sequence[Model], styles: Sequence[str], hints: int) -> None:
    """See that each of several models meets another one under some protocol.

    Raises: RecipeError: one that can be compared with none.
    """
    shared = {model.name: set(protocols.of(model.conditions, styles, hints)) for model in models}
    for name, own in shared.items():
        others = [protocol for other, theirs in shared.items() if other != name for protocol in theirs]
        if others and not own & set(others):
            summary = "; ".join(f"{model.name}: {', '.join(model.conditions)}" for model in models)
            raise RecipeError(
                f"{name} shares no protocol with the others, for they are told other things ({summary}), and "
                "figures of different protocols aren't compared. Evaluate it by itself."
            )


def seen_by_chance(models: Sequence[Model], pages: Pages, hints: int) -> list[Model]:
    """The models, each with whether another sample of the same page comes out differently."""
    few = [pages.page(index) for index in range(min(TRIED, len(pages)))]

    def tried(trained: Trained) -> Trained:
        protocol = protocols.of(trained.chosen.train.conditions, pages.styles, hints)[0]
        one, other = (trained.color(few, protocol, 0, again) for again in (0, 1))
        return replace(trained, is_random=not np.array_equal(one, other))

    return [replace(model, runs=tuple(map(tried, model.runs))) for model in models]


def runs_of(models: Sequence[Model]) -> Iterator[Trained]:
    """All runs of all models."""
    return (trained for model in models for trained in model.runs)


def trained_on(trained: Trained, style: str) -> bool:
    """Whether a run has learned from lines of this style."""
    drawn = trained.run.surroundings().get("styles", [])
    return style in (drawn if trained.chosen.train.styles == "random" else drawn[:1])


def _check_sizes(opened: Sequence[Trained]) -> None:
    sizes = {trained.chosen.train.size: trained for trained in opened}
    if len(sizes) > 1:
        summary = "; ".join(f"{trained.run.path}: {size} px" for size, trained in sorted(sizes.items()))
        one = min(sizes)
        words = " ".join(
            shlex.quote(str(trained.run.path)) for trained in opened if trained.chosen.train.size == one
        )
        raise RecipeError(
            f"runs of other sizes see other pictures ({summary}). Evaluate those of one size together: "
            f"anidata evaluate {words} …"
        )


def _grouped(opened: Sequence[Trained]) -> list[Model]:
    """Runs together whose recipes differ in the seed alone."""
    groups: dict[int, list[Trained]] = defaultdict(list)
    for trained in opened:
        alike = (n for n, group in groups.items() if _is_sibling(group, trained))
        groups[next(alike, len(groups))].append(trained)
    names: list[str] = []
    for group in groups.values():
        name = common_name([trained.name for trained in group])
        names.append(name if name and name not in (*names, *colorizers.TRIVIAL) else _numbered(group, names))
    return [Model(name, tuple(group)) for name, group in zip(names, groups.values(), strict=True)]


def _is_sibling(group: Sequence[Trained], trained: Trained) -> bool:
    differing = config.differences(group[0].chosen, trained.chosen)
    seeds = {one.chosen.train.seed for one in group}
    return differing in ([], ["train.seed"]) and trained.chosen.train.seed not in seeds


def common_name(names: Sequence[str]) -> str:
    """What the names of a recipe's runs begin with, without what counts them."""
    if len(names) == 1:
        return names[0]
    return re.sub(r"[\W_]*(seed)?[\W_]*$", "", _beginning(names))


def _beginning(names: Sequence[str]) -> str:
    """The characters that all names begin with."""
    alike = takewhile(lambda letters: len(set(letters)) == 1, zip(*names, strict=False))
    return "".join(letters[0] for letters in alike)


def _numbered(group: Sequence[Trained], names: Sequence[str]) -> str:
    """The first run's name, with a number where others have it too."""
    taken = {*names, *colorizers.TRIVIAL}
    tries = (f"{group[0].name}{f' ({n})' if n else ''}" for n in range(len(taken) + 1))
    return next(name for name in tries if name not in taken)
