"""What a file says of itself before a pixel is decoded: form, size, frames, color profile, orientation, and whether all of it is there.

Every reader takes time in proportion to the file's blocks, keeps no more than the file's bytes, and refuses a picture over `limit` pixels
as soon as it has read its size. Pages after the first are counted, never read.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass

from anidata.errors import BadImage

MAX_BLOCKS = (
    1 << 20
)  # chunks, sub-blocks or pages that are walked: 8 GB of ordinary PNG, 256 MB of ordinary GIF
MAX_PAGES = 10_000  # of a TIFF; beyond, the count stops
MAX_SCANS = 500  # of a JPEG: each costs a pass over the whole picture, and real ones have ten
BITMAP_HEADERS = {12, 16, 40, 52, 56, 64, 108, 124}  # sizes in bytes, from OS/2 to BITMAPV5HEADER

TIFF_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 7: 1, 16: 8}  # bytes of a value, by type
TIFF_LAST = 34675  # the color profile: the last tag, in their order, on which pixels depend

# The luma table of ITU T.81, K.1, which libjpeg scales by the quality
LUMA = (
    (16, 11, 10, 16, 24, 40, 51, 61, 12, 12, 14, 19, 26, 58, 60, 55, 14, 13, 16, 24, 40, 57, 69, 56, 14, 17, 22, 29, 51, 87, 80, 62)
    + (18, 22, 37, 56, 68, 109, 103, 77, 24, 35, 55, 64, 81, 104, 113, 92, 49, 64, 78, 87, 103, 121, 120, 101, 72, 92, 95, 98, 112, 100, 103, 99)
)  # fmt: skip
LUMA_SUMS = [
    sum(
        min(255, max(1, (entry * (5000 // quality if quality < 50 else 200 - 2 * quality) + 50) // 100))
        for entry in LUMA
    )
    for quality in range(1, 101)
]  # by quality from 1


@dataclass(frozen=True)
class Jpeg:
    width: int
    height: int
    channels: int
    alone: bool  # sequential with a single scan: a missing end mark hides no missing scan
    ended: bool  # there is an end mark
    icc: bytes
    exif: bytes
    quality: int  # 1 to 100, by the luma table; 100 where there is none


def sniff(data: bytes) -> str | None:
    """The form of a picture, by content; None for what is no picture that is read here."""
    for form, magic in (
        ("jpeg", b"\xff\xd8\xff"),
        ("png", b"\x89PNG\r\n\x1a\n"),
        ("gif", b"GIF87a"),
        ("gif", b"GIF89a"),
        ("tiff", b"II*\0"),
        ("tiff", b"MM\0*"),
        ("tiff", b"II+\0"),
        ("tiff", b"MM\0+"),
        ("jpeg2000", b"\0\0\0\x0cjP  \r\n\x87\n"),
        ("jpeg2000", b"\xff\x4f\xff\x51"),
    ):
        if data.startswith(magic):
            return form
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "webp"
    if data[:2] == b"BM" and int.from_bytes(data[14:18], "little") in BITMAP_HEADERS:
        return "bmp"
    brands = data[8 : min(int.from_bytes(data[:4], "big"), 256)] if data[4:8] == b"ftyp" else b""
    return "avif" if b"avif" in brands or b"avis" in brands else None


def check_size(width: int, height: int, limit: int) -> None:
    """Raises: BadImage: `too_large`, or `corrupt` for no pixels at all."""
    if width * height > limit:
        raise BadImage("too_large", f"{width:,} × {height:,} pixels; the limit is {limit:,}")
    if width < 1 or height < 1:
        raise BadImage("corrupt", f"{width} × {height} pixels")


def read_jpeg(data: bytes, limit: int) -> Jpeg:
    """Walk the segments before the first scan.

    Raises: BadImage: `truncated` before the first scan, `corrupt` without a frame or with hundreds of scans, `too_large`.
    """
    frame, exif, profile, scan, luma = b"", b"", [], 0, None
    for marker, start, end in _jpeg_segments(data):
        body = data[start:end]
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC) and len(body) > 5 and not frame:
            frame = bytes([marker]) + body
            height, width, channels = struct.unpack_from(">HHB", frame, 2)
            check_size(width, height, limit)
        elif marker == 0xE1 and body.startswith(b"Exif\0\0") and not exif:
            exif = body
        elif marker == 0xE2 and body.startswith(b"ICC_PROFILE\0"):
            profile.append(body[12:])
        elif marker == 0xDB and luma is None:
            luma = _luma_sum(body)
        scan = start
    if not frame:
        raise BadImage("corrupt", "the JPEG has no frame header")
    if (scans := data.count(b"\xff\xda", scan) + 1) > MAX_SCANS:
        raise BadImage("corrupt", f"the JPEG has {scans:,} scans; {MAX_SCANS} are the limit")
    alone = frame[0] in (0xC0, 0xC1) and data[scan : scan + 1] == bytes([channels])
    icc = b"".join(part[2:] for part in sorted(profile, key=lambda part: part[:1]))
    return Jpeg(width, height, channels, alone, data.find(b"\xff\xd9", scan) >= 0, icc, exif, _quality(luma))


def _luma_sum(body: bytes) -> int | None:
    """Sum of table 0, if it is among the quantization tables of a segment."""
    place = 0
    while place < len(body):
        wide, name = body[place] >> 4, body[place] & 15
        size = 128 if wide else 64
        table = body[place + 1 : place + 1 + size]
        if name == 0 and len(table) == size:
            return int(sum(struct.unpack(">64H" if wide else "64B", table)))
        place += 1 + size
    return None


def _quality(luma: int | None) -> int:
    """The quality at which libjpeg's own table has the nearest sum; the highest of equals."""
    return (
        100
        if luma is None
        else min(range(100, 0, -1), key=lambda quality: abs(LUMA_SUMS[quality - 1] - luma))
    )


