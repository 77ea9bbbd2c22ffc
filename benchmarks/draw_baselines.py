"""What the baselines of compare_baselines.py paint, side by side, on held-out pairs of the bundled art.

A row is a pair. Writes one PNG. Only the bundled art, whose licenses allow it to be shown with its
attribution, is drawn; what the runs have learned from stays where it is.

    python benchmarks/draw_baselines.py WORK docs/baselines.png [--pictures 6] [--seed 0]
"""

import argparse
from pathlib import Path

import torch

from anidata import storage
from anidata.dataset.samples import load_dataset
from anidata.imaging import encode, sheet
from anidata.imaging.sheet_layout import Cell, Section
from anidata.registry import PACKAGE
from anidata.training.baseline import Batch
from anidata.training.data.batches import Pixels
from anidata.training.data.loader import Loader, LoaderConfig, to_uint8
from anidata.training.inference.files import open_run
from anidata.training.run.folder import Run
from anidata.training.run.grids import shown
from anidata.training.run.validation import sample
from compare_baselines import BASELINES, SIZE


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    options.add_argument("work", type=Path, help="folder of the data set and the runs")
    options.add_argument("output", type=Path)
    options.add_argument("--pictures", type=int, default=6)
    options.add_argument("--seed", type=int, default=0, help="of the runs")
    chosen = options.parse_args()
    pairs = bundled(chosen.work / "work/dataset", chosen.pictures)
    columns = painted(pairs, chosen.work, chosen.seed)
    groups = [
        [Cell(pictures[row], note=name) for name, pictures in columns.items()]
        for row in range(len(pairs.keys))
    ]
    section = Section("Held-out pairs", groups, f"{SIZE} px", columns=len(columns), max_rows=0)
    storage.publish(chosen.output, encode.encode_png(sheet.draw("baselines", [], [section])))


def painted(pairs: Batch, work: Path, seed: int) -> dict[str, Pixels]:
    """The pictures (b, h, w, 3) of each column: the line, the output of each baseline, the truth."""
    columns = {"line": to_uint8(shown(["lineart"], pairs.condition)[0])}
    for name in BASELINES:
        run = Run(work / f"{name}-{seed}")
        if run.weights.is_file():
            baseline, recipe = open_run(run, torch.device("cpu"))
            columns[name] = to_uint8(sample(baseline, pairs, recipe.train, torch.device("cpu"), 0))
    return columns | {"truth": to_uint8(pairs.color)}


def bundled(dataset: Path, count: int) -> Batch:
    """Validation pairs of the bundled art, by key."""
    names = {path.name for path in (PACKAGE / "art").iterdir()}
    samples = load_dataset(dataset, "val")
    files = {pair["key"]: Path(pair["meta"]["file"]).name for pair in samples}
    batches = Loader(samples, LoaderConfig(batch=1, size=SIZE, workers=0)).validation(len(files))
    chosen = [batch for batch in batches if files[batch.keys[0]] in names][:count]
    return Batch(
        torch.cat([batch.color for batch in chosen]),
        torch.cat([batch.condition for batch in chosen]),
        tuple(key for batch in chosen for key in batch.keys),
    )


if __name__ == "__main__":
    main()
