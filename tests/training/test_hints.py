"""Hints at inference: points and strokes of color, in the form in which models are trained with them."""

import cv2
import numpy as np
import pytest
import torch

from anidata.errors import RecipeError
from anidata.imaging import fit
from anidata.training.data import conditions
from anidata.training.inference import hints
from anidata.training.inference.colorize import colorize

SIZE = 64
RED, BLUE = (220, 30, 40), (30, 40, 220)
torch.set_num_threads(1)


class Listener:
    """A baseline that paints gray, and keeps what it was told."""

    networks, optimizers, sampled = {}, {}, ()

    def step(self, batch, generator, update): ...

    def sample(self, batch, _generator):
        self.condition = batch.condition[0].numpy()
        return torch.zeros(1, 3, SIZE, SIZE)


def layer(*points, height=1024, width=1024, reach=0):
    """A transparent layer with squares of color: (row, column, color)."""
    made = np.zeros((height, width, 4), np.uint8)
    for row, column, color in points:
        made[row - reach : row + reach + 1, column - reach : column + reach + 1] = (*color, 255)
    return made


def paper(height=1024, width=1024):
    return np.full((height, width, 3), 255, np.uint8)


def seen(picture, given, names=("lineart", "hints")):
    """The four channels of hints that a model is told."""
    model = Listener()
    colorize(model, picture, names, SIZE, torch.Generator(), hints=given)
    return model.condition[-4:]


def colors(page):
    """The colors of a page of hints, as levels."""
    levels = np.rint((page[:3, page[3] == 1].T + 1) * 127.5).astype(int)
    return {tuple(c) for c in levels.tolist()}


@pytest.mark.parametrize("side", [4096, 1024, 100, SIZE])
def test_a_point_of_one_pixel_is_a_square_of_the_trained_size(side):
    """As conditions.points lays them: around one pixel, as far as it reaches."""
    row, column = side // 4 + 1, side // 2 + 1
    page = seen(paper(side, side), layer((row, column, RED), height=side, width=side))
    center = np.zeros((SIZE, SIZE), np.uint8)
    center[int((row + 0.5) * SIZE / side), int((column + 0.5) * SIZE / side)] = 1
    reach = max(1, round(SIZE * conditions.POINT))
    expected = cv2.dilate(center, np.ones((2 * reach + 1, 2 * reach + 1), np.uint8))
    np.testing.assert_array_equal(page[3], expected)
    assert colors(page) == {RED}
    assert (page[:3, expected == 0] == 0).all()


def test_a_brush_of_the_trained_size_stays_as_large_as_it_is():
    given = np.zeros((1024, 1024, 4), np.uint8)
    given[256:304, 512:608] = (*RED, 255)  # 3 x 6 pixels of the page
    page = seen(paper(), given)
    assert page[3].sum() == 18
    assert page[3, 16:19, 32:38].all()


def test_a_thin_stroke_becomes_a_whole_one_in_its_own_color():
    given = np.zeros((1024, 1024, 4), np.uint8)
    cv2.line(given, (100, 100), (900, 500), (*BLUE, 255), 1)
    page = seen(paper(), given)
    assert colors(page) == {BLUE}
    assert cv2.connectedComponents(page[3].astype(np.uint8))[0] == 2  # the background, and it
    assert page[3].any(axis=0).sum() >= 50


def test_no_color_is_mixed_with_transparency_or_with_its_neighbor():
    """Soft edges over black; and two strokes side by side, within a pixel of the page."""
    soft = np.zeros((1024, 1024, 4), np.uint8)
    soft[..., :3] = RED
    cv2.circle(alpha := np.zeros((1024, 1024), np.uint8), (300, 300), 40, 255, -1)
    soft[..., 3] = cv2.GaussianBlur(alpha, (0, 0), 12)
    assert colors(seen(paper(), soft)) == {RED}
    assert colors(seen(paper(), layer((500, 500, RED), (500, 503, BLUE), reach=1))) <= {RED, BLUE}


