"""Tars of a few drawings, changed or not."""

import io

import cv2
import numpy as np
import PIL.Image
import webdataset


def encoded(rgb, form="PNG", **options):
    """The bytes of a picture's file."""
    file = io.BytesIO()
    PIL.Image.fromarray(np.ascontiguousarray(rgb)).save(file, form, **options)
    return file.getvalue()


def write(path, pictures):
    """A tar of pictures: key → bytes of a PNG or JPEG."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with webdataset.TarWriter(str(path), encoder=False) as tar:
        for key, data in pictures.items():
            tar.write({"__key__": key, "png" if data.startswith(b"\x89PNG") else "jpg": data})


def mouth(rgb):
    """The same drawing with a patch redrawn, as a PNG."""
    other = rgb.copy()
    cv2.rectangle(other, (150, 150), (190, 175), (255, 30, 30), -1)
    cv2.rectangle(other, (150, 150), (190, 175), (0, 0, 0), 3)
    return encoded(other)
