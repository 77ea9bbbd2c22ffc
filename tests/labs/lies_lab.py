"""Pictures whose side information lies: profiles, EXIF, XMP, tags, boxes, markers and counts without end."""

import io
import struct
import zlib
from collections.abc import Callable

import numpy as np
import PIL.Image

import files_lab as files

MIB = 1 << 20
LAUGHS = (
    b'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "ha"><!ENTITY f SYSTEM "file:///etc/passwd">'
    + b"".join(b'<!ENTITY %c "%s">' % (c + 1, b"&%c;" % c * 10) for c in range(97, 110))
    + b']><x:xmpmeta xmlns:x="adobe:ns:meta/" tiff:Orientation="6">&n;&f;</x:xmpmeta>'
)


def segments(*bodies: bytes) -> bytes:
    """A JPEG with segments before its own; each body begins with its marker's byte."""
    jpeg = files.saved(files.picture("RGB"), "JPEG")
    return (
        jpeg[:2]
        + b"".join(b"\xff" + b[:1] + struct.pack(">H", len(b) + 1) + b[1:] for b in bodies)
        + jpeg[2:]
    )


def icc_of(size: int) -> bytes:
    """A profile that says it is of that size, with a tag table of millions."""
    real = bytearray(files.swapped_profile())
    real[:4] = struct.pack(">I", size)
    real[128:132] = struct.pack(">I", 0x00FFFFFF)
    return bytes(real).ljust(size, b"\0")


def exif(entries: int, *, loops: bool) -> bytes:
    """An EXIF block of a directory whose values lie everywhere, and whose links lead back."""
    head = b"Exif\0\0II*\0" + struct.pack("<I", 8)
    kinds = [
        (0x8769, 4, 1, 8),
        (0x8825, 4, 1, 8),
        (0xA005, 4, 1, 8),
        (0x014A, 4, 0x7FFFFFFF, 8),
        (0x0112, 3, 0x7FFFFFFF, 8),
    ]
    rows = [kinds[n % len(kinds)] for n in range(entries)]
    body = b"".join(struct.pack("<HHII", *row) for row in rows)
    return head + struct.pack("<H", entries) + body + struct.pack("<I", 8 if loops else 0)


def tiff(entries: list[tuple[int, int, int, int]], tail: bytes = b"", link: int = 0) -> bytes:
    rows = b"".join(struct.pack("<HHII", *entry) for entry in sorted(entries))
    return (
        b"II*\0"
        + struct.pack("<I", 8)
        + struct.pack("<H", len(entries))
        + rows
        + struct.pack("<I", link)
        + tail
    )


def gray(*more: tuple[int, int, int, int], strips: int = 1, **words: int) -> bytes:
    size = words.get("tail", 1 << 16)
    plain = [(256, 4, 1, 64), (257, 4, 1, 64), (258, 3, 1, 8), (259, 3, 1, 1), (262, 3, 1, 1), (277, 3, 1, 1)]
    where = [(273, 4, strips, 200), (278, 4, 1, 64), (279, 4, strips, 4096 if strips == 1 else 200)]
    names = {tag for tag, *_ in more}
    kept = [entry for entry in plain + where if entry[0] not in names]
    return tiff(kept + list(more), b"\0" * size, link=words.get("link", 0))


def big_tiff(entries: int) -> bytes:
    head = b"II+\0\x08\0\0\0" + struct.pack("<Q", 16) + struct.pack("<Q", entries)
    return head + struct.pack("<HHQQ", 60000, 1, 1, 0) * entries + struct.pack("<Q", 0)


def chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def png(*chunks: bytes) -> bytes:
    plain = files.saved(files.picture("RGB"), "PNG")
    return plain[:33] + b"".join(chunks) + plain[33:]


