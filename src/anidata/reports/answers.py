"""Answers to queries on stdout: a table for people, CSV, JSON."""

import csv
import json
import math
from collections.abc import Callable, Sequence
from datetime import date, datetime
from decimal import Decimal
from io import StringIO
from itertools import count
from typing import TYPE_CHECKING, Any

from rich.table import Table

from anidata.engine import spreadsheet
from anidata.engine.console import wide_console
from anidata.engine.printing import err, out_json, raw

if TYPE_CHECKING:
    import pyarrow as pa

HEXES = ("phash", "phash_flip")  # 16 digits in JSON: a uint64 is no safe JSON number


def write_table(answer: "pa.Table", form: str) -> None:
    """An answer to a query, on stdout."""
    FORMS[form](answer.rename_columns(_distinct(answer.column_names)))


def _as_table(answer: "pa.Table") -> None:
    table = Table(box=None, pad_edge=False)
    for name in answer.column_names:
        table.add_column(name, overflow="fold")
    for row in answer.to_pylist():
        table.add_row(*map(_text, row.values()))
    wide_console().print(table)
    err(f"{answer.num_rows:,} rows")


def _as_csv(answer: "pa.Table") -> None:
    text = StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(map(spreadsheet.cell, answer.column_names))
    for row in answer.to_pylist():
        writer.writerow(map(_cell, row.values()))
        raw(text.getvalue())
        text.seek(0)
        text.truncate()
    raw(text.getvalue())


def _cell(value: Any) -> str:
    text = _text(value)
    return text if isinstance(value, int | float | Decimal) else spreadsheet.cell(text)


def _as_json(answer: "pa.Table") -> None:
    rows = [{name: _plain(name, value) for name, value in row.items()} for row in answer.to_pylist()]
    out_json(rows)


FORMS: dict[str, Callable[["pa.Table"], None]] = {"table": _as_table, "csv": _as_csv, "json": _as_json}


def _distinct(names: Sequence[str]) -> list[str]:
    """Names of columns, the second `key` as `key_2`: a row of JSON can't have one twice."""
    distinct: list[str] = []
    for name in names:
        if name not in distinct:
            distinct.append(name)
            continue
        numbered = (f"{name}_{n}" for n in count(2))
        distinct.append(next(new for new in numbered if new not in distinct and new not in names))
    return distinct


def _plain(name: str, value: Any) -> Any:
    """A value as JSON has it."""
    if isinstance(value, dict):
        return {n: _plain(n, v) for n, v in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(name, v) for v in value]
    if name in HEXES and isinstance(value, int):
        return f"{value:016x}"
    return _scalar(value)


def _scalar(value: Any) -> str | float | bool | None:
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, Decimal):  # sum() of whole numbers is one
        return int(value) if value == value.to_integral_value() else float(value)
    if isinstance(value, float) and not math.isfinite(value):
        return None  # JSON knows no nan and no infinity
    if isinstance(value, datetime | date):
        return value.isoformat()
    return value if isinstance(value, str | int | float | bool) or value is None else str(value)


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    plain = _plain("", value)
    if plain is None:
        return ""
    return plain if isinstance(plain, str) else json.dumps(plain, ensure_ascii=False)
