"""Planted colorizers: the order that the report gives them, and the figures that catch each."""

from dataclasses import dataclass

import cv2
import numpy as np
import pytest
import torch

from anidata.training.evaluation import intervals, scoring
from anidata.training.evaluation.pages import Page
from anidata.training.evaluation.protocols import Protocol
from anidata.training.evaluation.summary import Measured, summarize
from drawings import drawing

SIDE, COUNT = 48, 8
TOLD = Protocol(("lineart",), "ink", 0)


class Drawings:
    """Pages of drawings with outlines, as many as COUNT, four to a batch."""

    def __init__(self):
        self.pages = [self.page(number) for number in range(COUNT)]

    def __len__(self):
        return COUNT

    def batches(self, _):
        return iter([self.pages[:4], self.pages[4:]])

    def page(self, number):
        color = drawing(number, SIDE, SIDE)
        edges = cv2.Canny(color, 60, 120)
        return Page(f"{number:02d}", str(number), color, {"ink": 255 - edges})


def faint(page):
    """A good colorizer: the truth with noise of a few levels."""
    noise = np.random.default_rng(int(page.key)).normal(0, 3, page.color.shape)
    return np.clip(page.color + noise, 0, 255).astype(np.uint8)


def shifted(page):
    hsv = cv2.cvtColor(page.color, cv2.COLOR_RGB2HSV)
    hsv[..., 0] = (hsv[..., 0].astype(int) + 60) % 180
    return cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB)


def copied(page):
    return drawing(100 + int(page.key), SIDE, SIDE)


def blurred(page):
    return cv2.GaussianBlur(page.color, (0, 0), 4)


def collapsed(page):
    return np.full_like(page.color, 140)


@dataclass(frozen=True)
class Planted:
    """A colorizer of a function of a page; by chance, with noise that differs between samples."""

    name: str
    paint: object
    is_random: bool = False

    def color(self, pages, _protocol, number, again=0):
        made = np.stack([self.paint(page) for page in pages])
        if not self.is_random:
            return made
        noise = np.random.default_rng([number, again]).normal(0, 6, made.shape)
        return np.clip(made + noise, 0, 255).astype(np.uint8)


@pytest.fixture(scope="module")
def table():
    colorizers = [Planted(f.__name__, f) for f in (faint, shifted, copied, blurred, collapsed)]
    colorizers.append(Planted("chance", faint, is_random=True))
    shelf = scoring.open_shelf(torch.device("cpu"))
    [scored] = scoring.score(Drawings(), {TOLD: colorizers}, shelf, batch=4, samples=3)
    draws = intervals.draws([str(n) for n in range(COUNT)], 200, 0)
    members = {c.name: (c.name,) for c in colorizers}
    return summarize(Measured(scored, shelf, draws, members, ()), "balanced")


def figure(table, who, name):
    [row] = [row for row in table["rows"] if row["name"] == who]
    return row["figures"][name]["value"]


def test_the_good_one_comes_first(table):
    order = [entry["name"] for entry in table["ranking"]]
    assert order[:2] == ["faint", "chance"]


@pytest.mark.parametrize(
    ("bad", "name"),
    [
        ("shifted", "palette"),
        ("copied", "regions"),
        ("blurred", "style"),
        ("collapsed", "colorfulness"),
        ("collapsed", "ssim"),
    ],
)
def test_each_fault_is_caught_by_a_figure(bad, name, table):
    better = {"palette": -1, "regions": -1, "style": -1, "colorfulness": 1, "ssim": 1}[name]
    assert better * figure(table, "faint", name) > better * figure(table, bad, name)
    of = [c for c in table["comparisons"] if {c["a"], c["b"]} == {"faint", bad} and c["figure"] == name]
    assert of[0]["low"] > 0 or of[0]["high"] < 0


def test_of_samples_by_chance_the_best_and_their_spread_are_told(table):
    [chance] = [row for row in table["rows"] if row["name"] == "chance"]
    assert chance["diversity"]["value"] > 1
    assert chance["best"]["psnr"]["value"] > chance["figures"]["psnr"]["value"]
    assert all("diversity" not in row for row in table["rows"] if row["name"] != "chance")
