"""Pillow's limit on pixels and the filters of warnings are the whole process's.

Decoding neither sets nor obeys them.
"""

import io
import struct
import subprocess
import sys
import threading
import warnings
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import PIL.Image
import pytest

from anidata.errors import BadImage
from anidata.imaging import decode as decoding
from anidata.imaging import foreign, pillow
from anidata.imaging.decode import decode
from files_lab import FILES, HEIGHT, LIMIT, WHOLE, WIDTH, art, code_of, file, picture, saved

SCRIPT = """
import pathlib, sys, PIL.Image
from anidata.errors import BadImage
from anidata.imaging.decode import decode
PIL.Image.MAX_IMAGE_PIXELS = 1000  # that every file here would be warned of
for path in sorted(pathlib.Path(sys.argv[1]).iterdir()):
    try: decode(path.read_bytes(), 10**8)
    except BadImage: pass
assert PIL.Image.MAX_IMAGE_PIXELS == 1000
"""
ODD_EXIF = b"Exif\0\0MM\0*\0\0\0\x08\xff\xff" + b"\x01\x12" * 9  # of which Pillow warns


def animation(disposal: int) -> bytes:
    """A GIF whose first frame is disposed of in a way."""
    pages = [PIL.Image.fromarray(np.roll(art(3), n * 3, axis=0)) for n in range(2)]
    return saved(pages[0], "GIF", save_all=True, append_images=pages[1:], disposal=disposal, transparency=3)


