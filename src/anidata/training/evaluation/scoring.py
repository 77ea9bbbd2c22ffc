"""Figures of every picture, colorizer and protocol: pictures are read once, and forgotten batch by batch.

Of a batch all colorizers' pictures are held as bytes, and formulas look at a few pages of it at a time, by
all of them: so what is taken of a truth and its lines is small, and no longer needed when the next ones
come. Figures have their place from the first batch on, and what a batch has freed is given back.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial, reduce
from itertools import combinations
from types import ModuleType
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from anidata import registry
from anidata.engine import progress
from anidata.training import compared, weights
from anidata.training.compared import Compared, Side
from anidata.training.data.loader import to_tensor
from anidata.training.evaluation import heap
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

    @property
    def formulas(self) -> list[ModuleType]:
        """The metrics of single pictures that need no network."""
        return [module for module in self.modules.values() if not (is_of_sets(module) or module.EXTRACTOR)]

    @property
    def deep(self) -> list[ModuleType]:
        """The metrics of single pictures that look through a network."""
        return [module for module in self.modules.values() if not is_of_sets(module) and module.EXTRACTOR]

    @property
    def of_sets(self) -> dict[str, ModuleType]:
        """The metrics of whole sets, one for each kind of features; see seen_through."""
        return {seen_through(module): module for module in self.modules.values() if is_of_sets(module)}

    def of_pictures(self, modules: Sequence[ModuleType], compared: Compared) -> dict[str, Row]:
        """All figures of single pictures by some metrics."""
        rows: dict[str, Tensor] = {}
        for module in modules:
            network = [self.networks[module.EXTRACTOR]] if module.EXTRACTOR else []
            rows |= module.metric(compared, *network)
        return {name: figure.double().cpu().numpy() for name, figure in rows.items()}

    def features(self, pictures: Tensor) -> dict[str, Tensor]:
        """What metrics of sets take of pictures (b, 3, h, w), by kind: (b, d)."""
        return {
            kind: (self.networks[module.EXTRACTOR] if module.EXTRACTOR else module.features)(pictures).cpu()
            for kind, module in self.of_sets.items()
        }


@dataclass
class Features:
    """Of a set of pictures, by kind: (pictures, d)."""

    pictures: int
    of: dict[str, Tensor] = field(default_factory=dict)

    def put(self, where: slice, seen: Mapping[str, Tensor]) -> None:
        """Those of some pictures."""
        for kind, features in seen.items():
            if kind not in self.of:
                self.of[kind] = features.new_empty(self.pictures, features.shape[1])
            self.of[kind][where] = features


@dataclass
class Scores:
    """Of one colorizer under one protocol: of each figure a row, which has a place for all pictures."""

    features: Features
    figures: dict[str, Row] = field(default_factory=dict)
    best: dict[str, Row] = field(default_factory=dict)  # of several samples
    diversity: dict[str, Row] = field(default_factory=dict)  # of those, if there are: DIVERSITY's row

    def put(self, where: slice, samples: Sequence[Mapping[str, Row]], known: Mapping[str, Figure]) -> None:
        """Figures of some pictures: the first sample's, and the best of several."""
        self._keep(self.figures, where, samples[0])
        if len(samples) > 1:
            best = {
                name: reduce(partial(_better, known[name]), (values[name] for values in samples))
                for name in samples[0]
            }
            self._keep(self.best, where, best)

    def put_diversity(self, where: slice, samples: Sequence[Tensor]) -> None:
        """How much the samples of some pictures differ."""
        self._keep(self.diversity, where, {"diversity": _diversity(samples)})

    def _keep(self, rows: dict[str, Row], where: slice, values: Mapping[str, Row]) -> None:
        for name, row in values.items():
            if name not in rows:
                rows[name] = np.full(self.features.pictures, np.nan)
            rows[name][where] = row


