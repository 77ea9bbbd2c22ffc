"""Drawing, in a worker.

The pictures of a part are read again, fitted once each, drawn in the styles wanted, and published
as a tar and a table.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypedDict, cast

import cv2
import numpy as np

from anidata import registry, storage
from anidata.catalog import schemas, tables
from anidata.engine.engine import Failure, Watch
from anidata.engine.memory import within_memory
from anidata.errors import BadImage
from anidata.imaging import encode, reduction
from anidata.imaging import fit as fitting
from anidata.imaging.reopen import Reader
from anidata.lineart import postprocess, selection
from anidata.lineart.postprocess import Finish
from anidata.stages.extract_lineart.state import scout
from anidata.storage import Location
from anidata.tar import writer

SUFFIX: dict[encode.Form, str] = {"jpeg": "jpg", "webp": "webp", "png": "png"}
SCOUT = 256  # px of the short side at which ink is looked for before a picture is cut

Row = dict[str, Any]  # of catalog.schemas.PAIRS
Failures = dict[str, tuple[str, str]]  # key → code and message


class Picture(TypedDict):
    """A picture to draw: a row of the catalog."""

    key: str
    wanted: list[str]  # the files that it lacks: `color`, and styles
    width: int
    height: int
    places: list[Location]  # where its bytes lie
    line_key: str | None  # of the artist's lines
    lines: list[Location] | None  # where theirs lie


@dataclass(frozen=True, kw_only=True)
class Frame:
    """How a picture is fitted and its color encoded."""

    size: int
    fit: fitting.Fit
    filter: fitting.Filter
    anchor: fitting.Anchor
    color: encode.Form
    quality: int


@dataclass(frozen=True)
class Pens:
    """How lines are drawn."""

    configs: dict[str, Any]  # style of the registry → its parameters
    mix: dict[str, float]  # style → weight
    jitter: float
    seed: int
    finish: Finish

    def draw(self, style: str, rgb: np.ndarray, key: str) -> tuple[str, np.ndarray]:
        """The style really drawn in, and the lines."""
        name = selection.pick(self.mix, key, self.seed) if style == selection.MIX else style
        config = selection.jittered(name, self.configs[name], self.jitter, key, self.seed)
        return name, postprocess.finished(registry.load("styles", name).draw(rgb, config), self.finish)


@dataclass(frozen=True, kw_only=True)
class LinePart:
    """Pictures to draw, and how."""

    name: str
    pictures: list[dict[str, Any]]  # each a Picture
    frame: Frame
    pens: Pens
    fingerprints: dict[str, str]  # file → what it depends on
    reader: Reader


def draw_part(part: LinePart, watch: Watch) -> tuple[Counter[str], Failures]:
    """Draw one part and publish it; counts by style, and the pictures that failed with code and message."""
    rows: list[Row] = []
    failures: Failures = {}
    path = part.reader.workspace.folder("pairs") / f"{part.name}.tar"
    storage.delete(path.with_suffix(".parquet"))  # of a worker that died after all: this one's tar may differ
    with storage.publishing(path) as file:
        tar = writer.TarWriter(file)
        for picture, failure in watch.each(cast("list[Picture]", part.pictures)):
            made = failure or _try(part, picture)
            if isinstance(made, Failure):
                failures[picture["key"]] = (made.code, made.message)
                continue
            for row, data in made:
                member = tar.add(f"{row['key']}.{row['style']}.{row['suffix']}", data)
                at = {"tar": path.name, "offset": member.offset, "size": member.size}
                rows.append(row | at | {"digest": storage.key_of(data)})
        tar.close()
    if rows:
        tables.write(path.with_suffix(".parquet"), tables.table(rows, schemas.PAIRS))
    else:
        storage.delete(path)
    return Counter(row["style"] for row in rows), failures


def _try(part: LinePart, picture: Picture) -> list[tuple[Row, bytes]] | Failure:
    try:
        with within_memory():
            return list(_draw(part, picture))
    except BadImage as error:
        return Failure(error.code, error.message)


def _draw(part: LinePart, picture: Picture) -> Iterator[tuple[Row, bytes]]:
    """The files wanted of one picture, all from one fitted picture, each with its row."""
    page = _Page(part, picture)
    for style in picture["wanted"]:
        row = {"key": picture["key"], "style": style, "fingerprint": part.fingerprints[style]}
        if style == schemas.COLOR:
            about, data = _color_file(page.rgb, part.frame)
        elif style == selection.ARTIST:
            row["fingerprint"] += str(picture["line_key"])
            about, data = _line_file(style, page.artist(), part.pens.finish)
        else:
            about, data = _line_file(*page.drawn(style), part.pens.finish)
        yield row | about, data


def _color_file(rgb: np.ndarray, frame: Frame) -> tuple[Row, bytes]:
    row = {"suffix": SUFFIX[frame.color], "width": rgb.shape[1], "height": rgb.shape[0]}
    return row, encode.encode_color(rgb, frame.color, frame.quality)


def _line_file(drawn: str, line: np.ndarray, finish: Finish) -> tuple[Row, bytes]:
    """drawn: the style really drawn in."""
    row = {"drawn": drawn, "suffix": "png", "width": line.shape[1], "height": line.shape[0]}
    data = encode.encode_line(postprocess.stored(line, finish))
    return row | postprocess.measure(line)._asdict(), data


class _Page:
    """A picture, brought to its page once it is asked for."""

    def __init__(self, part: LinePart, picture: Picture) -> None:
        self._part, self._picture, self._frame = part, picture, part.frame

    @cached_property
    def _decoded(self) -> np.ndarray:
        return self._part.reader.decode(self._picture["places"], self._picture["key"]).rgb

    @cached_property
    def rgb(self) -> np.ndarray:
        """The page."""
        return fitting.fit(self._decoded, self._frame.size, self._frame.fit, self._frame.filter, self._at)

    @cached_property
    def _at(self) -> float:
        """Share of what is cut off that is cut above or left of the page."""
        if self._frame.fit == "pad" or self._frame.anchor == "center":
            return 0.5
        page = fitting.page_of(self._decoded.shape, self._frame.size, self._frame.fit)
        return anchored(self._decoded, page)

    def drawn(self, style: str) -> tuple[str, np.ndarray]:
        """Lines of what lies on the page alone: the picture's border against paper is no stroke."""
        box = fitting.inner_box(self._decoded.shape, self._frame.size, self._frame.fit)
        line = np.full(self.rgb.shape[:2], postprocess.PAPER, np.uint8)
        name, line[box] = self._part.pens.draw(style, self.rgb[box], self._picture["key"])
        return name, line

    def artist(self) -> np.ndarray:
        """The artist's own lines, scaled to the color picture's size first, so that both are fitted alike.

        Thin strokes stay dark.
        """
        locations, key = self._picture["lines"] or [], str(self._picture["line_key"])
        gray = cv2.cvtColor(self._part.reader.decode(locations, key).rgb, cv2.COLOR_RGB2GRAY)
        shape, frame = (self._picture["height"], self._picture["width"]), self._frame
        line = np.asarray(gray, np.uint8)
        for size in (shape[::-1], fitting.scaled(shape, frame.size, frame.fit)):
            line = reduction.reduced(line, *size, frame.filter)
        return fitting.laid(line, fitting.page_of(shape, frame.size, frame.fit), frame.fit, self._at)


def anchored(rgb: np.ndarray, page: tuple[int, int]) -> float:
    """Where to cut a picture for a page of that width and height so that most of its ink stays."""
    scale = SCOUT / min(rgb.shape[:2])
    if scale < 1:
        height, width = (max(1, round(side * scale)) for side in rgb.shape[:2])
        rgb = fitting.shrink(rgb, width, height)
    name, config = scout()
    return fitting.richest(registry.load("styles", name).draw(rgb, config) < postprocess.INK, page)
