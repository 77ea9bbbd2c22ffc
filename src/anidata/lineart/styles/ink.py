"""Ink: the lines that an artist drew, thin and thick, black and colored, and no others; \
the edges of a painting that has none.

    r = (C(v) − v) / min(C(v) + 40, 255)
    v: luma, and the largest channel; C: closing by an octagon 7 px wide
    line = 0 where r ≥ contrast and r ≥ half the peak beside it, in strokes over which r sums to `mass`,
           and where a crisply bordered area is black or has the color of the ink; else 255

Only what is darker than both its sides is a ridge, so borders of fills, shadows and gradients give no line.
The color of the ink is the commonest at the bottom of strong ridges, where it is common and dark enough;
in it, thick strokes and areas are found that are no ridges.
Areas are solid where they are black (a largest channel below `black`, or an ink of L* and chroma up to 30);
of an ink that is lighter or more colorful only strokes are.
The less of the edges lines explain, the more the picture is a painting, by degrees: the strongest ridges,
the dark side of edges and the longest edges are drawn, once each.
Of a figure before a flat ground the contour is closed, where the artist drew none or a soft one.
Widths suit 512 px.
Source: Meyer 1979 for the black top-hat C(v) − v, Canny 1986 for the edges, Winnemöller 2012 for their dark
side; the ink's color, the degrees and the ground are our own.
"""

from dataclasses import dataclass
from typing import Literal, NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from anidata.lineart.styles import _areas, _edges, _ground, _strokes

VERSION = 2
LEAST = 16  # px of a side
BOLD = 0.9  # share of the rims that wide strokes have: such artists leave gaps on purpose
NOT_PAINTED = _edges.Painted(0, 0, 1)
# Single noisy pixels sink, hairlines stay; exact in float32
SMOOTH = np.array([0.125, 0.75, 0.125], np.float32)


@dataclass(frozen=True, kw_only=True)
class Config:
    """The artist's own lines, or the edges of a painting."""

    contrast: float = 0.08  # of the tone beside it, that a line is darker by; 1: only areas are drawn
    mass: float = 4.0  # px of full contrast that a stroke sums up to; faint ones must be longer; 0: any
    black: int = 45  # grey level below which an area is black; 0: none is
    tolerance: int = 24  # grey levels from the ink's color that are still ink; 0: its color is not looked for
    blacks: Literal["solid", "outline"] = "solid"  # what is drawn of areas of ink wider than about 18 px
    specks: int = 8  # px: smaller components are wiped; 0: none is
    contours: bool = True  # whether the contours of figures before a flat ground are closed
    explained: float = 0.5  # share of edges that lines must explain, or it is a painting; 0: it never is


class Drawn(NamedTuple):
    """The lines of a picture before contours are closed, and what is known of them."""

    ink: _strokes.Mask
    black: _strokes.Mask  # where the picture is black for certain, or has the color of a black ink
    bold: float  # share of the rims that wide strokes have
    painted: _edges.Painted


def draw(rgb: npt.NDArray[np.uint8], config: Config) -> npt.NDArray[np.uint8]:
    """(h, w, 3) → (h, w): black ink (0) on white (255)."""
    height, width = rgb.shape[:2]
    smooth = smoothed(rgb)
    ink = completed(smooth, lines(smooth, config), config.contours)
    return np.asarray(cv2.bitwise_not(ink)[:height, :width], np.uint8)


def smoothed(rgb: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """The picture that lines are looked for in: larger below and on the right, with even sides."""
    down, right = (max(side % 2, LEAST - side) for side in rgb.shape[:2])
    even = cv2.copyMakeBorder(rgb, 0, down, 0, right, cv2.BORDER_REPLICATE)
    return np.asarray(cv2.sepFilter2D(even, -1, SMOOTH, SMOOTH, borderType=cv2.BORDER_REFLECT_101), np.uint8)


def lines(rgb: npt.NDArray[np.uint8], config: Config) -> Drawn:
    """What is drawn of a smoothed picture, but for contours."""
    luma = np.asarray(cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY), np.uint8)
    brightest = _strokes.brightest(rgb)
    ridges = _strokes.ridges(luma, brightest)
    color = _areas.ink_color(rgb, ridges, luma) if config.tolerance > 0 else None
    black = np.asarray(cv2.compare(brightest, config.black, cv2.CMP_LT), np.uint8)
    areas = _areas.find(rgb, black, color, config.tolerance, config.blacks == "solid")
    solid, steps = _areas.crisp(areas.mask, luma)
    strength = cv2.max(ridges, solid)  # an area's pixels have full strength
    drawn = np.asarray(cv2.bitwise_or(_strokes.trace(ridges, config.contrast), solid), np.uint8)
    weight = cv2.add(strength, cv2.bitwise_and(strength, areas.like))
    ink = _strokes.worthy(drawn, weight, config.mass, config.specks)
    bold = _strokes.bold(ink)
    painted = NOT_PAINTED
    if config.explained > 0:
        painted = _edges.painted(luma, steps, ink, strength, config.explained, bold)
    if painted.edges > 0:
        ink = _edges.sketch(luma, ink, solid, ridges, painted)
    return Drawn(ink, np.asarray(black | areas.black, np.uint8), bold, painted)


def completed(
    rgb: npt.NDArray[np.uint8], drawn: Drawn, contours: bool, known: _strokes.Mask | None = None
) -> _strokes.Mask:
    """The mask of what is drawn: contours closed, and nothing filled that isn't black.

    known: strokes that contours needn't be closed beside.
    """
    ink = drawn.ink
    if contours and drawn.bold <= BOLD:
        beside = ink if known is None else np.asarray(ink | known, np.uint8)
        ink = np.asarray(ink | _ground.contours(rgb, beside, drawn.painted.lines), np.uint8)
    return _areas.without_fills(ink, rgb, drawn.black)
