"""Which of two pictures, copies of each other, is nearer to what the artist made, and what tells it.

In this order: one was derived from the other (cut, framed, turned, marked), of mirror images the text of one
reads mirrored, one has the finer detail, one has lost more of what both show. What is hardly told is a guess,
and says so.
The answer is the same in both orders, and neither names nor forms of files matter: what a file was saved with
shows in its pixels, in a PNG of a JPEG too.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from anidata.duplicates import alignment, damage, detail, lettering, overlay, surroundings, traces
from anidata.duplicates.alignment import Affine, Pixels
from anidata.duplicates.relation import REFRAMED, Related, Try


class Evidence(NamedTuple):
    """`a` or `b`, the better one, and the code of what tells it; or neither."""

    better: str | None = None
    because: str | None = None


NONE = Evidence()
OTHER = {"a": "b", "b": "a"}
DROPPED = ("reencoded", "crop", "flip")


def compare(related: Related, whole: Callable[[], tuple[Pixels, Pixels]]) -> Evidence:
    """The better of two pictures, a and b, of which `relation.related(a, b)` was told.

    whole: opens both at full resolution, where thumbnails can't tell. Raises: what `whole` does.
    """
    tried = related.tried
    if tried is None or related.relation not in DROPPED:
        return NONE
    laid, ground = ("a", "b") if related.is_a_laid else ("b", "a")
    if derived := surroundings.judge(tried.laid, tried.ground, tried.fit):
        return Evidence(laid if derived[0] == "laid" else ground, derived[1])
    one, other = in_order(related, *whole())
    answer = _at_full(one, other, tried, _unturned(related))
    return answer._replace(better={"a": laid, "b": ground, None: None}[answer.better])


def _unturned(related: Related) -> str | None:
    """Of mirror images, what is laid on the other being `a`, the one that is seen as it is."""
    if related.relation != "flip":
        return None
    return "a" if related.is_a_laid == related.is_b_mirrored else "b"


def in_order(related: Related, a: Pixels, b: Pixels) -> tuple[Pixels, Pixels]:
    """What is laid on the other, and that other, as the relation has seen them."""
    if related.relation == "flip":
        a, b = (
            (a, np.ascontiguousarray(b[:, ::-1]))
            if related.is_b_mirrored
            else (np.ascontiguousarray(a[:, ::-1]), b)
        )
    return (a, b) if related.is_a_laid else (b, a)


def lies_in_place(tried: Try, laid: Pixels, ground: Pixels) -> bool:
    """Whether two lie pixel on pixel."""
    return alignment.moved(tried.fit) <= REFRAMED and laid.shape == ground.shape


def _at_full(laid: Pixels, ground: Pixels, tried: Try, unturned: str | None) -> Evidence:
    """The better of the two, `a` being what is laid on the other."""
    in_place = lies_in_place(tried, laid, ground)
    if in_place and (drawn_over := overlay.marked(laid, ground)):
        return Evidence(OTHER[drawn_over], "overlay")
    if unturned and (way := lettering.way(laid, ground)):
        return Evidence(unturned if way > 0 else OTHER[unturned], "text")
    one, other = traces.window(laid), traces.window(ground)
    fit: Affine = alignment.HERE if alignment.moved(tried.fit) <= REFRAMED else tried.fit
    if lead := detail.finer(laid, ground, fit):
        finer, coarser = (one, other) if lead.name == "a" else (other, one)
        if lead.is_plain or _is_sound(finer, coarser, lead.is_of_one_scale):
            return Evidence(lead.name, "detail")
    lost = damage.worse(laid, ground, one, other, in_place=in_place)
    return Evidence(OTHER[lost[0]], lost[1]) if lost else NONE


def _is_sound(finer: traces.Window, other: traces.Window, is_of_one_scale: bool) -> bool:
    """Whether what seems to be detail is neither dither nor, of a larger picture, a JPEG's blocks."""
    if finer.count <= traces.COLORS < other.count:
        return False
    return is_of_one_scale or finer.step <= other.step
