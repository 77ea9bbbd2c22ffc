"""Dark ridges by the Hessian: ink where the picture bends up across a stroke, \
at the scale where it bends most.

    line = 0 where R ≥ t and I is nearer to the darkest beside it than to the lightest, else 255
    R = max over σ of (σ²·λ_σ − a·σ·|∇I_σ|) / r
    I_σ: luma, 0 to 255, blurred by σ = 1, 2, 4 px, each on a picture half as large
    λ_σ = (I_xx + I_yy + √((I_xx − I_yy)² + 4 I_xy²)) / 2

λ is the larger eigenvalue: the bend across the stroke. Scaled by r = √(2/π)·e^(−1/2), R is the contrast
of a stroke 2σ px wide. The border of a fill bends too, but on its slope; taking that off leaves a fifth
of its step instead of half. The comparison of tones keeps a stroke as wide as it is, where a wide σ found it.
Source: Lindeberg 1998, "Edge detection and ridge detection with automatic scale selection",
for λ and its norm; the slope and the tones are our own.
"""

from dataclasses import dataclass
from typing import Annotated

import cv2
import msgspec
import numpy as np
import numpy.typing as npt

from anidata.lineart.styles._gauss import UNIT, blur
from anidata.recipe import Amount, Count

VERSION = 1
Scales = Annotated[int, msgspec.Meta(ge=1, le=8)]
FINE = 32  # parts of a grey level that bends are counted in: with more, sums of them leave int16
ROWS = 128  # worked on at once, so that all steps stay in the cache
PEAK = float(np.sqrt(2 / np.pi) * np.exp(-0.5))  # of σ²·λ in the middle of a stroke 2σ wide, of contrast 1


@dataclass(frozen=True)
class Config:
    """Ink by the bend of the picture."""

    scales: Scales = 3  # octaves from 1 px up, for strokes to about 2·2^scales px; 1: the finest scale alone
    threshold: Amount = 12.0  # grey levels of 255 by which a stroke is darker than beside it; 256: no ink
    slope: Amount = 0.7  # of the slope, taken off the bend; 0: none, borders of fills are drawn as well
    reach: Count = 8  # px in which darkest and lightest are looked for; 0: strokes are as wide as their scale
    full: Amount = 0.0  # grey levels from which on soft lines are black; 0: hard, black and white only


def draw(rgb: npt.NDArray[np.uint8], config: Config) -> npt.NDArray[np.uint8]:
    """(h, w, 3) → (h, w): black ink (0) on white (255)."""
    luma = np.asarray(cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY), np.uint8)
    strength = _strength(luma, config)
    if config.reach > 0:
        strength = cv2.bitwise_and(strength, _dark(luma, 2 * config.reach + 1))
    return np.asarray(cv2.LUT(strength, _lines_of(config)), np.uint8)


def _lines_of(config: Config) -> npt.NDArray[np.uint8]:
    """The line, (256,), that each strength from 0 to 255 gives."""
    strength = np.arange(256)
    if config.full > 0:
        lines = 255 - np.minimum(np.rint(strength * (255 / config.full)), 255)
    else:
        lines = np.where(strength >= config.threshold, 0, 255)
    return np.asarray(lines, np.uint8)


def _strength(luma: npt.NDArray[np.uint8], config: Config) -> npt.NDArray[np.uint8]:
    """The strongest bend of all scales, in grey levels."""
    height, width = luma.shape
    multiple = 1 << (config.scales - 1)  # so that halves are whole
    halved = [cv2.copyMakeBorder(luma, 0, -height % multiple, 0, -width % multiple, cv2.BORDER_REPLICATE)]
    for _ in range(config.scales - 1):
        halved.append(cv2.resize(halved[-1], None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA))
    strongest = np.zeros((1, 1), np.uint8)
    for octave, gray in reversed(list(enumerate(halved))):
        strongest = cv2.resize(strongest, gray.shape[::-1], interpolation=cv2.INTER_LINEAR_EXACT)
        strongest = cv2.max(strongest, _bend(gray, octave, config.slope))
    return np.asarray(strongest[:height, :width], np.uint8)


def _bend(gray: npt.NDArray[np.uint8], octave: int, slope: float) -> npt.NDArray[np.uint8]:
    """R at one scale: at σ = 1 px of a picture halved `octave` times."""
    sigma = (1 - (1 - 0.25**octave) / 12) ** 0.5  # what the means of halving have blurred counts
    levels = np.rint(blur(gray, sigma) * np.float32(FINE / UNIT**2)).astype(np.int16)
    framed = cv2.copyMakeBorder(levels, 1, 1, 1, 1, cv2.BORDER_REPLICATE)
    bands = [_bend_within(framed[top : top + ROWS + 2], slope) for top in range(0, len(levels), ROWS)]
    return np.concatenate(bands)


def _bend_within(framed: npt.NDArray[np.int16], slope: float) -> npt.NDArray[np.uint8]:
    """The same of a picture in parts of a grey level, within its frame of 1 px."""
    middle, across, down = framed[1:-1, 1:-1] * 2, framed[:, 2:] - framed[:, :-2], framed[2:] - framed[:-2]
    xx = framed[1:-1, 2:] + framed[1:-1, :-2] - middle
    yy = framed[2:, 1:-1] + framed[:-2, 1:-1] - middle
    # The cross difference spans 2 px twice: it is 4 times I_xy
    bend = _length(xx - yy, across[2:] - across[:-2], 0.5)
    bend += xx + yy
    if slope > 0:
        # These span 2 px, as the sum above is twice the bend
        bend -= np.float32(slope) * _length(across[1:-1], down[:, 1:-1])
    bend *= np.float32(1 / (2 * PEAK * FINE))
    return np.clip(bend, 0, 255, out=bend).astype(np.uint8)


def _length(a: npt.NDArray[np.int16], b: npt.NDArray[np.int16], scale: float = 1) -> npt.NDArray[np.float32]:
    """√(a² + (scale·b)²).

    By NumPy's own steps, each rounded as IEEE 754 has it, where OpenCV's magnitude may fuse them.
    """
    first, second = a.astype(np.float32), b * np.float32(scale)
    first *= first
    second *= second
    first += second
    return np.asarray(np.sqrt(first, out=first), np.float32)


def _dark(luma: npt.NDArray[np.uint8], side: int) -> npt.NDArray[np.uint8]:
    """Whether a pixel is nearer to the darkest around it than to the lightest, 0 or 255; by a closing."""
    square = np.ones((side, side), np.uint8)
    lightest = cv2.morphologyEx(luma, cv2.MORPH_CLOSE, square, borderType=cv2.BORDER_REPLICATE)
    darkest = cv2.erode(luma, square, borderType=cv2.BORDER_REPLICATE)
    return np.asarray(
        cv2.compare(cv2.subtract(luma, darkest), cv2.subtract(lightest, luma), cv2.CMP_LE), np.uint8
    )
