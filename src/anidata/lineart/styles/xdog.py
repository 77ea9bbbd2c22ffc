"""XDoG I·S: the sharpened picture times the picture, thresholded; thin clean lines where there is ink, \
solid blacks kept.

    S = (1 + p)·G_σ(I) − p·G_kσ(I),   u = I·S,   line = 1 where u ≥ ε, else 1 + tanh(φ·(u − ε))
    I: luma, 0 to 1

Two-pixel pen lines at 512 px are what the defaults suit. Areas darker than √ε of white come out as ink,
and lines between shapes of which neither is inked are not drawn.
Source: Winnemöller, Kyprianidis, Olsen 2012, "XDoG: An eXtended difference-of-Gaussians compendium";
the product with I in place of the bare response takes away the halo of noise that a sharpened
response has on bright paper.
"""

from dataclasses import dataclass, replace

import cv2
import numpy as np
import numpy.typing as npt

from anidata.lineart.styles._gauss import UNIT, blur

VERSION = 1


@dataclass(frozen=True)
class Config:
    """Thin ink by the eXtended difference of Gaussians."""

    sigma: float = 0.6  # px: the blur that noise is fought with; 0: none
    # Strokes up to about 2·k·sigma px are found by their contrast, wider ones by being black
    k: float = 4.0  # wide blur / narrow blur; 1: no sharpening
    p: float = 6.0  # how far darker-than-around is pushed to black; 0: not at all, a plain threshold of luma
    epsilon: float = 0.015  # of white squared: below is ink; 0: only what sharpening pushed below black
    phi: float = 0.0  # steepness of a soft edge, 10 to 200 for gray rims; 0: hard, black and white only


INK = Config()


def draw(rgb: npt.NDArray[np.uint8], config: Config) -> npt.NDArray[np.uint8]:
    """(h, w, 3) → (h, w): black ink (0) on white (255)."""
    luma = np.asarray(cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY), np.uint8)
    return _threshold(_response(luma, config), config)


def below(luma: npt.NDArray[np.uint8], epsilon: float) -> npt.NDArray[np.uint8]:
    """Mask of the hard ink in a picture (h, w), 0 or 255, for another style to draw with."""
    return np.asarray(
        cv2.bitwise_not(_threshold(_response(luma, INK), replace(INK, epsilon=epsilon))), np.uint8
    )


def _response(luma: npt.NDArray[np.uint8], config: Config) -> npt.NDArray[np.float32]:
    response = blur(luma, config.sigma)
    response *= np.float32(1 + config.p)
    wide = blur(luma, config.k * config.sigma)
    wide *= np.float32(config.p)
    response -= wide
    response *= luma
    return response


def _threshold(response: npt.NDArray[np.float32], config: Config) -> npt.NDArray[np.uint8]:
    scale = 255.0 * 255.0 * UNIT * UNIT  # the response of a white picture
    if config.phi <= 0:
        return (response >= config.epsilon * scale).astype(np.uint8) * np.uint8(255)
    below = np.minimum(response / np.float32(scale) - np.float32(config.epsilon), 0)
    return np.asarray(np.rint(255 * (1 + np.tanh(config.phi * below))), np.uint8)
