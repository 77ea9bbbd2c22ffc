"""An evaluation's document as text: figures as CSV, and as Markdown."""

import csv
import io
import math
from collections.abc import Iterator, Sequence
from typing import Any

from anidata.engine import printing, spreadsheet

Document = dict[str, Any]

STAR = (
    "* : a colorizer that has learned nothing beats a trained one by this figure; "
    "it has no say in the order unless a note gives it one."
)
ARROWS = {"higher": "↑", "lower": "↓", "one": "→ 1"}
FIGURE_COLUMNS = ("protocol", "colorizer", "figure", "value", "low", "high", "pictures", "skipped")


def figures_csv(document: Document) -> str:
    """A row for each protocol, colorizer and figure."""
    rows = (
        [table["protocol"], row["name"], name, *(figure.get(c) for c in FIGURE_COLUMNS[3:])]
        for table in document["tables"]
        for row in table["rows"]
        for name, figure in row["figures"].items()
    )
    return _csv(FIGURE_COLUMNS, rows)


def pictures_csv(rows: Sequence[Document]) -> str:
    """A row for each protocol, colorizer and picture, with all its figures; empty where one isn't defined."""
    header = list(rows[0]) if rows else []
    return _csv(header, ([row[name] for name in header] for row in rows))


def markdown(document: Document) -> str:
    """The main figures of each protocol as tables, with what is to be known of them."""
    data = document["dataset"]
    counts = f"{document['pictures']:,} pictures, {document['clusters']:,} clusters, {document['size']} px"
    lines = [
        f"# {_plain(data['name'])}, split {_plain(data['split'])}: {counts}",
        "",
        f"Goal: {document['settings']['goal']}. In brackets: 95 % intervals, by drawing clusters and seeds.",
        STAR,
        "",
        *(f"- {_plain(warning)}" for warning in document["warnings"]),
        *(f"- {name}: skipped: {why}" for name, why in document["skipped"].items()),
    ]
    for table in document["tables"]:
        lines += ["", f"## {_plain(table['protocol'])}", "", *_table(document, table)]
    return "\n".join(lines) + "\n"


def main_figures(document: Document) -> list[str]:
    """The first figure of each metric."""
    return [name for name, about in document["metrics"].items() if about["main"]]


def ordered(table: Document) -> list[Document]:
    """A table's rows, the best first; what wasn't ranked comes last."""
    ranks = {entry["name"]: number for number, entry in enumerate(table["ranking"])}
    rows: list[Document] = sorted(table["rows"], key=lambda row: ranks.get(row["name"], len(ranks)))
    return rows


def shown(figure: Document) -> str:
    """`14.3 [13.9, 14.8]`, or why there is none."""
    if figure.get("value") is None:
        return f"skipped: {figure.get('skipped', 'not defined')}"
    value = f"{figure['value']:.4g}"
    if figure.get("low") is None or figure.get("high") is None:
        return value
    return f"{value} [{figure['low']:.4g}, {figure['high']:.4g}]"


def heading(document: Document, table: Document, name: str) -> str:
    """A figure's name with its direction and, where it is marked, a star."""
    star = " *" if name in table["marked"] else ""
    return f"{name} {ARROWS[document['metrics'][name]['better']]}{star}"


def _table(document: Document, table: Document) -> Iterator[str]:
    names = main_figures(document)
    yield "| | score | " + " | ".join(heading(document, table, name) for name in names) + " |"
    yield "|---|---|" + "---|" * len(names)
    scores = {entry["name"]: entry["score"] for entry in table["ranking"]}
    for row in ordered(table):
        cells = [shown(row["figures"][name]) for name in names]
        score = scores.get(row["name"])
        text = "" if score is None else f"{score:.3f}"
        yield f"| {_plain(row['name'])} | {text} | " + " | ".join(cells) + " |"


def _plain(text: str) -> str:
    """A name that breaks no table, with every character visible."""
    return "".join(f"\\{c}" if c in "|\\`*_[]<>" else c for c in printing.visible(text))


def _csv(header: Sequence[str], rows: Iterator[list[Any]]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows([_cell(value) for value in row] for row in rows)
    return text.getvalue()


def _cell(value: Any) -> str:
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    return f"{value:.6g}" if isinstance(value, float) else spreadsheet.cell(str(value))
