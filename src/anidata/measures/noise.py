"""Noise of luma in grey levels: the standard deviation that white noise of this strength has; \
0 for clean art.

    √(π/2) / 6 · 10th percentile of the means of |L ∗ N| over squares of 16 px
    N = [1 −2 1; −2 4 −2; 1 −2 1]

in the central window at full resolution. N is blind to edges and gradients;
the tenth part of the squares that has least tells noise, which is everywhere, from texture, which is not.
On pure paper half of it is cut off, and so half is found.
Noise of σ in each of R, G, B alone makes .67 σ of luma. Halving the picture halves noise,
while texture (foliage, parchment, lava) has as much left, or more: what the half has more, √(h² − f²),
is taken off twice, as squares are. In a palette of 256 colors noise counts half: dithering makes some
4 levels of it. Of art 99 % has less than 1.
Source: Immerkær 1996, Fast noise variance estimation
"""

import cv2
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from anidata.imaging.image import Image

TYPE, VERSION = pa.float32(), 2
SQUARE = 16  # px
SHARE = 0.1
FEWEST = 20  # squares; of fewer, that one lies in quiet is chance
SECOND = np.array([1, -2, 1], np.float32)  # N = SECOND SECONDᵀ
SCALE = np.sqrt(np.pi / 2) / 6
AUDIBLE = 1.0  # grey levels; what is less is no matter, and its cause isn't asked for
EXCESS = 2.0  # weight of the texture
PALETTE, DITHERED = 256, 0.5  # colors, and the weight of noise in so few
SAMPLE = 1 << 14  # pixels whose colors are counted, spread evenly


def measure(image: Image) -> float:
    full = _second(image.window)
    if full is None or full < AUDIBLE:
        return full or 0.0
    height, width = (side // 2 for side in image.window.shape)
    halved = cv2.resize(image.window, (width, height), interpolation=cv2.INTER_AREA)
    half = _second(np.asarray(halved, np.uint8)) or 0.0
    noise = float(np.sqrt(max(0.0, full**2 - EXCESS * max(0.0, half**2 - full**2))))
    return noise * DITHERED if _is_of_few_colors(image) else noise


def _second(window: npt.NDArray[np.uint8]) -> float | None:
    """Noise by N, of texture too; None where there are too few squares to tell."""
    height, width = (side // SQUARE * SQUARE for side in window.shape)
    if height * width < FEWEST * SQUARE**2:
        return None
    second = cv2.sepFilter2D(window[:height, :width], cv2.CV_16S, SECOND, SECOND)
    strength = cv2.convertScaleAbs(second)  # beyond 255, as no quiet square is, it is cut
    heaped = cv2.integral(strength)[::SQUARE, ::SQUARE]
    means = (np.diff(np.diff(heaped, axis=0), axis=1) / SQUARE**2).ravel()
    rank = int(SHARE * (means.size - 1))
    return float(SCALE * np.partition(means, rank)[rank])


def _is_of_few_colors(image: Image) -> bool:
    """Whether it is colored, by a palette."""
    step = max(1, round(np.sqrt(image.rgb.size / 3 / SAMPLE)))
    red, green, blue = cv2.split(np.ascontiguousarray(image.rgb[::step, ::step]).astype(np.int32))
    colors = np.unique((red << 16) + (green << 8) + blue)
    colored = colors // 0x10101 * 0x10101 != colors  # R, G and B of a gray are one number
    return colors.size <= PALETTE and bool(np.any(colored))
