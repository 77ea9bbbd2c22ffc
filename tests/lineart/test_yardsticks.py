"""The yardsticks of lineart, in benchmarks/lines: each against what can be counted by hand."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

import anidata
from anidata.lineart import postprocess
from lines import filled, scribble, silhouettes, tinted
from shared import SHARED, needs_shared

FILLS = [(200, 150, 90), (255, 255, 255), (31, 77, 201)]


def page(color=(255, 255, 255), side=200):
    return np.full((side, side, 3), color, np.uint8)


def sprite(color, ground=0):
    """A square of 100 px in the middle of 200, opaque, in one color."""
    rgba = np.full((200, 200, 4), ground, np.uint8)
    rgba[..., 3] = 0
    rgba[50:150, 50:150] = (*color, 255)
    return rgba


def paper(side=200):
    return np.full((side, side), 255, np.uint8)


@pytest.mark.parametrize("fill", FILLS)
@pytest.mark.parametrize("tone", [0.65, 0.80])
def test_reinked_lines_on_a_flat_fill_have_just_their_share_of_it(fill, tone):
    line = paper()
    line[90:110, 20:180] = 0
    rgb = page(fill)
    rgb[line == 0] = (9, 7, 5)  # the artist's own ink, which must leave no trace
    inked = tinted.reink(rgb, line, tone)
    assert (inked[line == 0] == np.round(tone * np.array(fill))).all()
    assert (inked[line == 255] == fill).all()


@pytest.mark.parametrize("level", [64, 128, 200])
def test_half_opaque_ink_darkens_by_half(level):
    line = paper()
    line[90:110] = level
    inked = tinted.reink(page((200, 100, 50)), line, 0.65)
    opacity = 1 - level / 255
    assert (inked[100, 100] == np.round(np.array((200, 100, 50)) * (1 - opacity * 0.35))).all()


def test_the_fill_under_ink_is_that_of_the_nearest_pixel_without():
    rgb, line = page((10, 20, 30), 9), paper(9)
    rgb[:, 6:] = (200, 100, 50)
    line[:, 2:6] = 0  # columns 2 and 3 lie nearer to the left fill, 4 and 5 to the right one
    rgb[:, 2:6] = 0
    under = tinted.fill_under(rgb, line)
    assert (under[:, :4] == (10, 20, 30)).all()
    assert (under[:, 4:] == (200, 100, 50)).all()


def test_a_picture_of_ink_alone_is_its_own_fill():
    assert (tinted.fill_under(page((40, 50, 60), 5), np.zeros((5, 5), np.uint8)) == (40, 50, 60)).all()


@pytest.mark.parametrize(
    ("fill", "seen"), [((255, 255, 255), True), ((20, 20, 20), True), ((13, 13, 13), False)]
)
def test_lines_too_near_to_their_fill_are_no_truth(fill, seen):
    line = paper()
    line[90:110] = 0
    assert (tinted.truth(page(fill), line, 0.65) < 255).any() == seen


def test_softening_blurs_an_edge_and_keeps_flat_color():
    rgb = page((200, 150, 100))
    rgb[:, 100:] = 0
    soft = tinted.softened(rgb)
    assert np.abs(soft[:, 30:60].astype(int) - (200, 150, 100)).max() <= 3
    assert 20 < soft[100, 99].mean() < 140


@pytest.mark.parametrize("ground", silhouettes.GROUNDS)
def test_a_contour_all_round_scores_one_and_half_of_it_a_half(ground):
    rgba = sprite((200, 40, 40))
    edge = silhouettes.rim(rgba, silhouettes.on(rgba, "white" if ground == "soft" else ground), ground)
    assert edge.sum() == 4 * 99  # the rim of a square of 100 px
    line = paper()
    cv2.rectangle(line, (50, 50), (149, 149), 0, 1)
    assert silhouettes.share(line, edge) == 1
    line[103:] = 255  # left are rows 50 to 102: 100 of the top, 2 × 52 of the sides; 3 px below still count
    assert silhouettes.share(line, edge) == pytest.approx((100 + 2 * 55) / (4 * 99))
    assert silhouettes.share(paper(), edge) == 0


@pytest.mark.parametrize(
    ("ground", "color"), [("white", (250, 250, 250)), ("gray", (120, 130, 128)), ("flat", (125, 165, 200))]
)
def test_a_figure_of_its_grounds_color_needs_no_contour(ground, color):
    rgba = sprite(color)
    rgba[50:150, 50:90, :3] = (200, 40, 40)
    edge = silhouettes.rim(rgba, silhouettes.on(rgba, ground), ground)
    assert edge[50, 60:85].all()
    assert not edge[50:150, 100:].any()


def test_the_frame_needs_no_contour():
    rgba = sprite((200, 40, 40))
    rgba[:, 50:150] = (200, 40, 40, 255)
    edge = silhouettes.rim(rgba, silhouettes.on(rgba, "white"), "white")
    assert not edge[:2].any()
    assert not edge[-2:].any()
    assert edge[2:-2, [50, 149]].all()


def test_the_painted_ground_is_the_same_each_time_and_not_flat():
    first = silhouettes.painted()
    silhouettes.painted.cache_clear()
    assert (first == silhouettes.painted()).all()
    assert first.reshape(-1, 3).std(axis=0).min() > 10


@pytest.mark.parametrize(
    ("make", "taken"),
    [
        (lambda: sprite((200, 40, 40)), True),
        (lambda: np.dstack([page((200, 40, 40)), np.full((200, 200), 255, np.uint8)]), False),  # opaque
        (lambda: sprite((200, 40, 40))[40:160], False),  # 120 px high
        (lambda: sprite((255, 255, 255)), False),  # white on white
    ],
)
def test_a_sprite_has_a_silhouette_to_speak_of(tmp_path, make, taken):
    Image.fromarray(make()).save(tmp_path / "a.png")
    assert (silhouettes.fitted(tmp_path / "a.png") is not None) == taken


@needs_shared
def test_on_white_the_rule_is_the_collections_own():
    spec = importlib.util.spec_from_file_location("their_silhouettes", SHARED / "bench/silhouettes.py")
    theirs = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(theirs)
    compared = 0
    for path in sorted((SHARED / "data/dups/negatives").iterdir())[::9]:
        pair, rgba = theirs.sprite(path), silhouettes.fitted(path)
        if pair is None or rgba is None:
            continue
        rgb = silhouettes.on(rgba, "white")
        assert (rgb == pair[0]).all()
        assert (silhouettes.rim(rgba, rgb, "white") == theirs.border(*pair)).all()
        compared += 1
    assert compared >= 3


@pytest.mark.parametrize(
    ("color", "black"),
    [
        ((0, 0, 0), True),
        ((45, 28, 30), True),
        ((60, 35, 25), True),
        ((0, 0, 128), False),  # navy
        ((100, 0, 0), False),  # dark red
        ((80, 80, 80), False),
        ((160, 200, 230), False),  # a light blue disc
    ],
)
def test_solid_ink_counts_where_the_picture_is_not_black(color, black):
    line = paper()
    line[50:151, 50:151] = 0
    deep = (101 - 2 * 3) ** 2  # px whose nearest paper is more than 3 px away
    share = filled.filled(line, page(color))
    assert share == (0 if black else pytest.approx(deep / 101**2))


def test_strokes_of_six_px_are_no_fill_and_paper_none():
    line = paper()
    line[50:56, 20:180] = 0
    assert filled.filled(line, page((200, 90, 90))) == 0
    assert filled.filled(paper(), page((200, 90, 90))) == 0


def test_ink_that_fills_the_page_is_a_fill():
    line = np.zeros((40, 40), np.uint8)
    assert filled.filled(line, page((200, 90, 90), 40)) == pytest.approx(34**2 / 40**2)


def test_pieces_are_counted_with_their_ink():
    line = paper()
    line[10, 20:120] = 0  # 100 px
    line[50:60, 50] = 0  # 10
    line[80, 80], line[81, 81] = 0, 0  # two px that touch by their corners
    assert sorted(scribble.pieces(line).tolist()) == [2, 10, 100]
    assert scribble.specks(line) == pytest.approx(12 / 112)


def test_the_yardstick_of_scribble_is_what_the_package_records():
    line = paper(512)
    line[0, :200] = 0
    for k in range(60):
        line[4 + 4 * k, 10 : 12 + k] = 0
    assert scribble.scribble(line) == postprocess.measure(line).scribble > 0.3


def test_a_page_without_ink_is_no_scribble():
    assert scribble.scribble(paper()) == 0
    assert scribble.specks(paper()) == 0


@needs_shared
def test_one_command_measures_every_style_by_half(tmp_path):
    (tmp_path / "sprites").mkdir()
    (tmp_path / "sprites/split.csv").write_text("package,half\nred,fit\nblue,check\n")
    for name, color in (("red", (200, 40, 40)), ("blue", (40, 40, 200))):
        (tmp_path / "sprites" / name).mkdir()
        Image.fromarray(sprite(color)).save(tmp_path / "sprites" / name / "a.png")
        Image.fromarray(page(color)).save(tmp_path / "sprites" / name / "opaque.png")
    done = compare("--styles", "canny", "gray", "--only", "silhouettes", "--worst", "1", art=tmp_path)
    lines = done.stdout.splitlines()
    assert lines[0] == "| style | white | p10 | gray | flat | painted | blurred | ink |"
    assert lines[2].startswith("| `canny` | 1.000 | 1.000 | 1.000 | 1.000 | 1.000 | 1.000 |")
    assert lines[3].startswith("| `gray` | 1.000 |")
    assert "canny silhouettes, fit (1): white 1.000/1.000" in done.stdout
    assert "canny silhouettes, check (1): white 1.000/1.000" in done.stdout


@needs_shared
def test_a_yardstick_without_pictures_says_where_they_go(tmp_path):
    done = compare("--styles", "canny", "--only", "silhouettes", shared=tmp_path / "none", art=tmp_path)
    assert done.returncode == 1
    assert "Say in ANIDATA_SHARED where the collection lies." in done.stderr
    done = compare("--only", "nonsense", art=tmp_path)
    assert done.returncode == 2
    assert "silhouettes" in done.stderr


def compare(*words, art, shared=SHARED):
    script = Path(silhouettes.__file__).parents[1] / "compare_styles.py"
    paths = os.pathsep.join([str(Path(anidata.__file__).parents[1]), os.environ.get("PYTHONPATH", "")])
    where = {"ANIDATA_ART": str(art), "ANIDATA_SHARED": str(shared), "PYTHONPATH": paths}
    return subprocess.run(
        [sys.executable, script, *words], env=os.environ | where, capture_output=True, text=True, check=False
    )
