"""The contact sheet: pictures on cards, in sections below each other. Arrays in, an array out; the same input gives the same pixels.

Everything is a card: a group of cells that stay together, on a pale ground. A pair is a group whose pictures touch, a cluster one whose
keeper comes first, a loose picture a group of one. Cells of a section stand on one grid of columns, whatever the cards that hold them.

    margin │ inset  cell  inset │ gap │ inset  cell │ 2·inset + gap │ cell  inset │ margin

Names come from anywhere, so text is reduced to the glyphs of Pillow's own font, and cut in its middle where it would leave its cell.
"""

import math
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import accumulate
from typing import Literal

import numpy as np
import PIL.Image
from numpy.typing import NDArray
from PIL import ImageDraw, ImageFont

from anidata.canvas import resize

Pixels = NDArray[np.uint8]
Tone = Literal["plain", "keeper", "kept", "dropped"]
Color = tuple[int, int, int]
Hues = dict[str, tuple[Color, Color]]  # a badge's ground and ink by its caption
Row = list[Sequence["Cell"]]  # the groups beside each other

FULL, MIN_WIDTH = 1600, 320  # px: the width of a sheet that a section's columns are meant for, and the least
MARGIN = 72  # px, left and right of everything, and below
INSET, GAP = 16, 16  # px: within a card, between cards
GUTTER = 2 * INSET + GAP  # px between two cells, in one card or not: so that the columns agree
RADIUS = 12  # px, of a card
NARROWEST = 40  # px, of a cell
TALLEST = 1.15  # of a cell's width: how high its picture may be
LOWEST = 0.5  # of a cell's width: how low the place for a row's pictures may be
MAX_ENLARGED = 2.0
TEXT, SMALL, HEAD, TITLE, FIGURE = 21, 19, 34, 56, 42  # px: sizes of type, readable still at 9/16
LINE, BADGE, AIR = 30, 36, 14  # px: a line of text, a line with a badge, between a picture and its text
FRAME = 4  # px: thickness of a colored frame

PAPER: Color = (255, 255, 255)
CARD: Color = (246, 247, 249)
RULE: Color = (224, 227, 232)
INK: Color = (28, 32, 38)
GRAY: Color = (86, 93, 104)
FRAMES: dict[Tone, Color] = {"keeper": (34, 139, 84), "kept": (74, 123, 190), "dropped": (207, 88, 76)}
BADGES: dict[Tone, tuple[Color, Color]] = {  # ground, ink
    "keeper": ((218, 241, 227), (17, 98, 56)),
    "kept": ((223, 234, 248), (35, 79, 140)),
    "dropped": ((251, 226, 222), (154, 47, 36)),
}
HUES: tuple[tuple[Color, Color], ...] = (  # of plain captions, in the order of their first appearance
    ((250, 236, 208), (122, 80, 6)),
    ((233, 228, 248), (84, 60, 150)),
    ((212, 239, 240), (12, 94, 102)),
    ((250, 225, 237), (145, 40, 94)),
    ((228, 238, 210), (74, 98, 20)),
    ((227, 230, 236), (62, 70, 84)),
)
GLYPHS = frozenset(map(chr, range(32, 127))) | frozenset("·…‘’“”±©")
SPELLED = {"×": "x", "–": "-", "—": "-", "−": "-", "→": ">", "⁄": "/"}
LONGEST = 160  # characters: what is longer loses its middle before it is measured


@dataclass(frozen=True)
class Cell:
    """A picture and what is said about it."""

    picture: Pixels | None  # (h, w, 3) RGB or (h, w) gray; None: nothing could be read
    note: str = ""  # a line below it, such as the file's name
    caption: str = ""  # a colored badge, such as a reason or a relation
    detail: str = ""  # beside the badge, such as a distance
    tone: Tone = "plain"  # other tones frame the picture, and color its badge


@dataclass(frozen=True)
class Section:
    """Groups of cells, flowing; a group wider than the sheet goes on in a further card."""

    title: str
    groups: Sequence[Sequence[Cell]]
    note: str = ""  # a sentence beside the title
    touching: bool = False  # the pictures of a group stand side by side without a gap, equally high; columns grow to hold them
    columns: int = 6  # cells across a sheet FULL px wide; fewer are larger
    max_rows: int = 6  # what is beyond is only counted; 0: no limit


