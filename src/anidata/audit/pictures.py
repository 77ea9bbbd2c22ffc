"""Audit: the pictures that may leak, as columns; their windows and places lie in temporary files."""

import tempfile
from collections import defaultdict
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from anidata.duplicates import place_codes, windows

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
    places: NDArray[np.void]  # (p,) place_codes.PLACE


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
    # By picture, in temporary files.
    windows: NDArray[np.void]  # (m,) window_join.ENTRY
    places: NDArray[np.void]  # (m,) the place of its picture, `owner`, and the fields of place_codes.PLACE


class Spool:
    """Gathers pictures as they come; their codes go to temporary files, 2 kB each."""

    def __init__(self) -> None:
        self._windows, self._places = _Rows(windows.CODE), _Rows(place_codes.PLACE)
        self._columns: dict[str, list[NDArray[Any]]] = defaultdict(list)

    def add(self, tar: int, pictures: list[Picture]) -> None:
        """Add some pictures of a tar, by its place in the list of tars."""
        if not pictures:
            return
        self._windows.add([p.windows for p in pictures])
        self._places.add([p.places for p in pictures])
        chunk: dict[str, NDArray[Any]] = {
            "tar": np.full(len(pictures), tar, np.int64),
            "run": np.array([p.run for p in pictures], np.int64),
            "suffix": np.array([p.suffix for p in pictures], np.object_),
            "offset": np.array([p.offset for p in pictures], np.int64),
            "size": np.array([p.size for p in pictures], np.int64),
            "digest": np.frombuffer(b"".join(p.digest for p in pictures), "V16"),
            "pixels": np.frombuffer(b"".join(p.pixels for p in pictures), "V16"),
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
        ordered = {name: column[order] for name, column in columns.items()}
        return Pictures(**ordered, windows=self._windows.in_order(order), places=self._places.in_order(order))


class _Rows:
    """Rows of many pictures, in a temporary file."""

    def __init__(self, kind: np.dtype[Any]) -> None:
        self._kind = kind
        self._file = tempfile.TemporaryFile()  # noqa: SIM115  unnamed: it ends with the spool
        self._counts: list[int] = []

    def add(self, several: list[NDArray[np.void]]) -> None:
        """Add the rows of some pictures."""
        self._file.write(np.concatenate(several).tobytes())
        self._counts += map(len, several)

    def in_order(self, order: Index) -> NDArray[np.void]:
        """(m,) of the owner, "<u4", and the fields of a row: those of each picture, (n,), in this order."""
        owned = np.dtype([("owner", "<u4"), *self._kind.descr])
        count, file = np.array(self._counts, np.int64), self._file
        file.flush()
        if not count.sum():
            return np.empty(0, owned)
        came, start = np.memmap(file, self._kind, "r"), np.cumsum(count) - count
        with tempfile.TemporaryFile() as sorted_file:
            for first in range(0, len(order), BATCH):
                some = order[first : first + BATCH]
                ends = np.cumsum(count[some])
                rows = np.arange(ends[-1]) + np.repeat(start[some] - ends + count[some], count[some])
                entries = np.empty(len(rows), owned)
                entries["owner"] = np.repeat(np.arange(first, first + len(some)), count[some])
                for name in self._kind.names or ():
                    entries[name] = came[rows][name]
                sorted_file.write(entries.tobytes())
            sorted_file.flush()
            return np.memmap(sorted_file, owned, "r")
