"""Read of a file, before a pixel is decoded, its form, size and frames, and whether all of it is there.

Every reader takes time in proportion to the file's blocks, keeps no more than the file's bytes, and refuses
a picture over `limit` pixels as soon as it has read its size. Pages after the first are counted, never read.
"""

import struct
from typing import NamedTuple

from anidata.errors import BadImage

# Chunks, sub-blocks or pages that are walked: 8 GB of ordinary PNG, 256 MB of ordinary GIF
MAX_BLOCKS = 1 << 20
MAX_ITEMS = 4096  # of an AVIF; a grid of 16k has 1,024 tiles, and libavif takes time by their square
MAX_ENTRIES = 65_535  # of a TIFF's directory, as the classic form has them at most
MAX_VALUES = 1 << 20  # numbers of one TIFF tag: more strips than a picture has rows
MAX_PAGES = 10_000  # of a TIFF; beyond, the count stops
MAGIC = (  # form and the bytes that it begins with
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
)
BITMAP_HEADERS = {12, 16, 40, 52, 56, 64, 108, 124}  # sizes in bytes, from OS/2 to BITMAPV5HEADER

GIF_FRAME, GIF_EXTENSION = 0x2C, 0x21
GIF_MOST = 0xFFFF  # px: no screen can be larger; a frame beyond it is left to Pillow

TIFF_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 7: 1, 16: 8}  # bytes of a value, by type
TIFF_BYTES = {1, 2, 6, 7}  # types whose values stay bytes
TIFF_LAST = 34675  # the color profile: the last tag, in their order, on which pixels depend


class TiffLayout(NamedTuple):
    """The numbers of a TIFF, as struct writes them."""

    order: str
    entries: str  # how many entries a directory has
    entry: str  # tag, type, count, value or where it lies
    link: str  # where the next directory lies
    first: int  # where the first link stands
    room: int  # bytes of a value that stands in its entry

    def number(self, form: str, data: bytes, at: int) -> int:
        return int(struct.unpack_from(self.order + form, data, at)[0])


CLASSIC = TiffLayout(order="<", entries="H", entry="HHII", link="I", first=4, room=4)
BIG = TiffLayout(order="<", entries="Q", entry="HHQQ", link="Q", first=8, room=8)


def sniff(data: bytes) -> str | None:
    """The form of a picture, by content; None for what is no picture that is read here."""
    for form, magic in MAGIC:
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


def read_gif(data: bytes, limit: int) -> tuple[int, bytes]:
    """Frames of a GIF, and the GIF with a screen that its first frame fits on.

    One without its trailer is whole; beyond MAX_BLOCKS sub-blocks the count stops.
    Raises: BadImage: `truncated` within a block, `corrupt` without a frame, `too_large`.
    """
    try:
        width, height = struct.unpack_from("<HH", data, 6)
        check_size(width, height, limit)
        frames, first = _walk_gif(data)
        left, top, wide, high = struct.unpack_from("<HHHH", data, first + 1)
    except (IndexError, struct.error) as error:
        raise BadImage("truncated", "the GIF ends within a block") from error
    right, bottom = max(width, left + wide), max(height, top + high)
    check_size(right, bottom, limit)
    if (right, bottom) == (width, height) or max(right, bottom) > GIF_MOST:
        return frames, data
    return frames, data[:6] + struct.pack("<HH", right, bottom) + data[10:]


def _walk_gif(data: bytes) -> tuple[int, int]:
    """Frames, and where the descriptor of the first one lies."""
    at, frames, blocks, first = 13 + _gif_table(data[10]), 0, 0, 0
    while at < len(data) and blocks < MAX_BLOCKS:
        kind = data[at]
        if kind == GIF_FRAME:
            first = first or at
            at += 11 + _gif_table(data[at + 9])  # the descriptor, its colors, the size of codes
        elif kind == GIF_EXTENSION:
            at += 2
        else:
            break  # the trailer, or what follows a missing one
        while length := data[at]:
            at += 1 + length
            blocks += 1
        at += 1
        blocks += 1
        frames += kind == GIF_FRAME
    if not frames:
        raise BadImage("truncated" if at >= len(data) else "corrupt", "the GIF has no frame")
    return frames, first


def _gif_table(flags: int) -> int:
    """Bytes of the color table that a flag byte announces."""
    return 3 << (flags & 7) + 1 if flags & 0x80 else 0


def read_webp(data: bytes, limit: int) -> int:
    """Frames of a WebP.

    Raises: BadImage: `truncated` where the file is shorter than it says, `corrupt` without a picture,
    `too_large`.
    """
    size, frames = _walk_webp(data)
    if size:
        check_size(*size, limit)
    missing = 8 + int.from_bytes(data[4:8], "little") - len(data)
    if missing > 0:
        raise BadImage("truncated", f"the WebP lacks its last {missing:,} bytes")
    if size is None:
        raise BadImage("corrupt", "the WebP has no picture")
    return max(1, frames)


