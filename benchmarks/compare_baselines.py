"""The families beside each other and beside pix2pix: the same data, loop and time. Prints a table in Markdown; run again, it goes on where it was.

The data set is made of the artwork in SHARED/data (../shared, or ANIDATA_SHARED), split by cluster. Nothing else should run meanwhile: each
baseline has the same minutes, and what else takes the processor takes it from them.

    python benchmarks/compare_baselines.py WORK [--minutes 10] [--seeds 2] [--only gan …] [--device cpu]
"""

import argparse
import os
import statistics
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from anidata import parts
from anidata.loading import load_dataset
from anidata.training.loader import Loader, LoaderConfig
from anidata.training.train import Order, Outcome, run
from bench import ANIDATA, SHARED, took

SIZE = 128
SOURCES = ("data/demo", "data/dups/originals", "data/lineart")  # art; what lies beside it is there to be rejected
RECIPE = ("clean.min_side=128", "lineart.size=256", "lineart.fit=crop", "shard.splits.val=0.2", "shard.splits.test=0.05")
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
class Row:
    """What a baseline came to: each metric's mean over the validation pictures, one for each seed."""

    name: str
    images: list[int]
    values: dict[str, list[float]]

    def __str__(self) -> str:
        seen = " / ".join(f"{n:,}" for n in self.images) or "none"
        return f"| {self.name} | {seen} | " + " | ".join(_spread(self.values[m]) for m in METRICS) + " |"


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    options.add_argument("work", type=Path, help="folder of the data set and the runs")
    options.add_argument("--minutes", type=float, default=10, help="of training for each run")
    options.add_argument("--seeds", type=int, default=2)
    options.add_argument("--only", nargs="*", choices=list(BASELINES), default=list(BASELINES))
    options.add_argument("--device", default="cpu")
    chosen = options.parse_args()
    dataset = made(chosen.work)
    rows = []
    for name in chosen.only:
        done = [trained(chosen, dataset, name, seed) for seed in range(chosen.seeds)]
        rows.append(Row(name, [d.images for d in done], {m: [d.scores[-1][m] for d in done] for m in METRICS}))
    print("\n".join(table(dataset, chosen, rows)))


def made(work: Path) -> Path:
    """The data set; an up-to-date one is left as it is."""
    settings = [word for setting in RECIPE for word in ("--set", setting)]
    took([*ANIDATA, "run", "quickstart", str(work / "work"), *(str(SHARED / s) for s in SOURCES), *settings])
    return work / "work/dataset"


def trained(chosen: argparse.Namespace, dataset: Path, name: str, seed: int) -> Outcome:
    """A run for its minutes, or what it came to before."""
    model, preset = BASELINES[name]
    settings = (
        f"train.images={ENDLESS}", f"train.minutes={chosen.minutes}", f"train.size={SIZE}", f"train.seed={seed}",
        f"train.validate_every={ENDLESS}", "train.validate_images=1000", "train.checkpoint_every=2000", "train.keep_best=0",
    )  # fmt: skip
    print(f"{name}, seed {seed}", file=sys.stderr)
    return run(Order(model, str(dataset), chosen.work / f"{name}-{seed}", preset, settings, chosen.device))


def table(dataset: Path, chosen: argparse.Namespace, rows: Sequence[Row]) -> Iterator[str]:
    counts = {split: len(load_dataset(dataset, split)) for split in ("train", "val")}  # type: ignore[arg-type]  # a folder's has a length
    yield f"{SIZE} px, {counts['train']} pairs to train on, {counts['val']} of other clusters to validate with; {chosen.minutes:g} minutes on"
    yield f"{'a GPU' if chosen.device == 'cuda' else f'{os.cpu_count()} CPU cores'} for each of {chosen.seeds} seeds; torch {torch.__version__}. Mean of the seeds, and the seeds."
    yield ""
    yield (
        "| baseline | images seen | "
        + " | ".join(f"{m} {'↑' if parts.load('metrics', m).BETTER == 'higher' else '↓'}" for m in METRICS)
        + " |"
    )
    yield "|---|---|" + "---|" * len(METRICS)
    yield from map(str, [*rows, floor(dataset, "the line as it is"), floor(dataset, "white paper")])


def floor(dataset: Path, name: str) -> Row:
    """What no training gives."""
    batches = Loader(load_dataset(dataset, "val"), LoaderConfig(size=SIZE, workers=0)).validation(1000)
    outputs = [b.condition.expand(-1, 3, -1, -1) if name.startswith("the line") else torch.ones_like(b.color) for b in batches]
    values = {m: torch.cat([parts.load("metrics", m).metric(o, b.color) for o, b in zip(outputs, batches, strict=True)]) for m in METRICS}
    return Row(name, [], {m: [float(v.mean())] for m, v in values.items()})


def _spread(values: Sequence[float]) -> str:
    """'19.31 (19.20, 19.42)'."""
    seeds = f" ({', '.join(f'{v:.4g}' for v in values)})" if len(values) > 1 else ""
    return f"{statistics.mean(values):.4g}{seeds}"


if __name__ == "__main__":
    main()
