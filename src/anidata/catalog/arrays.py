"""Arrays as files: NumPy's own format, and behind it the file's name: so one in another's place is seen."""

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from anidata import storage
from anidata.catalog.damage import damaged, name_of
from anidata.tar import opening


def write(path: Path, array: npt.NDArray[Any]) -> None:
    """Publish an array."""
    with storage.publishing(path) as file:
        np.save(file, array, allow_pickle=False)
        file.write(name_of(path).encode())


def read(path: Path, kind: str) -> npt.NDArray[Any]:
    """An array of one dimension and this type, mapped from disk.

    Raises: DamagedError: it is cut short, of another type, or another file's.
    """
    try:
        opening.check(path)
        array = np.lib.format.open_memmap(path, mode="r")
        with opening.opened(path) as file:
            file.seek(array.offset + array.nbytes)
            name = file.read().decode(errors="replace")
    except (ValueError, EOFError) as error:
        raise damaged(path, f"{error}") from error
    except opening.Refused as error:
        raise damaged(path, opening.why(error)) from error
    if array.dtype != np.dtype(kind) or array.ndim != 1:
        raise damaged(path, f"{array.ndim} dimensions of {array.dtype}, not one of {kind}")
    if name not in ("", name_of(path)):  # none: written before names were
        raise damaged(path, f"it is {name!r}")
    return array
