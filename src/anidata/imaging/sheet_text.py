"""Text on sheets: what the drawn font can show, fitted into a width."""

import unicodedata
from functools import cache

from PIL import ImageDraw, ImageFont

Color = tuple[int, int, int]
GLYPHS = frozenset(map(chr, range(32, 127))) | frozenset("·…‘’“”±©")
SPELLED = {"×": "x", "–": "-", "—": "-", "−": "-", "→": ">", "⁄": "/"}
LONGEST = 160  # characters: what is longer loses its middle before it is measured


# Text


def plain(text: str) -> str:
    """A text as far as it can be drawn.

    Accents fall off, anything else the font lacks becomes '?', what steers a terminal or a line '·'.
    """
    if len(text) > LONGEST:
        text = text[: LONGEST // 2] + "…" + text[-LONGEST // 2 :]
    return "".join(map(_drawable, unicodedata.normalize("NFC", text)))


def fitted(text: str, size: int, width: float) -> str:
    """A text that is at most `width` px long, its middle left out for that.

    Nothing where not even the ellipsis fits.
    """
    text, face = plain(text), font(size)
    if face.getlength(text) <= width:
        return text
    for kept in range(len(text) - 1, -1, -1):
        short = text[: (kept + 1) // 2] + "…" + text[len(text) - kept // 2 :]
        if face.getlength(short) <= width:
            return short
    return ""


def _drawable(char: str) -> str:
    if char in GLYPHS:
        return char
    if char.isspace() and unicodedata.category(char) == "Zs":
        return " "
    if unicodedata.category(char) in ("Cc", "Cf", "Zl", "Zp"):
        return "·"
    spelled = (SPELLED.get(letter, letter) for letter in unicodedata.normalize("NFKD", char))
    base = "".join(letter for letter in spelled if letter in GLYPHS)
    if base or unicodedata.combining(char):
        return base
    return "?"


def write_text(
    pen: ImageDraw.ImageDraw,
    at: tuple[int, int],
    text: str,
    size: int,
    color: Color,
    width: int,
    bold: float = 0,
) -> int:
    """Write on a base line; returns the length in px.

    `bold` thickens strokes by that many px on each side.
    """
    short = fitted(text, size, width)
    pen.text(at, short, color, font(size), anchor="ls", stroke_width=bold)
    return round(font(size).getlength(short))


@cache
def font(size: int) -> ImageFont.FreeTypeFont:
    """Pillow's own font at a size in px."""
    face = ImageFont.load_default(size)
    assert isinstance(face, ImageFont.FreeTypeFont)  # it is whenever a size is asked for
    return face
