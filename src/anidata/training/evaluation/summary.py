"""From the scores of a protocol to its table: figures with intervals, comparisons, ranking, as a document.

Documents are plain values, as JSON has them: what isn't a number is None, with a reason beside it.
"""

import math
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
import scipy.stats
import torch

from anidata.training.evaluation import intervals, ranking
from anidata.training.evaluation.contestants import Model
from anidata.training.evaluation.intervals import Draws, Values
from anidata.training.evaluation.ranking import Goal
from anidata.training.evaluation.scoring import DIVERSITY, Scores, Shelf, Table, is_of_sets, seen_through
from anidata.training.figures import home
from anidata.training.metrics import Figure

Document = dict[str, Any]

QUANTILES = 21  # of a figure over the pictures, from the least to the greatest
SET_REPETITIONS = 20  # of a figure of whole sets: each costs as much as the figure itself
NOT_DEFINED = "not defined for these pictures"
DIGITS = 6  # that a number of the document has


@dataclass(frozen=True)
class Measured:
    """A table with what its summary takes."""

    table: Table
    shelf: Shelf
    chosen: Draws
    members: Mapping[str, tuple[str, ...]]  # model, or trivial colorizer → the names of its runs
    trivial: tuple[str, ...]

    def values(self, figure: str, who: str) -> Values:
        """(seeds, pictures) of a figure."""
        return np.stack([self.table.scores[name].figures[figure] for name in self.members[who]])

    def scores(self, who: str) -> list[Scores]:
        return [self.table.scores[name] for name in self.members[who]]

    @property
    def figures(self) -> list[str]:
        """The figures of pictures."""
        modules = self.shelf.modules.values()
        return [name for module in modules if not is_of_sets(module) for name in module.FIGURES]


