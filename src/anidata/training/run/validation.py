"""How good a baseline is by now, and what follows from the figures.

Its averaged weights are tried on fixed pictures with fixed seeds.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

from anidata import registry
from anidata.training import figures
from anidata.training.baseline import Baseline, Batch
from anidata.training.compared import Compared
from anidata.training.config import Config
from anidata.training.data.conditions import line
from anidata.training.distributed import Processes
from anidata.training.ema import Ema
from anidata.training.loop import autocast, placed, seed
from anidata.training.run import grids

SHOWN = 8  # pictures in a sample grid
SEED = 0  # of what is random in sampling: the same in every run

Score = dict[str, float]  # images, and each figure's mean


@contextmanager
def sampling(baseline: Baseline, averages: Ema | None) -> Iterator[None]:
    """Keep the networks in their state for sampling within the block, with averages if there are any."""
    for network in baseline.networks.values():
        network.eval()
    if averages:
        averages.trade()
    try:
        yield
    finally:
        if averages:
            averages.trade()
        for network in baseline.networks.values():
            network.train()


@torch.no_grad()
def sample(baseline: Baseline, batch: Batch, config: Config, device: torch.device, number: int) -> Tensor:
    """A baseline's pictures for a batch, the `number`th: float32 (b, 3, h, w) in [-1, 1], on the device."""
    drawn = seed(SEED, number)
    generator = torch.Generator(device).manual_seed(drawn)
    torch.manual_seed(drawn)
    with autocast(config, device):
        return baseline.sample(placed(batch, config, device), generator).float().clamp(-1, 1)


def score(
    baseline: Baseline, batches: Sequence[Batch], config: Config, processes: Processes
) -> tuple[Score, Any]:
    """The means of the figures over the batches, which the processes share out; and a sheet.

    The sheet (h, w, 3) is of this process's first pictures.
    """
    names = validated(config.metric)
    sums = torch.zeros(2, len(names), dtype=torch.float64, device=processes.device)
    shown: list[tuple[Tensor, Tensor, Tensor]] = []
    for number in range(processes.rank, len(batches), processes.ranks):
        batch = batches[number].to(processes.device)
        output = sample(baseline, batch, config, processes.device, number)
        sums += _sums(Compared(output, batch.color, line(config.conditions, batch.condition)), names)
        if processes.first and sum(len(o) for _, o, _ in shown) < SHOWN:
            shown.append((batch.condition, output, batch.color))
    totals, counts = processes.total(sums)
    means = dict(zip(names, (totals / counts).tolist(), strict=True))
    if not shown:
        return means, None
    condition, output, truth = (torch.cat(column)[:SHOWN] for column in zip(*shown, strict=True))
    return means, grids.grid(condition, output, truth, config.conditions)


def validated(metric: str) -> list[str]:
    """The figures that a validation takes: the quick metrics' first ones, and train.metric."""
    modules = (registry.load("metrics", name) for name in registry.names("metrics"))
    quick = [next(iter(module.FIGURES)) for module in modules if module.QUICK]
    return quick if metric in quick else [*quick, metric]


def _sums(compared: Compared, names: Sequence[str]) -> Tensor:
    """Sums of the figures over the pictures, and of how many pictures each is: float64 (2, figures).

    A picture for which a figure isn't defined doesn't count, unless it is the output that is no number.
    """
    values: dict[str, Tensor] = {}
    for name in names:
        if name not in values:
            values |= figures.home(name).metric(compared)
    chosen = torch.stack([values[name] for name in names], dim=1).double()
    broken = ~compared.output.isfinite().flatten(1).all(dim=1, keepdim=True)
    counted = broken | ~chosen.isnan()
    return torch.stack([chosen.where(counted, 0).sum(dim=0), counted.double().sum(dim=0)])


def best(scores: Sequence[Score], metric: str, count: int) -> list[int]:
    """The images after which the metric was best, the best first; the earlier of equals."""
    figure = figures.figure(metric)
    losses = {int(s["images"]): figure.loss(s.get(metric, math.nan)) for s in scores}
    ranked = sorted(losses, key=lambda images: (math.isnan(losses[images]), losses[images], images))
    return ranked[:count]


def versions(metric: str) -> dict[str, int]:
    """By figure that a validation takes: the number that changes when the same pictures get another value."""
    return {name: figures.home(name).VERSION for name in validated(metric)}


def comparable(scores: Sequence[Score], of: Mapping[str, int], metric: str) -> list[Score]:
    """Scores of an earlier session, without the metrics that were of another version then."""
    gone = {name for name, version in versions(metric).items() if of.get(name, 1) != version}
    return [{name: value for name, value in score.items() if name not in gone} for score in scores]


def stale(scores: Sequence[Score], metric: str) -> int:
    """How many validations have come since the best one."""
    if not scores:
        return 0
    top = best(scores, metric, 1)[0]
    return sum(s["images"] > top for s in scores)
