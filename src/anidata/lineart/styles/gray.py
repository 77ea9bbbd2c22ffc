"""Luma alone: the picture without its colors, the condition of classical colorization. Soft.

    line = 0.299 R + 0.587 G + 0.114 B        rounded

It is no lineart, and stands here so that the same recipes, shards and baselines serve
a model that colors gray pictures.
Source: ITU-R BT.601; Zhang, Isola, Efros 2016, "Colorful image colorization", arXiv 1603.08511, for the task.
"""

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

VERSION = 1
SOFT = True


@dataclass(frozen=True)
class Config:
    """Luma: there is nothing to set."""


def draw(
    rgb: npt.NDArray[np.uint8],
    config: Config,  # noqa: ARG001 - every style takes one
) -> npt.NDArray[np.uint8]:
    """(h, w, 3) → (h, w): the luma of BT.601."""
    return np.asarray(cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY), np.uint8)
