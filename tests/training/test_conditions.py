"""What a model is told beside the noise: lines, gray, points of color, another picture, or nothing."""

import re

import cv2
import numpy as np
import pytest
import torch

from anidata.errors import RecipeError
from anidata.training.data import conditions
from anidata.training.data.augment import randomness
from anidata.training.data.conditions import CONDITIONS
from anidata.training.data.loader import floats
from drawings import drawing

SIZE = 64


def rng(key="key"):
    return randomness(0, 0, key)


def given(names, color, line=None, key="key"):
    """The conditions of one picture: (channels, h, w)."""
    extras = conditions.extras(names, color, line, rng(key))
    planes = np.concatenate([np.atleast_3d(p).transpose(2, 0, 1) for p in (color, *extras)])[None]
    assert planes.shape[1] == conditions.planes(names)
    tensor = floats(torch.from_numpy(planes))
    return conditions.build(names, tensor[:, :3], tensor[:, 3:])[0]


def pair(seed=1):
    color = drawing(seed, SIZE, SIZE)
    return color, np.where(color.max(axis=2) < 60, 0, 255).astype(np.uint8)


# --- names -----------------------------------------------------------------------------------------


def test_channels_are_those_of_all_conditions_together():
    assert conditions.channels(["lineart"]) == 1
    assert conditions.channels(["lineart", "hints"]) == 5
    assert conditions.channels(list(CONDITIONS)) == 10


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (
            ["linart"],
            f"conditions: there is no 'linart'. Did you mean 'lineart'? There are: {', '.join(CONDITIONS)}",
        ),
        ([], 'name each once, such as ["lineart", "hints"]; for a model without any, ["none"]'),
        (["gray", "gray"], "['gray', 'gray']: name each once"),
    ],
)
def test_wrong_names_are_a_typed_error_that_helps(names, message):
    with pytest.raises(RecipeError, match=re.escape(message)):
        conditions.channels(names)


@pytest.mark.parametrize(
    "names", [[n] for n in CONDITIONS] + [["lineart", "hints"], ["reference", "lineart"], list(CONDITIONS)]
)
def test_conditions_stand_side_by_side_in_their_order(names):
    color, line = pair()
    together = given(names, color, line)
    assert together.shape == (conditions.channels(names), SIZE, SIZE)
    assert together.dtype == torch.float32
    assert together.abs().max() <= 1
    ends = np.cumsum([CONDITIONS[n] for n in names])
    for name, end in zip(names, ends, strict=True):
        if name not in ("hints", "reference"):  # what is random depends on what was drawn before it
            assert torch.equal(together[end - CONDITIONS[name] : end], given([name], color, line))


# --- one by one ------------------------------------------------------------------------------------


def test_lineart_is_the_line():
    color, line = pair()
    assert torch.equal(given(["lineart"], color, line)[0], torch.from_numpy(line / 127.5 - 1).float())


def test_gray_is_the_luma_that_opencv_finds():
    color, _ = pair()
    expected = cv2.cvtColor(color, cv2.COLOR_RGB2GRAY) / 127.5 - 1
    np.testing.assert_allclose(given(["gray"], color)[0].numpy(), expected, atol=0.51 / 127.5)


def test_nothing_is_zeros():
    assert (given(["none"], pair()[0]) == 0).all()


def test_hints_are_the_color_where_the_mask_is_one_and_zeros_elsewhere():
    color, _ = pair()
    hints = given(["hints"], color)
    mask = hints[3] == 1
    assert mask.any()
    assert torch.equal(hints[3], mask.float())
    expected = torch.from_numpy(color / 127.5 - 1).float().permute(2, 0, 1)
    torch.testing.assert_close(hints[:3, mask], expected[:, mask])
    assert (hints[:3, ~mask] == 0).all()


def test_hints_lie_where_the_picture_is_flat():
    """On two fields with noise between and below them, squares lie within the fields."""
    color = np.full((SIZE, SIZE, 3), (200, 120, 90), np.uint8)
    color[:, 32:] = (90, 120, 200)
    noise = np.random.default_rng(0).integers(0, 256, (SIZE, SIZE, 3))
    color[40:], color[:, 30:34] = noise[40:], noise[:, 30:34]
    seen = np.zeros((SIZE, SIZE), bool)
    for n in range(60):
        seen |= conditions.points(color, rng(str(n))) > 0
    assert seen[:40].mean() > 0.5  # all over the fields
    assert not seen[40:].any()
    assert not seen[:, 30:34].any()


def test_the_number_of_hints_is_geometric():
    flat = np.zeros((200, 200, 3), np.uint8)
    counts = [cv2.connectedComponents(conditions.points(flat, rng(str(n))))[0] - 1 for n in range(300)]
    assert np.mean(counts) == pytest.approx(conditions.MEAN_POINTS, rel=0.2)  # a few squares touch
    assert np.mean(np.array(counts) == 0) == pytest.approx(1 / (1 + conditions.MEAN_POINTS), abs=0.05)


def test_a_picture_with_nothing_flat_gets_no_hints():
    noise = np.random.default_rng(0).integers(0, 256, (SIZE, SIZE, 3), dtype=np.uint8)
    assert not any(conditions.points(noise, rng(str(n))).any() for n in range(10))


def test_a_reference_has_the_colors_of_the_picture_in_other_places():
    color = np.full((SIZE, SIZE, 3), (20, 200, 90), np.uint8)
    color[20:44, 20:44] = (220, 40, 60)
    bent = conditions.bent(color, rng())
    assert bent.shape == color.shape
    assert (bent != color).any()
    inside = bent[16:48, 16:48].reshape(-1, 3)
    for field in ((20, 200, 90), (220, 40, 60)):
        assert (np.abs(inside.astype(int) - field).max(axis=1) <= 2).any()


def test_a_reference_is_bent_smoothly():
    """A ramp stays one: neighbors stay neighbors."""
    ramp = np.repeat(np.tile(np.arange(SIZE, dtype=np.uint8) * 3, (SIZE, 1))[..., None], 3, axis=2)
    for n in range(10):
        bent = conditions.bent(ramp, rng(str(n)))[..., 0].astype(int)
        inner = bent[12:-12, 12:-12]
        assert np.abs(np.diff(inner, axis=0)).max() < 12


@pytest.mark.parametrize("name", ["hints", "reference"])
def test_chance_is_a_function_of_the_key(name):
    color, _ = pair()
    assert torch.equal(given([name], color, key="a"), given([name], color, key="a"))
    assert not torch.equal(given([name], color, key="a"), given([name], color, key="b"))
