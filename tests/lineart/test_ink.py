"""The ink style.

Against cels of which every line is known, the artists' own lines, and paintings that have none.
"""

from dataclasses import replace

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage.feature import canny

import cels
from anidata.lineart.styles import ink
from drawings import ART
from line_lab import score
from shared import SHARED

CONFIG = ink.Config()
SKIN, BROWN, RED, BLACK = (250, 218, 196), (105, 55, 40), (150, 42, 46), (20, 16, 22)
NAVY = (0, 0, 128)
PAIRS = sorted(path.name.removesuffix("_line.png") for path in ART.glob("pair_*_line.png"))


@pytest.fixture(scope="module")
def painted():
    return [cels.paint(seed) for seed in range(8)]


def page(color=SKIN, side=160):
    return np.full((side, side, 3), color, np.uint8)


def curve(rgb, color, width):
    """A stroke of the color across the picture; returns where it lies."""
    where = np.zeros(rgb.shape[:2], np.uint8)
    points = np.array([(x, 80 + round(30 * np.sin(x / 18))) for x in range(20, 141)], np.int32)
    for layer, tone in ((rgb, color), (where, 255)):
        cv2.polylines(layer, [points], isClosed=False, color=tone, thickness=width, lineType=cv2.LINE_AA)
    return where > 64


def drawn(rgb, **changes):
    return ink.draw(rgb, replace(CONFIG, **changes)) < 128


def art(name):
    return cv2.cvtColor(cv2.imread(str(ART / name)), cv2.COLOR_BGR2RGB)


def fitted(rgb, side=512):
    scale = side / max(rgb.shape[:2])
    return cv2.resize(
        rgb, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    )


def test_the_lines_of_a_cel_are_found_once_each(painted):
    scores = [score(ink.draw(cel.rgb, CONFIG), cel.line) for cel in painted]
    assert np.mean([s.f1 for s in scores]) > 0.95
    assert 0.95 < np.median([s.length for s in scores]) < 1.05


def test_borders_without_a_line_get_none(painted):
    for cel in painted:
        lines = ink.draw(cel.rgb, CONFIG) < 128
        assert (lines & cel.bare).sum() < 0.02 * lines.sum()


