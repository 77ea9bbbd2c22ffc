"""How little tone a picture has: 0 (some channel spans the full range) to 1 (a single color).

    1 − max over R, G, B of (p99.9 − p0.1) / 255        on the raster of at most 512 px

The channel of the widest range counts, and not luma: two colors of one luma side by side are a picture,
not a flat. The outermost thousandths are left out, so that a few stray pixels don't save a blank page.
Noise of σ = 1 level leaves 1 − 7/255 = .97; a rule rejects above 1 − 12/255 = .953.
"""

import cv2
import numpy as np
import pyarrow as pa

from anidata.imaging.image import Image
from anidata.measures._tones import percentiles

TYPE, VERSION = pa.float32(), 3
TAIL = 0.001  # share of the pixels left out at each end


def measure(image: Image) -> float:
    rows = image.raster[:: max(1, image.raster.size // 3 >> 16)]  # whole rows are quickly taken apart
    ends = [percentiles(np.asarray(channel, np.uint8), TAIL, 1 - TAIL) for channel in cv2.split(rows)]
    return 1 - max(high - low for low, high in ends) / 255
