"""Which of two copies has lost more, by many small traces together: none tells it alone.

A logistic regression over differences of measures, the same the other way round with its sign turned. One set
of weights is for pictures that lie pixel on pixel, one for those of other sizes or cuts. They were fitted to
copies of free art (benchmarks/fit_damage.py), of which some are told to be derived by what is around them.
Of pairs pixel on pixel that they weren't fitted to, .94 are told right; of others, which nothing else tells,
.86. Beyond PLAIN the answer is damage (.98 right), named by what shows of the one alone; below it is a guess,
for when nothing but the key tells. Light or tones changed without loss are told wrongly: they look clean.
"""

from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from anidata.duplicates.alignment import Pixels
from anidata.duplicates.page import Page
from anidata.duplicates.traces import COLORS, LEAST, Window, second_differences

Band = NDArray[np.float32]  # (h, w) or (h, w, 2)

GUESS = "traces"
PLAIN = 2.0  # logarithm of the odds
NONE = 0.05  # likewise, below which nothing is said
COARSE = 0.9  # the middle step, in those of quality 50, from which blocks show
FINER, FEWER = 1.3, 0.7  # times a step, and times the colors
CLIPPED = 0.01  # share of a picture
FAR = 4.0  # spreads beyond which a measure counts no more
QUIET, BUSY = 40, 75  # percentiles of activity
FLOOR = 0.05  # grey levels squared, of what is off
MOST = 3.0  # of a ratio


class Weight(NamedTuple):
    """What a measure counts."""

    spread: float  # of its differences: the unit of the weight
    weight: float


IN_PLACE = {
    "noise": Weight(0.608, 0.46),
    "clean": Weight(0.231, -0.73),
    "colors": Weight(1.78, 1.44),
    "nearly": Weight(0.121, 1.03),
    "blocks": Weight(0.169, -2.57),
    "clipped": Weight(0.186, 1.01),
    "edges": Weight(0.506, -1.37),
    "palette": Weight(0.528, -0.98),
    "only here flat": Weight(0.125, 2.09),
    "off on edges": Weight(1.21, -1.30),
    "off in quiet": Weight(0.547, -0.55),
    "off below": Weight(2.04, 1.27),
    "colors on edges": Weight(0.881, 1.44),
    "colors in quiet": Weight(0.472, 0.63),
}
ELSEWHERE = {
    "noise": Weight(0.561, 0.28),
    "flat": Weight(0.118, 1.57),
    "fine": Weight(0.424, 1.97),
    "nearly": Weight(0.0849, 0.36),
    "blocks": Weight(0.273, -0.31),
    "clipped": Weight(0.0789, 0.57),
    "edges": Weight(0.574, -1.09),
    "chroma": Weight(0.582, 1.27),
    "area": Weight(0.648, 1.11),
}


def worse(a: Page, b: Page, *, in_place: bool) -> tuple[str, str] | None:
    """`a` or `b`, whichever has lost more, and what, or GUESS; None where nothing tells.

    in_place: whether both lie pixel on pixel.
    """
    one, other = a.middle, b.middle
    if min(*one.rgb.shape[:2], *other.rgb.shape[:2]) < LEAST or (one.flat.all() and other.flat.all()):
        return None
    left = differences(a, b, in_place=in_place)
    odds = sum(
        weight * float(np.clip(left[name] / spread, -FAR, FAR))
        for name, (spread, weight) in (IN_PLACE if in_place else ELSEWHERE).items()
    )
    if abs(odds) < NONE:
        return None
    name, sounder, lossy = ("b", one, other) if odds > 0 else ("a", other, one)
    return name, _lost(sounder, lossy) if abs(odds) > PLAIN else GUESS


def _lost(sounder: Window, lossy: Window) -> str:
    """What the one has lost, by what most plainly shows."""
    if lossy.step > FINER * sounder.step:
        return "blocks" if lossy.step > COARSE else "quality"
    if lossy.count <= COLORS < sounder.count:
        return "palette"
    if lossy.count < FEWER * sounder.count:
        return "banding"
    if lossy.clipped > sounder.clipped + CLIPPED:
        return "clipped"
    return "noise" if lossy.noise > sounder.noise else "quality"


def differences(a: Page, b: Page, *, in_place: bool) -> dict[str, float]:
    """Measures of the first less those of the second; of two that lie pixel on pixel also what is off."""
    mine, others = _measures(a.rgb, a.middle), _measures(b.rgb, b.middle)
    left = {name: mine[name] - others[name] for name in mine}
    return left | _off(a.middle, b.middle) if in_place else left


def _measures(rgb: Pixels, middle: Window) -> dict[str, float]:
    nearly, flat = middle.nearly_flat, float(middle.flat.mean())
    chroma = sum(float(second_differences(middle.chroma[..., n]).mean()) for n in (0, 1))
    return {
        "noise": float(np.log(middle.noise + 0.05)),
        "clean": flat / (flat + nearly) if flat + nearly > 0.1 else 0.0,
        "flat": flat,
        "nearly": nearly,
        "colors": float(np.log(middle.count)),
        "palette": float(middle.count <= COLORS),
        "blocks": middle.blockiness,
        "clipped": middle.clipped,
        "fine": float(np.log(float(middle.second.mean()) + 0.05)),
        "edges": float(np.log(float(np.percentile(middle.second, 95)) + 0.1)),
        "chroma": float(np.log(chroma + 0.05)),
        "area": float(np.log(rgb.shape[0] * rgb.shape[1])),
    }


def _off(a: Window, b: Window) -> dict[str, float]:
    """Of what is off between two: whose detail it is, apart by bands and by how much is drawn there.

    In one light. What one lost is all the other's, and gives 1; what it gained, as noise, gives -1.
    """
    scales = [max(2.0, float(middle.luma.std())) for middle in (a, b)]
    usual = float(np.sqrt(scales[0] * scales[1]))
    one, other = (middle.luma * np.float32(usual / s) for middle, s in zip((a, b), scales, strict=True))
    detail = [np.abs(p - cv2.GaussianBlur(p, (0, 0), 2)) for p in (one, other)]
    active = cv2.blur(detail[0] + detail[1], (7, 7))
    low, high = np.percentile(active, (QUIET, BUSY))
    quiet, busy = active <= low, active >= high
    smooth = [cv2.GaussianBlur(p, (0, 0), 0.8) for p in (one, other)]
    fine = one - smooth[0], other - smooth[1]
    below = smooth[0] - cv2.GaussianBlur(one, (0, 0), 1.6), smooth[1] - cv2.GaussianBlur(other, (0, 0), 1.6)
    tints = a.chroma - cv2.GaussianBlur(a.chroma, (0, 0), 1), b.chroma - cv2.GaussianBlur(b.chroma, (0, 0), 1)
    return {
        "only here flat": float((a.flat & ~b.flat).mean() - (b.flat & ~a.flat).mean()),
        "off on edges": _whose(fine, busy),
        "off in quiet": _whose(fine, quiet),
        "off below": _whose(below, busy),
        "colors on edges": _whose(tints, busy),
        "colors in quiet": _whose(tints, quiet),
    }


def _whose(bands: tuple[Band, Band], where: NDArray[np.bool_]) -> float:
    """1 where what is off is detail of the first alone, -1 where it is the other's."""
    one, other = (band[where] for band in bands)
    off = float(np.square(one - other).sum()) + FLOOR * np.count_nonzero(where)
    gained = float(np.square(one).sum()) - float(np.square(other).sum())
    return float(np.clip(gained / max(off, 1e-6), -MOST, MOST))
