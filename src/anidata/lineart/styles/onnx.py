"""A learned extractor: any network in an ONNX file that maps a picture to its lines, \
run by onnxruntime. Soft.

    line = N(I) brought back to 0 to 255, and to black on white
    N: the network of the file `path`; I: the picture, as `inputs` says

The file is pinned by its SHA-256 and only what has that is run: without a pin,
another file under the same name would draw other lines unseen. One thread, and a session for each process;
still, the last bits depend on the processor, so other machines may draw a few pixels differently.
A file must hold the whole network: weights in further files are not read, and operators
of further libraries are not loaded. It may take as much memory as a worker for a picture.
Source: ONNX, https://onnx.ai; such networks are informative drawings (Chan, Durand, Isola 2022,
arXiv 2203.12691) or Anime2Sketch (Xiang et al. 2021).
"""

import hashlib
from dataclasses import KW_ONLY, dataclass, replace
from functools import cache
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt

from anidata.errors import BadImage, RecipeError
from anidata.lineart.styles import _network
from anidata.recipe import Count, Positive
from anidata.tar import opening

VERSION = 1
SOFT = True
INEXACT = True
ARGUMENT, PIN = "path", "sha256"  # what follows the colon in `--style onnx:PATH`, and what settling fills in

MOST = 1 << 30  # bytes of a network's file
Inputs = Literal["unit", "signed", "byte", "imagenet"]


@dataclass(frozen=True)
class Config:
    """Lines by a network of your own."""

    path: str = ""  # of the ONNX file
    _: KW_ONLY
    sha256: str = ""  # of its bytes, 64 hex digits; empty: whatever lies there, pinned with the recipe
    size: Count = 0  # px of the long side that it is run at; 0: the picture's own
    multiple: Positive = 8  # px that both sides are made a multiple of, by repeating the border; 1: none
    inputs: Inputs = "unit"  # 0 to 1 · −1 to 1 · 0 to 255 · ImageNet's mean 0 and deviation 1
    outputs: Literal["unit", "signed", "byte"] = "unit"  # what it gives: 0 to 1 · −1 to 1 · 0 to 255
    output: str = ""  # name of the output that is the line; empty: the first
    polarity: Literal["black_on_white", "white_on_black"] = "black_on_white"  # what it gives
    threshold: Count = 0  # grey level below which a line is ink, all else paper; 0: gray, as it gives them
    provider: Literal["cpu", "cuda"] = "cpu"  # cuda: needs onnxruntime-gpu, and gives slightly other grays


def settle(config: Config) -> Config:
    """The config with its path made absolute and its file pinned.

    Raises: RecipeError: no such file, another one than pinned, or no network that maps one picture.
    MissingExtra: onnxruntime isn't installed.
    """
    network = _open(str(_named(config)), config.sha256, config.provider)
    _network.output_of(network, config.output)
    return replace(config, path=network.path, sha256=network.sha256)


def draw(rgb: npt.NDArray[np.uint8], config: Config) -> npt.NDArray[np.uint8]:
    """(h, w, 3) → (h, w): dark lines on white (255).

    Raises: RecipeError: as for `settle`, or what comes out is no picture.
    BadImage: `not_finite` where the network overflows.
    """
    network = _opened(str(_named(config)), config.sha256, config.provider)
    levels = _levels(_network.run(network, rgb, config), config.outputs)
    line = levels if config.polarity == "black_on_white" else 255 - levels
    if config.threshold > 0:
        return (line >= config.threshold).astype(np.uint8) * np.uint8(255)
    return line


def _levels(values: npt.NDArray[np.float32], outputs: str) -> npt.NDArray[np.uint8]:
    """Grey levels of 255 of what a network gives."""
    if not np.isfinite(values).all():
        raise BadImage(
            "not_finite", "the network of the style 'onnx' gives what is no number for this picture"
        )
    scaled = {"unit": values * 255, "signed": (values + 1) * 127.5, "byte": values}[outputs]
    return np.asarray(np.rint(np.clip(scaled, 0, 255)), np.uint8)


def _named(config: Config) -> Path:
    """The file's absolute path."""
    if not config.path:
        raise RecipeError(
            "[lineart.style.onnx] path: which network? "
            "Name its file: --style onnx:MODEL.onnx, or path = 'MODEL.onnx'"
        )
    return Path(config.path).expanduser().absolute()


def _open(path: str, pinned: str, provider: str) -> _network.Network:
    """The network of a file; the very bytes that were hashed are run."""
    try:
        if not Path(path).is_file():
            raise RecipeError(f"[lineart.style.onnx] path: {path}: there is no such file.")
        data = opening.read_bytes(path, MOST)
    except OSError as error:
        why = opening.why(error)
        raise RecipeError(f"[lineart.style.onnx] path: {path}: can't be read ({why}).") from error
    digest = hashlib.sha256(data).hexdigest()
    if pinned and digest != pinned.lower():
        raise RecipeError(
            f"[lineart.style.onnx] sha256: {path} has {digest}, not {pinned}. "
            "Bring the pinned file back, or set sha256 = '' to take this one."
        )
    return _network.load(data, path, digest, provider)


_opened = cache(_open)  # once in a process
