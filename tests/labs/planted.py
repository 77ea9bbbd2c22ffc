"""Colorizers that are planted: one good, others that do one thing wrong, and pages for them."""

from dataclasses import dataclass

import cv2
import numpy as np

from anidata.training.evaluation.pages import Page
from anidata.training.evaluation.protocols import Protocol
from drawings import drawing

SIDE, COUNT = 48, 8
FIRST = 100  # the seed of the first training picture
TOLD = Protocol(("lineart",), "ink", 0)


class Drawings:
    """Pages of drawings with outlines, as many as COUNT, four to a batch."""

    def __init__(self):
        self.pages = [self.page(number) for number in range(COUNT)]
        self.keys = [page.key for page in self.pages]

    def __len__(self):
        return COUNT

    def batches(self, _):
        return iter([self.pages[:4], self.pages[4:]])

    def page(self, number):
        color = drawing(number, SIDE, SIDE)
        return Page(f"{number:02d}", str(number), color, {"ink": ink(color)})


class TrainingDrawings:
    """Other drawings, as a data set has its training pictures."""

    styles = ("ink",)

    def __len__(self):
        return 3 * COUNT

    def read(self, number, styles):
        color = drawing(FIRST + number, SIDE, SIDE)
        return {"color": color, "lineart": {style: ink(color) for style in styles}}


def ink(color):
    return 255 - cv2.Canny(color, 60, 120)


def faint(page):
    """A good colorizer: the truth with noise of a few levels."""
    noise = np.random.default_rng(int(page.key)).normal(0, 3, page.color.shape)
    return np.clip(page.color + noise, 0, 255).astype(np.uint8)


def shifted(page):
    hsv = cv2.cvtColor(page.color, cv2.COLOR_RGB2HSV)
    hsv[..., 0] = (hsv[..., 0].astype(int) + 60) % 180
    return cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB)


def copied(page):
    """A training picture, whatever the lines are."""
    return drawing(FIRST + int(page.key), SIDE, SIDE)


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
