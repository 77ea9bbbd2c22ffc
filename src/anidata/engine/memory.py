"""Lack of memory: libraries tell of it in three ways, which mean the same for a picture."""

from collections.abc import Iterator
from contextlib import contextmanager

import cv2

from anidata.errors import BadImage

RUST = ("PanicException", "PyObject pointer is null")  # what a decoder in Rust makes of Python's MemoryError


@contextmanager
def within_memory() -> Iterator[None]:
    """Around what is done with one picture.

    Raises: BadImage: `too_large` where it asked for more memory than a worker may take.
    """
    try:
        yield
    except BaseException as error:  # a panic is no Exception
        if not _is_lack_of_memory(error):
            raise
        raise BadImage("too_large", "more memory than a worker may take") from error


def _is_lack_of_memory(error: BaseException) -> bool:
    if isinstance(error, cv2.error):
        return bool(error.code == cv2.Error.StsNoMem)
    return isinstance(error, MemoryError) or (type(error).__name__, str(error)) == RUST
