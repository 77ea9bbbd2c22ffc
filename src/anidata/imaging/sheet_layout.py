"""Where the pictures of a sheet go: rows of one height, columns of one width."""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import KW_ONLY, dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from anidata.imaging.sheet_text import Color

Pixels = NDArray[np.uint8]
Tone = Literal["plain", "keeper", "kept", "dropped"]
Row = list[Sequence["Cell"]]  # the groups beside each other

FULL, MIN_WIDTH = 1600, 320  # px: the width of a sheet that a section's columns are meant for, and the least
MARGIN = 72  # px, left and right of everything, and below
INSET, GAP = 16, 16  # px: within a card, between cards
GUTTER = 2 * INSET + GAP  # px between two cells, in one card or not: so that the columns agree
NARROWEST = 40  # px, of a cell
TALLEST = 1.15  # of a cell's width: how high its picture may be
AIR = 14  # px between a picture and its text
MAX_ENLARGED = 2.0
FRAME = 4  # px: thickness of a colored frame
FRAMES: dict[Tone, Color] = {"keeper": (34, 139, 84), "kept": (74, 123, 190), "dropped": (207, 88, 76)}


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
    _: KW_ONLY
    # The pictures of a group stand side by side without a gap, equally high; columns grow to hold them
    touching: bool = False
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


def margin(width: int) -> int:
    """The white on both sides of a sheet, px."""
    return min(MARGIN, width // 20)


def grid(width: int, columns: int, least: int = 1) -> Grid:
    """The columns of a section.

    A narrow sheet has fewer, but `least` of them, so that captions stay readable.
    """
    content = width - 2 * margin(width)
    fewer = round(columns * min(1.0, content / (FULL - 2 * MARGIN)))
    most = (content + GAP) // (NARROWEST + GUTTER)
    return Grid(margin(width), content, min(most, max(least, fewer)))


# Rows of cards


def rows_of(groups: Iterable[Sequence[Cell]], columns: int) -> Iterator[Row]:
    """Fill rows with whole groups, in order."""
    row: Row = []
    for group in groups:
        for start in range(0, len(group), columns):
            cells = group[start : start + columns]
            if sum(map(len, row)) + len(cells) > columns:
                yield row
                row = []
            row.append(cells)
    if row:
        yield row


def boxes(group: Sequence[Cell], column: int, columns: Grid, touching: bool) -> list[tuple[Cell, Box]]:
    """Each cell of a group with its box; the group's card begins with a column."""
    return list(zip(group, (_joined if touching else _apart)(group, column, columns), strict=True))


def _apart(group: Sequence[Cell], column: int, columns: Grid) -> Iterator[Box]:
    """Each picture centered in its own column."""
    for number, cell in enumerate(group, column):
        width, height = _shape(cell)
        room, left = columns.cell - 2 * rim(cell), columns.card(number)[0] + INSET
        scale = min(room / width, TALLEST * room / height, _most(cell))
        shown = _scaled(width, scale)
        yield Box(left + (columns.cell - shown) // 2, shown, _scaled(height, scale), left, columns.cell)


def _joined(group: Sequence[Cell], column: int, columns: Grid) -> Iterator[Box]:
    """Pictures of one height side by side, a hairline between them, centered in their card.

    Texts stand below, each as wide as the next.
    """
    left, right = columns.card(column, len(group))
    left, right = left + INSET, right - INSET
    shapes, rims = [_shape(cell) for cell in group], [rim(cell) for cell in group]
    room = right - left - rims[0] - sum(rims)
    height = min(_joined_height(group, shapes, room), TALLEST * columns.cell)
    widths = [_scaled(w, height / h) for w, h in shapes]
    start = left + rims[0] + (room - sum(widths)) // 2
    for number, width in enumerate(widths):
        text, end = (left + (right - left) * n // len(group) for n in (number, number + 1))
        yield Box(start, width, _scaled(1, height), text, min(end - text - AIR, columns.cell))
        start += width + rims[number]


def _joined_height(group: Sequence[Cell], shapes: Sequence[tuple[int, int]], room: int) -> float:
    """The height at which pictures fill `room` px side by side, and none is enlarged too much."""
    fill = room / sum(width / height for width, height in shapes)
    return min(fill, *(height * _most(cell) for (_, height), cell in zip(shapes, group, strict=True)))


def _shape(cell: Cell) -> tuple[int, int]:
    """Width and height of a picture."""
    return (1, 1) if cell.picture is None else (cell.picture.shape[1], cell.picture.shape[0])


def _most(cell: Cell) -> float:
    """How much it may be enlarged; what stands for a missing picture without bounds."""
    return math.inf if cell.picture is None else MAX_ENLARGED


def _scaled(side: int, scale: float) -> int:
    # What should fill its box exactly does, whatever the quotient lost
    return max(1, math.floor(side * scale + 1e-6))


def rim(cell: Cell) -> int:
    """How thick a picture's frame is, px."""
    return FRAME if cell.tone in FRAMES else 1
