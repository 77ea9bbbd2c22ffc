"""Pictures drawn by code, and the bundled art."""

from pathlib import Path

import cv2
import numpy as np
import PIL.Image

import anidata

ART = Path(anidata.__file__).parent / "art"


def drawing(seed: int, width: int = 320, height: int = 360) -> np.ndarray:
    """A picture unlike any other seed's: blobs of color with black outlines.

    uint8 (height, width, 3), RGB.
    """
    rng = np.random.default_rng(seed)
    page = np.full((height, width, 3), rng.integers(150, 256, 3), np.uint8)
    for _ in range(14):
        center = (int(rng.integers(0, width)), int(rng.integers(0, height)))
        axes = (int(rng.integers(width // 16, width // 3)), int(rng.integers(height // 16, height // 3)))
        turn = int(rng.integers(0, 180))
        cv2.ellipse(
            page, center, axes, turn, 0, 360, [int(c) for c in rng.integers(40, 256, 3)], -1, cv2.LINE_AA
        )
        cv2.ellipse(page, center, axes, turn, 0, 360, (0, 0, 0), 3, cv2.LINE_AA)
    return page


def save(path: Path, rgb: np.ndarray, quality: int = 95) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    PIL.Image.fromarray(rgb).save(path, quality=quality)
    return path


def make_pile(folder: Path) -> Path:
    """Ten distinct drawings, a small copy of one, a broken and a tiny file."""
    for n in range(10):
        save(folder / f"{n:02d}.png", drawing(n))
    small = cv2.resize(drawing(3), None, fx=0.9, fy=0.9, interpolation=cv2.INTER_AREA)
    save(folder / "copy of 03.jpg", small)
    save(folder / "tiny.png", drawing(99, 40, 40))
    (folder / "broken.png").write_bytes((folder / "00.png").read_bytes()[:2000])
    return folder
