"""Rows in lists that grow: parts for the engine."""

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any

RAMP = 8  # parts of one size; then sizes double, up to the recipe's
SMALLEST = 16  # rows in the first parts


def ramped(rows: Iterable[dict[str, Any]], largest: int) -> Iterator[list[dict[str, Any]]]:
    """Yield rows in lists of 16, later 32 and so on up to `largest`.

    A small pile is spread over all workers, a large one has few parts.
    """
    rows, index = iter(rows), 0
    while chunk := list(islice(rows, min(largest, SMALLEST << (index // RAMP)))):
        yield chunk
        index += 1
