"""The decoding contract, file by file.

tests/golden holds a small one for each clause, and expected.toml what it shows by the way it was drawn.
"""

import tomllib
from pathlib import Path

import numpy as np
import pytest

from anidata.errors import BadImage
from anidata.imaging.decode import decode

GOLDEN = Path(__file__).parents[1] / "golden"
EXPECTED = tomllib.loads((GOLDEN / "expected.toml").read_text(encoding="utf-8"))
COLORS = EXPECTED.pop("colors")
LIMIT = 48 * 32  # pixels: all have just as many
BESIDE = {"README.md", "draw.py", "expected.toml"}
MOST_BYTES, MOST_ALTOGETHER = 5_000, 100_000


def patches(rgb: np.ndarray) -> list[np.ndarray]:
    """The inner half of each quadrant, in reading order: away from borders, where lossy formats ring."""
    height, width = (side // 8 for side in rgb.shape[:2])
    return [
        rgb[y : y + 2 * height, x : x + 2 * width] for y in (height, 5 * height) for x in (width, 5 * width)
    ]


@pytest.mark.parametrize("name", [name for name, expected in EXPECTED.items() if "error" not in expected])
def test_a_golden_file_shows_what_was_drawn(name):
    expected, seen = EXPECTED[name], decode((GOLDEN / name).read_bytes(), LIMIT)
    assert list(seen.rgb.shape[1::-1]) == expected.get("size", [48, 32]), expected["clause"]
    for patch, wanted in zip(patches(seen.rgb), expected["seen"], strict=True):
        color = COLORS[wanted] if isinstance(wanted, str) else wanted
        assert np.abs(patch.astype(int) - color).max() <= expected.get("tolerance", 0), (
            expected["clause"],
            patch[0, 0],
            color,
        )
    assert seen.frames == expected.get("frames", 1)
    assert seen.transparency == pytest.approx(expected.get("transparency", 0), abs=1e-4)
    assert seen.note == expected.get("note", "")


@pytest.mark.parametrize("name", [name for name, expected in EXPECTED.items() if "error" in expected])
def test_a_damaged_golden_file_is_refused_with_its_code(name):
    with pytest.raises(BadImage) as refused:
        decode((GOLDEN / name).read_bytes(), LIMIT)
    assert refused.value.code == EXPECTED[name]["error"]


def test_every_golden_file_has_its_clause_and_is_small():
    sizes = {
        path.name: path.stat().st_size
        for path in GOLDEN.iterdir()
        if path.name not in BESIDE and path.is_file()
    }
    assert set(sizes) == set(EXPECTED)
    assert max(sizes.values()) < MOST_BYTES
    assert sum(sizes.values()) < MOST_ALTOGETHER
