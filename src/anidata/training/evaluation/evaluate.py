"""Compare trained baselines on a data set's split: `evaluate` puts together what a command asks for."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from pathlib import Path

from anidata import recipe
from anidata.dataset.samples import Samples, load_dataset
from anidata.errors import DatasetError, RecipeError
from anidata.training.evaluation import contestants, document, protocols, scoring, touched
from anidata.training.evaluation.colorizers import TRIVIAL, Colorizer, TrainingPictures, Trivial
from anidata.training.evaluation.contestants import Model, runs_of
from anidata.training.evaluation.document import Config, Evaluation
from anidata.training.evaluation.pages import Pages, open_pages
from anidata.training.evaluation.protocols import Protocol
from anidata.training.run.folder import digest_of


@dataclass(frozen=True, kw_only=True)
class Order:
    """What a command asks for."""

    runs: Sequence[Path]
    dataset: Path
    split: str = "val"
    settings: Sequence[str] = ()  # as --set gives them, evaluate.KEY=VALUE
    device: str = "auto"
    model: Path | None = None  # the runs' own model file, where it is none of the registry, nor trusted


def evaluate(order: Order) -> Evaluation:
    """Compare runs, and the trivial colorizers, on a split.

    Raises: RecipeError: a wrong setting, or runs that can't be compared. RunError: no run, or without
        weights. DatasetError: no data set, an empty split. UnknownPart: no such split or style.
    """
    chosen = configured(order.settings)
    models = contestants.open_all(order.runs, order.device, order.model)
    dataset, digest = order.dataset.absolute(), digest_of(order.dataset / "manifest.json")
    size = models[0].runs[0].chosen.train.size
    _check_hints(chosen, size)
    pages = open_pages(dataset, order.split, chosen.styles, size, chosen.pictures)
    _check_clusters(pages, chosen)
    if not chosen.other:
        contestants.check_dataset(models, dataset, digest)
    contestants.check_shared(models, pages.styles, chosen.hints)
    models = contestants.seen_by_chance(models, pages, chosen.hints)
    shelf = scoring.open_shelf(models[0].runs[0].device)
    meeting = _colorizers(models, pages, chosen, size)
    looks = _looks(models, order.split, digest)  # before anything is seen: a run that is held fails now
    tables = scoring.score(pages, meeting, shelf, batch=chosen.batch, samples=chosen.samples)
    findings = document.Findings(
        chosen=chosen,
        split=order.split,
        digest=digest,
        models=models,
        pages=pages,
        shelf=shelf,
        tables=tables,
        meeting=meeting,
        looks=looks,
    )
    return document.document_of(findings)


def configured(settings: Sequence[str]) -> Config:
    """The config of `--set evaluate.KEY=VALUE`. Raises: RecipeError: another table, or no such setting."""
    nothing: recipe.Document = {}
    tables = reduce(recipe.assigned, settings, nothing)
    if others := sorted(tables.keys() - {"evaluate"}):
        raise RecipeError(f"--set {others[0]}.…: no such table here. Write evaluate.KEY=VALUE.")
    return recipe.build(Config, tables.get("evaluate", {}), "--set, [evaluate]")


def _check_hints(chosen: Config, size: int) -> None:
    """Raises: RecipeError: more hints than a picture has pixels."""
    if chosen.hints > size * size:
        raise RecipeError(
            f"evaluate.hints = {chosen.hints}: a picture of {size} px has {size * size:,} pixels to hint "
            "at. Give fewer, as --set evaluate.hints=10"
        )


def _check_clusters(pages: Pages, chosen: Config) -> None:
    """Raises: DatasetError: a split of one cluster. RecipeError: that few pictures of it."""
    if len({pages.clusters[key] for key in pages.keys}) > 1:
        return
    if chosen.pictures and len(pages.samples) > chosen.pictures:
        raise RecipeError(
            f"evaluate.pictures = {chosen.pictures}: they are of one cluster, and nothing tells how far "
            f"another would differ. Take more of the {len(pages.samples):,}, or all: "
            "--set evaluate.pictures=0"
        )
    raise DatasetError(
        f"{pages.samples.root}: all pictures of the split '{pages.samples.split}' are of one cluster: "
        "nothing tells how far another would differ. Take another split, more pictures, or a larger "
        "share: anidata shard WORK --set 'shard.splits={…}'"
    )


def _colorizers(
    models: Sequence[Model], pages: Pages, chosen: Config, size: int
) -> dict[Protocol, list[Colorizer]]:
    """Who meets under each protocol: runs, and always the trivial ones."""
    samples = load_dataset(pages.samples.root, models[0].runs[0].chosen.train.split)
    assert isinstance(samples, Samples)
    training = TrainingPictures(samples, size, chosen.training)
    meeting: dict[Protocol, list[Colorizer]] = defaultdict(list)
    for model in models:
        for protocol in protocols.of(model.conditions, pages.styles, chosen.hints):
            meeting[protocol] += model.runs
    return {
        protocol: [*of, *(Trivial(name, training) for name in TRIVIAL)] for protocol, of in meeting.items()
    }


def _looks(models: Sequence[Model], split: str, digest: str) -> list[str]:
    """Record that the runs were looked at, where the split is one to be kept; sentences on earlier looks."""
    notes = []
    for trained in runs_of(models):
        train = trained.chosen.train
        if split in (train.split, train.validation):
            continue
        look = touched.Touch(digest, split, digest_of(trained.run.weights))
        before = [one for one in touched.touches(trained.run, digest, split) if one != look]
        touched.record(trained.run, look)
        if before:
            notes.append(
                f"{trained.name} was measured on {split} before, with {len(before)} other weights: "
                "what is chosen by these figures is no longer unseen."
            )
    return notes
