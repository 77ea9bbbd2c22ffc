"""What a pair shares of which a hint says how it lies: a part, one drawing with something over it, or nothing.

A glance at both thumbnails, a hint's overlap cut out of each, discards most false hints. What is left is laid
exactly on itself, in the pictures themselves where thumbnails show too little of it, and compared tile by
tile: what agrees has to be a drawing, in more than one direction and spread over the overlap.
"""

from collections.abc import Callable
from typing import Literal, NamedTuple

import numpy as np

from anidata.duplicates import alignment, overlay, place_fit, place_tiles
from anidata.duplicates.alignment import HERE, Affine, Mask, Plane, View
from anidata.duplicates.page import Page
from anidata.duplicates.place_fit import Cut, Flow
from anidata.duplicates.place_tiles import Tiles

VERSION = 1
GLANCE = (56, 64)  # px of the overlap's short and long side, at a glance
GLANCE_TILE = 8  # px
GLANCE_ALIKE, GLANCE_SHARE = 0.5, 0.25
FINE = (120, 320)  # px, as of GLANCE, of the proof
TENTH = 10  # tiles along the short side
HALFWAY = 0.4  # correlation of a tile's gradients from which it counts in the descent
STEPS = (6, 4)  # of the descent, at half the size and at all of it
CLEAR = 96  # px of the overlap's short side, below which thumbnails show too little
ALIKE = 0.8  # correlation of a tile's gradients
SHARE, LEAST = 0.35, 20  # of the drawn tiles that agree, and how many there must be
RICH = 8  # tiles that agree in more than one direction
MOST = 0.5  # of what is drawn in one of the two: the overlap is most of it
ALL = 0.9  # of a picture's area: all of it
STRETCH = 1.04  # a fit's scale across to that down, at most


class Shared(NamedTuple):
    """What two pictures, a and b, share."""

    relation: Literal["part", "overlay", "unrelated"]
    holds: bool  # the overlap is most of one of the two
    fit: Affine  # places in b → places in a, both from -1 to 1 across the frame
    better: Literal["a", "b"] | None = None
    because: str | None = None


class Proof(NamedTuple):
    """The overlap of two pictures, laid on itself."""

    fit: Affine
    tiles: Tiles
    side: float  # of a tile, in half sides of b's width


UNRELATED = Shared("unrelated", holds=False, fit=HERE)
OTHER: dict[str | None, Literal["a", "b"] | None] = {"a": "b", "b": "a", None: None}


def judged(a: View, b: View, hint: np.void, whole: Callable[[], tuple[Page, Page]]) -> Shared:
    """What two pictures share of which a hint tells the scale and shift from a to b.

    The same whichever is named first. a, b: thumbnails. whole: opens both, a and b, at full resolution, where
    thumbnails tell too little. Raises: what `whole` does.
    """
    fit = place_fit.from_hint(hint, a.rgb.shape, b.rgb.shape)
    if (a.rgb.shape, a.rgb.tobytes()) <= (b.rgb.shape, b.rgb.tobytes()):
        return _judged(a, b, fit, whole)
    other = _judged(b, a, alignment.inverse(fit), lambda: whole()[::-1])
    return other._replace(fit=alignment.inverse(other.fit), better=OTHER[other.better])


def _judged(a: View, b: View, fit: Affine, whole: Callable[[], tuple[Page, Page]]) -> Shared:
    near = glance(a, b, fit)
    if near is None:
        return UNRELATED
    proof = proven(a, b, near, whole)
    if proof is None or not is_a_drawing(proof.tiles) or _stretch(proof.fit, a, b) > STRETCH:
        return UNRELATED
    return _told(a, b, proof)


def glance(a: View, b: View, fit: Affine) -> Affine | None:
    """A nearer fit, by shift alone, where the overlap may be one drawing; None where it is none."""
    cut = place_fit.cut(a.luma, b.luma, fit, GLANCE)
    if cut is None:
        return None
    flows = place_fit.flow(cut.a), place_fit.flow(cut.b)
    local = place_fit.moved_by(place_fit.shifted(*flows), cut.b.shape)
    tiles = _tiles(cut, local, GLANCE_TILE, GLANCE_ALIKE)
    return cut.whole(local) if tiles.share >= GLANCE_SHARE else None


