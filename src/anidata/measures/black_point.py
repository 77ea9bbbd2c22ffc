"""Luma that all but the darkest hundredth of a picture exceeds: its black, in grey levels, 0 to 255.

1st percentile on the raster of at most 512 px. High in washed-out and overexposed pictures;
good art with soft light and fog has up to 200.
"""

import pyarrow as pa

from anidata.imaging.image import Image
from anidata.measures._tones import levels

TYPE, VERSION = pa.float32(), 1
SHARE = 0.01


def measure(image: Image) -> float:
    return float(levels(image.raster_tones, SHARE)[0])