@pytest.mark.parametrize("quality", [50, 80])
def test_a_jpeg_with_noise_speckles_nothing(painted, quality):
    precisions = []
    for cel in painted:
        noise = np.random.default_rng(0).normal(0, 3, cel.rgb.shape)
        noisy = np.clip(cel.rgb + noise, 0, 255).astype(np.uint8)
        coded = cv2.imencode(".jpg", noisy, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
        rgb = cv2.imdecode(coded, cv2.IMREAD_COLOR)
        precisions.append(score(ink.draw(rgb, CONFIG), cel.line).precision)
        assert score(ink.draw(rgb, replace(CONFIG, contours=False)), cel.line).precision > 0.95
    assert np.mean(precisions) > 0.93  # a short contour beside a black area moves all of that area's skeleton


@pytest.mark.parametrize("color", [BROWN, RED, BLACK, (40, 40, 130), (90, 90, 90)])
@pytest.mark.parametrize("width", [1, 2, 3, 4])
def test_a_stroke_of_any_color_and_width_is_drawn_and_nothing_else(color, width):
    rgb = page()
    where = curve(rgb, color, width)
    lines = drawn(rgb)
    assert (lines & where).sum() > 0.8 * where.sum()
    assert not (lines & ~(cv2.dilate(where.astype(np.uint8), np.ones((5, 5))) > 0)).any()


@pytest.mark.parametrize("width", [9, 14])
@pytest.mark.parametrize(
    ("color", "solid"), [(BLACK, True), ((60, 40, 35), True), (RED, False), (NAVY, False)]
)
def test_a_broad_stroke_is_solid_where_it_is_black_and_an_outline_else(width, color, solid):
    rgb = page()
    where = curve(rgb, color, width)
    lines = drawn(rgb)
    rim = where & ~(cv2.erode(where.astype(np.uint8), np.ones((5, 5))) > 0)
    middle = cv2.erode(where.astype(np.uint8), np.ones((7, 7))) > 0
    assert lines[rim].mean() > 0.8
    assert lines[middle].mean() > 0.9 if solid else lines[middle].mean() < 0.1
    assert not (lines & ~(cv2.dilate(where.astype(np.uint8), np.ones((5, 5))) > 0)).any()


@pytest.mark.parametrize("color", [NAVY, (160, 20, 30), (70, 110, 170), (30, 90, 40), (120, 120, 120)])
def test_no_area_is_solid_that_is_not_black(color):
    rgb = page((255, 255, 255), 256)
    cv2.circle(rgb, (128, 128), 80, color, -1, cv2.LINE_AA)
    cv2.rectangle(rgb, (20, 20), (60, 230), color, -1)
    lines = drawn(rgb)
    assert lines.any()
    assert not (cv2.distanceTransform(lines.astype(np.uint8), cv2.DIST_L2, 5) > 3.01).any()


@pytest.mark.parametrize("dark", [(214, 160, 124), (90, 140, 210), (120, 180, 120), (90, 90, 110)])
def test_the_border_between_two_fills_is_no_line(dark):
    rgb = page(side=320)
    cv2.circle(rgb, (160, 160), 120, (180, 200, 160), -1, cv2.LINE_AA)
    cv2.circle(rgb, (170, 150), 45, dark, -1, cv2.LINE_AA)  # a shadow in the figure
    cv2.circle(rgb, (160, 160), 120, BLACK, 3, cv2.LINE_AA)
    border = cv2.circle(np.zeros((320, 320), np.uint8), (170, 150), 45, 255, 5) > 0
    assert not (drawn(rgb) & border).any()


GROUNDS = {
    "white": (255, 255, 255),
    "gray": (128, 128, 128),
    "color": (110, 160, 205),
    "gradient": None,
}


def figure(ground, soft, side=320):
    """A figure of three fills without any line, and its contour, bool (h, w)."""
    if GROUNDS[ground] is None:
        rgb = np.repeat(np.linspace((250, 245, 235), (215, 225, 250), side)[:, None], side, axis=1)
        rgb = rgb.astype(np.uint8)
    else:
        rgb = page(GROUNDS[ground], side)
    alpha = np.zeros((side, side), np.uint8)
    for layer, colors in ((rgb, [(235, 120, 90), (70, 60, 150), (240, 205, 60)]), (alpha, [255] * 3)):
        cv2.circle(layer, (160, 100), 60, colors[0], -1, cv2.LINE_AA)
        cv2.ellipse(layer, (160, 220), (50, 90), 0, 0, 360, colors[1], -1, cv2.LINE_AA)
        cv2.rectangle(layer, (60, 170), (260, 200), colors[2], -1)
    mask = (alpha > 127).astype(np.uint8)
    contour = mask - cv2.erode(mask, np.ones((3, 3), np.uint8))
    contour[-2:] = 0
    return (cv2.GaussianBlur(rgb, (0, 0), soft) if soft else rgb), contour > 0


def closed(lines, contour):
    """Share of a contour that has ink within 3 px."""
    return (cv2.dilate(lines.astype(np.uint8), np.ones((7, 7))) > 0)[contour].mean()


@pytest.mark.parametrize("soft", [0, 1.5])
@pytest.mark.parametrize("ground", GROUNDS)
def test_the_contour_of_a_figure_without_lines_is_closed_on_any_flat_ground(ground, soft):
    rgb, contour = figure(ground, soft)
    lines = drawn(rgb)
    assert closed(lines, contour) > 0.97
    assert lines.mean() < 0.06


def test_gaps_of_an_outline_are_closed_and_what_is_inked_is_not_doubled():
    rgb = page((255, 255, 255), 320)
    cv2.circle(rgb, (160, 160), 110, SKIN, -1, cv2.LINE_AA)
    whole = rgb.copy()
    cv2.circle(whole, (160, 160), 110, BLACK, 3, cv2.LINE_AA)
    cv2.ellipse(rgb, (160, 160), (110, 110), 0, 0, 320, BLACK, 3, cv2.LINE_AA)
    ring = cv2.circle(np.zeros((320, 320), np.uint8), (160, 160), 110, 1, 1) > 0
    assert closed(drawn(rgb), ring) > 0.98
    assert closed(drawn(rgb, contours=False), ring) < 0.95
    assert (drawn(whole) == drawn(whole, contours=False)).all()


def test_a_picture_without_a_ground_gets_no_contours(painted):
    rgb = fitted(art("painted_bg_01.jpg"))
    assert (drawn(rgb) == drawn(rgb, contours=False)).all()


def test_noise_changes_little():
    pictures = [cels.paint(seed).rgb for seed in range(3)]
    pictures += [fitted(art(f"{name}_color.png")) for name in PAIRS[:3]]
    pictures += [figure(ground, soft)[0] for ground in GROUNDS for soft in (0, 1.5)]
    changes = []
    for number, rgb in enumerate(pictures):
        noise = np.random.default_rng(number).normal(0, 2, rgb.shape)
        noisy = np.clip(np.rint(rgb + noise), 0, 255).astype(np.uint8)
        changes.append(score(ink.draw(noisy, CONFIG), ink.draw(rgb, CONFIG)).f1)
    assert np.mean(changes) > 0.97
    assert min(changes) > 0.94


def test_a_gradient_is_no_line():
    ramp = np.linspace(30, 250, 160).astype(np.uint8)
    assert not drawn(np.repeat(np.tile(ramp, (160, 1))[..., None], 3, axis=2)).any()


def test_black_areas_are_solid_or_outlined():
    rgb = page()
    cv2.circle(rgb, (80, 80), 40, BLACK, -1, cv2.LINE_AA)
    inside = np.zeros((160, 160), np.uint8)
    cv2.circle(inside, (80, 80), 36, 1, -1)
    rim = (cv2.circle(np.zeros((160, 160), np.uint8), (80, 80), 40, 1, 3)) > 0
    solid, outline = drawn(rgb), drawn(rgb, blacks="outline")
    assert solid[inside > 0].all()
    assert not outline[cv2.erode(inside, np.ones((5, 5))) > 0].any()
    assert outline[rim].mean() > 0.6


def test_a_dark_area_without_a_crisp_border_is_not_black():
    rgb = page((200, 200, 205), 320)
    cv2.circle(rgb, (160, 160), 90, (10, 10, 12), -1)
    assert not drawn(cv2.GaussianBlur(rgb, (0, 0), 25), explained=0.0, contours=False).any()


def test_each_switch_does_what_it_says():
    rgb = page()
    faint = curve(rgb, (232, 202, 182), 2)
    rgb[10:40, 10:40] = BLACK
    rgb[100:102, 10:12] = BLACK
    assert drawn(rgb, contrast=0.03, mass=0.0)[faint].mean() > 0.5
    assert not drawn(rgb, contrast=0.3, mass=0.0)[faint].any()
    assert not drawn(rgb, contrast=0.03, mass=60.0)[faint].any()
    assert not drawn(rgb, black=0, tolerance=0)[20:30, 20:30].any()
    assert drawn(rgb, specks=0, mass=0.0)[100:102, 10:12].any()
    assert not drawn(rgb, specks=30, mass=0.0, contours=False)[98:104, 8:14].any()
    assert drawn(rgb, contrast=1.0)[12:38, 12:38].all()


def test_without_its_color_a_thick_colored_stroke_is_lost():
    rgb = page()
    where = curve(rgb, BROWN, 14)
    assert drawn(rgb, contours=False)[where].mean() > 0.8
    assert drawn(rgb, contours=False, explained=0.0, tolerance=0)[where].mean() < 0.3


@pytest.mark.parametrize(
    "name", ["painted_bg_01.jpg", "vn_background_01.jpg", "vn_scene_01.jpg", "comic_04.webp"]
)
def test_of_a_painting_the_edges_are_drawn(name):
    rgb = fitted(art(name))
    lines = drawn(rgb)
    assert 0.02 < lines.mean() < 0.15
    edges = canny(
        cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY) / 255, sigma=1.5, low_threshold=0.05, high_threshold=0.12
    )
    near = cv2.dilate(lines.astype(np.uint8), np.ones((5, 5))) > 0
    assert (edges & near).sum() > 0.5 * edges.sum()
    assert drawn(rgb, explained=0.0).mean() < lines.mean()


