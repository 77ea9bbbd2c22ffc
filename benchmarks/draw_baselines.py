"""What the baselines of compare_baselines.py paint, side by side: held-out pairs of the bundled art, a row for each. Writes one PNG.

Only the bundled art, whose licenses allow it to be shown with its attribution, is drawn; what the runs have learned from stays where it is.

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
    columns = {"line": to_uint8(shown(["lineart"], pairs.condition)[0])}
    for name in BASELINES:
        run = Run(chosen.work / f"{name}-{chosen.seed}")
        if run.weights.is_file():
            baseline, recipe = open_run(run, torch.device("cpu"))
            columns[name] = to_uint8(sample(baseline, pairs, recipe.train, torch.device("cpu"), 0))
    columns["truth"] = to_uint8(pairs.color)
    groups = [
        [Cell(pictures[row], note=name) for name, pictures in columns.items()]
        for row in range(len(pairs.keys))
    ]
    drawn = sheet.draw(
        "baselines", [], [Section("Held-out pairs", groups, f"{SIZE} px", columns=len(columns), max_rows=0)]
    )
    storage.publish(chosen.output, encode.encode_png(drawn))


def bundled(dataset: Path, count: int) -> Batch:
    """Validation pairs of the bundled art, by key."""
    names = {path.name for path in (PACKAGE / "art").iterdir()}
    samples = load_dataset(dataset, "val")
    files = {pair["key"]: Path(pair["meta"]["file"]).name for pair in samples}
    batches = Loader(samples, LoaderConfig(batch=1, size=SIZE, workers=0)).validation(len(files))
    found = [batch for batch in batches if files[batch.keys[0]] in names][:count]
    return Batch(
        torch.cat([b.color for b in found]),
        torch.cat([b.condition for b in found]),
        tuple(k for b in found for k in b.keys),
    )


if __name__ == "__main__":
    main()
