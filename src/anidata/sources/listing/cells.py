"""Rows of others' parquet files as Python has them; a cell that Python has no value for is None."""

from collections.abc import Iterable, Iterator
from typing import Any

import pyarrow as pa

# text that is no UTF-8, days beyond the calendar, zones that nobody knows
BAD = (ValueError, OverflowError, LookupError, pa.ArrowException)

Row = dict[str, Any]


def rows(batch: pa.RecordBatch) -> list[Row]:
    """The rows of a batch."""
    try:
        whole: list[Row] = batch.to_pylist()
    except BAD:
        columns = {name: list(map(_value, batch.column(n))) for n, name in enumerate(batch.schema.names)}
        return [{name: column[n] for name, column in columns.items()} for n in range(batch.num_rows)]
    return whole


def _value(scalar: pa.Scalar) -> Any:
    try:
        return scalar.as_py()
    except BAD:
        return None


def batches(read: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """Yield batches as they are read. Raises: pa.ArrowInvalid: whatever Arrow says."""
    try:
        yield from read
    except OSError as error:
        raise pa.ArrowInvalid(str(error)) from error