@pytest.mark.parametrize("name", PAIRS)
def test_the_bundled_artists_ink_is_found(name):
    color = fitted(art(f"{name}_color.png"))
    true = fitted(cv2.imread(str(ART / f"{name}_line.png"), cv2.IMREAD_GRAYSCALE))
    agreement = score(ink.draw(color, CONFIG), true)
    assert agreement.f1 > 0.95
    assert 0.95 < agreement.length < 1.05


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10_000))
def test_a_mirrored_picture_gets_nearly_the_mirrored_lines(seed):
    rgb = cv2.resize(
        np.random.default_rng(seed).integers(60, 256, (5, 5, 3), dtype=np.uint8),
        (128, 128),
        interpolation=cv2.INTER_CUBIC,
    )
    curve_at = np.random.default_rng(seed).integers(10, 118, (4, 2)).astype(np.int32)
    cv2.polylines(rgb, [curve_at], isClosed=False, color=BLACK, thickness=3, lineType=cv2.LINE_AA)
    assert (drawn(rgb) == drawn(np.ascontiguousarray(rgb[:, ::-1]))[:, ::-1]).mean() > 0.99


@pytest.mark.slow
@pytest.mark.skipif(
    not (SHARED / "bench/lineart_f1.py").is_file(), reason="the artists' own lines are not on this machine"
)
@pytest.mark.parametrize(
    ("condition", "least"), [("clean", 0.96), ("jpeg50", 0.95), ("soft", 0.96), ("brown", 0.9)]
)
def test_the_artists_lines_are_found_in_every_condition(condition, least, monkeypatch):
    monkeypatch.syspath_prepend(SHARED / "bench")
    import lineart_f1 as scorer  # noqa: PLC0415 there only where the pictures are

    sets: dict[str, list[float]] = {}
    for path in sorted((SHARED / "data/lineart").glob("**/*_line.png"))[::4]:
        color = scorer.fit(scorer.on_white(path.with_name(path.name.replace("_line", "_color"))))
        true = scorer.fit(cv2.imread(str(path), cv2.IMREAD_GRAYSCALE))
        bgr = scorer.reink(color, true) if condition == "brown" else dict(scorer.conditions(color))[condition]
        sets.setdefault(path.parent.name, []).append(
            score(ink.draw(np.ascontiguousarray(bgr[..., ::-1]), CONFIG), true).f1
        )
    assert np.mean([np.mean(scores) for scores in sets.values()]) > least
