"""The contact sheet: pictures on cards, in sections below each other. Arrays in, an array out;
the same input gives the same pixels.

Everything is a card: a group of cells that stay together, on a pale ground. A pair is a group
whose pictures touch, a cluster one whose keeper comes first, a loose picture a group of one.
Cells of a section stand on one grid of columns, whatever the cards that hold them.

    margin │ inset  cell  inset │ gap │ inset  cell │ 2·inset + gap │ cell  inset │ margin

Names come from anywhere, so text is reduced to the glyphs of Pillow's own font, and cut in its middle where
it would leave its cell.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate

import numpy as np
import PIL.Image
from PIL import ImageDraw

from anidata.imaging.fit import resize
from anidata.imaging.sheet_layout import (
    AIR,
    FRAMES,
    FULL,
    GAP,
    INSET,
    MIN_WIDTH,
    Box,
    Cell,
    Grid,
    Pixels,
    Row,
    Section,
    Tone,
    boxes,
    grid,
    margin,
    rim,
    rows_of,
)
from anidata.imaging.sheet_text import Color, fitted, font, write_text

Hues = dict[str, tuple[Color, Color]]  # a badge's ground and ink by its caption
RADIUS = 12  # px, of a card
LOWEST = 0.5  # of a cell's width: how low a row of pictures may be
TEXT, SMALL, HEAD, TITLE, FIGURE = 21, 19, 34, 56, 42  # px: sizes of type, readable still at 9/16
LINE, BADGE = 30, 36  # px: a line of text, a line with a badge
BASE = 21  # px from the top of a line to the base of its letters
FIGURES = 6  # columns of the summary

PAPER: Color = (255, 255, 255)
CARD: Color = (246, 247, 249)
RULE: Color = (224, 227, 232)
INK: Color = (28, 32, 38)
GRAY: Color = (86, 93, 104)
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


def draw(
    title: str, summary: Sequence[tuple[str, str]], sections: Sequence[Section], width: int = FULL
) -> Pixels:
    """The sheet, (h, width, 3): a title, figures as (label, value), and the sections.

    Raises: ValueError: narrower than MIN_WIDTH.
    """
    if width < MIN_WIDTH:
        raise ValueError(f"a sheet is at least {MIN_WIDTH} px wide, not {width}")
    strips = [_heading(title, width), *_figures(summary, width)]
    for section in sections:
        strips += _section(section, width)
    return np.concatenate([*strips, _blank(width, margin(width))])


# Strips: each as wide as the sheet, put below each other


def _blank(width: int, height: int) -> Pixels:
    return np.full((height, width, 3), PAPER, np.uint8)


def _heading(title: str, width: int) -> Pixels:
    strip = PIL.Image.fromarray(_blank(width, 2 * TITLE + 60))
    pen, left, room = ImageDraw.Draw(strip), margin(width), width - 2 * margin(width)
    write_text(pen, (left, 2 * TITLE + 14), title, TITLE, INK, room, bold=0.6)
    return np.asarray(strip)


def _figures(summary: Sequence[tuple[str, str]], width: int) -> Iterator[Pixels]:
    """Values above their labels, on the grid of six columns."""
    columns = grid(width, FIGURES)
    for start in range(0, len(summary), columns.columns):
        strip = PIL.Image.fromarray(_blank(width, 100))
        pen = ImageDraw.Draw(strip)
        for column, (label, value) in enumerate(summary[start : start + columns.columns]):
            left, right = columns.card(column)
            write_text(pen, (left, 42), value, FIGURE, INK, right - left, bold=0.4)
            write_text(pen, (left, 74), label, TEXT, GRAY, right - left)
        yield np.asarray(strip)


def _section(section: Section, width: int) -> Iterator[Pixels]:
    columns = grid(width, section.columns, max([1, *map(len, section.groups)]) if section.touching else 1)
    rows = list(rows_of(section.groups, columns.columns))
    shown = rows[: section.max_rows] if section.max_rows else rows
    yield _section_head(section, width)
    hues = _hues(shown)
    for row in shown:
        yield _row(row, columns, section.touching, width, hues)
    more = sum(len(row) for row in rows[len(shown) :])
    if more or not rows:
        yield _line(f"and {more:,} more" if more else "none", width)


def _section_head(section: Section, width: int) -> Pixels:
    strip = PIL.Image.fromarray(_blank(width, 124))
    pen, left, room = ImageDraw.Draw(strip), margin(width), width - 2 * margin(width)
    pen.rectangle((left, 32, width - left - 1, 33), RULE)
    end = left + write_text(pen, (left, 92), section.title, HEAD, INK, room, bold=0.5) + 20
    write_text(pen, (end, 92), section.note, TEXT, GRAY, width - left - end)
    return np.asarray(strip)


def _line(text: str, width: int) -> Pixels:
    strip = PIL.Image.fromarray(_blank(width, 52))
    write_text(ImageDraw.Draw(strip), (margin(width), 24), text, TEXT, GRAY, width - 2 * margin(width))
    return np.asarray(strip)


def _row(row: Row, columns: Grid, touching: bool, width: int, hues: Hues) -> Pixels:
    """Cards as high as the highest picture of the row asks."""
    firsts = list(accumulate(map(len, row), initial=0))  # the column with which each card begins
    laid = [boxes(group, column, columns, touching) for group, column in zip(row, firsts, strict=False)]
    high = max(box.height + 2 * rim(cell) for card in laid for cell, box in card)
    lines = _lines(row, max(round(LOWEST * columns.cell), high))
    strip = PIL.Image.fromarray(_blank(width, lines.height + GAP))
    pen = ImageDraw.Draw(strip)
    for card, column in zip(laid, firsts, strict=False):
        left, right = columns.card(column, len(card))
        pen.rounded_rectangle((left, 0, right - 1, lines.height - 1), RADIUS, CARD)
        for cell, box in card:
            _picture(strip, pen, cell, box, INSET + (lines.pictures - box.height) // 2)
            _words(pen, cell, box, lines, hues)
    return np.asarray(strip)


@dataclass(frozen=True)
class Lines:
    """Lines of a row's cards, px from their top."""

    pictures: int  # height of the band of pictures
    badge: int
    note: int
    height: int  # of the cards


