"""Share of the ink that fills what isn't black: deeper than 3 px within ink, on lightness or chroma above it.

Black is what has L* of at most 30 and chroma of at most 30 (CIELAB, D65): black hair and dark brown are, navy
(C* 79), dark red (C* 55) and gray of 72 levels and more are not.
"""

import cv2
import numpy as np

INK = 190  # grey level: what is darker is ink
DEPTH = 3.0  # px: strokes of up to 6 px have no such inside
LIGHTEST, CHROMA = 30.0, 30.0  # L* and C* of what still is black


def black(rgb: np.ndarray) -> np.ndarray:
    """Where a picture is black, bool (h, w)."""
    lab = cv2.cvtColor(rgb.astype(np.float32) / 255, cv2.COLOR_RGB2Lab)
    return (lab[..., 0] <= LIGHTEST) & (np.hypot(lab[..., 1], lab[..., 2]) <= CHROMA)


def filled(line: np.ndarray, rgb: np.ndarray) -> float:
    """Share of the ink that lies deep on what isn't black, 0 to 1."""
    ink = (line < INK).astype(np.uint8)
    deep = cv2.distanceTransform(np.pad(ink, 1), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)[1:-1, 1:-1] > DEPTH
    return float((deep & ~black(rgb)).sum() / max(1, int(ink.sum())))
