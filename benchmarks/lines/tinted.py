"""True pairs inked anew in a darker tone of the very fill: lines as soft and colored as anime has them.

    inked = round(fill · (1 − opacity · (1 − tone)))

fill: the color of the nearest pixel without ink; opacity: the true line's, 0 to 1. So a pixel that is all
ink has `tone` of its fill, one without any keeps its color. At .65 crisp; at .80 softened and as JPEG 75.
Where that leaves less than 5 grey levels between ink and fill, there is no line to be seen, and the truth
has none.
"""

import cv2
import numpy as np
from scipy import ndimage

PAPER = 250  # grey level of a true line: what is lighter has no ink
SEEN = 5  # grey levels between ink and fill, from which on a line counts
SOFT, QUALITY = 0.8, 75  # px of sigma; of the JPEG
CRISP_TONE, SOFT_TONE = 0.65, 0.80  # of the fill's own


def fill_under(rgb: np.ndarray, line: np.ndarray) -> np.ndarray:
    """The picture without its ink: each inked pixel has the color of the nearest one without."""
    inked = line < PAPER
    if inked.all():
        return rgb.copy()
    rows, columns = ndimage.distance_transform_edt(inked, return_distances=False, return_indices=True)
    return rgb[rows, columns]


def reink(rgb: np.ndarray, line: np.ndarray, tone: float) -> np.ndarray:
    """The picture inked at `tone` of its fill's own color, uint8 (h, w, 3)."""
    opacity = 1 - line[..., None] / 255.0
    return np.round(fill_under(rgb, line) * (1 - opacity * (1 - tone))).astype(np.uint8)


def truth(rgb: np.ndarray, line: np.ndarray, tone: float) -> np.ndarray:
    """The true line without what the tone leaves unseen, uint8 (h, w)."""
    luma = cv2.cvtColor(fill_under(rgb, line), cv2.COLOR_RGB2GRAY)
    return np.where(luma * (1 - tone) < SEEN, np.uint8(255), line)


def softened(rgb: np.ndarray) -> np.ndarray:
    """The picture softened, and as a JPEG of quality 75."""
    bgr = np.ascontiguousarray(cv2.GaussianBlur(rgb, (0, 0), SOFT)[..., ::-1])
    packed = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])[1]
    return np.ascontiguousarray(cv2.imdecode(packed, cv2.IMREAD_COLOR)[..., ::-1])
