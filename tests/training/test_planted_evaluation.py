"""Planted colorizers: the order that the report gives them, and the figures that catch each."""

from itertools import combinations

import pytest
import torch

from anidata.training.evaluation import intervals, scoring
from anidata.training.evaluation.colorizers import TRIVIAL, TrainingPictures, Trivial
from anidata.training.evaluation.summary import Measured, summarize
from planted import (
    COUNT,
    SIDE,
    TOLD,
    Drawings,
    Planted,
    TrainingDrawings,
    blurred,
    collapsed,
    copied,
    faint,
    shifted,
)

GOOD, BAD = faint, (shifted, copied, blurred, collapsed)
TRAINING = TrainingPictures(TrainingDrawings(), SIDE, 1000)
torch.set_num_threads(1)


class Memory(Trivial):
    """A trained one that has learned its pictures by heart: the one whose lines look the most alike."""

    def color(self, pages, protocol, number, again=0):
        return Trivial("nearest", self.training).color(pages, protocol, number, again)


def summary(colorizers, goal="balanced"):
    """The table of colorizers beside the trivial ones."""
    every = [*colorizers, *(Trivial(name, TRAINING) for name in TRIVIAL)]
    shelf = scoring.open_shelf(torch.device("cpu"))
    [scored] = scoring.score(Drawings(), {TOLD: every}, shelf, batch=4, samples=3)
    draws = intervals.draws([str(n) for n in range(COUNT)], 200, 0)
    members = {colorizer.name: (colorizer.name,) for colorizer in every}
    return summarize(Measured(scored, shelf, draws, members, TRIVIAL), goal)


def of(*functions):
    return [Planted(function.__name__, function) for function in functions]


@pytest.fixture(scope="module")
def table():
    """All faults in one table, with one that draws by chance and one that has learned by heart."""
    chance = Planted("chance", faint, is_random=True)
    return summary([*of(GOOD, *BAD), chance, Memory("learned", TRAINING)])


def order(table):
    return [entry["name"] for entry in table["ranking"]]


def rows(table):
    return {row["name"]: row["figures"] for row in table["rows"]}


def compared(table, one, other, figure):
    [found] = [c for c in table["comparisons"] if (c["a"], c["b"], c["figure"]) == (one, other, figure)]
    return found


@pytest.mark.parametrize("goal", ["color", "style", "balanced"])
def test_the_order_is_by_what_went_wrong(goal):
    """Failed runs, that gray beats by all figures, take no order from the others."""
    names = order(summary(of(GOOD, *BAD), goal))
    assert names[:2] == ["faint", "shifted"]
    assert set(names[-2:]) == {"collapsed", "line"}
    blurs, copies = names.index("blurred"), names.index("copied")
    assert blurs < copies if goal == "color" else copies < blurs  # what is copied is sharp, of wrong colors


@pytest.mark.parametrize("bad", BAD)
def test_beside_each_fault_the_good_one_comes_first_and_the_trivial_stay_in_the_table(bad):
    table = summary(of(GOOD, bad))
    names = order(table)
    assert names[0] == "faint"
    assert set(names) == {"faint", bad.__name__, *TRIVIAL} == set(rows(table))
    assert not set(table["counted"]) & set(table["marked"])  # enough is left without


def test_figures_that_the_best_leads_count_only_where_no_others_are_left(table):
    assert order(table)[:2] == ["faint", "chance"]
    assert {"ciede2000", "psnr", "regions", "ssim"} < set(table["counted"]) <= set(table["marked"])
    better = {name: scoring.open_shelf(torch.device("cpu")).figures[name] for name in table["counted"]}
    for name, figure in better.items():
        loss = {who: figure.loss(figures[name]["value"]) for who, figures in rows(table).items()}
        assert min(loss["faint"], loss["chance"]) < min(loss[who] for who in TRIVIAL)


# By each fault: figures that catch it, and one by which it beats the good one.
CAUGHT = [
    ("shifted", ("palette", "regions", "mae_lab_a", "psnr_ab", "ciede2000_p95"), "bleeding"),
    ("copied", ("regions", "ssim", "ciede2000", "psnr", "regions_variance"), "harmony"),
    ("blurred", ("style", "style_contrast", "line_fidelity", "ssim", "colorfulness"), "harmony"),
    ("collapsed", ("colorfulness", "ssim", "line_fidelity", "style", "palette"), "bleeding"),
]


@pytest.mark.parametrize(("bad", "name"), [(bad, name) for bad, names, _ in CAUGHT for name in names])
def test_each_fault_is_caught_by_figures_beyond_their_interval(bad, name, table):
    figure = scoring.open_shelf(torch.device("cpu")).figures[name]
    good, worse = (figure.loss(rows(table)[who][name]["value"]) for who in ("faint", bad))
    assert good < worse
    found = compared(table, "faint", bad, name)
    assert found["low"] > 0 or found["high"] < 0
    assert found["wins"] >= 0.75


@pytest.mark.parametrize(("bad", "name"), [(bad, blind) for bad, _, blind in CAUGHT])
def test_by_one_figure_alone_each_fault_would_pass(bad, name, table):
    figure = scoring.open_shelf(torch.device("cpu")).figures[name]
    values = {who: figures[name]["value"] for who, figures in rows(table).items()}
    assert figure.loss(values[bad]) < figure.loss(values["faint"])


def test_what_has_learned_by_heart_is_as_good_as_the_nearest_training_picture(table):
    assert rows(table)["learned"] == rows(table)["nearest"]
    for name in ("ciede2000", "ssim", "regions", "psnr"):
        found = compared(table, "learned", "nearest", name)
        assert (found["difference"], found["low"], found["high"], found["wins"]) == (0, 0, 0, 0.5)
        assert found["holm"] == 1
        better = compared(table, "faint", "nearest", name)
        assert better["wins"] == 1
        assert better["low"] > 0 or better["high"] < 0
    scores = {entry["name"]: entry["score"] for entry in table["ranking"]}
    assert scores["learned"] == pytest.approx(scores["nearest"])


def test_every_two_are_compared_by_every_figure(table):
    trained = ["faint", "shifted", "copied", "blurred", "collapsed", "chance", "learned"]
    pairs = {*combinations(trained, 2), *((who, other) for who in trained for other in TRIVIAL)}
    assert {(c["a"], c["b"]) for c in table["comparisons"]} == pairs


def test_of_samples_by_chance_the_best_and_their_spread_are_told(table):
    [chance] = [row for row in table["rows"] if row["name"] == "chance"]
    assert chance["diversity"]["value"] > 1
    assert chance["best"]["psnr"]["value"] > chance["figures"]["psnr"]["value"]
    assert all("diversity" not in row for row in table["rows"] if row["name"] != "chance")
