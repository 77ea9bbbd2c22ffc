"""What the network is trained on, in benchmarks/lines/net: each step against what can be counted by hand."""

import cv2
import numpy as np
import pytest

from lines.net import batches, compose, drawings, grounds, scenes, svg
from lines.net.strokes import Page, smooth

SVG = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 9 9">{}</svg>'


def stored(side=96, color=(200, 150, 90)):
    """A page of one color without ink, all of it the figure's."""
    page = np.zeros((side, side, 5), np.uint8)
    page[..., :3], page[..., 4] = color, 255
    return page


@pytest.mark.parametrize(
    ("paint", "fill", "stroke"),
    [
        ('fill="#000"', "#000000", "none"),
        ('fill="#45413c" stroke="red"', "#000000", "#000000"),
        ('fill="#ffcc88" stroke="white"', "#ffffff", "#ffffff"),
        ('fill="url(#sky)"', "#ffffff", "none"),
        ('fill="#000" opacity=".3"', "none", "none"),
        ('style="fill:#102030;stroke:#fff"', "#000000", "#ffffff"),
        ("", "#000000", "none"),  # the default of SVG is a black fill
    ],
)
def test_of_a_drawing_ink_becomes_black_and_all_else_white(paint, fill, stroke):
    line = svg.lines_only(SVG.format(f'<path d="M0 0h9v9z" {paint}/>'))
    assert f'fill="{fill}"' in line
    assert f'stroke="{stroke}"' in line


def test_paints_and_opacity_are_those_of_the_group_round_a_shape():
    line = svg.lines_only(SVG.format('<g fill="#eee" opacity=".5"><g opacity=".5"><path d="M0 0"/></g></g>'))
    assert 'fill="none"' in line
    assert 'fill="#ffffff"' in svg.lines_only(SVG.format('<g fill="#eee"><path d="M0 0"/></g>'))


def test_a_mask_keeps_its_paints():
    line = svg.lines_only(SVG.format('<mask id="m"><rect fill="#abcdef"/></mask><path fill="#fff" d=""/>'))
    assert 'fill="#abcdef"' in line


@pytest.mark.parametrize(
    "inner", ["<style>a{}</style>", '<path class="a"/>', "<image/>", "<filter/>", "<text>a</text>", "<path"]
)
def test_what_cannot_be_taken_apart_is_refused(inner):
    assert svg.lines_only(SVG.format(inner)) is None


def test_the_artist_is_read_from_a_drawing():
    of = "<dc:creator><cc:Agent><dc:title> Ada\n Lovelace </dc:title></cc:Agent></dc:creator>"
    assert svg.creator(of) == "Ada Lovelace"
    assert svg.creator("<svg/>") == ""


@pytest.mark.parametrize("name", ["apple_bw", "baseball_bw_ganson", "black_and_white_kings_d_r", "hummer_05"])
def test_what_is_kept_apart_is_known_by_its_name(name):
    assert drawings.APART.search(name)


def test_under_ink_lies_what_the_nearest_free_pixel_has():
    page = stored(20, (10, 20, 30))
    page[:, 12:, :3], page[:, 12:, 4] = (200, 100, 50), 0
    page[:, 8:14, 3] = 255
    page[:, 8:14, :3] = 0  # the artist's own ink, which must leave no trace
    under, solid = compose.under_ink(page)
    assert (under[:, 8:11] == (10, 20, 30)).all()
    assert (under[:, 11:14] == (200, 100, 50)).all()
    assert (solid[:, :11] == 255).all()
    assert (solid[:, 11:] == 0).all()


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_without_free_pixels_or_ink_nothing_changes(share):
    page = stored(9)
    page[..., 3] = round(255 * share)
    under, solid = compose.under_ink(page)
    assert (under == page[..., :3]).all()
    assert (solid == 255).all()


@pytest.mark.parametrize(("contrast", "ink", "weight"), [(4, 0, 2.5), (9, 1, 2.5 * 0.15), (40, 1, 2.5)])
def test_a_line_counts_by_how_well_it_is_seen(contrast, ink, weight):
    opacity = np.zeros((40, 40), np.float32)
    opacity[20, 5:35] = 1
    levels = np.full((40, 40), contrast, np.float32)
    truth, weights = compose.weighted(opacity, np.ones_like(opacity), levels)
    assert truth[20, 20] == ink
    assert weights[20, 20] == pytest.approx(weight)
    assert weights[5, 5] == 1


