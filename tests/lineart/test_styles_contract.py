"""Every style on the shelf keeps the shelf's contract."""

import dataclasses
import re
import warnings
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import get_type_hints

import cv2
import numpy as np
import pytest

from anidata import registry

STROKE = (slice(20, 108), slice(62, 65))  # 3 px wide, on a picture of 128 × 128
NEAR = 4  # px: ink may lie this far from a stroke's middle, so that both flanks count


@pytest.fixture(params=registry.names("styles"))
def style(request) -> ModuleType:
    return registry.load("styles", request.param)


@pytest.fixture(scope="module")
def learned(tmp_path_factory) -> Callable[[], str]:
    """A network that gives the luma it gets, for styles that bring their own."""

    def made() -> str:
        pytest.importorskip("onnxruntime", reason="onnxruntime, of the extra 'onnx', is not installed")
        networks = pytest.importorskip(
            "networks", reason="the onnx package, which makes the network, is not installed"
        )
        return networks.identity(tmp_path_factory.mktemp("network") / "luma.onnx")

    return made


@pytest.fixture
def draw(learned) -> Callable[..., np.ndarray]:
    """A style with its defaults, and with a network where it runs one."""
    return lambda style, rgb: style.draw(
        rgb, style.Config(**({style.ARGUMENT: learned()} if hasattr(style, "ARGUMENT") else {}))
    )


def is_soft(style):
    return getattr(style, "SOFT", False)


def noise(height, width, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def stroke_on(paper):
    rgb = np.full((128, 128, 3), paper, np.uint8)
    rgb[STROKE] = 0
    return rgb


@pytest.mark.parametrize("shape", [(1, 1), (1, 2), (3, 500), (500, 3), (17, 16), (64, 90)])
def test_any_size_gives_gray_lineart_of_that_size(style, shape, draw):
    line = draw(style, noise(*shape))
    assert line.dtype == np.uint8
    assert line.shape == shape


def test_by_default_there_is_only_ink_and_paper_or_the_style_says_that_it_is_soft(style, draw):
    assert is_soft(style) or set(np.unique(draw(style, noise(64, 64)))) <= {0, 255}


@pytest.mark.parametrize("color", [(255, 255, 255), (255, 0, 0), (0, 90, 255), (90, 60, 40), (128, 128, 128)])
def test_a_flat_color_is_blank_paper_or_one_level_of_a_soft_style(style, color, draw):
    levels = np.unique(draw(style, np.full((40, 50, 3), color, np.uint8))).tolist()
    assert len(levels) == 1 if is_soft(style) else levels == [255]


@pytest.mark.parametrize("color", [(0, 0, 0), (10, 10, 10), (0, 0, 255)])
def test_a_flat_color_as_dark_as_ink_is_all_ink_or_all_paper(style, color, draw):
    assert len(np.unique(draw(style, np.full((40, 50, 3), color, np.uint8)))) == 1


@pytest.mark.parametrize("paper", [(255, 255, 255), (250, 215, 190), (90, 160, 230), (200, 80, 90)])
def test_the_ink_of_a_black_stroke_is_drawn_and_nothing_else(style, paper, draw):
    line = draw(style, stroke_on(paper))
    ink = line < (line[0, 0] if is_soft(style) else 128)
    reach = np.zeros_like(ink)
    reach[20 - NEAR : 108 + NEAR, 63 - NEAR : 64 + NEAR] = True
    assert ink[24:104].any(axis=1).all()  # every row of the stroke
    assert not (ink & ~reach).any()


def test_the_same_picture_gives_the_same_lines_and_stays_as_it_is(style, draw):
    rgb = noise(60, 80)
    before = rgb.copy()
    assert (draw(style, rgb) == draw(style, rgb)).all()
    assert (rgb == before).all()


@pytest.mark.parametrize("view", [np.s_[::2, ::2], np.s_[::-1, :, :], np.s_[:, :, ::-1], np.s_[5:50, 7:60]])
def test_a_view_is_drawn_as_its_copy(style, view, draw):
    rgb = noise(64, 64)
    assert (draw(style, rgb[view]) == draw(style, np.ascontiguousarray(rgb[view]))).all()


def test_a_read_only_picture_is_drawn(style, draw):
    rgb = stroke_on(255)
    rgb.flags.writeable = False
    assert (draw(style, rgb) < 128).any()


def test_the_number_of_threads_changes_nothing(style, draw):
    rgb = cv2.resize(noise(40, 40), (600, 600), interpolation=cv2.INTER_CUBIC)
    threads = cv2.getNumThreads()
    lines = []
    for count in (1, 4):
        cv2.setNumThreads(count)
        lines.append(draw(style, rgb))
    cv2.setNumThreads(threads)
    assert (lines[0] == lines[1]).all()


def test_a_picture_of_the_usual_size_is_drawn_without_a_warning(style, draw):
    smooth = cv2.resize(noise(9, 9), (512, 512), interpolation=cv2.INTER_CUBIC)
    with warnings.catch_warnings(), np.errstate(all="raise", under="ignore"):
        warnings.simplefilter("error")
        for rgb in (
            smooth,
            noise(512, 512),
            np.zeros((512, 512, 3), np.uint8),
            np.full((512, 512, 3), 255, np.uint8),
        ):
            line = draw(style, rgb)
            assert (line.dtype, line.shape) == (np.uint8, (512, 512))


def comments(style):
    """What stands beside each field of the config."""
    source = Path(style.__file__).read_text()
    matches = {
        f.name: re.search(rf"^    {f.name}: .+ = .+?  # (\S.+)", source, re.MULTILINE)
        for f in dataclasses.fields(style.Config)
    }
    return {name: match and match[1] for name, match in matches.items()}


def test_the_config_is_frozen_and_every_field_has_a_default_and_a_comment(style):
    assert dataclasses.is_dataclass(style.Config)
    with pytest.raises(dataclasses.FrozenInstanceError):
        style.Config().anything = 1
    assert all(comments(style).values()), comments(style)


def test_the_comment_on_a_number_says_which_value_switches_it_off_and_what_is_then(style):
    for name, kind in get_type_hints(style.Config).items():
        assert kind not in {int, float} or re.search(r"(^|; )\d+: \S", comments(style)[name]), name


def test_the_docstring_gives_formula_and_source_and_there_is_a_version(style):
    assert registry.title(style).endswith(".")
    assert "\n    line = " in style.__doc__ or "\n    t = " in style.__doc__ or "\n    S = " in style.__doc__
    assert "\nSource: " in style.__doc__
    assert isinstance(style.VERSION, int)
