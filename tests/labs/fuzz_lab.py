"""Damaged pictures for the decoder: a case is a seed and a number, and always the same bytes.

Judged here, in whatever process asks.
"""

import re
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import numpy as np
import PIL.Image

import files_lab as files
from anidata.engine.engine import Watch
from anidata.errors import BadImage
from anidata.imaging.decode import decode
from anidata.imaging.image import Image

CODES = {"empty", "not_an_image", "truncated", "corrupt", "too_large"}
EXPECTED = {"ok", *CODES}  # all other outcomes are faults
MOST_STEPS = 4  # damages of one file
# Where counters turn over
LENGTHS = (
    *(0, 1, 2, 3, 7, 8, 127, 128, 255, 256),
    *(0x7FFF, 0x8000, 0xFFFF, 0x10000, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF),
)
TIFF_TAGS = (256, 257, 258, 259, 262, 273, 277, 278, 279, 320, 322, 324, 330, 338)


def _markers(*codes: int) -> list[bytes]:
    return [bytes([0xFF, code]) for code in codes]


WORDS = {
    "jpeg": [
        *_markers(
            0, 1, 0xC0, 0xC1, 0xC2, 0xC3, 0xC4, 0xC9, 0xCC, 0xD0, 0xD7, 0xD8, 0xD9, 0xDA, 0xDB, 0xDD, 0xE0
        ),
        b"\xff\xe1\0\x10Exif\0\0II*\0",
        b"\xff\xe2\0\x10ICC_PROFILE\0\1\1",
        b"\xff\xee\0\x0eAdobe\0\x64\0\0\0\0\2",
    ],
    "png": b"IHDR PLTE tRNS IDAT IEND acTL fcTL fdAT iCCP eXIf sRGB zTXt CgBI".split(),
    "gif": [
        *(b"GIF87a", b"GIF89a", b",\0\0\0\0", b"!\xf9\4\1\0\0\0\0", b"!\xff\x0bNETSCAPE2.0\3\1\0\0\0"),
        *(b"!\xfe", b";", b"\xff" * 256, b"\0"),
    ],
    "webp": [
        *(b"RIFF", b"WEBP", b"VP8 ", b"VP8L", b"VP8X", b"ALPH", b"ANIM", b"ANMF", b"ICCP", b"EXIF", b"XMP "),
        *(b"\x9d\x01\x2a", b"\x2f"),
    ],
    "bmp": [
        *(b"BM", b"\0\0", b"\0\1", b"\0\2", b"\0\3", b"\x28\0\0\0", b"\x7c\0\0\0"),
        *(b"\1\0\x20\0\3\0\0\0", b"\1\0\x08\0\1\0\0\0"),
    ],
    "tiff": [
        *(bytes([tag & 255, tag >> 8, kind, 0]) for tag in TIFF_TAGS for kind in (3, 4)),
        *(b"II*\0", b"MM\0*", b"II+\0", bytes([7, 0]), bytes([0xB0, 0xC3])),
    ],
    "avif": (
        b"ftyp meta hdlr pitm iloc iinf infe iprp ipco ipma ispe pixi av1C auxC iref irot "
        b"imir colr moov trak stsz mdat avis"
    ).split(),
    "jpeg2000": [
        *_markers(0x4F, 0x51, 0x52, 0x53, 0x55, 0x58, 0x5C, 0x5D, 0x5F, 0x90, 0x91, 0x92, 0x93, 0xD9),
        *(b"jp2h", b"ihdr", b"colr", b"pclr", b"cmap", b"cdef", b"jp2c"),
    ],
}


@dataclass(frozen=True)
class Case:
    form: str  # of the file that was damaged; random: none
    data: bytes
    whole: bytes = b""  # of which `data` is the beginning; empty where it isn't


@dataclass
class Tally:
    """What became of a part's cases."""

    outcomes: Counter[tuple[str, str]] = field(default_factory=Counter)  # (form, outcome)
    seconds: dict[str, tuple[float, int]] = field(
        default_factory=dict
    )  # the longest, and its number, by form
    memory: dict[str, int] = field(default_factory=dict)  # the most bytes that one case added, by form
    faults: list[tuple[int, str, str]] = field(default_factory=list)  # number, outcome, message

    def add(self, other: "Tally") -> None:
        self.outcomes += other.outcomes
        self.faults += other.faults
        self.seconds |= {
            form: max(most, self.seconds.get(form, most)) for form, most in other.seconds.items()
        }
        self.memory |= {form: max(most, self.memory.get(form, most)) for form, most in other.memory.items()}

    def note(self, number: int, form: str, outcome: str, message: str) -> None:
        self.outcomes[form, outcome] += 1
        if outcome not in EXPECTED:
            self.faults.append((number, outcome, message))


@cache
def wholes() -> dict[str, list[bytes]]:
    """Sound files of every form, by form."""
    forms: dict[str, list[bytes]] = {}
    for name in files.FILES:
        forms.setdefault(name.split()[0], []).append(files.file(name))
    for more in (_plain_layouts(), _rich_layouts()):
        for form, added in more.items():
            forms[form] += added
    return forms


