"""Pictures for the tests of measures, and where the shared ones lie."""

import cv2
import numpy as np

from anidata.imaging.image import Image
from shared import SHARED


def image(rgb, **facts):
    return Image(
        rgb=np.ascontiguousarray(rgb), **({"format": "png", "frames": 1, "transparency": 0.0} | facts)
    )


def read(path):
    return cv2.imread(str(path))[..., ::-1]


def gray(luma):
    return np.dstack([np.clip(np.round(luma), 0, 255).astype(np.uint8)] * 3)


def painted(seed=0, height=300, width=340):
    """Soft colors, strokes with smooth borders and a little grain, as a painting has."""
    rng = np.random.default_rng(seed)
    rgb = cv2.resize(
        rng.integers(60, 220, (6, 6, 3), dtype=np.uint8), (width, height), interpolation=cv2.INTER_CUBIC
    )
    for _ in range(40):
        a, b = ((int(rng.integers(width)), int(rng.integers(height))) for _ in range(2))
        cv2.line(rgb, a, b, [int(c) for c in rng.integers(0, 256, 3)], int(rng.integers(1, 9)), cv2.LINE_AA)
    return np.clip(rgb + rng.normal(0, 1.5, rgb.shape), 0, 255).astype(np.uint8)


def auc(positive, negative):
    """The chance that one of the first is more than one of the second; equals count half."""
    a, b = np.array(positive)[:, None], np.array(negative)[None]
    return float(((a > b) + 0.5 * (a == b)).mean())


def originals(step=1):
    return [read(path) for path in sorted((SHARED / "data/dups/originals").glob("*.png"))[::step]]
