"""Audit: the pictures that may leak, as columns; the codes of their windows lie in a temporary file."""

import tempfile
from collections import defaultdict
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from anidata.duplicates import window_join, windows

BATCH = 1 << 14  # pictures whose windows are written at once: some 20 MB

Index = NDArray[np.int64]


class Picture(NamedTuple):
    """A picture that may leak, and the codes by which its copies are found, as dedup has them."""

    run: int  # its sample's place in the tar
    suffix: str
    offset: int  # of its bytes in the tar
    size: int
    digest: bytes  # 16; of the file
    pixels: bytes  # 16; equal exactly where shape and pixels are
    windows: NDArray[np.void]  # (w,) windows.CODE; none of a flat picture


@dataclass(frozen=True, kw_only=True)
class Pictures:
    """Columns over n pictures, in the order of tars and samples."""

    tar: Index  # (n,) place in the list of tars
    run: Index  # (n,) its sample's place in the tar
    suffix: NDArray[np.object_]  # (n,)
    offset: Index  # (n,) of its bytes in the tar
    size: Index  # (n,)
    digest: NDArray[np.void]  # (n,)
    pixels: NDArray[np.void]  # (n,)
    windows: NDArray[np.void]  # (m,) window_join.ENTRY, by picture; in a temporary file


class Spool:
    """Gathers pictures as they come; their windows go to a temporary file, 1 kB each."""

    def __init__(self) -> None:
        self._windows = tempfile.TemporaryFile()  # noqa: SIM115  unnamed: it ends with the spool
        self._columns: dict[str, list[NDArray[Any]]] = defaultdict(list)

    def add(self, tar: int, pictures: list[Picture]) -> None:
        """Add some pictures of a tar, by its place in the list of tars."""
        if not pictures:
            return
        self._windows.write(np.concatenate([p.windows for p in pictures]).tobytes())
        chunk: dict[str, NDArray[Any]] = {
            "tar": np.full(len(pictures), tar, np.int64),
            "run": np.array([p.run for p in pictures], np.int64),
            "suffix": np.array([p.suffix for p in pictures], np.object_),
            "offset": np.array([p.offset for p in pictures], np.int64),
            "size": np.array([p.size for p in pictures], np.int64),
            "digest": np.frombuffer(b"".join(p.digest for p in pictures), "V16"),
            "pixels": np.frombuffer(b"".join(p.pixels for p in pictures), "V16"),
            "count": np.array([len(p.windows) for p in pictures], np.int64),
        }
        for name, column in chunk.items():
            self._columns[name].append(column)

    def pictures(self) -> Pictures | None:
        """All that was added, in an order that doesn't depend on who came first; None where nothing was."""
        if not self._columns:
            return None
        columns = {name: np.concatenate(chunks) for name, chunks in self._columns.items()}
        # Stable: pictures of one sample stay as they came.
        order = np.lexsort((columns["run"], columns["tar"])).astype(np.int64)
        ordered = {name: column[order] for name, column in columns.items() if name != "count"}
        return Pictures(**ordered, windows=self._in_order(columns["count"], order))

    def _in_order(self, count: Index, order: Index) -> NDArray[np.void]:
        """(m,) ENTRY: the windows by picture. count: (n,) windows of each as they came. order: (n,)."""
        self._windows.flush()
        if not count.sum():
            return np.empty(0, window_join.ENTRY)
        came, start = np.memmap(self._windows, windows.CODE, "r"), np.cumsum(count) - count
        with tempfile.TemporaryFile() as file:
            for first in range(0, len(order), BATCH):
                some = order[first : first + BATCH]
                owner = np.repeat(np.arange(first, first + len(some)), count[some])
                ends = np.cumsum(count[some])
                rows = np.arange(len(owner)) + np.repeat(start[some] - ends + count[some], count[some])
                file.write(window_join.entries(came[rows], owner).tobytes())
            file.flush()
            return np.memmap(file, window_join.ENTRY, "r")
