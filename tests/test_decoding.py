from anidata import containers, image
from anidata.errors import BadImage
from anidata.image import decode
