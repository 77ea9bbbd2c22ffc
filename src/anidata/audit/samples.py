"""Audit, in the workers: the contents of a tar's samples.

Pictures are decoded, JSON is parsed; only codes and findings come back.
"""

import hashlib
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from anidata import registry, storage
from anidata.audit.pictures import Picture
from anidata.audit.tar import Notes, Tally, Tar, clipped, members, runs, suffix_of
from anidata.duplicates import phash, place_codes, windows
from anidata.engine.engine import Watch
from anidata.errors import BadImage
from anidata.imaging import decode
from anidata.imaging.image import Image
from anidata.lineart import color_leak, selection
from anidata.tar import opening, untrusted
from anidata.tar.writer import Member

# Last suffixes of what has to decode.
PICTURES = ("jpg", "jpeg", "png", "webp", "gif", "bmp", "tif", "tiff", "avif", "jp2")
LOSSY = ("jpg", "jpeg", "webp")  # a map of labels is never stored so
GRAY_8 = b"\x08\0"  # bits and color type in a PNG's header
# Of a page: ink is at most a quarter of a drawing; black
# bars drawn as ink were seen to make half a page black.
MOSTLY = 0.75
MAX_JSON = 1 << 24  # bytes of a sample's JSON: parsed, it takes up to thirty times as many
PROBED = 64  # samples of a chunk that are asked what the gray of their lines gives away

Pixels = NDArray[np.uint8]
Schema = tuple[tuple[str, str], ...]  # name and type of each field of a JSON object, sorted
Schemas = dict[tuple[str, Schema], Tally]  # suffix and schema → the files that have it
# Suffix of lines → sums for the leak test, of the lines as they are and binarized: (2, folds, 12).
ColorSums = dict[str, color_leak.Sums]
UNTYPED = ("null", "empty list")


@dataclass(frozen=True)
class Chunk:
    """Runs `start` to `stop` of a tar."""

    tar: Tar
    start: int
    stop: int
    max_pixels: int
    max_bytes: int
    config: str = ""  # of an unpaired set


@dataclass
class Seen:
    """Result of looking into a chunk."""

    notes: Notes
    pictures: list[Picture] = field(default_factory=list)
    schemas: Schemas = field(default_factory=dict)
    color_sums: ColorSums = field(default_factory=dict)


def look(chunk: Chunk, watch: Watch) -> Seen:
    """Decode the pictures of a chunk, and parse its JSON."""
    seen = Seen(Notes(chunk.tar.most))
    with opening.opened(chunk.tar.path) as file:
        samples = islice(runs(members(file, [])), chunk.start, chunk.stop)
        for (number, (key, run)), failure in watch.each(enumerate(samples, chunk.start)):
            if failure:
                seen.notes.add("corrupt", f"{chunk.tar.name}/{key}", f"{failure.code}: {failure.message}")
            else:
                _Sample(chunk, number, {suffix_of(m): m for m in run}, seen).look()
    return seen


