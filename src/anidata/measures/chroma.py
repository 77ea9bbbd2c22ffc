"""How colorful a picture's most colorful hundredth is, in grey levels: 0 (gray) to 255 (a pure color).

    99th percentile of max(R, G, B) − min(R, G, B)        on the raster of at most 512 px

Below 6 a picture is monochrome, whatever mode its file has: JPEG leaves up
to 5 levels of color in gray areas.
"""

import pyarrow as pa

from anidata.imaging.image import Image
from anidata.measures._tones import percentiles

TYPE, VERSION = pa.float32(), 2
SHARE = 0.99  # of the pixels are no more colorful than the value


def measure(image: Image) -> float:
    darkest, lightest = image.raster_ends
    return float(percentiles(lightest - darkest, SHARE)[0])
