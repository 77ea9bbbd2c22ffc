"""What two share where a hint says how they lie: a part, one drawing with something over it, or nothing.

A glance at both thumbnails, a hint's overlap cut out of each, discards most false hints. What is left is laid
exactly on itself, in the pictures themselves where thumbnails show too little of it, and compared tile by
tile: what agrees has to be a drawing, in more than one direction, and what doesn't has to lie over one of the
two, or has to be little.
"""

from collections.abc import Callable
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from anidata.duplicates import alignment, place_fit, place_over, place_tiles, structure
from anidata.duplicates.alignment import HERE, Affine, Mask, Plane, View
from anidata.duplicates.page import Page
from anidata.duplicates.place_fit import Cut, Flow
from anidata.duplicates.place_over import Rims
from anidata.duplicates.place_tiles import Tiles

VERSION = 1
GLANCE = (56, 64)  # px of the overlap's short and long side, at a glance
GLANCE_TILE = 8  # px
# Of true pairs two balloons leave the least, .39 and .33 within; of outlines that many things have most have
# next to nothing within.
GLANCE_ALIKE, GLANCE_SHARE, GLANCE_WITHIN = 0.5, 0.3, 0.25
FINE = (120, 320)  # px, as of GLANCE, of the proof
CLEAR = 96  # px of the overlap's short side, below which thumbnails show too little
TENTH = 10  # tiles along the short side
HALFWAY = 0.4  # correlation of a tile's gradients, from which it counts in the descent
STEPS = (3, 4, 4, 2)  # of the descent: twice at half the size, once at all of it, once more for each axis
ALIKE = 0.8  # correlation of a tile's gradients, from which it agrees
# Of the drawn tiles those that agree: where what differs was drawn over one of the two, where each was drawn
# otherwise (windows of one program, a figure in other clothes), and where even that is one drawing.
SHARE, SHARE_OTHERWISE, SHARE_SAME = 0.3, 0.6, 0.9
LEAST = 20  # tiles that agree
RICH = 3  # of them in more than one direction, and nowhere else in the picture
# What is cut off each side of the overlap, and of the tiles within those that agree: a frame around other
# pictures, an outline that many things have and a window's bars agree along the rim alone. Of two balloons
# the nineteenth of twenty leaves .37 within, of one .64; of windows around other pictures most .35 or less.
RIM = 0.2
SHARE_WITHIN, LEAST_WITHIN = 0.35, 4
# Of the rims of what differs, those of one picture: of balloons, boxes and marks .85 and more, of figures in
# other clothes .6, rarely .85.
ONE_SIDED, PLAINLY_ONE_SIDED = 0.8, 0.85
MOST = 0.5  # of what is drawn in one of the two: the overlap is most of it
ALL = 0.9  # of a picture's area: all of it
STRETCH = 1.015  # scale across to that down: rounded sides make 1.01, balloons draw a fit to 1.05


class Shared(NamedTuple):
    """What two pictures, a and b, share."""

    relation: Literal["part", "overlay", "unrelated"]
    holds: bool  # the overlap is most of one of the two
    fit: Affine  # places in b → places in a, both from -1 to 1 across the frame
    better: Literal["a", "b"] | None = None
    because: str | None = None


UNRELATED = Shared("unrelated", holds=False, fit=HERE)
OTHER: dict[str | None, Literal["a", "b"] | None] = {"a": "b", "b": "a", None: None}


class Proof(NamedTuple):
    """The overlap of two pictures, laid on itself."""

    fit: Affine
    tiles: Tiles
    rich: int  # tiles that agree in more than one direction
    rims: Rims
    side: float  # of a tile, in half sides of b's width

    @property
    def is_a_drawing(self) -> bool:
        """Whether what agrees is much of what is drawn, and more than edges, stripes and frames."""
        least, least_within = SHARE, SHARE_WITHIN
        if self.rims.one_sided < ONE_SIDED:
            least = least_within = SHARE_OTHERWISE
        if self.tiles.share < least or self.tiles.agreeing < LEAST:
            return False
        within = self.tiles.within(RIM)
        if within.share < least_within or within.agreeing < LEAST_WITHIN:
            return False
        return self.rich >= RICH

    @property
    def is_one_drawing(self) -> bool:
        """Whether what differs, if anything does, was drawn over one of the two, or is next to nothing."""
        return self.rims.one_sided >= PLAINLY_ONE_SIDED or self.tiles.share >= SHARE_SAME


def judged(a: View, b: View, hint: np.void, whole: Callable[[], tuple[Page, Page]]) -> Shared:
    """What two pictures share of which a hint tells the scale and shift from a to b.

    The same whichever is named first. a, b: thumbnails. whole: opens both, a and b, at full resolution, where
    thumbnails tell too little. Raises: what `whole` does.
    """
    fit = place_fit.from_hint(hint, a.rgb.shape, b.rgb.shape)
    if fit is None:
        return UNRELATED
    if (a.rgb.shape, a.rgb.tobytes()) <= (b.rgb.shape, b.rgb.tobytes()):
        return _judged(a, b, fit, whole)
    other = _judged(b, a, alignment.inverse(fit), lambda: whole()[::-1])
    return other._replace(fit=alignment.inverse(other.fit), better=OTHER[other.better])