def _plain_layouts() -> dict[str, list[bytes]]:
    """Layouts beside files_lab.FILES: rare compressions and depths."""
    rgb, bits = files.picture("RGB"), files.picture("1")
    rows = files.packed(files.art(4).astype(int) * 257, 16, interlaced=True)
    tiffs = ("packbits", "tiff_lzw", "jpeg", "zstd", "lzma", "tiff_deflate")
    return {
        "jpeg": [files.saved(files.picture("CMYK"), "JPEG", progressive=True)],
        "png": [files.png(files.WIDTH, files.HEIGHT, 16, 6, rows, interlaced=True)],
        "tiff": [
            files.saved(rgb, "TIFF", big_tiff=True),
            *(files.saved(rgb, "TIFF", compression=name) for name in tiffs),
            *(files.saved(bits, "TIFF", compression=f"group{n}") for n in (3, 4)),
        ],
        "jpeg2000": [
            files.saved(rgb, "JPEG2000", no_jp2=True, tile_size=(32, 32)),
            files.saved(files.picture("I;16"), "JPEG2000"),
        ],
    }


def _rich_layouts() -> dict[str, list[bytes]]:
    """Layouts beside files_lab.FILES: several frames, profiles, orientation."""
    pages = [PIL.Image.fromarray(np.roll(files.art(3), 3 * n, axis=0)) for n in range(3)]
    rgb, first = files.picture("RGB"), pages[0]
    several = {"save_all": True, "append_images": pages[1:]}
    about = {"exif": files.exif(6), "icc_profile": files.swapped_profile()}
    return {
        "jpeg": [files.saved(rgb, "JPEG", **about)],
        "png": [files.saved(first, "PNG", **several, **about)],
        "gif": [files.saved(first, "GIF", **several)],
        "webp": [
            files.saved(first, "WEBP", **several, **about),
            files.saved(files.picture("RGBA"), "WEBP", **about),
        ],
        "tiff": [files.saved(first, "TIFF", **several, **about)],
        "avif": [files.saved(first, "AVIF", **several), files.saved(rgb, "AVIF", **about)],
    }


def case(seed: int, number: int) -> Case:
    """A damaged file, or random bytes."""
    rng = np.random.default_rng([seed, number])
    forms = sorted(wholes())
    form = (forms + ["random"])[number % (len(forms) + 1)]
    if form == "random":
        return Case(form, _random(rng))
    whole = _one(rng, wholes()[form])
    if rng.random() < 0.1:
        return Case(form, whole[: rng.integers(len(whole))], whole)
    data = whole
    for _ in range(rng.integers(1, MOST_STEPS + 1)):
        data = _one(rng, DAMAGES)(rng, data, form) or data
    return Case(form, checked(data) if form == "png" and rng.random() < 0.8 else data)


def outcome(one: Case, limit: int) -> tuple[str, str]:
    """(ok or the error's code, message), or a fault.

    memory: it asked for more than it may. half: a picture cut short and taken for whole.
    wrong: what no caller expects.
    """
    try:
        seen = decode(one.data, limit)
    except BadImage as error:
        if "memory" in str(error):
            return "memory", str(error)
        return error.code if error.code in CODES else "wrong", str(error)
    except BaseException as error:  # noqa: BLE001  a panic in Rust is no Exception
        return ("memory" if isinstance(error, MemoryError) else "wrong"), f"{type(error).__name__}: {error}"
    if not _sound(seen, limit):
        about = f"{seen.frames} frames, transparency {seen.transparency}"
        return "wrong", f"{seen.format} {seen.rgb.dtype} {seen.rgb.shape}, {about}"
    if one.whole and not np.array_equal(seen.rgb, decode(one.whole, limit).rgb):
        return "half", f"the first {len(one.data)} of {len(one.whole)} bytes"
    return "ok", ""


def judge_part(part: tuple[int, range, int], watch: Watch) -> Tally:
    """In a worker: the outcomes of (seed, numbers, limit on pixels)."""
    seed, numbers, limit = part
    tally = Tally()
    for number, failure in watch.each(numbers):
        one = case(seed, number)
        if failure:
            tally.note(number, one.form, failure.code, failure.message)
            continue
        before, start = _peak(reset=True), time.perf_counter()
        tally.note(number, one.form, *outcome(one, limit))
        took, grown = time.perf_counter() - start, _peak() - before
        tally.seconds[one.form] = max((took, number), tally.seconds.get(one.form, (0.0, 0)))
        tally.memory[one.form] = max(grown, tally.memory.get(one.form, 0))
    return tally


def warm() -> None:
    """The files are made once, before the workers are forked."""
    wholes()


def _sound(seen: Image, limit: int) -> bool:
    height, width, channels = seen.rgb.shape
    known = seen.format in WORDS and seen.frames >= 1 and 0 <= seen.transparency <= 1
    return known and seen.rgb.dtype == np.uint8 and channels == 3 and 0 < width * height <= limit


