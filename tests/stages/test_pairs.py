"""The pairs: fitted and drawn alike, with true lineart as a style of its own.

And a reason for each picture that has no whole pair.
"""

import io
import json
import shutil
from itertools import pairwise

import cv2
import numpy as np
import PIL.Image
import pyarrow.parquet as pq
import pytest

import anidata
from anidata.catalog.catalog import Catalog
from anidata.errors import RecipeError, UnknownPart
from anidata.imaging import fit as fitting
from anidata.imaging import reduction
from anidata.lineart import postprocess
from anidata.lineart.styles import ink
from anidata.workspace import open_workspace
from drawings import ART, drawing, save

ALL_IN = ("--set", "clean.max_noise=1")
SCRIBBLES = (1, 2, 3)  # seeds


def stored(work, file, style):
    """A stored file of a pair, decoded by Pillow."""
    with Catalog(open_workspace(work)) as views:
        columns = 'tar, "offset" AS o, size'
        wanted = f"file = '{file}' AND style = '{style}'"
        sql = f"SELECT {columns} FROM _pairs JOIN images USING (key) WHERE {wanted}"
        (row,) = views.select(sql).to_pylist()
    data = (work / "pairs" / row["tar"]).read_bytes()[row["o"] : row["o"] + row["size"]]
    return np.asarray(PIL.Image.open(io.BytesIO(data)))


def prepared(command, work, source, *settings):
    command("ingest", work, source)
    command("clean", work, "--set", "clean.max_line_drawing=1", "--set", "clean.min_contrast=0")
    command("dedup", work)
    return command("extract-lineart", work, *settings, "--json")


def reasons(command, work):
    rows = json.loads(
        command("query", work, "SELECT file, reasons FROM images WHERE NOT keep", "--format", "json")
    )
    return {r["file"]: r["reasons"] for r in rows}


@pytest.mark.parametrize(("fit", "size"), [("pad", 256), ("crop", 256), ("bucket", 512)])
def test_line_and_color_are_gray_and_rgb_of_one_size(tmp_path, command, inline, fit, size):
    save(tmp_path / "pile/a.png", drawing(1, 700, 480))
    prepared(command, tmp_path / "work", tmp_path / "pile", "--fit", fit, "--size", size)
    color, line = (stored(tmp_path / "work", "a.png", name) for name in ("color", "ink"))
    assert color.shape == (*line.shape, 3)
    assert line.shape == ((256, 256) if fit != "bucket" else (448, 576))
    assert set(np.unique(line)) <= {0, 255}


@pytest.mark.parametrize("anchor", ["center", "ink"])
@pytest.mark.parametrize("fit", ["pad", "crop", "bucket"])
def test_lines_lie_on_the_strokes_of_the_color_picture_to_the_pixel(tmp_path, command, inline, fit, anchor):
    page = np.full((1800 if fit == "bucket" else 800, 480, 3), (240, 200, 180), np.uint8)
    for n in range(5):
        cv2.circle(page, (90 + 70 * n, 120 + 85 * n), 60, (0, 0, 0), 5, cv2.LINE_AA)
    save(tmp_path / "pile/a.png", page)
    prepared(
        command,
        tmp_path / "work",
        tmp_path / "pile",
        "--fit",
        fit,
        "--set",
        "lineart.color=png",
        "--set",
        f"lineart.anchor={anchor}",
    )
    color, line = (stored(tmp_path / "work", "a.png", name) for name in ("color", "ink"))
    dark, ink = color.max(axis=2) < 100, line < 128
    agreement = {
        (y, x): (np.roll(ink, (y, x), (0, 1)) & dark).sum() for y in range(-3, 4) for x in range(-3, 4)
    }
    assert max(agreement, key=agreement.get) == (0, 0)


def test_what_is_stored_is_what_draw_gives_for_the_fitted_picture(tmp_path, command, inline):
    save(tmp_path / "pile/a.png", drawing(3, 512, 300))
    prepared(
        command,
        tmp_path / "work",
        tmp_path / "pile",
        "--set",
        "lineart.color=webp",
        "--style",
        "canny",
        "--style",
        "dog",
    )
    color = stored(tmp_path / "work", "a.png", "color")
    for style in ("canny", "dog"):
        line = stored(tmp_path / "work", "a.png", style)
        assert np.array_equal(line[106:406], anidata.draw(color[106:406], style=style))
        assert np.all(np.delete(line, np.s_[106:406], axis=0) == 255)


