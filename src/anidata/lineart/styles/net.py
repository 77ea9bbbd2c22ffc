"""Opacity of ink by a small network of our own, trained on free drawings, scenes drawn by code, and photos. \
Soft.

    line = 255 · (1 − N(I))
    N(I): opacity of ink, 0 to 1, by a convolutional U of 92,548 weights; I: the picture, R, G, B from 0 to 1

It sees lines of any color, also hardly darker than what they bound, as pencil's gray. Of solid black areas
it sees the rims, and of figures without outline it draws most contours. Widths suit 512 px.
OpenCV runs it, or onnxruntime: by the recipe, never by what is installed. Both give the same to 1e-5, each
the same bytes for any number of threads; on another processor, or by another version, a grey level may
differ here and there.
Source: our own; weights/net.json beside it names every picture that it was trained on, their artists and
licenses; benchmarks/lines/net trains it. Pixel shuffle after Shi et al. 2016, arXiv 1609.05158.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from anidata.lineart.styles import _line_net
from anidata.recipe import Count

VERSION = _line_net.VERSION
SOFT = True
INEXACT = True


@dataclass(frozen=True, kw_only=True)
class Config:
    """Lines by the package's own network."""

    threshold: Count = 0  # grey level below which a line is ink, all else paper; 0: gray, as it gives them
    runtime: _line_net.Runtime = "cv2"  # that runs the network; onnxruntime: of the extra 'onnx', faster


def ready(config: Config) -> None:
    """See that the network is there and can be run.

    Raises: WeightsError: its weights are missing, or others. MissingExtra, RecipeError: of the runtime.
    """
    _line_net.check(config.runtime)


def draw(rgb: npt.NDArray[np.uint8], config: Config) -> npt.NDArray[np.uint8]:
    """(h, w, 3) → (h, w): dark lines on white (255).

    Raises: WeightsError, MissingExtra, RecipeError: as for `ready`, or the runtime fails.
    """
    line = 255 - _line_net.opacity(rgb, config.runtime)
    if config.threshold > 0:
        return (line >= config.threshold).astype(np.uint8) * np.uint8(255)
    return line
