"""What a picture has lost: steps of JPEG, few colors, clipped light, noise where it was plain.

Marks are of one picture alone, and `worse` compares two of one scale. Where both lie pixel on pixel, more can
be told: a picture whose every pixel follows from the other's color alone was made from it, if the other's
doesn't follow from its own; and what JPEG made of a picture differs by less than half its steps.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from anidata.duplicates.alignment import Pixels, Plane

Code = Literal["blocks", "quality", "banding", "palette", "clipped", "noise"]

SIDE = 256  # px of the window that is looked at, in the middle of the picture
BLOCK = 8
LEAST = 24  # px of a side: less tells nothing
NOTHING = 1.0  # |c| of the 8-bit orthonormal DCT that rounding leaves
FEWEST = 12  # coefficients of a frequency that are more than nothing: from fewer no step can be told
GAP = 0.42  # of their median, that the tenth smallest in a hundred has where they are multiples of one step
STEPPED = 0.6  # of the frequencies that must have steps
COARSE = 14.0  # the middle step, from which blocks show
PLAINLY = 1.3  # times as coarse
OFF = 0.02  # of coefficients that may differ by more than half a step
COLORS = 256  # of a palette
FOLLOWS = 0.995  # of pixels that have their color's one image
CLIPPED = 0.01  # share of a picture
VARIES = 5.0  # grey levels: standard deviation of what is clipped in the other
FLAT = 0.04  # share of a picture that is flat: less tells nothing
FLATTER = 1.25  # times as much
EVERY = 3  # pixels: of one in so many, across and down, the colors are counted

PHASES = np.outer(np.arange(BLOCK), 2 * np.arange(BLOCK) + 1) * np.pi / 16
COSINES = (np.cos(PHASES) * np.where(np.arange(BLOCK) > 0, 0.5, np.sqrt(1 / 8))[:, None]).astype(np.float32)
WEIGHTS = np.array([0.299, 0.587, 0.114], np.float32)


@dataclass(frozen=True)
class Window:
    """The middle of a picture, on its own blocks of 8 px, and what it has lost."""

    rgb: Pixels

    @cached_property
    def coefficients(self) -> NDArray[np.float32]:
        """(n, 8, 8): the DCT of the blocks of luma."""
        height, width = (side // BLOCK * BLOCK for side in self.rgb.shape[:2])
        luma = self.rgb[:height, :width].astype(np.float32) @ WEIGHTS
        blocks = luma.reshape(height // BLOCK, BLOCK, width // BLOCK, BLOCK).swapaxes(1, 2)
        return np.asarray(COSINES @ blocks.reshape(-1, BLOCK, BLOCK) @ COSINES.T, np.float32)

    @cached_property
    def steps(self) -> NDArray[np.float32]:
        """(8, 8): the steps in which each frequency comes, 0 where none can be told."""
        sizes = np.abs(self.coefficients.reshape(-1, BLOCK * BLOCK))
        steps = np.zeros(BLOCK * BLOCK, np.float32)
        for k in range(1, BLOCK * BLOCK):
            some = sizes[sizes[:, k] > NOTHING, k]
            if some.size >= FEWEST:
                low, middle = np.percentile(some, (10, 50))
                steps[k] = low if low > GAP * middle and low > 1.5 else -1
        return steps

    @cached_property
    def step(self) -> float:
        """The middle step, 0 for what was never a JPEG, or can't be told."""
        known = self.steps[self.steps != 0]
        if known.size < 6 or np.mean(known > 0) < STEPPED:
            return 0.0
        return float(np.median(known[known > 0]))

    @cached_property
    def colors(self) -> NDArray[np.int64]:
        """(n,): the colors of some pixels, packed."""
        some = self.rgb[::EVERY, ::EVERY].reshape(-1, 3).astype(np.int64)
        return np.asarray(some @ (65536, 256, 1), np.int64)

    @cached_property
    def count(self) -> int:
        """How many colors there are among them."""
        return len(np.unique(self.colors))

    @cached_property
    def flat(self) -> NDArray[np.bool_]:
        """(h, w): where a pixel has the color of the eight about it."""
        square = np.ones((3, 3), np.uint8)
        return np.asarray((cv2.dilate(self.rgb, square) == cv2.erode(self.rgb, square)).all(axis=2))

    @cached_property
    def luma(self) -> Plane:
        return np.asarray(cv2.cvtColor(self.rgb, cv2.COLOR_RGB2GRAY), np.float32)

    @cached_property
    def noise(self) -> float:
        """Grey levels: what no plane through three by three pixels has, in the quieter half."""
        second = np.abs(cv2.sepFilter2D(self.luma, cv2.CV_32F, np.float32([1, -2, 1]), np.float32([1, -2, 1])))
        means = cv2.blur(second, (9, 9))[4:-4:4, 4:-4:4]
        return float(np.percentile(means, 30)) / 6 if means.size else 0.0