@pytest.mark.parametrize(
    ("height", "width"), [(700, 480), (480, 700), (333, 1), (1, 999), (512, 512), (37, 41), (1023, 1025)]
)
def test_a_padded_picture_fills_its_place_on_the_page_and_nothing_else(height, width):
    page = fitting.fit(np.zeros((height, width, 3), np.uint8), 256, "pad", "area")
    rows, columns = fitting.inner_box((height, width), 256, "pad")
    assert not page[rows, columns].any()
    page[rows, columns] = 255
    assert page.all()


def test_the_artists_lines_are_a_style_of_their_own(tmp_path, command, inline):
    pile, work = tmp_path / "pile", tmp_path / "work"
    pile.mkdir()
    for name in ("pair_adventurer_01_color.png", "pair_adventurer_01_line.png", "comic_05.jpg"):
        shutil.copy(ART / name, pile / name)
    report = prepared(command, work, pile, "--style", "xdog", "--style", "artist")
    assert report["funnel"]["rejected"] == {"no_line": 1}
    assert reasons(command, work) == {"comic_05.jpg": ["no_line"]}
    truth = (
        np.asarray(
            PIL.Image.open(ART / "pair_adventurer_01_line.png")
            .convert("L")
            .resize((512, 512), PIL.Image.Resampling.BICUBIC)
        )
        < 128
    )
    assert ((stored(work, "pair_adventurer_01_color.png", "artist") < 128) == truth).mean() > 0.99


@pytest.mark.parametrize("fit", ["crop", "bucket"])
def test_the_artists_lines_are_cut_where_their_color_picture_is(tmp_path, command, inline, fit):
    """The true line is the color picture in gray: wherever it is cut, both must show the same."""
    page = np.full((1100, 300, 3), 255, np.uint8)
    page[:300] = drawing(4, 300, 300)
    save(tmp_path / "pile/a_color.png", page)
    save(
        tmp_path / "pile/a_line.png", np.repeat(cv2.cvtColor(page, cv2.COLOR_RGB2GRAY)[..., None], 3, axis=2)
    )
    words = (
        "--style",
        "artist",
        "--style",
        "ink",
        "--fit",
        fit,
        "--set",
        "lineart.anchor=ink",
        "--set",
        "lineart.color=png",
    )
    prepared(command, tmp_path / "work", tmp_path / "pile", *words)
    color, line = (stored(tmp_path / "work", "a_color.png", name) for name in ("color", "artist"))
    assert (
        np.abs(cv2.cvtColor(color, cv2.COLOR_RGB2GRAY).astype(int) - line).max() <= 12
    )  # bicubic overshoots in each channel apart
    assert (line < 128).mean() > 0.02


def thin_pair(pile):
    """A large picture with thin strokes on flat color, and its lines; the shares of the width they lie at."""
    color, line = np.full((2048, 2048, 3), 255, np.uint8), np.full((2048, 2048), 255, np.uint8)
    at = [0.2, 0.35, 0.5, 0.65, 0.8]
    for n, (left, right) in enumerate(pairwise(at)):
        color[400:1600, round(left * 2048) : round(right * 2048)] = (250 - 40 * n, 120 + 30 * n, 200 - 30 * n)
    for share in at:
        color[400:1600, round(share * 2048) : round(share * 2048) + 2] = 0
        line[400:1600, round(share * 2048) : round(share * 2048) + 2] = 0
    save(pile / "a_color.png", color)
    save(pile / "a_line.png", line)
    return at


@pytest.mark.parametrize("resampling", ["area", "lanczos"])
@pytest.mark.parametrize("fit", ["pad", "crop"])
def test_thin_true_lines_of_a_large_picture_stay_dark(tmp_path, command, inline, fit, resampling):
    at = thin_pair(tmp_path / "pile")
    words = ("--style", "artist", "--fit", fit, "--size", "256", "--set", f"lineart.filter={resampling}")
    prepared(command, tmp_path / "work", tmp_path / "pile", *words)
    line = stored(tmp_path / "work", "a_color.png", "artist")
    for share in at:
        about = line[60:190, round(share * 256) - 2 : round(share * 256) + 3]
        assert about.min(axis=1).max() < 60  # by area: 190
        assert (255.0 - about).sum(axis=1).max() < 255 * 2


