"""Results of commands: tables for people on a terminal, and the facts behind them for --json."""

import ast
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.table import Table
from rich.text import Text

from anidata import registry
from anidata.catalog.catalog import Catalog
from anidata.engine.console import VisibleConsole, wide_console
from anidata.engine.printing import out, visible
from anidata.reports import funnel
from anidata.tar import opening
from anidata.workspace import Workspace

if TYPE_CHECKING:
    from anidata.audit.audit import Report
    from anidata.reports.find import Answer, Neighbor
    from anidata.reports.status import Status
    from anidata.stages.clean.explain import Cost, Weighed
    from anidata.stages.dedup.explain import Fate

FATES = {None: "", True: "kept", False: "dropped"}  # by `keep`


@dataclass(frozen=True)
class Summary:
    """Results of a command: counts, and where things lie."""

    funnel: funnel.Funnel
    workspace: Path
    dataset: Path | None = None
    sheet: Path | None = None

    def to_json(self) -> dict[str, Any]:
        paths = {"workspace": self.workspace, "dataset": self.dataset, "sheet": self.sheet}
        existing = {name: str(path) for name, path in paths.items() if path}
        return {"funnel": self.funnel.to_json(), **existing}


def after_stage(workspace: Workspace) -> Summary:
    return Summary(_funnel(workspace), workspace.path)


def after_run(workspace: Workspace, dataset: Path, *, changed: bool) -> Summary:
    """The summary of a whole run; the contact sheet is drawn anew where anything has changed."""
    sheet, counts = workspace.path / "contact-sheet.png", _funnel(workspace)
    if changed or not sheet.exists():
        from anidata.reports import contact_sheet  # noqa: PLC0415  pictures are opened for this alone

        contact_sheet.write(workspace, counts, sheet)
    return Summary(counts, workspace.path, dataset, sheet)


def _funnel(workspace: Workspace) -> funnel.Funnel:
    counts = funnel.remembered(workspace)
    if counts is None:
        with Catalog(workspace, decided=False) as views:
            counts = funnel.measure(views)
        funnel.remember(workspace, counts)
    return counts


def show(summary: Summary, *, changed: bool) -> None:
    console = VisibleConsole()
    if not changed:
        console.print("Nothing to do: everything is up to date.")
    console.print(funnel.table(summary.funnel))
    for name, path in (("data set", summary.dataset), ("contact sheet", summary.sheet)):
        console.print(Text.assemble((name, "bold"), f"  {visible(str(path))}"), soft_wrap=True)


def show_stage(stage: str, counts: Mapping[str, int], summary: Summary) -> None:
    console = VisibleConsole()
    done = ", ".join(f"{name.replace('_', ' ')} {n:,}" for name, n in counts.items() if n)
    console.print(f"{stage}: {done or 'nothing to do, everything is up to date'}")
    console.print(funnel.table(summary.funnel))


def show_status(workspace: Workspace, status: "Status") -> None:
    console = VisibleConsole()
    console.print(funnel.table(status.funnel))
    table = Table(show_header=False, box=None, pad_edge=False)
    for name, word in status.stages.items():
        table.add_row(name, word)
    console.print(table)
    total = sum(status.disk.values())
    parts_of = " · ".join(f"{name} {_bytes(n)}" for name, n in status.disk.items())
    console.print(Text.assemble(f"disk  {_bytes(total)}  ", (visible(parts_of), "dim")))
    if status.to_retry or status.changed:
        console.print(
            f"{status.to_retry:,} to be tried again · {status.changed:,} changed at their source",
        )
    next_one = status.next_command or "nothing: everything is up to date"
    console.print(f"next  {next_one}", soft_wrap=True)
    console.print(Text(visible(str(workspace.path)), "dim"), soft_wrap=True)


