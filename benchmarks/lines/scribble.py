"""How much of a scribble a line picture is: the share of its ink that lies in short pieces.

A drawing's ink hangs together in few long pieces; what a style makes of a painted texture or a photo is many
short ones, of all sizes. The measure is the package's own, by which pictures are rejected as `scribble`.
"""

import numpy as np
from numpy.typing import NDArray

from anidata.imaging import components
from anidata.lineart import postprocess

SPECK = 24  # px of ink: what is smaller is a speck


def pieces(line: NDArray[np.uint8]) -> NDArray[np.intp]:
    """Px of ink in each of what hangs together in a line picture (h, w), black on white."""
    return components.sizes(components.of((line < postprocess.INK).astype(np.uint8)))[1:]


def scribble(line: NDArray[np.uint8]) -> float:
    """Share of the ink that lies in short pieces, 0 (no ink, or all in long ones) to 1."""
    return postprocess.scribble(pieces(line), max(line.shape))


def specks(line: NDArray[np.uint8]) -> float:
    """Share of the ink in pieces below 24 px of it."""
    sizes = pieces(line)
    return float(sizes[sizes < SPECK].sum()) / max(1, int(sizes.sum()))
