"""How well lines agree with true ones.

Skeletons are matched one to one, so that a doubled line costs as much as an invented one.
"""

from typing import NamedTuple

import numpy as np
from scipy.spatial import cKDTree
from skimage.morphology import skeletonize

INK = 190  # grey level: what is darker is ink
TOLERANCE = 2.0  # px


class Score(NamedTuple):
    precision: float
    recall: float
    length: float  # of the skeleton drawn, over the true one's

    @property
    def f1(self) -> float:
        return 2 * self.precision * self.recall / max(self.precision + self.recall, 1e-9)


def score(drawn: np.ndarray, true: np.ndarray) -> Score:
    """Lines, (h, w) black on white, against true ones; nearest pairs of skeleton pixels first, none twice."""
    ours, theirs = (np.argwhere(skeletonize(line < INK)) for line in (drawn, true))
    near = cKDTree(ours).sparse_distance_matrix(cKDTree(theirs), TOLERANCE, output_type="ndarray")
    used: tuple[set[int], set[int]] = set(), set()
    for i, j, _ in np.sort(near, order="v", kind="stable").tolist():
        if i not in used[0] and j not in used[1]:
            used[0].add(i)
            used[1].add(j)
    return Score(
        len(used[0]) / max(1, len(ours)), len(used[0]) / max(1, len(theirs)), len(ours) / max(1, len(theirs))
    )