def _walk_webp(data: bytes) -> tuple[tuple[int, int] | None, int]:
    """Width and height, if they are stated, and the frames of an animation."""
    size, frames, at = None, 0, 12
    for _ in range(MAX_BLOCKS):
        name, body = data[at : at + 4], data[at + 8 : at + 18]
        length = int.from_bytes(data[at + 4 : at + 8], "little")
        if len(body) < 10 and size is None:
            break
        size = size or _webp_size(name, body)
        frames += name == b"ANMF"
        at += 8 + length + (length & 1)
        if at >= len(data):
            break
    return size, frames


def _webp_size(name: bytes, body: bytes) -> tuple[int, int] | None:
    """Width and height, of a chunk that states them."""
    if name == b"VP8X":
        return int.from_bytes(body[4:7], "little") + 1, int.from_bytes(body[7:10], "little") + 1
    if name == b"VP8L":
        bits = int.from_bytes(body[1:5], "little")
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    if name == b"VP8 ":
        return int.from_bytes(body[6:8], "little") & 0x3FFF, int.from_bytes(body[8:10], "little") & 0x3FFF
    return None


def read_tiff(data: bytes) -> tuple[int, bytes]:
    """Pages of a TIFF, and the TIFF with its first page alone.

    Raises: BadImage: `truncated` where the next page, or the first, lies behind the end.
    """
    layout = BIG if data[2:4] in (b"+\0", b"\0+") else CLASSIC
    layout = layout._replace(order="<" if data[:1] == b"I" else ">")
    pages = _tiff_pages(data, layout)
    if not pages:
        raise BadImage("corrupt", "the TIFF has no page")
    first, link = next(iter(pages.items()))
    missing = _tiff_end(data, layout, first) - len(data)
    if missing > 0:
        raise BadImage("truncated", f"the TIFF lacks its last {missing:,} bytes")
    if len(pages) == 1:
        return 1, data
    width = struct.calcsize(layout.link)
    return len(pages), data[:link] + b"\0" * width + data[link + width :]


def _tiff_pages(data: bytes, layout: TiffLayout) -> dict[int, int]:
    """Where each page's directory lies → where the link to the next one stands."""
    pages: dict[int, int] = {}
    entry = struct.calcsize(f"={layout.entry}")
    try:
        directory = layout.number(layout.link, data, layout.first)
        while directory and directory not in pages and len(pages) < MAX_PAGES:
            entries = layout.number(layout.entries, data, directory)
            if entries > MAX_ENTRIES and entry * entries < len(data):
                raise BadImage("corrupt", f"a directory of {entries:,} tags")
            pages[directory] = directory + struct.calcsize(layout.entries) + entry * entries
            directory = layout.number(layout.link, data, pages[directory])
    except (struct.error, OverflowError) as error:
        raise BadImage("truncated", "the TIFF ends before its directory of pages does") from error
    return pages


def _tiff_end(data: bytes, layout: TiffLayout, directory: int) -> int:
    """Where the last value ends of those that a page's directory, which is whole, keeps outside itself.

    Pillow ignores all tags after one that it lacks.
    Raises: BadImage: `corrupt`: a tag has more numbers than any picture's.
    """
    form = layout.order + layout.entry
    start = directory + struct.calcsize(layout.entries)
    end = start + layout.number(layout.entries, data, directory) * struct.calcsize(form)
    ends = [0]
    for tag, kind, count, at in struct.iter_unpack(form, data[start:end]):
        size = count * TIFF_SIZES.get(kind, 0)
        if count > MAX_VALUES and kind not in TIFF_BYTES and size <= len(data):
            raise BadImage("corrupt", f"{count:,} values of tag {tag}")
        if tag <= TIFF_LAST and size > layout.room:
            ends.append(at + size)
    return max(ends)


def check_boxes(data: bytes) -> None:
    """See that the boxes of an AVIF or JPEG 2000 file end where the file does, and a JPEG 2000 stream with
    its end mark.

    Raises: BadImage: `truncated`; `corrupt`: more items or boxes than any picture has.
    """
    if (items := data.count(b"infe")) > MAX_ITEMS and data[4:8] == b"ftyp":
        raise BadImage("corrupt", f"the AVIF has {items:,} items")
    bare = data.startswith(b"\xff\x4f")  # a stream without boxes
    stream = data if bare else _stream_in_boxes(data)
    if stream is not None and not stream.endswith(b"\xff\xd9"):
        raise BadImage("truncated", "the JPEG 2000 stream has no end")


def _stream_in_boxes(data: bytes) -> bytes | None:
    """The JPEG 2000 stream that lies in the last box of its kind."""
    at, stream, boxes = 0, None, 0
    while at < len(data):
        boxes += 1
        if boxes > MAX_ITEMS:
            raise BadImage("corrupt", f"the file has more than {MAX_ITEMS:,} boxes")
        length, head = int.from_bytes(data[at : at + 4], "big"), 8
        if length == 1:
            length, head = int.from_bytes(data[at + 8 : at + 16], "big"), 16
        end = at + max(length, head) if length else len(data)
        if end > len(data):
            raise BadImage("truncated", f"the file lacks its last {end - len(data):,} bytes")
        if data[at + 4 : at + 8] == b"jp2c":
            stream = data[at + head : end]
        at = end
    return stream