@dataclass(frozen=True)
class Grid:
    """Where the columns of a section stand, px."""

    left: int
    width: int  # of all columns together
    columns: int

    @property
    def cell(self) -> int:
        """Width of a cell."""
        return (self.width + GAP) // self.columns - GUTTER

    def card(self, column: int, cells: int = 1) -> tuple[int, int]:
        """Left and right edge of the card around some cells; the last one ends where the grid does."""
        left, end = (self.left + (self.width + GAP) * n // self.columns for n in (column, column + cells))
        return left, end - GAP


@dataclass(frozen=True)
class Box:
    """Where a cell's picture and text stand across the sheet, px."""

    left: int
    width: int
    height: int
    text: int  # left edge
    text_width: int


def draw(title: str, summary: Sequence[tuple[str, str]], sections: Sequence[Section], width: int = FULL) -> Pixels:
    """The sheet, (h, width, 3): a title, figures as (label, value), and the sections.

    Raises: ValueError: narrower than MIN_WIDTH.
    """
    if width < MIN_WIDTH:
        raise ValueError(f"a sheet is at least {MIN_WIDTH} px wide, not {width}")
    strips = [_heading(title, width), *_figures(summary, width)]
    for section in sections:
        strips += _section(section, width)
    return np.concatenate([*strips, _blank(width, margin(width))])


def margin(width: int) -> int:
    """The white on both sides of a sheet, px."""
    return min(MARGIN, width // 20)


def grid(width: int, columns: int, least: int = 1) -> Grid:
    """The columns of a section; a narrow sheet has fewer, but `least` of them, so that captions stay readable."""
    content = width - 2 * margin(width)
    fewer = round(columns * min(1.0, content / (FULL - 2 * MARGIN)))
    most = (content + GAP) // (NARROWEST + GUTTER)
    return Grid(margin(width), content, min(most, max(least, fewer)))


# Strips: each as wide as the sheet, put below each other


def _blank(width: int, height: int) -> Pixels:
    return np.full((height, width, 3), PAPER, np.uint8)


def _heading(title: str, width: int) -> Pixels:
    strip = PIL.Image.fromarray(_blank(width, 2 * TITLE + 60))
    _write(ImageDraw.Draw(strip), (margin(width), 2 * TITLE + 14), title, TITLE, INK, width - 2 * margin(width), bold=0.6)
    return np.asarray(strip)


def _figures(summary: Sequence[tuple[str, str]], width: int) -> Iterator[Pixels]:
    """Values above their labels, on the grid of six columns."""
    places = grid(width, 6)
    for start in range(0, len(summary), places.columns):
        strip = PIL.Image.fromarray(_blank(width, 100))
        pen = ImageDraw.Draw(strip)
        for column, (label, value) in enumerate(summary[start : start + places.columns]):
            left, right = places.card(column)
            _write(pen, (left, 42), value, FIGURE, INK, right - left, bold=0.4)
            _write(pen, (left, 74), label, TEXT, GRAY, right - left)
        yield np.asarray(strip)


def _section(section: Section, width: int) -> Iterator[Pixels]:
    places = grid(width, section.columns, max([1, *map(len, section.groups)]) if section.touching else 1)
    rows = list(_rows(section.groups, places.columns))
    shown = rows[: section.max_rows] if section.max_rows else rows
    hues = _hues(cell.caption for row in shown for group in row for cell in group if cell.tone not in BADGES)
    yield _section_head(section, width)
    for row in shown:
        yield _row(row, places, section.touching, width, hues)
    more = sum(len(row) for row in rows[len(shown) :])
    if more or not rows:
        yield _line(f"and {more:,} more" if more else "none", width)


def _section_head(section: Section, width: int) -> Pixels:
    strip = PIL.Image.fromarray(_blank(width, 124))
    pen, left, room = ImageDraw.Draw(strip), margin(width), width - 2 * margin(width)
    pen.rectangle((left, 32, width - left - 1, 33), RULE)
    end = left + _write(pen, (left, 92), section.title, HEAD, INK, room, bold=0.5) + 20
    _write(pen, (end, 92), section.note, TEXT, GRAY, width - left - end)
    return np.asarray(strip)


def _line(text: str, width: int) -> Pixels:
    strip = PIL.Image.fromarray(_blank(width, 52))
    _write(ImageDraw.Draw(strip), (margin(width), 24), text, TEXT, GRAY, width - 2 * margin(width))
    return np.asarray(strip)


# Rows of cards


def _rows(groups: Iterable[Sequence[Cell]], columns: int) -> Iterator[Row]:
    """Fill rows with whole groups, in order."""
    row: Row = []
    for group in groups:
        for start in range(0, len(group), columns):
            part = group[start : start + columns]
            if sum(map(len, row)) + len(part) > columns:
                yield row
                row = []
            row.append(part)
    if row:
        yield row


def _row(row: Row, places: Grid, touching: bool, width: int, hues: Hues) -> Pixels:
    """Cards as high as the highest picture of the row asks."""
    cells, columns = [cell for group in row for cell in group], list(accumulate(map(len, row), initial=0))
    boxes = [_boxes(group, column, places, touching) for group, column in zip(row, columns, strict=False)]
    room = max(round(LOWEST * places.cell), *(box.height + 2 * _rim(cell) for group in boxes for cell, box in group))
    badged, noted = any(c.caption or c.detail for c in cells), any(c.note for c in cells)
    text = AIR * (badged or noted) + BADGE * badged + LINE * noted
    strip = PIL.Image.fromarray(_blank(width, room + text + 2 * INSET + GAP))
    pen = ImageDraw.Draw(strip)
    for group, column in zip(boxes, columns, strict=False):
        left, right = places.card(column, len(group))
        pen.rounded_rectangle((left, 0, right - 1, strip.height - GAP - 1), RADIUS, CARD)
        for cell, box in group:
            _picture(strip, pen, cell, box, INSET + (room - box.height) // 2)
            _words(pen, cell, (box.text, INSET + room + AIR), box.text_width, BADGE * badged, hues)
    return np.asarray(strip)


def _boxes(group: Sequence[Cell], column: int, places: Grid, touching: bool) -> list[tuple[Cell, Box]]:
    return list(zip(group, (_joined if touching else _apart)(group, column, places), strict=True))


def _apart(group: Sequence[Cell], column: int, places: Grid) -> Iterator[Box]:
    """Each picture centered in its own column."""
    for number, cell in enumerate(group, column):
        (width, height), room, left = _shape(cell), places.cell - 2 * _rim(cell), places.card(number)[0] + INSET
        scale = min(room / width, TALLEST * room / height, _most(cell))
        shown = _scaled(width, scale)
        yield Box(left + (places.cell - shown) // 2, shown, _scaled(height, scale), left, places.cell)


def _joined(group: Sequence[Cell], column: int, places: Grid) -> Iterator[Box]:
    """Pictures of one height side by side, a hairline between them, centered in their card; texts stand below in equal parts."""
    left, right = (edge + inset for edge, inset in zip(places.card(column, len(group)), (INSET, -INSET), strict=True))
    shapes, rims = [_shape(cell) for cell in group], [_rim(cell) for cell in group]
    room = right - left - rims[0] - sum(rims)
    height = min(
        room / sum(w / h for w, h in shapes), TALLEST * places.cell, *(h * _most(c) for (_, h), c in zip(shapes, group, strict=True))
    )
    widths = [_scaled(w, height / h) for w, h in shapes]
    starts = accumulate((w + rim for w, rim in zip(widths, rims, strict=True)), initial=left + rims[0] + (room - sum(widths)) // 2)
    for number, (start, width) in enumerate(zip(starts, widths, strict=False)):
        text, end = (left + (right - left) * n // len(group) for n in (number, number + 1))
        yield Box(start, width, _scaled(1, height), text, min(end - text - AIR, places.cell))


def _shape(cell: Cell) -> tuple[int, int]:
    """Width and height of a picture."""
    return (1, 1) if cell.picture is None else (cell.picture.shape[1], cell.picture.shape[0])


def _most(cell: Cell) -> float:
    return math.inf if cell.picture is None else MAX_ENLARGED


def _scaled(side: int, scale: float) -> int:
    return max(1, math.floor(side * scale + 1e-6))  # what should fill its place exactly does, whatever the quotient lost


def _rim(cell: Cell) -> int:
    """How thick a picture's frame is, px."""
    return FRAME if cell.tone in FRAMES else 1


# Cells


def _picture(strip: PIL.Image.Image, pen: ImageDraw.ImageDraw, cell: Cell, box: Box, top: int) -> None:
    rim, right, bottom = _rim(cell), box.left + box.width - 1, top + box.height - 1
    pen.rectangle((box.left - rim, top - rim, right + rim, bottom + rim), PAPER, FRAMES.get(cell.tone, RULE), rim)
    if cell.picture is None:
        pen.line((box.left, top, right, bottom), RULE, 2)
        pen.line((box.left, bottom, right, top), RULE, 2)
    else:
        shown = PIL.Image.fromarray(resize(cell.picture, box.width, box.height, "area"))
        strip.paste(shown.convert("RGB"), (box.left, top))


def _words(pen: ImageDraw.ImageDraw, cell: Cell, at: tuple[int, int], width: int, above: int, hues: Hues) -> None:
    """A badge with its detail, and `above` px lower the note."""
    (x, y), used = at, 0
    if cell.caption:
        ground, ink = BADGES.get(cell.tone) or hues[cell.caption]
        text = fitted(cell.caption, SMALL, width - 20)
        used = round(_font(SMALL).getlength(text)) + 20
        pen.rounded_rectangle((x, y, x + used - 1, y + LINE - 1), 7, ground)
        _write(pen, (x + 10, y + 21), text, SMALL, ink, width - 20)
    if cell.detail and width - used > 50:
        _write(pen, (x + used + 10 * bool(used), y + 21), cell.detail, SMALL, GRAY, width - used - 10)
    _write(pen, (x, y + above + 21), cell.note, SMALL, GRAY, width)


def _hues(captions: Iterable[str]) -> Hues:
    """A color for each caption, in the order in which they appear."""
    return {caption: HUES[number % len(HUES)] for number, caption in enumerate(dict.fromkeys(captions))}


# Text


def plain(text: str) -> str:
    """What can be drawn of a text: accents fall off, anything else the font lacks becomes '?', what steers a terminal or a line '·'."""
    if len(text) > LONGEST:
        text = text[: LONGEST // 2] + "…" + text[-LONGEST // 2 :]
    return "".join(map(_drawable, unicodedata.normalize("NFC", text)))


def fitted(text: str, size: int, width: float) -> str:
    """A text that is at most `width` px long, its middle left out for that; nothing where not even the ellipsis fits."""
    text, font = plain(text), _font(size)
    if font.getlength(text) <= width:
        return text
    for kept in range(len(text) - 1, -1, -1):
        short = text[: (kept + 1) // 2] + "…" + text[len(text) - kept // 2 :]
        if font.getlength(short) <= width:
            return short
    return ""


def _drawable(char: str) -> str:
    if char in GLYPHS:
        return char
    if char.isspace() and unicodedata.category(char) == "Zs":
        return " "
    if unicodedata.category(char) in ("Cc", "Cf", "Zl", "Zp"):
        return "·"
    parts = (SPELLED.get(part, part) for part in unicodedata.normalize("NFKD", char))
    base = "".join(part for part in parts if part in GLYPHS)
    return base or ("" if unicodedata.combining(char) else "?")


def _write(pen: ImageDraw.ImageDraw, at: tuple[int, int], text: str, size: int, color: Color, width: int, bold: float = 0) -> int:
    """Write on a base line; returns the length in px. `bold` thickens strokes by that many px on each side."""
    short = fitted(text, size, width)
    pen.text(at, short, color, _font(size), anchor="ls", stroke_width=bold)
    return round(_font(size).getlength(short))


@cache
def _font(size: int) -> ImageFont.FreeTypeFont:
    font = ImageFont.load_default(size)
    assert isinstance(font, ImageFont.FreeTypeFont)  # it is whenever a size is asked for
    return font
