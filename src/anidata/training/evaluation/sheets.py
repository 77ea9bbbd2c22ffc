"""Pictures for the report: where the leading model is best, middling and worst, and where figures disagree.

Each row is one page: what was told, the truth, and each model's picture with its map of differences. More
models than COLUMNS go on in further bands below, each beginning with what was told and the truth.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any, TypeVar

import cv2
import numpy as np
import numpy.typing as npt
import torch

from anidata.imaging import encode
from anidata.training.compared import Compared
from anidata.training.data.loader import to_tensor, to_uint8
from anidata.training.evaluation import protocols
from anidata.training.evaluation.colorizers import Colorizer
from anidata.training.evaluation.pages import Page, Pages
from anidata.training.evaluation.protocols import Protocol
from anidata.training.evaluation.summary import Document, Measured, number
from anidata.training.metrics import ciede2000
from anidata.training.run import grids

Pixels = npt.NDArray[np.uint8]

BY = "ciede2000"  # the figure that best and worst are chosen by
PERCEPTUAL = ("lpips", "lpips_vgg", "msssim", "ssim")  # the first that is known is held against PSNR
COLUMNS = 6  # models in a band; further ones go on in the next
HOTTEST = 40.0  # ΔE00 that is drawn as the lightest
QUALITY = 92  # of the JPEGs
KINDS = ("best", "median", "worst", "disagreement")

T = TypeVar("T")


@dataclass(frozen=True)
class Shown:
    """The sheets of each table, and their pictures' bytes by path."""

    sheets: list[list[Document]]
    files: dict[str, bytes]


