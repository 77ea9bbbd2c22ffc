"""Audit, in the workers: what the samples of a tar hold. Pictures are decoded, JSON is parsed; only codes and findings come back."""

import hashlib
import json
import zlib
from dataclasses import dataclass, field
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from anidata import registry, storage
from anidata.audit.tar import Notes, Tar, clipped, members, runs, suffix_of
from anidata.duplicates import phash
from anidata.engine.engine import Watch
from anidata.errors import BadImage
from anidata.imaging import decode
from anidata.lineart import color_leak, selection
from anidata.tar.writer import Member

PICTURES = (
    "jpg",
    "jpeg",
    "png",
    "webp",
    "gif",
    "bmp",
    "tif",
    "tiff",
    "avif",
    "jp2",
)  # last suffixes of what has to decode
LOSSY = ("jpg", "jpeg", "webp")  # a map of labels is never stored so
FLAT = 16  # levels of 255 within which a row or column at the rim is border: JPEG's ringing stays below
GRAY_8 = b"\x08\0"  # bits and color type in a PNG's header
MOSTLY = 0.75  # of a page: ink is at most a quarter of a drawing; black bars drawn as ink were seen to make half a page black
MAX_JSON = 1 << 24  # bytes of a sample's JSON: parsed, it takes up to thirty times as many
PROBED = 64  # samples of a chunk that are asked what the gray of their lines gives away
MIN_TRIMMED = 16  # px: of less than that no code is made

Pixels = NDArray[np.uint8]
Schema = tuple[tuple[str, str], ...]  # name and type of each field of a JSON object, sorted
Schemas = dict[
    tuple[str, Schema], tuple[int, list[str]]
]  # suffix and schema → how many files have it, and the first of them
Told = dict[
    str, color_leak.Sums
]  # suffix of lines → what the leak test needs, of the lines as they are and binarized: (2, folds, 12)
UNTYPED = ("null", "empty list")


@dataclass(frozen=True)
class Chunk:
    """Runs `start` to `stop` of a tar."""

    tar: Tar
    start: int
    stop: int
    max_pixels: int
    max_bytes: int


class Picture(NamedTuple):
    """A picture that may leak. Everything is there twice: for the whole picture, and without its flat borders."""

    run: int  # its sample's place in the tar
    suffix: str
    digest: bytes  # 16; of the file
    codes: tuple[int, int]  # phash
    flips: tuple[int, int]  # of the mirrored picture
    degenerate: tuple[bool, bool]
    box: tuple[
        int, int, int, int
    ]  # top, bottom, left and right of what is within the borders, 0 to 255 across the page
    thumbs: Pixels  # (2, 32, 32) luma


@dataclass
class Seen:
    """What the contents of a chunk tell."""

    notes: Notes
    pictures: list[Picture] = field(default_factory=list)
    schemas: Schemas = field(default_factory=dict)
    told: Told = field(default_factory=dict)


def look(chunk: Chunk, watch: Watch) -> Seen:
    """Decode the pictures of a chunk, and parse its JSON."""
    seen = Seen(Notes(chunk.tar.most))
    with open(chunk.tar.path, "rb") as file:
        samples = islice(runs(members(file, [])), chunk.start, chunk.stop)
        for (place, (key, run)), failure in watch.each(enumerate(samples, chunk.start)):
            if failure:
                seen.notes.add("corrupt", f"{chunk.tar.name}/{key}", f"{failure.code}: {failure.message}")
            else:
                _Sample(chunk, place, {suffix_of(m): m for m in run}, seen).look()
    return seen


