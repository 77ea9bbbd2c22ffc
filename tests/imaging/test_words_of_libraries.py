"""Where the decoder goes by the English words of a library's error, the library still has those words."""

import io

import pytest
import simplejpeg
from PIL import AvifImagePlugin, BmpImagePlugin, ImageFile

from anidata.errors import BadImage
from anidata.imaging import decode as decoding
from anidata.imaging import foreign
from anidata.imaging.jpeg import END_MARK
from files_lab import code_of, file


def complaint(data: bytes) -> str:
    """simplejpeg's, of a JPEG that libjpeg-turbo warns of or refuses."""
    with pytest.raises(ValueError, match=r".") as error:
        simplejpeg.decode_jpeg(data, "RGB")
    return str(error.value)


def subsampled(factors: tuple[int, int, int]) -> bytes:
    """A JPEG whose frame header states other sampling factors."""
    data = bytearray(file("jpeg 4:4:4"))
    frame = data.index(b"\xff\xc0")
    for n, factor in enumerate(factors):
        data[frame + 11 + 3 * n] = factor
    return bytes(data)


@pytest.mark.parametrize("padding", [6, 12, 20, 40])
def test_libjpeg_counts_extraneous_bytes(padding):
    counted = decoding.EXTRA_BYTES.search(complaint(file("jpeg")[:-2] + bytes(padding) + END_MARK))
    assert counted is not None
    assert 0 < int(counted[1]) <= padding


def test_few_extraneous_bytes_cost_nothing_and_many_are_corrupt():
    few, many = (file("jpeg")[:-2] + bytes(n) + END_MARK for n in (6, 40))
    assert (code_of(few), code_of(many)) == ("ok", "corrupt")


@pytest.mark.parametrize("factors", [(0x31, 0x11, 0x11), (0x21, 0x21, 0x11), (0x11, 0x21, 0x11)])
def test_simplejpeg_names_the_subsampling_that_it_lacks(factors):
    assert decoding.RARE_SUBSAMPLING in complaint(subsampled(factors))


def test_pillow_reads_the_subsampling_that_simplejpeg_lacks():
    assert code_of(subsampled((0x31, 0x11, 0x11))) == "ok"


def test_libjpeg_names_a_missing_end_mark():
    assert decoding.NO_END_MARK in complaint(file("jpeg")[:-2])


@pytest.mark.parametrize(
    ("name", "load"),
    [
        ("rows", lambda: BmpImagePlugin.BmpImageFile(io.BytesIO(file("bmp RGB")[:-300])).load()),
        ("a value", lambda: ImageFile._safe_read(io.BytesIO(b"abc"), 9)),
        ("a stream", lambda: AvifImagePlugin.AvifImageFile(io.BytesIO(without_end())).load()),
    ],
)
def test_pillow_says_truncated_of_missing(name, load):
    with pytest.raises((OSError, SyntaxError), match=r"(?i)truncated") as error:
        load()
    assert foreign._is_truncated(error.value, str(error.value)), name


def without_end() -> bytes:
    """An AVIF whose last box ends with the file, wherever that is."""
    data = file("avif")[:-30]
    box = data.rindex(b"mdat") - 4
    return data[:box] + bytes(4) + data[box + 4 :]


def test_an_avif_cut_within_its_last_box_is_truncated():
    assert code_of(without_end()) == "truncated"


def test_other_words_of_a_library_are_of_a_corrupt_file():
    with pytest.raises(SyntaxError) as error:
        BmpImagePlugin.BmpImageFile(io.BytesIO(b"no bitmap"))
    assert not foreign._is_truncated(error.value, str(error.value))


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (EOFError(), "truncated"),
        (KeyError("tag"), "corrupt"),
        (OSError("image file is truncated"), "truncated"),
    ],
)
def test_a_librarys_error_has_a_code(error, code):
    with pytest.raises(BadImage) as refused, foreign.decoder():
        raise error
    assert refused.value.code == code
