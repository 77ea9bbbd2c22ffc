"""Line art, and whether its lines are the darker or the lighter of the two.

A picture is line art if it has no color (in 99 of 100 pixels the channels are within 24 levels) and more
than .55 of it is paper (within 12 levels of the most frequent one, which is 200 or more). All 180 line
drawings that this was tried on are (paper: .68 at least), none of their 180 color pictures, and none of 146
others.

White lines on black are the same in negative, and more: what isn't ground is light (96 levels above it),
has few tones between, is thin, and runs on, so that a moon and stars are none. Of those 180 drawings in
negative 157 are seen as such (as JPEG of quality 60: 158; as chalk with noise: 160), 2 aren't, and 21, in
which white areas weigh as much as lines, can't be told from a dark picture of light things: they are refused.
None of 280 pictures is taken for white lines, or refused: as they are, without color, or at .5 to .1 of
their light.

On transparency white lines are those that leave nothing to see on white paper.
"""

from typing import Literal

import cv2
import numpy as np

from anidata.errors import BadImage
from anidata.imaging import fit
from anidata.imaging.fit import Pixels
from anidata.imaging.image import RASTER
from anidata.imaging.white import on_white

GRAY = 24  # levels of 255 that the channels of a pixel without color are within
PAPER = 200  # the darkest level that paper may have; in negative: 255 - 200 is the lightest of a dark ground
NEAR = 12  # levels about the paper's that count as paper
SHARE = 0.55  # of all pixels: more than this is paper

INK = 24  # levels beside the ground from which on a pixel of the raster is ink
LIGHT = 96  # levels above the ground that a quarter of white ink has at least
SEEN = 64  # levels below white from which on something shows on white paper
LEAST = 0.001  # of the raster: less than this is no ink
WIDE = 1 / 24  # of the long side: what is as wide is an area, no line
AREAS = 0.2  # of white ink, at most, that areas hold
TONES = 0.6  # of the pixels of white ink that are darker than .6 of its level, at most
FLAT = 0.3  # and of white areas
RUNS = 1 / 16  # of the long side: what is shorter is a speck
LINES = 0.5  # of white ink, at least, in what is no speck
LINED = 0.1  # and in lines, where there are areas, too: a moon has none
WHITE = 192  # levels that white lines have above black, at least, and black ones below white

Whites = Literal["", "lines", "areas"]

UNCLEAR = (
    "it is white on black, with areas as well as lines: a drawing in white, or a dark picture? "
    "Say which: --invert for a drawing, --no-invert for a picture"
)
BOTH = (
    "it has black lines and white ones on transparency: on either ground half of them are lost. "
    "Say which are to be seen: --invert for the white ones, --no-invert for the black ones"
)


def is_lineart(rgb: Pixels) -> bool:
    """Whether a picture (h, w, 3) is line art: ink on paper, without color."""
    small = fit.at_most(rgb, RASTER)
    gray = np.asarray(cv2.cvtColor(small, cv2.COLOR_RGB2GRAY), np.uint8)
    paper = paper_of(gray)
    return paper >= PAPER and _is_plain(small, gray, paper)


def black_on_white(layers: Pixels, invert: bool | None = None) -> tuple[Pixels, bool]:
    """A picture (h, w, 3) on white paper, and whether it was inverted: white lines become black ones.

    layers: (h, w), (h, w, 3) or (h, w, 4), as decode.layers gives them. invert: None: where it is white
    lines on black, or on transparency, where they would be lost on white.
    Raises: BadImage: `unclear`, it may be white lines or not.
    """
    rgb, transparency = on_white(layers)
    if invert is None:
        invert = _are_lost(rgb, layers) if transparency else _are_white(rgb)
    if not invert:
        return rgb, False
    return np.asarray(cv2.bitwise_not(_on_black(layers) if transparency else rgb), np.uint8), True


def paper_of(gray: Pixels) -> int:
    """The most frequent level."""
    return int(np.argmax(np.bincount(gray.ravel())))


