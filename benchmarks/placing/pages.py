"""Pages and double pages made of pictures: an original is one panel of four to six, or one of two pages."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from PIL import Image, ImageDraw, ImageOps

from copies.lettering import centered, font, sentence, wrapped

Rng = np.random.Generator
Pictures = Sequence[Image.Image]
SHARE = 0.215, 0.34  # of the page, without gutters, that is the original's panel
SCALE = 0.7, 1.0  # of the original, in its page
CAPTIONED = 0.35  # of all panels
DARK = 0.2  # of all pages


def page(image: Image.Image, rng: Rng, others: Pictures) -> Image.Image:
    """A page of four to six panels with gutters, outlines and captions; others: at least five pictures."""
    scale = rng.uniform(*SCALE)
    panel = image.resize((round(image.width * scale), round(image.height * scale)), Image.Resampling.LANCZOS)
    wide, high = panel.size
    width = round(wide * rng.uniform(1.35, 1.9))
    gutter = max(4, round(width * rng.uniform(0.01, 0.02)))
    rest = round(wide * high / (rng.uniform(*SHARE) * width)) - high
    beside, below = _counts(rest / high, rng)
    column = _column(others[:beside], (width - wide - gutter, high), gutter, rng)
    rows = [_row([_captioned(panel, rng), column][:: int(rng.choice([1, -1]))], gutter)]
    left = list(others[beside : beside + sum(below)])
    for count in below:
        panels = _fitted(left[:count], (width, rest // len(below)), gutter, rng)
        rows.insert(int(rng.integers(len(rows) + 1)), _row(panels, gutter))
        del left[:count]
    return _framed(rows, gutter, rng)


def _counts(room: float, rng: Rng) -> tuple[int, list[int]]:
    """How many panels stand beside the original, one above the other, and in each further row.

    room: for further rows, in heights of the original.
    """
    total = int(rng.integers(3, 6))
    beside = 1 + int(total > 3 and rng.integers(2))
    rows = 2 if room > 1.3 or total - beside == 4 else 1
    rows = min(rows, total - beside)
    return beside, [len(part) for part in np.array_split(np.arange(total - beside), rows)]


def _column(pictures: Pictures, size: tuple[int, int], gutter: int, rng: Rng) -> Image.Image:
    """Panels one above the other that fill a size together; transparent between them."""
    width, height = size
    out = Image.new("RGBA", size)
    tops = [n * (height + gutter) // len(pictures) for n in range(len(pictures) + 1)]
    for picture, (top, end) in zip(pictures, pairwise(tops), strict=True):
        out.paste(_captioned(ImageOps.fit(picture, (width, end - gutter - top)), rng), (0, top))
    return out


def _fitted(pictures: Pictures, size: tuple[int, int], gutter: int, rng: Rng) -> list[Image.Image]:
    """Panels that fill a row of a size, each as wide as chance says."""
    parts = rng.uniform(0.7, 1.3, len(pictures))
    room = size[0] - gutter * (len(pictures) - 1)
    ends = (np.cumsum(parts) / parts.sum() * room).round().astype(int)
    widths = np.diff(ends, prepend=0).tolist()
    fitted = (ImageOps.fit(one, (wide, size[1])) for one, wide in zip(pictures, widths, strict=True))
    return [_captioned(one, rng) for one in fitted]


def _captioned(panel: Image.Image, rng: Rng) -> Image.Image:
    """The panel outlined, now and then with a box of words in one of the upper corners."""
    panel = panel.copy()
    draw, (width, height) = ImageDraw.Draw(panel), panel.size
    if rng.random() < CAPTIONED:
        left = 0.58 * width * int(rng.integers(2))
        box = (left, 0, left + 0.42 * width, 0.13 * height)
        letters = font(min(box[3] * 0.3, width * 0.04))
        text = wrapped(sentence(rng, 3, 6), letters, 0.38 * width)
        draw.rectangle(box, fill=(255, 250, 225), outline=(0, 0, 0), width=2)
        centered(draw, box, text, fill=(0, 0, 0), font=letters)
    draw.rectangle((0, 0, width - 1, height - 1), outline=(0, 0, 0), width=2)
    return panel


def _row(panels: Pictures, gutter: int) -> Image.Image:
    """Panels of one height side by side; transparent between them."""
    width = sum(panel.width for panel in panels) + gutter * (len(panels) - 1)
    out, x = Image.new("RGBA", (width, panels[0].height)), 0
    for panel in panels:
        out.paste(panel, (x, 0))
        x += panel.width + gutter
    return out


def _framed(rows: Pictures, gutter: int, rng: Rng) -> Image.Image:
    """Rows one below the other, on paper that is white or, now and then, black."""
    width = rows[0].width + 2 * gutter
    height = sum(row.height + gutter for row in rows) + gutter
    out, y = Image.new("RGB", (width, height), "black" if rng.random() < DARK else "white"), gutter
    for row in rows:
        out.paste(row, (gutter, y), row)
        y += row.height + gutter
    return out


def spread(image: Image.Image, rng: Rng, others: Pictures) -> Image.Image:
    """A double page: the picture, and another one of its size beside it, with or without paper between."""
    fold = round(image.width * rng.choice([0, 0.02, 0.05]))
    out = Image.new("RGB", (2 * image.width + fold, image.height), "white")
    x = (0, image.width + fold)
    is_right = int(rng.integers(2))
    out.paste(image, (x[is_right], 0))
    out.paste(ImageOps.fit(others[0], image.size), (x[1 - is_right], 0))
    return out
