"""Arrays as files: NumPy's own format, and behind it the file's name: so one in another's place is seen."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from anidata import storage
from anidata.catalog.damage import damaged, name_of
from anidata.tar import opening

HEADER = 128  # bytes of one that `write` makes


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
        with opening.opened(path) as file:
            _check_header(file.read(HEADER), np.dtype(kind))
            array = np.lib.format.open_memmap(path, mode="r")
            file.seek(array.offset + array.nbytes)
            name = file.read().decode(errors="replace")
    except (ValueError, EOFError) as error:
        raise damaged(path, f"{error}") from error
    except opening.Refused as error:
        raise damaged(path, opening.why(error)) from error
    if name not in ("", name_of(path)):  # none: written before names were
        raise damaged(path, f"it is {name!r}")
    return array


def _check_header(data: bytes, kind: np.dtype[Any]) -> None:
    """See that a header is as `write` makes it: NumPy would parse whatever stands there as Python.

    Raises: ValueError.
    """
    described = re.escape(repr(np.lib.format.dtype_to_descr(kind))).encode()
    body = rb"\{'descr': " + described + rb", 'fortran_order': False, 'shape': \(\d{1,15},\), \} *\n"
    if not re.match(rb"\x93NUMPY\x01\x00.." + body, data, re.DOTALL):
        raise ValueError(f"its header isn't that of an array of one dimension of {kind}")
