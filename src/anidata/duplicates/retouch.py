"""Whether of two pictures of one size, alike at a glance, one was drawn on: the same file in all but a spot.

What was encoded again differs a little wherever anything is drawn. Where most of that is equal to the last
bit and yet one spot is plainly lighter, darker or of another color, someone moved a lip or drew a border: in
a thumbnail such a line is lost. Only full resolution tells, and only of pairs that were never encoded with
loss in between.

Of copies in fewer colors, in another light or with JPEG's noise, one spot may stand out: with one in the
tones of the other, noise and dither are lost in a mean over a few pixels, what was redrawn isn't. Steps of
a palette differ by as much, but all over the picture.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

from anidata.duplicates import alignment
from anidata.duplicates.alignment import LIGHTNESS, Affine, Mask, Pixels, Plane, lab_of

DRAWN = 12  # grey levels between neighbors: less is a plain ground, which stays equal in many a copy
LEAST = 50  # px of what is drawn
# Of a thumbnail's drawn pixels equal: retouched pairs .75 and more; of 367 labelled copies 7 reach it.
GLANCE = 0.4
SAME = 0.6  # of all drawn pixels equal: retouched pairs .77 and more, copies in fewer colors up to .59
# L* of 100, mean of 3 × 3 px: copies that pass SAME up to 7.4, retouched pairs mostly 10.8 and more.
SPOT = 9.0
# L*a*b* units, likewise: copies up to 12, what is only colored otherwise (a car's tail lights) 18 and more.
STAIN = 14.0
# L*a*b* units, mean of MEAN × MEAN px: copies that pass SAME up to 3.5, lamps that are lit and another shade
# of a tile 5.5 and more.
TINGE = 4.5
# L* of a thumbnail's largest spot: copies mostly have less, another mouth of 3 % of the side 5.9 and more.
SUSPECT = 5.5
SIDE = 448  # px of the long side at which what stands out is looked for
MEAN = 7  # px of a mean: wider than dither and than blocks' ringing
# Grey levels of such a mean; times as much as in two hundredths: copies up to 24, or 6.6 times in one of 600.
OUTSTANDING, ALONE = 10.0, 5.2


def may_be(a: Pixels, b: Pixels) -> bool:
    """Whether two thumbnails, (h, w, 3), are so equal that full resolution is worth a look."""
    return a.shape == b.shape and _equal(a, b) >= GLANCE


def is_retouched(a: Pixels, b: Pixels) -> bool:
    """Whether one of two pictures was drawn on; both at full resolution, (h, w, 3)."""
    if a.shape != b.shape or _equal(a, b) < SAME:
        return False
    off = cv2.subtract(lab_of(a), lab_of(b), dtype=cv2.CV_32F)
    off[..., 0] *= LIGHTNESS
    near, wide = (cv2.blur(off, (side, side)) for side in (3, MEAN))
    if float(np.abs(near[..., 0]).max()) > SPOT or float(np.linalg.norm(near, axis=2).max()) > STAIN:
        return True
    return float(np.linalg.norm(wide, axis=2).max()) > TINGE


def _equal(a: Pixels, b: Pixels) -> float:
    """Share of what is drawn in either that is equal in both; 0 where next to nothing is drawn."""
    drawn = _drawn(a) | _drawn(b)
    total = int(np.count_nonzero(drawn))
    return float(np.count_nonzero(drawn & (a == b).all(axis=2))) / total if total >= LEAST else 0.0


def _drawn(rgb: Pixels) -> NDArray[np.bool_]:
    gray, square = cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY), np.ones((3, 3), np.uint8)
    return np.asarray(cv2.morphologyEx(gray, cv2.MORPH_GRADIENT, square) > DRAWN)


def stands_out(laid: Pixels, ground: Pixels, fit: Affine) -> bool:
    """Whether one spot was drawn otherwise; fit: places in the ground → places in what is laid on it."""
    one, other, shown = _on_one_grid(laid, ground, fit)
    if min(one.shape) < 4 * MEAN or shown.mean() < 0.25:
        return False
    spots, outliers = zip(*(_spot(x, y, shown) for x, y in ((one, other), (other, one))), strict=True)
    spot, outlier = min(zip(spots, outliers, strict=True))
    return bool(spot > OUTSTANDING and spot > ALONE * max(1.0, outlier))


def _on_one_grid(laid: Pixels, ground: Pixels, fit: Affine) -> tuple[Plane, Plane, Mask]:
    """Luma of both, on the grid of the ground, at most SIDE px; and where both show something."""
    scale = min(1.0, SIDE / max(*ground.shape[:2], *laid.shape[:2]))
    small = [_shrunk(p, scale) for p in (laid, ground)]
    if small[0].shape == small[1].shape and alignment.moved(fit) < alignment.STILL:
        return small[0], small[1], np.ones(small[1].shape, np.uint8)
    matrix = alignment.in_pixels(fit, *small)
    if np.linalg.det(matrix[:, :2]) < 1:  # the ground is the larger: both on the other
        back, (first, second) = alignment.in_pixels(alignment.inverse(fit), *small[::-1]), small
        shown = alignment.covered(back, second, first)
        return first, alignment.warped(second, back, first, cv2.INTER_AREA), _inner(shown)
    shown = alignment.covered(matrix, *small)
    return alignment.warped(small[0], matrix, small[1]), small[1], _inner(shown)


def _inner(shown: Mask) -> Mask:
    square = np.ones((2 * MEAN + 1, 2 * MEAN + 1), np.uint8)
    return np.asarray(cv2.erode(shown, square, borderType=cv2.BORDER_CONSTANT, borderValue=0), np.uint8)


def _shrunk(rgb: Pixels, scale: float) -> Plane:
    gray = cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY)
    size = tuple(max(1, round(n * scale)) for n in gray.shape[::-1])
    return np.asarray(cv2.resize(gray, size, interpolation=cv2.INTER_AREA), np.float32)


def _spot(a: Plane, b: Plane, shown: Mask) -> tuple[float, float]:
    """Grey levels: the largest mean of what is off, with a in the tones of b, and one that few exceed."""
    levels = np.clip(a, 0, 255).astype(np.uint8)
    where = shown > 0
    counts = np.bincount(levels[where], minlength=256)
    sums = np.bincount(levels[where], b[where], minlength=256)
    there = np.flatnonzero(counts)
    tones = np.interp(np.arange(256), there, sums[there] / counts[there]).astype(np.float32)
    off = np.abs(cv2.blur(tones[levels] - b, (MEAN, MEAN)))[where]
    return float(off.max()), float(np.percentile(off[::3], 99.5))
