"""What the network draws of what is known: the table of styles (compare_styles.py) for its answer alone.

    python benchmarks/lines/net/score.py FILE.onnx … [--only pairs silhouettes …] [--every 1] [--levels 0 1]

The picture is 255 · (1 − the opacity of ink), the opacities from LOW to HIGH spread to 0 to 1. Silhouettes
are stated apart for the packages that were trained on (fit) and those that were not (check).
"""

import argparse
import functools
import multiprocessing
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from lines.columns import COLUMNS
from lines.net import run


def main() -> None:
    """Print a row of figures for each column."""
    parser = argparse.ArgumentParser(description="Score networks.")
    parser.add_argument("files", type=Path, nargs="+")
    parser.add_argument("--only", nargs="*", choices=list(COLUMNS), default=list(COLUMNS), metavar="COLUMN")
    parser.add_argument("--every", type=int, default=1, help="take each n-th picture only")
    parser.add_argument("--levels", type=float, nargs=2, default=(0, 1))
    parser.add_argument("--processes", type=int, default=2)
    args = parser.parse_args()
    cv2.setNumThreads(1)
    with multiprocessing.Pool(args.processes, cv2.setNumThreads, (1,)) as pool:
        for path in args.files:
            for name in args.only:
                items = list(COLUMNS[name].items(args.every))
                score = functools.partial(_score, name, path, tuple(args.levels))
                rows = pool.map(score, items, chunksize=4)
                for title, part in _parts(name, rows):
                    print(path.stem, title, *_cells(name, part), flush=True)


def _score(name: str, path: Path, levels: tuple[float, float], item: Any) -> Any:
    return COLUMNS[name].score(functools.partial(_draw, path, levels), item)


def _draw(path: Path, levels: tuple[float, float], rgb: np.ndarray) -> np.ndarray:
    low, high = levels
    share = np.clip((run.opacity(_ask(path), rgb) - low) / (high - low), 0, 1)
    return np.round(255 * (1 - share)).astype(np.uint8)


@functools.cache
def _ask(path: Path) -> run.Ask:
    return run.by_onnxruntime(path)


def _parts(name: str, rows: Sequence[Any]) -> list[tuple[str, Sequence[Any]]]:
    if name != "silhouettes":
        return [(name, rows)]
    halves = {half: [r for r in rows if r and r["half"] == half] for half in ("fit", "check")}
    return [(f"silhouettes, {half}", part) for half, part in halves.items() if part]


def _cells(name: str, rows: Sequence[Any]) -> list[str]:
    column = COLUMNS[name]
    cells = zip(column.heads, column.cells(rows), strict=True)
    return [f"{head} {value:.{digits}f}" for head, (value, digits) in cells]


if __name__ == "__main__":
    main()
