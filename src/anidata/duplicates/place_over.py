"""Which of two pictures, laid on each other, has something drawn over it: the rims of what differs tell.

A balloon, a box, a bar or a line of letters has its own edge all around, and beneath it the other picture has
none just there. Where each was drawn otherwise (other clothes on one figure, another map in one window), the
rims of what differs are edges now of the one and now of the other.
"""

from typing import NamedTuple

import cv2
import numpy as np

from anidata.duplicates.alignment import Mask, Plane
from anidata.duplicates.place_fit import Flow

OFF = 16.0  # grey levels, as a mean of 3 × 3 px: what differs
JOINED = 15  # px: letters in a balloon, and what shows through a box, are within one rim
LEAST = 30  # px of rim: less is noise
TWICE, EDGE = 2.0, 4.0  # an edge of one alone: so much stronger, and so many grey levels a px


class Rims(NamedTuple):
    """How many px of the rims of what differs are edges of a alone, and of b alone."""

    of_a: int
    of_b: int

    @property
    def one_sided(self) -> float:
        """The share that is of one picture, .5 to 1; 1 where nothing differs."""
        total = self.of_a + self.of_b
        return max(self.of_a, self.of_b) / total if total > LEAST else 1.0

    @property
    def drawn_over(self) -> str | None:
        """`a` or `b`, whichever has more of the rims; None where nothing differs."""
        if self.of_a + self.of_b <= LEAST:
            return None
        return "a" if self.of_a > self.of_b else "b"


def rims(a: Plane, b: Plane, flows: tuple[Flow, Flow], shown: Mask) -> Rims:
    """Of two pictures, (h, w) luma, on one grid, where both are shown; flows: their gradients."""
    off = cv2.absdiff(cv2.blur(a, (3, 3)), cv2.blur(b, (3, 3)))
    square, wide = np.ones((3, 3), np.uint8), np.ones((JOINED, JOINED), np.uint8)
    differs = ((off > OFF) & (shown > 0)).astype(np.uint8)
    differs = cv2.morphologyEx(cv2.morphologyEx(differs, cv2.MORPH_OPEN, square), cv2.MORPH_CLOSE, wide)
    inner = cv2.erode(differs, square, borderType=cv2.BORDER_CONSTANT, borderValue=1)
    rim = cv2.dilate(differs, square) > inner
    one, other = (cv2.magnitude(*flow) for flow in flows)
    of_a, of_b = ((p > TWICE * q) & (p > EDGE) & rim for p, q in ((one, other), (other, one)))
    return Rims(int(np.count_nonzero(of_a)), int(np.count_nonzero(of_b)))
