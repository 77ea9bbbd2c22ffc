"""How soon each family knows 16 bundled pairs of 64 px by heart, and whether it heeds their lines.

Prints figures beside their goals, a line each. The data set is made for it. A training ends when it has
reached its goal, or when its time is over. Close other programs first.

    python benchmarks/overfit.py [--only NAME …] [--seeds 5] [--threads 2]
"""

import argparse
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import torch

from anidata.dataset.samples import load_dataset
from anidata.training import models
from anidata.training.baseline import Baseline, Batch
from anidata.training.compared import Compared
from anidata.training.config import Config
from anidata.training.data.loader import Loader, LoaderConfig
from anidata.training.ema import Ema
from anidata.training.loop import State, prepare, train
from anidata.training.metrics import psnr
from anidata.training.run.validation import sampling
from bench import ANIDATA, line, scratch, took

PAIRS, SIZE = 16, 64
CONFIG = Config(images=10**9, batch=4, size=SIZE)
LOOKS = 20  # how often within its time a training is looked at
DRAWS = 32  # steps that a loss is averaged over: times and noise are random
RISE = 0.2  # by which the loss must rise where each picture gets another's line


@dataclass(frozen=True)
class Goal:
    """The figures that a preset must reach."""

    model: str
    preset: str  # its model; batch and length are the benchmark's
    decibels: float  # PSNR of its samples, averaged weights
    minutes: float  # of training


GOALS = {
    "unet": Goal("autoencoder", "unet", 25, 5),
    "gan": Goal("gan", "default", 25, 5),
    "cae": Goal("autoencoder", "cae", 20, 5),
    "flow": Goal("diffusion", "default", 17, 15),
}


@dataclass(frozen=True)
class Learned:
    """Result of one training."""

    decibels: float
    seconds: float
    rise: float  # of the loss with another's lines, 0: none


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    options.add_argument("--only", nargs="*", choices=list(GOALS), default=list(GOALS))
    options.add_argument("--seeds", type=int, default=5)
    options.add_argument("--threads", type=int, default=torch.get_num_threads())
    chosen = options.parse_args()
    torch.set_num_threads(chosen.threads)
    with scratch() as folder:
        pairs = made(folder)
    for name in chosen.only:
        report(name, GOALS[name], [learned(GOALS[name], pairs, seed) for seed in range(chosen.seeds)])


def made(folder: Path) -> Batch:
    """The pairs, in one batch."""
    took([*ANIDATA, "run", "quickstart", str(folder / "work"), "sample:", "--set", f"lineart.size={SIZE}"])
    samples = load_dataset(folder / "work/dataset", "train")
    (batch,) = Loader(samples, LoaderConfig(batch=PAIRS, size=SIZE, workers=0)).validation(PAIRS)
    return batch


def learned(goal: Goal, pairs: Batch, seed: int) -> Learned:
    """Train until the goal is reached, or the time is over."""
    torch.manual_seed(seed)
    config = Config(images=CONFIG.images, batch=CONFIG.batch, size=SIZE, seed=seed)
    baseline: Baseline = models.build(models.load(goal.model), goal.preset, {}, 1, SIZE)
    prepare(baseline, config)
    averages = Ema({name: baseline.networks[name] for name in baseline.sampled}, config.ema)
    state, look, decibels = State(ema=averages), 0.0, 0.0
    for _ in train(baseline, shuffled(pairs, config.batch, seed), config, state):
        if state.seconds < look:
            continue
        look = state.seconds + goal.minutes * 60 / LOOKS
        decibels = accuracy(baseline, averages, pairs)
        when = f"after {state.images:,} images, {state.seconds:.0f} s"
        print(f"{goal.preset}, seed {seed}: {decibels:.1f} dB {when}", file=sys.stderr)
        if decibels >= goal.decibels or state.seconds >= goal.minutes * 60:
            break
    return Learned(decibels, state.seconds, rise(baseline, averages, pairs, seed))


def shuffled(pairs: Batch, batch: int, seed: int) -> Iterator[Batch]:
    """Every pair as often as any other, without end."""
    generator = torch.Generator().manual_seed(seed)
    while True:
        for chosen in torch.randperm(PAIRS, generator=generator).split(batch):
            yield Batch(pairs.color[chosen], pairs.condition[chosen])


def accuracy(baseline: Baseline, averages: Ema, pairs: Batch) -> float:
    """Mean PSNR of samples, dB."""
    with sampling(baseline, averages):
        sample = baseline.sample(pairs, torch.Generator().manual_seed(0))
    return float(psnr.metric(Compared(sample, pairs.color))["psnr"].mean())


def rise(baseline: Baseline, averages: Ema, pairs: Batch, seed: int) -> float:
    """By which share the loss rises where each picture gets another's line; the same draws on both sides."""
    turn = 1 + seed % (PAIRS - 1)
    turned = Batch(pairs.color, pairs.condition.roll(turn, 0))
    with sampling(baseline, averages):
        own, other = (mean_loss(baseline, batch) for batch in (pairs, turned))
    return other / own - 1


def mean_loss(baseline: Baseline, batch: Batch) -> float:
    draws = (torch.Generator().manual_seed(draw) for draw in range(DRAWS))
    return sum(float(baseline.step(batch, generator, lambda *_: None)["loss"]) for generator in draws) / DRAWS


def report(name: str, goal: Goal, results: list[Learned]) -> None:
    times = ", ".join(f"{result.seconds:.0f} s" for result in results)
    rises = ", ".join(f"{result.rise:.0%}" for result in results)
    decibels, seconds = min(r.decibels for r in results), max(r.seconds for r in results)
    line(
        name,
        f"{decibels:.1f} dB after {seconds:.0f} s",
        f"{goal.decibels:g} dB within {goal.minutes * 60:.0f} s",
        f"{goal.model} {goal.preset}, {len(results)} seeds, {torch.get_num_threads()} threads: {times}",
    )
    line(
        "",
        f"loss + {min(result.rise for result in results):.0%}",
        f"+ {RISE:.0%} with another's lines",
        f"the least of: {rises}",
    )


if __name__ == "__main__":
    main()