@dataclass
class _Sample:
    """A sample in hand."""

    chunk: Chunk
    run: int  # its place in the tar
    members: dict[str, Member]  # by suffix
    seen: Seen
    _colors: list[Pixels] = field(default_factory=list, init=False)
    _lines: dict[str, Pixels] = field(default_factory=dict, init=False)  # by suffix
    _json: dict[str, Any] = field(default_factory=dict, init=False)  # what has been parsed, by suffix

    def look(self) -> None:
        """Check the pictures, then the JSON."""
        self._check_shapes(dict(self._look_at_pictures()))
        if self._colors and self.run < self.chunk.start + PROBED:
            self._probe(self._colors[0])
        for suffix, member in self.members.items():
            if suffix.rpartition(".")[2] == "json":
                self._check_json(suffix, member)

    def _look_at_pictures(self) -> Iterator[tuple[str, tuple[int, ...]]]:
        """Yield suffix and shape of each picture that decodes, having gathered its codes."""
        pictures = {s: m for s, m in self.members.items() if s.rpartition(".")[2] in PICTURES}
        joined = _subjects(list(pictures))
        for suffix, member in pictures.items():
            try:
                data, decoded = self._decoded(suffix, member)
            except BadImage as bad:
                self._add("corrupt", member, str(bad))
                continue
            if suffix in joined:
                self.seen.pictures.append(picture(self.run, suffix, member, data, decoded))
            yield suffix, decoded.rgb.shape

    def _decoded(self, suffix: str, member: Member) -> tuple[bytes, Image]:
        """The bytes of a picture, and the picture; a line is checked, and kept black on white."""
        data = self._read(member, self.chunk.max_bytes)
        decoded = decode.decode(data, self.chunk.max_pixels)
        if self._is_line(suffix):
            line = 255 - decoded.gray if self._inverted else decoded.gray
            self._lines[suffix] = line
            self._check_line(member, data, decoded.format, line)
        elif suffix.startswith("color."):
            self._colors.append(decoded.rgb)
        return data, decoded

    @property
    def _is_ours(self) -> bool:
        """Whether this is our own layout."""
        if self.chunk.config:
            return True
        has_color = any(suffix.startswith("color.") for suffix in self.members)
        return has_color and any(suffix.startswith("lineart.") for suffix in self.members)

    def _is_line(self, suffix: str) -> bool:
        return self._is_ours and suffix.startswith("lineart.")

    def _check_shapes(self, shapes: dict[str, tuple[int, ...]]) -> None:
        color = next((shape for suffix, shape in shapes.items() if suffix.startswith("color.")), None)
        for suffix, shape in shapes.items():
            if color and self._is_line(suffix) and shape[:2] != color[:2]:
                text = f"{shape[1]} × {shape[0]} px, its color picture {color[1]} × {color[0]}"
                self._add("size", self.members[suffix], text)

    def _probe(self, rgb: Pixels) -> None:
        """Add up how much of the color the gray of lines gives away."""
        fold = zlib.crc32(f"{self.chunk.tar.name}/{self.run}".encode())
        sums = self.seen.color_sums
        for suffix, line in self._lines.items():
            if line.shape == rgb.shape[:2]:
                sums[suffix] = sums.get(suffix, 0) + color_leak.tally(line, rgb, fold)

    @cached_property
    def _about(self) -> dict[str, Any]:
        """The sample's own JSON; empty where there is none."""
        try:
            about = self._parsed("json")
        except (KeyError, ValueError, BadImage):
            return {}
        return about if isinstance(about, dict) else {}

    def _parsed(self, suffix: str) -> Any:
        """The value in a JSON file, read once."""
        if suffix not in self._json:
            self._json[suffix] = untrusted.read_json(self._read(self.members[suffix], MAX_JSON))
        return self._json[suffix]

    @property
    def _inverted(self) -> bool:
        return bool(self._about.get("polarity") == "white_on_black")

    def _check_line(self, member: Member, data: bytes, form: str, line: Pixels) -> None:
        """`line`: black on white, if it is in the polarity that the sample states."""
        if form != "png" or data[24:26] != GRAY_8:
            self._add("polarity", member, "lineart is a PNG of 8-bit gray")
        elif np.count_nonzero(line < 128) > MOSTLY * line.size and not self._is_gray(member):
            text = (
                "mostly ink: lineart is black ink (0) on white paper (255), "
                "unless its JSON states white_on_black"
            )
            self._add("polarity", member, text)

    def _is_gray(self, member: Member) -> bool:
        """Whether a line is one that is gray by nature: a dark page is no sign of the wrong polarity."""
        named = member.name.removesuffix(".png").rpartition(".lineart")[2].removeprefix(".")
        style = named or self._about.get("style", "")
        return isinstance(style, str) and style in registry.names("styles") and selection.is_soft(style)

    def _check_json(self, suffix: str, member: Member) -> None:
        try:
            schema = schema_of(self._parsed(suffix))
        except (ValueError, RecursionError, BadImage) as error:
            self._add("json", member, f"can't be parsed: {error}")
            return
        if self._is_ours and (empty := [name for name, kind in schema if kind in UNTYPED]):
            text = f"{', '.join(empty)}: null or an empty list, whose type a loader has to guess"
            self._add("json", member, text)
        tally = self.seen.schemas.get((suffix, schema), Tally())
        name = clipped(f"{self.chunk.tar.name}/{member.name}")
        self.seen.schemas[suffix, schema] = tally.plus(name, self.chunk.tar.most)

    def _read(self, member: Member, limit: int) -> bytes:
        at = storage.Reference(storage.uri_of(self.chunk.tar.path), member.offset, member.size)
        return storage.read(at, Path(), limit, links=True)

    def _add(self, code: str, member: Member, message: str) -> None:
        self.seen.notes.add(code, f"{self.chunk.tar.name}/{member.name}", message)


def schema_of(value: Any) -> Schema:
    """Names and types of a JSON file's fields; of something else than an object, one type without a name."""
    fields = value.items() if isinstance(value, dict) else [("", value)]
    return tuple(sorted((clipped(name), _kind(content)) for name, content in fields))


def _kind(value: Any) -> str:
    if value == []:
        return "empty list"
    kinds = {bool: "bool", int: "number", float: "number", str: "text", list: "list", dict: "object"}
    return kinds.get(type(value), "null")


def _subjects(suffixes: list[str]) -> set[str]:
    """The suffixes of the pictures of a sample that are looked for elsewhere.

    Color, else the lossy ones (beside them stand maps and masks), else all.
    """
    color = {s for s in suffixes if s.startswith("color.")}
    return color or {s for s in suffixes if s.rpartition(".")[2] in LOSSY} or set(suffixes)


def picture(run: int, suffix: str, member: Member, data: bytes, decoded: Image) -> Picture:
    """The codes of a picture by which its copies are found."""
    codes = phash.codes(decoded.rgb)
    return Picture(
        run=run,
        suffix=suffix,
        offset=member.offset,
        size=member.size,
        digest=hashlib.sha256(data).digest()[:16],
        pixels=codes.pixels,
        places=place_codes.codes(decoded),
        windows=windows.codes(decoded, codes.luma, codes.phash, codes.phash_flip)[0],
    )
