"""Ink: the lines that an artist drew, thin and thick, black and colored, and no others; \
the edges of a painting that has none.

    r = (C(v) − v) / min(C(v) + 40, 255)
    v: luma, and the largest channel; C: closing by an octagon 7 px wide
    line = 0 where r ≥ contrast and r ≥ half the peak beside it, in strokes over which r sums to `mass`,
           and where a crisply bordered area is black or has the color of the ink; else 255

Only what is darker than both its sides is a ridge, so borders of fills, shadows and gradients give no line.
The color of the ink is the commonest at the bottom of strong ridges, where it is common and dark enough;
in it, thick strokes and areas are found that are no ridges.
Where the lines explain too few of the edges, the picture is a painting: the strongest ridges
and the longest edges are drawn, once each.
Widths suit 512 px.
Source: Meyer 1979 for the black top-hat C(v) − v, Canny 1986 for the edges;
the ink's color and the switch are our own.
"""

from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np
import numpy.typing as npt

from anidata.lineart.styles import _areas, _edges, _strokes

VERSION = 1
LEAST = 16  # px of a side
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
    explained: float = 0.5  # share of edges that lines must explain, or it is a painting; 0: it never is


def draw(rgb: npt.NDArray[np.uint8], config: Config) -> npt.NDArray[np.uint8]:
    """(h, w, 3) → (h, w): black ink (0) on white (255)."""
    height, width = rgb.shape[:2]
    # So that there is a picture of half the size
    down, right = (max(side % 2, LEAST - side) for side in (height, width))
    even = cv2.copyMakeBorder(rgb, 0, down, 0, right, cv2.BORDER_REPLICATE)
    smooth = np.asarray(
        cv2.sepFilter2D(even, -1, SMOOTH, SMOOTH, borderType=cv2.BORDER_REFLECT_101), np.uint8
    )
    return np.asarray(cv2.bitwise_not(_ink(smooth, config))[:height, :width], np.uint8)


def _ink(rgb: npt.NDArray[np.uint8], config: Config) -> _strokes.Mask:
    """The mask of what is drawn, of a picture with even sides."""
    luma = np.asarray(cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY), np.uint8)
    brightest = _strokes.brightest(rgb)
    ridges = _strokes.ridges(luma, brightest)
    color = _areas.ink_color(rgb, ridges, luma) if config.tolerance > 0 else None
    black = np.asarray(cv2.compare(brightest, config.black, cv2.CMP_LT), np.uint8)
    areas = _areas.find(rgb, black, color, config.tolerance, config.blacks == "solid")
    solid = _areas.crisp(areas.mask, luma)
    strength = cv2.max(ridges, solid)  # an area's pixels have full strength
    drawn = np.asarray(cv2.bitwise_or(_strokes.trace(ridges, config.contrast), solid), np.uint8)
    weight = cv2.add(strength, cv2.bitwise_and(strength, areas.like))
    ink = _strokes.worthy(drawn, weight, config.mass, config.specks)
    painting = config.explained > 0 and _edges.is_painting(luma, ink, strength, config.explained)
    return _edges.sketch(luma, ink, ridges) if painting else ink