def test_true_lines_alone_are_redrawn_where_they_would_be_reduced_otherwise(
    tmp_path, command, inline, monkeypatch
):
    thin_pair(tmp_path / "pile")
    words = ("--style", "xdog", "--style", "artist", "--size", "256")
    prepared(command, tmp_path / "work", tmp_path / "pile", *words)
    before = where(tmp_path / "work")
    monkeypatch.setattr(reduction, "VERSION", reduction.VERSION + 1)
    command("extract-lineart", tmp_path / "work", *words)
    after = where(tmp_path / "work")
    assert {style for style in before if after[style] != before[style]} == {"artist"}


def test_lines_of_an_earlier_version_of_their_style_alone_are_redrawn(tmp_path, command, inline, monkeypatch):
    for number in range(3):
        save(tmp_path / f"pile/{number}.png", drawing(number))
    work, words = tmp_path / "work", ("--style", "ink", "--style", "xdog")
    with monkeypatch.context() as earlier:
        earlier.setattr(ink, "VERSION", ink.VERSION - 1)
        prepared(command, work, tmp_path / "pile", *words)
    before = where(work)
    command("extract-lineart", work, *words)
    after = where(work)
    assert {style for style in before if after[style] != before[style]} == {"ink"}


def where(work):
    """Style of a stored file → its tar and offset."""
    with Catalog(open_workspace(work)) as views:
        rows = views.select('SELECT style, tar, "offset" AS at, fingerprint FROM _pairs').to_pylist()
    return {r["style"]: (r["tar"], r["at"], r["fingerprint"]) for r in rows}


