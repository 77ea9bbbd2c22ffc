"""Notes on the pictures of a whole folder: the Hub's metadata.csv and metadata.jsonl, read line by line."""

import csv
import io
from collections.abc import Iterator
from itertools import takewhile
from typing import Any, TextIO

from anidata.sources.listing.sidecars import BadSidecar, Notes, from_fields, object_of
from anidata.tar import untrusted
from anidata.tar.untrusted import MOST_ROWS

METADATA_LIMIT = 64 << 20  # bytes of metadata.csv or metadata.jsonl


def from_metadata(name: str, data: bytes) -> dict[str, Notes]:
    """The notes in a metadata.csv or metadata.jsonl, by file name; the first row of a name counts.

    Raises: BadSidecar: no row with a file_name, or more rows or columns than are read.
    """
    text = io.TextIOWrapper(io.BytesIO(data), encoding="utf-8-sig", errors="replace", newline="")
    notes: dict[str, Notes] = {}
    for row in _csv_rows(text) if name.endswith(".csv") else _json_rows(text):
        file = row.get("file_name")
        if isinstance(file, str) and file.strip():
            notes.setdefault(file.strip().replace("\\", "/").removeprefix("./"), from_fields(row))
        if len(notes) > MOST_ROWS:
            raise BadSidecar(f"more than {MOST_ROWS:,} rows")
    if not notes:
        raise BadSidecar("no column file_name")
    return notes


def _csv_rows(text: TextIO) -> Iterator[dict[str, Any]]:
    """Yield the rows up to the first that can't be read: what stood before it counts.

    Raises: BadSidecar: too many columns.
    """
    short = takewhile(lambda line: line is not None, untrusted.lines(text))
    reader = csv.DictReader(line.replace("\0", "") for line in short if line)
    try:
        names = {str(column): str(column).strip().lower() for column in untrusted.columns(reader.fieldnames)}
        for row in reader:
            yield {names.get(str(column), "none"): value for column, value in row.items()}
    except csv.Error:  # a field over 128 KiB
        return
    except untrusted.TooMuch as error:
        raise BadSidecar(str(error)) from error


def _json_rows(text: TextIO) -> Iterator[dict[str, Any]]:
    for line in untrusted.lines(text):
        try:
            yield object_of((line or "").replace("\0", ""))
        except BadSidecar:
            continue  # one broken line doesn't take the others along
