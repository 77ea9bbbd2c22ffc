"""The joint style: where the network is asked, what it adds and takes away, and both forms."""

import cv2
import numpy as np
import pytest

from anidata.lineart import color_leak
from anidata.lineart.styles import _joint, _line_net, anime, ink
from drawings import drawing

STRICT, SOFT = anime.Config(), anime.Config(form="soft")


def colored(tone=0.65, width=7):
    """A disc, outlined by a broad stroke at a tone of its fill, on white."""
    rgb = np.full((300, 300, 3), 255, np.uint8)
    fill = (250, 200, 90)
    cv2.circle(rgb, (150, 150), 100, fill, -1, cv2.LINE_AA)
    cv2.circle(rgb, (150, 150), 100, [round(tone * c) for c in fill], width, cv2.LINE_AA)
    cv2.line(rgb, (100, 150), (200, 150), [round(tone * c) for c in fill], width, cv2.LINE_AA)
    return rgb


def black_and_white(mask):
    return np.where(mask, 0, 255).astype(np.uint8)


# --- where the network is asked --------------------------------------------------------------------


def test_a_drawing_that_ink_explains_is_drawn_as_ink_draws_it_and_the_network_is_not_asked(monkeypatch):
    monkeypatch.setattr(_line_net, "opacity", lambda *_: pytest.fail("the network was asked"))
    rgb = drawing(3)
    assert (anime.draw(rgb, STRICT) == ink.draw(rgb, ink.Config())).all()


def test_with_explained_0_it_never_is(monkeypatch):
    monkeypatch.setattr(_line_net, "opacity", lambda *_: pytest.fail("the network was asked"))
    rgb = colored()
    assert (anime.draw(rgb, anime.Config(explained=0)) == ink.draw(rgb, ink.Config())).all()


@pytest.mark.parametrize("rgb", [colored(), cv2.GaussianBlur(colored(0.5, 3), (0, 0), 3)])
def test_of_colored_and_soft_drawings_it_is(rgb, monkeypatch):
    asked = []
    real = _line_net.opacity
    monkeypatch.setattr(_line_net, "opacity", lambda *of: asked.append(of) or real(*of))
    anime.draw(rgb, STRICT)
    assert len(asked) == 1


# --- what it adds and takes away -------------------------------------------------------------------


def test_a_broad_colored_stroke_is_one_line_and_not_its_two_rims():
    """Along a ray from the middle: how many lines are met."""
    angles = np.linspace(0.3, 2.8, 60)

    def lines_met(line):
        counts = []
        for a in angles:
            ray = [line[round(150 - r * np.sin(a)), round(150 + r * np.cos(a))] < 128 for r in range(80, 120)]
            counts.append(int(np.diff([0, *ray, 0]).clip(0).sum()))
        return np.mean(counts)

    assert lines_met(ink.draw(colored(), ink.Config())) > 1.5
    assert 0.9 <= lines_met(anime.draw(colored(), STRICT)) <= 1.1


def test_strokes_keep_about_four_px_about_their_middle():
    opacity = np.zeros((120, 120), np.uint8)
    cv2.line(opacity, (60, 10), (60, 110), 255, 13)
    opacity[:, 100:103] = 255
    narrow = _joint.strokes(opacity, 128).narrow > 0
    assert 3 <= narrow[60, :90].sum() <= 5
    assert narrow[60, 60]
    assert narrow[:, 100:103].all()


@pytest.mark.parametrize(("opacity", "area", "replaced"), [(250, 0, True), (150, 0, False), (250, 90, False)])
def test_broad_strokes_are_replaced_where_the_network_is_certain_and_most_of_its_ink_is_such(
    opacity, area, replaced
):
    """A stroke of 11 px of which both rims are drawn; beside it a dark area that the network fills."""
    seen, rims = np.zeros((240, 240), np.uint8), np.zeros((240, 240), np.uint8)
    seen[10:230, 20:31] = opacity
    rims[10:230, 19:21] = rims[10:230, 30:32] = 255
    seen[60 : 60 + area, 100 : 100 + area] = opacity
    wide = _joint.broad(_joint.strokes(seen, 75), rims, seen)
    assert (wide[40:200, 25] > 0).all() == wide.any() == replaced