def _peak(*, reset: bool = False) -> int:
    """Bytes: the most that this process has held since the last reset; Linux alone tells."""
    if reset:
        Path("/proc/self/clear_refs").write_text("5")
    peak = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
    return int(peak[1]) << 10 if peak else 0


def _random(rng: np.random.Generator) -> bytes:
    """Noise, half of the time behind the first bytes of a sound file.

    Of a lossy WebP that is a picture: any bytes decode.
    """
    head = (
        _one(rng, _one(rng, list(wholes().values())))[: rng.choice([4, 8, 16, 40])]
        if rng.random() < 0.5
        else b""
    )
    return head + rng.bytes(int(2 ** rng.uniform(0, 13)))


def _one(rng, things):
    return things[int(rng.integers(len(things)))]


def _somewhere(rng, data: bytes, *, head: float = 0.4) -> int:
    """An index into the data, in its first hundred bytes more often than elsewhere."""
    if not data:
        return 0
    return int(rng.integers(min(len(data), 100) if rng.random() < head else len(data)))


def flip(rng, data: bytes, form: str) -> bytes:
    changed = bytearray(data)
    for _ in range(int(2 ** rng.uniform(0, 5)) if data else 0):
        changed[_somewhere(rng, data, head=0.2)] ^= 1 << int(rng.integers(8))
    return bytes(changed)


def header(rng, data: bytes, form: str) -> bytes:
    changed = bytearray(data)
    for _ in range(int(rng.integers(1, 4))):
        if data:
            changed[int(rng.integers(min(len(data), 64)))] = int(
                rng.choice([0, 1, 2, 3, 4, 8, 16, 32, 127, 128, 255, rng.integers(256)])
            )
    return bytes(changed)


def grow(rng, data: bytes, form: str) -> bytes:
    """Another number where a length, size or count may stand."""
    at, width = _somewhere(rng, data), int(rng.choice([1, 2, 4]))
    order = "little" if rng.random() < 0.5 else "big"
    old = int.from_bytes(data[at : at + width], order)
    new = [_one(rng, LENGTHS), old + 1, old - 1, old * 2, old * 256, old // 2][int(rng.integers(6))]
    return data[:at] + (new % 256**width).to_bytes(width, order) + data[at + width :]


def cut(rng, data: bytes, form: str) -> bytes:
    return data[: _somewhere(rng, data, head=0.1)]


def hole(rng, data: bytes, form: str) -> bytes:
    at = _somewhere(rng, data)
    return data[:at] + data[at + int(2 ** rng.uniform(0, 9)) :]


def again(rng, data: bytes, form: str) -> bytes:
    """A piece many times over."""
    at, size = _somewhere(rng, data), int(2 ** rng.uniform(0, 8))
    return data[:at] + data[at : at + size] * int(2 ** rng.uniform(1, 8)) + data[at:]


def splice(rng, data: bytes, form: str) -> bytes:
    """The rest from another file of this form, or of any."""
    other = _one(rng, wholes()[form if rng.random() < 0.8 else _one(rng, sorted(wholes()))])
    return data[: _somewhere(rng, data)] + other[_somewhere(rng, other) :]


def word(rng, data: bytes, form: str) -> bytes:
    """A marker or name of this form, put in or written over."""
    at, written = _somewhere(rng, data), _one(rng, WORDS[form])
    return data[:at] + written + data[at + len(written) * int(rng.integers(2)) :]


def noise(rng, data: bytes, form: str) -> bytes:
    at, size = _somewhere(rng, data), int(2 ** rng.uniform(0, 7))
    return data[:at] + rng.bytes(size) + data[at + size :]


def unpacked(rng, data: bytes, form: str) -> bytes:
    """Damage within a PNG's packed rows."""
    at = data.find(b"IDAT")
    if form != "png" or at < 4:
        return flip(rng, data, form)
    size = int.from_bytes(data[at - 4 : at], "big")
    try:
        rows = files.zlib.decompress(data[at + 4 : at + 4 + size])
    except files.zlib.error:
        return data
    damaged = _one(rng, [flip, cut, hole, again, noise])(rng, rows, form)
    return data[: at - 4] + files.chunk(b"IDAT", files.zlib.compress(damaged)) + data[at + 8 + size :]


def checked(data: bytes) -> bytes:
    """A PNG whose checksums are right: otherwise damage ends at the first of them."""
    parts, at = [data[:8]], 8
    while at + 12 <= len(data):
        end = at + 8 + int.from_bytes(data[at : at + 4], "big")
        if end + 4 > len(data):
            break
        parts.append(files.chunk(data[at + 4 : at + 8], data[at + 8 : end]))
        at = end + 4
    return b"".join(parts) + data[at:]


DAMAGES: list[Callable[..., bytes]] = [
    flip,
    flip,
    header,
    grow,
    grow,
    cut,
    hole,
    again,
    splice,
    word,
    noise,
    unpacked,
]
