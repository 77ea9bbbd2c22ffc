"""Pictures beside their truths, as metrics compare them, with what several metrics share computed once."""

from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Any, TypeVar

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from anidata.training.data.loader import to_uint8

Pixels = NDArray[np.uint8]
Mask = NDArray[np.bool_]
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
PART = 2  # pictures that metrics take at a time: of 256 px their planes stay in a core's cache

T = TypeVar("T")


class Side:
    """Pictures (b, c, h, w) in [-1, 1] with what is taken of them once, whoever asks, and however often.

    A truth that is compared with several outputs is one side of all of them. None may write into what a side
    holds.
    """

    def __init__(self, pictures: Tensor) -> None:
        self.pictures = pictures
        self._known: dict[tuple[object, ...], Any] = {}

    def once(self, taken: Callable[..., T], *others: object) -> T:
        """What a function takes of this side, and of others beside it."""
        key = (taken, *others)
        if key not in self._known:
            self._known[key] = taken(self, *others)
        known: T = self._known[key]
        return known

    @cached_property
    def rgb(self) -> Tensor:
        """(b, 3, h, w) in [0, 1]."""
        return (self.pictures.clamp(-1, 1) + 1) / 2

    @cached_property
    def lab(self) -> Tensor:
        """(b, 3, h, w); see lab."""
        return lab(self.rgb)

    @cached_property
    def planes(self) -> NDArray[np.float64]:
        """(b, 3, h·w), of lab, on the CPU."""
        return self.lab.flatten(2).cpu().double().numpy()

    @cached_property
    def levels(self) -> Pixels:
        """uint8 (b, h, w, c), on the CPU."""
        return to_uint8(self.pictures)


class Compared:
    """Pictures beside their truths. What is taken of a side belongs to all metrics: none may write into it.

    output, truth: float32 (b, 3, h, w) in [-1, 1], sRGB. line: (b, 1, h, w) in [-1, 1], ink -1 on paper 1:
    what the model was given.
    """

    def __init__(
        self, output: Tensor | Side, truth: Tensor | Side, line: Tensor | Side | None = None
    ) -> None:
        self.outputs, self.truths = _side(output), _side(truth)
        self.lines = None if line is None else _side(line)

    @property
    def output(self) -> Tensor:
        return self.outputs.pictures

    @property
    def truth(self) -> Tensor:
        return self.truths.pictures

    @property
    def line(self) -> Tensor | None:
        return None if self.lines is None else self.lines.pictures

    def seen_by(self, network: Eye) -> tuple[list[Tensor], list[Tensor]]:
        """Activations of output and truth in a network, which looks once, however many metrics ask."""
        return self.outputs.once(_seen, network), self.truths.once(_seen, network)

    def gathered(self, measured: Callable[[int], Mapping[str, float]]) -> dict[str, Tensor]:
        """What a function gives of each picture by its number, each figure's values side by side: (b,)."""
        rows = [measured(number) for number in range(len(self.output))]
        return {name: self.output.new_tensor([row[name] for row in rows]) for name in rows[0]}


def parts(count: int) -> list[slice]:
    """So few of `count` pictures at a time that what metrics make of them stays in a core's cache.

    Never one alone where there are others: torch would share its sums out to threads, and their last bits
    would hang on the number of those.
    """
    groups = max(1, count // PART)
    return [slice(count * n // groups, count * (n + 1) // groups) for n in range(groups)]


def ink(lines: Side) -> Mask:
    """(b, h, w): where lines have ink."""
    return lines.levels[..., 0] < INK


def drawn(truths: Side) -> Mask:
    """(b, h, w): where truths aren't paper."""
    return np.stack([~paper(picture) for picture in truths.levels])


def near(lines: Side, radius: int) -> Pixels:
    """(b, h, w): 1 within `radius` px of a line's ink, else 0."""
    return np.stack([cv2.dilate(mask.astype(np.uint8), disc(radius)) for mask in lines.once(ink)])


def _side(pictures: Tensor | Side) -> Side:
    return pictures if isinstance(pictures, Side) else Side(pictures)


def _seen(side: Side, network: Eye) -> list[Tensor]:
    return network(side.pictures)


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
    white = np.asarray(darkest(picture) >= PAPER, np.uint8)
    count, labels = cv2.connectedComponents(white, connectivity=4)
    outer = np.zeros(count, bool)
    for edge in (labels[0], labels[-1], labels[:, 0], labels[:, -1]):
        outer[edge] = True
    outer[0] = False  # what isn't white
    return np.asarray(outer[labels], bool)


def darkest(picture: Pixels) -> Pixels:
    """(h, w): the least of each pixel's channels, as min(axis=2) has it in ten times the time."""
    return np.minimum(np.minimum(picture[..., 0], picture[..., 1]), picture[..., 2])


def disc(radius: int) -> Pixels:
    """What lies within `radius` px of a pixel, as a window for cv2's dilate."""
    steps = np.arange(-radius, radius + 1) ** 2
    return np.asarray(steps[:, None] + steps <= radius**2, np.uint8)
