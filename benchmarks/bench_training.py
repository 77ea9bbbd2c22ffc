"""How much of a machine training gets, a line each.

A line has a figure taken in this run, its reference, and how it was taken. The data set is made for it, of
the bundled art at 512 px. Close other programs first.

    python benchmarks/bench_training.py [--only NAME …] [--seconds 10]
"""

import argparse
import statistics
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import torch
from torch import Tensor, nn

from anidata import registry
from anidata.dataset.samples import load_dataset
from anidata.training import models
from anidata.training.baseline import Baseline, Batch, Update
from anidata.training.config import Config
from anidata.training.data.loader import Loader, LoaderConfig
from anidata.training.ema import Ema
from anidata.training.loop import State, prepare, train
from bench import ANIDATA, line, scratch, took

TIMES = 7  # stretches of each side, by turns; the median counts
# steps before each that aren't counted: workers start, or have read ahead while the other side had its turn
WARM = 3
SIZE, BATCH = 256, 4  # px as train.size has it; the data set has 512
SLEEP = 0.020  # seconds: a fast GPU's step


def steps(folder: Path, seconds: float) -> None:
    """Images a second of the whole training, beside the same step in a bare loop over one batch in memory."""
    dataset = made(folder)
    for name in registry.names("models"):
        ours, theirs = whole(name, dataset), bare(name)
        pairs = [(rate(ours, seconds), rate(theirs, seconds)) for _ in range(TIMES)]
        ratio = statistics.median(a / b for a, b in pairs)
        a, b = (statistics.median(of) for of in zip(*pairs, strict=True))
        line(
            "step",
            f"{ratio:.3f} × a bare loop's images/s",
            f"{a:.1f} against {b:.1f} images/s; at least .9",
            f"{name}, preset default, {SIZE} px, batch {BATCH}, {torch.get_num_threads()} threads; "
            "reading, EMA, clipping, NaN guard",
        )


def waiting(folder: Path, seconds: float) -> None:
    """The share of time spent waiting for data, where a step takes 20 ms whatever the batch."""
    dataset = made(folder)
    for batch, size in ((4, 128), (4, 256), (8, 128), (8, 256)):
        config = Config(batch=batch, size=size, ema=0)
        steps = train(Sleeper(), loader(dataset, config), config, State())
        done = list(islice(steps, WARM, WARM + round(seconds / SLEEP)))
        whole = sum(step.seconds for step in done)
        share = sum(step.waited for step in done) / whole
        line(
            "waiting",
            f"{100 * share:.1f} % of the time",
            f"{batch * len(done) / whole:,.0f} images/s; at most 5 % where the workers can keep up",
            f"the step a sleep of {1000 * SLEEP:.0f} ms, batch {batch}, {size} px of 512, "
            f"{config.workers} workers",
        )


def whole(name: str, dataset: Path) -> Iterator[object]:
    """A training as the command does it."""
    config = Config(size=SIZE, batch=BATCH)
    baseline = built(name)
    prepare(baseline, config)
    state = State(ema=Ema({n: baseline.networks[n] for n in baseline.sampled}, config.ema))
    return train(baseline, loader(dataset, config), config, state)


def bare(name: str) -> Iterator[object]:
    """A loop as a person writes it by hand: no averages, no clipping, no guard."""
    baseline, generator = built(name), torch.Generator()
    for network in baseline.networks.values():
        network.train()
    batch = Batch(torch.rand(BATCH, 3, SIZE, SIZE) * 2 - 1, torch.rand(BATCH, 1, SIZE, SIZE) * 2 - 1)

    def update(loss: Tensor, optimizer: str) -> None:
        baseline.optimizers[optimizer].zero_grad()
        loss.backward()
        baseline.optimizers[optimizer].step()

    while True:
        yield baseline.step(batch, generator, update)


def rate(done: Iterator[object], seconds: float) -> float:
    """Images a second, over so many seconds after a few steps."""
    for _ in islice(done, WARM):
        pass
    begun, count = time.perf_counter(), 0
    while (gone := time.perf_counter() - begun) < seconds:
        next(done)
        count += 1
    return BATCH * count / gone


def loader(dataset: Path, config: Config) -> Iterator[Batch]:
    settings = LoaderConfig(
        batch=config.batch,
        size=config.size,
        conditions=config.conditions,
        styles=config.styles,
        seed=config.seed,
        workers=config.workers,
        augment=config.augment,
    )
    return Loader(load_dataset(dataset), settings).batches()


def built(name: str) -> Baseline:
    torch.manual_seed(0)
    return models.build(models.load(name), "default", {}, 1, SIZE)


def made(folder: Path) -> Path:
    """The data set, made once."""
    if not (folder / "work").exists():
        took([*ANIDATA, "run", "quickstart", str(folder / "work"), "sample:"])
    return folder / "work/dataset"


@dataclass
class Sleeper:
    """A model that takes its time and learns nothing."""

    def __post_init__(self) -> None:
        self.networks: dict[str, nn.Module] = {"none": nn.Conv2d(1, 3, 1)}
        self.optimizers = {"none": torch.optim.SGD(self.networks["none"].parameters(), lr=0)}
        self.sampled = ("none",)

    def step(
        self,
        batch: Batch,  # noqa: ARG002 nothing is learned
        generator: torch.Generator,  # noqa: ARG002
        update: Update,  # noqa: ARG002
    ) -> Mapping[str, Tensor]:
        time.sleep(SLEEP)
        return {}

    def sample(self, batch: Batch, generator: torch.Generator) -> Tensor:  # noqa: ARG002 nothing is random
        return self.networks["none"](batch.condition)


BENCHES = {"step": steps, "waiting": waiting}


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    options.add_argument("--only", nargs="*", choices=list(BENCHES), default=list(BENCHES))
    options.add_argument("--seconds", type=float, default=10.0, help="of each run")
    chosen = options.parse_args()
    with scratch() as folder:
        for name in chosen.only:
            BENCHES[name](folder, chosen.seconds)


if __name__ == "__main__":
    main()
