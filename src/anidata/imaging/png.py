"""PNG: its chunks walked and checked, its rows unpacked by kornia-rs.

kornia-rs reads gray, RGB and RGBA of 8 and 16 bits, about three times as fast as OpenCV or Pillow (960² px),
and fails on missing rows, which Pillow fills with black. For that, not for speed,
the other layouts are given to it as the one of those
whose rows have the same bytes: a palette of 8 bits is gray, gray with alpha is gray of twice the bits
(or RGBA), and rows of small samples are gray of as many bytes. Small samples that are interlaced are left
to Pillow.
"""

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import cv2
import kornia_rs.io
import numpy as np
from numpy.typing import NDArray

from anidata.errors import BadImage
from anidata.imaging.headers import MAX_BLOCKS, check_size

MAX_PROFILE = 16 << 20  # bytes of an unpacked ICC profile
BROKEN = 64  # bytes of an ICC profile that can't be unpacked
MAGIC = b"\x89PNG\r\n\x1a\n"
GRAY, RGB, PALETTE, GRAY_ALPHA, RGBA = 0, 2, 3, 4, 6  # color types
DEPTHS = {
    GRAY: (1, 2, 4, 8, 16),
    RGB: (8, 16),
    PALETTE: (1, 2, 4, 8),
    GRAY_ALPHA: (8, 16),
    RGBA: (8, 16),
}  # bits a sample
MODES = {GRAY: "mono", RGB: "rgb", RGBA: "rgba"}  # kornia-rs's names
STANDS_FOR = {(GRAY_ALPHA, 8): (16, GRAY), (GRAY_ALPHA, 16): (8, RGBA)}  # with as many bytes a pixel
CHECKED = {b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND"}  # chunks on which the pixels depend
HEADER = 33  # bytes up to the end of the first chunk


@dataclass(frozen=True, kw_only=True)
class Png:
    """A PNG's layout, and its chunks as they are."""

    width: int
    height: int
    depth: int
    color: int
    interlaced: bool
    frames: int
    palette: bytes  # PLTE: three bytes a color
    clear: bytes  # tRNS: the transparent color, or an alpha for each of the palette
    icc: bytes
    exif: bytes
    rows: bytes  # the IDAT chunks, whole


def read(data: bytes, limit: int) -> Png:
    """Walk the chunks, checking those that the pixels depend on. Texts are passed by, packed as they are.

    Raises: BadImage: `truncated` before the end chunk; `corrupt` for a wrong checksum,
    an unknown layout or critical chunk; `too_large`.
    """
    if data[12:16] != b"IHDR" or len(data) < HEADER:
        raise BadImage("truncated" if len(data) < HEADER else "corrupt", "the PNG has no header")
    width, height, depth, color, _, _, interlace = struct.unpack_from(">IIBBBBB", data, 16)
    check_size(width, height, limit)
    if depth not in DEPTHS.get(color, ()) or interlace > 1:
        raise BadImage("corrupt", f"the PNG has a layout that is none: {depth} bits of color type {color}")
    rows, frames, apart = [], 0, False
    side = {b"PLTE": b"", b"tRNS": b"", b"iCCP": b"", b"eXIf": b""}
    for name, start, end in _chunks(data):
        if name == b"IDAT":
            rows.append(data[start - 8 : end + 4])
            apart |= not frames  # the still picture stands outside the animation
        elif name in side:
            side[name] = side[name] or data[start:end]
        frames += name == b"fcTL"
    return Png(
        width=width,
        height=height,
        depth=depth,
        color=color,
        interlaced=interlace == 1,
        frames=max(1, frames + apart * (frames > 0)),
        palette=side[b"PLTE"],
        clear=side[b"tRNS"],
        icc=_unpack_profile(side[b"iCCP"]),
        exif=side[b"eXIf"],
        rows=b"".join(rows),
    )


def pixels(png: Png) -> NDArray[Any]:
    """The samples in their own depth, palettes looked up: (h, w) gray, (h, w, 3) RGB or (h, w, 4) RGBA;
    uint8 or uint16.

    Raises: Exception: of kornia-rs, where the rows are damaged.
    """
    depth, color = _unpacked_as(png)
    width = (png.width * png.depth + 7) // 8 if png.depth < 8 else png.width
    unpack = kornia_rs.io.decode_image_png_u16 if depth == 16 else kornia_rs.io.decode_image_png_u8
    samples = unpack(_written(png, width, depth, color), (png.height, width), MODES[color])
    if png.depth < 8:
        samples = _small(samples[..., 0], png.depth)[:, : png.width, None]
    if png.color == PALETTE:
        return _looked_up(samples[..., 0], png)
    if png.color == GRAY_ALPHA:
        return _gray_alpha(samples, png.depth)
    if png.depth < 8:
        samples = samples * np.uint8(255 // (2**png.depth - 1))
    return keyed(samples[..., 0] if png.color == GRAY else samples, png)


def _unpacked_as(png: Png) -> tuple[int, int]:
    """Depth and color type of the layout that kornia-rs takes it for."""
    if (png.color, png.depth) in STANDS_FOR:
        return STANDS_FOR[png.color, png.depth]
    return max(8, png.depth), GRAY if png.color == PALETTE else png.color


def plain(png: Png) -> bytes:
    """The same picture in the chunks that its pixels need.

    But for a transparent gray: `keyed` sees to that.
    """
    chunks = ((b"PLTE", png.palette), (b"tRNS", png.clear if png.color == PALETTE else b""))
    extra = b"".join(chunk(name, body) for name, body in chunks if body)
    return _written(png, png.width, png.depth, png.color, extra)


def _written(png: Png, width: int, depth: int, color: int, extra: bytes = b"") -> bytes:
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, png.height, depth, color, 0, 0, png.interlaced))
    return b"".join((MAGIC, head, extra, png.rows, chunk(b"IEND", b"")))


