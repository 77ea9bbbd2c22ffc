"""Colorizers that do one thing wrong, on real pictures: the metric that catches each sets it apart."""

import cv2
import numpy as np
import pytest
import torch

from anidata import registry
from anidata.imaging.decode import decode
from anidata.lineart.draw import draw
from anidata.training.compared import Compared
from anidata.training.data.loader import to_tensor
from anidata.training.figures import home

NAMES = ("comic_02.jpg", "comic_05.jpg", "vn_chibi_01.webp", "vn_sylvie_01.png", "pair_openmoji_01_color.png")
SIDE = 256


def lab(picture):
    return cv2.cvtColor(np.float32(picture) / 255, cv2.COLOR_RGB2LAB)


def rgb(picture):
    return np.uint8(np.clip(cv2.cvtColor(picture, cv2.COLOR_LAB2RGB), 0, 1) * 255 + 0.5)


def shifts_hues(picture):
    """Every hue a third of a turn on."""
    return np.ascontiguousarray(np.roll(picture, 1, axis=2))


def blurs(picture):
    return cv2.GaussianBlur(picture, (0, 0), 2)


def returns_gray(picture):
    return cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)[..., None].repeat(3, axis=2)


def bleeds(picture):
    """Color run over its lines by 12 px; lightness as it is."""
    light, color = lab(picture)[..., :1], lab(picture)[..., 1:]
    return rgb(np.concatenate([light, np.roll(color, 12, axis=(0, 1))], axis=2))


WANTED = (
    "bleeding",
    "ciede2000",
    "colorfulness",
    "line_fidelity",
    "palette",
    "psnr",
    "regions",
    "ssim",
    "style",
)
PLANTED = (shifts_hues, blurs, returns_gray, bleeds)


@pytest.fixture(scope="module")
def figures():
    """By colorizer, the means of all figures of pictures."""
    pages = [picture(name) for name in NAMES]
    truth = torch.stack([to_tensor(page) for page in pages])
    line = torch.stack([to_tensor(draw(page)) for page in pages])
    made = {}
    for colorizer in PLANTED:
        output = torch.stack([to_tensor(colorizer(page)) for page in pages])
        made[colorizer.__name__] = means(Compared(output, truth, line))
    return made


def picture(name):
    page = decode((registry.PACKAGE / "art" / name).read_bytes(), 1 << 26).rgb
    return cv2.resize(page, (SIDE, SIDE), interpolation=cv2.INTER_AREA)


def means(compared):
    values = {}
    for name in WANTED:
        values |= registry.load("metrics", name).metric(compared)
    return {name: float(value.nanmean()) for name, value in values.items()}


# figure, the colorizer that it catches, and by how many times its loss exceeds any other's, at least
CAUGHT = [
    ("ciede2000", "shifts_hues", 1.5),
    ("palette", "shifts_hues", 1.2),
    ("regions", "shifts_hues", 1.5),
    ("line_fidelity", "blurs", 2),
    ("ssim", "blurs", 1.5),
    ("style", "blurs", 5),
    ("style_contrast", "blurs", 5),
    ("colorfulness", "returns_gray", 5),
    ("bleeding", "bleeds", 10),
]


@pytest.mark.parametrize(("name", "caught", "times"), CAUGHT)
def test_the_metric_that_catches_a_fault_sets_it_apart_from_all_other_faults(name, caught, times, figures):
    best = 1 if home(name).FIGURES[name].better != "lower" else 0
    losses = {colorizer: abs(values[name] - best) for colorizer, values in figures.items()}
    others = [loss for colorizer, loss in losses.items() if colorizer != caught]
    assert losses[caught] > times * max(others)
    assert losses[caught] > 0


def test_psnr_alone_would_have_the_blurred_pictures_best(figures):
    assert max(figures, key=lambda colorizer: figures[colorizer]["psnr"]) == "blurs"


def test_a_gray_picture_does_not_bleed_and_keeps_its_lines(figures):
    assert figures["returns_gray"]["bleeding"] < 0.001
    assert figures["returns_gray"]["line_fidelity"] > 0.9
