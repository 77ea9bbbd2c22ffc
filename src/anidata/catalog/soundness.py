"""What every row of a workspace's tables has, looked at when something has stumbled over one that hasn't.

A file can be sound Parquet and yet say what anidata never writes: it may come from elsewhere. What is said
here to be damage is made again or ends a run, so it is no more than what every version has written.
"""

from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from anidata.catalog import decisions, tables
from anidata.catalog.damage import damaged
from anidata.catalog.schemas import CODES, COLOR, PARTED, SAMPLES, SPLITS, measures
from anidata.workspace import Workspace

GIVEN = {  # in every row
    "plan": ("record", "generation", "kind", "name", "file"),
    "records": ("record", "generation", "kind", "name", "file"),
    "images": ("key",),
    "fetched": ("record", "generation", "url", "asked"),
    "edges": ("a", "b", "distance"),
    "place_edges": ("a", "b", "scale", "dx", "dy", "agreeing"),
    "relations": ("a", "b", "relation"),
    "pairs": ("key", "style", "fingerprint", "suffix", "tar", "offset", "size", "width", "height"),
    "splits": tuple(SPLITS.names),
    "samples": tuple(SAMPLES.names),
}
OF_LINES = ("drawn", "ink", "stroke_width", "components", "specks")  # in pairs, but of color
OF_PICTURES = ("bytes", "format", "width", "height")  # in images, where there is no error
NOT_NEGATIVE = ("bytes", "offset", "size", "at_offset", "at_size", "line_offset", "line_size", "distance")
LEAST = dict.fromkeys(("width", "height", "frames"), 1) | dict.fromkeys(NOT_NEGATIVE, 0)  # where one is


def check(workspace: Workspace) -> None:
    """See that all tables say what anidata writes. Raises: DamagedError: the first that doesn't."""
    for name in ("plan", *PARTED):
        for path in tables.files(workspace.folder(name)):
            _check_file(path, name)
    for name in (*(d.name for d in decisions.decisions()), "splits", "samples"):
        path = workspace.folder("decisions") / f"{name}.parquet"
        if path.exists():
            _check_file(path, name)


def _check_file(path: Path, name: str) -> None:
    with tables.opened(path) as file:
        for group in range(file.num_row_groups):
            _check(path, name, file.read_row_group(group))


def _check(path: Path, name: str, content: pa.Table) -> None:
    given = GIVEN.get(name, ("key",))
    if lacking := [column for column in given if column not in content.column_names]:
        raise damaged(path, f"it has no column {lacking[0]}")
    _check_given(path, content, given)
    if name == "images" and "error" in content.column_names:
        whole = content.filter(pc.is_null(content["error"]))
        _check_given(path, whole, (*OF_PICTURES, *measures(), *(code for code, _ in CODES)))
    if name == "pairs":
        _check_given(path, content.filter(pc.not_equal(content["style"], COLOR)), OF_LINES)
    for column in content.column_names:
        _check_numbers(path, column, content[column])


def _check_given(path: Path, content: pa.Table, columns: tuple[str, ...]) -> None:
    """See that each row has a value in these columns; an older part may lack some columns."""
    for column in columns:
        if column in content.column_names and content[column].null_count:
            raise damaged(path, f"a row has no {column}")


def _check_numbers(path: Path, column: str, values: pa.ChunkedArray) -> None:
    if column in LEAST and pa.types.is_integer(values.type):
        least = pc.min(values).as_py()
        if least is not None and least < LEAST[column]:
            raise damaged(path, f"a row's {column} is below {LEAST[column]}")
    if pa.types.is_floating(values.type) and pc.all(pc.is_finite(values)).as_py() is False:
        raise damaged(path, f"a row's {column} is no number")
