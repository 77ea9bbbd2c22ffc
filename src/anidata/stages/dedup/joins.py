"""Joins, one behind the other in a folder: edges, and the keys of the pictures that each was first to see."""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from anidata import storage
from anidata.catalog import arrays, tables


def publish(folder: Path, keys: np.ndarray, edges: pa.Table, notes: dict[str, Any]) -> None:
    """Write a join's edges, and before them the keys of the pictures that it was the first to see."""
    number = len(tables.files(folder))
    arrays.write(folder / f"{number:05d}.keys.npy", keys)
    tables.write(folder / f"{number:05d}.parquet", edges, notes)


def seen(folder: Path) -> np.ndarray:
    """The keys of all pictures that have been joined."""
    keys = [arrays.read(p.with_suffix(".keys.npy"), "S24") for p in tables.files(folder)]
    return np.concatenate(keys) if keys else np.empty(0, "S24")


def begin_anew(folder: Path) -> None:
    """Delete all joins, the last first: killed within, it leaves the first joins, whole ones."""
    for path in [*reversed(tables.files(folder)), *folder.glob("*.keys.npy")]:
        storage.delete(path)
