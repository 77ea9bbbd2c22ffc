"""Sheets of an evaluation: all models stand beside the truth, each with its map of differences."""

import io

import numpy as np
import PIL.Image
import pytest
import torch

from anidata.training.evaluation import intervals, scoring, sheets
from anidata.training.evaluation.summary import Measured, summarize
from anidata.training.run.grids import GAP
from planted import COUNT, SIDE, TOLD, Drawings, Planted, faint

CELL = SIDE + GAP
LEVELS = [10 * (n + 1) for n in range(14)]  # each model paints a gray of its own
torch.set_num_threads(1)


def gray(level):
    return Planted(f"gray-{level}", lambda page: np.full_like(page.color, level))


def shown(colorizers, count=2):
    """The sheets of one table, and the pictures of their rows, decoded."""
    pages, shelf = Drawings(), scoring.open_shelf(torch.device("cpu"))
    [scored] = scoring.score(pages, {TOLD: colorizers}, shelf, batch=4, samples=1)
    draws = intervals.draws(pages.keys, 100, 0)
    members = {colorizer.name: (colorizer.name,) for colorizer in colorizers}
    measured = Measured(scored, shelf, draws, members, ())
    made = sheets.make([measured], [summarize(measured, "balanced")], {TOLD: colorizers}, pages, 4, count)
    pictures = {path: np.asarray(PIL.Image.open(io.BytesIO(data))) for path, data in made.files.items()}
    return made.sheets[0], pictures


def cell(picture, band, column):
    """A picture of a row, without what JPEG does at its edges."""
    top, left = band * CELL, column * CELL
    return picture[top + 2 : top + SIDE - 2, left + 2 : left + SIDE - 2].astype(float)


@pytest.mark.parametrize("count", [1, 6, 7, 13])
def test_all_models_are_shown_however_many(count):
    of, pictures = shown([gray(level) for level in LEVELS[:count]])
    bands = of[0]["bands"]
    assert len(bands) == -(-count // sheets.COLUMNS)
    names = [name for band in bands for name in band if name.startswith("gray-")]
    assert names == [f"gray-{level}" for level in LEVELS[:count]]
    assert all(
        band[:2] == ["lineart", "truth"] and band[3::2] == ["difference"] * (len(band) // 2 - 1)
        for band in bands
    )
    for picture in pictures.values():
        assert picture.shape == (len(bands) * CELL - GAP, len(bands[0]) * CELL, 3)
        for n, level in enumerate(LEVELS[:count]):
            band, column = divmod(n, sheets.COLUMNS)
            painted = cell(picture, band, 2 + 2 * column)
            assert painted.mean() == pytest.approx(level, abs=3), (band, column)


def test_each_band_has_the_lines_and_the_truth_and_ends_in_white():
    of, pictures = shown([gray(level) for level in LEVELS[:8]])
    truths = {page.key: page for page in Drawings().pages}
    for sheet in of:
        for row in sheet["rows"]:
            picture, page = pictures[row["file"]], truths[row["key"]]
            for band in (0, 1):
                line, color = (cell(picture, band, column) for column in (0, 1))
                assert np.abs(line.mean(2) - page.lines["ink"][2:-2, 2:-2]).mean() < 12
                assert np.abs(color - page.color[2:-2, 2:-2]).mean() < 12
            assert cell(picture, 1, 6).mean() > 250


def test_the_map_of_differences_is_dark_where_the_truth_is_met():
    _, pictures = shown([Planted("faint", faint), gray(140)])
    for picture in pictures.values():
        near, far = cell(picture, 0, 3), cell(picture, 0, 5)
        assert near.mean() < 20
        assert far.mean() > 60


def test_every_model_has_its_figures_below_each_row():
    of, _ = shown([gray(level) for level in LEVELS[:8]])
    for sheet in of:
        assert [row["key"] in {f"{n:02d}" for n in range(COUNT)} for row in sheet["rows"]] == [True, True]
        assert all(set(row["figures"]) == {f"gray-{level}" for level in LEVELS[:8]} for row in sheet["rows"])