def chunk(name: bytes, body: bytes) -> bytes:
    """A chunk with its length and checksum."""
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def _chunks(data: bytes) -> Iterator[tuple[bytes, int, int]]:
    """Name, start and end of the body of each chunk, up to the end chunk."""
    at = len(MAGIC)
    for _ in range(MAX_BLOCKS):
        length, name = int.from_bytes(data[at : at + 4], "big"), data[at + 4 : at + 8]
        end = at + 8 + length
        if end + 4 > len(data):
            raise BadImage("truncated", "the PNG ends before its end chunk")
        if name in CHECKED:
            if zlib.crc32(memoryview(data)[at + 4 : end]) != int.from_bytes(data[end : end + 4], "big"):
                raise BadImage("corrupt", f"the checksum of the PNG's {name.decode()} chunk is wrong")
        elif name[0] & 32 == 0:  # an upper-case first letter: the picture can't be shown without it
            raise BadImage("corrupt", f"the PNG has an unknown critical chunk {name!r}")
        yield name, at + 8, end
        if name == b"IEND":
            return
        at = end + 4
    raise BadImage("corrupt", f"the PNG has more than {MAX_BLOCKS:,} chunks")


def _unpack_profile(chunk: bytes) -> bytes:
    """The ICC profile of an iCCP chunk.

    Where it is broken or a bomb, its first bytes as they are packed: no profile either.
    """
    _, _, packed = chunk.partition(b"\0")
    unpacker = zlib.decompressobj()
    try:
        profile = unpacker.decompress(packed[1:], MAX_PROFILE)
    except zlib.error:
        return packed[:BROKEN]
    return profile if unpacker.eof else packed[:BROKEN]


def _small(rows: NDArray[np.uint8], depth: int) -> NDArray[np.uint8]:
    """(h, bytes) → (h, samples): the bits of each byte from the highest down."""
    shifts = np.arange(8 - depth, -1, -depth, dtype=np.uint8)
    return ((rows[..., None] >> shifts) & np.uint8(2**depth - 1)).reshape(len(rows), -1)


def _looked_up(indices: NDArray[np.uint8], png: Png) -> NDArray[np.uint8]:
    """RGB, or RGBA where the palette has alpha; black for what it lacks, as Pillow has it."""
    table = np.zeros((256, 4), np.uint8)
    table[:, 3] = 255
    colors = np.frombuffer(png.palette[: min(768, len(png.palette) // 3 * 3)], np.uint8).reshape(-1, 3)
    table[: len(colors), :3] = colors
    alphas = np.frombuffer(png.clear[:256], np.uint8)
    table[: len(alphas), 3] = alphas
    return np.take(table if len(alphas) else np.ascontiguousarray(table[:, :3]), indices, axis=0)


def _gray_alpha(samples: NDArray[Any], depth: int) -> NDArray[np.uint8]:
    """8-bit RGBA from what stood for it.

    That was 16-bit gray (gray and alpha in its two bytes) or RGBA (the high bytes at 0 and 2).
    """
    if depth == 8:
        first, last = samples[..., 0] >> 8, samples[..., 0] & 255
    else:
        first, last = samples[..., 0], samples[..., 2]
    gray, alpha = first.astype(np.uint8), last.astype(np.uint8)
    return np.asarray(cv2.merge([gray, gray, gray, alpha]), np.uint8)


def keyed(samples: NDArray[Any], png: Png) -> NDArray[Any]:
    """RGBA of a picture one of whose colors, or gray levels, is transparent.

    Without such a key the picture as it is.
    """
    channels = samples.shape[2] if samples.ndim == 3 else 1
    if channels == 4 or len(png.clear) < 2 * channels:
        return samples
    step = 255 // (2**png.depth - 1) if png.depth < 8 else 1
    key = np.array(struct.unpack_from(f">{channels}H", png.clear)) * step
    color = samples if channels == 3 else np.repeat(samples[..., None], 3, axis=2)
    hidden = (color == key).all(axis=2)
    return np.dstack([color, np.where(hidden, 0, np.iinfo(color.dtype).max).astype(color.dtype)])
