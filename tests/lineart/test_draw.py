"""Lineart of loose files and arrays."""

import hashlib
import json

import numpy as np
import PIL.Image
import pytest
from typer.testing import CliRunner

import anidata
import anidata.cli.entry
from anidata.errors import RecipeError, SourceError, UnknownPart
from drawings import ART, drawing, save


def draw(*words):
    """The exit code, stdout and stderr of a command."""
    done = CliRunner().invoke(anidata.cli.entry.app, ["draw", *map(str, words)])
    if done.exception and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done.exit_code, done.stdout, done.stderr


def hashes(folder):
    return {p: hashlib.sha256(p.read_bytes()).hexdigest() for p in folder.rglob("*") if p.is_file()}


def test_the_library_draws_what_the_command_writes(tmp_path, command):
    source = save(tmp_path / "a.png", drawing(1))
    command("draw", source, "-o", tmp_path / "out")
    written = np.asarray(PIL.Image.open(tmp_path / "out/a.png"))
    assert written.dtype == np.uint8
    assert np.array_equal(written, anidata.draw(drawing(1)))


def test_a_picture_keeps_its_own_size_unless_told(tmp_path, command):
    command("draw", ART / "comic_01.webp", "-o", tmp_path)
    assert PIL.Image.open(tmp_path / "comic_01.png").size == PIL.Image.open(ART / "comic_01.webp").size
    command("draw", ART / "comic_01.webp", "-o", tmp_path, "--size", 300)
    assert max(PIL.Image.open(tmp_path / "comic_01.png").size) == 300


@pytest.mark.parametrize("style", ["ink", "xdog", "gray"])
def test_thin_strokes_of_line_art_are_drawn_on_a_small_page(tmp_path, command, style):
    page = np.full((2048, 2048), 255, np.uint8)
    page[300:1700, 200:1900:340] = page[300:1700, 201:1900:340] = 0
    PIL.Image.fromarray(page).save(tmp_path / "thin.png")
    command("draw", tmp_path / "thin.png", "-o", tmp_path / "out", "--size", 256, "--style", style)
    drawn = np.asarray(PIL.Image.open(tmp_path / "out/thin.png"))
    for x in range(25, 196, 42):  # 340 px are 42.5 here
        assert drawn[60:190, x - 2 : x + 6].min(axis=1).max() < 60


def test_two_files_with_one_stem_do_not_overwrite_each_other(tmp_path, command):
    paths = [save(tmp_path / "a.png", drawing(1)), save(tmp_path / "a.jpg", drawing(2))]
    command("draw", *paths, "-o", tmp_path / "out")
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == ["a.jpg.png", "a.png.png"]


def test_a_bad_file_is_named_and_the_others_are_drawn(tmp_path, command):
    good = save(tmp_path / "good.png", drawing(1))
    (tmp_path / "bad.png").write_bytes(b"no picture")
    with pytest.raises(AssertionError, match="not_an_image"):
        command("draw", tmp_path / "bad.png", good, "-o", tmp_path / "out")
    assert (tmp_path / "out/good.png").exists()


def test_an_unknown_style_or_parameter_is_a_typed_error(tmp_path, command):
    source = save(tmp_path / "a.png", drawing(1))
    with pytest.raises(UnknownPart, match="Did you mean 'xdog'"):
        command("draw", source, "-o", tmp_path, "--style", "xdgo")
    with pytest.raises(RecipeError, match="Did you mean 'sigma'"):
        command("draw", source, "-o", tmp_path, "--style", "xdog", "--set", "xdog.sigm=1")


def test_parameters_of_a_style_are_taken(tmp_path, command):
    source = save(tmp_path / "a.png", drawing(1))
    command("draw", source, "-o", tmp_path / "out", "--style", "xdog", "--set", "xdog.sigma=1.4")
    assert np.array_equal(
        np.asarray(PIL.Image.open(tmp_path / "out/a.png")),
        anidata.draw(drawing(1), style="xdog", settings={"sigma": 1.4}),
    )


def test_compare_puts_every_style_on_one_sheet(tmp_path, command):
    bad = tmp_path / "bad.png"
    bad.write_bytes(b"no picture")
    with pytest.raises(AssertionError, match="not_an_image"):
        command(
            "draw",
            save(tmp_path / "a.png", drawing(1)),
            bad,
            ART / "comic_02.jpg",
            "-o",
            tmp_path / "out",
            "--compare",
        )
    assert [p.name for p in (tmp_path / "out").iterdir()] == ["styles.png"]
    both = PIL.Image.open(tmp_path / "out/styles.png")
    command("draw", tmp_path / "a.png", "-o", tmp_path / "one", "--compare")
    one = PIL.Image.open(tmp_path / "one/styles.png")
    assert both.width == one.width
    assert both.height > one.height + 200


def test_a_sheet_of_nothing_is_not_written(tmp_path, command):
    (tmp_path / "bad.png").write_bytes(b"no picture")
    with pytest.raises(AssertionError):
        command("draw", tmp_path / "bad.png", "-o", tmp_path / "out", "--compare")
    assert not (tmp_path / "out").exists()


