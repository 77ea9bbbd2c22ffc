"""What sightings ask the web for: their pictures' URLs, and those of the artist's own lineart beside them.

A lineart's answer goes by a name of its own, RECORD.line, in journals and in the table of what was fetched: it is asked for under the same
rules, fails with a code of its own, which the sighting then has as `line_error`, and is asked for again without its color.
"""

from collections.abc import Iterable
from typing import Any

from anidata import storage

LINE = ".line"  # ends the name of what is asked for a sighting's lineart

Row = dict[str, Any]


def is_line(name: str) -> bool:
    return name.endswith(LINE)


def record_of(name: str) -> str:
    """The sighting that something was asked for."""
    return name.removesuffix(LINE)


def first_url(row: Row) -> str | None:
    """The URL whose host decides who asks for a sighting; None: nothing is asked for."""
    return next(
        (row[column] for column in ("at_uri", "line_uri") if (row[column] or "").startswith(storage.WEB)),
        None,
    )


def asked(rows: Iterable[Row]) -> list[Row]:
    """A row for each URL of these sightings: `record` is the name of what is asked for, `at_uri` where it lies, and `referer`."""
    return [
        {
            "record": row["record"] + ending,
            "generation": row["generation"],
            "at_uri": row[column],
            "referer": row.get(referer),
        }
        for row in rows
        for ending, column, referer in (("", "at_uri", "referer"), (LINE, "line_uri", "line_referer"))
        if (row[column] or "").startswith(storage.WEB)
    ]


def answered(row: Row, found: dict[str, Row]) -> Row:
    """A sighting with what came of its URLs: references into the workspace, or the reason why there are none."""
    picture, line = found.get(row["record"]), found.get(row["record"] + LINE)
    told = (
        {name: picture[name] for name in ("at_uri", "at_offset", "at_size", "error", "message")}
        if picture
        else {}
    )
    drawn = (
        {f"line_{name}": line[f"at_{name}"] for name in ("uri", "offset", "size")}
        | {"line_error": line["error"]}
        if line
        else {}
    )
    return row | told | drawn


def missing(row: Row, wanted: set[str], last: dict[str, Row]) -> Row:
    """A sighting that is planned again for the sake of what is `wanted`: what has come already is referred to, and not asked for again.

    last: the latest row of each that was asked for and came.
    """
    for ending, prefix in (("", "at"), (LINE, "line")):
        name = row["record"] + ending
        if name in last and name not in wanted:
            row |= {f"{prefix}_{part}": last[name][f"at_{part}"] for part in ("uri", "offset", "size")}
    return row
