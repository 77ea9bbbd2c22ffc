"""The same picture moved: turned, mirrored, cropped."""

import math
from functools import partial

import numpy as np
from PIL import Image, ImageOps

from copies.transform import Transform, differs

Rng = np.random.Generator
TRIES = 24  # places at which a crop is looked for
DRAWN = 12.0  # grey levels: standard deviation of a crop that shows something
PLAINLY = 10.0  # grey levels by which a turned or mirrored picture differs, at least


def crop(share: float, image: Image.Image, rng: Rng) -> Image.Image:
    """The picture without so much of its width and height, from sides that chance chooses."""
    width, height = image.size
    dx, dy = int(width * share), int(height * share)
    x, y = int(rng.integers(0, dx + 1)), int(rng.integers(0, dy + 1))
    return image.crop((x, y, width - (dx - x), height - (dy - y)))


def part(area: float, image: Image.Image, rng: Rng) -> Image.Image | None:
    """So much of the area, never its middle; None: wherever tried, next to nothing is drawn there."""
    across = rng.uniform(max(area, math.sqrt(area) * 0.88), min(1, math.sqrt(area) * 1.13))
    wide, high = round(image.width * across), round(image.height * area / across)
    slack = np.array([image.width - wide, image.height - high])
    for _ in range(TRIES):
        at = rng.uniform(0, 1, 2)
        if (np.abs(at - 0.5) * slack).max() < 0.25 * slack.max():
            continue
        x, y = (at * slack).round().astype(int).tolist()
        shown = image.crop((x, y, x + wide, y + high))
        if np.asarray(shown.convert("L"), np.float32).std() >= DRAWN:
            return shown
    return None


def turned(degrees: float, image: Image.Image, _: Rng) -> Image.Image:
    return image.rotate(degrees, Image.Resampling.BICUBIC, fillcolor=(255, 255, 255))


def inside(degrees: float, image: Image.Image, _: Rng) -> Image.Image:
    """Turned, and cropped so that no corner is empty."""
    turn = image.rotate(degrees, Image.Resampling.BICUBIC)
    slope = math.tan(math.radians(abs(degrees)))
    x, y = math.ceil(image.height / 2 * slope) + 1, math.ceil(image.width / 2 * slope) + 1
    return turn.crop((x, y, image.width - x, image.height - y))


def quarter(how: Image.Transpose, image: Image.Image, _: Rng) -> Image.Image | None:
    """Turned by a right angle or two; None: it looks the same as before."""
    other = image.transpose(how)
    return other if differs(image, other.resize(image.size), PLAINLY) else None


def mirrored(image: Image.Image, _: Rng) -> Image.Image | None:
    """The mirror image; None: it looks the same."""
    other = ImageOps.mirror(image)
    return other if differs(image, other, PLAINLY) else None


cropped = partial(Transform, kind="crop", right=("crop",), drop=True)
rotated = partial(Transform, kind="turn", right=("crop", "reencoded"), drop=True)
mirror = partial(Transform, kind="mirror", right=("flip",), drop=True, keeper="sided", make=mirrored)

TRANSFORMS = [
    cropped(name="crop_2", make=partial(crop, 0.02)),
    cropped(name="crop_5", make=partial(crop, 0.05)),
    cropped(name="crop_10", make=partial(crop, 0.10)),
    cropped(name="part_90", make=partial(part, 0.9), suffix="png", options={}),
    cropped(name="part_75", make=partial(part, 0.75)),
    cropped(name="part_50", make=partial(part, 0.5), suffix="png", options={}),
    cropped(name="part_25", make=partial(part, 0.25)),
    rotated(name="rotate_1", make=partial(turned, 1), right=("crop",)),
    rotated(name="rotate_3", make=partial(turned, 3), right=("crop",)),
    rotated(name="inside_1", make=partial(inside, -1)),
    rotated(name="inside_3", make=partial(inside, -3), suffix="png", options={}),
    rotated(name="quarter_left", make=partial(quarter, Image.Transpose.ROTATE_90), suffix="png", options={}),
    rotated(name="quarter_right", make=partial(quarter, Image.Transpose.ROTATE_270)),
    rotated(name="upside_down", make=partial(quarter, Image.Transpose.ROTATE_180)),
    mirror(name="hflip"),
    mirror(name="mirror_png", suffix="png", options={}),
    mirror(name="mirror_q60", options={"quality": 60}),
]
