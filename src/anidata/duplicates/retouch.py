"""Whether of two pictures of one size, alike at a glance, one was drawn on: the same file in all but a spot.

What was encoded again differs a little wherever anything is drawn. Where most of that is equal to the last
bit and yet one spot is plainly lighter, darker or of another color, someone moved a lip or drew a border: in
a thumbnail such a line is lost. Only full resolution tells, and only of pairs that were never encoded with
loss in between.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

from anidata.duplicates.alignment import LIGHTNESS, Pixels, lab_of

DRAWN = 12  # grey levels between neighbors: less is a plain ground, which stays equal in many a copy
LEAST = 50  # px of what is drawn
# Of a thumbnail's drawn pixels equal: retouched pairs .75 and more; of 367 labelled copies 7 reach it.
GLANCE = 0.4
SAME = 0.6  # of all drawn pixels equal: retouched pairs .77 and more, copies in fewer colors up to .59
SPOT = (
    9.0  # L* of 100, mean of 3 × 3 px: copies that pass SAME up to 7.4, retouched pairs mostly 10.8 and more
)
# L*a*b* units, likewise: copies up to 12, what is only colored otherwise (a car's tail lights) 18 and more.
STAIN = 14.0


def may_be(a: Pixels, b: Pixels) -> bool:
    """Whether two thumbnails, (h, w, 3), are so equal that full resolution is worth a look."""
    return a.shape == b.shape and _equal(a, b) >= GLANCE


def is_retouched(a: Pixels, b: Pixels) -> bool:
    """Whether one of two pictures was drawn on; both at full resolution, (h, w, 3)."""
    if a.shape != b.shape or _equal(a, b) < SAME:
        return False
    means = cv2.blur(cv2.subtract(lab_of(a), lab_of(b), dtype=cv2.CV_32F), (3, 3))
    means[..., 0] *= LIGHTNESS
    return float(np.abs(means[..., 0]).max()) > SPOT or float(np.linalg.norm(means, axis=2).max()) > STAIN


def _equal(a: Pixels, b: Pixels) -> float:
    """Share of what is drawn in either that is equal in both; 0 where next to nothing is drawn."""
    drawn = _drawn(a) | _drawn(b)
    total = int(np.count_nonzero(drawn))
    return float(np.count_nonzero(drawn & (a == b).all(axis=2))) / total if total >= LEAST else 0.0


def _drawn(rgb: Pixels) -> NDArray[np.bool_]:
    gray, square = cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY), np.ones((3, 3), np.uint8)
    return np.asarray(cv2.morphologyEx(gray, cv2.MORPH_GRADIENT, square) > DRAWN)
