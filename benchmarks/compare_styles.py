"""The table of styles in the README: how well each draws what is known, what it costs, what it gives away.

    python benchmarks/compare_styles.py [--styles ink xdog …] [--only silhouettes …] [--every 1] [--worst 0]

The collection of measuring scripts and artwork (SHARED: ../shared, or ANIDATA_SHARED) is needed, and
sprites and other pictures beside it (ANIDATA_ART; benchmarks/lines/pictures.py says in what folders).

`pairs`: F1 (mean over sets; skeletons matched one to one within 2 px) and the median length ratio over true
pairs: clean, as JPEG of quality 50 with noise, in soft focus, and inked in brown. `tinted`: F1 of the same,
inked at 65 % of the fill's own tone; at 80 %, softened, as JPEG 75. `cels`: the tests' synthetic ones, and
`bare`: share of their ink on borders that have no line. `silhouettes`: share of sprites' silhouettes drawn
on white (mean, 10th percentile), mid-gray, a flat color, a painted ground, and on white blurred by 1.5 px;
share of ink on white; the packages to check with count. `blots`: of the ink on the sprites that lies deep
inside areas that are not black. `filled`: the same by lightness and chroma, over pictures of every kind:
mean and worst picture. `scribble`: on photos and paintings the share of ink in short pieces, the share of
ink, and of that the share in specks. `steady`: F1 between a picture's lines and those of the same under
noise of sigma 2, over pictures of every kind. `ms`: least of 30 on 512 × 512, mean of three pictures, one
thread. `leak`: R² at which the gray of lines predicts color (the worst of L*, a*, b*) over the bundled art,
as drawn and binarized.
"""

import argparse
import functools
import multiprocessing
import os
from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np

from anidata.lineart import draw as drawing
from anidata.lineart import selection
from lines.columns import COLUMNS
from lines.silhouettes import GROUNDS


def main() -> None:
    """Print the table, a row as soon as it is measured."""
    parser = argparse.ArgumentParser(description="The table of styles.")
    parser.add_argument("--styles", nargs="*", default=selection.plain())
    parser.add_argument("--only", nargs="*", choices=list(COLUMNS), default=list(COLUMNS), metavar="COLUMN")
    parser.add_argument("--every", type=int, default=1, help="take each n-th picture only")
    parser.add_argument(
        "--worst", type=int, default=0, help="name so many pictures of the worst in each column"
    )
    parser.add_argument("--processes", type=int, default=os.cpu_count())
    args = parser.parse_args()
    cv2.setNumThreads(1)
    columns = {name: COLUMNS[name] for name in COLUMNS if name in args.only}
    heads = [head for column in columns.values() for head in column.heads]
    print(f"| style | {' | '.join(heads)} |\n|{'---|' * (1 + len(heads))}", flush=True)
    notes = []
    with multiprocessing.Pool(args.processes, cv2.setNumThreads, (1,)) as pool:
        for style in args.styles:
            cells = []
            for name, column in columns.items():
                items = list(column.items(args.every))
                rows = _measured(pool, name, style, items)
                cells += [_cell(*cell) for cell in column.cells(rows)]
                notes += _halves(style, rows) if name == "silhouettes" else []
                notes += _worst(name, style, items, rows)[: args.worst]
            print(f"| `{style}` | {' | '.join(cells)} |", flush=True)
    print("\n".join(notes))


def _measured(pool: Any, name: str, style: str, items: Sequence[Any]) -> list[Any]:
    if not items:
        raise SystemExit(f"{name}: no pictures. Set ANIDATA_SHARED and ANIDATA_ART (see lines/pictures.py).")
    if COLUMNS[name].is_alone:
        return [_score(name, style, item) for item in items]
    return pool.map(functools.partial(_score, name, style), items, chunksize=4)


def _score(name: str, style: str, item: Any) -> Any:
    return COLUMNS[name].score(_pen(style), item)


@functools.cache
def _pen(style: str) -> drawing.Pen:
    return drawing.pen(*drawing.chosen(style, {}))


def _cell(value: float, digits: int) -> str:
    text = f"{value:.{digits}f}"
    return text[1:] if text.startswith("0.") and digits else text


def _halves(style: str, rows: Sequence[Any]) -> list[str]:
    """Silhouettes by half, mean and 10th percentile on each ground; on white by package."""
    rows = [row for row in rows if row]
    notes = []
    for half in sorted({row["half"] for row in rows}, reverse=True):
        those = [row for row in rows if row["half"] == half]
        parts = [f"{name} {_spread([row[name] for row in those])}" for name in (*GROUNDS, "ink")]
        notes.append(f"{style} silhouettes, {half or 'all'} ({len(those)}): {', '.join(parts)}")
        packages = sorted({row["package"] for row in those})
        shares = {name: [row["white"] for row in those if row["package"] == name] for name in packages}
        notes.append("  " + ", ".join(f"{name} {np.mean(share):.3f}" for name, share in shares.items()))
    return notes


def _worst(name: str, style: str, items: Sequence[Any], rows: Sequence[Any]) -> list[str]:
    """The pictures of a column, the worst first."""
    badness = COLUMNS[name].badness
    if badness is None:
        return []
    ranked = sorted(zip(map(badness, rows), items, strict=True), key=lambda pair: -pair[0])
    return [f"  {style} {name} {bad:.3f} {getattr(item, 'path', item)}" for bad, item in ranked]


def _spread(values: Sequence[float]) -> str:
    return f"{np.mean(values):.3f}/{np.percentile(values, 10):.3f}"


if __name__ == "__main__":
    main()
