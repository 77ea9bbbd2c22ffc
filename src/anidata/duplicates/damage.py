"""Which of two copies has lost more, by many small traces together: none tells it alone.

A small network weighs differences of measures. It has no offsets, so what it says is the same the other way
round with its sign turned. One set of weights is for pictures that lie pixel on pixel, one for those of other
sizes or cuts, both fitted to copies of free art (benchmarks/fit_damage.py), of which some are told to be
derived by what is around them. Beyond PLAIN the answer is damage, named by what shows of the one alone; below
it is a guess, for when nothing but the key tells.
"""

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from anidata.duplicates.page import Page
from anidata.duplicates.traces import COLORS, LEAST, Window
from anidata.tar import opening

Band = NDArray[np.float32]  # (h, w) or (h, w, 2)
Mask = NDArray[np.uint8]  # (h, w): 255 where it counts
Floats = NDArray[np.float64]

GUESS = "traces"
PLAIN = 2.0  # logarithm of the odds
NONE = 0.05  # likewise, below which nothing is said
WEIGHTS = Path(__file__).with_name("damage.csv")
COARSE = 0.9  # the middle step, in those of quality 50, from which blocks show
FINER, FEWER = 1.3, 0.7  # times a step, and times the colors
CLIPPED = 0.01  # share of a picture
FAR = 4.0  # spreads beyond which a measure counts no more
QUIET, BUSY = 40, 75  # percentiles of activity
FLOOR = 0.05  # grey levels squared, of what is off
MOST = 3.0  # of a ratio
MERGED = 0.003  # share of equal colors that were several: from here they were made one
OFTEN = 0.5  # share of pixels whose color others have too, from which it is no chance that the other's agree
RINGING = 0.2  # share of what is nearly flat beside edges, by which a compression shows
RARE = 1e-3  # share of pixels of one color, of which it is chance that the other picture has one too


@dataclass(frozen=True)
class Network:
    """What so many measures, n, count, through k hidden units and directly."""

    names: Sequence[str]
    spread: Floats  # (n,): the measures' units
    direct: Floats  # (n,)
    hidden: Floats  # (n, k)
    out: Floats  # (k,)

    def scaled(self, left: Mapping[str, float]) -> Floats:
        """(n,): the measures in their units."""
        return np.clip(np.array([left[name] for name in self.names]) / self.spread, -FAR, FAR)

    def odds(self, left: Mapping[str, float]) -> float:
        """Logarithm of the odds that the second of two has lost more; left: `differences` of theirs."""
        scaled = self.scaled(left)
        return float(np.tanh(scaled @ self.hidden) @ self.out + scaled @ self.direct)


@cache
def network(part: str) -> Network:
    """The weights for pictures that lie `in place` or `elsewhere`."""
    lines = opening.read_text(WEIGHTS).splitlines()
    rows = [row[1:] for row in csv.reader(lines) if row[0] == part]
    numbers = np.array([row[1:] for row in rows], np.float64)
    spread, direct, hidden = numbers[1:, 0], numbers[1:, 1], numbers[1:, 2:]
    return Network([row[0] for row in rows[1:]], spread, direct, hidden, numbers[0, 2:])


def worse(a: Page, b: Page, *, in_place: bool) -> tuple[str, str] | None:
    """`a` or `b`, whichever has lost more, and what, or GUESS; None where nothing tells.

    in_place: whether both lie pixel on pixel.
    """
    one, other = a.middle, b.middle
    if min(*one.rgb.shape[:2], *other.rgb.shape[:2]) < LEAST or (one.flat.all() and other.flat.all()):
        return None
    if in_place and (mapped := _mapped(one, other)):
        return mapped, _lost(*((one, other) if mapped == "b" else (other, one)))
    left = differences(a, b, in_place=in_place)
    odds = network("in place" if in_place else "elsewhere").odds(left)
    if abs(odds) < NONE or (in_place and _is_renamed(one, other)):
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
    one, other = a.middle, b.middle
    left = {name: value - other.measures[name] for name, value in one.measures.items()}
    left["area"] = float(np.log(a.rgb[..., 0].size) - np.log(b.rgb[..., 0].size))
    return left | _off(one, other) | {"merged": _merged(one, other)} if in_place else left


def _merged(a: Window, b: Window) -> float:
    """How much oftener several colors of the first become one of the second than the reverse, a logarithm.

    Fewer colors, clipping and other light without loss make several colors one, and one never several.
    """
    return float(np.log((_parted(b, a) + RARE) / (_parted(a, b) + RARE)))


def _mapped(a: Window, b: Window) -> str | None:
    """`a` or `b`, whichever is the other with its colors changed one by one, several of them to one.

    Not where the other has a compression's traces that it hasn't: flat colors are not made of noisy ones.
    """
    for name, source, made in (("b", a, b), ("a", b, a)):
        is_clean = source.step == 0 and source.ringing - made.ringing < RINGING
        if is_clean and _parted(source, made) == 0 and _parted(made, source) > MERGED:
            return name
    return None


def _is_renamed(a: Window, b: Window) -> bool:
    """Whether colors that come often were changed one by one, each to one of its own: nothing is lost."""
    return a.repeated.mean() > OFTEN and _parted(a, b) == 0 == _parted(b, a)


def _parted(a: Window, b: Window) -> float:
    """Of neighbors in the first's order of colors that are equal, the share that differs in the second."""
    count = int(np.count_nonzero(a.repeated))
    return int(np.count_nonzero(a.parts(b) & a.repeated)) / max(1, count)


def _off(a: Window, b: Window) -> dict[str, float]:
    """Of what is off between two: whose detail it is, apart by bands and by how much is drawn there.

    In one light. What one lost is all the other's, and gives 1; what it gained, as noise, gives -1.
    """
    scales = [max(2.0, float(middle.luma.std())) for middle in (a, b)]
    usual = float(np.sqrt(scales[0] * scales[1]))
    one, other = (middle.luma * np.float32(usual / s) for middle, s in zip((a, b), scales, strict=True))
    detail = [cv2.absdiff(p, cv2.GaussianBlur(p, (0, 0), 2)) for p in (one, other)]
    active = cv2.blur(detail[0] + detail[1], (7, 7))
    low, high = np.percentile(active[::2, ::2], (QUIET, BUSY))
    quiet, busy = (np.asarray(cv2.inRange(active, *some)) for some in ((-1.0, low), (high, np.inf)))
    smooth = [cv2.GaussianBlur(p, (0, 0), 0.8) for p in (one, other)]
    fine = one - smooth[0], other - smooth[1]
    below = smooth[0] - cv2.GaussianBlur(one, (0, 0), 1.6), smooth[1] - cv2.GaussianBlur(other, (0, 0), 1.6)
    tints = a.chroma - cv2.GaussianBlur(a.chroma, (0, 0), 1), b.chroma - cv2.GaussianBlur(b.chroma, (0, 0), 1)
    return {
        "off on edges": _whose(fine, busy),
        "off in quiet": _whose(fine, quiet),
        "off below": _whose(below, busy),
        "colors on edges": _whose(tints, busy),
        "colors in quiet": _whose(tints, quiet),
    }


def _whose(bands: tuple[Band, Band], where: Mask) -> float:
    """1 where what is off is detail of the first alone, -1 where it is the other's."""
    one, other = (cv2.norm(band, cv2.NORM_L2SQR, where) for band in bands)
    off = cv2.norm(*bands, cv2.NORM_L2SQR, where) + FLOOR * cv2.countNonZero(where)
    return float(np.clip((one - other) / max(off, 1e-6), -MOST, MOST))
