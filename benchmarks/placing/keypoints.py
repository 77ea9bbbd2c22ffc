"""Our own stand-in for what a user would write with OpenCV: ORB's points, brute force, RANSAC.

`keypoints (ORB + RANSAC, ours)` in tables: no tool that can be installed. A pair costs some 10 ms, so
each picture is held against the next few by name alone, its original or copy among them.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np

LONG = 384  # px of the long side that pictures are brought to
POINTS, RATIO, INLIERS = 500, 0.8, 12  # a picture's; Lowe's ratio; matches that one similarity explains
NEXT = 6  # pictures before each that it is held against
SPREAD = 0.02  # of the picture's area that inliers span, at least


class Points(NamedTuple):
    """A picture's points."""

    at: np.ndarray  # float32 (n, 2), px
    codes: np.ndarray  # uint8 (n, 32)
    area: float  # px² of the picture


def pairs(paths: Sequence[Path]) -> Iterator[tuple[str, str]]:
    """The names of the files of which two show a part in common, among NEXT by name."""
    every = [points(path) for path in paths]
    matcher = cv2.BFMatcher(cv2.NORM_HAMMING)
    for i, one in enumerate(every):
        for j in range(max(0, i - NEXT), i):
            if matches(one, every[j], matcher):
                yield paths[j].name, paths[i].name


def points(path: Path) -> Points:
    """ORB's points of a picture on white."""
    image = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
    scale = min(1, LONG / max(image.shape))
    image = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    at, codes = cv2.ORB_create(POINTS, fastThreshold=10).detectAndCompute(image, None)
    none = np.zeros((0, 32), np.uint8)
    return Points(np.array([p.pt for p in at], np.float32), none if codes is None else codes, image.size)


def matches(a: Points, b: Points, matcher: cv2.BFMatcher) -> bool:
    """Whether enough points of two pictures match by one turn, scale and shift."""
    if min(len(a.at), len(b.at)) < INLIERS:
        return False
    near = [two for two in matcher.knnMatch(a.codes, b.codes, k=2) if len(two) == 2]
    good = [m for m, n in near if m.distance < RATIO * n.distance]
    if len(good) < INLIERS:
        return False
    left, right = a.at[[m.queryIdx for m in good]], b.at[[m.trainIdx for m in good]]
    cv2.setRNGSeed(0)
    _, inliers = cv2.estimateAffinePartial2D(left, right, ransacReprojThreshold=3)
    if inliers is None or inliers.sum() < INLIERS:
        return False
    spans = (
        np.ptp(side[inliers.ravel() > 0], axis=0).prod() / one.area for side, one in ((left, a), (right, b))
    )
    return min(spans) >= SPREAD