@dataclass
class _Sample:
    """A sample in hand."""

    chunk: Chunk
    place: int
    members: dict[str, Member]  # by suffix
    seen: Seen
    _json: dict[str, Any] = field(default_factory=dict)  # what has been parsed, by suffix

    def look(self) -> None:
        pictures = {s: m for s, m in self.members.items() if s.rpartition(".")[2] in PICTURES}
        joined, shapes = _subjects(list(pictures)), dict[str, tuple[int, ...]]()
        colors, lines = list[Pixels](), dict[str, Pixels]()
        for suffix, member in pictures.items():
            try:
                data = self._read(member, self.chunk.max_bytes)
                decoded = decode.decode(data, self.chunk.max_pixels)
                if self._is_line(suffix):
                    lines[suffix] = decoded.gray if not self._inverted else 255 - decoded.gray
                    self._check_line(member, data, decoded.format, lines[suffix])
                elif suffix.startswith("color."):
                    colors.append(decoded.rgb)
            except BadImage as bad:
                self._add("corrupt", member, str(bad))
                continue
            shapes[suffix] = decoded.rgb.shape
            if suffix in joined:
                self.seen.pictures.append(picture(self.place, suffix, data, decoded.rgb))
        self._check_shapes(shapes)
        if colors and self.place < self.chunk.start + PROBED:
            self._probe(lines, colors[0])
        for suffix, member in self.members.items():
            if suffix.rpartition(".")[2] == "json":
                self._check_json(suffix, member)

    @property
    def _is_pair(self) -> bool:
        """Whether this is our own layout."""
        return any(s.startswith("color.") for s in self.members) and any(
            s.startswith("lineart.") for s in self.members
        )

    def _is_line(self, suffix: str) -> bool:
        return self._is_pair and suffix.startswith("lineart.")

    def _check_shapes(self, shapes: dict[str, tuple[int, ...]]) -> None:
        color = next((shape for suffix, shape in shapes.items() if suffix.startswith("color.")), None)
        for suffix, shape in shapes.items():
            if color and self._is_line(suffix) and shape[:2] != color[:2]:
                self._add(
                    "size",
                    self.members[suffix],
                    f"{shape[1]} × {shape[0]} px, its color picture {color[1]} × {color[0]}",
                )

    def _probe(self, lines: dict[str, Pixels], rgb: Pixels) -> None:
        """What the gray of lines gives away of color."""
        fold = zlib.crc32(f"{self.chunk.tar.name}/{self.place}".encode())
        for suffix, line in lines.items():
            if line.shape == rgb.shape[:2]:
                self.seen.told[suffix] = self.seen.told.get(suffix, 0) + color_leak.tally(line, rgb, fold)

    @cached_property
    def _about(self) -> dict[str, Any]:
        """What the sample's own JSON says; nothing where there is none."""
        try:
            about = self._parsed("json")
        except (KeyError, ValueError, RecursionError, BadImage):
            return {}
        return about if isinstance(about, dict) else {}

    def _parsed(self, suffix: str) -> Any:
        """What is in a JSON file, read once."""
        if suffix not in self._json:
            self._json[suffix] = json.loads(self._read(self.members[suffix], MAX_JSON))
        return self._json[suffix]

    @property
    def _inverted(self) -> bool:
        return bool(self._about.get("polarity") == "white_on_black")

    def _check_line(self, member: Member, data: bytes, form: str, line: Pixels) -> None:
        """`line`: black on white, if it is in the polarity that the sample states."""
        if form != "png" or data[24:26] != GRAY_8:
            self._add("polarity", member, "lineart is a PNG of 8-bit gray")
        elif np.count_nonzero(line < 128) > MOSTLY * line.size and not self._is_gray(member):
            self._add(
                "polarity",
                member,
                "mostly ink: lineart is black ink (0) on white paper (255), unless its JSON states white_on_black",
            )

    def _is_gray(self, member: Member) -> bool:
        """Whether a line is one that is gray by nature: a dark page is no sign of the wrong polarity."""
        style = member.name.removesuffix(".png").rpartition(".lineart")[2].removeprefix(
            "."
        ) or self._about.get("style", "")
        return isinstance(style, str) and style in registry.names("styles") and selection.is_soft(style)

    def _check_json(self, suffix: str, member: Member) -> None:
        try:
            schema = schema_of(self._parsed(suffix))
        except (ValueError, RecursionError, BadImage) as error:
            self._add("json", member, f"can't be parsed: {error}")
            return
        if self._is_pair and (empty := [name for name, kind in schema if kind in UNTYPED]):
            self._add(
                "json", member, f"{', '.join(empty)}: null or an empty list, whose type a loader has to guess"
            )
        count, where = self.seen.schemas.get((suffix, schema), (0, []))
        most = len(where) >= self.chunk.tar.most
        self.seen.schemas[suffix, schema] = (
            count + 1,
            where if most else [*where, clipped(f"{self.chunk.tar.name}/{member.name}")],
        )

    def _read(self, member: Member, limit: int) -> bytes:
        at = storage.Reference(storage.uri_of(self.chunk.tar.path), member.offset, member.size)
        return storage.read(at, Path(), limit)

    def _add(self, code: str, member: Member, message: str) -> None:
        self.seen.notes.add(code, f"{self.chunk.tar.name}/{member.name}", message)


