"""Figures of every picture, colorizer and protocol: pictures are read once, and forgotten batch by batch."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import combinations
from types import ModuleType
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from anidata import registry
from anidata.engine import progress
from anidata.training import weights
from anidata.training.compared import Compared, Side
from anidata.training.data.loader import to_tensor
from anidata.training.evaluation.colorizers import Colorizer
from anidata.training.evaluation.pages import Page, Pages
from anidata.training.evaluation.protocols import Protocol
from anidata.training.metrics import Figure, ciede2000

Pixels = npt.NDArray[np.uint8]
Row = npt.NDArray[np.float64]  # (pictures,)

NO_WEIGHTS = "no weights"  # why a figure is skipped
DIVERSITY = Figure("higher", "ΔE00", 0, 100, "mean difference between samples of one page")


@dataclass(frozen=True)
class Shelf:
    """The metrics that can be taken here."""

    modules: Mapping[str, ModuleType]
    networks: Mapping[str, Any]  # extractor → network
    skipped: Mapping[str, str]  # metric → why not
    device: torch.device  # of the networks, and so of what they look at

    @property
    def figures(self) -> dict[str, Figure]:
        return {name: figure for module in self.modules.values() for name, figure in module.FIGURES.items()}

    def of_pictures(self, compared: Compared) -> dict[str, Row]:
        """All figures of single pictures: networks look at all of them at once, formulas at a few."""
        of_pictures = [module for module in self.modules.values() if not is_of_sets(module)]
        plain = [module for module in of_pictures if not module.EXTRACTOR]
        rows: dict[str, list[Tensor]] = defaultdict(list)
        with _one_thread():
            for part in compared.parts():
                for module in plain:
                    for name, figure in module.metric(part).items():
                        rows[name].append(figure)
        for module in of_pictures:
            if module.EXTRACTOR:
                of_module = module.metric(compared, self.networks[module.EXTRACTOR])
                rows |= {name: [figure] for name, figure in of_module.items()}
        return {name: torch.cat(figures).double().cpu().numpy() for name, figures in rows.items()}

    def features(self, pictures: Tensor) -> dict[str, Tensor]:
        """By metric of sets: what it takes of pictures (b, 3, h, w), float64 (b, d)."""
        seen: dict[str, Tensor] = {}
        for name, module in self.modules.items():
            if is_of_sets(module):
                network = self.networks[module.EXTRACTOR] if module.EXTRACTOR else module.features
                seen[name] = network(pictures).double().cpu()
        return seen


@dataclass
class Scores:
    """Of one colorizer under one protocol."""

    figures: dict[str, list[Row]] = field(default_factory=lambda: defaultdict(list))
    best: dict[str, list[Row]] = field(default_factory=lambda: defaultdict(list))  # of several samples
    diversity: list[Row] = field(default_factory=list)
    features: dict[str, list[Tensor]] = field(default_factory=lambda: defaultdict(list))

    def row(self, name: str) -> Row:
        return np.concatenate(self.figures[name])

    def best_row(self, name: str) -> Row:
        return np.concatenate(self.best[name])


@dataclass
class Table:
    """Of one protocol: the scores by colorizer, and the truths' features."""

    protocol: Protocol
    truths: Mapping[str, list[Tensor]]  # the same of every protocol
    scores: dict[str, Scores] = field(default_factory=lambda: defaultdict(Scores))


@contextmanager
def _one_thread() -> Iterator[None]:
    """Keep torch to one thread within the block: for a few pictures others wait longer than they work."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def is_of_sets(module: ModuleType) -> bool:
    """Whether a metric is of a whole set's features, not of each picture."""
    return bool(getattr(module, "SET", False))


def open_shelf(device: torch.device) -> Shelf:
    """All metrics whose weights are here."""
    every = {name: registry.load("metrics", name) for name in registry.names("metrics")}
    wanted = sorted({module.EXTRACTOR for module in every.values() if module.EXTRACTOR})
    networks = {name: weights.load(name, device) for name in wanted if weights.available(name)}
    there = {name: m for name, m in every.items() if not m.EXTRACTOR or m.EXTRACTOR in networks}
    return Shelf(there, networks, {name: NO_WEIGHTS for name in every if name not in there}, device)


def score(
    pages: Pages,
    colorizers: Mapping[Protocol, Sequence[Colorizer]],
    shelf: Shelf,
    *,
    batch: int,
    samples: int,
) -> list[Table]:
    """The tables of all protocols. samples: of each page, by colorizers that draw by chance."""
    truths: dict[str, list[Tensor]] = defaultdict(list)
    tables = [Table(protocol, truths) for protocol in sorted(colorizers)]
    shown = progress.display("evaluate", len(pages))
    done = 0
    for number, group in enumerate(pages.batches(batch)):
        truth = Side(tensor((page.color for page in group), shelf.device))
        with torch.no_grad():
            for name, features in shelf.features(truth.pictures).items():
                truths[name].append(features)
            for table in tables:
                _add(table, group, number, truth, colorizers[table.protocol], shelf, samples)
        done += len(group)
        shown.update(done)
    shown.close()
    return tables


def _add(
    table: Table,
    group: Sequence[Page],
    number: int,
    truth: Side,
    colorizers: Sequence[Colorizer],
    shelf: Shelf,
    samples: int,
) -> None:
    """One batch of pages under one protocol, by all its colorizers."""
    line = lines(group, table.protocol, shelf.device)
    for colorizer in colorizers:
        scores = table.scores[colorizer.name]
        outputs = (
            tensor(colorizer.color(group, table.protocol, number, again), shelf.device)
            for again in range(samples if colorizer.is_random else 1)
        )
        _add_outputs(scores, outputs, truth, line, shelf)


def _add_outputs(
    scores: Scores, outputs: Iterator[Tensor], truth: Side, line: Side | None, shelf: Shelf
) -> None:
    """The figures of the first output, and what further samples add to them."""
    seen: list[Tensor] = []
    best: dict[str, Row] = {}
    for output in outputs:
        values = shelf.of_pictures(Compared(output, truth, line))
        if not seen:
            for name, row in values.items():
                scores.figures[name].append(row)
            for name, features in shelf.features(output).items():
                scores.features[name].append(features)
        best = {name: _better(shelf.figures[name], best.get(name, row), row) for name, row in values.items()}
        seen.append(output)
    if len(seen) > 1:
        for name, row in best.items():
            scores.best[name].append(row)
        scores.diversity.append(_diversity(seen))


def _better(figure: Figure, one: Row, other: Row) -> Row:
    return np.where(figure.loss(other) < figure.loss(one), other, one)


def _diversity(samples: Sequence[Tensor]) -> Row:
    """The mean difference between the samples of each page: of all pairs, ΔE00."""
    apart = [
        ciede2000.metric(Compared(one, other, None))["ciede2000"] for one, other in combinations(samples, 2)
    ]
    return torch.stack(apart).mean(dim=0).double().cpu().numpy()


def lines(group: Sequence[Page], protocol: Protocol, device: torch.device) -> Side | None:
    """The lines that colorizers were told: (b, 1, h, w) in [-1, 1]; None where none were."""
    if not protocol.style:
        return None
    return Side(tensor([page.lines[protocol.style] for page in group], device))


def tensor(pictures: Iterable[Pixels], device: torch.device) -> Tensor:
    """uint8 (h, w, 3) or (h, w) each → float32 (b, 3 or 1, h, w) in [-1, 1], on the device."""
    return torch.stack([to_tensor(picture) for picture in pictures]).to(device)