def on_small_screen(data: bytes) -> bytes:
    """A GIF whose first frame is larger than its screen."""
    return data[:6] + struct.pack("<HH", WIDTH // 2, HEIGHT + 9) + data[10:]


PICTURES = {
    **{name: lambda name=name: file(name) for name in FILES},
    **{f"gif disposal {n}": lambda n=n: animation(n) for n in (2, 3)},
    "gif on a small screen": lambda: on_small_screen(file("gif")),
    "webp animated": lambda: saved(picture("RGB"), "WEBP", save_all=True, append_images=[picture("L")]),
    "odd exif": lambda: saved(picture("RGB"), "JPEG", exif=ODD_EXIF),
}


def opens(data: bytes) -> bool:
    """Whether Pillow's limit lets Pillow's user open a picture."""
    try:
        PIL.Image.open(io.BytesIO(data))
    except PIL.Image.DecompressionBombError:
        return False
    return True


class Held:
    """A decoder of BMP that waits inside until it is let go."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.inside, self.leave = threading.Event(), threading.Event()
        self._open = pillow.OPENERS["bmp"]
        monkeypatch.setitem(pillow.OPENERS, "bmp", self._wait)

    def _wait(self, data: bytes) -> object:
        self.inside.set()
        assert self.leave.wait(30)
        warnings.warn("of a decoder", stacklevel=1)
        return self._open(data)


@pytest.mark.parametrize("name", PICTURES)
def test_a_limit_that_was_set_for_pillow_is_not_ours(name, monkeypatch):
    data = PICTURES[name]()
    monkeypatch.setattr(PIL.Image, "MAX_IMAGE_PIXELS", None)
    whole = decode(data, LIMIT)
    monkeypatch.setattr(PIL.Image, "MAX_IMAGE_PIXELS", 1)
    monkeypatch.setattr(decoding, "LOADED", 5 * WIDTH)  # strips of five rows
    seen = decode(data, LIMIT)
    assert PIL.Image.MAX_IMAGE_PIXELS == 1
    np.testing.assert_array_equal(seen.rgb, whole.rgb)
    assert (seen.frames, seen.transparency) == (whole.frames, whole.transparency)


def test_a_screen_that_is_too_small_grows_with_the_first_frame():
    data = on_small_screen(file("gif"))
    assert code_of(data, WIDTH * HEIGHT) == "too_large"
    seen = decode(data, LIMIT)
    assert seen.rgb.shape == (HEIGHT + 9, WIDTH, 3)
    np.testing.assert_array_equal(seen.rgb[:HEIGHT], decode(file("gif"), LIMIT).rgb)


def test_while_one_thread_decodes_another_keeps_its_limit(monkeypatch):
    held = Held(monkeypatch)
    monkeypatch.setattr(PIL.Image, "MAX_IMAGE_PIXELS", 1)
    with ThreadPoolExecutor(1) as pool:
        decoded = pool.submit(decode, file("bmp RGB"), LIMIT)
        assert held.inside.wait(30)
        assert PIL.Image.MAX_IMAGE_PIXELS == 1
        assert not opens(file("png RGB"))
        PIL.Image.MAX_IMAGE_PIXELS = 10**6
        assert opens(file("png RGB"))
        held.leave.set()
        assert decoded.result(30).rgb.shape == (HEIGHT, WIDTH, 3)
    assert PIL.Image.MAX_IMAGE_PIXELS == 10**6


def test_while_one_thread_decodes_another_is_warned(monkeypatch):
    held = Held(monkeypatch)
    with warnings.catch_warnings(record=True) as heard, ThreadPoolExecutor(1) as pool:
        warnings.simplefilter("always")
        before = list(warnings.filters)
        decoded = pool.submit(decode, file("bmp RGB"), LIMIT)
        assert held.inside.wait(30)
        warnings.warn("of another thread", stacklevel=1)
        held.leave.set()
        decoded.result(30)
        assert [str(warning.message) for warning in heard] == ["of another thread"]
        others = [entry for entry in warnings.filters if entry is not foreign.UNHEARD]
        assert others == [entry for entry in before if entry is not foreign.UNHEARD]


def test_two_threads_decode_at_once_beside_a_user_of_pillow(monkeypatch):
    monkeypatch.setattr(PIL.Image, "MAX_IMAGE_PIXELS", 1)
    names = [name for name in FILES if name.split()[0] in {"gif", "webp", "tiff", "png"}]
    whole = {name: decode(file(name), LIMIT).rgb.tobytes() for name in names}
    with ThreadPoolExecutor(2) as pool:
        seen = [pool.submit(decode, file(name), LIMIT) for name in names * 5]
        while not all(one.done() for one in seen):
            assert PIL.Image.MAX_IMAGE_PIXELS == 1
            assert not opens(file("png RGB"))
    assert [one.result().rgb.tobytes() for one in seen] == [whole[name] for name in names * 5]


def test_warnings_made_errors_are_no_errors_of_a_picture(monkeypatch):
    with pytest.warns(UserWarning, match="Corrupt EXIF data"):
        PIL.Image.Exif().load(ODD_EXIF)
    whole = decode(PICTURES["odd exif"](), LIMIT).rgb
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        np.testing.assert_array_equal(decode(PICTURES["odd exif"](), LIMIT).rgb, whole)
        with pytest.raises(UserWarning, match="Corrupt EXIF data"):  # the caller's own are errors still
            PIL.Image.Exif().load(ODD_EXIF)


def test_the_filter_is_in_the_list_once():
    for _ in range(3):
        with pytest.raises(BadImage):
            decode(b"BM", LIMIT)
        decode(file("tiff RGB"), LIMIT)
        warnings.simplefilter("default")
    decode(file("tiff RGB"), LIMIT)
    assert [entry for entry in warnings.filters if entry is foreign.UNHEARD] == [foreign.UNHEARD]
    assert warnings.filters[0] is foreign.UNHEARD


def test_nothing_is_said_on_stderr_and_pillows_settings_stay(tmp_path):
    for n, name in enumerate(WHOLE):
        data = file(name)
        (tmp_path / f"{n}a").write_bytes(data)
        (tmp_path / f"{n}b").write_bytes(data[: len(data) // 2])
        (tmp_path / f"{n}c").write_bytes(bytes(b ^ (at % 41 == 40) for at, b in enumerate(data)))
    command = [sys.executable, "-W", "always", "-c", SCRIPT, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
