"""Lineart of loose pictures, without a workspace.

The library's `draw`, the command's files, and a sheet that compares the styles.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from anidata import registry
from anidata.imaging import encode, fit, lines, reduction, sheet, sheet_layout
from anidata.imaging.loose.job import Done, Job, plan
from anidata.imaging.loose.pictures import Picture
from anidata.lineart import selection

COMMAND = "draw"
SHEET = "styles"  # what --compare writes
SHOWN = 512  # px of the long side of pictures that are compared: what the styles' widths are meant for

Pen = Callable[[np.ndarray], np.ndarray]  # draws pictures (h, w, 3) as lines (h, w)


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


def settled(style: str, settings: Mapping[str, Any]) -> tuple[str, Any]:
    """A style's name and its parameters, with what it needs from outside pinned.

    Raises: UnknownPart, RecipeError, MissingExtra: no such style or parameter, or it lacks something.
    """
    name, config = chosen(style, settings)
    return name, selection.check(name, config)


def pen(name: str, config: Any) -> Pen:
    """A style with its parameters, ready to draw."""
    module = registry.load("styles", name)
    return lambda rgb: module.draw(rgb, config)


def draw_files(paths: Sequence[Path], style: str, size: int, settings: Mapping[str, Any], job: Job) -> Done:
    """Draw each file, and those of folders, as loose.targets names them.

    size: px of the long side; 0: the file's own. settings: {style: parameters}, as --set gives them.
    Raises: SourceError: no such file or folder. UnknownPart, RecipeError, MissingExtra: of the style.
    """
    name, config = settled(style, settings.get(style.partition(":")[0], {}))  # before the first picture
    drawn = pen(name, config)
    return plan(paths, job).each(
        [selection.fingerprint(name, config), *_size_seen(size)],
        lambda rgb: encode.encode_line(drawn(_sized(rgb, size))),
    )


def compare_files(paths: Sequence[Path], size: int, settings: Mapping[str, Any], job: Job) -> Done:
    """Draw each file in every style that needs no argument, all on one sheet, styles.png.

    size: px of the long side; 0: 512.
    """
    chosen_styles = [chosen(name, settings.get(name, {})) for name in selection.plain()]
    pens = {name: pen(name, config) for name, config in chosen_styles}

    def page(pictures: Sequence[tuple[Picture, np.ndarray]]) -> bytes:
        sections = [sheet_layout.Section(p.path.name, [_cells(rgb, pens)]) for p, rgb in pictures]
        return encode.encode_png(sheet.draw("Styles of lineart", [], sections))

    prints = [selection.fingerprint(name, config) for name, config in chosen_styles]
    work = plan(paths, job)
    return work.sheet(
        SHEET, paths, [prints, *_size_seen(size or SHOWN)], lambda rgb: _sized(rgb, size or SHOWN), page
    )


def _cells(rgb: np.ndarray, pens: Mapping[str, Pen]) -> list[sheet_layout.Cell]:
    return [
        sheet_layout.Cell(rgb, caption="color"),
        *(sheet_layout.Cell(drawn(rgb), caption=name) for name, drawn in pens.items()),
    ]


def _size_seen(size: int) -> list[int]:
    """What a file depends on through the size that its picture is brought to."""
    return [size, reduction.VERSION] if size else [size]


def _sized(rgb: np.ndarray, size: int) -> np.ndarray:
    """The picture with a long side of `size` px; 0: as it is. Of line art thin strokes stay dark."""
    scale = size / max(rgb.shape[:2]) if size else 1
    if scale == 1:
        return rgb
    height, width = (max(1, round(side * scale)) for side in rgb.shape[:2])
    if scale < 1 and lines.is_lineart(rgb):
        gray = np.asarray(cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY), np.uint8)
        return np.dstack([reduction.reduced(gray, width, height)] * 3)
    return fit.resize(rgb, width, height, "area")
