"""What a picture has lost: steps of JPEG, few colors, clipped light, noise where it was plain.

Marks are of one picture alone, and `worse` compares two of one scale. Where both lie pixel on pixel, more can
be told: a picture whose every pixel follows from the other's color alone was made from it, if the other's
doesn't follow from its own; and what JPEG made of a picture differs by less than half its steps.
"""

from typing import Literal

import cv2
import numpy as np

from anidata.duplicates.traces import CLEAN, EVERY, FEWEST, FREQUENCIES, Window

Code = Literal["blocks", "quality", "banding", "palette", "clipped", "noise"]
LEAST = 24  # px of a side: less tells nothing
NOTHING = 0.7  # |c| of the 8-bit orthonormal DCT that rounding leaves
COARSE = 0.9  # the middle step, in those of quality 50, from which blocks show
PLAINLY = 1.3  # times as coarse
HUSHED = 0.3  # grey levels of noise that JPEG may take away
OFF = 0.02  # of coefficients that may differ by more than half a step
FAR_OFF = 0.04  # likewise, that must differ by more than half the finer steps
COLORS = 256  # of a palette
FOLLOWS = 0.995  # of pixels that have their color's one image
CLIPPED = 0.01  # share of a picture
VARIES = 5.0  # grey levels: standard deviation of what is clipped in the other
MERGED = 0.05  # share of a picture that is flat, at least, to tell shades by
SHADES, SHADED = 1.2, 3.0  # grey levels, standard deviation of shades; times the noise
EVERYWHERE = 0.3  # of what is drawn, that has another color
GRAIN = 0.35  # grey levels of noise beyond which many colors are those of noise
FLAT = 0.15  # share of a picture that is flat: less may be flat by chance
ALIKE = 6.0  # grey levels: what was clipped is flat, but off
HEARD = 0.05  # grey levels of noise on what is flat in the other
LOUDER = 4.0  # times as much as the other way round
NESTED = 0.9  # of what is flat with noise, that is flat without
BLURRED = (0.01, 0.12)  # share of a picture that smoothing leaves flat
OFF_LEAST = 1.0  # grey levels, mean square
LIT = 0.02  # other contrast, from which detail can't be held against detail
LOST = 0.72  # share of what is off that is detail of the one
GATHERED = 6.0  # times as much is off where much is drawn
OTHER = {"a": "b", "b": "a"}


def worse(a: Window, b: Window, *, in_place: bool) -> tuple[str, Code] | None:
    """`a` or `b`, whichever has lost more of what both show, and what; None where neither plainly has.

    in_place: whether both lie pixel on pixel.
    """
    if min(*a.rgb.shape[:2], *b.rgb.shape[:2]) < LEAST:
        return None
    in_place = in_place and a.rgb.shape == b.rgb.shape
    looks = [_by_steps, _by_image, _by_palette, _by_clipping]
    if min(a.count, b.count) > COLORS:  # and so no palette, of which a JPEG's colors would follow
        looks[:2] = [_by_image, _by_steps]
    if not in_place or max(a.step, b.step) <= PLAINLY * min(a.step, b.step):
        looks += [_by_noise, _by_loss]  # steps make noise, and take it away
    return next((answer for look in looks if (answer := look(a, b, in_place))), None)


def _by_steps(a: Window, b: Window, in_place: bool) -> tuple[str, Code] | None:
    """The one in coarser steps; of two in steps the one of finer ones if these explain all that differs."""
    (fine, coarse), name = ((a, b), "b") if a.step < b.step else ((b, a), "a")
    if coarse.step < PLAINLY * fine.step or coarse.step == 0:
        return None
    code: Code = "blocks" if coarse.step > COARSE else "quality"
    if not in_place:  # steps may as well have been lost on the way
        return None
    if fine.step > 0:
        return _by_rounding(fine, coarse, name, code)
    if fine.count <= COLORS < coarse.count and fine.flat.mean() <= coarse.flat.mean():
        return None  # a palette, for all that is known
    return (name, code) if _off(coarse, fine) < OFF else None


def _by_rounding(fine: Window, coarse: Window, name: str, code: Code) -> tuple[str, Code] | None:
    """Of two in steps the one that is the other, rounded; name: of the coarse one."""
    if _off(fine, coarse) < OFF:
        return OTHER[name], code
    return (name, code) if _off(coarse, fine) < OFF and _off(fine, coarse) > FAR_OFF else None


def _off(stepped: Window, other: Window) -> float:
    """Share of what differs by more than if one picture were the other, rounded to its steps."""
    known = stepped.steps > 0
    both = stepped.unclipped & other.unclipped
    u, v = FREQUENCIES[:, known]
    if not both.any():
        return 1.0
    one, two = stepped.coefficients[both][:, u, v], other.coefficients[both][:, u, v]
    gain = float((one * two).sum()) / max(1.0, float(np.square(two).sum()))  # in another light
    off = np.abs(one - gain * two)
    return float(np.mean(off > stepped.steps[known] / 2 + NOTHING))


def _by_image(a: Window, b: Window, in_place: bool) -> tuple[str, Code] | None:
    """The one whose pixels follow from the other's colors, which don't follow from its own."""
    if not in_place or a.count == b.count:
        return None
    few, many, name = (a, b, "a") if a.count < b.count else (b, a, "b")
    if many.count < 16 or few.count > 0.98 * many.count or not _follows(few, many):
        return None
    if few.count > COLORS:
        return name, "clipped" if _lost(few, many) > CLIPPED else "banding"
    if many.noise_on(few.flat) > GRAIN and not _merges(few, many):
        return None
    if many.count > COLORS:
        return name, "palette"
    return name, "clipped" if _lost(few, many) > CLIPPED else "banding"


