"""The families beside each other and beside pix2pix: the same data, loop and time.

Prints a table in Markdown; run again, it goes on where it was. The data set is made of the artwork in
SHARED/data (../shared, or ANIDATA_SHARED), split by cluster. Nothing else should run meanwhile: each
baseline has the same minutes, and what else takes the processor takes it from them. The table is of all
runs in WORK that had their minutes, whatever is trained now: --only adds seeds to some, --seeds 0 trains
nothing.

    python benchmarks/compare_baselines.py WORK [--minutes 10] [--seeds 2] [--only gan …] [--device cpu]
        [--threads 2]
"""

import argparse
import csv
import json
import statistics
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import torch

from anidata import registry
from anidata.dataset.samples import load_dataset
from anidata.training import figures
from anidata.training.compared import Compared
from anidata.training.data.loader import Loader, LoaderConfig
from anidata.training.run.folder import Run
from anidata.training.train import Order, run
from bench import ANIDATA, SHARED, took

SIZE = 128
# art; what lies beside it is there to be rejected
SOURCES = ("data/demo", "data/dups/originals", "data/lineart")
RECIPE = (
    "clean.min_side=128",
    "lineart.size=256",
    "lineart.fit=crop",
    "shard.splits.val=0.2",
    "shard.splits.test=0.05",
)
BASELINES = {  # name → model file and preset
    "gan": ("gan", "default"),
    "unet": ("autoencoder", "unet"),
    "cae": ("autoencoder", "cae"),
    "flow": ("diffusion", "default"),
    "pix2pix": ("gan", "pix2pix"),
}
ENDLESS = 10**9  # images: the minutes end training
METRICS = ("psnr", "ssim", "ciede2000")


@dataclass(frozen=True)
class Result:
    """Of a run: each metric's mean over the validation pictures."""

    images: int
    threads: int
    values: dict[str, float]


@dataclass(frozen=True)
class Row:
    """A baseline's results, seed by seed."""

    name: str
    results: list[Result]

    def __str__(self) -> str:
        trained = [result for result in self.results if result.images]
        seen = " / ".join(f"{result.images:,}" for result in trained) or "none"
        values = " | ".join(_spread([result.values[m] for result in self.results]) for m in METRICS)
        return f"| {self.name} | {len(trained) or ''} | {seen} | {values} |"


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    options.add_argument("work", type=Path, help="folder of the data set and the runs")
    options.add_argument("--minutes", type=float, default=10, help="of training for each run")
    options.add_argument("--seeds", type=int, default=2)
    options.add_argument("--only", nargs="*", choices=list(BASELINES), default=list(BASELINES))
    options.add_argument("--device", default="cpu")
    options.add_argument("--threads", type=int, default=torch.get_num_threads())
    chosen = options.parse_args()
    torch.set_num_threads(chosen.threads)
    dataset = made(chosen.work)
    for name in chosen.only:
        for seed in range(chosen.seeds):
            train(chosen, dataset, name, seed)
    rows = [Row(name, list(seeds(chosen, name))) for name in BASELINES]
    print("\n".join(table(dataset, chosen, [row for row in rows if row.results])))


def made(work: Path) -> Path:
    """The data set; an up-to-date one is left as it is."""
    settings = [word for setting in RECIPE for word in ("--set", setting)]
    took([*ANIDATA, "run", "quickstart", str(work / "work"), *(str(SHARED / s) for s in SOURCES), *settings])
    return work / "work/dataset"


def train(chosen: argparse.Namespace, dataset: Path, name: str, seed: int) -> None:
    """A run for its minutes, unless it had them."""
    folder = chosen.work / f"{name}-{seed}"
    if finished(folder, chosen.minutes):
        return
    model, preset = BASELINES[name]
    settings = (
        f"train.images={ENDLESS}",
        f"train.minutes={chosen.minutes}",
        f"train.size={SIZE}",
        f"train.seed={seed}",
        f"train.validate_every={ENDLESS}",
        "train.validate_images=1000",
        "train.checkpoint_every=2000",
        "train.keep_best=0",
    )
    print(f"{name}, seed {seed}", file=sys.stderr)
    order = Order(
        baseline=model,
        dataset=str(dataset),
        run=folder,
        preset=preset,
        settings=settings,
        device=chosen.device,
    )
    run(order)


def seeds(chosen: argparse.Namespace, name: str) -> Iterator[Result]:
    """The results of a baseline's runs, from seed 0 on."""
    for seed in count():
        result = finished(chosen.work / f"{name}-{seed}", chosen.minutes)
        if result is None:
            return
        yield result


def finished(folder: Path, minutes: float) -> Result | None:
    """The result of a run; None if it hasn't had its minutes: only their end is validated."""
    made = Run(folder)
    if not made.table.is_file() or made.recipe().train.minutes != minutes:
        return None
    with made.table.open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["name"].startswith("val/")]
    if not rows:
        return None
    values = {row["name"].removeprefix("val/"): float(row["value"]) for row in rows}
    threads = int(json.loads(made.environment.read_bytes())["threads"])
    return Result(int(rows[-1]["images"]), threads, values)


def table(dataset: Path, chosen: argparse.Namespace, rows: Sequence[Row]) -> Iterator[str]:
    pairs, held_out = (len(load_dataset(dataset, split)) for split in ("train", "val"))
    yield (
        f"{SIZE} px, {pairs} pairs to train on, {held_out} of other clusters to validate with; "
        f"{chosen.minutes:g} minutes of"
    )
    threads = " or ".join(map(str, sorted({result.threads for row in rows for result in row.results})))
    processor = "a GPU" if chosen.device == "cuda" else f"a CPU (threads: {threads})"
    yield f"{processor} for each run; torch {torch.__version__}. Mean of the seeds, and the seeds."
    yield ""
    yield "| baseline | seeds | images seen | " + " | ".join(map(_column, METRICS)) + " |"
    yield "|---|---|---|" + "---|" * len(METRICS)
    yield from map(str, [*rows, floor(dataset, "the line as it is"), floor(dataset, "white paper")])


def floor(dataset: Path, name: str) -> Row:
    """The results of pictures that took no training."""
    batches = Loader(load_dataset(dataset, "val"), LoaderConfig(size=SIZE, workers=0)).validation(1000)
    if name.startswith("the line"):
        pairs = [(batch.condition.expand(-1, 3, -1, -1), batch.color) for batch in batches]
    else:
        pairs = [(torch.ones_like(batch.color), batch.color) for batch in batches]
    return Row(name, [Result(0, 0, {metric: _mean(metric, pairs) for metric in METRICS})])


def _mean(metric: str, pairs: Sequence[tuple[torch.Tensor, torch.Tensor]]) -> float:
    """Over all pictures of batches of (output, truth)."""
    measured = registry.load("metrics", metric).metric
    return float(torch.cat([measured(Compared(*pair))[metric] for pair in pairs]).mean())


def _column(metric: str) -> str:
    """A metric with its way up."""
    return f"{metric} {'↑' if figures.figure(metric).better == 'higher' else '↓'}"


def _spread(values: Sequence[float]) -> str:
    """'19.31 (19.20, 19.42)'."""
    seeds = f" ({', '.join(f'{v:.4g}' for v in values)})" if len(values) > 1 else ""
    return f"{statistics.mean(values):.4g}{seeds}"


if __name__ == "__main__":
    main()
