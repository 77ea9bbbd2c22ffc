"""CPU a picture of all metrics without weights, beside torchmetrics' SSIM, MS-SSIM and PSNR, and of LPIPS.

On one thread, each truth compared once.

    python benchmarks/time_metrics.py FOLDER [PICTURES]        FOLDER: of pictures; they are taken in turns

Prints: milliseconds of CPU a picture of 256 px, of theirs, the peak of memory in MB after a tenth and after
all pictures, milliseconds of LPIPS (AlexNet), and whether its weights were `real` or `random`, of the same
form, which take as long.
"""

import resource
import sys
import time
from collections.abc import Callable
from itertools import cycle, islice
from pathlib import Path

import cv2
import numpy as np
import torch
import torchmetrics.functional.image as reference

from anidata import registry
from anidata.lineart.draw import draw
from anidata.training import weights
from anidata.training.compared import Compared, parts
from anidata.training.data.loader import to_tensor
from anidata.training.extractors import _lpips, lpips_alexnet
from anidata.training.figures import is_of_pictures
from anidata.training.metrics import lpips

SIDE, BATCH = 256, 8
ENDINGS = (".jpg", ".png", ".webp")
DIFFERENT = 64  # pictures of the folder that are taken
WIDTHS = (64, 192, 384, 256, 256)  # of AlexNet's convolutions

Batches = list[tuple[torch.Tensor, torch.Tensor, torch.Tensor]]


def pictures(folder: Path) -> Batches:
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
    modules = [registry.load("metrics", name) for name in registry.names("metrics")]
    for part in parts(len(output)):
        compared = Compared(output[part], truth[part], line[part])
        for module in modules:
            if is_of_pictures(module):
                module.metric(compared)


def theirs(output: torch.Tensor, truth: torch.Tensor) -> None:
    levels = [(x + 1) * 127.5 for x in (output, truth)]
    reference.structural_similarity_index_measure(*levels, data_range=255.0, reduction="none")
    reference.multiscale_structural_similarity_index_measure(*levels, data_range=255.0, reduction="none")
    reference.peak_signal_noise_ratio(*levels, data_range=255.0)


def alexnet() -> tuple[_lpips.Network, str]:
    """LPIPS's network; where its weights aren't here, one of the same form."""
    if weights.available("lpips_alexnet"):
        return weights.load("lpips_alexnet", torch.device("cpu")), "real"
    generator = torch.Generator().manual_seed(0)
    layers = [layer for stage in lpips_alexnet.STAGES for layer in stage.layers]
    made: dict[str, torch.Tensor] = {}
    for layer, entering, width in zip(layers, (3, *WIDTHS), WIDTHS, strict=False):
        shape = (width, entering, layer.kernel, layer.kernel)
        spread = (entering * layer.kernel**2) ** -0.5
        made[f"features.{layer.number}.weight"] = torch.randn(shape, generator=generator) * spread
        made[f"features.{layer.number}.bias"] = torch.zeros(width)
    made |= {f"linear.{n}.weight": torch.rand(width, generator=generator) for n, width in enumerate(WIDTHS)}
    return lpips_alexnet.build(made), "random"


def apiece(batches: Batches, measured: Callable[..., object]) -> float:
    """Milliseconds of CPU a picture, all batches once."""
    begun = time.process_time()
    for batch in batches:
        measured(*batch)
    return 1000 * (time.process_time() - begun) / sum(len(batch[0]) for batch in batches)


@torch.no_grad()
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
    network, of = alexnet()
    other = apiece(batches, lambda output, truth, _: theirs(output, truth))
    deep = apiece(batches, lambda output, truth, _: lpips.metric(Compared(output, truth), network))
    print(f"{1000 * (middle - begun) / seen:.1f} {other:.1f} {tenth:.0f} {peak:.0f} {deep:.1f} {of}")


def _peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    main()
