"""Lineart of loose pictures, without a workspace.

The library's `draw`, the command's files, and a sheet that compares the styles.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from anidata import registry, storage
from anidata.errors import BadImage
from anidata.imaging import decode, encode, fit, sheet, sheet_layout
from anidata.lineart import selection

MAX_PIXELS, MAX_BYTES = 100_000_000, 1 << 28
SHEET = "styles.png"  # what --compare writes
SHOWN = 512  # px of the long side of pictures that are compared: what the styles' widths are meant for

Pen = Callable[[np.ndarray], np.ndarray]  # draws pictures (h, w, 3) as lines (h, w)


@dataclass
class Drawn:
    """The files that were written, and those that couldn't be read."""

    written: list[Path] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)  # path → code and message

    def to_json(self) -> dict[str, Any]:
        return {"written": [str(p) for p in self.written], "failed": self.failed}


def draw(rgb: np.ndarray, style: str = "ink", settings: Mapping[str, Any] | None = None) -> np.ndarray:
    """Lineart of a picture: uint8 (h, w), black ink (0) on white (255), from uint8 sRGB (h, w, 3).

    style: a name, or with its argument, such as onnx:MODEL.onnx. settings: its parameters; see its Config.
    Raises: UnknownPart: no such style. RecipeError: no such parameter, or a value out of range.
    """
    return pen(*chosen(style, settings or {}))(rgb)


def chosen(style: str, settings: Mapping[str, Any]) -> tuple[str, Any]:
    """A style's name and its parameters, from what `draw` is given."""
    name = style.partition(":")[0]
    _, tables = selection.spelled([style], {name: settings})
    return name, selection.config_of(name, tables[name], f"style {name}")


def pen(name: str, config: Any) -> Pen:
    """A style with its parameters, ready to draw."""
    module = registry.load("styles", name)
    return lambda rgb: module.draw(rgb, config)


def draw_files(
    paths: Sequence[Path], folder: Path, style: str, size: int, settings: Mapping[str, Any]
) -> Drawn:
    """Draw each file as folder/STEM.png (STEM.EXT.png where two files share a stem).

    size: px of the long side; 0: the file's own. settings: {style: parameters}, as --set gives them.
    """
    name, config = chosen(style, settings.get(style.partition(":")[0], {}))
    selection.check(name, config)  # before the first picture
    drawn = pen(name, config)
    stems = Counter(path.stem for path in paths)
    done = Drawn()
    for path, rgb in _read(paths, done):
        target = folder / f"{path.stem if stems[path.stem] == 1 else path.name}.png"
        storage.publish(target, encode.encode_line(drawn(_sized(rgb, size))))
        done.written.append(target)
    return done


def compare_files(paths: Sequence[Path], folder: Path, size: int, settings: Mapping[str, Any]) -> Drawn:
    """Draw each file in every style that needs no argument, all on one sheet, folder/styles.png.

    size: px of the long side; 0: 512.
    """
    pens = {name: pen(*chosen(name, settings.get(name, {}))) for name in selection.plain()}
    done = Drawn()
    sections = [
        sheet_layout.Section(path.name, [_cells(_sized(rgb, size or SHOWN), pens)])
        for path, rgb in _read(paths, done)
    ]
    if sections:
        storage.publish(folder / SHEET, encode.encode_png(sheet.draw("Styles of lineart", [], sections)))
        done.written.append(folder / SHEET)
    return done


def _cells(rgb: np.ndarray, pens: Mapping[str, Pen]) -> list[sheet_layout.Cell]:
    return [
        sheet_layout.Cell(rgb, caption="color"),
        *(sheet_layout.Cell(drawn(rgb), caption=name) for name, drawn in pens.items()),
    ]


def _read(paths: Sequence[Path], done: Drawn) -> Iterator[tuple[Path, np.ndarray]]:
    """The pictures that can be read; the others are noted."""
    for path in paths:
        try:
            data = storage.read(storage.Reference(storage.uri_of(path)), Path(), MAX_BYTES)
            rgb = decode.decode(data, MAX_PIXELS).rgb
        except BadImage as error:
            done.failed[str(path)] = str(error)
        else:
            yield path, rgb


def _sized(rgb: np.ndarray, size: int) -> np.ndarray:
    """The picture with a long side of `size` px; 0: as it is."""
    scale = size / max(rgb.shape[:2]) if size else 1
    if scale == 1:
        return rgb
    height, width = (max(1, round(side * scale)) for side in rgb.shape[:2])
    return fit.resize(rgb, width, height, "area")
