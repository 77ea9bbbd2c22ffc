"""The same drawing in other light and other colors."""

from functools import partial

import cv2
import numpy as np
from PIL import Image, ImageEnhance

from copies.transform import Make, Transform

Rng = np.random.Generator
CHANGED = 7.0  # a*b* units by which a color is plainly another
SHARE = 0.1  # of what is drawn that has to change so, else the picture has hardly a color to lose
SEPIA = np.array([[0.393, 0.769, 0.189], [0.349, 0.686, 0.168], [0.272, 0.534, 0.131]])
NIGHT = np.array([0.34, 0.42, 0.72])  # of red, green, blue that is left


def hue(by: int, image: Image.Image, _: Rng) -> Image.Image:
    turned = np.asarray(image.convert("HSV")).copy()
    turned[..., 0] = (turned[..., 0].astype(int) + by) % 256
    return Image.fromarray(turned, "HSV").convert("RGB")


def saturation(factor: float, image: Image.Image, _: Rng) -> Image.Image:
    return ImageEnhance.Color(image).enhance(factor)


def brightness(factor: float, image: Image.Image, _: Rng) -> Image.Image:
    return ImageEnhance.Brightness(image).enhance(factor)


def contrast(factor: float, image: Image.Image, _: Rng) -> Image.Image:
    return ImageEnhance.Contrast(image).enhance(factor)


def gray(image: Image.Image, _: Rng) -> Image.Image:
    return image.convert("L")


def sepia(image: Image.Image, _: Rng) -> Image.Image:
    return _of(np.asarray(image, np.float32) @ SEPIA.T)


def night(image: Image.Image, _: Rng) -> Image.Image:
    """A scene by moonlight: less light, and that is blue."""
    pixels = np.asarray(image, np.float32)
    lightness = pixels.mean(2, keepdims=True)
    return _of((0.45 * pixels + 0.55 * lightness) * NIGHT)


def plainly(make: Make, image: Image.Image, rng: Rng) -> Image.Image | None:
    """What `make` makes of a picture, where that gets plainly other colors."""
    other = make(image, rng)
    a, b = (_lab(one.convert("RGB")) for one in (image, other))
    drawn = np.abs(a - a[0, 0]).max(2) > 6
    changed = np.linalg.norm(a[..., 1:] - b[..., 1:], axis=2) >= CHANGED
    return other if drawn.any() and changed[drawn].mean() >= SHARE else None


def _lab(image: Image.Image) -> np.ndarray:
    return cv2.cvtColor(np.asarray(image, np.float32) / 255, cv2.COLOR_RGB2Lab)


def _of(pixels: np.ndarray) -> Image.Image:
    return Image.fromarray(np.clip(pixels, 0, 255).round().astype(np.uint8))


lit = partial(Transform, kind="light", right=("reencoded",), drop=True)
recolored = partial(Transform, kind="color", right=("recolor",), drop=False, keeper="either")

TRANSFORMS = [
    lit(name="bright_1.2", make=partial(brightness, 1.2)),
    lit(name="contrast_0.8", make=partial(contrast, 0.8)),
    recolored(name="saturation_1.35", make=partial(plainly, partial(saturation, 1.35))),
    recolored(name="saturation_0.65", make=partial(plainly, partial(saturation, 0.65))),
    recolored(name="hue_20", make=partial(plainly, partial(hue, 20))),
    recolored(name="grayscale", make=partial(plainly, gray)),
    recolored(name="sepia", make=partial(plainly, sepia)),
    recolored(name="night", make=partial(plainly, night), right=("recolor", "variant")),
]
