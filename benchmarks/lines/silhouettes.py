"""Share of a sprite's silhouette that its lineart draws, on grounds of every kind.

Where a figure ends, an artist's lineart has a contour, and the alpha channel says where that is. Each sprite
(8 to 90 % opaque, 150 px and more) stands at 512 px on white, mid-gray, a flat color and a painted ground,
and once more on white softened by 1.5 px. The figure: what share of the alpha's inner rim has ink within
3 px, without the frame's edge and where the figure itself is nearly of the ground's color. On white that is
the rule of the collection's silhouettes.py. A style that fills everything scores 1: see the share of ink.
"""

from functools import cache
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

LONG = 512  # px of the long side
OPAQUE = 128  # of 255: what is more opaque is the figure's
INK = 160  # grey level: what is darker is drawn
NEAR = 7  # px of the window in which ink counts: 3 on either side
LIKE = 20  # grey levels: a figure as near to its ground has no contour to be seen
FRAME = 2  # px beside the frame, which need no contour
LEAST, MOST, SIDE, RIM = 0.08, 0.9, 150, 200  # share opaque; px of the short side; px of a rim worth asking
GRAY, FLAT, SOFT = 128, (120, 170, 205), 1.5  # the other grounds; px of sigma
GROUNDS = ("white", "gray", "flat", "painted", "soft")


def fitted(path: Path) -> np.ndarray | None:
    """A sprite of 512 px at most, uint8 (h, w, 4); None where it has no silhouette to speak of."""
    with Image.open(path) as picture:
        if picture.mode != "RGBA":
            return None
        scale = min(1.0, LONG / max(picture.size))
        size = (max(1, round(picture.width * scale)), max(1, round(picture.height * scale)))
        small = picture if scale == 1 else picture.resize(size, Image.Resampling.BOX)
        rgba = np.asarray(small)
    if not LEAST < (rgba[..., 3] > OPAQUE).mean() < MOST or min(rgba.shape[:2]) < SIDE:
        return None
    rgb = on(rgba, "white")
    return rgba if rim(rgba, rgb, "white").sum() >= RIM else None


def on(rgba: np.ndarray, ground: str) -> np.ndarray:
    """The sprite on a ground, uint8 (h, w, 3)."""
    page = Image.fromarray(np.dstack([plain(ground, rgba.shape[:2]), np.full(rgba.shape[:2], 255, np.uint8)]))
    page.alpha_composite(Image.fromarray(rgba))
    rgb = np.asarray(page.convert("RGB"))
    return softened(rgb) if ground == "soft" else rgb


def softened(rgb: np.ndarray) -> np.ndarray:
    """A picture softened by 1.5 px."""
    return cv2.GaussianBlur(rgb, (0, 0), SOFT)


def plain(ground: str, shape: tuple[int, ...]) -> np.ndarray:
    """The ground alone, uint8 (h, w, 3)."""
    if ground == "painted":
        return painted()[: shape[0], : shape[1]]
    color = {"gray": (GRAY,) * 3, "flat": FLAT}.get(ground, (255, 255, 255))
    return np.broadcast_to(np.array(color, np.uint8), (*shape[:2], 3))


@cache
def painted(seed: int = 20) -> np.ndarray:
    """A ground as painted backdrops are: broad soft blots of color with dabs upon them, always the same."""
    rng = np.random.default_rng(seed)
    page = np.zeros((LONG, LONG, 3), np.float32)
    for cells, weight in ((3, 70.0), (8, 30.0), (24, 12.0)):
        noise = rng.normal(0, 1, (cells, cells, 3)).astype(np.float32)
        page += weight * 0.6 * cv2.resize(noise, (LONG, LONG), interpolation=cv2.INTER_CUBIC)
    page += np.array([150, 160, 140], np.float32)
    for _ in range(220):
        center, axes = rng.integers(0, LONG, 2).tolist(), rng.integers(6, 34, 2).tolist()
        tone = (page[center[1], center[0]] + rng.normal(0, 14, 3)).tolist()
        cv2.ellipse(page, center, axes, int(rng.integers(180)), 0, 360, tone, -1)
    return np.clip(cv2.GaussianBlur(page, (0, 0), 1.2), 0, 255).astype(np.uint8)


def rim(rgba: np.ndarray, rgb: np.ndarray, ground: str) -> np.ndarray:
    """Where a contour should be, bool (h, w).

    The inner rim of the opaque part, away from the frame and unlike the ground.
    rgb: the sprite on that ground (on white where that was softened).
    """
    mask = (rgba[..., 3] > OPAQUE).astype(np.uint8)
    edge = mask - cv2.erode(mask, np.ones((3, 3), np.uint8))
    edge[:FRAME] = edge[-FRAME:] = 0
    edge[:, :FRAME] = edge[:, -FRAME:] = 0
    return (edge > 0) & ~_like(rgb, ground)


def _like(rgb: np.ndarray, ground: str) -> np.ndarray:
    """Where all of 5 × 5 px is nearly of the ground's color."""
    window = np.ones((5, 5), np.uint8)
    if ground in {"white", "soft"}:
        return cv2.erode(cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY), window) > 255 - LIKE
    red, green, blue = cv2.split(cv2.absdiff(rgb, np.ascontiguousarray(plain(ground, rgb.shape))))
    return cv2.dilate(cv2.max(cv2.max(red, green), blue), window) < LIKE


def share(line: np.ndarray, edge: np.ndarray) -> float:
    """Of a rim, the share that has ink within 3 px."""
    ink = (line < INK).astype(np.uint8)
    return float(cv2.dilate(ink, np.ones((NEAR, NEAR), np.uint8))[edge].mean()) if edge.any() else 1.0