def read_gif(data: bytes, limit: int) -> int:
    """Frames of a GIF. One without its trailer is whole; beyond MAX_BLOCKS sub-blocks the count stops.

    Raises: BadImage: `truncated` within a block, `corrupt` without a frame, `too_large`.
    """
    try:
        width, height = struct.unpack_from("<HH", data, 6)
        check_size(width, height, limit)
        return _count_gif(data)
    except (IndexError, struct.error) as error:
        raise BadImage("truncated", "the GIF ends within a block") from error


def read_webp(data: bytes, limit: int) -> int:
    """Frames of a WebP.

    Raises: BadImage: `truncated` where the file is shorter than it says, `corrupt` without a picture, `too_large`.
    """
    missing = 8 + int.from_bytes(data[4:8], "little") - len(data)
    size, frames, place = None, 0, 12
    for _ in range(MAX_BLOCKS):
        name, length, body = (
            data[place : place + 4],
            int.from_bytes(data[place + 4 : place + 8], "little"),
            data[place + 8 : place + 18],
        )
        if len(body) < 10 and size is None:
            break
        size = size or _webp_size(name, body)
        frames += name == b"ANMF"
        place += 8 + length + (length & 1)
        if place >= len(data):
            break
    if size:
        check_size(*size, limit)
    if missing > 0:
        raise BadImage("truncated", f"the WebP lacks its last {missing:,} bytes")
    if size is None:
        raise BadImage("corrupt", "the WebP has no picture")
    return max(1, frames)


def read_tiff(data: bytes) -> tuple[int, bytes]:
    """Pages of a TIFF, and the TIFF with its first page alone.

    Raises: BadImage: `truncated` where the next page, or the first, lies behind the end.
    """
    order, big = ("<" if data[:1] == b"I" else ">"), data[2:4] in (b"+\0", b"\0+")
    count_form, entry, next_form, first = ("Q", 20, "Q", 8) if big else ("H", 12, "I", 4)
    seen: dict[int, int] = {}  # where a page's directory lies → where the place of the next one is written
    try:
        (place,) = struct.unpack_from(order + next_form, data, first)
        while place and place not in seen and len(seen) < MAX_PAGES:
            (entries,) = struct.unpack_from(order + count_form, data, place)
            seen[place] = place + struct.calcsize(count_form) + entry * entries
            (place,) = struct.unpack_from(order + next_form, data, seen[place])
    except (struct.error, OverflowError) as error:
        raise BadImage("truncated", "the TIFF ends before its directory of pages does") from error
    if not seen:
        raise BadImage("corrupt", "the TIFF has no page")
    if (missing := _tiff_end(data, order, big, next(iter(seen))) - len(data)) > 0:
        raise BadImage("truncated", f"the TIFF lacks its last {missing:,} bytes")
    if len(seen) == 1:
        return 1, data
    link, width = next(iter(seen.values())), struct.calcsize(next_form)
    return len(seen), data[:link] + b"\0" * width + data[link + width :]