def schema_of(value: Any) -> Schema:
    """Names and types of what a JSON file holds; of something else than an object, one type without a name."""
    fields = value.items() if isinstance(value, dict) else [("", value)]
    return tuple(sorted((clipped(name), _kind(content)) for name, content in fields))


def _kind(value: Any) -> str:
    if value == []:
        return "empty list"
    kinds = {bool: "bool", int: "number", float: "number", str: "text", list: "list", dict: "object"}
    return kinds.get(type(value), "null")


def _subjects(suffixes: list[str]) -> set[str]:
    """Which pictures of a sample are looked for elsewhere: color, else the lossy ones (beside them stand maps and masks), else all."""
    color = {s for s in suffixes if s.startswith("color.")}
    return color or {s for s in suffixes if s.rpartition(".")[2] in LOSSY} or set(suffixes)


def picture(run: int, suffix: str, data: bytes, rgb: Pixels) -> Picture:
    """The codes of a picture by which its copies are found."""
    top, bottom, left, right = content_box(rgb)
    whole, inner = phash.codes(rgb), np.ascontiguousarray(rgb[top:bottom, left:right])
    core = whole if inner.shape == rgb.shape else phash.codes(inner)
    height, width = rgb.shape[:2]
    return Picture(
        run,
        suffix,
        hashlib.sha256(data).digest()[:16],
        (whole.phash, core.phash),
        (whole.phash_flip, core.phash_flip),
        (whole.degenerate, core.degenerate),
        (255 * top // height, 255 * bottom // height, 255 * left // width, 255 * right // width),
        np.stack([phash.luma(rgb), phash.luma(inner)]),
    )


def content_box(rgb: Pixels) -> tuple[int, int, int, int]:
    """Top, bottom, left and right of a picture without its flat borders: margins within a letterbox within a padding are all of them off."""
    gray = np.asarray(cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY), np.uint8)
    top, bottom, left, right = 0, gray.shape[0], 0, gray.shape[1]
    for _ in range(3):  # a border within a border within a border
        first, last = _busy(gray[top:bottom, left:right], 1)
        top, bottom = top + first, top + last
        first, last = _busy(gray[top:bottom, left:right], 0)
        left, right = left + first, left + last
    return (
        (top, bottom, left, right)
        if min(bottom - top, right - left) >= MIN_TRIMMED
        else (0, gray.shape[0], 0, gray.shape[1])
    )


def _busy(gray: Pixels, axis: int) -> tuple[int, int]:
    """From the first row (axis 1) or column (0) that isn't flat to behind the last; all of them where there is none."""
    if not gray.size:
        return 0, 0
    spread = gray.max(axis=axis) - gray.min(axis=axis)
    busy = np.flatnonzero(spread > FLAT)
    return (int(busy[0]), int(busy[-1]) + 1) if len(busy) else (0, len(spread))
