"""Time every measure on decoded pictures, one core: `python benchmarks/time_measures.py FOLDER`.

Prints name, mean and 95th percentile in ms, a line each.
"""

import sys
import time
from collections import defaultdict
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np

from anidata import registry
from anidata.imaging import decode

PASSES = 3
MOST = 1 << 27  # pixels


def main(folder: Path) -> None:
    cv2.setNumThreads(1)
    measures = {name: registry.load("measures", name) for name in registry.names("measures")}
    times: dict[str, list[float]] = defaultdict(list)
    for path in sorted(folder.iterdir()):
        decoded = decode.decode(path.read_bytes(), MOST)
        passes: dict[str, list[float]] = defaultdict(list)
        for _ in range(PASSES):
            picture = replace(decoded)  # rasters are made anew
            begun = time.process_time()
            for module in measures.values():
                module.measure(picture)
            passes["all"].append(time.process_time() - begun)
            for name, module in measures.items():
                begun = time.process_time()
                module.measure(picture)
                passes[name].append(time.process_time() - begun)
        for name, taken in passes.items():
            times[name].append(1000 * min(taken))
    for name, taken in sorted(times.items()):
        print(f"{name} {np.mean(taken):.2f} {np.quantile(taken, 0.95):.2f}")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
