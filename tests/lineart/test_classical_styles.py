"""The styles of the textbooks.

Each against its formula in SciPy, scikit-image or plain NumPy, and by what must hold of it.
"""

from dataclasses import replace

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage
from skimage.feature import hessian_matrix, hessian_matrix_eigvals
from skimage.filters import threshold_local
from skimage.morphology import black_tophat, closing

from anidata import recipe
from anidata.errors import RecipeError
from anidata.lineart.styles import _gauss, adaptive, dodge, gray, ridge, sobel, tophat


def scene(seed=0, ink=(20, 10, 15)):
    """Smooth fills with pen strokes across, 96 × 120."""
    rng = np.random.default_rng(seed)
    rgb = cv2.resize(
        rng.integers(60, 230, (4, 5, 3), dtype=np.uint8), (120, 96), interpolation=cv2.INTER_CUBIC
    )
    for _ in range(6):
        a, b = rng.integers(0, 96, (2, 2)).tolist()
        cv2.line(rgb, a, b, ink, 2, cv2.LINE_AA)
    return rgb


def luma(rgb):
    return cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY)


def grays(levels):
    """A gray picture of those rows."""
    return np.repeat(np.asarray(levels, np.uint8)[..., None], 3, axis=2)


def agreement(line, ink):
    return ((line == 0) == ink).mean()


@pytest.mark.parametrize("style", [sobel, ridge, tophat, adaptive, dodge, gray])
def test_a_picture_on_its_side_is_drawn_as_its_lines_on_their_side(style):
    rgb = scene()[:96, :96]
    line = style.draw(rgb, style.Config())
    assert (style.draw(np.ascontiguousarray(rgb.transpose(1, 0, 2)), style.Config()) == line.T).all()


@pytest.mark.parametrize(
    ("style", "share"), [(sobel, 0.9), (ridge, 0.9), (tophat, 0.9), (adaptive, 0.9), (dodge, 0.9)]
)
@pytest.mark.parametrize("ink", [(20, 10, 15), (95, 50, 30)])
def test_black_and_brown_strokes_are_found(style, share, ink):
    for seed in range(5):
        rgb = cv2.resize(
            np.random.default_rng(seed).integers(150, 240, (3, 3, 3), dtype=np.uint8),
            (128, 128),
            interpolation=cv2.INTER_LINEAR,
        )
        truth = np.zeros((128, 128), np.uint8)
        for end in ((120, 20), (100, 110)):
            cv2.line(rgb, (10, 60), end, ink, 2)
            cv2.line(truth, (10, 60), end, 255, 2)
        drawn = style.draw(rgb, style.Config()) < 200
        near = ndimage.binary_dilation(drawn, iterations=2)  # the flanks of a gradient lie beside the stroke
        assert (near & (truth > 0)).sum() > share * (truth > 0).sum()


# sobel


def test_sobel_without_blur_is_scipys_gradient_to_the_pixel():
    plain = luma(scene()).astype(float)
    steep = np.hypot(*(ndimage.sobel(plain, axis, mode="mirror") for axis in (0, 1))) / 8
    for threshold in (5, 20.5, 60):
        assert (
            agreement(sobel.draw(scene(), sobel.Config(sigma=0, threshold=threshold)), steep >= threshold)
            == 1
        )


def test_sobel_blurs_as_scipy_does():
    smooth = ndimage.gaussian_filter(luma(scene()).astype(float), 1.2, mode="mirror")
    steep = np.hypot(*(ndimage.sobel(smooth, axis, mode="mirror") for axis in (0, 1))) / 8
    assert agreement(sobel.draw(scene(), sobel.Config(sigma=1.2)), steep >= sobel.Config().threshold) > 0.99


def test_a_soft_sobel_is_the_gradient_in_gray():
    plain = luma(scene()).astype(float)
    steep = np.hypot(*(ndimage.sobel(plain, axis, mode="mirror") for axis in (0, 1))) / 8
    line = sobel.draw(scene(), sobel.Config(sigma=0, full=40))
    assert np.abs(line - 255 * (1 - np.minimum(1, steep / 40))).max() <= 0.51
    assert len(np.unique(line)) > 50


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32), st.integers(-50, 50))
def test_gradient_and_bend_dont_see_how_light_a_picture_is(seed, lighter):
    rgb = grays(np.random.default_rng(seed).integers(60, 200, (24, 31)))
    for style in (sobel, ridge):
        assert (
            style.draw(rgb, style.Config()) == style.draw(cv2.add(rgb, (lighter,) * 3), style.Config())
        ).all()


# ridge