def test_a_picture_without_ink_and_a_blot_are_rejected(tmp_path, command, inline):
    pile = tmp_path / "pile"
    y, x = np.mgrid[0:400, 0:400]
    save(pile / "mist.png", np.dstack([200 + x // 16, 200 + y // 16, 255 - x // 16]).astype(np.uint8))
    night = np.zeros((400, 400, 3), np.uint8)
    night[100:160, 100:160] = (250, 40, 40)
    save(pile / "night.png", night)
    save(pile / "good.png", drawing(2))
    prepared(command, tmp_path / "work", pile)
    assert reasons(command, tmp_path / "work") == {"mist.png": ["no_ink"], "night.png": ["blot"]}


def strokes(seed, count=1600, side=512):
    """A page of short dark strokes of all lengths in all directions, none touching."""
    rng = np.random.default_rng(seed)
    page, taken = np.full((side, side, 3), 245, np.uint8), np.zeros((side, side), np.uint8)
    for _ in range(count):
        start = rng.integers(20, side - 20, 2)
        end = start + np.round(rng.uniform(3, 24) * np.array([*_direction(rng)])).astype(int)
        one = cv2.line(np.zeros_like(taken), start.tolist(), end.tolist(), 1, 2)
        if not (cv2.dilate(one, np.ones((11, 11))) & taken).any():
            taken |= one
            page[one > 0] = (20, 20, 30)
    return page


def _direction(rng):
    turn = rng.uniform(0, 2 * np.pi)
    return np.cos(turn), np.sin(turn)


def test_scribbles_are_rejected_and_none_where_the_limit_is_one(tmp_path, command, inline):
    pile, work = tmp_path / "pile", tmp_path / "work"
    for seed in SCRIBBLES:
        save(pile / f"scribble{seed}.png", strokes(seed))
    save(pile / "good.png", drawing(2))
    report = prepared(command, work, pile, *ALL_IN)
    assert reasons(command, work) == {f"scribble{seed}.png": ["scribble"] for seed in SCRIBBLES}
    assert report["funnel"]["rejected"] == {"scribble": 3}
    report = command("extract-lineart", work, "--set", "lineart.max_scribble=1", "--json")
    assert reasons(command, work) == {}


@pytest.mark.parametrize("style", ["canny", "dog", "ridge"])
def test_lines_of_other_styles_are_never_scribble(tmp_path, command, inline, style):
    save(tmp_path / "pile/a.png", strokes(1))
    words = (*ALL_IN, "--style", style, "--set", "lineart.max_scribble=0")
    assert prepared(command, tmp_path / "work", tmp_path / "pile", *words)["funnel"]["rejected"] == {}


def test_what_is_a_blot_too_is_told_to_be_that(tmp_path, command, inline):
    save(tmp_path / "pile/a.png", strokes(1))
    report = prepared(command, tmp_path / "work", tmp_path / "pile", *ALL_IN, "--set", "lineart.max_ink=0.01")
    assert report["funnel"]["rejected"] == {"blot": 1}


def test_lines_of_an_earlier_version_are_read_and_drawn_anew_without_the_colors(
    tmp_path, command, inline, monkeypatch
):
    pile, work = tmp_path / "pile", tmp_path / "work"
    save(pile / "scribble.png", strokes(2))
    save(pile / "good.png", drawing(2))
    with monkeypatch.context() as earlier:
        earlier.setattr(postprocess, "VERSION", postprocess.VERSION - 1)
        prepared(command, work, pile, *ALL_IN, "--set", "lineart.max_scribble=1")
    for path in (work / "pairs").glob("*.parquet"):
        content = pq.read_table(path)
        pq.write_table(content.drop_columns(["scribble"]), path)
    marked = "SELECT style, fingerprint, count(scribble) AS n FROM pairs GROUP BY ALL ORDER BY n, style"
    before = json.loads(command("query", work, marked, "--format", "json"))
    assert [(row["style"], row["n"]) for row in before] == [("color", 0), ("ink", 0)]
    report = command("extract-lineart", work, "--set", "lineart.max_scribble=0.5", "--json")
    assert report["funnel"]["rejected"] == {"scribble": 1}
    after = json.loads(command("query", work, marked, "--format", "json"))
    assert after[:2] == before
    assert [(row["style"], row["n"]) for row in after[2:]] == [("ink", 2)]


def test_a_changed_ink_threshold_opens_no_picture(tmp_path, command, calls):
    save(tmp_path / "pile/a.png", strokes(1))
    prepared(command, tmp_path / "work", tmp_path / "pile", *ALL_IN)
    calls.clear()
    report = command(
        "extract-lineart",
        tmp_path / "work",
        "--set",
        "lineart.max_ink=0.0001",
        "--set",
        "lineart.min_ink=0",
        "--json",
    )
    assert report["funnel"]["rejected"] == {"blot": 1}
    assert not calls
    words = ("--set", "lineart.max_ink=1", "--set", "lineart.max_scribble=0", "--json")
    report = command("extract-lineart", tmp_path / "work", *words)
    assert report["funnel"]["rejected"] == {"scribble": 1}
    assert not calls


def test_unknown_styles_parameters_and_fits_are_typed_errors(tmp_path, command, inline):
    save(tmp_path / "pile/a.png", drawing(2))
    command("ingest", tmp_path / "work", tmp_path / "pile")
    with pytest.raises(UnknownPart, match="Did you mean 'canny'"):
        command("extract-lineart", tmp_path / "work", "--style", "cany")
    with pytest.raises(RecipeError, match="Did you mean 'sigma'"):
        command("extract-lineart", tmp_path / "work", "--set", "lineart.style.xdog.sigm=1")
    with pytest.raises(RecipeError, match=r"\[lineart\] fit"):
        command("extract-lineart", tmp_path / "work", "--fit", "stretch")
    with pytest.raises(RecipeError, match="none twice"):
        command("extract-lineart", tmp_path / "work", "--style", "xdog", "--style", "xdog")


def test_the_filter_is_taken(tmp_path, command, inline):
    save(tmp_path / "pile/a.png", drawing(2, 900, 900))
    pictures = set()
    for name in ("area", "bilinear", "bicubic", "lanczos"):
        prepared(
            command,
            tmp_path / "work",
            tmp_path / "pile",
            "--set",
            f"lineart.filter={name}",
            "--set",
            "lineart.color=png",
        )
        pictures.add(stored(tmp_path / "work", "a.png", "color").tobytes())
    assert len(pictures) == 4