def make(
    measured: Sequence[Measured],
    tables: Sequence[Document],
    meeting: Mapping[Protocol, Sequence[Colorizer]],
    pages: Pages,
    batch: int,
    count: int,
) -> Shown:
    """The sheets of all tables. count: pictures in each; batch: as for the figures, for the same chance."""
    shown = Shown([], {})
    for number_, (one, table) in enumerate(zip(measured, tables, strict=True)):
        painters = _painters(one, meeting[one.table.protocol])
        chosen = _chosen(one, _leader(one, table), count)
        indices = sorted({index for indices in chosen.values() for index in indices})
        for of_batch, within in groupby(indices, lambda index: index // batch):
            rows = _rows(one.table.protocol, painters, pages, of_batch, batch, list(within))
            for index, row in rows.items():
                shown.files[_path(number_, index)] = encode.encode_color(row, "jpeg", QUALITY)
        bands = _bands(one.table.protocol, painters)
        shown.sheets.append(
            [
                {
                    "kind": kind,
                    "note": _note(kind, one),
                    "bands": bands,
                    "rows": [_caption(one, pages, number_, index) for index in of],
                }
                for kind, of in chosen.items()
            ]
        )
    return shown


def _bands(protocol: Protocol, painters: Sequence[Colorizer]) -> list[list[str]]:
    """What stands beside each other, in each band of a row."""
    return [
        [*_told(protocol), "truth", *(name for p in band for name in (p.name, "difference"))]
        for band in _banded(painters)
    ]


def _banded(columns: Sequence[T]) -> list[Sequence[T]]:
    return [columns[start : start + COLUMNS] for start in range(0, len(columns), COLUMNS)]


def _painters(one: Measured, there: Sequence[Colorizer]) -> list[Colorizer]:
    """The first run of each model."""
    first = [names[0] for who, names in one.members.items() if who not in one.trivial]
    return [colorizer for colorizer in there if colorizer.name in first]


def _leader(one: Measured, table: Document) -> str:
    """The trained model that stands first in the ranking, or the first there is."""
    trained = [who for who in one.members if who not in one.trivial]
    return next((row["name"] for row in table["ranking"] if row["name"] in trained), trained[0])


def _chosen(one: Measured, leader: str, count: int) -> dict[str, list[int]]:
    """By kind the indices of the pages that are shown, the foremost first."""
    order = _order(one, BY, leader)
    middle = max(0, (len(order) - count) // 2)
    perceptual = _perceptual(one)
    apart = np.abs(_ranks(one, "psnr", leader) - _ranks(one, perceptual, leader))
    return {
        "best": order[:count],
        "median": order[middle : middle + count],
        "worst": order[::-1][:count],
        "disagreement": np.argsort(-apart, kind="stable")[:count].tolist(),
    }


def _perceptual(one: Measured) -> str:
    """The first of PERCEPTUAL that has a value here."""
    who = next(iter(one.members))
    there = (name for name in PERCEPTUAL if name in one.figures)
    return next((name for name in there if not np.isnan(one.values(name, who)).all()), BY)


def _order(one: Measured, name: str, who: str) -> list[int]:
    """The indices of the pages, that with the best value first."""
    values = one.shelf.figures[name].loss(one.values(name, who)).mean(axis=0)
    indices: list[int] = np.argsort(np.nan_to_num(values, nan=np.inf), kind="stable").tolist()
    return indices


def _ranks(one: Measured, name: str, who: str) -> npt.NDArray[np.int64]:
    return np.argsort(np.asarray(_order(one, name, who)))


def _rows(
    protocol: Protocol,
    painters: Sequence[Colorizer],
    pages: Pages,
    number_: int,
    batch: int,
    indices: Sequence[int],
) -> dict[int, Pixels]:
    """Rows of one batch by their pages' indices, which is colored once."""
    first = number_ * batch
    group = [pages.page(n) for n in range(first, min(len(pages), first + batch))]
    outputs = [painter.color(group, protocol, number_) for painter in painters]
    return {
        index: _row(group[index - first], protocol, [of[index - first] for of in outputs])
        for index in indices
    }


def _row(page: Page, protocol: Protocol, outputs: Sequence[Pixels]) -> Pixels:
    """(height, width, 3): the bands below each other, each with its columns beside each other."""
    leading = [*_told_pictures(page, protocol), page.color]
    bands = []
    for band in _banded(outputs):
        shown = [picture for output in band for picture in (output, difference_map(output, page.color))]
        bands.append(_beside([*leading, *shown]))
    return _below(bands)


def _beside(pictures: Sequence[Pixels]) -> Pixels:
    return np.concatenate([_framed(picture, right=grids.GAP) for picture in pictures], axis=1)


def _below(bands: Sequence[Pixels]) -> Pixels:
    """Bands of several widths below each other, on white."""
    wide = max(band.shape[1] for band in bands)
    framed = [_framed(band, right=wide - band.shape[1], below=grids.GAP) for band in bands[:-1]]
    return np.concatenate([*framed, _framed(bands[-1], right=wide - bands[-1].shape[1])])


def _framed(picture: Pixels, *, right: int, below: int = 0) -> Pixels:
    return np.pad(picture, ((0, below), (0, right), (0, 0)), constant_values=255)


def _names(protocol: Protocol) -> list[str]:
    return [*protocol.conditions, *(["hints"] if protocol.hints else [])]


def _told(protocol: Protocol) -> list[str]:
    return [name for name in _names(protocol) if name != "none"]


def _told_pictures(page: Page, protocol: Protocol) -> list[Pixels]:
    """A picture of each condition that was told."""
    names = _names(protocol)
    batch = protocols.batch([page], names, protocol, torch.device("cpu"))
    made = zip(names, grids.shown(names, batch.condition), strict=True)
    return [to_uint8(picture)[0] for name, picture in made if name != "none"]


def difference_map(output: Pixels, truth: Pixels) -> Pixels:
    """ΔE00 of each pixel as a color, from black (none) to light yellow (HOTTEST or more)."""
    compared = Compared(to_tensor(output)[None], to_tensor(truth)[None])
    apart = ciede2000.difference(compared.outputs.lab, compared.truths.lab)[0].numpy()
    levels = np.rint(np.clip(apart / HOTTEST, 0, 1) * 255).astype(np.uint8)
    return np.asarray(cv2.applyColorMap(levels, cv2.COLORMAP_INFERNO)[..., ::-1], np.uint8)


def _note(kind: str, one: Measured) -> str:
    if kind != "disagreement":
        return f"by {BY}"
    return f"where psnr and {_perceptual(one)} rank the pages the most unlike"


def _caption(one: Measured, pages: Pages, table: int, index: int) -> Document:
    """What stands beside a row: the page's key and each model's figures."""
    shown: dict[str, Any] = {}
    for who in one.members:
        if who not in one.trivial:
            names = [BY, "psnr", _perceptual(one)]
            shown[who] = {name: number(float(one.values(name, who)[:, index].mean())) for name in names}
    return {"key": pages.keys[index], "file": _path(table, index), "figures": shown}


def _path(table: int, index: int) -> str:
    return f"pictures/{table}-{index:06d}.jpg"
