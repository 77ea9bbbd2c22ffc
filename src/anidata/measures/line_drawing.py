"""How much of what is drawn is mere line in one tone: 0 (all filled, or colored) to 1 (line art, \
pencil sketch, text).

    thin / (thin + filled)        on the raster of at most 512 px

Both in its darkest channel, where a color is as dark as ink.
filled: what is 24 levels below paper after a closing by 13 px, in which strokes and hatching vanish,
and strokes of color. thin: all else that is 64 levels below paper. Paper is the lightest tone that a tenth
of the picture has. 0 where paper is dark, or the thin is too little to be a drawing.
"""

import cv2
import numpy as np
import pyarrow as pa

from anidata.imaging.image import Image
from anidata.measures._tones import percentiles

TYPE, VERSION = pa.float32(), 1
LIGHTEST, DARKEST_PAPER = 0.9, 150
BRUSH = np.ones((13, 13), np.uint8)  # wider than the widest stroke of pen in a raster of 512 px
TINT, INK = 24, 64  # grey levels below paper
NEUTRAL = 48  # grey levels between the channels: sepia and blue-black are one tone
LEAST = 0.002  # share of the picture


def measure(image: Image) -> float:
    darkest, lightest = image.raster_ends
    paper = percentiles(darkest, LIGHTEST)[0]
    if paper < DARKEST_PAPER or min(darkest.shape) < 4 * len(BRUSH):  # or too small for the brush to tell
        return 0.0
    drawn = darkest < paper - INK
    if np.count_nonzero(drawn) <= LEAST * darkest.size:
        return 0.0
    filled = cv2.morphologyEx(darkest, cv2.MORPH_CLOSE, BRUSH) < paper - TINT
    filled |= drawn & (lightest - darkest > NEUTRAL)
    thin = np.count_nonzero(drawn & ~filled)
    if thin <= LEAST * darkest.size:
        return 0.0
    return float(thin / (thin + np.count_nonzero(filled)))
