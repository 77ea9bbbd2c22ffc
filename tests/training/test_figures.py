"""Figures by name, and how a validation takes them."""

import math

import pytest
import torch

from anidata.errors import RecipeError, UnknownPart
from anidata.training import figures
from anidata.training.compared import Compared
from anidata.training.data.conditions import line
from anidata.training.metrics import Figure, psnr
from anidata.training.run import validation


@pytest.mark.parametrize("name", ["psnr", "psnr_ab", "psnr_drawn"])
def test_a_figure_is_of_the_file_whose_name_it_begins_with(name):
    assert figures.home(name) is psnr
    assert figures.figure(name) is psnr.FIGURES[name]


@pytest.mark.parametrize(
    ("name", "near"), [("psnr_bb", "psnr_ab"), ("pnsr", "psnr"), ("ciede2000_p96", "ciede2000_p95")]
)
def test_an_unknown_figure_names_the_nearest(name, near):
    with pytest.raises(UnknownPart, match=rf"there is no .*{name}'\. Did you mean '{near}'\?"):
        figures.home(name)


def test_a_validation_takes_the_quick_ones_and_the_one_that_is_asked_for():
    assert validation.validated("psnr") == ["ciede2000", "psnr", "ssim"]
    assert validation.validated("psnr_ab") == ["ciede2000", "psnr", "ssim", "psnr_ab"]


@pytest.mark.parametrize(("name", "value"), [("SET", True), ("EXTRACTOR", "alexnet")])
def test_what_validation_cannot_take_is_refused_as_train_metric(name, value, monkeypatch):
    figures.check_validated("psnr_ab")
    monkeypatch.setattr(psnr, name, value, raising=False)
    with pytest.raises(RecipeError, match=r"train\.metric: validation can't take 'psnr_ab'"):
        figures.check_validated("psnr_ab")


def test_a_picture_without_a_value_does_not_count_and_a_broken_output_is_no_number():
    truth = -torch.ones(2, 3, 8, 8)
    truth[1] = 1  # all paper: psnr_drawn isn't defined
    output = (truth + 0.2).clamp(-1, 1)
    totals, counts = validation._sums(Compared(output, truth), ["psnr", "psnr_drawn"])
    assert counts.tolist() == [2, 1]
    assert totals[1] == pytest.approx(20, abs=1e-4)
    output[1, 0, 0, 0] = torch.nan
    totals, counts = validation._sums(Compared(output, truth), ["psnr", "psnr_drawn"])
    assert counts.tolist() == [2, 2]
    assert totals.isnan().all()


@pytest.mark.parametrize(("better", "order"), [("higher", [3, 1, 0.5]), ("lower", [0.5, 1, 3])])
def test_the_loss_of_a_figure_ranks_its_values(better, order):
    figure = Figure(better, "", 0, 3, "")
    assert sorted([1, 3, 0.5], key=figure.loss) == order
    assert Figure("one", "", 0, 3, "").loss(0.75) == Figure("one", "", 0, 3, "").loss(1.25) == 0.25
    assert math.isnan(figure.loss(math.nan))


def test_the_line_is_picked_out_of_the_conditions():
    condition = torch.arange(5.0)[None, :, None, None].expand(2, 5, 4, 4)
    assert (line(("hints", "lineart"), condition) == 4).all()
    assert (line(("lineart", "hints"), condition) == 0).all()
    assert line(("gray",), condition) is None