def packed(size: int) -> bytes:
    packer = zlib.compressobj(9)
    return b"".join([*(packer.compress(bytes(MIB)) for _ in range(size // MIB)), packer.flush()])


def box(name: bytes, body: bytes, size: int | None = None) -> bytes:
    return struct.pack(">I", len(body) + 8 if size is None else size) + name + body


def avif(items: int, *, grid: bool = False) -> bytes:
    """An AVIF that names items without end; grid: the first of 256 × 256 tiles of one other."""
    infe = b"".join(
        box(
            b"infe",
            struct.pack(">IHH", 2 << 24, n & 0xFFFF, 0) + (b"grid" if grid and n == 1 else b"av01") + b"\0",
        )
        for n in range(1, items + 1)
    )
    iinf = box(b"iinf", struct.pack(">IH", 0, min(items, 0xFFFF)) + infe)
    iloc = box(
        b"iloc",
        struct.pack(">IHH", 0, 0x4400, min(items, 0xFFFF))
        + b"".join(struct.pack(">HHHII", n & 0xFFFF, 0, 1, 0, 8) for n in range(1, items + 1)),
    )
    ispe = box(b"ispe", struct.pack(">III", 0, 64, 64))
    iprp = box(b"iprp", box(b"ipco", ispe * 100))
    refs = (
        box(
            b"iref",
            struct.pack(">I", 0) + box(b"dimg", struct.pack(">HH", 1, 65535) + struct.pack(">H", 2) * 65535),
        )
        if grid
        else b""
    )
    meta = box(
        b"meta",
        bytes(4)
        + box(b"hdlr", bytes(8) + b"pict" + bytes(13))
        + box(b"pitm", struct.pack(">IH", 0, 1))
        + iloc
        + iinf
        + iprp
        + refs,
    )
    return box(b"ftyp", b"avif\0\0\0\0avifmif1miaf") + meta + box(b"mdat", bytes(64))


def jp2(width: int, height: int, stated: int) -> bytes:
    """A JPEG 2000 whose box states one size, and whose stream has another, in tiles of a pixel."""
    siz = struct.pack(">HIIIIIIIIH", 0, width, height, 0, 0, 1, 1, 0, 0, 1) + b"\x07\1\1"
    stream = b"\xff\x4f\xff\x51" + struct.pack(">H", len(siz) + 2) + siz
    stream += b"\xff\x52\0\x0c\0\0\0\1\0\5\4\4\0\1" + b"\xff\x5c\0\x13\x40" + bytes(16) + b"\xff\xd9"
    head = box(b"ihdr", struct.pack(">IIHBBBB", stated, stated, 1, 7, 7, 0, 0)) + box(
        b"colr", b"\1\0\0" + struct.pack(">I", 17)
    )
    return (
        b"\0\0\0\x0cjP  \r\n\x87\n"
        + box(b"ftyp", b"jp2 \0\0\0\0jp2 ")
        + box(b"jp2h", head)
        + box(b"jp2c", stream)
    )


def gif(frames: int) -> bytes:
    head = b"GIF89a" + struct.pack("<HHBBB", 64, 64, 0x80, 0, 0) + bytes(6)
    return head + (b"," + struct.pack("<HHHHB", 0, 0, 1, 1, 0) + b"\2\2\x44\1\0") * frames + b";"


def webp(frames: int) -> bytes:
    first = files.saved(files.picture("RGB"), "WEBP", lossless=True)
    body = first[12:]
    frame = (
        bytes(6)
        + struct.pack("<I", files.WIDTH - 1)[:3]
        + struct.pack("<I", files.HEIGHT - 1)[:3]
        + bytes(4)
        + body
    )
    anmf = b"ANMF" + struct.pack("<I", len(frame)) + frame
    vp8x = (
        b"VP8X"
        + struct.pack("<I", 10)
        + b"\2\0\0\0"
        + struct.pack("<I", files.WIDTH - 1)[:3]
        + struct.pack("<I", files.HEIGHT - 1)[:3]
    )
    anim = b"ANIM" + struct.pack("<I", 6) + bytes(6)
    content = b"WEBP" + vp8x + anim + anmf * frames
    return b"RIFF" + struct.pack("<I", len(content)) + content


LIES: dict[str, Callable[[], bytes]] = {
    "jpeg icc": lambda: segments(
        *(b"\xe2ICC_PROFILE\0" + bytes([n % 256, 255]) + icc_of(65000) for n in range(2000))
    ),
    "jpeg exif loops": lambda: segments(b"\xe1" + exif(5000, loops=True)),
    "jpeg laughs": lambda: segments(b"\xe1http://ns.adobe.com/xap/1.0/\0" + LAUGHS),
    "jpeg segments": lambda: segments(*[b"\xe5"] * 8_000_000),
    "jpeg fill": lambda: b"\xff\xd8" + b"\xff" * (64 * MIB) + segments()[2:],
    "jpeg alone": lambda: b"\xff\xd8" + b"\xff\x01" * (32 * MIB) + segments()[2:],
    "jpeg scans": lambda: _scans(400),
    "png icc": lambda: png(chunk(b"iCCP", b"x\0\0" + packed(800 * MIB))),
    "png ztxt": lambda: png(chunk(b"zTXt", b"x\0\0" + packed(800 * MIB))),
    "png itxt": lambda: png(chunk(b"iTXt", b"XML:com.adobe.xmp\0\1\0\0\0" + packed(800 * MIB))),
    "png laughs": lambda: png(chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + LAUGHS)),
    "png exif": lambda: png(chunk(b"eXIf", exif(60000, loops=True)[6:])),
    "png frames": lambda: png(chunk(b"acTL", struct.pack(">II", 0xFFFFFFFF, 0))),
    "png chunks": lambda: png(*[chunk(b"tEXt", b"")] * 2_000_000),
    "tiff pages": lambda: gray(link=8),
    "tiff strips": lambda: gray(strips=12_000_000, tail=52 * MIB),
    "tiff bits": lambda: gray((258, 3, 24_000_000, 200), tail=52 * MIB),
    "tiff samples": lambda: gray((277, 3, 1, 60000)),
    "tiff one strip again": lambda: gray((324, 4, 4_000_000, 200), (325, 4, 4_000_000, 200), tail=52 * MIB),
    "tiff same bytes": lambda: gray(*((40000 + n, 1, 32 * MIB, 200) for n in range(400)), tail=33 * MIB),
    "tiff sub ifds": lambda: gray((330, 4, 1, 8), (34665, 4, 1, 8), (34853, 4, 1, 8), (40965, 4, 1, 8)),
    "tiff laughs": lambda: gray((700, 1, len(LAUGHS), 300), tail=1 << 16),
    "tiff icc": lambda: gray((34675, 7, 50 * MIB, 200), tail=52 * MIB),
    "bigtiff entries": lambda: big_tiff(2_000_000),
    "gif frames": lambda: gif(400_000),
    "gif screen": lambda: b"GIF89a" + struct.pack("<HHBBB", 65535, 65535, 0, 0, 0) + gif(1)[13:],
    "webp frames": lambda: webp(2000),
    "avif items": lambda: avif(10_000),
    "avif more items": lambda: avif(60_000),
    "avif grid": lambda: avif(2, grid=True),
    "avif boxes": lambda: box(b"ftyp", b"avif\0\0\0\0avif") + box(b"free", b"") * 4_000_000,
    "avif size": lambda: box(b"ftyp", b"avif\0\0\0\0avif") + box(b"meta", bytes(100), 0xFFFFFFFF),
    "jp2 stream": lambda: jp2(60000, 60000, 64),
    "jp2 tiles": lambda: jp2(9000, 9000, 9000),
    "jp2 boxes": lambda: files.saved(files.picture("RGB"), "JPEG2000")[:12] + box(b"free", b"") * 4_000_000,
    "bmp colors": lambda: _bmp(),  # noqa: PLW0108  defined below
}


def _scans(count: int) -> bytes:
    """A progressive JPEG of a large picture whose scans come again and again."""
    large = PIL.Image.fromarray(np.zeros((9000, 9000), np.uint8))
    file = io.BytesIO()
    large.save(file, "JPEG", progressive=True, quality=30)
    data = file.getvalue()
    begin = data.index(b"\xff\xda")
    last = data.rindex(b"\xff\xda")
    return data[:last] + data[last:-2] * count + data[-2:] if begin != last else data


def _bmp() -> bytes:
    data = bytearray(files.saved(files.picture("P"), "BMP"))
    data[46:50] = struct.pack("<I", 0x7FFFFFFF)
    return bytes(data)