def _tiff_end(data: bytes, order: str, big: bool, place: int) -> int:
    """Where the last value ends of those that a page's directory, which is whole, keeps outside itself; Pillow ignores all tags after one it lacks."""
    count_form, entry_form, room = ("Q", "HHQQ", 8) if big else ("H", "HHII", 4)
    (entries,), start = (
        struct.unpack_from(order + count_form, data, place),
        place + struct.calcsize(count_form),
    )
    told = struct.iter_unpack(
        order + entry_form, data[start : start + entries * struct.calcsize(order + entry_form)]
    )
    spans = [(at, count * TIFF_SIZES.get(kind, 0)) for tag, kind, count, at in told if tag <= TIFF_LAST]
    return max((at + size for at, size in spans if size > room), default=0)


def check_boxes(data: bytes) -> None:
    """See that the boxes of an AVIF or JPEG 2000 file end where the file does, and a bare JPEG 2000 stream with its end mark.

    Raises: BadImage: `truncated`.
    """
    bare, place, tail = data.startswith(b"\xff\x4f"), 0, data
    while not bare and place < len(data):
        length, head = int.from_bytes(data[place : place + 4], "big"), 8
        if length == 1:
            length, head = int.from_bytes(data[place + 8 : place + 16], "big"), 16
        end = place + max(length, head) if length else len(data)
        if end > len(data):
            raise BadImage("truncated", f"the file lacks its last {end - len(data):,} bytes")
        tail = data[place + head : end] if data[place + 4 : place + 8] == b"jp2c" else tail
        place = end
    if (bare or tail is not data) and not tail.endswith(b"\xff\xd9"):
        raise BadImage("truncated", "the JPEG 2000 stream has no end")


def _jpeg_segments(data: bytes) -> Iterator[tuple[int, int, int]]:
    place = 2
    while True:
        place = data.find(b"\xff", place)
        while place >= 0 and data[place + 1 : place + 2] == b"\xff":  # fill bytes
            place += 1
        if place < 0 or place + 4 > len(data):
            raise BadImage("truncated", "the JPEG ends before its picture begins")
        marker = data[place + 1]
        if marker in (0x00, 0x01) or 0xD0 <= marker <= 0xD8:  # stand alone
            place += 2
            continue
        if marker == 0xD9:
            raise BadImage("corrupt", "the JPEG's end mark comes before its picture")
        start, end = place + 4, place + 2 + int.from_bytes(data[place + 2 : place + 4], "big")
        if end > len(data):
            raise BadImage("truncated", "the JPEG ends before its picture begins")
        yield marker, start, end
        if marker == 0xDA:
            return
        place = max(end, start)


def _count_gif(data: bytes) -> int:
    place, frames, blocks = 13 + _gif_table(data[10]), 0, 0
    while place < len(data) and blocks < MAX_BLOCKS:
        kind = data[place]
        if kind == 0x2C:
            place += 11 + _gif_table(data[place + 9])  # the descriptor, its colors, the size of codes
        elif kind == 0x21:
            place += 2
        else:
            break  # the trailer, or what follows a missing one
        while length := data[place]:
            place += 1 + length
            blocks += 1
        place += 1
        blocks += 1
        frames += kind == 0x2C
    if not frames:
        raise BadImage("truncated" if place >= len(data) else "corrupt", "the GIF has no frame")
    return frames


def _gif_table(flags: int) -> int:
    """Bytes of the color table that a flag byte announces."""
    return 3 << (flags & 7) + 1 if flags & 0x80 else 0


def _webp_size(name: bytes, body: bytes) -> tuple[int, int] | None:
    if name == b"VP8X":
        return int.from_bytes(body[4:7], "little") + 1, int.from_bytes(body[7:10], "little") + 1
    if name == b"VP8L":
        bits = int.from_bytes(body[1:5], "little")
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    if name == b"VP8 ":
        return int.from_bytes(body[6:8], "little") & 0x3FFF, int.from_bytes(body[8:10], "little") & 0x3FFF
    return None
