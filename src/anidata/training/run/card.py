"""RUN/README.md: the model card, with its figures and what they were measured on."""

from collections.abc import Sequence
from typing import Any

import anidata
from anidata import recipe
from anidata.training.config import Recipe
from anidata.training.run.folder import Run
from anidata.training.run.validation import Score

HEAD = """---
library_name: anidata
pipeline_tag: image-to-image
tags:
- colorization
- lineart
---
"""


def write(run: Run, chosen: Recipe, parameters: dict[str, int], scores: Sequence[Score], images: int) -> str:
    """The card of the weights after so many `images`, as Markdown."""
    train = chosen.train
    name = _last(chosen.baseline).removesuffix(".py")
    sizes = ", ".join(f"`{network}` {count:,} parameters" for network, count in parameters.items())
    lines = [
        f"# {run.path.name}: {name}, preset {chosen.preset}",
        "",
        f"Colors pictures of {train.size} px from: {', '.join(train.conditions)}. Networks: {sizes}.",
        "",
        *_figures(chosen, scores, images),
        *_use(run, chosen, images),
        *_training(chosen),
    ]
    return HEAD + "\n" + "\n".join(lines)


def _figures(chosen: Recipe, scores: Sequence[Score], images: int) -> list[str]:
    """A table of the validations; the row of the weights is marked."""
    if not scores and chosen.train.validate_every:
        return ["The data set has no pairs, so there is no truth and are no figures; see `samples/`.", ""]
    if not scores:
        return ["No validation was asked for (`train.validate_every = 0`): there are no figures.", ""]
    train = chosen.train
    metrics = [name for name in scores[-1] if name != "images"]
    pictures = f"at most {train.validate_images} pictures of the split `{train.validation}`"
    return [
        f"Means over {pictures} (`samples/` shows some); ← are the weights here.",
        "",
        "| images seen | " + " | ".join(metrics) + " |",
        "|---|" + "---|" * len(metrics),
        *(_row(score, metrics, images) for score in scores),
        "",
    ]


def _row(score: Score, metrics: Sequence[str], images: int) -> str:
    mark = " ←" if score["images"] == images else ""
    # a metric's earlier version is no figure beside the present one's
    values = " | ".join(f"{score[metric]:.4g}" if metric in score else "" for metric in metrics)
    return f"| {int(score['images']):,}{mark} | {values} |"


def _use(run: Run, chosen: Recipe, images: int) -> list[str]:
    averaged = ", averaged over steps (EMA)" if chosen.train.ema else ""
    weights = f"`model.safetensors` holds the networks that sample{averaged}"
    return [
        "## Use",
        "",
        "```sh",
        f"anidata colorize {run.path.name} IMAGE… -o DIR",
        "```",
        "",
        f"{weights}, as they were after {images:,} images.",
        "",
    ]


def _training(chosen: Recipe) -> list[str]:
    data = f"data set `{_last(chosen.dataset)}`, split `{chosen.train.split}`"
    licenses = "Licenses of the pictures are in that data set's card:"
    return [
        "## Training",
        "",
        f"anidata {anidata.__version__}, {data}. {licenses}",
        "what they ask for holds for pictures made with these weights too, wherever the law says so.",
        "",
        "```toml",
        recipe.dump(_portable(chosen)).rstrip(),
        "```",
        "",
    ]


def _portable(chosen: Recipe) -> dict[str, Any]:
    """The recipe without paths of this machine."""
    document = recipe.document_of(chosen)
    train = document["train"] | {"init": _last(chosen.train.init)}
    return document | {"baseline": _last(chosen.baseline), "dataset": _last(chosen.dataset), "train": train}


def _last(path: str) -> str:
    """The last name of a path or URL."""
    return path.rstrip("/").rsplit("/", 1)[-1]
