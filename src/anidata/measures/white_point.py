"""Luma that all but the lightest hundredth of a picture stays within: its white, in grey levels, 0 to 255.

99th percentile on the raster of at most 512 px. Low in pictures too dark to see;
white_point − black_point is the contrast.
"""

import pyarrow as pa

from anidata.imaging.image import Image
from anidata.measures._tones import levels

TYPE, VERSION = pa.float32(), 1
SHARE = 0.99


def measure(image: Image) -> float:
    return float(levels(image.raster_tones, SHARE)[0])