def show_audit(report: "Report") -> None:
    console = VisibleConsole()
    splits = ", ".join(f"{n:,} {split}" for split, n in report.samples.items())
    console.print(f"{report.shards:,} shards, {splits or 'no samples'}")
    for finding in report.findings:
        line = f"{finding.code}  {finding.where}  {finding.message}"
        console.print(line, soft_wrap=True)
    for code, n in report.counts.items():
        console.print(f"{n:,} × {code}")
    for suffix, r2 in report.told.items():
        shares = f"{r2['gray']:.2f} of the color's variance, binarized {r2['binarized']:.2f}"
        console.print(f"{suffix}: its gray tells {shares}")
    console.print("sound" if report.sound else "not sound")


def show_weighed(
    rules: "Mapping[str, list[Weighed]]", fates: "Mapping[str, Fate]", costs: "Sequence[Cost]"
) -> None:
    """Pictures against clean's rules, and whose copies they are; what other thresholds would cost."""
    for key, rows in rules.items():
        VisibleConsole().print(_weighed_table(key, rows))
        if key in fates:
            out(fates[key].words)
    if costs:
        VisibleConsole().print(_costs_table(costs))


def _weighed_table(key: str, rows: "Sequence[Weighed]") -> Table:
    """A picture's values against the threshold of each rule."""
    columns = ("rule", "value", "setting", "threshold", "verdict")
    table = Table(*columns, box=None, pad_edge=False, title=key, title_justify="left")
    for row in rows:
        value = "" if row.value is None else f"{row.value:.4g}"
        verdict = "met" if row.verdict == "kept" else row.verdict  # the rule is: the picture may yet go
        outcome = f"{verdict} by {row.margin:.0%}" if row.margin else verdict
        table.add_row(row.rule, value, row.setting, f"{row.threshold:g}", outcome)
    return table


def _costs_table(costs: "Sequence[Cost]") -> Table:
    """Thresholds of one rule, and how many pictures each would keep and reject."""
    columns = ("threshold", "kept", "rejected", "by this rule", "by it alone")
    table = Table(*columns, box=None, pad_edge=False)
    for cost in costs:
        counts = (f"{n:,}" for n in (cost.kept, cost.rejected, cost.broken, cost.alone))
        table.add_row(f"{cost.threshold:g}" + " (now)" * cost.present, *counts)
    return table


def plugins(name: str) -> dict[str, str]:
    """Plugin of a registry → its one line; a recipe's is its first comment.

    Models, metrics and extractors aren't imported: they may need an extra.
    """
    names = registry.names(name)
    if name in registry.FOLDERS:
        return {plugin: _first_line(registry.find(name, plugin)) for plugin in names}
    if name in ("metrics", "extractors"):
        folder = registry.PACKAGE / registry.DEEPER[name]
        return {plugin: _first_line(folder / f"{plugin}.py") for plugin in names}
    return {plugin: registry.title(registry.load(name, plugin)) for plugin in names}


def _first_line(path: Path) -> str:
    """Of a recipe its first comment, of a module its docstring's first line."""
    text = opening.read_text(path)
    is_module = path.suffix == ".py"
    prose = (ast.get_docstring(ast.parse(text)) or "") if is_module else text.lstrip("# ")
    return prose.split("\n", 1)[0]


def show_answers(answers: Sequence["Answer"]) -> None:
    """The neighbors of each file."""
    for answer in answers:
        out(f"{answer.path}: {answer.error}" if answer.error else answer.path)
        if answer.neighbors:
            wide_console().print(_neighbors_table(answer.neighbors))
        elif not answer.error:
            out("  nothing like it")


def _neighbors_table(neighbors: Sequence["Neighbor"]) -> Table:
    table = Table(box=None, pad_edge=False, show_header=False)
    for near in neighbors:
        row = (
            "  " + near.relation,
            "" if near.distance is None else f"{near.distance} bits",
            near.key,
            near.file,
            FATES[near.keep],
            near.split or "",
        )
        table.add_row(*row)
    return table


def show_pairs(lines: Mapping[str, str]) -> None:
    table = Table(show_header=False, box=None, pad_edge=False)
    for name, line in lines.items():
        table.add_row(name, line)
    VisibleConsole().print(table)


def _bytes(n: int) -> str:
    size = float(n)
    for unit in ("B", "kB", "MB", "GB"):
        if size < 1000:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} TB"
