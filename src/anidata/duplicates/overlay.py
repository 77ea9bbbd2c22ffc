"""Which of two pictures, equal but for a part, was written or drawn over: it has foreign edges there.

Where nothing was saved with loss in between, most pixels are equal to the last bit, and what isn't was put
there. On plain ground someone may as well have taken a mark away, but mostly marks are added.
"""

import cv2
import numpy as np

from anidata.duplicates.alignment import Pixels

DRAWN = 12  # grey levels between neighbors
EQUAL = 0.6  # of what is drawn in either, that is equal
LEAST = 12  # px that differ
MORE = 2.0  # times as strong edges within what differs


def marked(a: Pixels, b: Pixels) -> str | None:
    """`a` or `b`, whichever was drawn over; both lie pixel on pixel. None where neither plainly was."""
    off = cv2.absdiff(a, b)
    other = cv2.bitwise_not(cv2.inRange(off, (0, 0, 0), (0, 0, 0)))
    if not LEAST <= cv2.countNonZero(other) < (1 - EQUAL) * other.size:
        return None
    square = np.ones((3, 3), np.uint8)
    edges = [
        cv2.morphologyEx(cv2.cvtColor(p, cv2.COLOR_RGB2GRAY), cv2.MORPH_GRADIENT, square) for p in (a, b)
    ]
    drawn = cv2.compare(cv2.max(*edges), DRAWN, cv2.CMP_GT)
    total = cv2.countNonZero(drawn)
    if cv2.countNonZero(cv2.bitwise_and(drawn, other)) > (1 - EQUAL) * total:
        return None
    one, two = (cv2.mean(edge, other)[0] for edge in edges)
    if max(one, two) < DRAWN or max(one, two) < MORE * min(one, two):
        return None
    return "a" if one > two else "b"
