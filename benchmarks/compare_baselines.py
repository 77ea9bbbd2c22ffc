"""The families beside each other and beside pix2pix: the same data, loop and time. Prints a table in Markdown; run again, it goes on where it was.

The data set is made of the artwork in SHARED/data (../shared, or ANIDATA_SHARED), split by cluster. Nothing else should run meanwhile: each
baseline has the same minutes, and what else takes the processor takes it from them. The table is of all runs in WORK that had their minutes,
whatever is trained now: --only adds seeds to some, --seeds 0 trains nothing.

    python benchmarks/compare_baselines.py WORK [--minutes 10] [--seeds 2] [--only gan …] [--device cpu] [--threads 2]
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
from anidata.training.data.loader import Loader, LoaderConfig
from anidata.training.run.folder import Run
from anidata.training.train import Order, run
from bench import ANIDATA, SHARED, took

SIZE = 128
SOURCES = (
    "data/demo",
    "data/dups/originals",
    "data/lineart",
)  # art; what lies beside it is there to be rejected
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
class Found:
    """What a run came to: each metric's mean over the validation pictures."""

    images: int
    threads: int
    values: dict[str, float]


@dataclass(frozen=True)
class Row:
    """What a baseline came to, seed by seed."""

    name: str
    found: list[Found]

    def __str__(self) -> str:
        trained = [f for f in self.found if f.images]
        seen = " / ".join(f"{f.images:,}" for f in trained) or "none"
        values = " | ".join(_spread([f.values[m] for f in self.found]) for m in METRICS)
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
    print("\n".join(table(dataset, chosen, [r for r in rows if r.found])))


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
        f"train.images={ENDLESS}", f"train.minutes={chosen.minutes}", f"train.size={SIZE}", f"train.seed={seed}",
        f"train.validate_every={ENDLESS}", "train.validate_images=1000", "train.checkpoint_every=2000", "train.keep_best=0",
    )  # fmt: skip
    print(f"{name}, seed {seed}", file=sys.stderr)
    run(Order(model, str(dataset), folder, preset, settings, chosen.device))


def seeds(chosen: argparse.Namespace, name: str) -> Iterator[Found]:
    """What a baseline's runs came to, from seed 0 on."""
    for seed in count():
        found = finished(chosen.work / f"{name}-{seed}", chosen.minutes)
        if found is None:
            return
        yield found


def finished(folder: Path, minutes: float) -> Found | None:
    """What a run came to; None if it hasn't had its minutes: only their end is validated."""
    made = Run(folder)
    if not made.table.is_file() or made.recipe().train.minutes != minutes:
        return None
    with made.table.open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["name"].startswith("val/")]
    values = {row["name"].removeprefix("val/"): float(row["value"]) for row in rows}
    return (
        Found(int(rows[-1]["images"]), int(json.loads(made.environment.read_bytes())["threads"]), values)
        if rows
        else None
    )


def table(dataset: Path, chosen: argparse.Namespace, rows: Sequence[Row]) -> Iterator[str]:
    counts = {split: len(load_dataset(dataset, split)) for split in ("train", "val")}  # type: ignore[arg-type]  # a folder's has a length
    yield f"{SIZE} px, {counts['train']} pairs to train on, {counts['val']} of other clusters to validate with; {chosen.minutes:g} minutes of"
    threads = " or ".join(map(str, sorted({f.threads for row in rows for f in row.found})))
    yield f"{'a GPU' if chosen.device == 'cuda' else f'a CPU (threads: {threads})'} for each run; torch {torch.__version__}. Mean of the seeds, and the seeds."
    yield ""
    yield (
        "| baseline | seeds | images seen | "
        + " | ".join(f"{m} {'↑' if registry.load('metrics', m).BETTER == 'higher' else '↓'}" for m in METRICS)
        + " |"
    )
    yield "|---|---|---|" + "---|" * len(METRICS)
    yield from map(str, [*rows, floor(dataset, "the line as it is"), floor(dataset, "white paper")])


def floor(dataset: Path, name: str) -> Row:
    """What no training gives."""
    batches = Loader(load_dataset(dataset, "val"), LoaderConfig(size=SIZE, workers=0)).validation(1000)
    outputs = [
        b.condition.expand(-1, 3, -1, -1) if name.startswith("the line") else torch.ones_like(b.color)
        for b in batches
    ]
    values = {
        m: torch.cat(
            [registry.load("metrics", m).metric(o, b.color) for o, b in zip(outputs, batches, strict=True)]
        )
        for m in METRICS
    }
    return Row(name, [Found(0, 0, {m: float(v.mean()) for m, v in values.items()})])


def _spread(values: Sequence[float]) -> str:
    """'19.31 (19.20, 19.42)'."""
    seeds = f" ({', '.join(f'{v:.4g}' for v in values)})" if len(values) > 1 else ""
    return f"{statistics.mean(values):.4g}{seeds}"


if __name__ == "__main__":
    main()