def _follows(few: Window, many: Window) -> bool:
    """Whether pixels of one color in one are of one color in the other, which has others all over."""
    drawn = ~(few.flat & many.flat)[::EVERY, ::EVERY].ravel()
    total = int(np.count_nonzero(drawn))
    if np.count_nonzero(drawn & (few.colors != many.colors)) < EVERYWHERE * max(1, total):
        return False  # drawn on, and not another picture
    order = np.argsort(many.colors, kind="stable")
    colors, images = many.colors[order], few.colors[order]
    again = colors[1:] == colors[:-1]
    if np.count_nonzero(again) < FEWEST:
        return False
    return bool(np.mean(images[1:][again] == images[:-1][again]) >= FOLLOWS)


def _by_palette(a: Window, b: Window, in_place: bool) -> tuple[str, Code] | None:
    few, many, name = (a, b, "a") if a.count < b.count else (b, a, "b")
    if not in_place or many.count < 2 * few.count or not _merges(few, many):
        return None
    return name, "palette" if few.count <= COLORS else "banding"


def _merges(few: Window, many: Window) -> bool:
    """Whether one has a single color where the other has shades, and not mere noise."""
    if few.flat.mean() < MERGED:
        return False
    deep = (cv2.erode(few.flat.astype(np.uint8), np.ones((3, 3), np.uint8)) > 0)[::EVERY, ::EVERY].ravel()
    if np.count_nonzero(deep) < FEWEST:
        return False
    _, color = np.unique(few.colors[deep], return_inverse=True)
    tones = cv2.blur(many.luma, (5, 5))[::EVERY, ::EVERY].ravel()[deep]
    usual = np.bincount(color, tones) / np.bincount(color)
    shades = float((tones - usual[color]).std())
    return shades > max(SHADES, SHADED * many.noise_on(few.flat))


def _by_clipping(a: Window, b: Window, in_place: bool) -> tuple[str, Code] | None:
    if not in_place:
        return None
    one, other = _lost(a, b), _lost(b, a)
    if max(one, other) < CLIPPED or min(one, other) > 0.3 * max(one, other):
        return None
    return ("a" if one > other else "b"), "clipped"


def _lost(clipped: Window, other: Window) -> float:
    """Share of the channels' pixels at black or white in the one, where the other has several tones."""
    share, square = 0.0, np.ones((5, 5), np.uint8)
    means = cv2.blur(other.rgb, (3, 3))
    for channel in range(3):
        one, two = clipped.rgb[..., channel], means[..., channel]
        for end in (0, 255):
            deep = cv2.erode((one == end).astype(np.uint8), square) > 0
            if deep.mean() > CLIPPED / 4 and float(two[deep].std()) > VARIES:
                share += float(((two[deep] > 8) & (two[deep] < 247)).mean() * deep.mean())
    return share / 3


def _by_noise(a: Window, b: Window, in_place: bool) -> tuple[str, Code] | None:
    """The one with noise where the other is plain, or plain where the other has more to show."""
    if not in_place:
        return _by_cleanness(a, b)
    near = np.abs(cv2.blur(a.luma - b.luma, (5, 5))) < ALIKE
    on_a, on_b = b.noise_on(a.flat & near), a.noise_on(b.flat & near)
    is_of_few = min(a.count, b.count) <= COLORS
    flat_a, flat_b = float(a.flat.mean()), float(b.flat.mean())
    for name, clean, noisy, noise, back, other in (
        ("b", a, b, on_a, on_b, flat_b),
        ("a", b, a, on_b, on_a, flat_a),
    ):
        share = float(clean.flat.mean())
        kept = float((clean.flat & noisy.flat).mean()) / max(1e-6, float(noisy.flat.mean()))
        if noise < HEARD or noise < LOUDER * back:
            continue
        if clean.count <= COLORS < noisy.count and clean.noise > noisy.noise + HUSHED / 2:
            continue  # dither
        if _merges(clean, noisy):
            return OTHER[name], "palette" if clean.count <= COLORS else "banding"
        if share > FLAT and (kept > NESTED or other < 0.2 * share):
            return name, "noise"
        if (
            not is_of_few
            and BLURRED[0] < share < BLURRED[1]
            and other < 0.25 * share
            and 3 * HEARD < noise < 0.9
        ):
            return OTHER[name], "quality"
    return None


def _by_loss(a: Window, b: Window, in_place: bool) -> tuple[str, Code] | None:
    """The one that lacks detail which the other has, and has none for it: what is off follows the other's."""
    if not in_place or min(a.count, b.count) <= COLORS:
        return None
    one, other = a.fine, b.fine
    off = one - other
    total, active = float(np.square(off).mean()), cv2.blur(np.square(one) + np.square(other), (9, 9))
    if total < OFF_LEAST or abs(float(a.luma.std() / max(1.0, b.luma.std())) - 1) > LIT:
        return None
    quiet, busy = np.percentile(active[::3, ::3], (30, 80))
    spread = cv2.blur(np.square(off), (3, 3))
    if spread[active >= busy].mean() < GATHERED * max(0.02, spread[active <= quiet].mean()):
        return None  # noise, which is everywhere
    share = float((off * one).mean()) / total
    if LOST < share < 1.3:
        return "b", "quality"
    return ("a", "quality") if -0.3 < share < 1 - LOST else None


def _by_cleanness(a: Window, b: Window) -> tuple[str, Code] | None:
    clean, dirty, name = (a, b, "b") if a.cleanness > b.cleanness else (b, a, "a")
    is_plain = clean.cleanness > CLEAN and dirty.cleanness < clean.cleanness - 0.1
    return (name, "noise") if is_plain else None
