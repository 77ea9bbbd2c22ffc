"""Expressions: eyes and mouth painted over, where a face may be. Each is another drawing, and must stay."""

from collections.abc import Callable
from functools import partial

import cv2
import numpy as np
from PIL import Image, ImageDraw

from copies.encoding import DITHER, palette
from copies.transform import Transform, scaled

Rng = np.random.Generator
SIDE, LEAST = 0.26, 32  # of the short side, and px: how large a face is
ALIKE = 24  # levels within which the colors of a cheek lie
FINE = 4  # times the size at which a face is painted
# left, top, side in px
Spot = tuple[int, int, int]
Draw = ImageDraw.ImageDraw
Ink = tuple[int, int, int]


def spot(image: Image.Image) -> Spot:
    """The square that looks most like a face: one middling color, ink in it, and rather high up."""
    pixels = np.asarray(image)
    side = min(max(LEAST, round(SIDE * min(image.size))), *image.size)
    places = [
        (left, top, side)
        for top in np.linspace(0, (image.height - side) * 0.75, 9).astype(int).tolist()
        for left in np.linspace(0, image.width - side, 11).astype(int).tolist()
    ]
    return max(places, key=lambda one: _likeness(pixels, one))


def _likeness(pixels: np.ndarray, at: Spot) -> float:
    left, top, side = at
    window = pixels[top : top + side, left : left + side].astype(int)
    cheek = np.median(window.reshape(-1, 3), 0)
    even = float((np.abs(window - cheek).max(2) <= ALIKE).mean())
    dark = float((window.mean(2) < cheek.mean() - 60).mean())
    red, green, blue = cheek
    warm = 0.3 if red > green + 8 and green >= blue - 8 and red > 120 else 0.0
    empty = float(((window.min(2) > 240) | (window.max(2) < 30)).mean())
    aside = abs(left / (pixels.shape[1] - side + 1) - 0.5)
    return even + min(dark, 0.12) * 3 + warm - 2 * empty - 0.3 * aside


def expression(paint: Callable[[Draw, Ink], None], image: Image.Image, _: Rng) -> Image.Image:
    """The picture with this face painted over what may be one."""
    left, top, side = spot(image)
    box = (left, top, left + side, top + side)
    patch = image.crop(box)
    cheek = _cheek(patch)
    size = (side * FINE, side * FINE)
    mask = Image.new("L", size, 0)
    ImageDraw.Draw(mask).ellipse((0.03 * size[0], 0.1 * size[1], 0.97 * size[0], 0.97 * size[1]), fill=255)
    face = Image.new("RGB", size, cheek)
    paint(ImageDraw.Draw(face), (34, 22, 26) if sum(cheek) > 240 else (244, 238, 230))
    small = Image.Resampling.BOX
    result = image.copy()
    result.paste(face.resize(patch.size, small), box, mask.resize(patch.size, small))
    return result


def _cheek(patch: Image.Image) -> Ink:
    """The commonest color."""
    few = cv2.medianBlur(np.asarray(patch), 5).reshape(-1, 3) // 16
    colors, counts = np.unique(few, axis=0, return_counts=True)
    chosen = (few == colors[counts.argmax()]).all(1)
    red, green, blue = np.asarray(patch).reshape(-1, 3)[chosen].mean(0).astype(int).tolist()
    return red, green, blue


def _box(draw: Draw, x: float, y: float, wide: float, high: float) -> list[float]:
    """A box by its middle and half sides, in parts of the face."""
    side = draw.im.size[0]
    return [(x - wide) * side, (y - high) * side, (x + wide) * side, (y + high) * side]


def _line(draw: Draw) -> int:
    return round(draw.im.size[0] * 0.035)


def _smile(draw: Draw, ink: Ink) -> None:
    """Closed eyes and a smile."""
    for x in (0.3, 0.7):
        draw.arc(_box(draw, x, 0.46, 0.11, 0.09), 190, 350, fill=ink, width=_line(draw))
    draw.arc(_box(draw, 0.5, 0.66, 0.2, 0.15), 20, 160, fill=ink, width=_line(draw))


def _talk(draw: Draw, ink: Ink) -> None:
    """The same closed eyes, and an open mouth."""
    for x in (0.3, 0.7):
        draw.arc(_box(draw, x, 0.46, 0.11, 0.09), 190, 350, fill=ink, width=_line(draw))
    draw.ellipse(_box(draw, 0.5, 0.76, 0.14, 0.1), fill=(120, 24, 34), outline=ink, width=_line(draw) // 2)


def _surprise(draw: Draw, ink: Ink) -> None:
    """Round eyes and a round mouth."""
    for x in (0.3, 0.7):
        draw.ellipse(_box(draw, x, 0.42, 0.12, 0.14), fill="white", outline=ink, width=_line(draw))
        draw.ellipse(_box(draw, x, 0.42, 0.04, 0.05), fill=ink)
    draw.ellipse(_box(draw, 0.5, 0.78, 0.07, 0.1), fill=ink)


def _anger(draw: Draw, ink: Ink) -> None:
    """Brows that meet, narrow eyes, a mouth drawn down."""
    side = draw.im.size[0]
    for x, inward in ((0.3, 1), (0.7, -1)):
        brow = [(x - 0.13 * inward) * side, 0.3 * side, (x + 0.12 * inward) * side, 0.4 * side]
        draw.line(brow, fill=ink, width=_line(draw) * 2)
        draw.ellipse(_box(draw, x, 0.48, 0.08, 0.05), fill=ink)
    draw.arc(_box(draw, 0.5, 0.82, 0.16, 0.1), 200, 340, fill=ink, width=_line(draw))


def _wink(draw: Draw, ink: Ink) -> None:
    """One eye open, one closed, teeth shown."""
    draw.ellipse(_box(draw, 0.3, 0.43, 0.09, 0.11), fill=ink)
    draw.line(_box(draw, 0.7, 0.45, 0.12, 0.01), fill=ink, width=_line(draw))
    mouth = _box(draw, 0.5, 0.68, 0.18, 0.14)
    draw.chord(mouth, 0, 180, fill="white", outline=ink, width=_line(draw) // 2)


def smaller(image: Image.Image, rng: Rng) -> Image.Image:
    return scaled(expression(_anger, image, rng), 0.7)


def in_few_colors(image: Image.Image, rng: Rng) -> Image.Image:
    return palette(48, DITHER, expression(_wink, image, rng), rng)


another = partial(
    Transform, kind="expression", right=("variant",), drop=False, keeper="either", suffix="png", options={}
)

TRANSFORMS = [
    another(name="expression_smile", make=partial(expression, _smile)),
    another(name="expression_talk", make=partial(expression, _talk)),
    another(
        name="expression_surprise", make=partial(expression, _surprise), suffix="jpg", options={"quality": 90}
    ),
    another(name="expression_anger_0.7", make=smaller, suffix="jpg", options={"quality": 90}),
    another(name="expression_wink_palette", make=in_few_colors),
]
