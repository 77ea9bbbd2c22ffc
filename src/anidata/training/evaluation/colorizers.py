"""What is compared: runs with their weights, and colorizers that have learned nothing.

The latter say what a figure is worth: `line` leaves the paper white, `gray` and `mean` lay the training
pictures' mean lightness and mean color under the lines, `nearest` takes the whole training picture whose
lines look the most alike. A gray that is told stands in `gray` as it is.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Protocol as Interface

import cv2
import numpy as np
import numpy.typing as npt
import torch

from anidata.dataset.order import shuffled
from anidata.dataset.samples import Samples
from anidata.duplicates import phash
from anidata.training import config
from anidata.training.baseline import Baseline
from anidata.training.compared import darkest
from anidata.training.data import augment, conditions
from anidata.training.data.loader import to_uint8
from anidata.training.evaluation import protocols
from anidata.training.evaluation.pages import Page
from anidata.training.evaluation.protocols import Protocol
from anidata.training.run.folder import Run
from anidata.training.run.validation import sample

Pixels = npt.NDArray[np.uint8]

FURTHER = 1 << 32  # between the numbers of a batch's first sample and of its next
NEAR = 12  # levels below white that count as paper
TRIVIAL = ("line", "gray", "mean", "nearest")


class Colorizer(Interface):
    """Something that colors pages, all pages of a batch at once."""

    @property
    def name(self) -> str: ...

    @property
    def is_random(self) -> bool:
        """Whether another sample of the same page comes out differently."""

    def color(self, pages: Sequence[Page], protocol: Protocol, number: int, again: int = 0) -> Pixels:
        """uint8 (b, size, size, 3) of a split's `number`th batch; `again`: of further samples, from 1."""


@dataclass(frozen=True)
class Trained:
    """A run's baseline on its device."""

    run: Run
    chosen: config.Recipe
    baseline: Baseline
    device: torch.device
    name: str
    is_random: bool = False

    def color(self, pages: Sequence[Page], protocol: Protocol, number: int, again: int = 0) -> Pixels:
        train = self.chosen.train
        batch = protocols.batch(pages, train.conditions, protocol, self.device)
        return to_uint8(sample(self.baseline, batch, train, self.device, number + again * FURTHER))


@dataclass(frozen=True)
class TrainingPictures:
    """Training pictures, as trivial colorizers know them: at most `most` of them, chosen by chance."""

    samples: Samples
    size: int  # px
    most: int

    @cached_property
    def numbers(self) -> list[int]:
        return sorted(shuffled(len(self.samples), 0, 0)[: self.most].tolist())

    @cached_property
    def summary(self) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.uint64]]:
        """The mean color (3,) of all of them where they are drawn on, and the hash of each one's lines."""
        style = self.samples.styles[0]
        sums, codes = np.zeros(4), np.empty(len(self.numbers), np.uint64)
        for index, number in enumerate(self.numbers):
            pair = self.samples.read(number, [style])
            color = augment.warp(pair["color"], augment.WHOLE, self.size)
            drawn = (darkest(color) < augment.WHITE[0] - NEAR).astype(np.uint8)
            sums += [*cv2.sumElems(cv2.copyTo(color, drawn))[:3], drawn.sum()]
            codes[index] = line_code(augment.warp(pair["lineart"][style], augment.WHOLE, self.size))
        return sums[:3] / max(1, sums[3]), codes

    def color(self, index: int) -> Pixels:
        """One of them."""
        return augment.warp(self.samples.read(self.numbers[index], [])["color"], augment.WHOLE, self.size)


@dataclass(frozen=True)
class Trivial:
    """A colorizer that has learned nothing."""

    name: str
    training: TrainingPictures
    is_random: bool = False

    def color(
        self,
        pages: Sequence[Page],
        protocol: Protocol,
        number: int,  # noqa: ARG002  nothing is drawn by chance
        again: int = 0,  # noqa: ARG002
    ) -> Pixels:
        return np.stack([self._page(page, protocol) for page in pages])

    def _page(self, page: Page, protocol: Protocol) -> Pixels:
        line = page.lines[protocol.style or next(iter(page.lines))]
        match self.name:
            case "line":
                return np.repeat(line[..., None], 3, axis=2)
            case "gray" if "gray" in protocol.conditions:
                gray = cv2.cvtColor(page.color, cv2.COLOR_RGB2GRAY)
                return np.asarray(np.repeat(gray[..., None], 3, axis=2), np.uint8)
            case "nearest":
                return self.training.color(self._nearest(line))
        mean, _ = self.training.summary
        paint = np.full(3, mean @ conditions.LUMA) if self.name == "gray" else mean
        return np.rint(line[..., None] / 255 * paint).astype(np.uint8)

    def _nearest(self, line: Pixels) -> int:
        """The training picture whose lines' hash differs in the fewest bits; the first of equals."""
        _, codes = self.training.summary
        return int(np.argmin(np.bitwise_count(codes ^ np.uint64(line_code(line)))))


def line_code(line: Pixels) -> int:
    """The perceptual hash of lines (h, w)."""
    return phash.alone(np.repeat(line[..., None], 3, axis=2))


def parameters(baseline: Baseline) -> int:
    """How many weights the networks have that sample."""
    networks = [baseline.networks[name] for name in baseline.sampled]
    return sum(weight.numel() for network in networks for weight in network.parameters())


def label(path: Path, others: Sequence[Path]) -> str:
    """A run's name: its folder's, with as many of those above as tell it from the others and TRIVIAL."""
    parts = path.parts
    for count in range(1, len(parts)):
        name = "/".join(parts[-count:])
        if name not in TRIVIAL and sum(other.parts[-count:] == parts[-count:] for other in others) <= 1:
            return name
    return str(path)
