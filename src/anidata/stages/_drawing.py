"""Drawing, in a worker: a part of pictures is read again, fitted once each, drawn in the styles wanted, and published as a tar and a table."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from types import ModuleType
from typing import Any

import cv2
import numpy as np

from anidata import canvas, catalog, parts, shards, storage
from anidata.engine import Failure, Watch
from anidata.errors import BadImage
from anidata.stages._memory import within_memory
from anidata.stages._reading import Reader

ARTIST = "artist"  # the style of true lineart, found beside its color picture
SUFFIX: dict[canvas.Form, str] = {"jpeg": "jpg", "webp": "webp", "png": "png"}
INK, PAPER = 128, 255  # grey levels; darker than INK is ink

Row = dict[str, Any]
Failures = dict[str, tuple[str, str]]  # key → code and message


@dataclass(frozen=True)
class Frame:
    """How a picture is fitted and its color encoded."""

    size: int
    fit: canvas.Fit
    filter: canvas.Filter
    color: canvas.Form
    quality: int


@dataclass(frozen=True)
class Part:
    """Pictures to draw: of each its key, the places where its bytes lie, and the files wanted of it."""

    name: str
    pictures: list[Row]
    frame: Frame
    styles: dict[str, Any]  # style → its config
    fingerprints: dict[str, str]  # file → what it depends on
    reader: Reader

    @cached_property
    def modules(self) -> dict[str, ModuleType]:
        return {name: parts.load("lineart", name) for name in self.styles}


def draw_part(part: Part, watch: Watch) -> tuple[Counter[str], Failures]:
    """Draw one part and publish it: counts, and the pictures that failed with code and message."""
    rows: list[Row] = []
    failures: Failures = {}
    path = part.reader.workspace.folder("pairs") / f"{part.name}.tar"
    storage.delete(path.with_suffix(".parquet"))  # of a worker that died after all: this one's tar may differ
    with storage.publishing(path) as file:
        tar = shards.TarWriter(file)
        for picture, failure in watch.each(part.pictures):
            made = failure or _try(part, picture)
            if isinstance(made, Failure):
                failures[picture["key"]] = (made.code, made.message)
                continue
            for row, data in made:
                member = tar.add(f"{row['key']}.{row['style']}.{row['suffix']}", data)
                rows.append(row | {"tar": path.name, "offset": member.offset, "size": member.size})
        tar.close()
    if rows:
        catalog.write(path.with_suffix(".parquet"), catalog.table(rows, catalog.PAIRS))
    else:
        storage.delete(path)
    return Counter(row["style"] for row in rows), failures


def _try(part: Part, picture: Row) -> list[tuple[Row, bytes]] | Failure:
    try:
        with within_memory():
            return list(_draw(part, picture))
    except BadImage as error:
        return Failure(error.code, error.message)


def _draw(part: Part, picture: Row) -> Iterator[tuple[Row, bytes]]:
    """The files wanted of one picture, all from one fitted picture."""
    wanted = picture["wanted"]
    fitted, box = _fitted(part, picture) if set(wanted) != {ARTIST} else (None, ())
    for name in wanted:
        row = {"key": picture["key"], "style": name, "fingerprint": part.fingerprints[name], "ink": None}
        if fitted is not None and name == catalog.COLOR:
            data, suffix, drawn = canvas.encode_color(fitted, part.frame.color, part.frame.quality), SUFFIX[part.frame.color], fitted
        else:
            drawn = _artist(part, picture) if fitted is None or name == ARTIST else _drawn(part, name, fitted, box)
            data, suffix = canvas.encode_line(drawn), "png"
            row |= {
                "ink": float(np.mean(drawn < INK)),
                "fingerprint": part.fingerprints[name] + (picture["line_key"] if name == ARTIST else ""),
            }
        yield row | {"suffix": suffix, "width": drawn.shape[1], "height": drawn.shape[0]}, data


def _fitted(part: Part, picture: Row) -> tuple[np.ndarray, tuple[slice, slice]]:
    """The page, and where on it the picture lies."""
    rgb = part.reader.decode(picture["places"], picture["key"]).rgb
    frame = part.frame
    return canvas.fit(rgb, frame.size, frame.fit, frame.filter), canvas.place(rgb.shape, frame.size, frame.fit)


def _drawn(part: Part, style: str, page: np.ndarray, box: tuple[slice, ...]) -> np.ndarray:
    """Lines of what lies in the box alone: its border against the page is no stroke."""
    drawn = np.full(page.shape[:2], PAPER, np.uint8)
    drawn[box] = part.modules[style].draw(page[box], part.styles[style])
    return drawn


def _artist(part: Part, picture: Row) -> np.ndarray:
    """The artist's own lines, scaled to the color picture's size first, so that both are fitted alike."""
    decoded = part.reader.decode(picture["lines"], picture["line_key"])
    rgb = canvas.resize(decoded.rgb, picture["width"], picture["height"], part.frame.filter)
    return np.asarray(cv2.cvtColor(canvas.fit(rgb, part.frame.size, part.frame.fit, part.frame.filter), cv2.COLOR_RGB2GRAY))
