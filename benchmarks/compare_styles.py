"""The table of styles in the README.

How well each finds the artists' own lines, what it costs, and what its gray gives away.

    python benchmarks/compare_styles.py [--styles ink xdog …] [--every 1]

F1 (mean over sets; skeletons matched one to one within 2 px) and the median length ratio
by the scorer of the collection of measuring scripts and artwork (SHARED: ../shared, or ANIDATA_SHARED)
over its true pairs: clean, as JPEG of quality 50 with noise, in soft focus, and inked in brown.
`cels`: the tests' synthetic ones. `bare`: share of their ink on borders that have no line. `blots`:
of the ink on the sprites that lies deep inside areas that are not black. `ms`: least of 30 on 512 × 512,
mean of three pictures, one thread. `leak`: R² at which the gray of lines predicts color (the worst of L*, a*,
b*) over the bundled art, as drawn and binarized.
"""

import argparse
import importlib
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np

from anidata import registry
from anidata.lineart import color_leak, selection
from anidata.lineart import draw as drawing
from bench import SHARED

sys.path[:0] = [str(SHARED / "bench"), str(Path(__file__).resolve().parents[1] / "tests/labs")]
scorer, cels = importlib.import_module("lineart_f1"), importlib.import_module("cels")
ART = registry.PACKAGE / "art"
CONDITIONS = ("clean", "jpeg50", "soft", "brown")
CELS, TIMES = 16, 30

Draw = Callable[[np.ndarray], np.ndarray]
Pair = tuple[str, dict[str, np.ndarray], np.ndarray]  # set; condition → RGB; true lines


def main() -> None:
    parser = argparse.ArgumentParser(description="The table of styles.")
    parser.add_argument("--styles", nargs="*", default=selection.plain())
    parser.add_argument("--every", type=int, default=1, help="take each n-th pair only")
    args = parser.parse_args()
    cv2.setNumThreads(1)
    pairs, painted = list(_pairs(args.every)), [cels.paint(seed) for seed in range(CELS)]
    print("| style | clean | JPEG 50 | soft | brown | length | cels | bare | blots | ms | leak | binarized |")
    print("|---|---|---|---|---|---|---|---|---|---|---|---|")
    for name in args.styles:
        figures = _figures(drawing.pen(*drawing.chosen(name, {})), pairs, painted)
        cells = [f"{value:.{digits}f}".removeprefix("0") for value, digits in figures]
        print(f"| `{name}` | {' | '.join(cells)} |", flush=True)


def _figures(draw: Draw, pairs: list[Pair], painted: list[cels.Painted]) -> Iterator[tuple[float, int]]:
    """The figures of a row, each with its digits."""
    lengths = 1.0
    for condition in CONDITIONS:
        scores = defaultdict(list)
        for group, pictures, true in pairs:
            scores[group].append(scorer.score(draw(pictures[condition]), true))
        yield float(np.mean([np.mean([s[2] for s in group_scores]) for group_scores in scores.values()])), 3
        if condition == "clean":
            lengths = float(np.median([s[3] for group_scores in scores.values() for s in group_scores]))
    yield lengths, 2
    drawn = [draw(cel.rgb) for cel in painted]
    yield (
        float(np.mean([scorer.score(line, cel.line)[2] for line, cel in zip(drawn, painted, strict=True)])),
        3,
    )
    bare = [
        ((line < scorer.INK) & cel.bare).sum() / max(1, (line < scorer.INK).sum())
        for line, cel in zip(drawn, painted, strict=True)
    ]
    yield float(np.mean(bare)), 3
    sprites = [_picture(path) for path in sorted((SHARED / "data/dups/negatives").iterdir())]
    yield float(np.mean([scorer.blots(draw(rgb), rgb[..., ::-1]) for rgb in sprites])), 4
    yield _milliseconds(draw), 1
    yield from ((value, 2) for value in _leaks(draw))


def _milliseconds(draw: Draw) -> float:
    pictures = [
        cv2.resize(_picture(ART / name), (512, 512))
        for name in ("pair_adventurer_01_color.png", "vn_sylvie_01.png", "comic_02.jpg")
    ]
    return 1000 * float(np.mean([min(_seconds(draw, rgb) for _ in range(TIMES)) for rgb in pictures]))


def _seconds(draw: Draw, rgb: np.ndarray) -> float:
    begun = time.perf_counter()
    draw(rgb)
    return time.perf_counter() - begun


def _leaks(draw: Draw) -> tuple[float, float]:
    sums = 0
    pictures = (
        p
        for p in sorted(ART.iterdir())
        if p.suffix in {".png", ".jpg", ".webp"} and not p.stem.endswith("_line")
    )
    for number, path in enumerate(pictures):
        rgb = _picture(path)
        sums += color_leak.tally(draw(rgb), rgb, number)
    gray, binarized = (color_leak.leak(part).worst for part in sums)
    return gray, binarized


def _pairs(every: int) -> Iterator[Pair]:
    for path in sorted((SHARED / "data/lineart").glob("**/*_line.png"))[::every]:
        color = scorer.fit(scorer.on_white(path.with_name(path.name.replace("_line", "_color"))))
        true = scorer.fit(cv2.imread(str(path), cv2.IMREAD_GRAYSCALE))
        pictures = dict(scorer.conditions(color)) | {"brown": scorer.reink(color, true)}
        yield (
            path.parent.name,
            {name: np.ascontiguousarray(bgr[..., ::-1]) for name, bgr in pictures.items()},
            true,
        )


def _picture(path: Path) -> np.ndarray:
    return np.ascontiguousarray(scorer.fit(scorer.on_white(path))[..., ::-1])


if __name__ == "__main__":
    main()