@dataclass
class Table:
    """Of one protocol: the scores by colorizer, and the truths' features."""

    protocol: Protocol
    truths: Features  # the same of every protocol
    scores: dict[str, Scores]


@dataclass(frozen=True)
class Colored:
    """One colorizer's pictures of a batch: several samples of each page, if it draws by chance."""

    protocol: Protocol
    scores: Scores
    samples: list[Pixels]  # (b, h, w, 3) each


@dataclass(frozen=True)
class Batch:
    """Some pages, and what all colorizers of all protocols have made of them."""

    group: Sequence[Page]
    first: int  # the number of the first one among all pages
    colored: Sequence[Colored]

    def rows(self, part: slice) -> slice:
        """Where a part of this batch stands among all pages."""
        return slice(self.first + part.start, self.first + part.stop)

    def truth(self, part: slice, device: torch.device) -> Tensor:
        return tensor((page.color for page in self.group[part]), device)


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


def seen_through(module: ModuleType) -> str:
    """The kind of features that a metric of sets takes; those of one network are taken once for all."""
    return str(module.EXTRACTOR or next(iter(module.FIGURES)))


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
    truths = Features(len(pages))
    tables = [
        Table(protocol, truths, {one.name: Scores(Features(len(pages))) for one in colorizers[protocol]})
        for protocol in sorted(colorizers)
    ]
    shown = progress.display("evaluate", len(pages))
    done = 0
    for number, group in enumerate(pages.batches(batch)):
        with torch.no_grad():
            _add(Batch(group, done, _colored(tables, colorizers, group, number, samples)), truths, shelf)
        heap.give_back()
        done += len(group)
        shown.update(done)
    shown.close()
    return tables


def _colored(
    tables: Sequence[Table],
    colorizers: Mapping[Protocol, Sequence[Colorizer]],
    group: Sequence[Page],
    number: int,
    samples: int,
) -> list[Colored]:
    """A batch by all colorizers under all protocols."""
    colored = []
    for table in tables:
        for one in colorizers[table.protocol]:
            tries = range(samples if one.is_random else 1)
            pictures = [one.color(group, table.protocol, number, again) for again in tries]
            colored.append(Colored(table.protocol, table.scores[one.name], pictures))
        heap.give_back()  # what networks have taken
    return colored


def _add(batch: Batch, truths: Features, shelf: Shelf) -> None:
    """One batch: networks look at all of its pages at once, formulas at a few."""
    whole = slice(0, len(batch.group))
    if shelf.of_sets:
        truths.put(batch.rows(whole), shelf.features(batch.truth(whole, shelf.device)))
        for one in batch.colored:
            seen = shelf.features(tensor(one.samples[0], shelf.device))
            one.scores.features.put(batch.rows(whole), seen)
    if shelf.deep:
        _add_part(batch, whole, shelf, shelf.deep)
    with _one_thread():
        for part in compared.parts(len(batch.group)):
            _add_part(batch, part, shelf, shelf.formulas)
            _add_diversity(batch, part, shelf)


def _add_part(batch: Batch, part: slice, shelf: Shelf, modules: Sequence[ModuleType]) -> None:
    """The figures of a part of a batch by some metrics, of all colorizers."""
    truth, known = Side(batch.truth(part, shelf.device)), shelf.figures
    sides = {one.protocol: lines(batch.group[part], one.protocol, shelf.device) for one in batch.colored}
    for one in batch.colored:
        outputs = (tensor(pictures[part], shelf.device) for pictures in one.samples)
        values = [
            shelf.of_pictures(modules, Compared(output, truth, sides[one.protocol])) for output in outputs
        ]
        one.scores.put(batch.rows(part), values, known)


def _add_diversity(batch: Batch, part: slice, shelf: Shelf) -> None:
    for one in batch.colored:
        if len(one.samples) > 1:
            outputs = [tensor(pictures[part], shelf.device) for pictures in one.samples]
            one.scores.put_diversity(batch.rows(part), outputs)


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
