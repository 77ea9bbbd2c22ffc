"""What one of two pictures has around what both show: nothing, more of the drawing, or something put there.

A crop leaves off what the other goes on drawing. A border, a bar or a frame begins with a straight step along
its whole side, and a turned picture has wedges of one color in its corners. Plain paper that goes on
as paper tells nothing: a margin may have been cut off as well as added.
"""

import math
from typing import Any, Literal, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from anidata.duplicates import alignment
from anidata.duplicates.alignment import Affine, Pixels, View

Kind = Literal["nothing", "drawn", "added", "paper", "unclear"]
Code = Literal["crop", "frame", "bar", "turn"]

LEAST = 1.6  # px of a view: how much wider a picture is than the other at least
TURNED = 0.5  # degrees
STEP = 14  # grey levels across two px: a step
STRAIGHT = 0.45  # of a side, that is a step, beyond what steps there are beside it: something was put there
GOES_ON = 0.15  # of a side, likewise: no more, and the drawing goes on
SAME = 12  # grey levels within which colors are one
PLAIN = 0.96  # of a strip that has one color
RIM = 0.9  # of what borders on wedges that has their color too: paper
APART = 0.6  # likewise: less, and the wedges were put there
GRAINY = 0.8  # of wedges that has one color: less, and something is drawn there
ACROSS = 0.03  # of a side that is drawn across, where no side is a step
GROUND = 0.55  # of a bar that has one color: the rest is lettering
STROKES = 16  # borders of ink along a line of letters
LONE = 0.055  # likewise of a bar on one side alone
NARROW = 0.02  # of a picture: narrower, and it may be the edge of what is drawn
LINED = 0.5  # of a line in one color, beyond what there is of one within: a frame has such, a cut hasn't
CUT = 0.1  # of a side, on which a drawing ends in one line: its frame was there, and paper was put around it
GONE_ON = 0.02  # of the rows drawn up to a border, at most, that go on beyond
LARGE = 0.5  # share of a picture that a frame leaves
WEDGES = 0.004  # share of a picture that the corners must have


class Around(NamedTuple):
    """What is around what both show, and on how many sides."""

    kind: Kind
    sides: int = 0


def judge(laid: View, ground: View, fit: Affine) -> tuple[str, Code] | None:
    """`laid` or `ground`, whichever the other was derived from, and by what; None where that isn't plain."""
    back = alignment.inverse(fit)
    degrees = abs(_turn(fit, laid, ground))
    look = _in_corners if degrees > TURNED else _on_sides
    one, other = look(laid.rgb, fit, ground.rgb), look(ground.rgb, back, laid.rgb)
    for name, mine, others in (("laid", one, other), ("ground", other, one)):
        if others.kind == "added" and mine.kind != "added":
            return name, _derived_by(others, degrees)
        if mine.kind == "drawn" and others.kind in ("nothing", "paper"):
            return name, "turn" if degrees > TURNED else "crop"
    return None


def _derived_by(around: Around, degrees: float) -> Code:
    if degrees > TURNED:
        return "turn"
    return "frame" if around.sides == 4 else "bar"


def _turn(fit: Affine, a: View, b: View) -> float:
    """Degrees."""
    matrix = alignment.in_pixels(fit, a.rgb, b.rgb)
    return math.degrees(math.atan2(matrix[1, 0] - matrix[0, 1], matrix[0, 0] + matrix[1, 1]))


# --- sides --------------------------------------------------------------------------------------------------


class _Side(NamedTuple):
    """Of one side, read as the left one."""

    step: float  # share of it that is a step, beyond what steps there are within
    across: float  # share of it on which something is drawn on both sides of the border, without a step
    plain: float  # share of the strip beyond that has one color
    width: float  # of the strip, as share of the picture
    is_lettered: bool = False  # it stands apart, and has many strokes in a row
    lined: float = 0.0  # share of a line along its border that has one color, beyond that of one within
    cut: float = 0.0  # share of it on which what is drawn ends, all in one line, and plain ground begins


def _on_sides(outer: Pixels, fit: Affine, _inner: Pixels) -> Around:
    """What is in `outer` beyond the frame of the other, of which the fit leads to it."""
    low, high = _box(outer, fit)
    height, width = outer.shape[:2]
    sides = []
    for rows, start, end in (
        (outer, low, high),
        (outer[:, ::-1], (width - high[0], low[1]), (width - low[0], high[1])),
        (outer.transpose(1, 0, 2), low[::-1], high[::-1]),
        (outer[::-1].transpose(1, 0, 2), (height - high[1], low[0]), (height - low[1], high[0])),
    ):
        if start[0] >= LEAST:
            sides.append(_side(rows.astype(np.int16), start[0], start[1], end[1]))
    within = np.prod(np.clip(high, 0, (width, height)) - np.clip(low, 0, (width, height)))
    return _kind(sides, float(within) / (width * height))


def _box(outer: Pixels, fit: Affine) -> tuple[tuple[float, float], tuple[float, float]]:
    """(x, y), px, of the least and the greatest corner of the other picture in this one."""
    height, width = outer.shape[:2]
    corners = (fit @ alignment.CORNERS + 1) * np.array([[width / 2], [height / 2]])
    (left, top), (right, bottom) = corners.min(axis=1).tolist(), corners.max(axis=1).tolist()
    return (left, top), (right, bottom)


