"""Lineart of loose files and arrays."""

import numpy as np
import PIL.Image
import pytest

import anidata
from anidata.errors import RecipeError, UnknownPart
from drawings import ART, drawing, save


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