def members_of(models: Sequence[Model], trivial: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """By the name of each row of a table: the colorizers behind it."""
    trained = {model.name: tuple(run.name for run in model.runs) for model in models}
    return trained | {name: (name,) for name in trivial}


def summarize(measured: Measured, goal: Goal) -> Document:
    """A table's document."""
    figures = measured.shelf.figures
    rows = {who: _row(measured, who) for who in measured.members}
    means = {
        name: {who: row["figures"][name]["value"] for who, row in rows.items() if _has(row, name)}
        for name in figures
    }
    beaten = ranking.marked(means, figures, measured.trivial)
    ranked = _ranked(measured, goal, set(figures) - set(beaten))
    if not ranked.order:
        ranked = _ranked(measured, goal, ranking.foremost(means, figures, measured.trivial))
    protocol = measured.table.protocol
    return {
        "protocol": protocol.name,
        "conditions": list(protocol.conditions),
        "style": protocol.style,
        "hints": protocol.hints,
        "rows": list(rows.values()),
        "ranking": [{"name": who, "score": number(score)} for who, score in ranked.order],
        "counted": ranked.counted,
        "marked": beaten,
        "comparisons": _comparisons(measured),
    }


def _ranked(measured: Measured, goal: Goal, trusted: Container[str]) -> ranking.Ranking:
    """The order by the first figure of each metric, of those that are trusted."""
    main = [next(iter(module.FIGURES)) for module in measured.shelf.modules.values()]
    values = {
        name: {who: measured.values(name, who) for who in measured.members}
        for name in measured.figures
        if name in main and name in trusted
    }
    return ranking.rank(values, measured.shelf.figures, goal)


def number(value: float) -> float | None:
    """A number for the document, to a few digits; None of what is none."""
    return float(f"{value:.{DIGITS}g}") if math.isfinite(value) else None


def _has(row: Document, name: str) -> bool:
    return row["figures"].get(name, {}).get("value") is not None


def _row(measured: Measured, who: str) -> Document:
    """A colorizer's figures."""
    shown: Document = {name: _figure(measured, name, who) for name in measured.figures}
    for module in measured.shelf.modules.values():
        if is_of_sets(module):
            shown |= _of_sets(measured, module, who)
    shown |= {name: {"value": None, "skipped": why} for name, why in measured.shelf.skipped.items()}
    return {"name": who, "trivial": who in measured.trivial, "figures": shown, **_samples(measured, who)}


def _figure(measured: Measured, name: str, who: str) -> Document:
    values = measured.values(name, who)
    value, low, high, pictures = intervals.interval(values, measured.chosen)
    if not pictures:
        return {"value": None, "skipped": _why_not(name), "pictures": 0}
    known, figure = values.mean(axis=0), measured.shelf.figures[name]
    spread = np.quantile(known[~np.isnan(known)], np.linspace(0, 1, QUANTILES))
    return {
        "value": number(value),
        "low": number(max(low, figure.low)),  # what was widened may not leave the range
        "high": number(min(high, figure.high)),
        "pictures": pictures,
        "seeds": [number(float(np.nanmean(row))) for row in values],
        "quantiles": [number(float(value)) for value in spread],
    }


def _why_not(name: str) -> str:
    """Why no picture has a figure: in the metric's own words, if it has some."""
    return str(getattr(home(name), "SKIPPED", NOT_DEFINED))


def _of_sets(measured: Measured, module: Any, who: str) -> Document:
    """Figures of whole sets, with intervals by the spread of a few repetitions: a t-interval about the value.

    Repetitions hold some pictures twice, by which distances of sets grow: so their spread counts alone.
    """
    kind = seen_through(module)
    truths = measured.table.truths.of[kind].double()
    outputs = [scores.features.of[kind].double() for scores in measured.scores(who)]
    if len(truths) < 2:
        why = {"value": None, "skipped": "too few pictures", "pictures": len(truths)}
        return dict.fromkeys(module.FIGURES, why)
    values = _mean([module.metric(output, truths) for output in outputs])
    repeated = [
        _mean([module.metric(output[rows], truths[rows]) for output in outputs])
        for rows in _drawn_rows(measured.chosen)
    ]
    return {
        figure: _spread(value, [r[figure] for r in repeated], len(truths)) for figure, value in values.items()
    }


def _drawn_rows(chosen: Draws) -> list[torch.Tensor]:
    """The pictures of the first repetitions, each as often as its cluster was drawn."""
    counts = chosen.counts[:SET_REPETITIONS].astype(np.int64)
    indices = np.arange(len(chosen.number))
    return [torch.from_numpy(np.repeat(indices, of[chosen.number])) for of in counts]


def _mean(values: Sequence[Mapping[str, float]]) -> dict[str, float]:
    return {name: float(np.mean([value[name] for value in values])) for name in values[0]}


def _spread(value: float, repeated: Sequence[float], pictures: int) -> Document:
    known = [one for one in repeated if math.isfinite(one)]
    if not math.isfinite(value) or len(known) < 2:
        return {"value": number(value), "low": None, "high": None, "pictures": pictures}
    reach = float(scipy.stats.t.ppf(1 - intervals.TAIL, len(known) - 1) * np.std(known, ddof=1))
    low, high = value - reach, value + reach
    return {"value": number(value), "low": number(low), "high": number(high), "pictures": pictures}


def _samples(measured: Measured, who: str) -> Document:
    """Of a colorizer that draws by chance: the best of several samples, and how much they differ."""
    scores = measured.scores(who)
    if not all(score.diversity for score in scores):
        return {}
    apart = np.stack([score.diversity["diversity"] for score in scores])
    best = {
        name: _interval(np.stack([score.best[name] for score in scores]), measured.chosen)
        for name in measured.figures
    }
    return {"best": best, "diversity": _interval(apart, measured.chosen) | {"unit": DIVERSITY.unit}}


def _interval(values: Values, chosen: Draws) -> Document:
    value, low, high, _ = intervals.interval(values, chosen)
    return {"value": number(value), "low": number(low), "high": number(high)}


def _comparisons(measured: Measured) -> list[Document]:
    """Each two trained colorizers, and each trained one beside the trivial: by every figure of pictures.

    p-values are corrected over all of a table's together.
    """
    trained = [who for who in measured.members if who not in measured.trivial]
    pairs = [*combinations(trained, 2), *((who, other) for who in trained for other in measured.trivial)]
    made = [_comparison(measured, name, one, other) for one, other in pairs for name in measured.figures]
    corrected = intervals.holm([math.nan if c["p"] is None else c["p"] for c in made])
    return [c | {"holm": number(p)} for c, p in zip(made, corrected, strict=True)]


def _comparison(measured: Measured, name: str, one: str, other: str) -> Document:
    figure: Figure = measured.shelf.figures[name]
    first, second = (measured.values(name, who) for who in (one, other))
    if figure.better == "one":  # which is nearer to 1 is asked, not which is more
        first, second = (figure.loss(values) for values in (first, second))
    difference = intervals.difference(first, second, measured.chosen, higher=figure.better == "higher")
    value, low, high, wins, p = (number(one) for one in difference)
    return {
        "figure": name,
        "a": one,
        "b": other,
        "difference": value,
        "low": low,
        "high": high,
        "wins": wins,
        "p": p,
    }
