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
from anidata.training.baseline import Baseline, Batch
from anidata.training.config import Config
from anidata.training.distributed import Processes
from anidata.training.ema import Ema
from anidata.training.loop import autocast, placed, seed
from anidata.training.run import grids

SHOWN = 8  # pictures in a sample grid
SEED = 0  # of what is random in sampling: the same in every run

Score = dict[str, float]  # images, and each metric's mean


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
    """The means of all metrics over the batches, which the processes share out; and a sheet.

    The sheet (h, w, 3) is of this process's first pictures.
    """
    metrics = {name: registry.load("metrics", name).metric for name in registry.names("metrics")}
    sums = torch.zeros(len(metrics) + 1, dtype=torch.float64, device=processes.device)
    shown: list[tuple[Tensor, Tensor, Tensor]] = []
    for number in range(processes.rank, len(batches), processes.ranks):
        batch = batches[number].to(processes.device)
        output = sample(baseline, batch, config, processes.device, number)
        values = [metric(output, batch.color).double().sum() for metric in metrics.values()]
        sums += torch.stack([*values, torch.full_like(values[0], len(output))])
        if processes.first and sum(len(o) for _, o, _ in shown) < SHOWN:
            shown.append((batch.condition, output, batch.color))
    *totals, count = processes.total(sums).tolist()
    means = {name: total / count for name, total in zip(metrics, totals, strict=True)}
    if not shown:
        return means, None
    condition, output, truth = (torch.cat(column)[:SHOWN] for column in zip(*shown, strict=True))
    return means, grids.grid(condition, output, truth, config.conditions)


def look(
    baseline: Baseline, batches: Sequence[Batch], config: Config, processes: Processes
) -> tuple[Score, Any]:
    """No figures, for pictures that have no truth; and the first process's sheet of line and output."""
    shown: list[tuple[Tensor, Tensor]] = []
    for number, batch in enumerate(batches if processes.first else ()):
        if sum(len(o) for _, o in shown) < SHOWN:
            output = sample(baseline, batch, config, processes.device, number)
            shown.append((batch.condition.to(processes.device), output))
    if not shown:
        return {}, None
    condition, output = (torch.cat(column)[:SHOWN] for column in zip(*shown, strict=True))
    return {}, grids.grid(condition, output, None, config.conditions)


def best(scores: Sequence[Score], metric: str, count: int) -> list[int]:
    """The images after which the metric was best, the best first; the earlier of equals."""
    sign = -1 if registry.load("metrics", metric).BETTER == "higher" else 1
    values = {int(s["images"]): sign * s.get(metric, math.nan) for s in scores}
    ranked = sorted(values, key=lambda images: (math.isnan(values[images]), values[images], images))
    return ranked[:count]


def versions() -> dict[str, int]:
    """By metric: the number that changes when the same pictures get another value."""
    return {name: registry.load("metrics", name).VERSION for name in registry.names("metrics")}


def comparable(scores: Sequence[Score], of: Mapping[str, int]) -> list[Score]:
    """Scores of an earlier session, without the metrics that were of another version then."""
    gone = {name for name, version in versions().items() if of.get(name, 1) != version}
    return [{name: value for name, value in score.items() if name not in gone} for score in scores]


def stale(scores: Sequence[Score], metric: str) -> int:
    """How many validations have come since the best one."""
    if not scores:
        return 0
    top = best(scores, metric, 1)[0]
    return sum(s["images"] > top for s in scores)
