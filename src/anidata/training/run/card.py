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
    name = chosen.baseline.rsplit("/", 1)[-1].removesuffix(".py")
    sizes = ", ".join(f"`{network}` {count:,} parameters" for network, count in parameters.items())
    lines = [
        f"# {run.path.name}: {name}, preset {chosen.preset}",
        "",
        f"Colors pictures of {train.size} px from: {', '.join(train.conditions)}. Networks: {sizes}.",
        "",
        *_figures(chosen, scores, images),
        "## Use",
        "",
        "```sh",
        f"anidata colorize {run.path.name} IMAGE… -o DIR",
        "```",
        "",
        f"`model.safetensors` holds the networks that sample{', averaged over steps (EMA)' if train.ema else ''}, as they were after {images:,} images.",
        "",
        "## Training",
        "",
        f"anidata {anidata.__version__}, data set `{_last(chosen.dataset)}`, split `{train.split}`. Licenses of the pictures are in that data set's card:",
        "what they ask for holds for pictures made with these weights too, wherever the law says so.",
        "",
        "```toml",
        recipe.dump(_portable(chosen)).rstrip(),
        "```",
        "",
    ]
    return HEAD + "\n" + "\n".join(lines)


def _figures(chosen: Recipe, scores: Sequence[Score], images: int) -> list[str]:
    """A table of the validations; the row of the weights is marked."""
    if not scores:
        return ["No validation was asked for (`train.validate_every = 0`): there are no figures.", ""]
    train = chosen.train
    metrics = [name for name in scores[-1] if name != "images"]
    rows = [
        f"| {int(s['images']):,}{' ←' if s['images'] == images else ''} | "
        + " | ".join(f"{s[m]:.4g}" for m in metrics)
        + " |"
        for s in scores
    ]
    return [
        f"Means over at most {train.validate_images} pictures of the split `{train.validation}` (`samples/` shows some); ← are the weights here.",
        "",
        "| images seen | " + " | ".join(metrics) + " |",
        "|---|" + "---|" * len(metrics),
        *rows,
        "",
    ]


def _portable(chosen: Recipe) -> dict[str, Any]:
    """The recipe without paths of this machine."""
    document = recipe.document_of(chosen)
    train = document["train"] | {"init": _last(chosen.train.init)}
    return document | {"baseline": _last(chosen.baseline), "dataset": _last(chosen.dataset), "train": train}


def _last(place: str) -> str:
    return place.rstrip("/").rsplit("/", 1)[-1]