def test_no_original_is_drawn_over(tmp_path, monkeypatch):
    """Beside themselves; two of one name; a folder into itself; on a sheet called as one of them."""
    for name in ("x.png", "a/x.png", "b/x.png", "styles.png"):
        save(tmp_path / name, drawing(1, 40, 40))
    before = hashes(tmp_path)
    monkeypatch.chdir(tmp_path)
    for words in (
        ("x.png", "-o", "."),
        ("a/x.png", "b/x.png", "-o", "."),
        (".", "-o", "."),
        ("styles.png", "-o", ".", "--compare"),
    ):
        assert draw(*words, "--overwrite")[0] == 0
        assert before.items() <= hashes(tmp_path).items()
    assert {p.name for p in tmp_path.glob("*.png")} == {
        "x.png",
        "x.png.png",
        "x.png.a.png",
        "x.png.b.png",
        "styles.png",
        "styles.png.png",
        "styles.sheet.png",
    }


def test_a_folder_is_drawn_whole_and_once(tmp_path):
    for name in ("b.png", "A/a.JPG", "A/B/b.webp"):
        save(tmp_path / "in" / name, drawing(2, 30, 30))
    code, text, _ = draw(tmp_path / "in", "-o", tmp_path / "in/lines")
    assert (code, text) == (0, f"3 drawn into {tmp_path}/in/lines\n")
    before = hashes(tmp_path)
    code, text, _ = draw(tmp_path / "in", "-o", tmp_path / "in/lines")
    assert code == 0
    assert text == f"0 drawn into {tmp_path}/in/lines, 3 done before, 3 left out (anidata's own outputs)\n"
    assert hashes(tmp_path) == before
    drawn = {str(p.relative_to(tmp_path / "in/lines")) for p in (tmp_path / "in/lines").rglob("*.*")}
    assert drawn == {"b.png", "A/a.png", "A/B/b.png"}


def test_a_file_of_the_users_is_kept_and_said(tmp_path):
    for name in ("a.jpg", "b.jpg", "out/a.png"):
        save(tmp_path / name, drawing(3, 30, 30))
    mine = (tmp_path / "out/a.png").read_bytes()
    words = (tmp_path / "a.jpg", tmp_path / "b.jpg", "-o", tmp_path / "out")
    code, text, errors = draw(*words)
    assert code == 1
    assert text == (
        f"1 drawn into {tmp_path}/out, 1 kept (a file of yours is there; --overwrite replaces it)\n"
    )
    assert errors == f"{tmp_path}/out/a.png: kept: a file of yours is there\n"
    assert (tmp_path / "out/a.png").read_bytes() == mine
    code, text, _ = draw(*words, "--overwrite", "--json")
    assert (code, json.loads(text)) == (
        0,
        {
            "written": [f"{tmp_path}/out/a.png"],
            "skipped": [f"{tmp_path}/out/b.png"],
            "kept": {},
            "failed": {},
            "left_out": 0,
        },
    )


@pytest.mark.parametrize("changed", [("--style", "xdog"), ("--size", "20"), ("--set", "ink.blacks=outline")])
def test_another_style_size_or_parameter_draws_anew(tmp_path, changed):
    words = (save(tmp_path / "a.jpg", drawing(3, 30, 30)), "-o", tmp_path / "out", "--json")
    draw(*words)
    for again, key in ((changed, "written"), (changed, "skipped"), ((), "written")):
        assert json.loads(draw(*words, *again)[1])[key] == [f"{tmp_path}/out/a.png"]


def test_a_sheet_is_kept_done_once_and_drawn_anew(tmp_path):
    save(tmp_path / "in/a.png", drawing(1, 40, 40))
    mine = save(tmp_path / "out/styles.png", drawing(4, 20, 20))
    before = mine.read_bytes()
    words = (tmp_path / "in", "-o", tmp_path / "out", "--compare")
    assert draw(*words)[0] == 1
    assert mine.read_bytes() == before
    mine.unlink()
    assert draw(*words)[:2] == (0, f"1 drawn into {tmp_path}/out\n")
    assert draw(*words)[:2] == (0, f"0 drawn into {tmp_path}/out, 1 done before\n")
    save(tmp_path / "in/b.png", drawing(2, 40, 40))
    assert draw(*words)[:2] == (0, f"1 drawn into {tmp_path}/out\n")
    assert draw(tmp_path / "in/b.png", *words[1:])[0] == 1


def test_a_file_that_is_not_there_is_a_typed_error_before_any_is_drawn(tmp_path):
    source = save(tmp_path / "a.png", drawing(1, 30, 30))
    with pytest.raises(SourceError, match=r"nil\.png: there is no such file or folder"):
        draw(source, tmp_path / "nil.png", "-o", tmp_path / "out")
    assert not (tmp_path / "out").exists()
