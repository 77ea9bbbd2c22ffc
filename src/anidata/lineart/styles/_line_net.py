"""The package's own network: weights that are what this version was made with, run whole or in tiles.

It maps a picture to the opacity of its ink; benchmarks/lines/net makes, trains and scores it, and its card
lies beside the weights. What it draws of a pixel depends on the 90 px around it alone.
"""

import hashlib
import threading
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Literal

import cv2
import numpy as np
import numpy.typing as npt

from anidata.errors import RecipeError, WeightsError
from anidata.lineart.styles import _network
from anidata.tar import opening

VERSION = 1  # of the weights
SHA256 = "a31b4373e8aa21295fcbda8e8e31bc896a515d2c82de6bc3d3b50d2a220742ee"
WEIGHTS = Path(__file__).parents[1] / "weights" / "net.onnx"
MOST = 1_000_000  # bytes of the file
MULTIPLE = 16  # px that both sides must be a multiple of
FRAME = 8  # px about a picture, so that it draws none at the rim
TILE, MARGIN = 704, 96  # px of a tile's side, and of its rim that is drawn by its neighbor
FULL = 255
HAZE = 5  # levels of opacity: less is paper

ANEW = "Install anidata anew: pip install --force-reinstall --no-deps anidata"
OTHER = "Take onnxruntime: --set lineart.style.net.runtime=onnxruntime, or lineart.style.anime.runtime"

Runtime = Literal["cv2", "onnxruntime"]
Ask = Callable[[npt.NDArray[np.float32]], npt.NDArray[np.float32]]  # (1, 3, h, w) → (1, 1, h, w)


def check(runtime: str) -> None:
    """See that the weights are whole and can be run.

    Raises: WeightsError: they are missing, or others. MissingExtra: the runtime isn't installed.
    RecipeError: it can't open them.
    """
    _opened(runtime)


def opacity(rgb: npt.NDArray[np.uint8], runtime: str) -> npt.NDArray[np.uint8]:
    """Opacity of ink, (h, w), 0 to 255, of a picture (h, w, 3).

    Raises: as for `check`; RecipeError: the runtime fails on this picture.
    """
    ask = _opened(runtime)
    height, width = rgb.shape[:2]
    below, right = (FRAME + -(side + 2 * FRAME) % MULTIPLE for side in (height, width))
    framed = cv2.copyMakeBorder(rgb, FRAME, below, FRAME, right, cv2.BORDER_REPLICATE)
    out = np.empty(framed.shape[:2], np.uint8)
    for rows, inner_rows in _tiles(framed.shape[0]):
        for columns, inner_columns in _tiles(framed.shape[1]):
            tile = _levels(ask, np.asarray(framed[rows, columns], np.uint8))
            out[rows, columns][inner_rows, inner_columns] = tile[inner_rows, inner_columns]
    return out[FRAME : FRAME + height, FRAME : FRAME + width]


def _tiles(side: int) -> Iterator[tuple[slice, slice]]:
    """The stretches of a side, a multiple of 16 px, and of each what it alone draws.

    All are equally long, so that a runtime plans once.
    """
    if side <= TILE:
        yield slice(0, side), slice(0, side)
        return
    inner = TILE - 2 * MARGIN
    starts = [*range(0, side - TILE, inner), side - TILE]
    for start in starts:
        first = MARGIN if start else 0
        last = TILE if start == starts[-1] else TILE - MARGIN
        yield slice(start, start + TILE), slice(first, last)


def _levels(ask: Ask, rgb: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """The opacity of a tile, in levels of 255."""
    ink = ask(np.ascontiguousarray(rgb.transpose(2, 0, 1)[None], np.float32) / np.float32(FULL))
    levels = np.rint(np.clip(ink[0, 0], 0, 1) * FULL).astype(np.uint8)
    return np.asarray(cv2.threshold(levels, HAZE - 1, 0, cv2.THRESH_TOZERO)[1], np.uint8)


@cache
def _opened(runtime: str) -> Ask:
    """The network, opened once in a process."""
    return RUNTIMES[runtime](_weights())


def _weights() -> bytes:
    try:
        data = opening.read_bytes(WEIGHTS, MOST)
    except OSError as error:
        raise WeightsError(f"{WEIGHTS}: can't be read ({opening.why(error)}). {ANEW}") from error
    digest = hashlib.sha256(data).hexdigest()
    if digest != SHA256:
        raise WeightsError(f"{WEIGHTS}: has SHA-256 {digest}, and this version of anidata {SHA256}. {ANEW}")
    return data


def _by_cv2(data: bytes) -> Ask:
    """By OpenCV's own runtime. A network of it answers one question at a time."""
    try:
        net = cv2.dnn.readNetFromONNX(np.frombuffer(data, np.uint8))
    except cv2.error as error:
        raise RecipeError(
            f"OpenCV {cv2.__version__} can't open the network ({_line(error)}). {OTHER}"
        ) from error
    alone = threading.Lock()

    def ask(picture: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        try:
            with alone:
                net.setInput(picture)
                return np.asarray(net.forward(), np.float32)
        except cv2.error as error:
            raise RecipeError(
                f"OpenCV {cv2.__version__} fails to run the network ({_line(error)}). {OTHER}"
            ) from error

    return ask


def _by_onnxruntime(data: bytes) -> Ask:
    network = _network.load(data, str(WEIGHTS), SHA256, "cpu")
    return lambda picture: _network.answer(network, picture, "ink")


RUNTIMES = {"cv2": _by_cv2, "onnxruntime": _by_onnxruntime}  # a network's bytes → what asks it


def _line(error: Exception) -> str:
    """The first line of a message."""
    return str(error).strip().split("\n", 1)[0][:300]
