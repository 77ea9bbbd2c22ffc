"""Arrays in WORK: read as they were written, and whatever else stands in their place is a typed error."""

import numpy as np
import pytest

from anidata.catalog import arrays
from anidata.errors import DamagedError


@pytest.mark.parametrize("count", [0, 1, 5000])
def test_what_was_written_is_read(tmp_path, count):
    keys = np.array([f"{n:024d}" for n in range(count)], "S24")
    arrays.write(tmp_path / "keys.npy", keys)
    assert (arrays.read(tmp_path / "keys.npy", "S24") == keys).all()


SHAPE = b"'shape': (3,)"
LIES = {
    "never closed": (SHAPE, b"'shape': ((((("),
    "a program": (SHAPE, b"'shape': exit()"),
    "too large": (SHAPE, b"'shape': (9999999999999,)"),
    "less than nothing": (SHAPE, b"'shape': (-3,)"),
    "two dimensions": (SHAPE, b"'shape': (3,1)"),
    "objects": (b"'|S24'", b"'|O'"),
    "another type": (b"'|S24'", b"'<f8'"),
    "deep": (SHAPE, b"'shape': " + b"(" * 60),
    "a NUL": (SHAPE, b"'shape': \0"),
}


@pytest.mark.parametrize("lie", LIES)
def test_a_header_that_lies_is_a_typed_error(tmp_path, lie):
    path = tmp_path / "keys.npy"
    arrays.write(path, np.zeros(3, "S24"))
    data = path.read_bytes()
    assert LIES[lie][0] in data
    path.write_bytes(data.replace(*LIES[lie]))
    with pytest.raises(DamagedError, match=r"keys\.npy"):
        arrays.read(path, "S24")