def bend(plain, sigma, slope):
    """R of the docstring at one scale, by scikit-image and SciPy."""
    matrix = hessian_matrix(plain, sigma, mode="mirror", order="rc", use_gaussian_derivatives=True)
    larger = hessian_matrix_eigvals(matrix)[0]
    return (
        sigma**2 * larger - slope * sigma * ndimage.gaussian_gradient_magnitude(plain, sigma, mode="mirror")
    ) / ridge.PEAK


@pytest.mark.parametrize("slope", [0.0, 0.7])
@pytest.mark.parametrize("scales", [1, 2, 3])
def test_a_ridge_is_where_the_larger_eigenvalue_of_the_hessian_is_large(scales, slope):
    rgb = cv2.GaussianBlur(scene(), (0, 0), 1)  # differences of a sharp picture are not its derivatives
    expected = np.max([bend(luma(rgb).astype(float), 2.0**n, slope) for n in range(scales)], axis=0)
    line = ridge.draw(rgb, ridge.Config(scales=scales, slope=slope, reach=0, full=255))
    similar = np.corrcoef(255 - line.ravel().astype(float), np.clip(expected, 0, 255).ravel())[0, 1]
    assert similar > (0.99 if scales == 1 else 0.9)  # wider scales are those of smaller pictures
    hard = ridge.draw(rgb, ridge.Config(scales=scales, slope=slope, reach=0))
    assert agreement(hard, expected >= ridge.Config().threshold) > 0.95


@pytest.mark.parametrize("octave", [0, 1, 2])
@pytest.mark.parametrize("contrast", [40, 120])
def test_a_stroke_two_sigma_wide_has_its_contrast(octave, contrast):
    half, off = 1 << octave, 0.5  # px, and scales from the middle to the nearest pixel, which lies beside it
    share = sum((1 + x) * np.exp(-0.5 * (1 + x) ** 2) for x in (off, -off)) / (2 * np.exp(-0.5))
    rows = np.full((96, 96), 200)
    rows[:, 48 - half : 48 + half] = 200 - contrast
    line = ridge.draw(grays(rows), ridge.Config(scales=octave + 1, slope=0, full=255))
    assert 255 - int(line[48, 48]) == pytest.approx(share * contrast, rel=0.1)


@pytest.mark.parametrize("step", [30, 100])
def test_the_slope_keeps_the_border_of_a_fill_from_being_a_ridge(step):
    rows = np.full((64, 64), 230)
    rows[:, 32:] = 230 - step
    strongest = [
        255 - ridge.draw(grays(rows), ridge.Config(scales=1, slope=slope, reach=0, full=255)).min()
        for slope in (0.0, 0.7)
    ]
    assert strongest[1] < 0.3 * step < strongest[0]


def test_a_wide_scale_leaves_a_thin_stroke_as_thin_as_it_is():
    rows = np.full((64, 64), 230)
    rows[:, 30:32] = 20
    thin, wide = (ridge.draw(grays(rows), ridge.Config(reach=reach)) == 0 for reach in (8, 0))
    assert thin[32].sum() == 2
    assert wide[32].sum() > 4


# tophat


def test_a_tophat_without_blur_and_peak_is_scikit_images_to_the_pixel():
    plain = luma(scene())
    for radius, share in ((2, 0.1), (5, 0.3), (7, 0.62)):
        square = np.ones((2 * radius + 1, 2 * radius + 1), np.uint8)
        expected = (black_tophat(plain, square) >= share * closing(plain, square)) & (
            black_tophat(plain, square) > 0
        )
        assert (
            agreement(
                tophat.draw(scene(), tophat.Config(sigma=0, radius=radius, share=share, peak=0)), expected
            )
            == 1
        )


def test_only_what_is_deep_beside_its_peak_is_ink():
    config = tophat.Config(sigma=0)
    square = np.ones((2 * config.radius + 1, 2 * config.radius + 1), np.uint8)
    depth, tone = black_tophat(luma(scene()), square).astype(float), closing(luma(scene()), square)
    expected = (
        (depth >= config.share * tone)
        & (depth >= config.peak * ndimage.maximum_filter(depth, 9))
        & (depth > 0)
    )
    assert agreement(tophat.draw(scene(), config), expected) == 1


@pytest.mark.parametrize(("width", "drawn"), [(2, True), (14, True), (16, False)])
def test_strokes_are_found_up_to_twice_the_radius(width, drawn):
    rows = np.full((64, 64), 230)
    rows[:, 20 : 20 + width] = 30
    ink = tophat.draw(grays(rows), tophat.Config(sigma=0)) == 0
    assert ink.any() == drawn
    assert ink[32].sum() == (width if drawn else 0)


# adaptive