def darkest(gray: Pixels, width: int, height: int) -> Pixels:
    """A picture (h, w), no larger than it is: each pixel is the darkest of those that it stands for."""
    steps = gray.shape[1] / width, gray.shape[0] / height
    across, down = (int(np.ceil(step)) // 2 * 2 + 1 for step in steps)
    pooled = cv2.erode(gray, np.ones((down, across), np.uint8))
    rows, columns = (
        ((np.arange(n) + 0.5) * step).astype(int)
        for n, step in zip((height, width), steps[::-1], strict=True)
    )
    return np.asarray(pooled[rows[:, None], columns], np.uint8)


def _is_plain(small: Pixels, gray: Pixels, paper: int) -> bool:
    near = np.abs(gray.astype(np.int16) - paper) <= NEAR
    return bool(near.mean() > SHARE and np.percentile(np.ptp(small, axis=2), 99) < GRAY)


def _are_white(rgb: Pixels) -> bool:
    """Whether an opaque picture is white lines on black. Raises: BadImage: it can't be told."""
    whites = _whites(rgb)
    if whites == "areas":
        raise BadImage("unclear", UNCLEAR)
    return whites == "lines"


def _are_lost(rgb: Pixels, layers: Pixels) -> bool:
    """Whether a picture with transparency, `rgb` on white, is white ink that is lost there.

    Raises: BadImage: there is less black ink than white lines.
    """
    black = _on_black(layers)
    dark, light = _ink(cv2.bitwise_not(rgb)), _ink(black)
    if (dark > SEEN).mean() <= LEAST:
        return bool((light > SEEN).mean() > LEAST and _on_ground(black) is not None)
    if light.sum() > dark.sum() and min(dark.max(), light.max()) > WHITE and _whites(black) == "lines":
        raise BadImage("unclear", BOTH)
    return False


def _ink(rgb: np.ndarray) -> Pixels:
    """How far a picture (h, w, 3) is from black, at most, as a raster (h, w)."""
    gray = cv2.bitwise_not(cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY))
    height, width = fit.at_most(gray, RASTER).shape
    return 255 - darkest(gray, width, height)


def _whites(rgb: Pixels) -> Whites:
    """What a picture has of white on black, without color."""
    seen = _on_ground(rgb)
    if seen is None:
        return ""
    (ink, ground), drawn = seen, seen[0] > INK
    if drawn.mean() < LEAST:
        return ""
    peaks = _less(_ink(rgb), ground)
    level = np.percentile(peaks[drawn], 75)
    if level < LIGHT or _share_of_runs(ink, drawn) < LINES:
        return ""
    side = max(3, round(max(ink.shape) * WIDE) // 2 * 2 + 1)
    thin = ink - cv2.morphologyEx(ink, cv2.MORPH_OPEN, np.ones((side, side), np.uint8))
    tones = (peaks[peaks > INK] < 0.6 * level).mean()
    if thin.sum() > (1 - AREAS) * ink.sum() and tones < TONES:
        return "lines"
    return "areas" if tones < FLAT and _share_of_runs(ink, thin > INK) > LINED else ""


def _on_ground(rgb: Pixels) -> tuple[Pixels, int] | None:
    """How much lighter than a dark ground a picture's raster (h, w) is, and that ground.

    None: it has color, or no such ground.
    """
    small = fit.at_most(rgb, RASTER)
    gray = np.asarray(cv2.cvtColor(small, cv2.COLOR_RGB2GRAY), np.uint8)
    ground = paper_of(gray)
    if ground > 255 - PAPER or not _is_plain(small, gray, ground):
        return None
    return _less(gray, ground), ground


def _less(gray: Pixels, level: int) -> Pixels:
    return np.asarray(cv2.subtract(gray, np.full_like(gray, level)), np.uint8)


def _share_of_runs(ink: Pixels, drawn: np.ndarray) -> float:
    """How much of the ink, (h, w), is in pieces of what is drawn that are no specks."""
    count, labels, pieces, _ = cv2.connectedComponentsWithStats(drawn.astype(np.uint8), connectivity=8)
    sides = pieces[:, [cv2.CC_STAT_WIDTH, cv2.CC_STAT_HEIGHT]].max(axis=1)
    sides[0] = 0  # what isn't drawn
    held = np.bincount(labels.ravel(), ink.ravel(), minlength=count)
    return float(held[sides >= max(drawn.shape) * RUNS].sum() / ink.sum())


def _on_black(layers: Pixels) -> Pixels:
    alpha = cv2.cvtColor(cv2.extractChannel(layers, 3), cv2.COLOR_GRAY2RGB)
    return np.asarray(cv2.multiply(cv2.cvtColor(layers, cv2.COLOR_RGBA2RGB), alpha, scale=1 / 255), np.uint8)
