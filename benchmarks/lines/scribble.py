"""How much of a scribble a line picture is: its short pieces for the ink that it has.

A drawing's ink hangs together in few long pieces; what a style makes of a painted texture is many short
ones. `pieces` counts what hangs together (by sides and corners) and measures each piece by the longer side
of its box.
"""

from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

INK = 160  # grey level: what is darker is ink
SHORT = 24  # px of a piece's box, at 512 px of the picture's long side
SPECK = 24  # px of ink: what is smaller is a speck


class Pieces(NamedTuple):
    """The pieces of a line picture."""

    lengths: NDArray[np.int32]  # px: the longer side of each one's box
    areas: NDArray[np.int32]  # px of ink in each

    @property
    def ink(self) -> int:
        """Px of ink."""
        return int(self.areas.sum())


def pieces(line: NDArray[np.uint8]) -> Pieces:
    """What hangs together in a line picture (h, w), black on white."""
    stats = cv2.connectedComponentsWithStats((line < INK).astype(np.uint8), connectivity=8)[2][1:]
    width, height, area = (stats[:, k] for k in (cv2.CC_STAT_WIDTH, cv2.CC_STAT_HEIGHT, cv2.CC_STAT_AREA))
    return Pieces(np.maximum(width, height), area)


def scribble(line: NDArray[np.uint8]) -> float:
    """Short pieces for each 1,000 px of ink; 0 where there is no ink."""
    of = pieces(line)
    return 1000 * float((of.lengths < SHORT).sum()) / of.ink if of.ink else 0.0


def specks(line: NDArray[np.uint8]) -> float:
    """Share of the ink in pieces below 24 px of it."""
    of = pieces(line)
    return float(of.areas[of.areas < SPECK].sum()) / max(1, of.ink)
