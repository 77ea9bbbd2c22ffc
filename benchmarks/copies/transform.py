"""One way in which people copy a picture, and what is right of the two."""

import hashlib
import io
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from PIL import Image

# Picture (RGB), a generator of its own → the copy; None: to this picture it does nothing worth the name.
Make = Callable[[Image.Image, np.random.Generator], Image.Image | None]
# Of a pair, the copy that should stay. `sided`: one is the other's mirror image: either one in a pair where
# nothing tells, the original where other copies show its side.
Keeper = Literal["original", "either", "sided"]
JPEG: Mapping[str, Any] = {"quality": 92}


@dataclass(frozen=True, kw_only=True)
class Transform:
    """A transform, and what it states of itself."""

    name: str
    make: Make
    right: tuple[str, ...]  # the relations that are right
    drop: bool | None  # whether the copy should be dropped; None: either will do
    keeper: Keeper = "original"
    kind: str = ""  # encoding, size, palette: a true re-encoding; expression: another drawing; …
    suffix: str = "jpg"
    options: Mapping[str, Any] = field(default_factory=lambda: JPEG)


def generator(*words: str) -> np.random.Generator:
    """Chance that is the same for the same words."""
    return np.random.default_rng(list(hashlib.sha256(" ".join(words).encode()).digest()[:16]))


def saved(image: Image.Image, kind: str, **options: Any) -> Image.Image:
    """The picture as it comes out of a file of a kind."""
    file = io.BytesIO()
    image.save(file, kind, **options)
    return Image.open(file).convert("RGB")


def shrunk(image: Image.Image, longest: int) -> Image.Image:
    """The picture with a longest side of at most so many px."""
    scale = longest / max(image.size)
    return image if scale >= 1 else scaled(image, scale)


def scaled(image: Image.Image, scale: float, how: int = Image.Resampling.LANCZOS) -> Image.Image:
    """The picture at a scale, at least 8 px a side."""
    return image.resize((max(8, round(image.width * scale)), max(8, round(image.height * scale))), how)


def on_white(image: Image.Image) -> Image.Image:
    """The picture in RGB, what is transparent on white paper."""
    rgba = image.convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", rgba.size, (255,) * 4), rgba).convert("RGB")


def differs(a: Image.Image, b: Image.Image, least: float) -> bool:
    """Whether two pictures of one size differ, on average by so many levels where anything is drawn."""
    left, right = (np.asarray(image.convert("RGB"), np.float32) for image in (a, b))
    drawn = (np.abs(left - _ground(left)).max(2) > 12) | (np.abs(right - _ground(left)).max(2) > 12)
    return bool(drawn.any()) and float(np.abs(left - right).mean(2)[drawn].mean()) >= least


def _ground(pixels: np.ndarray) -> np.ndarray:
    """The commonest color of the rim."""
    rim = np.concatenate([pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]]).astype(np.uint8)
    colors, counts = np.unique(rim, axis=0, return_counts=True)
    return np.asarray(colors[counts.argmax()], np.float32)