def _lines(row: Row, pictures: int) -> Lines:
    """Room for a badge and for a note where any cell of the row has one."""
    cells = [cell for group in row for cell in group]
    badged, noted = any(c.caption or c.detail for c in cells), any(c.note for c in cells)
    badge = INSET + pictures + AIR
    note = badge + BADGE * badged
    text = AIR * (badged or noted) + BADGE * badged + LINE * noted
    return Lines(pictures, badge, note, pictures + text + 2 * INSET)


# Cells


def _picture(strip: PIL.Image.Image, pen: ImageDraw.ImageDraw, cell: Cell, box: Box, top: int) -> None:
    frame, right, bottom = rim(cell), box.left + box.width - 1, top + box.height - 1
    around = (box.left - frame, top - frame, right + frame, bottom + frame)
    pen.rectangle(around, PAPER, FRAMES.get(cell.tone, RULE), frame)
    if cell.picture is None:
        pen.line((box.left, top, right, bottom), RULE, 2)
        pen.line((box.left, bottom, right, top), RULE, 2)
    else:
        shown = PIL.Image.fromarray(resize(cell.picture, box.width, box.height, "area"))
        strip.paste(shown.convert("RGB"), (box.left, top))


def _words(pen: ImageDraw.ImageDraw, cell: Cell, box: Box, lines: Lines, hues: Hues) -> None:
    """A badge with its detail beside it, and below it the note."""
    left, width, used = box.text, box.text_width, 0
    if cell.caption:
        used = _badge(pen, cell, (left, lines.badge), width, hues)
    if cell.detail and width - used > 50:
        start = left + used + 10 * bool(used)
        write_text(pen, (start, lines.badge + BASE), cell.detail, SMALL, GRAY, width - used - 10)
    write_text(pen, (left, lines.note + BASE), cell.note, SMALL, GRAY, width)


def _badge(pen: ImageDraw.ImageDraw, cell: Cell, at: tuple[int, int], width: int, hues: Hues) -> int:
    """The caption on its ground; the width that it takes, px."""
    x, y = at
    ground, ink = BADGES.get(cell.tone) or hues[cell.caption]
    text = fitted(cell.caption, SMALL, width - 20)
    used = round(font(SMALL).getlength(text)) + 20
    pen.rounded_rectangle((x, y, x + used - 1, y + LINE - 1), 7, ground)
    write_text(pen, (x + 10, y + BASE), text, SMALL, ink, width - 20)
    return used


def _hues(rows: Iterable[Row]) -> Hues:
    """A color for each plain caption, in the order in which they appear."""
    cells = (cell for row in rows for group in row for cell in group)
    captions = dict.fromkeys(cell.caption for cell in cells if cell.tone not in BADGES)
    return {caption: HUES[number % len(HUES)] for number, caption in enumerate(captions)}
