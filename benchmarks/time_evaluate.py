"""Makes what `anidata evaluate` is timed on: drawn pictures of 256 px as a data set, and a tiny run.

    python benchmarks/time_evaluate.py FOLDER [PICTURES]       FOLDER: gets work/dataset and run

PICTURES stand in the split val; a quarter as many are there to train on. Then time, each in a fresh process:

    anidata evaluate FOLDER/run --data FOLDER/work/dataset --device cpu -o REPORT --set evaluate.pictures=N
"""

import sys
from collections.abc import Sequence
from pathlib import Path

from bench import ANIDATA, took

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests/labs"))

from drawings import drawing, save

SIDE = 256  # px
SPLITS = {"val": 0.8, "test": 0.0}
DATA = ("clean.min_side=32", "clean.min_sharpness=0", f"lineart.size={SIDE}")
SMALLEST = ("train.images=16", "train.workers=0", "train.validate_every=0", f"train.size={SIDE}")


def dataset(folder: Path, pictures: int) -> Path:
    """A data set that has at least so many pictures to validate with."""
    for n in range(round(pictures / SPLITS["val"] * 1.1) + 10):
        save(folder / f"pile/{n:05d}.jpg", drawing(n, SIDE, SIDE))
    settings = [*DATA, *(f"shard.splits.{name}={share}" for name, share in SPLITS.items())]
    words = ["run", "quickstart", str(folder / "work"), str(folder / "pile")]
    took([*ANIDATA, *words, *options(settings)])
    return folder / "work/dataset"


def options(settings: Sequence[str]) -> list[str]:
    return [word for setting in settings for word in ("--set", setting)]


def main() -> None:
    folder, pictures = Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 1000
    words = ["train-baseline", "autoencoder", str(dataset(folder, pictures)), str(folder / "run")]
    took([*ANIDATA, *words, "--preset", "smoke", "--device", "cpu", *options(SMALLEST)])


if __name__ == "__main__":
    main()