def window(rgb: Pixels) -> Window:
    """The middle of a picture."""
    top, left = (max(0, side - SIDE) // 2 // BLOCK * BLOCK for side in rgb.shape[:2])
    return Window(np.ascontiguousarray(rgb[top : top + SIDE, left : left + SIDE]))


def worse(a: Window, b: Window, *, in_place: bool) -> tuple[str, Code] | None:
    """`a` or `b`, whichever has lost more of what both show, and what; None where neither plainly has.

    in_place: whether both lie pixel on pixel.
    """
    if min(*a.rgb.shape[:2], *b.rgb.shape[:2]) < LEAST:
        return None
    for look in (_by_image, _by_steps, _by_palette, _by_clipping, _by_noise):
        if answer := look(a, b, in_place):
            return answer
    return None


def _by_steps(a: Window, b: Window, in_place: bool) -> tuple[str, Code] | None:
    """The one in coarser steps; of two in steps the one of finer ones if these explain all that differs."""
    (fine, coarse), name = ((a, b), "b") if a.step < b.step else ((b, a), "a")
    if coarse.step < PLAINLY * fine.step or coarse.step == 0:
        return None
    code: Code = "blocks" if coarse.step > COARSE else "quality"
    if fine.step == 0 and _is_spoilt(fine, coarse):
        return None
    if in_place and fine.step > 0 and _explains(fine, coarse):
        return ("a" if name == "b" else "b"), code
    return name, code


def _is_spoilt(clean: Window, stepped: Window) -> bool:
    """Whether what shows no steps may have lost them to something worse."""
    return clean.count <= COLORS < stepped.count or clean.noise > stepped.noise + 0.7


def _explains(stepped: Window, other: Window) -> bool:
    """Whether one picture is the other, rounded to its steps."""
    known = stepped.steps > 0
    off = np.abs(stepped.coefficients - other.coefficients)[:, known]
    return bool(np.mean(off > stepped.steps[known] / 2 + NOTHING) < OFF)


def _by_image(a: Window, b: Window, in_place: bool) -> tuple[str, Code] | None:
    """The one whose pixels follow from the other's colors, which don't follow from its own."""
    if not in_place or a.rgb.shape != b.rgb.shape or a.count == b.count:
        return None
    few, many, name = (a, b, "a") if a.count < b.count else (b, a, "b")
    if many.count < 16 or few.count > 0.98 * many.count:
        return None
    order = np.argsort(many.colors, kind="stable")
    colors, images = many.colors[order], few.colors[order]
    again = colors[1:] == colors[:-1]
    if np.count_nonzero(again) < FEWEST or np.mean(images[1:][again] == images[:-1][again]) < FOLLOWS:
        return None
    if few.count <= COLORS and _noise_within(few, many) > 0.35:
        return None
    if few.count <= COLORS < many.count:
        return name, "palette"
    return name, "clipped" if _lost(few, many) > CLIPPED else "banding"


def _noise_within(flat: Window, other: Window) -> float:
    """Grey levels of noise in the other where the one is flat."""
    where = flat.flat
    if where.mean() < 0.01:
        return 0.0
    second = np.abs(cv2.sepFilter2D(other.luma, cv2.CV_32F, np.float32([1, -2, 1]), np.float32([1, -2, 1])))
    return float(second[where].mean()) / 6


def _by_palette(a: Window, b: Window, in_place: bool) -> tuple[str, Code] | None:
    few, many, name = (a, b, "a") if a.count < b.count else (b, a, "b")
    if few.count > COLORS or many.count < 2 * few.count or few.noise < many.noise + 0.5:
        return None
    return name, "palette"


def _by_clipping(a: Window, b: Window, in_place: bool) -> tuple[str, Code] | None:
    if not in_place or a.rgb.shape != b.rgb.shape:
        return None
    one, other = _lost(a, b), _lost(b, a)
    if max(one, other) < CLIPPED or min(one, other) > 0.3 * max(one, other):
        return None
    return ("a" if one > other else "b"), "clipped"


def _lost(clipped: Window, other: Window) -> float:
    """Share of the channels' pixels at black or white in the one, where the other has several tones."""
    share = 0.0
    for channel in range(3):
        one, two = clipped.rgb[..., channel], other.rgb[..., channel]
        for end in (one == 0, one == 255):
            if end.mean() > CLIPPED and float(two[end].std()) > VARIES:
                free = (two[end] > 8) & (two[end] < 247)
                share += float(free.mean() * end.mean())
    return share / 3


def _by_noise(a: Window, b: Window, in_place: bool) -> tuple[str, Code] | None:
    one, other = float(a.flat.mean()), float(b.flat.mean())
    if max(one, other) < FLAT or max(one, other) < FLATTER * min(one, other):
        return None
    flat, rough, name = (a, b, "b") if one > other else (b, a, "a")
    if flat.count <= COLORS < rough.count and rough.noise < 0.35:
        return None
    return name, "noise"
