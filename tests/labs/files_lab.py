"""Picture files of every form, made by Pillow and by hand: for the tests of the decoder, and for damaging."""

import io
import struct
import zlib
from functools import cache

import cv2
import numpy as np
import PIL.Image
from PIL import ImageCms

from anidata.errors import BadImage
from anidata.imaging.decode import decode

LIMIT = 100_000_000  # pixels
ADAM7 = (  # x, y and their steps, of each pass
    (0, 0, 8, 8),
    (4, 0, 8, 8),
    (0, 4, 4, 8),
    (2, 0, 4, 4),
    (0, 2, 2, 4),
    (1, 0, 2, 2),
    (0, 1, 1, 2),
)

WIDTH, HEIGHT = 61, 47  # odd, unequal: turned or padded wrongly, they show


@cache
def art(channels: int = 4) -> np.ndarray:
    """Soft noise with every alpha from 0 to 255, and some color hidden under alpha 0."""
    rng = np.random.default_rng(5)
    pixels = cv2.normalize(
        cv2.GaussianBlur(rng.integers(0, 256, (HEIGHT, WIDTH, 4), np.uint8), (0, 0), 2),
        None,
        0,
        255,
        cv2.NORM_MINMAX,
    )
    pixels[:5, :, 3], pixels[5:9, :, 3] = 0, 255
    return pixels[..., 0] if channels == 1 else np.ascontiguousarray(pixels[..., :channels])


def picture(mode: str) -> PIL.Image.Image:
    if mode == "P+alpha":
        return PIL.Image.fromarray(art()).quantize(64)
    if mode == "I;16":
        return PIL.Image.fromarray(art(1).astype(np.uint16) * 251)
    return PIL.Image.fromarray(art(4 if mode in ("RGBA", "LA") else 3)).convert(mode)


def saved(source: PIL.Image.Image, form: str, **options: object) -> bytes:
    file = io.BytesIO()
    source.save(file, form, **options)
    return file.getvalue()


def chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def png(
    width: int, height: int, depth: int, color: int, rows: bytes, *chunks: bytes, interlaced: bool = False
) -> bytes:
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, color, 0, 0, interlaced))
    return (
        b"\x89PNG\r\n\x1a\n"
        + head
        + b"".join(chunks)
        + chunk(b"IDAT", zlib.compress(rows))
        + chunk(b"IEND", b"")
    )


def packed(values: np.ndarray, depth: int, *, interlaced: bool) -> bytes:
    """A PNG's rows, unfiltered, of samples (h, w, channels)."""
    passes = ADAM7 if interlaced else [(0, 0, 1, 1)]
    rows = [row for x, y, dx, dy in passes for row in values[y::dy, x::dx]]
    return b"".join(b"\0" + _bits(row, depth) for row in rows)


def _bits(row: np.ndarray, depth: int) -> bytes:
    bits = row.reshape(-1, 1) >> np.arange(depth - 1, -1, -1) & 1
    return np.packbits(bits.astype(np.uint8)).tobytes()


def with_chunk(data: bytes, name: bytes, body: bytes) -> bytes:
    """A PNG with one more chunk behind its header."""
    return data[:33] + chunk(name, body) + data[33:]


def swapped_profile() -> bytes:
    """sRGB with red and blue exchanged: a sound profile whose effect needs no color theory to state."""
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    for red, blue in ((b"rXYZ", b"bXYZ"), (b"rTRC", b"bTRC")):
        profile = profile.replace(red, b"\0tmp").replace(blue, red).replace(b"\0tmp", blue)
    return profile


def exif(orientation: int) -> bytes:
    tags = PIL.Image.Exif()
    tags[0x0112] = orientation
    return tags.tobytes()


def code_of(data: bytes, limit: int = LIMIT) -> str:
    """The error's code, or ok."""
    try:
        decode(data, limit)
    except BadImage as error:
        return error.code
    return "ok"


SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
FILES = {
    "jpeg": lambda: saved(picture("RGB"), "JPEG", quality=92),
    "jpeg 4:4:4": lambda: saved(picture("RGB"), "JPEG", quality=92, subsampling=0),
    "jpeg progressive": lambda: saved(picture("RGB"), "JPEG", progressive=True),
    "jpeg gray": lambda: saved(picture("L"), "JPEG"),
    "jpeg cmyk": lambda: saved(picture("CMYK"), "JPEG"),
    "jpeg restarts": lambda: saved(picture("RGB"), "JPEG", restart_marker_blocks=2),
    **{
        f"png {mode}": lambda mode=mode: saved(picture(mode), "PNG")
        for mode in ("1", "L", "LA", "RGB", "RGBA", "P", "P+alpha", "I;16")
    },
    "png icc": lambda: saved(picture("RGB"), "PNG", icc_profile=SRGB),
    "png gray key": lambda: saved(picture("L"), "PNG", transparency=int(art(3)[20, 20].mean())),
    "png color key": lambda: saved(picture("RGB"), "PNG", transparency=tuple(int(v) for v in art(3)[20, 20])),
    "png palette key": lambda: saved(picture("P"), "PNG", transparency=3),
    "gif": lambda: saved(picture("P"), "GIF"),
    "gif transparent": lambda: saved(picture("P"), "GIF", transparency=3),
    "gif interlaced": lambda: saved(picture("L"), "GIF", interlace=1),
    "webp": lambda: saved(picture("RGB"), "WEBP"),
    "webp alpha": lambda: saved(picture("RGBA"), "WEBP"),
    "webp lossless": lambda: saved(picture("RGBA"), "WEBP", lossless=True),
    **{f"bmp {mode}": lambda mode=mode: saved(picture(mode), "BMP") for mode in ("1", "L", "P", "RGB")},
    **{
        f"tiff {mode}": lambda mode=mode: saved(picture(mode), "TIFF")
        for mode in ("1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "I;16")
    },
    "tiff lzw": lambda: saved(picture("RGB"), "TIFF", compression="tiff_lzw"),
    "tiff deflate": lambda: saved(picture("RGBA"), "TIFF", compression="tiff_adobe_deflate"),
    "avif": lambda: saved(picture("RGBA"), "AVIF"),
    "jpeg2000": lambda: saved(picture("RGB"), "JPEG2000"),
}

WHOLE = (
    "jpeg",
    "jpeg progressive",
    "jpeg restarts",
    "png RGB",
    "png P+alpha",
    "webp",
    "webp lossless",
    "gif",
    "tiff lzw",
    "tiff RGB",
    "bmp RGB",
    "jpeg2000",
    "avif",
)


@cache
def file(name: str) -> bytes:
    return FILES[name]()
