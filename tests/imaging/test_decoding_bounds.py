"""Size is judged before a pixel is read, time and memory stay in bounds."""

import struct
import time
import zlib

import numpy as np
import pytest

from anidata.imaging import headers
from anidata.imaging.decode import decode
from files_lab import FILES, HEIGHT, LIMIT, WIDTH, code_of, file, picture, png, saved, with_chunk
from shared import SHARED, needs_shared


@pytest.mark.parametrize("name", [name for name in FILES if name not in ("png 1", "bmp 1")])
def test_a_picture_over_the_limit_is_too_large_and_one_at_it_is_not(name):
    assert code_of(file(name), WIDTH * HEIGHT - 1) == "too_large"
    assert code_of(file(name), WIDTH * HEIGHT) == "ok"


BOMBS = {
    "png": png(65500, 65500, 8, 2, b""),
    "gif": b"GIF89a" + struct.pack("<HH", 65535, 65535) + bytes(3) + file("gif")[13:],
    "webp": b"RIFF"
    + struct.pack("<I", 40)
    + b"WEBPVP8X"
    + struct.pack("<I", 10)
    + bytes(4)
    + b"\xff" * 6
    + bytes(30),
    "bmp": b"BM"
    + struct.pack("<IIIIiiHHIIIIII", 60, 0, 54, 40, 65500, 65500, 1, 24, 0, 0, 0, 0, 0, 0)
    + bytes(6),
    "jpeg": b"\xff\xd8\xff\xc0\0\x11\x08\xff\xdc\xff\xdc\x03\x01\x11\0\x02\x11\x01\x03\x11\x01"
    + file("jpeg")[-300:],
}


@pytest.mark.parametrize("form", BOMBS)
def test_a_picture_that_announces_too_much_is_refused_unread(form):
    start = time.process_time()
    assert code_of(BOMBS[form]) == "too_large"
    assert time.process_time() - start < 0.1  # seconds: 4 billion pixels take some


@pytest.mark.parametrize(
    ("name", "head"),
    [(b"zTXt", b"Comment\0\0"), (b"iCCP", b"icc\0\0"), (b"iTXt", b"XML:com.adobe.xmp\0\1\0\0\0")],
)
def test_a_bomb_in_a_side_chunk_is_not_unpacked(name, head):
    bomb = with_chunk(file("png P"), name, head + zlib.compress(bytes(200 << 20), 9))
    np.testing.assert_array_equal(decode(bomb, LIMIT).rgb, decode(file("png P"), LIMIT).rgb)


def test_a_large_text_chunk_spoils_nothing():
    text = with_chunk(file("png P"), b"zTXt", b"workflow\0\0" + zlib.compress(bytes(range(256)) * 20_000))
    assert code_of(text) == "ok"


def test_a_tiff_whose_pages_go_in_a_circle_ends():
    data = bytearray(saved(picture("RGB"), "TIFF"))
    (page,) = struct.unpack_from("<I", data, 4)
    (entries,) = struct.unpack_from("<H", data, page)
    struct.pack_into("<I", data, page + 2 + 12 * entries, page)
    assert decode(bytes(data), LIMIT).frames == 1


def test_ten_thousand_pages_are_counted_without_reading_them():
    data = bytearray(saved(picture("L"), "TIFF"))
    (page,) = struct.unpack_from("<I", data, 4)
    (entries,) = struct.unpack_from("<H", data, page)
    struct.pack_into("<I", data, page + 2 + 12 * entries, len(data))
    start = len(data)
    for n in range(30_000):
        data += struct.pack("<HI", 0, start + 6 * (n + 1))
    data += struct.pack("<HI", 0, 0)
    begin = time.process_time()
    assert decode(bytes(data), LIMIT).frames == headers.MAX_PAGES
    assert time.process_time() - begin < 0.5  # seconds


def test_a_jpeg_of_a_thousand_scans_is_refused():
    data = file("jpeg progressive")
    assert code_of(data[:-2] + b"\xff\xda\0\x08\x01\x01\0\0\x3f\0" * 1000 + data[-2:]) == "corrupt"


@pytest.mark.slow
@needs_shared
def test_a_large_picture_is_decoded_where_the_limit_allows_it():
    assert decode(
        (SHARED / "data" / "junk/huge_legit_12000x9000.png").read_bytes(), 108_000_000
    ).rgb.shape == (9000, 12000, 3)
