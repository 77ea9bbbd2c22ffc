"""Words on pictures."""

import re
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont

Rng = np.random.Generator
Box = tuple[float, float, float, float]
WORDS = re.findall(
    r"\w+",
    "when you have gone there is only rain on the roof and nobody came back from the old mill before night "
    "fell we should never have opened that door look what they left behind hush they can hear us every "
    "single step said the captain turn around slowly and do not run",
)
SIGNATURES = (
    "by mirabell_art",
    "@inkfoxdraws",
    "patreon.com/larkspur",
    "(c) Tamsin Hale",
    "artworks.example",
)


def font(size: float) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(max(9, round(size)))


def sentence(rng: Rng, least: int, most: int) -> list[str]:
    """Some words that follow each other."""
    count = int(rng.integers(least, most + 1))
    start = int(rng.integers(0, len(WORDS) - count))
    return WORDS[start : start + count]


def wrapped(words: list[str], how: ImageFont.ImageFont, width: float) -> str:
    """Lines that are no wider than so many px, where their words allow it."""
    lines = [""]
    for word in words:
        longer = f"{lines[-1]} {word}".strip()
        if lines[-1] and how.getlength(longer) > width:
            lines.append(word)
        else:
            lines[-1] = longer
    return "\n".join(lines)


def centered(draw: ImageDraw.ImageDraw, box: Box, text: str, **how: Any) -> None:
    """Write lines into the middle of a box."""
    left, top, right, bottom = box
    draw.multiline_text(
        ((left + right) / 2, (top + bottom) / 2), text, anchor="mm", align="center", spacing=2, **how
    )


def layer(image: Image.Image) -> tuple[Image.Image, ImageDraw.ImageDraw]:
    """A sheet of film as large as a picture."""
    film = Image.new("RGBA", image.size, (255, 255, 255, 0))
    return film, ImageDraw.Draw(film)


def under(film: Image.Image, image: Image.Image) -> Image.Image:
    """The picture seen through a sheet of film."""
    return Image.alpha_composite(image.convert("RGBA"), film).convert("RGB")