def test_the_most_opaque_pixel_gives_its_color_then_the_nearest_to_the_middle():
    given = layer((519, 519, BLUE), (513, 513, RED))  # both on one pixel of the page, blue in its middle
    assert colors(seen(paper(), given)) == {BLUE}
    given[519, 519, 3] = 200
    assert colors(seen(paper(), given)) == {RED}


def test_two_points_side_by_side_share_the_pixels_between_them():
    page = seen(paper(), layer((500, 500, RED), (500, 532, BLUE)))  # two pixels of the page apart
    assert colors(page) == {RED, BLUE}
    assert page[3].sum() == 15


@pytest.mark.parametrize(
    ("shape", "other"), [((800, 600), (400, 300)), ((801, 600), (400, 300)), ((300, 200), (3000, 2001))]
)
def test_hints_of_the_same_shape_may_be_of_any_size(shape, other):
    given = layer((other[0] // 2, other[1] // 2, RED), height=other[0], width=other[1])
    page = seen(paper(*shape), given)
    assert colors(page) == {RED}
    assert page[3].sum() in (9, 12, 16)
    rows, columns = np.nonzero(page[3])
    assert abs(rows.mean() - (SIZE - 1) / 2) <= 1
    assert abs(columns.mean() - (SIZE - 1) / 2) <= 1


def test_hints_lie_where_the_picture_lies_on_its_page():
    page = seen(paper(1000, 500), layer((0, 0, RED), height=1000, width=500))
    box = fit.inner_box((1000, 500), SIZE, "pad")
    assert page[3, box[0].start, box[1].start] == 1
    assert page[3].sum() == 6  # cut off by the page above, not beside


@pytest.mark.parametrize(
    ("given", "refused"),
    [
        (paper(), "it has no transparency.*save that layer as PNG"),
        (paper()[..., 0], "it has no transparency"),
        (np.dstack([paper(), paper()[..., 0]]), "it is opaque all over. Leave out the picture"),
        (np.zeros((1024, 1024, 4), np.uint8), "nothing in it is half opaque or more. Paint with an opaque"),
        (
            layer((5, 5, RED), width=1000),
            "it is 1000 x 1024 px, and the picture 1024 x 1024.*Save it at 1024",
        ),
        (layer((0, 0, RED), height=2, width=4), "it is 4 x 2 px, and the picture 1024 x 1024"),
    ],
)
def test_hints_that_are_none_are_refused_with_the_remedy(given, refused):
    with pytest.raises(RecipeError, match=refused):
        seen(paper(), given)


def test_a_model_without_hints_refuses_them():
    with pytest.raises(
        RecipeError, match=r"--hints: this model was trained with lineart, and would ignore it"
    ):
        seen(paper(), layer((5, 5, RED)), ("lineart",))


def test_a_picture_of_one_pixel_takes_hints():
    given = np.zeros((2, 2, 4), np.uint8)
    given[0, 0] = (*RED, 255)
    assert colors(seen(paper(1, 1), given)) == {RED}


def test_a_file_of_many_painted_pixels_is_read_in_strips():
    """It has every row of the page, and none twice."""
    rng = np.random.default_rng(0)
    given = rng.integers(0, 256, (999, 777, 4), dtype=np.uint8)
    given[..., 3] = 255 * (given[..., 3] > 250)
    color, mask = hints.page(given, SIZE, given.shape)
    _, columns = fit.inner_box(given.shape, SIZE, "pad")
    down = ((np.arange(999) + 0.5) * SIZE / 999).astype(int)
    across = ((np.arange(777) + 0.5) * (columns.stop - columns.start) / 777).astype(int)
    for row in range(0, SIZE, 7):
        for column in range(columns.start, columns.stop, 5):
            inside = given[np.ix_(down == row, across == column - columns.start)].reshape(-1, 4)
            painted = {tuple(c[:3]) for c in inside.tolist() if c[3]}
            if painted:
                assert mask[row, column] == 255
                assert tuple(color[row, column].tolist()) in painted
