"""What was found, as a document of plain values: JSON has it whole, the report shows it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import anidata
from anidata import recipe
from anidata.recipe import Count, Positive
from anidata.training import figures
from anidata.training.evaluation import contestants, costs, curves, intervals, protocols, sheets
from anidata.training.evaluation.colorizers import TRIVIAL, Colorizer, Trained
from anidata.training.evaluation.contestants import Model, runs_of
from anidata.training.evaluation.pages import Pages
from anidata.training.evaluation.protocols import Protocol
from anidata.training.evaluation.ranking import Goal
from anidata.training.evaluation.scoring import Shelf, Table
from anidata.training.evaluation.summary import Document, Measured, members_of, summarize
from anidata.training.run.folder import digest_of

FORMAT = 1  # of the document
COSTED = 8  # pages that a cost is measured on, at most
LEAST_FID = 2000  # pictures, below which FID's bias outweighs what it measures
LEAST = 30  # pictures, below which no figure tells much


@dataclass(frozen=True, kw_only=True)
class Config:
    """Compare trained baselines."""

    goal: Goal = "balanced"  # what the ranking weighs more
    hints: Count = 10  # in a picture, for models that know hints; beside a table without any
    # of the lines; none named: the data set's first, and one that its models weren't trained on
    styles: tuple[str, ...] = ()
    pictures: Count = 0  # of the split, the first by key; 0: all
    samples: Positive = 4  # of each page, by models that draw by chance
    repetitions: Positive = 2000  # of the bootstrap
    seed: Count = 0  # of the bootstrap
    batch: Positive = 16  # pictures colored at once
    training: Positive = 20_000  # training pictures that the trivial colorizers know
    shown: Positive = 4  # pictures in each sheet of the best, the worst …
    other: bool = False  # also runs that were trained on another data set


@dataclass(frozen=True)
class Evaluation:
    """What was found: the document, a row for each picture, and pictures by their path in the report."""

    document: Document
    pictures: list[Document]
    files: dict[str, bytes]


@dataclass(frozen=True, kw_only=True)
class Findings:
    """All that the document is made of."""

    chosen: Config
    split: str
    digest: str  # SHA-256 of the data set's manifest
    models: list[Model]
    pages: Pages
    shelf: Shelf
    tables: list[Table]
    meeting: Mapping[Protocol, Sequence[Colorizer]]
    looks: list[str]  # sentences on earlier looks at this split


def document_of(findings: Findings) -> Evaluation:
    """The document, the rows and the pictures."""
    pages, chosen = findings.pages, findings.chosen
    keys, clusters = pages.keys, [pages.clusters[key] for key in pages.keys]
    draws = intervals.draws(clusters, chosen.repetitions, chosen.seed)
    measured = [_measured(findings, table, draws) for table in findings.tables]
    tables = [summarize(one, chosen.goal) for one in measured]
    shown = sheets.make(measured, tables, findings.meeting, pages, chosen.batch, chosen.shown)
    document = {
        "format": FORMAT,
        "anidata": anidata.__version__,
        "dataset": {"name": pages.samples.root.name, "manifest": findings.digest, "split": findings.split},
        "pictures": len(keys),
        "clusters": draws.clusters,
        "size": pages.size,
        "settings": recipe.document_of(chosen),
        "metrics": {name: _described(findings.shelf, name) for name in findings.shelf.figures},
        "skipped": dict(findings.shelf.skipped),
        "colorizers": [_colorizer(findings, model) for model in findings.models],
        "tables": [table | {"sheets": sheet} for table, sheet in zip(tables, shown.sheets, strict=True)],
        "warnings": [
            *findings.looks,
            *_warnings(len(keys), draws.clusters, findings),
            *_unranked(tables),
            *(_all_marked(table) for table in tables if set(table["counted"]) & set(table["marked"])),
        ],
        "curves": {trained.name: curves.of(trained.run) for trained in runs_of(findings.models)},
    }
    rows = [row for one in measured for row in _rows(one, keys, clusters)]
    return Evaluation(document, rows, shown.files)


def _measured(findings: Findings, table: Table, draws: intervals.Draws) -> Measured:
    there = [model for model in findings.models if model.runs[0].name in table.scores]
    return Measured(table, findings.shelf, draws, members_of(there, TRIVIAL), TRIVIAL)


def _described(shelf: Shelf, name: str) -> Document:
    """What is known of a figure, for the report."""
    figure = shelf.figures[name]
    module = figures.home(name)
    return {
        "better": figure.better,
        "unit": figure.unit,
        "about": figure.about,
        "side": figure.side,
        "version": module.VERSION,
        "main": name == next(iter(module.FIGURES)),
    }


def _colorizer(findings: Findings, model: Model) -> Document:
    """A model beside its figures: what it is told, of which lines it learned, what it costs."""
    few = [findings.pages.page(index) for index in range(min(COSTED, len(findings.pages)))]
    shared = protocols.of(model.conditions, findings.pages.styles, findings.chosen.hints)
    first = model.runs[0]
    return {
        "name": model.name,
        "baseline": Path(first.chosen.baseline).stem,
        "preset": first.chosen.preset,
        "conditions": list(model.conditions),
        "runs": [_run(trained) for trained in model.runs],
        "random": first.is_random,
        "trained_on": [style for style in findings.pages.styles if contestants.trained_on(first, style)],
        "cost": vars(costs.of(first, few, shared[0])),
    }


def _run(trained: Trained) -> Document:
    return {
        "name": trained.name,
        "seed": trained.chosen.train.seed,
        "weights": digest_of(trained.run.weights),
    }


def _warnings(pictures: int, clusters: int, findings: Findings) -> list[str]:
    """Sentences on what a set of this size can't tell."""
    notes = []
    if pictures < LEAST:
        notes.append(f"{pictures} pictures: below {LEAST}, no figure tells much.")
    if clusters < intervals.FEW:
        notes.append(f"{clusters} clusters: below {intervals.FEW}, intervals are rough.")
    if pictures < LEAST_FID and "fid" in findings.shelf.modules:
        notes.append(f"FID of {pictures} pictures: below {LEAST_FID:,} its bias outweighs what it measures.")
    return notes


def _unranked(tables: Sequence[Document]) -> list[str]:
    """Sentences on tables without an order."""
    return [
        f"{table['protocol']}: there is no order. By each figure that could tell, a colorizer that learned "
        "nothing beats a trained one; train longer, or with more pictures."
        for table in tables
        if table["marked"] and not table["ranking"]
    ]


def _all_marked(table: Document) -> str:
    return (
        f"{table['protocol']}: a colorizer that has learned nothing beats a trained one by every figure that "
        "tells them apart. The order is by those by which the best trained one is ahead of all of these."
    )


def _rows(measured: Measured, keys: Sequence[str], clusters: Sequence[str]) -> list[Document]:
    """A row for each picture and colorizer: its figures."""
    rows = []
    for name, scores in measured.table.scores.items():
        columns = {figure: scores.figures[figure] for figure in measured.figures}
        for index, key in enumerate(keys):
            head = {"protocol": measured.table.protocol.name, "colorizer": name, "key": key}
            values = {figure: float(column[index]) for figure, column in columns.items()}
            rows.append(head | {"cluster": clusters[index]} | values)
    return rows
