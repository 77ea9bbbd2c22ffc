"""Quality at which a JPEG file was saved, 1 to 100, as libjpeg counts it; 100 for other forms: \
nothing is known to be lost.

From the sum of the file's luma quantization table, against those of libjpeg's hundred tables.
What a picture went through before it was saved is not known to its file: see jpeg_blocks.
"""

import pyarrow as pa

from anidata.imaging.image import Image

TYPE, VERSION = pa.int32(), 1


def measure(image: Image) -> int:
    return image.quality