def _side(rows: NDArray[np.int16], border: float, top: float, bottom: float) -> _Side:
    """What is left of the border, in columns of (h, w, 3), from top to bottom."""
    here = rows[max(0, round(top) + 1) : max(0, round(bottom) - 1)]
    at, width = round(border), rows.shape[1]
    if not here.size or at + 12 >= width:
        return _Side(0.0, 0.0, 0.0, 0.0)
    strip = here[:, : max(1, at - 1)]
    paper = np.median(strip.reshape(-1, 3), axis=0)
    drawn = _largest(here[:, : at + 3] - paper) > SAME
    steps = _largest(here[:, 2 : at + 13] - here[:, : at + 11]) > STEP  # step k: column k to k + 2
    there = steps[:, max(0, at - 3) : at + 1].any(axis=1)
    usual = float(np.mean([_straight(steps[:, n : n + 4]) for n in (at + 3, at + 7)]))
    both = drawn[:, max(0, at - 2) : at].all(axis=1) & drawn[:, at + 1 : at + 3].all(axis=1)
    plain = 1 - float(drawn[:, : max(1, at - 1)].mean())
    return _Side(
        step=(_straight(steps[:, max(0, at - 3) : at + 1]) - usual) / max(0.2, 1 - usual),
        across=float((both & ~there).mean()),
        plain=plain,
        width=border / width,
        is_lettered=_is_lettered(drawn[:, : max(1, at - 1)]),
        lined=_lined(here[:, max(0, at - 3) : max(1, at - 1)]) - _lined(here[:, at + 1 : at + 3]),
        cut=_cut(drawn, at) if plain >= PLAIN else 0.0,
    )


def _largest(off: NDArray[Any]) -> NDArray[Any]:
    """(h, w) of (h, w, 3): how far the channel is off that is the farthest."""
    size = np.abs(off)
    return np.asarray(np.maximum(np.maximum(size[..., 0], size[..., 1]), size[..., 2]))


def _straight(steps: NDArray[np.bool_]) -> float:
    """The share of rows that are a step in the best two columns side by side."""
    if steps.shape[1] < 2:
        return float(steps.any(axis=1).mean())
    return float((steps[:, 1:] | steps[:, :-1]).mean(axis=0).max())


def _lined(columns: NDArray[np.int16]) -> float:
    """The share of the most even of some columns, (h, n, 3), that has that column's color."""
    color = np.median(columns, axis=0)
    return float((_largest(columns - color) <= SAME).mean(axis=0).max(initial=0.0))


def _cut(drawn: NDArray[np.bool_], at: int) -> float:
    """The share of rows drawn up to the border, where next to none of them goes on."""
    near, far = drawn[:, at + 1 : at + 3].all(axis=1), drawn[:, max(0, at - 3) : max(1, at - 1)].any(axis=1)
    return float(near.mean()) if np.count_nonzero(near & far) <= GONE_ON * np.count_nonzero(near) else 0.0


def _is_lettered(strip: NDArray[np.bool_]) -> bool:
    """Whether a strip, read as columns beside the picture, has a line of letters apart from it."""
    if strip.shape[1] < 6 or strip[:, -2:].mean() > 0.02 or strip[:, :1].mean() > 0.02:
        return False
    return bool(np.abs(np.diff(strip.astype(np.int8), axis=0)).sum(axis=0).max() >= STROKES)


def _kind(sides: list[_Side], share: float) -> Around:
    """share: of the picture, that the other shows."""
    stepping = [side for side in sides if side.step > STRAIGHT or side.lined > LINED]
    kind: Kind = "unclear"
    if not sides:
        kind = "nothing"
    elif not stepping:
        kind = _unstepped(sides)
    elif any(side.across > GOES_ON for side in sides):
        kind = "drawn" if len(stepping) < len(sides) else "unclear"
    elif len(stepping) == 4 and share > LARGE:
        kind = "added"
    else:
        least = NARROW if len(sides) > 1 else LONE
        if all(side.plain > GROUND and side.width > least for side in stepping):
            kind = "added"
    return Around(kind, len(sides))


def _unstepped(sides: list[_Side]) -> Kind:
    if all(side.is_lettered and side.plain > GROUND for side in sides):
        return "added"
    if any(side.across > ACROSS for side in sides):
        return "drawn"
    if not all(side.plain >= PLAIN for side in sides):
        return "unclear"
    return "added" if max(side.cut for side in sides) > CUT else "paper"


# --- corners ------------------------------------------------------------------------------------------------


def _in_corners(outer: Pixels, fit: Affine, inner: Pixels) -> Around:
    """What is in `outer` beyond the frame of the other, which lies in it at an angle."""
    matrix = alignment.in_pixels(alignment.inverse(fit), inner, outer)
    beyond = alignment.covered(matrix, inner, outer) == 0
    if beyond.mean() < WEDGES:
        return Around("nothing")
    seen = outer.astype(np.int16)
    square = np.ones((3, 3), np.uint8)
    wide = cv2.dilate(beyond.astype(np.uint8), square)
    far = cv2.erode(beyond.astype(np.uint8), square, borderType=cv2.BORDER_CONSTANT, borderValue=1) > 0
    rim = (cv2.dilate(wide, square) - wide) > 0
    if not far.any() or not rim.any():
        return Around("nothing")
    color = np.median(seen[far], axis=0)
    plain, same = ((np.abs(seen[part] - color) <= SAME).all(axis=1).mean() for part in (far, rim))
    if plain < GRAINY:
        return Around("drawn")
    if same > RIM:
        return Around("paper")
    return Around("added" if plain >= PLAIN and same < APART else "unclear")
