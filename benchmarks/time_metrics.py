"""CPU a picture of all metrics without weights, beside torchmetrics' SSIM, MS-SSIM and PSNR; one thread.

    python benchmarks/time_metrics.py FOLDER [PICTURES]        FOLDER: of pictures; they are taken in turns

Prints: milliseconds of CPU a picture of 256 px, of theirs, and the peak of memory in MB after a tenth and
after all pictures.
"""

import resource
import sys
import time
from itertools import cycle, islice
from pathlib import Path

import cv2
import numpy as np
import torch
import torchmetrics.functional.image as reference

from anidata import registry
from anidata.lineart.draw import draw
from anidata.training.compared import Compared
from anidata.training.data.loader import to_tensor
from anidata.training.figures import is_of_pictures

SIDE, BATCH = 256, 8
ENDINGS = (".jpg", ".png", ".webp")
DIFFERENT = 64  # pictures of the folder that are taken


def pictures(folder: Path) -> list[tuple[torch.Tensor, torch.Tensor, torch.Tensor]]:
    """Output, truth and line of batches; the output is the truth, blurred and lighter."""
    paths = [path for path in sorted(folder.rglob("*")) if path.suffix in ENDINGS]
    read = (cv2.imread(str(path)) for path in paths)
    sized = (cv2.resize(x, (SIDE, SIDE), interpolation=cv2.INTER_AREA) for x in read if x is not None)
    pages = [np.asarray(cv2.cvtColor(x, cv2.COLOR_BGR2RGB), np.uint8) for x in islice(sized, DIFFERENT)]
    spoiled = [np.asarray(cv2.add(cv2.GaussianBlur(page, (0, 0), 2), 7), np.uint8) for page in pages]
    columns = (map(to_tensor, column) for column in (spoiled, pages, map(draw, pages)))
    stacked = [torch.stack(list(column)) for column in columns]
    return list(zip(*(column.split(BATCH) for column in stacked), strict=True))


def ours(output: torch.Tensor, truth: torch.Tensor, line: torch.Tensor) -> None:
    compared = Compared(output, truth, line)
    for name in registry.names("metrics"):
        module = registry.load("metrics", name)
        if is_of_pictures(module):
            module.metric(compared)


def theirs(output: torch.Tensor, truth: torch.Tensor) -> None:
    levels = [(x + 1) * 127.5 for x in (output, truth)]
    reference.structural_similarity_index_measure(*levels, data_range=255.0, reduction="none")
    reference.multiscale_structural_similarity_index_measure(*levels, data_range=255.0, reduction="none")
    reference.peak_signal_noise_ratio(*levels, data_range=255.0)


def main() -> None:
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    batches, count = pictures(Path(sys.argv[1])), int(sys.argv[2]) if len(sys.argv) > 2 else 1000
    ours(*batches[0])
    begun, seen, tenth = time.process_time(), 0, 0.0
    for batch in cycle(batches):
        ours(*batch)
        seen += len(batch[0])
        tenth = tenth or (_peak() if seen >= count / 10 else 0.0)
        if seen >= count:
            break
    middle, peak = time.process_time(), _peak()
    for output, truth, _ in batches:
        theirs(output, truth)
    other = (time.process_time() - middle) / sum(len(batch[0]) for batch in batches)
    print(f"{1000 * (middle - begun) / seen:.1f} {1000 * other:.1f} {tenth:.0f} {peak:.0f}")


def _peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    main()
