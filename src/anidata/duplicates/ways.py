"""Ways in which one picture may show another: as it lies, mirrored, turned by quarters, or both."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray


class Way(NamedTuple):
    """What is done to a picture: it is mirrored or not, and then turned."""

    mirrored: bool = False  # left to right
    quarters: int = 0  # turns by 90°, counterclockwise

    @property
    def back(self) -> "Way":
        """The way that undoes this one: what is mirrored as well undoes itself."""
        return self if self.mirrored else Way(quarters=-self.quarters % 4)

    def of(self, rgb: NDArray[Any]) -> NDArray[Any]:
        """A picture, (h, w, …), seen this way."""
        seen = rgb[:, ::-1] if self.mirrored else rgb
        return np.ascontiguousarray(np.rot90(seen, self.quarters))


STRAIGHT, MIRRORED = Way(), Way(mirrored=True)
TURNS = tuple(Way(mirrored, quarters) for mirrored in (False, True) for quarters in (1, 2, 3))


def turns(bits: int) -> Iterator[Way]:
    """Yield the turns of a bit set, in which each has the bit of its place in TURNS."""
    return (way for n, way in enumerate(TURNS) if bits >> n & 1)
