"""Where two pictures differ: the distance of their colors pixel by pixel, as a map of heat.

One is laid on the other first.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from anidata.duplicates import alignment, relation
from anidata.duplicates.alignment import LIKENESS, Affine, Mask, Pixels
from anidata.duplicates.ways import MIRRORED, STRAIGHT, TURNS, Way
from anidata.reports.page.choice import DOUBTFUL

HOTTEST = 40.0  # ΔE that has the map's last color; re-encodings stay below 10, a redrawn mouth has 20 to 60
OUTSIDE = 128  # gray where the member shows nothing
SPOT = 3  # px: side of the squares whose mean is the spot that differs most
EITHER = (STRAIGHT, MIRRORED)
WAYS = {"flip": (MIRRORED,), "turn": TURNS, **dict.fromkeys(DOUBTFUL, EITHER)}  # relation → those tried


@dataclass(frozen=True)
class Heat:
    """How a member differs from its keeper, on the keeper's grid."""

    pixels: Pixels  # (h, w, 3)
    mean: float  # ΔE (CIE 1976) over what both show
    spot: float  # ΔE: the largest mean of a small square
    way: Way  # in which the member was seen
    laid: Pixels  # (h, w, 3): the member itself, gray where it shows nothing
    covered: float  # share of the keeper where it shows something


def compared(keeper: Pixels, member: Pixels, relation: str, fit: Affine | None = None) -> Heat:
    """The heat between two thumbnails; the member is turned back first, as its relation has it.

    What is no copy may lie any way round: whichever makes it more alike.
    fit: lays the member on the keeper, where that is known.
    """
    if fit is not None:
        return _heat(_laid(keeper, member, STRAIGHT, fit))
    tries = [_laid(keeper, member, way) for way in WAYS.get(relation, (STRAIGHT,))]
    if relation in DOUBTFUL and max(laid.likeness for laid in tries) < LIKENESS:
        tries += [_laid(keeper, member, way) for way in TURNS]
    return _heat(max(tries, key=lambda laid: laid.likeness))


def _heat(best: "_Laid") -> Heat:
    apart = distance(best.member, best.keeper) * best.shown
    spot = cv2.blur(apart, (SPOT, SPOT), borderType=cv2.BORDER_REFLECT_101)
    mean = float(apart.sum() / max(1, best.shown.sum()))
    laid = np.where(best.shown[..., None] > 0, best.member, np.uint8(OUTSIDE))
    covered = float(np.mean(best.shown > 0))
    return Heat(colored(apart, best.shown), mean, float(spot.max()), best.way, laid, covered)


def distance(a: Pixels, b: Pixels) -> NDArray[np.float32]:
    """ΔE (CIE 1976) of each pixel, (h, w)."""
    one, other = (cv2.cvtColor(p.astype(np.float32) / 255, cv2.COLOR_RGB2LAB) for p in (a, b))
    return np.asarray(np.linalg.norm(one - other, axis=2), np.float32)


def colored(apart: NDArray[np.float32], shown: Mask) -> Pixels:
    """Black for equal, by violet and orange, to pale yellow for HOTTEST and more.

    Gray where nothing is shown.
    """
    level = np.clip(apart * (255 / HOTTEST), 0, 255).astype(np.uint8)
    heat = np.asarray(cv2.applyColorMap(level, cv2.COLORMAP_INFERNO), np.uint8)[..., ::-1]
    return np.where(shown[..., None] > 0, heat, np.uint8(OUTSIDE))


@dataclass(frozen=True)
class _Laid:
    """A member on its keeper's grid."""

    keeper: Pixels
    member: Pixels
    shown: Mask
    likeness: float
    way: Way


def _laid(keeper: Pixels, member: Pixels, way: Way, fit: Affine | None = None) -> _Laid:
    ground, other = alignment.matched(alignment.View(keeper), alignment.View(way.of(member)))
    fit = alignment.aligned(other, ground) if fit is None else fit
    return _Laid(
        ground.rgb,
        *alignment.laid(other, ground, fit),
        relation.difference(other, ground, fit).likeness,
        way,
    )
