"""Pictures whose side information lies end in a picture or a typed row, in little time and memory."""

import os
import re
import resource
import time

import pytest

import lies_lab as lab
from anidata.errors import BadImage
from anidata.imaging.decode import decode

CODES = {"not_an_image", "truncated", "corrupt", "too_large"}
SECONDS = 30  # of a processor; a picture's own limit is 60
MEMORY = 400  # MB beyond the file
SLOW = {"jpeg scans"}  # each scan is a pass over 81 megapixels


def peak():
    with open("/proc/self/status") as file:
        return int(re.search(r"VmHWM:\s+(\d+)", file.read())[1]) >> 10


def outcome(data):
    """(ok or the error's code, seconds, MB) of a decode in a process of its own, which may die."""
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        with open("/proc/self/clear_refs", "w") as file:
            file.write("5")
        before, begun = peak(), time.process_time()
        try:
            code = "ok" if decode(data, 100_000_000).rgb.size else "no pixels"
        except BadImage as error:
            code = error.code
        except BaseException as error:  # noqa: BLE001  told to the test
            code = repr(error)
        os.write(writing, f"{code}|{time.process_time() - begun}|{peak() - before}".encode())
        os._exit(0)
    os.close(writing)
    with open(reading, "rb") as pipe:
        words = pipe.read().decode().split("|")
    assert os.waitpid(pid, 0)[1] == 0
    return words[0], float(words[1]), int(words[2])


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[pytest.mark.slow] if name in SLOW else []) for name in lab.LIES]
)
def test_a_lie_costs_little(name):
    code, seconds, memory = outcome(lab.LIES[name]())
    assert code in CODES | {"ok"}
    assert seconds < (2 * SECONDS if name in SLOW else SECONDS)
    assert memory < MEMORY


@pytest.mark.parametrize(
    "name", ["jpeg segments", "jpeg alone", "avif more items", "avif boxes", "tiff bits", "bigtiff entries"]
)
def test_more_parts_than_any_picture_has_are_refused_at_once(name):
    code, seconds, _ = outcome(lab.LIES[name]())
    assert code == "corrupt"
    assert seconds < 2


@pytest.mark.parametrize("name", ["jpeg laughs", "png laughs", "tiff laughs"])
def test_xmp_is_never_read(name, monkeypatch):
    import xml.etree.ElementTree as ET  # noqa: PLC0415

    monkeypatch.setattr(ET, "fromstring", None)
    whole = decode(lab.LIES[name](), 100_000_000)
    assert whole.rgb.shape[:2] in ((47, 61), (64, 64))
