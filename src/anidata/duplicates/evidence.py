"""Which of two pictures, copies of each other, is nearer to what the artist made, and what tells it.

In this order: one was derived from the other (cut, framed, turned, marked), of mirror images the text of one
reads mirrored, one has the finer detail, one has lost more of what both show. What is hardly told is a guess,
and says so.
The answer is the same in both orders, and neither names nor forms of files matter: what a file was saved with
shows in its pixels, in a PNG of a JPEG too.
"""

from collections.abc import Callable
from typing import NamedTuple

from anidata.duplicates import alignment, damage, detail, lettering, overlay, surroundings
from anidata.duplicates.alignment import Affine
from anidata.duplicates.page import Page
from anidata.duplicates.relation import REFRAMED, Related, Try
from anidata.duplicates.traces import COLORS, Window


class Evidence(NamedTuple):
    """`a` or `b`, the better one, and the code of what tells it; or neither."""

    better: str | None = None
    because: str | None = None


NONE = Evidence()
OTHER = {"a": "b", "b": "a"}
DROPPED = ("reencoded", "crop", "flip", "turn")


def compare(related: Related, whole: Callable[[], tuple[Page, Page]]) -> Evidence:
    """The better of two pictures, a and b, of which `relation.related(a, b)` was told.

    whole: opens both at full resolution, where thumbnails can't tell. Raises: what `whole` does.
    """
    tried = related.tried
    if tried is None or related.relation not in DROPPED:
        return NONE
    answer = _by_surroundings(tried, related, whole)
    if answer.better is None:
        answer = _inside(*in_order(related, *whole()), tried, _unturned(related))
    laid, ground = ("a", "b") if related.is_a_laid else ("b", "a")
    return answer._replace(better={"a": laid, "b": ground, None: None}[answer.better])


def _unturned(related: Related) -> str | None:
    """Of mirror images, what is laid on the other being `a`, the one that is seen as it is."""
    if related.relation != "flip":
        return None
    return "a" if related.is_a_laid == related.is_b_moved else "b"


def in_order(related: Related, a: Page, b: Page) -> tuple[Page, Page]:
    """What is laid on the other, and that other, as the relation has seen them."""
    a, b = (a, b.seen(related.way)) if related.is_b_moved else (a.seen(related.way), b)
    return (a, b) if related.is_a_laid else (b, a)


def lies_in_place(tried: Try, laid: Page, ground: Page) -> bool:
    """Whether two lie pixel on pixel."""
    return alignment.moved(tried.fit) <= REFRAMED and laid.rgb.shape == ground.rgb.shape


def _by_surroundings(tried: Try, related: Related, whole: Callable[[], tuple[Page, Page]]) -> Evidence:
    """The better of the two, `a` being what is laid on the other, by what is around what both show.

    That more was drawn there thumbnails tell. What was put there has to begin where the other's frame ends,
    to the pixel.
    """
    answer = surroundings.judge(tried.laid, tried.ground, tried.fit)
    is_cut = answer is not None and answer[1] == "crop"
    if not is_cut and (answer or alignment.moved(tried.fit) > REFRAMED):
        laid, ground = in_order(related, *whole())
        answer = surroundings.judge(laid.close, ground.close, tried.fit)
    if answer is None:
        return NONE
    return Evidence("a" if answer[0] == "laid" else "b", answer[1])


def _inside(laid: Page, ground: Page, tried: Try, unturned: str | None) -> Evidence:
    """The better of the two, `a` being what is laid on the other, by what both show."""
    in_place = lies_in_place(tried, laid, ground)
    if in_place and (drawn_over := overlay.marked(laid.rgb, ground.rgb)):
        return Evidence(OTHER[drawn_over], "overlay")
    if unturned and (way := lettering.way(laid.rgb, ground.rgb)):
        return Evidence(unturned if way > 0 else OTHER[unturned], "text")
    fit: Affine = alignment.HERE if alignment.moved(tried.fit) <= REFRAMED else tried.fit
    if lead := detail.finer(laid.rgb, ground.rgb, fit):
        finer, coarser = (laid, ground) if lead.name == "a" else (ground, laid)
        if lead.is_plain or _is_sound(finer.middle, coarser.middle, lead.is_of_one_scale):
            return Evidence(lead.name, "detail")
    lost = damage.worse(laid, ground, in_place=in_place)
    return Evidence(OTHER[lost[0]], lost[1]) if lost else NONE


def _is_sound(finer: Window, other: Window, is_of_one_scale: bool) -> bool:
    """Whether what seems to be detail is neither dither nor, of a larger picture, a JPEG's blocks."""
    if finer.count <= COLORS < other.count:
        return False
    return is_of_one_scale or finer.step <= other.step
