"""A picture that is cut or changed is whole, or fails with a code: never half shown."""

import numpy as np
import PIL.Image
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from anidata.errors import BadImage
from anidata.imaging.decode import decode
from files_lab import FILES, HEIGHT, LIMIT, WHOLE, WIDTH, chunk, code_of, file, png, saved


@pytest.mark.parametrize("name", WHOLE)
@pytest.mark.parametrize("share", [0.3, 0.6, 0.95])
def test_a_truncated_picture_fails_as_truncated(name, share):
    data = file(name)
    assert code_of(data[: int(len(data) * share)]) == "truncated"


@pytest.mark.parametrize("name", ["jpeg", "jpeg progressive", "jpeg restarts"])
def test_cut_at_any_byte_a_jpeg_is_never_shown_in_part(name):
    data, whole = file(name), decode(file(name), LIMIT).rgb
    shown = [end for end in range(4, len(data)) if code_of(data[:end]) != "truncated"]
    assert min(shown, default=len(data)) >= len(data) - 3  # the end mark alone is missing, or bits that pad
    for end in shown:
        np.testing.assert_array_equal(decode(data[:end], LIMIT).rgb, whole)


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(list(FILES)), st.floats(0, 1))
def test_cut_anywhere_a_picture_is_whole_or_fails(name, share):
    data = file(name)
    try:
        seen = decode(data[: int(len(data) * share)], LIMIT)
    except BadImage:
        return
    np.testing.assert_array_equal(seen.rgb, decode(data, LIMIT).rgb)


@settings(max_examples=300, deadline=None)
@given(
    st.sampled_from(list(FILES)),
    st.lists(
        st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255), st.integers(0, 3)),
        min_size=1,
        max_size=4,
    ),
)
def test_changed_anywhere_a_picture_decodes_or_is_a_bad_image(name, changes):
    data = bytearray(file(name))
    for share, value, kind in changes:
        at = int(share * len(data))
        written = (bytes([value]), bytes([data[at] ^ 1 << value % 8]), bytes([value]) * 5, b"")[kind]
        data[at : at + (1, 1, 0, 9)[kind]] = written
    code_of(bytes(data), 1_000_000)


@pytest.mark.parametrize(
    "name", ["jpeg", "jpeg progressive", "png RGB", "gif", "webp", "bmp RGB", "tiff RGB"]
)
def test_bytes_behind_the_end_are_ignored(name):
    np.testing.assert_array_equal(
        decode(file(name) + b"\xff\xd8\xff tail" * 9, LIMIT).rgb, decode(file(name), LIMIT).rgb
    )


def test_a_jpeg_that_lacks_its_end_mark_alone_is_whole_unless_it_is_progressive():
    np.testing.assert_array_equal(decode(file("jpeg")[:-2], LIMIT).rgb, decode(file("jpeg"), LIMIT).rgb)
    assert code_of(file("jpeg progressive")[:-2]) == "truncated"


def test_a_jpeg_with_a_hole_and_an_end_is_corrupt():
    data = saved(
        PIL.Image.fromarray(np.random.default_rng(0).integers(0, 256, (200, 200, 3), np.uint8)), "JPEG"
    )
    assert code_of(data[: len(data) // 2] + b"\xff\xd9") == "corrupt"


def test_a_jpeg_that_ends_with_an_empty_scan_header_is_truncated():
    data = file("jpeg")
    assert code_of(data[: data.index(b"\xff\xda")] + b"\xff\xda\0\2") == "truncated"


def test_a_jpeg_padded_before_its_end_mark_is_whole():
    np.testing.assert_array_equal(
        decode(file("jpeg")[:-2] + bytes(3) + b"\xff\xd9", LIMIT).rgb, decode(file("jpeg"), LIMIT).rgb
    )


@pytest.mark.parametrize("name", ["png RGB", "png P", "png L"])
def test_a_wrong_checksum_is_corrupt(name):
    data = bytearray(file(name))
    data[data.index(b"IDAT") + 40] ^= 4
    assert code_of(bytes(data)) == "corrupt"


@pytest.mark.parametrize(
    ("depth", "color", "width"),
    [(8, 2, WIDTH * 3), (8, 3, WIDTH), (8, 4, WIDTH * 2), (1, 0, (WIDTH + 7) // 8)],
)
def test_rows_missing_under_sound_checksums_are_no_picture(depth, color, width):
    rows = bytes((1 + width) * (HEIGHT - 1))
    palette = chunk(b"PLTE", bytes(range(6)))
    assert code_of(png(WIDTH, HEIGHT, depth, color, rows, palette)) == "corrupt"
    assert code_of(png(WIDTH, HEIGHT, depth, color, rows + bytes(1 + width), palette)) == "ok"
