"""JPEG: its segments up to the first scan, and the quality that its luma table shows."""

import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass

from anidata.errors import BadImage
from anidata.imaging.headers import check_size

MAX_SEGMENTS = 1 << 16  # before the first scan: 4 GB of ordinary ones
MAX_PROFILE_CHUNKS = 255  # their number is a byte
NOT_FILL = re.compile(rb"[^\xff]")
MAX_SCANS = 500  # each costs a pass over the whole picture, and real ones have ten
STAND_ALONE = {0x00, 0x01, *range(0xD0, 0xD9)}  # markers without a body
FRAMES = set(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
SEQUENTIAL = {0xC0, 0xC1}
TABLES, SCAN, END = 0xDB, 0xDA, 0xD9
APP1, APP2 = 0xE1, 0xE2
END_MARK = bytes([0xFF, END])

# The luma table of ITU T.81, K.1, which libjpeg scales by the quality
LUMA = (
    *(16, 11, 10, 16, 24, 40, 51, 61, 12, 12, 14, 19, 26, 58, 60, 55),
    *(14, 13, 16, 24, 40, 57, 69, 56, 14, 17, 22, 29, 51, 87, 80, 62),
    *(18, 22, 37, 56, 68, 109, 103, 77, 24, 35, 55, 64, 81, 104, 113, 92),
    *(49, 64, 78, 87, 103, 121, 120, 101, 72, 92, 95, 98, 112, 100, 103, 99),
)


def _luma_sum(quality: int) -> int:
    """Sum of libjpeg's table at a quality, 1 to 100."""
    percent = 5000 // quality if quality < 50 else 200 - 2 * quality
    return sum(min(255, max(1, (entry * percent + 50) // 100)) for entry in LUMA)


LUMA_SUMS = [_luma_sum(quality) for quality in range(1, 101)]  # by quality from 1


@dataclass(frozen=True, kw_only=True)
class Jpeg:
    """Statements of a JPEG before its first scan."""

    width: int
    height: int
    channels: int
    alone: bool  # sequential with a single scan: a missing end mark hides no missing scan
    ended: bool  # there is an end mark
    icc: bytes
    exif: bytes
    quality: int  # 1 to 100, by the luma table; 100 where there is none


def read(data: bytes, limit: int) -> Jpeg:
    """Walk the segments before the first scan.

    Raises: BadImage: `truncated` before the first scan, `corrupt` without a frame or with hundreds of scans,
    `too_large`.
    """
    frame, exif, profile, scan, luma = b"", b"", list[bytes](), 0, None
    for marker, start, end in _segments(data):
        body = data[start:end]
        if marker in FRAMES and len(body) > 5 and not frame:
            frame = bytes([marker]) + body
            height, width, channels = struct.unpack_from(">HHB", frame, 2)
            check_size(width, height, limit)
        elif marker == APP1 and body.startswith(b"Exif\0\0") and not exif:
            exif = body
        elif marker == APP2 and body.startswith(b"ICC_PROFILE\0") and len(profile) < MAX_PROFILE_CHUNKS:
            profile.append(body[12:])
        elif marker == TABLES and luma is None:
            luma = _table_sum(body)
        scan = start
    if not frame:
        raise BadImage("corrupt", "the JPEG has no frame header")
    _check_scans(data, scan)
    return Jpeg(
        width=width,
        height=height,
        channels=channels,
        alone=frame[0] in SEQUENTIAL and data[scan : scan + 1] == bytes([channels]),
        ended=data.find(END_MARK, scan) >= 0,
        icc=b"".join(chunk[2:] for chunk in sorted(profile, key=lambda chunk: chunk[:1])),
        exif=exif,
        quality=_quality(luma),
    )


def _check_scans(data: bytes, first: int) -> None:
    scans = data.count(bytes([0xFF, SCAN]), first) + 1
    if scans > MAX_SCANS:
        raise BadImage("corrupt", f"the JPEG has {scans:,} scans; {MAX_SCANS} are the limit")


def _segments(data: bytes) -> Iterator[tuple[int, int, int]]:
    """Marker, start and end of the body of each segment, up to the first scan's header."""
    at = 2
    for _ in range(MAX_SEGMENTS):
        at = data.find(b"\xff", at)
        if at >= 0 and (after := NOT_FILL.search(data, at)):
            at = after.start() - 1
        if at < 0 or at + 4 > len(data):
            raise BadImage("truncated", "the JPEG ends before its picture begins")
        marker = data[at + 1]
        if marker in STAND_ALONE:
            at += 2
            continue
        if marker == END:
            raise BadImage("corrupt", "the JPEG's end mark comes before its picture")
        start, end = at + 4, at + 2 + int.from_bytes(data[at + 2 : at + 4], "big")
        if end > len(data):
            raise BadImage("truncated", "the JPEG ends before its picture begins")
        yield marker, start, end
        if marker == SCAN:
            return
        at = max(end, start)
    raise BadImage("corrupt", f"the JPEG has more than {MAX_SEGMENTS:,} segments before its first scan")


def _table_sum(body: bytes) -> int | None:
    """Sum of table 0, if it is among the quantization tables of a segment."""
    at = 0
    while at < len(body):
        wide, name = body[at] >> 4, body[at] & 15
        size = 128 if wide else 64
        table = body[at + 1 : at + 1 + size]
        if name == 0 and len(table) == size:
            return int(sum(struct.unpack(">64H" if wide else "64B", table)))
        at += 1 + size
    return None


def _quality(luma: int | None) -> int:
    """The quality at which libjpeg's own table has the nearest sum; the highest of equals."""
    if luma is None:
        return 100
    return min(range(100, 0, -1), key=lambda quality: abs(LUMA_SUMS[quality - 1] - luma))
