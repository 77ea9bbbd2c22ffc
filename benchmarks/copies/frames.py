"""More around a picture: borders, frames, bars, and pages on which it is one panel of several."""

from functools import partial

import numpy as np
from PIL import Image, ImageDraw, ImageOps

from copies.lettering import SIGNATURES, centered, font, sentence, wrapped
from copies.transform import Transform

Rng = np.random.Generator
Color = tuple[int, int, int]


def border(image: Image.Image, _: Rng) -> Image.Image:
    return ImageOps.expand(image, max(4, int(min(image.size) * 0.05)), (255, 255, 255))


def black_border(image: Image.Image, _: Rng) -> Image.Image:
    return ImageOps.expand(image, round(min(image.size) * 0.1), (8, 8, 8))


def letterbox(image: Image.Image, _: Rng) -> Image.Image:
    side = max(image.size)
    size = (side, int(side * 1.15)) if image.width >= image.height else (int(side * 1.15), side)
    out = Image.new("RGB", size)
    out.paste(image, ((out.width - image.width) // 2, (out.height - image.height) // 2))
    return out


def decorated(image: Image.Image, rng: Rng) -> Image.Image:
    """A frame of two bands with a row of diamonds between them, and a square in each corner."""
    wide = max(12, round(min(image.size) * 0.08))
    dark, light = _tint(rng, 30, 110), _tint(rng, 170, 250)
    framed = ImageOps.expand(image, wide, dark)
    draw, (width, height) = ImageDraw.Draw(framed), framed.size
    line = max(1, wide // 8)
    for inset in (line, wide - 2 * line):
        draw.rectangle((inset, inset, width - 1 - inset, height - 1 - inset), outline=light, width=line)
    for x in np.arange(wide * 1.5, width - wide, wide):
        for y in (wide / 2, height - wide / 2):
            _diamond(draw, x, y, wide * 0.26, light)
    for y in np.arange(wide * 1.5, height - wide, wide):
        for x in (wide / 2, width - wide / 2):
            _diamond(draw, x, y, wide * 0.26, light)
    for x in (0, width - wide):
        for y in (0, height - wide):
            draw.rectangle((x, y, x + wide - 1, y + wide - 1), fill=light, outline=dark, width=line)
    return framed


def _diamond(draw: ImageDraw.ImageDraw, x: float, y: float, radius: float, color: Color) -> None:
    draw.polygon([(x - radius, y), (x, y - radius), (x + radius, y), (x, y + radius)], fill=color)


def credit_bar(image: Image.Image, rng: Rng) -> Image.Image:
    """A dark bar below, with who made it and where it was found."""
    high = max(16, round(image.height * 0.07))
    out = Image.new("RGB", (image.width, image.height + high), (26, 28, 34))
    out.paste(image, (0, 0))
    draw, y = ImageDraw.Draw(out), image.height + high / 2
    draw.text(
        (high * 0.3, y),
        str(rng.choice(SIGNATURES)),
        anchor="lm",
        font=font(high * 0.55),
        fill=(235, 235, 235),
    )
    draw.ellipse(
        (out.width - high * 0.9, y - high * 0.3, out.width - high * 0.3, y + high * 0.3), fill=(240, 90, 40)
    )
    return out


def caption(image: Image.Image, rng: Rng) -> Image.Image:
    """Words in black on a white band above, as memes have them."""
    letters = font(image.width * 0.06)
    text = wrapped(sentence(rng, 6, 10), letters, image.width * 0.9)
    high = round((text.count("\n") + 1) * image.width * 0.075 + image.width * 0.05)
    out = Image.new("RGB", (image.width, image.height + high), (255, 255, 255))
    out.paste(image, (0, high))
    centered(ImageDraw.Draw(out), (0, 0, image.width, high), text, font=letters, fill=(0, 0, 0))
    return out


# --- pages --------------------------------------------------------------------------------------------------


def panel(image: Image.Image, rng: Rng) -> Image.Image:
    """A page of four panels of which the picture is one; the others are drawn by code."""
    width, height = image.size
    gutter, share = max(6, min(image.size) // 24), rng.uniform(0.45, 0.8)
    other, low = round(width * share), round(height * rng.uniform(0.5, 0.9))
    page = Image.new("RGB", (width + other + 3 * gutter, height + low + 3 * gutter), (255, 255, 255))
    is_right, is_low = bool(rng.integers(2)), bool(rng.integers(2))
    columns, rows = [width, other][:: -1 if is_right else 1], [height, low][:: -1 if is_low else 1]
    draw, y = ImageDraw.Draw(page), gutter
    for high in rows:
        x = gutter
        for wide in columns:
            cell = image if (wide, high) == (width, height) else scene((wide, high), rng)
            page.paste(cell, (x, y))
            draw.rectangle((x - 2, y - 2, x + wide + 1, y + high + 1), outline=(0, 0, 0), width=2)
            x += wide + gutter
        y += high + gutter
    return page


def spread(image: Image.Image, rng: Rng) -> Image.Image:
    """Two pages side by side; the other one is drawn by code."""
    out = Image.new("RGB", (image.width * 2, image.height))
    is_right = int(rng.integers(2))
    out.paste(image, (is_right * image.width, 0))
    out.paste(scene(image.size, rng), ((1 - is_right) * image.width, 0))
    return out


def scene(size: tuple[int, int], rng: Rng) -> Image.Image:
    """A made-up drawing: sky, hills, things with outlines, hatching."""
    out = Image.new("RGB", size, _tint(rng, 120, 255))
    draw, (width, height) = ImageDraw.Draw(out), size
    for low in np.sort(rng.uniform(0.25, 0.95, int(rng.integers(1, 4)))):
        steps = rng.uniform(-0.14, 0.14, 6) + low
        hill = [(n * width / 5, height * step) for n, step in enumerate(steps)]
        draw.polygon([(0, height), *hill, (width, height)], fill=_tint(rng, 30, 220), outline=(20, 20, 20))
    for _ in range(int(rng.integers(4, 10))):
        x, y = rng.uniform(0, width), rng.uniform(0, height)
        wide, high = rng.uniform(0.06, 0.35, 2) * min(size)
        shape = [draw.ellipse, draw.rectangle][int(rng.integers(2))]
        shape(
            (x - wide, y - high, x + wide, y + high), fill=_tint(rng, 0, 255), outline=(20, 20, 20), width=2
        )
    x, y, step = rng.uniform(0, width), rng.uniform(0, height), min(size) / 40
    for n in range(int(rng.integers(8, 30))):
        draw.line((x + n * step, y, x + (n + 6) * step, y + 8 * step), fill=(20, 20, 20))
    return out


def _tint(rng: Rng, low: int, high: int) -> Color:
    red, green, blue = rng.integers(low, high, 3).tolist()
    return red, green, blue


framed = partial(Transform, kind="frame", right=("crop", "reencoded"), drop=True)
page = partial(Transform, kind="page", right=("crop",), drop=None, keeper="either")

TRANSFORMS = [
    framed(name="border_5", make=border, right=("reencoded",)),
    framed(name="border_black", make=black_border),
    framed(name="letterbox", make=letterbox, right=("crop",)),
    framed(name="frame_decorated", make=decorated, suffix="png", options={}),
    framed(name="credit_bar", make=credit_bar, suffix="png", options={}),
    framed(name="caption", make=caption),
    page(name="panel", make=panel),
    page(name="spread", make=spread, suffix="png", options={}),
]
