"""A frame as it is shown: fields taken apart, the file's own color matrix, square pixels, upright.

Sources: ITU-T H.273 for the codes of matrices; mpv for what untagged video means: from 1280 px across or more
than 576 lines on it is BT.709.
Fields: bwdif, of libavfilter.
"""

from typing import Any

import av
import cv2
import numpy as np
from av.video.reformatter import ColorRange, Colorspace, Interpolation
from numpy.typing import NDArray

from anidata.sources.videos.stream import Moment, Raw

Bytes = NDArray[np.uint8]

MATRICES = {
    1: Colorspace.ITU709,
    4: Colorspace.FCC,
    5: Colorspace.ITU601,
    6: Colorspace.ITU601,
    7: Colorspace.SMPTE240M,
    9: Colorspace.BT2020,
    10: Colorspace.BT2020,
}
EXACT = (
    Interpolation.BICUBIC
    | Interpolation.ACCURATE_RND
    | Interpolation.FULL_CHR_H_INT
    | Interpolation.FULL_CHR_H_INP
    | Interpolation.BITEXACT
)
# grey levels by which a line must differ from both its neighbors, beyond what it differs from
# the next of its own field
TEETH = 12
BLOCK = 32  # px: the side of the squares in which teeth are counted
COMBED = 0.1  # share of a square: noise and fine drawing stay below it
TOO_FINE = 8  # lines: no teeth are looked for in less


def small(frame: Raw, width: int) -> Bytes:
    """BGR, reduced by area to about this width: to compare frames with, its colors not exact."""
    high = max(1, round(frame.height * width / frame.width))
    flags = Interpolation.AREA if frame.width > width else Interpolation.BILINEAR
    reduced = frame.reformat(
        width,
        high,
        "bgr24",
        interpolation=flags,
        src_colorspace=_matrix(frame),
        src_color_range=_range(frame),
        threads=1,
    )
    pixels: Bytes = reduced.to_ndarray()
    return pixels


def picture(moment: Moment, wide: float, combed: bool) -> Bytes:
    """RGB as shown. `wide`: width over height of a pixel."""
    frame = _progressive(moment) if combed else moment.frame
    pixels = rgb(frame)
    if wide != 1:
        height, width = pixels.shape[:2]
        size = (max(1, round(width * wide)), height)
        pixels = cv2.resize(pixels, size, interpolation=cv2.INTER_LANCZOS4).astype(np.uint8)
    return np.ascontiguousarray(np.rot90(pixels, round(moment.frame.rotation / 90)))


def rgb(frame: Raw) -> Bytes:
    """The frame's pixels, taken for sRGB: that is how BT.709's transfer is shown everywhere."""
    conversion = {
        "src_colorspace": _matrix(frame),
        "dst_colorspace": Colorspace.ITU709,
        "src_color_range": _range(frame),
        "dst_color_range": ColorRange.JPEG,
    }
    pixels: Bytes = frame.reformat(format="rgb24", interpolation=EXACT, threads=1, **conversion).to_ndarray()
    return pixels


def _matrix(frame: Raw) -> Colorspace:
    by_size = Colorspace.ITU709 if frame.width >= 1280 or frame.height > 576 else Colorspace.ITU601
    return MATRICES.get(frame.colorspace, by_size)


def _range(frame: Raw) -> ColorRange:
    is_full = frame.color_range == ColorRange.JPEG or frame.format.name.startswith("yuvj")
    return ColorRange.JPEG if is_full else ColorRange.MPEG


def is_combed(moment: Moment) -> bool:
    """Whether two moments of a motion are woven into the frame, line by line.

    The file's flag says little: it is set on whole frames too. Stripes that are drawn don't move, and count
    for nothing.
    """
    here = _luma(moment.frame)
    others = [_luma(frame) for frame in (moment.before, moment.after) if frame is not None]
    if here is None or here.shape[0] < TOO_FINE or not others:
        return False
    moved = [cv2.absdiff(here, other) for other in others if other is not None and other.shape == here.shape]
    if len(moved) < len(others):
        return False
    change = cv2.max(moved[0], moved[-1])[2:-2]
    if cv2.countNonZero(cv2.compare(change, TEETH, cv2.CMP_GT)) < COMBED * BLOCK * BLOCK:
        return False
    return _teeth(here, change) > COMBED


def _teeth(luma: Bytes, change: Bytes) -> float:
    """The largest share of a square that is teeth.

    These are moved lines that differ from the other field more than from their own.
    """
    line, above, below = luma[2:-2], luma[1:-3], luma[3:-1]
    other = cv2.min(cv2.absdiff(line, above), cv2.absdiff(line, below))
    own = cv2.max(cv2.absdiff(line, luma[:-4]), cv2.absdiff(line, luma[4:]))
    teeth = cv2.min(cv2.subtract(other, own), change)
    is_tooth = cv2.compare(teeth, TEETH, cv2.CMP_GT)
    size = (max(1, luma.shape[1] // BLOCK), max(1, luma.shape[0] // BLOCK))
    return float(cv2.resize(is_tooth, size, interpolation=cv2.INTER_AREA).max()) / 255


def _luma(frame: Raw) -> Bytes | None:
    """Brightness as 8 bits, or None where the frame doesn't hold it as a plane."""
    name = frame.format.name
    if not name.startswith(("yuv", "gray", "nv", "p010")):
        return None
    if not frame.format.is_planar and not name.startswith("gray"):
        return None
    plane, bits = frame.planes[0], frame.format.components[0].bits
    values = np.frombuffer(plane, np.uint8 if bits == 8 else np.uint16)
    luma = values.reshape(plane.height, -1)[:, : plane.width]
    return np.ascontiguousarray(luma if bits == 8 else (luma >> (bits - 8)).astype(np.uint8))


def _progressive(moment: Moment) -> Raw:
    """The frame with one of its fields, the other drawn between its lines and its neighbors.

    Of both orders of fields it is the one with fewer teeth.
    """
    orders = ["auto"] if moment.frame.interlaced_frame else ["tff", "bff"]
    made = [_untangled(moment, order) for order in orders]
    return min(made, key=lambda frame: _teeth_left(moment, frame))


def _teeth_left(moment: Moment, frame: Raw) -> float:
    luma, before = _luma(frame), _luma(moment.frame)
    return _teeth(luma, np.full_like(luma[2:-2], 255)) if luma is not None and before is not None else 0.0


def _untangled(moment: Moment, order: str) -> Raw:
    frames = [frame for frame in (moment.before, moment.frame, moment.after) if frame is not None]
    graph = _graph(moment.frame, order)
    for number, frame in enumerate(frames):
        pts, frame.pts = frame.pts, number
        graph.push(frame)
        frame.pts = pts
    graph.push(None)
    return [graph.pull() for _ in frames][frames.index(moment.frame)]


def _graph(frame: Raw, order: str) -> Any:
    graph = av.filter.Graph()
    source = graph.add_buffer(
        width=frame.width, height=frame.height, format=frame.format, time_base=frame.time_base
    )
    filters = [
        source,
        graph.add("bwdif", f"mode=send_frame:parity={order}:deint=all"),
        graph.add("buffersink"),
    ]
    graph.link_nodes(*filters).configure()
    return graph