def test_what_the_network_sees_in_a_flat_fill_is_no_line(monkeypatch):
    """It sees a line on the left, where there is none, and one that is there, on the right."""
    rgb = colored()
    rgb[140:143, 20:36] = rgb[30:33, 200:290] = (230, 230, 225)
    seen = np.zeros(rgb.shape[:2], np.uint8)
    seen[30:33, 10:100] = seen[30:33, 200:290] = 250
    monkeypatch.setattr(_line_net, "opacity", lambda *_: seen)
    line = anime.draw(rgb, STRICT)
    assert (line[28:35, 10:100] == 255).all()
    assert (line[30:33, 202:288] == 0).any(axis=0).all()


def test_what_the_network_does_not_see_goes_from_a_crowded_sketch_alone():
    """Ticks: half of them the network sees; of a sheet with few of them all stay."""
    crowded, few, opacity = (np.zeros((200, 200), np.uint8) for _ in range(3))
    for n, y in enumerate(range(4, 196, 4)):
        crowded[y, 10:90] = crowded[y, 110:190] = 255
        opacity[y, 10:90] = 200
        if n < 3:
            few[y, 110:190] = 255
    left = _joint.believed(crowded, opacity, 1)
    assert (left[:, :100] == crowded[:, :100]).all()
    assert not left[:, 100:].any()
    assert (_joint.believed(few, opacity, 1) == few).all()
    assert (_joint.believed(crowded, opacity, 0) == crowded).all()


@pytest.mark.parametrize("seed", [1, 2, 4, 5])
def test_solid_blacks_are_inks_also_where_the_network_is_asked(seed):
    rgb = drawing(seed)
    for x in range(20, 300, 40):  # broad colored strokes, that ink doesn't explain
        cv2.line(rgb, (x, 0), (x + 20, 359), [int(0.7 * c) for c in rgb[0, 0]], 7, cv2.LINE_AA)
    cv2.circle(rgb, (160, 180), 40, (8, 8, 10), -1, cv2.LINE_AA)
    assert ink.lines(ink.smoothed(rgb), ink.Config()).painted.explained < STRICT.explained
    assert (anime.draw(rgb, STRICT)[160:200, 140:180] == 0).all()
    assert (anime.draw(rgb, anime.Config(blacks="outline"))[170:190, 150:170] == 255).all()


# --- forms -----------------------------------------------------------------------------------------


def test_strict_is_ink_and_paper_and_soft_is_gray_with_the_same_strokes():
    rgb = colored()
    strict, soft = anime.draw(rgb, STRICT), anime.draw(rgb, SOFT)
    assert set(np.unique(strict)) == {0, 255}
    assert len(np.unique(soft)) > 10
    assert (soft[strict == 0] < 128).all()


def test_a_pencils_stroke_has_gray_rims_also_where_the_network_is_not_asked():
    rgb = drawing(3)
    strict, soft = anime.draw(rgb, STRICT), anime.draw(rgb, SOFT)
    inside = cv2.erode(black_and_white(strict == 255), np.ones((3, 3), np.uint8)) > 0
    assert (soft[inside] == 0).all()
    beside = (strict == 255) & (cv2.erode(strict, np.ones((3, 3), np.uint8)) == 0)
    assert ((soft[beside] > 0) & (soft[beside] < 255)).mean() > 0.99


def test_faint_lines_are_in_the_soft_form_alone():
    rgb = np.full((200, 200, 3), 245, np.uint8)
    cv2.circle(rgb, (100, 100), 60, (225, 225, 225), 2, cv2.LINE_AA)
    opacity = _line_net.opacity(rgb, "cv2")
    ring = (opacity > 40) & (opacity < 140)
    assert ring.sum() > 50  # the network doubts
    strict, soft = anime.draw(rgb, STRICT), anime.draw(rgb, SOFT)
    assert (soft[ring] < 255).all()
    assert (strict[ring] == 255).mean() > 0.5


@pytest.mark.parametrize(("config", "most"), [(STRICT, 0.02), (SOFT, 0.02)])
def test_the_gray_of_lines_gives_hardly_any_color_away(config, most):
    """Fills of every tone and hue, each outlined at two thirds of its own."""
    rng = np.random.default_rng(0)
    tallies = []
    for n in range(12):
        rgb = np.full((240, 240, 3), 255, np.uint8)
        for _ in range(8):
            fill = rng.integers(60, 256, 3)
            center = tuple(int(c) for c in rng.integers(30, 210, 2))
            cv2.circle(rgb, center, int(rng.integers(20, 60)), fill.tolist(), -1, cv2.LINE_AA)
            cv2.circle(rgb, center, int(rng.integers(20, 60)), (0.66 * fill).tolist(), 3, cv2.LINE_AA)
        tallies.append(color_leak.tally(anime.draw(rgb, config), rgb, n))
    assert color_leak.leak(sum(tallies)[0]).worst <= most
