"""The network's answer for a picture, by any runtime: what goes in, how it is padded, what comes out."""

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np

MULTIPLE = 16  # px
Ask = Callable[[np.ndarray], np.ndarray]  # (1, 3, h, w) → (1, 1, h, w)


def opacity(ask: Ask, rgb: np.ndarray) -> np.ndarray:
    """Opacity of ink, float32 (h, w), of uint8 (h, w, 3): padded right and below with its border."""
    height, width = rgb.shape[:2]
    below, right = -height % MULTIPLE, -width % MULTIPLE
    padded = cv2.copyMakeBorder(rgb, 0, below, 0, right, cv2.BORDER_REPLICATE)
    blob = np.ascontiguousarray(padded.transpose(2, 0, 1)[None], np.float32) / np.float32(255)
    return ask(blob)[0, 0, :height, :width]


def gray(ask: Ask, rgb: np.ndarray) -> np.ndarray:
    """The lines themselves, uint8 (h, w), black on white: 255 · (1 − opacity)."""
    return np.round(255 * (1 - opacity(ask, rgb))).astype(np.uint8)


def by_cv2(path: Path) -> Ask:
    """Through OpenCV's own runtime, as many threads as cv2.setNumThreads says."""
    net = cv2.dnn.readNetFromONNX(str(path))

    def ask(blob: np.ndarray) -> np.ndarray:
        net.setInput(blob)
        return net.forward()

    return ask


def by_onnxruntime(path: Path) -> Ask:
    """Through onnxruntime, one thread."""
    import onnxruntime  # noqa: PLC0415

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    return lambda blob: session.run(None, {"picture": blob})[0]


RUNTIMES = {"cv2": by_cv2, "onnxruntime": by_onnxruntime}