@pytest.mark.parametrize(("width", "rim", "middle"), [(2, 2.5, 2.5), (6, 1, 1), (24, 1, 0)])
def test_thin_ink_counts_more_and_the_inside_of_a_black_area_not_at_all(width, rim, middle):
    opacity = np.zeros((60, 60), np.float32)
    opacity[20 : 20 + width] = 1
    weights = compose.weighted(opacity, np.ones_like(opacity), np.full_like(opacity, 99))[1]
    assert weights[20, 30] == pytest.approx(rim)
    assert weights[20 + width // 2, 30] == pytest.approx(middle)


def test_a_silhouette_is_drawn_along_its_inner_rim():
    solid = np.zeros((60, 60), bool)
    solid[20:50, 20:50] = True
    rgb = np.full((60, 60, 3), 255, np.uint8)
    rgb[solid] = (90, 120, 40)
    ink, weight = compose.contour(solid, rgb)
    assert (ink[20, 20:50] == 1).all()
    assert ink[19].sum() == ink[22, 22:48].sum() == 0
    assert weight[20, 30] == 2.5
    assert weight[19, 30] == pytest.approx(0.3)  # just outside: nearly nobody's business
    assert weight[23, 30] == 0  # further in there may be lines
    assert weight[35, 35] == 0.5  # but not where all is of one color
    assert weight[5, 5] == 1


def test_a_silhouette_of_the_grounds_own_color_is_nobodys_business():
    solid = np.zeros((60, 60), bool)
    solid[20:40, 20:40] = True
    assert (compose.contour(solid, np.full((60, 60, 3), 90, np.uint8))[1][20, 20:40] == 0).all()


def test_a_border_without_ink_is_bare_and_one_with_ink_is_not():
    solid = np.zeros((40, 40), bool)
    solid[:, 20:] = True
    opacity = np.zeros((40, 40), np.float32)
    opacity[:10, 19:22] = 1
    border = compose.bare(solid, opacity)
    assert border[20:, 19:21].all()
    assert not border[:6].any()
    assert not border[:, :16].any()


def test_a_fill_hides_ink_and_a_shadow_does_not():
    page = Page(np.random.default_rng(0), np.full((512, 512, 3), 255, np.uint8))
    page.stroke(np.array([(50.0, 100.0), (450.0, 100.0)]), 3)
    square = np.array([(200.0, 50.0), (300.0, 50.0), (300.0, 150.0), (200.0, 150.0)])
    page.shade(square, (0.5, 0.5, 0.5))
    ink = page.finished()[..., 3]
    assert ink[100, 60] == ink[100, 250] == 255
    assert page.finished()[80, 250, 0] == pytest.approx(127, abs=1)
    page.fill(square, (200, 0, 0))
    assert page.finished()[100, 250].tolist() == [200, 0, 0, 0, 255]
    page.paint(np.array([(50.0, 100.0), (100.0, 100.0)]), 6, (255, 255, 255))
    assert page.finished()[100, 80, 3] == 0


def test_a_curve_runs_through_its_points():
    points = np.array([(0.0, 0.0), (10.0, 5.0), (20.0, 0.0)])
    curve = smooth(points, closed=False, steps=4)
    assert np.allclose(curve[[0, 4, 8]], points)
    assert np.allclose(smooth(points, closed=True, steps=4)[[0, 4, 8, 12]], points[[0, 1, 2, 0]])


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_scenes_are_the_same_each_time_and_have_ink(seed):
    ground = np.full((512, 512, 3), 200, np.uint8)
    page = scenes.scene(seed, ground)
    assert (page == scenes.scene(seed, ground)).all()
    assert page.shape == (512, 512, 5)
    assert 0.002 < (page[..., 3] > 128).mean() < 0.5


@pytest.mark.parametrize("seed", range(6))
def test_grounds_are_of_the_size_that_is_asked(seed):
    pictures = np.zeros((2, 512, 512, 3), np.uint8)
    ground = grounds.made(np.random.default_rng(seed), pictures, 96)
    assert ground.shape == (96, 96, 3)
    assert ground.dtype == np.uint8


@pytest.fixture(scope="module")
def data():
    """Two pictures of each set."""
    page = stored(512)
    page[..., 3] = cv2.circle(np.zeros((512, 512), np.uint8), (256, 256), 120, 255, 3)
    figure = stored(512)
    figure[..., 4] = cv2.circle(np.zeros((512, 512), np.uint8), (256, 256), 150, 255, -1)
    ground = np.random.default_rng(0).integers(0, 256, (2, 512, 512, 3)).astype(np.uint8)
    return batches.Stored(np.stack([page] * 2), np.stack([page] * 2), np.stack([figure] * 2), ground)


def test_a_batch_is_a_function_of_seed_and_step(data):
    first = batches.batch(data, 3, 5)
    assert all((a == b).all() for a, b in zip(first, batches.batch(data, 3, 5), strict=True))
    assert (first[0] != batches.batch(data, 3, 6)[0]).any()
    assert (first[0] != batches.batch(data, 4, 5)[0]).any()


@pytest.mark.parametrize("step", range(8))
def test_batches_are_within_bounds(data, step):
    rgb, ink, weight = batches.batch(data, 0, step)
    assert rgb.shape == (8, 3, 96, 96)
    assert ink.shape == weight.shape == (8, 1, 96, 96)
    assert rgb.dtype == ink.dtype == weight.dtype == np.float32
    assert 0 <= rgb.min() < rgb.max() <= 1
    assert 0 <= ink.min() <= ink.max() <= 1
    assert 0 <= weight.min() <= weight.max() <= compose.BOOST
    assert weight.any()


def test_of_photos_nothing_is_to_be_drawn(data):
    example = compose.lineless(np.random.default_rng(0), data.grounds[0, :96, :96])
    assert not example.ink.any()
    assert (example.weight == 1).all()