def proven(a: View, b: View, near: Affine, whole: Callable[[], tuple[Page, Page]]) -> Proof | None:
    """The exact fit, and what agrees by it; None where hardly anything overlaps."""
    one, other = a.luma, b.luma
    if place_fit.short_side(near, one.shape, other.shape) < CLEAR:
        one, other = (page.rgb for page in whole())
    cut = place_fit.cut(one, other, near, FINE)
    if cut is None:
        return None
    local = cut.local(near)
    for one, steps in zip((place_fit.halved(cut), cut), STEPS, strict=True):
        local = place_fit.descended(one.a, one.b, local, steps, _weights(one, local))
    side = max(6, min(cut.b.shape) // TENTH)
    span = float(np.ptp(cut.box_b[:, 0])) / cut.b.shape[1]
    return Proof(cut.whole(local), _tiles(cut, local, side, ALIKE), side * span)


def is_a_drawing(tiles: Tiles) -> bool:
    """Whether what agrees is much of what is drawn, and more than edges, stripes and frames."""
    if int(tiles.agree.sum()) < LEAST or tiles.share < SHARE:
        return False
    return int(tiles.rich.sum()) >= RICH


def _tiles(cut: Cut, local: Affine, side: int, alike: float) -> Tiles:
    return place_tiles.compared(*_laid(cut, local), side, alike)


def _weights(cut: Cut, local: Affine) -> Plane:
    return place_tiles.weights(*_laid(cut, local), max(4, min(cut.b.shape) // TENTH), HALFWAY)


def _laid(cut: Cut, local: Affine) -> tuple[Flow, Flow, Mask]:
    """Gradients of a, laid on b, those of b, and where a shows anything."""
    matrix = alignment.in_pixels(local, cut.a, cut.b)
    over = place_fit.flow(alignment.warped(cut.a, matrix, cut.b))
    return over, place_fit.flow(cut.b), alignment.covered(matrix, cut.a, cut.b)


def _stretch(fit: Affine, a: View, b: View) -> float:
    """The larger of a fit's scales across and down to the smaller."""
    matrix = alignment.in_pixels(fit, a.rgb, b.rgb)
    return float(max(matrix[0, 0] / matrix[1, 1], matrix[1, 1] / matrix[0, 0]))


# --- what it is ---------------------------------------------------------------------------------------------


def _told(a: View, b: View, proof: Proof) -> Shared:
    in_a, in_b = (place_fit.share(box) for box in place_fit.boxes(proof.fit))
    holds = max(_parts_agreeing(a, b, proof)) >= MOST
    tiles = proof.tiles
    if min(in_a, in_b) >= ALL:
        if tiles.agree.sum() == tiles.drawn.sum():
            return Shared("part", holds, proof.fit)
        drawn_over = overlay.marked(a.rgb, b.rgb) if _lie_in_place(a, b, proof.fit) else None
        return Shared("overlay", holds, proof.fit, OTHER[drawn_over], "overlay" if drawn_over else None)
    if max(in_a, in_b) < ALL:
        return Shared("part", holds, proof.fit)
    return Shared("part", holds, proof.fit, "a" if in_b > in_a else "b", "crop")


def _parts_agreeing(a: View, b: View, proof: Proof) -> tuple[float, float]:
    """Of what is drawn in all of a, and in all of b, the share that agrees."""
    agreeing, back = int(proof.tiles.agree.sum()), alignment.inverse(proof.fit)
    box_a, box_b = place_fit.boxes(proof.fit)
    inside_a, inside_b = int(proof.tiles.in_a.sum()), int(proof.tiles.in_b.sum())
    outside_b = place_tiles.outside(b.luma, box_b, proof.side)
    outside_a = place_tiles.outside(a.luma, box_a, proof.side / float(back[0, 0]))
    return agreeing / max(1, inside_a + outside_a), agreeing / max(1, inside_b + outside_b)


def _lie_in_place(a: View, b: View, fit: Affine) -> bool:
    return a.rgb.shape == b.rgb.shape and alignment.moved(fit) < 2 / max(a.rgb.shape)  # less than a px
