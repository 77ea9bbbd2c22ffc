"""The exceptions among the rows of large tables.

They stand there more than once, or have no row in another table. They are looked for by 64-bit hashes,
8 bytes a row, in sorted arrays: a table of the keys themselves takes ten times that, and longer. What stands
there twice is then asked for by its key. A key that is in no other table passes for one that is if their
hashes are equal: among a million keys one time in twenty million.
"""

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from anidata.catalog.views import SIGHTINGS

Select = Callable[..., pa.Table]  # SQL, and tables that it can name → the answer
Hashes = npt.NDArray[np.uint64]  # sorted
HELD = 1 << 16  # keys


_KNOWN: dict[str, dict[str, pa.Table]] = {}  # the last answer of `steady`, if it was small, by its state


def tables(
    select: Select, state: str, *, joined: bool, decided: bool, complete: Sequence[str]
) -> dict[str, pa.Table]:
    """Name → keys: of `_steady` and, where asked for, those dedup hasn't joined and nobody decided on yet.

    state: changes with sightings and pictures. complete: the tables of decisions, besides dedup's, that have
    a row for each picture that was decided on.
    """
    exceptions = _KNOWN.get(state) or _steady(select)
    _KNOWN.clear()
    if sum(map(len, exceptions.values())) <= HELD:
        _KNOWN[state] = exceptions
    if not joined:
        return exceptions | {"_unjoined": _none(), "_undecided": _none()}
    pictures = _hashes(select, "key", "_images")
    unjoined = _missing(pictures, _hashes(select, "key", "_dedup"))
    undecided = unjoined if decided else pictures[:0]
    for table in complete:
        if undecided.size:
            undecided = _missing(undecided, _hashes(select, "key", table))
    return exceptions | {
        "_unjoined": _keys(select, unjoined, pictures.size),
        "_undecided": _keys(select, undecided, pictures.size),
    }


def _steady(select: Select) -> dict[str, pa.Table]:
    """List what is listed, seen or measured more than once, and what is seen nowhere any more.

    No decision changes that.
    """
    listed = _hashes(select, "record", "_records")
    again = _again(select, "record", "_records", listed)
    seen, pictures = _hashes(select, "key", "_records"), _hashes(select, "key", "_images")
    exceptions = {
        "_listed_again": again,
        "_seen_again": _again(select, "key", "_records", seen),
        "_measured_again": _again(select, "key", "_images", pictures),
    }
    if again.num_rows:
        seen = _hashes(select, "key", f"({SIGHTINGS})", **exceptions)
    return exceptions | {"_unseen": _keys(select, _missing(pictures, seen), pictures.size)}


def _again(select: Select, column: str, table: str, hashes: Hashes) -> pa.Table:
    """Values that a column, whose hashes these are, has more than once."""
    twice = np.unique(hashes[1:][hashes[1:] == hashes[:-1]])
    if not twice.size:
        return _none(column)
    repeated = (
        f"SELECT {column} FROM {table} WHERE hash({column}) IN (SELECT hash FROM _twice) "
        f"GROUP BY {column} HAVING count(*) > 1"
    )
    return select(repeated, _twice=pa.table({"hash": twice}))


def _missing(hashes: Hashes, there: Hashes) -> Hashes:
    """Those that aren't there."""
    if not there.size:
        return hashes
    nearest = np.minimum(np.searchsorted(there, hashes), there.size - 1)
    return np.asarray(hashes[there[nearest] != hashes], np.uint64)


def _keys(select: Select, hashes: Hashes, whole: int) -> pa.Table:
    """The keys of pictures, each once, by their hashes; all pictures together have `whole` of them."""
    if not hashes.size:
        return _none()
    if hashes.size == whole:
        return select("SELECT DISTINCT key FROM _images")
    return select(
        "SELECT DISTINCT key FROM _images WHERE hash(key) IN (SELECT hash FROM _wanted)",
        _wanted=pa.table({"hash": hashes}),
    )


def _hashes(select: Select, column: str, table: str, **asked: pa.Table) -> Hashes:
    answer = select(f"SELECT hash({column}) AS hash FROM {table} WHERE {column} IS NOT NULL", **asked)
    return np.sort(answer.column("hash").to_numpy())


def _none(column: str = "key") -> pa.Table:
    return pa.table({column: pa.array([], pa.string())})
