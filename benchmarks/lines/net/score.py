"""What a network draws of what is known: the table of styles (compare_styles.py), for weights in a file.

    python benchmarks/lines/net/score.py FILE.onnx … [--styles net anime] [--only pairs silhouettes …]
                                         [--every 1] [--runtime cv2]

The styles are those of the package, with these weights in place of its own. Silhouettes are stated apart for
the packages that were trained on (fit) and those that were not (check).
"""

import argparse
import functools
import hashlib
import multiprocessing
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from anidata.lineart import draw as drawing
from anidata.lineart.styles import _line_net
from lines.columns import COLUMNS


def main() -> None:
    """Print a row of figures for each column."""
    parser = argparse.ArgumentParser(description="Score networks.")
    parser.add_argument("files", type=Path, nargs="+")
    parser.add_argument("--styles", nargs="*", default=["net", "anime"], metavar="STYLE")
    parser.add_argument("--only", nargs="*", choices=list(COLUMNS), default=list(COLUMNS), metavar="COLUMN")
    parser.add_argument("--every", type=int, default=1, help="take each n-th picture only")
    parser.add_argument("--runtime", default="cv2")
    parser.add_argument("--processes", type=int, default=2)
    args = parser.parse_args()
    for path in args.files:
        with multiprocessing.Pool(args.processes, _opened, (path,)) as pool:
            for style in args.styles:
                for name in args.only:
                    items = list(COLUMNS[name].items(args.every))
                    rows = pool.map(functools.partial(_score, name, style, args.runtime), items, chunksize=4)
                    for title, part in _parts(name, rows):
                        print(path.stem, style, title, *_cells(name, part), flush=True)


def _opened(path: Path) -> None:
    """In a process: one thread, and these weights."""
    cv2.setNumThreads(1)
    _line_net.WEIGHTS, _line_net.SHA256 = path, hashlib.sha256(path.read_bytes()).hexdigest()


def _score(name: str, style: str, runtime: str, item: Any) -> Any:
    return COLUMNS[name].score(_pen(style, runtime), item)


@functools.cache
def _pen(style: str, runtime: str) -> drawing.Pen:
    return drawing.pen(*drawing.chosen(style, {"runtime": runtime}))


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
