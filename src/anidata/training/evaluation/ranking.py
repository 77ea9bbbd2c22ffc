"""Which colorizer comes first, and which figures have no say in it.

A figure by which a colorizer that has learned nothing beats a trained one isn't to be trusted with a ranking:
it is marked, and left out. Where that leaves no order, as one failed run among good ones does, those figures
count by which the best trained one is ahead of all that have learned nothing, and the report says so.
A colorizer's score is the share of pictures on which it is better than another one, averaged over the others,
over the figures of a side, and over both sides by the goal: .5 says that it is as good as the others. Of a
metric with several figures the first alone counts, so that none has two votes;
of sets, that have no pictures, none.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from anidata.training.evaluation.intervals import Values
from anidata.training.metrics import Figure

Goal = Literal["color", "style", "balanced"]
Side = Literal["color", "style"]
WEIGHTS: dict[Goal, dict[Side, float]] = {  # of the sides, by goal
    "color": {"color": 0.8, "style": 0.2},
    "style": {"color": 0.2, "style": 0.8},
    "balanced": {"color": 0.5, "style": 0.5},
}


@dataclass(frozen=True)
class Ranking:
    """The colorizers, the best first, with the scores that say so."""

    order: list[tuple[str, float]]
    counted: list[str]  # figures that had a say


def marked(
    means: Mapping[str, Mapping[str, float]],
    figures: Mapping[str, Figure],
    trivial: Sequence[str],
) -> dict[str, str]:
    """By figure the trivial colorizer that beats a trained one. means: figure → colorizer → mean."""
    beaten: dict[str, str] = {}
    for name, of in means.items():
        losses = {who: figures[name].loss(value) for who, value in of.items()}
        worst = max((value for who, value in losses.items() if who not in trivial), default=np.nan)
        better = {who: losses[who] for who in trivial if who in losses and losses[who] < worst}
        if better:
            beaten[name] = min(better, key=lambda who: (better[who], who))
    return beaten


def foremost(
    means: Mapping[str, Mapping[str, float]],
    figures: Mapping[str, Figure],
    trivial: Sequence[str],
) -> list[str]:
    """The figures by which the best trained colorizer is ahead of all trivial ones. means: as of `marked`."""
    ahead = []
    for name, of in means.items():
        losses = {who: figures[name].loss(value) for who, value in of.items()}
        trained = [value for who, value in losses.items() if who not in trivial]
        others = [value for who, value in losses.items() if who in trivial]
        if trained and others and min(trained) < min(others):
            ahead.append(name)
    return ahead


def rank(
    values: Mapping[str, Mapping[str, Values]],
    figures: Mapping[str, Figure],
    goal: Goal,
) -> Ranking:
    """Rank by the figures that vote. values: figure → colorizer → (seeds, pictures)."""
    names = sorted({who for of in values.values() for who in of})
    sides: dict[Side, list[dict[str, float]]] = {"color": [], "style": []}
    for name in values:
        if votes := _votes(values[name], figures[name]):
            sides[figures[name].side].append(votes)
    weights = {side: weight for side, weight in WEIGHTS[goal].items() if sides[side]}
    whole = sum(weights.values())
    scores = {
        who: sum(
            weight * float(np.mean([votes[who] for votes in sides[side] if who in votes]))
            for side, weight in weights.items()
        )
        / whole
        for who in (names if whole else ())
    }
    order = sorted(scores.items(), key=lambda pair: (-pair[1], pair[0]))
    return Ranking(order, list(values))


def _votes(values: Mapping[str, Values], figure: Figure) -> dict[str, float]:
    """Of each colorizer the share of pictures on which it is better, over all others; equals count half."""
    losses = {who: figure.loss(rows).mean(axis=0) for who, rows in values.items()}
    kept = ~np.isnan(np.stack(list(losses.values()))).any(axis=0) if losses else np.zeros(0, bool)
    if len(losses) < 2 or not kept.any():
        return {}
    votes: dict[str, float] = {}
    for who, own in losses.items():
        others = [row[kept] for name, row in losses.items() if name != who]
        wins = [((own[kept] < row) + 0.5 * (own[kept] == row)).mean() for row in others]
        votes[who] = float(np.mean(wins))
    return votes