@pytest.mark.parametrize(("share", "offset"), [(0.0, 10.5), (0.2, 0.0), (0.1, 5.0)])
def test_an_adaptive_threshold_is_scikit_images(share, offset):
    plain = luma(scene()).astype(float)
    for mean, reach, about in (
        ("box", 7, threshold_local(plain, 15, method="mean", mode="mirror")),
        ("gaussian", 4, threshold_local(plain, 41, method="gaussian", param=4, mode="mirror")),
    ):
        line = adaptive.draw(
            scene(), adaptive.Config(sigma=0, mean=mean, reach=reach, share=share, offset=offset)
        )
        assert agreement(line, plain < (1 - share) * about - offset) > 0.995, mean


def test_without_share_and_blur_it_is_opencvs_but_for_its_rounding_of_the_mean():
    line = adaptive.draw(scene(), adaptive.Config(sigma=0, mean="box", reach=5, share=0, offset=12))
    theirs = cv2.adaptiveThreshold(luma(scene()), 255, cv2.ADAPTIVE_THRESH_MEAN_C, cv2.THRESH_BINARY, 11, 12)
    assert (line == theirs).mean() > 0.99


def test_a_line_in_the_shadow_is_drawn_as_one_in_the_light():
    rows = np.full((64, 64), 240)
    rows[:, 30:33] = 120
    light, shadow = (adaptive.draw(grays(rows // darker), adaptive.Config()) for darker in (1, 4))
    assert (light == 0).any()
    assert (light == shadow).all()


# dodge


def test_a_sketch_is_the_inverse_dodged_by_its_blur():
    plain = luma(scene()) / 255
    blurred_inverse = ndimage.gaussian_filter(1 - plain, 3.0, mode="mirror")
    expected = 255 * np.minimum(1, plain / (1 - blurred_inverse))
    line = dodge.draw(scene(), dodge.Config(sigma=3.0, floor=0, burn=1))
    assert np.abs(line - expected).max() < 4
    assert np.abs(line - expected).mean() < 0.5


def test_burning_is_the_sketch_multiplied_by_itself():
    once, thrice = (dodge.draw(scene(), dodge.Config(burn=burn)).astype(float) for burn in (1, 3))
    assert np.abs(255 * (once / 255) ** 3 - thrice).max() < 2.1


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 255), st.integers(0, 255), st.sampled_from([0.0, 0.3, 3.0, 8.5]))
def test_a_flat_picture_is_a_white_sheet(level, floor, sigma):
    assert (
        dodge.draw(np.full((7, 9, 3), level, np.uint8), dodge.Config(sigma=sigma, floor=floor)) == 255
    ).all()


def test_without_blur_a_sketch_is_blank():
    assert (dodge.draw(scene(), dodge.Config(sigma=0)) == 255).all()


# gray


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 255), st.integers(0, 255), st.integers(0, 255))
def test_gray_is_the_luma_of_bt_601(red, green, blue):
    line = gray.draw(np.full((1, 1, 3), (red, green, blue), np.uint8), gray.Config())
    assert abs(int(line[0, 0]) - (0.299 * red + 0.587 * green + 0.114 * blue)) < 0.51


def test_a_gray_picture_is_its_own_luma():
    levels = np.arange(256).reshape(16, 16)
    assert (gray.draw(grays(levels), gray.Config()) == levels).all()


# what they share


@pytest.mark.parametrize("sigma", [0.0, 0.6, 2.0])
def test_softening_is_the_blur_in_whole_levels_rounded_half_up(sigma):
    plain = luma(scene())
    assert (
        _gauss.soften(plain, sigma)
        == np.floor(_gauss.blur(plain, sigma).astype(np.float64) / _gauss.UNIT**2 + 0.5)
    ).all()


@pytest.mark.parametrize(
    ("style", "document"),
    [
        (ridge, {"scales": 0}),
        (ridge, {"scales": 30}),
        (tophat, {"radius": -1}),
        (adaptive, {"mean": "median"}),
        (dodge, {"burn": 0}),
        (gray, {"sigma": 1}),
    ],
)
def test_a_setting_that_makes_no_sense_is_refused(style, document):
    with pytest.raises(RecipeError, match=next(iter(document))):
        recipe.build(style.Config, document, "[lineart.style]")


def test_the_settings_that_switch_a_style_off_do():
    for style, config in (
        (sobel, sobel.Config(threshold=256)),
        (ridge, replace(ridge.Config(), threshold=256)),
        (tophat, tophat.Config(radius=0)),
        (adaptive, adaptive.Config(sigma=0, reach=0)),
        (adaptive, adaptive.Config(share=1)),
    ):
        assert (style.draw(scene(), config) == 255).all(), config
