"""EXIF turns the picture: eight orientations, and pictures that have none."""

from collections.abc import Callable
from typing import Any

import cv2
import PIL.Image

from anidata.errors import BadImage
from anidata.imaging import foreign
from anidata.imaging.fit import Pixels

TAG = 0x0112
TURNS: dict[int, Callable[[Any], Any]] = {  # orientation → what undoes it
    2: lambda p: cv2.flip(p, 1),
    3: lambda p: cv2.rotate(p, cv2.ROTATE_180),
    4: lambda p: cv2.flip(p, 0),
    5: cv2.transpose,
    6: lambda p: cv2.rotate(p, cv2.ROTATE_90_CLOCKWISE),
    7: lambda p: cv2.rotate(cv2.transpose(p), cv2.ROTATE_180),
    8: lambda p: cv2.rotate(p, cv2.ROTATE_90_COUNTERCLOCKWISE),
}


def upright(rgb: Pixels, exif: bytes) -> Pixels:
    """The picture as its EXIF block wants it seen."""
    turn = TURNS.get(_orientation(exif))
    return turn(rgb) if turn else rgb


def _orientation(exif: bytes) -> int:
    """1 to 8; 1 where there is none, or it can't be read."""
    if not exif:
        return 1
    tags = PIL.Image.Exif()
    try:
        with foreign.decoder():
            tags.load(exif)
            value = tags.get(TAG, 1)
    except BadImage:
        return 1
    return value if isinstance(value, int) else 1
