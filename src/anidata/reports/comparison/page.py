"""The page of an evaluation: one file, that needs no other and asks nobody."""

import base64
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from anidata.reports import templates
from anidata.reports.comparison import tables

Document = dict[str, Any]

FOLDER = Path(__file__).parent
WIDE, HIGH = 320, 120  # of a plot, in its own units
COLORS = ("#3b6fb5", "#c2573f", "#3f8f5b", "#8a5bb0", "#b0862f", "#4b9aa3", "#7a7f87", "#a8476f")


@dataclass(frozen=True)
class Line:
    """A curve of a plot."""

    name: str
    color: str
    points: str  # as SVG has them


@dataclass(frozen=True)
class Plot:
    """Curves with the same axes."""

    title: str
    lines: list[Line]
    low: float
    high: float
    far: float  # the greatest value across


def page(document: Document, files: Mapping[str, bytes]) -> str:
    """The page's HTML. files: the pictures by their path."""
    return (
        templates.environment(FOLDER)
        .get_template("page.html")
        .render(
            d=document,
            main=tables.main_figures(document),
            ordered=tables.ordered,
            shown=tables.shown,
            heading=tables.heading,
            plots=list(_curves(document["curves"])),
            spreads=[list(_spreads(document, table)) for table in document["tables"]],
            uri=lambda path: "data:image/jpeg;base64," + base64.b64encode(files[path]).decode(),
            wide=WIDE,
            high=HIGH,
        )
    )


def _curves(curves: Mapping[str, Mapping[str, Sequence[Sequence[float]]]]) -> Iterator[Plot]:
    """A plot for each figure, with the curve of each run."""
    names = sorted({name for of in curves.values() for name in of})
    for name in names:
        there = {run: of[name] for run, of in curves.items() if len(of.get(name, ())) > 1}
        if there:
            yield _plot(name, there)


def _spreads(document: Document, table: Document) -> Iterator[Plot]:
    """Of each main figure: how it is spread over the pictures, a curve of quantiles for each colorizer."""
    for name in tables.main_figures(document):
        there = {}
        for row in tables.ordered(table):
            quantiles = row["figures"][name].get("quantiles") or []
            if len(quantiles) > 1 and None not in quantiles:
                step = 100 / (len(quantiles) - 1)
                there[row["name"]] = [[number * step, value] for number, value in enumerate(quantiles)]
        if there:
            yield _plot(name, there)


def _plot(title: str, curves: Mapping[str, Sequence[Sequence[float]]]) -> Plot:
    values = [point[1] for points in curves.values() for point in points]
    far = max(point[0] for points in curves.values() for point in points) or 1
    low, high = min(values), max(values)
    tall = (high - low) or 1
    lines = [
        Line(
            name,
            COLORS[number % len(COLORS)],
            " ".join(f"{x / far * WIDE:.1f},{HIGH - (y - low) / tall * HIGH:.1f}" for x, y in points),
        )
        for number, (name, points) in enumerate(curves.items())
    ]
    return Plot(title, lines, low, high, far)
