"""Pictures beside their truths, as metrics compare them, with what several metrics share computed once."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from anidata.training.data.loader import to_uint8

Pixels = npt.NDArray[np.uint8]
Mask = npt.NDArray[np.bool_]
Eye = Callable[[Tensor], list[Tensor]]  # a network that pictures are looked at through

# of linear sRGB, D65
TO_XYZ = (
    (0.412453, 0.357580, 0.180423),
    (0.212671, 0.715160, 0.072169),
    (0.019334, 0.119193, 0.950227),
)
WHITE = (0.95047, 1.0, 1.08883)  # of D65, 2° observer
EPSILON = 0.008856  # where Lab's cube root becomes a line
KAPPA = 7.787  # slope of that line
PAPER = 250  # levels; where no channel is darker, a picture is white, whatever rims a resize left
INK = 128  # levels; where a line is darker, it is ink


@dataclass(frozen=True)
class Compared:
    """Pictures beside their truths. What is cached belongs to all metrics: none may write into it."""

    output: Tensor  # float32 (b, 3, h, w) in [-1, 1], sRGB
    truth: Tensor  # the same
    line: Tensor | None = None  # (b, 1, h, w) in [-1, 1], ink -1 on paper 1: what the model was given

    @cached_property
    def output_rgb(self) -> Tensor:
        """(b, 3, h, w) in [0, 1]."""
        return (self.output.clamp(-1, 1) + 1) / 2

    @cached_property
    def truth_rgb(self) -> Tensor:
        """(b, 3, h, w) in [0, 1]."""
        return (self.truth.clamp(-1, 1) + 1) / 2

    @cached_property
    def output_lab(self) -> Tensor:
        """(b, 3, h, w); see lab."""
        return lab(self.output_rgb)

    @cached_property
    def truth_lab(self) -> Tensor:
        """(b, 3, h, w); see lab."""
        return lab(self.truth_rgb)

    @cached_property
    def output_levels(self) -> Pixels:
        """uint8 (b, h, w, 3), on the CPU."""
        return to_uint8(self.output)

    @cached_property
    def truth_levels(self) -> Pixels:
        """uint8 (b, h, w, 3), on the CPU."""
        return to_uint8(self.truth)

    @cached_property
    def ink(self) -> Mask | None:
        """(b, h, w): where the line has ink; None without a line."""
        return None if self.line is None else to_uint8(self.line)[..., 0] < INK

    @cached_property
    def drawn(self) -> Mask:
        """(b, h, w): where the truth isn't paper."""
        return np.stack([~paper(picture) for picture in self.truth_levels])

    @cached_property
    def _seen(self) -> dict[Eye, tuple[list[Tensor], list[Tensor]]]:
        return {}

    def seen_by(self, network: Eye) -> tuple[list[Tensor], list[Tensor]]:
        """Activations of output and truth in a network, which looks once, however many metrics ask."""
        if network not in self._seen:
            self._seen[network] = network(self.output), network(self.truth)
        return self._seen[network]

    def gathered(self, measured: Callable[[int], Mapping[str, float]]) -> dict[str, Tensor]:
        """What a function gives of each picture by its number, each figure's values side by side: (b,)."""
        rows = [measured(number) for number in range(len(self.output))]
        return {name: self.output.new_tensor([row[name] for row in rows]) for name in rows[0]}


def lab(rgb: Tensor) -> Tensor:
    """L* in [0, 100], a* and b* in about [-108, 98]: of sRGB (b, 3, h, w) in [0, 1], under D65.

    Source: IEC 61966-2-1 for sRGB, CIE 15 for Lab
    """
    linear = torch.where(rgb > 0.04045, ((rgb + 0.055) / 1.055) ** 2.4, rgb / 12.92)
    relative = linear.new_tensor(TO_XYZ) / linear.new_tensor(WHITE)[:, None]
    xyz = torch.einsum("ij,bjhw->bihw", relative, linear)
    x, y, z = torch.where(xyz > EPSILON, xyz.clamp(min=EPSILON) ** (1 / 3), KAPPA * xyz + 16 / 116).unbind(1)
    return torch.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], dim=1)


def paper(picture: Pixels) -> Mask:
    """Where a picture (h, w, 3) shows its paper: what is white and joined to the border by white, (h, w).

    White that lines enclose, as the white of an eye, has been drawn.
    """
    white = np.asarray(picture.min(axis=2) >= PAPER, np.uint8)
    count, labels = cv2.connectedComponents(white, connectivity=4)
    outer = np.zeros(count, bool)
    for edge in (labels[0], labels[-1], labels[:, 0], labels[:, -1]):
        outer[edge] = True
    outer[0] = False  # what isn't white
    return np.asarray(outer[labels], bool)


def disc(radius: int) -> Pixels:
    """What lies within `radius` px of a pixel, as a window for cv2's dilate."""
    steps = np.arange(-radius, radius + 1) ** 2
    return np.asarray(steps[:, None] + steps <= radius**2, np.uint8)