def _judged(a: View, b: View, fit: Affine, whole: Callable[[], tuple[Page, Page]]) -> Shared:
    near = glance(a, b, fit)
    proof = proven(a, b, near, whole) if near is not None else None
    if proof is None or not proof.is_a_drawing:
        return UNRELATED
    if not structure.within(a, b, proof.fit).is_one_drawing(is_recolored=False):  # discs, cards, flags
        return UNRELATED
    return _told(a, b, proof)


def glance(a: View, b: View, fit: Affine) -> Affine | None:
    """A nearer fit, by shift alone, where the overlap may be one drawing; None where it is none."""
    cut = place_fit.cut(a.luma, b.luma, fit, GLANCE)
    if cut is None:
        return None
    flows = place_fit.flow(cut.a), place_fit.flow(cut.b)
    local = place_fit.moved_by(place_fit.shifted(*flows), cut.b.shape)
    _, flows, shown = _laid(cut, local)
    tiles = place_tiles.compared(*flows, shown, GLANCE_TILE, GLANCE_ALIKE)
    is_promising = tiles.share >= GLANCE_SHARE and tiles.within(RIM).share >= GLANCE_WITHIN
    return cut.whole(local) if is_promising else None


def proven(a: View, b: View, near: Affine, whole: Callable[[], tuple[Page, Page]]) -> Proof | None:
    """The exact fit, and what agrees by it; None where hardly anything overlaps."""
    pictures: tuple[NDArray[np.generic], NDArray[np.generic]] = (a.luma, b.luma)
    if place_fit.short_side(near, a.rgb.shape, b.rgb.shape) < CLEAR:
        one, other = whole()
        pictures = one.rgb, other.rgb
    cut = place_fit.cut(*pictures, near, FINE)
    if cut is None:
        return None
    local = _fitted(cut, cut.local(near))
    over, flows, shown = _laid(cut, local)
    side = max(6, min(cut.b.shape) // TENTH)
    tiles = place_tiles.compared(*flows, shown, side, ALIKE)
    return Proof(
        cut.whole(local),
        tiles,
        place_tiles.rich(tiles, *flows, side),
        place_over.rims(over, cut.b, flows, shown),
        side * float(np.ptp(cut.box_b[:, 0])) / cut.b.shape[1],
    )


def _fitted(cut: Cut, local: Affine) -> Affine:
    """The exact fit: by one scale, then by one for each axis, unless these come to differ much."""
    small = place_fit.halved(cut)
    for steps in STEPS[:2]:
        weight = _weights(small, local)
        local = place_fit.descended(small.a, small.b, local, steps, weight, place_fit.EVENLY)
    weight = _weights(cut, local)
    local = place_fit.descended(cut.a, cut.b, local, STEPS[2], weight, place_fit.EVENLY)
    free = place_fit.descended(cut.a, cut.b, local, STEPS[3], weight)
    pulled = free[0, 0] / free[1, 1] / (local[0, 0] / local[1, 1])
    return free if 1 / STRETCH < pulled < STRETCH else local


def _weights(cut: Cut, local: Affine) -> Plane:
    _, flows, shown = _laid(cut, local)
    return place_tiles.weights(*flows, shown, max(4, min(cut.b.shape) // TENTH), HALFWAY)


def _laid(cut: Cut, local: Affine) -> tuple[Plane, tuple[Flow, Flow], Mask]:
    """A, laid on b, the gradients of both, and where a shows anything."""
    matrix = alignment.in_pixels(local, cut.a, cut.b)
    over, shown = alignment.warped(cut.a, matrix, cut.b), alignment.covered(matrix, cut.a, cut.b)
    return over, (place_fit.flow(over), place_fit.flow(cut.b)), shown


# --- what it is ---------------------------------------------------------------------------------------------


def _told(a: View, b: View, proof: Proof) -> Shared:
    in_a, in_b = (place_fit.share(box) for box in place_fit.boxes(proof.fit))
    holds = proof.is_one_drawing and max(_parts_agreeing(a, b, proof)) >= MOST
    part = Shared("part", holds, proof.fit)
    if min(in_a, in_b) < ALL <= max(in_a, in_b):
        return part._replace(better="a" if in_b > in_a else "b", because="crop")
    drawn_over = proof.rims.drawn_over
    if min(in_a, in_b) < ALL or not proof.is_one_drawing or not drawn_over:
        return part
    if proof.rims.one_sided < PLAINLY_ONE_SIDED:
        return part._replace(relation="overlay")
    return Shared("overlay", holds, proof.fit, OTHER[drawn_over], "overlay")


def _parts_agreeing(a: View, b: View, proof: Proof) -> tuple[float, float]:
    """Of what is drawn in all of a, and in all of b, the share that agrees."""
    agreeing, back = proof.tiles.agreeing, alignment.inverse(proof.fit)
    box_a, box_b = place_fit.boxes(proof.fit)
    inside_a, inside_b = int(proof.tiles.in_a.sum()), int(proof.tiles.in_b.sum())
    outside_a = place_tiles.outside(a.luma, box_a, proof.side / float(back[0, 0]))
    outside_b = place_tiles.outside(b.luma, box_b, proof.side)
    return agreeing / max(1, inside_a + outside_a), agreeing / max(1, inside_b + outside_b)
