"""Samples: what a data set says of each, in the JSON beside its pictures and in the metadata table."""

import re
from functools import cache
from typing import Any

import pyarrow as pa

from anidata.catalog import schemas
from anidata.catalog.schemas import COLOR

MARKS = ("ink", "stroke_width", "components", "specks")  # of the first style's line
FITTED = ("fitted_width", "fitted_height")  # px of the pair
TEXTS = (
    "key",
    "file",
    "source",
    "url",
    "license",
    "artist",
    "rating",
    "caption",
    "format",
    "cluster",
    "split",
    "phash",
)
STATED = ("url", "license", "artist", "rating", "caption", "file", "format")  # empty where nothing is known

Row = dict[
    str, Any
]  # of a sample: the columns `known`, with FITTED, MARKS, `drawn` and `files` once it is packed


def about(row: Row, config: str, polarity: str) -> Row:
    """The JSON of a sample: the same names and types in every one, without nulls or empty lists.

    config: of an unpaired set; what is of lines isn't said of color.
    """
    stated = {name: row[name] or "" for name in STATED}
    line = {} if config == COLOR else _of_line(row, polarity)
    return {
        **stated,
        "width": row["fitted_width"],
        "height": row["fitted_height"],
        "source_width": row["width"],
        "source_height": row["height"],
        **line,
        "key": row["key"],
        "tags": _listed(row["tags"] or []),
    }


def _of_line(row: Row, polarity: str) -> Row:
    return {"style": row["drawn"], "polarity": polarity} | {name: round(row[name], 6) for name in MARKS}


def _listed(tags: list[str]) -> str:
    """Tags as one text that can be split again at ', ': commas and line breaks within a tag become spaces."""
    words = (" ".join(re.split(r"[\s,]+", tag)).strip() for tag in tags)
    return ", ".join(word for word in words if word)


def metadata(row: Row) -> Row:
    """The row of a sample in the metadata table."""
    return {name: row[name] for name in metadata_schema().names} | {"phash": f"{row['phash']:016x}"}


@cache
def metadata_schema() -> pa.Schema:
    """The columns of the metadata table, those of the measures last."""
    columns = {name: pa.string() for name in TEXTS}
    columns |= {"tags": pa.list_(pa.string()), "sightings": pa.int64(), "bytes": pa.int64()}
    columns |= {name: pa.int32() for name in ("width", "height", "frames", *FITTED)}
    columns |= {
        "transparency": pa.float32(),
        "ink": pa.float32(),
        "stroke_width": pa.float32(),
        "components": pa.int32(),
        "specks": pa.int32(),
    }
    return pa.schema(columns | schemas.measures())


def known() -> list[str]:
    """The columns of the view `images` that a sample is made from."""
    return [name for name in metadata_schema().names if name not in (*FITTED, *MARKS)]
