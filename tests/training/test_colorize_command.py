"""`anidata colorize`: pictures in, PNG out at their own size; what can't be colored costs nothing else."""

import hashlib
import json
import shutil

import numpy as np
import PIL.Image
import pytest
from typer.testing import CliRunner

import anidata.cli.entry
from anidata.errors import RecipeError, RunError, SourceError
from drawings import drawing, save
from training_lab import TINY
from training_lab import run as trained


@pytest.fixture(scope="module")
def run(dataset, tmp_path_factory):
    """A run of the tiny model, from a copy of its file."""
    folder = tmp_path_factory.mktemp("colorize")
    shutil.copy(TINY, folder / "mine.py")
    settings = ("train.images=8", "train.validate_every=0")
    trained(dataset, folder / "run", settings, model=folder / "mine.py")
    return folder / "run"


def colorize(*words):
    """The exit code, the JSON and stderr of a command."""
    done = CliRunner().invoke(
        anidata.cli.entry.app, ["colorize", *map(str, words), "--json", "--device", "cpu"]
    )
    if done.exception and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done.exit_code, json.loads(done.stdout), done.stderr


def nothing_else(**parts):
    return {"written": [], "skipped": [], "kept": {}, "failed": {}, "left_out": 0} | parts


def hashes(folder):
    return {p: hashlib.sha256(p.read_bytes()).hexdigest() for p in folder.rglob("*") if p.is_file()}


@pytest.mark.parametrize("shape", [(16, 16), (33, 47), (70, 20)])
def test_a_picture_comes_out_at_its_own_size(shape, run, tmp_path):
    width, height = shape
    save(tmp_path / "in/a picture.jpg", drawing(1, width, height))
    code, report, _ = colorize(run, tmp_path / "in/a picture.jpg", "-o", tmp_path / "out")
    assert (code, report) == (0, nothing_else(written=[str(tmp_path / "out/a picture.png")]))
    with PIL.Image.open(tmp_path / "out/a picture.png") as picture:
        assert (picture.mode, picture.size) == ("RGB", (width, height))


def test_lines_and_colored_pictures_both_go_in(run, tmp_path):
    save(tmp_path / "color.png", drawing(1, 40, 40))
    PIL.Image.fromarray(drawing(1, 40, 40)).convert("L").save(tmp_path / "line.png")
    code, report, _ = colorize(run, tmp_path / "color.png", tmp_path / "line.png", "-o", tmp_path / "out")
    assert code == 0
    assert len(report["written"]) == 2


def test_a_folder_goes_in_whole_and_keeps_its_folders(run, tmp_path):
    for name in ("b.png", "A/a.JPG", "A/B/b.webp"):
        save(tmp_path / "in" / name, drawing(2, 20, 20))
    (tmp_path / "in/notes.txt").write_text("no picture")
    code, report, _ = colorize(run, tmp_path / "in", "-o", tmp_path / "out")
    assert code == 0
    assert {str(p.relative_to(tmp_path / "out")) for p in (tmp_path / "out").rglob("*.png")} == {
        "b.png",
        "A/a.png",
        "A/B/b.png",
    }
    assert len(report["written"]) == 3


def test_a_model_of_references_takes_the_colors_of_the_one_that_is_named(dataset, tmp_path):
    settings = ("train.images=8", "train.validate_every=0", 'train.conditions=["lineart","reference"]')
    trained(dataset, tmp_path / "run", settings)
    lines = np.full((40, 40, 3), 255, np.uint8)
    lines[10:12] = 0
    sketch = save(tmp_path / "sketch.png", lines)
    outputs = []
    for color in ((200, 30, 30), (30, 30, 200)):
        palette = save(tmp_path / "palette.png", np.full((30, 20, 3), color, np.uint8))
        assert colorize(tmp_path / "run", sketch, "-o", tmp_path / "out", "--reference", palette)[0] == 0
        outputs.append(np.asarray(PIL.Image.open(tmp_path / "out/sketch.png")))
    assert not np.array_equal(*outputs)
    with pytest.raises(RecipeError, match="--reference FILE"):
        colorize(tmp_path / "run", sketch, "-o", tmp_path / "out")


def test_the_same_seed_gives_the_same_picture(run, tmp_path):
    save(tmp_path / "a.png", drawing(3, 24, 24))
    for name in ("one", "two"):
        colorize(run, tmp_path / "a.png", "-o", tmp_path / name, "--seed", 5)
    assert np.array_equal(PIL.Image.open(tmp_path / "one/a.png"), PIL.Image.open(tmp_path / "two/a.png"))


def test_a_broken_picture_is_told_and_the_others_are_colored(run, tmp_path):
    (tmp_path / "broken.png").write_bytes(b"no picture at all")
    save(tmp_path / "whole.png", drawing(4, 20, 20))
    code, report, errors = colorize(
        run, tmp_path / "broken.png", tmp_path / "whole.png", "-o", tmp_path / "out"
    )
    assert code == 1
    assert report["written"] == [str(tmp_path / "out/whole.png")]
    assert report["failed"][str(tmp_path / "broken.png")].startswith("not_an_image")
    assert f"{tmp_path}/broken.png: not_an_image" in errors


def test_no_picture_is_written_over_another(run, tmp_path):
    for name in ("one/a.png", "two/a.png"):
        save(tmp_path / name, drawing(5, 20, 20))
    code, report, _ = colorize(run, tmp_path / "one/a.png", tmp_path / "two/a.png", "-o", tmp_path / "out")
    assert code == 0
    assert report == nothing_else(
        written=[str(tmp_path / "out/a.png.one.png"), str(tmp_path / "out/a.png.two.png")]
    )


def test_no_original_is_colored_over(run, dataset, tmp_path, tmp_path_factory):
    """A picture beside itself; into the folder it lies in, from above; the reference, too."""
    for name in ("in/x.png", "in/sub/x.png", "palette.png", "other/palette.jpg"):
        save(tmp_path / name, drawing(5, 20, 20))
    referring = tmp_path_factory.mktemp("referring")
    settings = ("train.images=4", "train.validate_every=0", 'train.conditions=["lineart","reference"]')
    trained(dataset, referring, settings)
    palette = ("--reference", tmp_path / "palette.png")
    before = hashes(tmp_path)
    for words in (
        (run, tmp_path / "in/x.png", "-o", tmp_path / "in"),
        (run, tmp_path / "in", "-o", tmp_path / "in"),
        (referring, tmp_path / "other/palette.jpg", "-o", tmp_path, *palette),
    ):
        assert colorize(*words, "--overwrite")[0] == 0
        assert before.items() <= hashes(tmp_path).items()
    assert (tmp_path / "palette.jpg.png").exists()


def test_what_is_colored_is_not_colored_again(run, tmp_path):
    for name in ("x.png", "sub/y.jpg"):
        save(tmp_path / name, drawing(5, 20, 20))
    words = (run, tmp_path, "-o", tmp_path / "colored")
    made = [str(tmp_path / "colored/sub/y.png"), str(tmp_path / "colored/x.png")]
    assert sorted(colorize(*words)[1]["written"]) == made
    before = hashes(tmp_path)
    code, report, _ = colorize(*words)
    assert (code, report | {"skipped": sorted(report["skipped"])}) == (
        0,
        nothing_else(skipped=made, left_out=2),
    )
    assert hashes(tmp_path) == before
    assert len(colorize(*words, "--seed", 1)[1]["written"]) == 2


def test_other_weights_color_anew(run, dataset, tmp_path):
    source = save(tmp_path / "x.png", drawing(5, 20, 20))
    shutil.copytree(run, tmp_path / "run")
    words = (tmp_path / "run", source, "-o", tmp_path / "out")
    assert len(colorize(*words)[1]["written"]) == 1
    assert len(colorize(*words)[1]["skipped"]) == 1
    trained(dataset, tmp_path / "longer", ("train.images=16", "train.validate_every=0"))
    shutil.copy(tmp_path / "longer/model.safetensors", tmp_path / "run/model.safetensors")
    assert len(colorize(*words)[1]["written"]) == 1


def test_lines_that_draw_made_are_colored(run, tmp_path):
    save(tmp_path / "in/x.png", drawing(5, 40, 40))
    done = CliRunner().invoke(
        anidata.cli.entry.app, ["draw", str(tmp_path / "in"), "-o", str(tmp_path / "lines")]
    )
    assert done.exit_code == 0
    assert len(colorize(run, tmp_path / "lines", "-o", tmp_path / "colored")[1]["written"]) == 1


def test_a_file_of_the_users_is_kept(run, tmp_path):
    source = save(tmp_path / "x.jpg", drawing(5, 20, 20))
    mine = save(tmp_path / "out/x.png", drawing(6, 20, 20))
    before = mine.read_bytes()
    code, report, errors = colorize(run, source, "-o", tmp_path / "out")
    assert (code, report) == (1, nothing_else(kept={str(mine): "a file of yours is there"}))
    assert f"{mine}: kept: a file of yours is there" in errors
    assert mine.read_bytes() == before
    assert colorize(run, source, "-o", tmp_path / "out", "--overwrite")[1]["written"] == [str(mine)]


def test_what_is_no_run_or_no_file_is_a_typed_error(run, tmp_path):
    save(tmp_path / "a.png", drawing(6, 20, 20))
    with pytest.raises(RunError, match=r"is no run\. Make one with: anidata train-baseline"):
        colorize(tmp_path, tmp_path / "a.png", "-o", tmp_path / "out")
    with pytest.raises(SourceError, match="there is no such file or folder"):
        colorize(run, tmp_path / "b.png", "-o", tmp_path / "out")
    shutil.copytree(run, tmp_path / "young")
    (tmp_path / "young/model.safetensors").unlink()
    shutil.rmtree(tmp_path / "young/checkpoints")
    with pytest.raises(RunError, match="there is no such run or file"):
        colorize(tmp_path / "young", tmp_path / "a.png", "-o", tmp_path / "out")


def test_a_model_file_that_has_changed_is_a_typed_error(run, tmp_path):
    """Another setting in the file than the run has; and a network of another shape."""
    shutil.copytree(run.parent, tmp_path / "lab")
    model = tmp_path / "lab/mine.py"
    recipe = tmp_path / "lab/run/recipe.toml"
    recipe.write_text(recipe.read_text().replace(str(run.parent), str(tmp_path / "lab")))
    save(tmp_path / "a.png", drawing(7, 20, 20))
    text = model.read_text()
    model.write_text(text.replace("width: int", "breadth: int").replace("config.width", "config.breadth"))
    with pytest.raises(RecipeError, match=r"mine\.py, \[model\] width: no such setting"):
        colorize(tmp_path / "lab/run", tmp_path / "a.png", "-o", tmp_path / "out", "--model", model)
    model.write_text(
        text.replace("nn.Conv2d(config.width, 3, 1)", "nn.Conv2d(config.width, 3, 3, padding=1)")
    )
    with pytest.raises(
        RunError, match=r"is of another model: 3 of 4 tensors fit; of another shape: painter\.3\.weight"
    ):
        colorize(tmp_path / "lab/run", tmp_path / "a.png", "-o", tmp_path / "out", "--model", model)


@pytest.mark.parametrize(
    ("conditions", "option", "refused"),
    [
        (
            '["lineart"]',
            "--reference",
            "--reference: this model was trained with lineart, and would ignore it",
        ),
        ('["gray"]', "--reference", "--reference: this model was trained with gray, and would ignore it"),
        ('["gray"]', "--style", "--style: this model was trained with gray, and would ignore it"),
    ],
)
def test_what_a_model_would_ignore_is_refused(conditions, option, refused, dataset, tmp_path):
    settings = ("train.images=4", "train.validate_every=0", f"train.conditions={conditions}")
    trained(dataset, tmp_path / "run", settings)
    source = save(tmp_path / "x.png", drawing(5, 20, 20))
    given = save(tmp_path / "r.png", drawing(6, 20, 20)) if option == "--reference" else "ink"
    with pytest.raises(RecipeError, match=refused):
        colorize(tmp_path / "run", source, "-o", tmp_path / "out", option, given)
    assert not (tmp_path / "out").exists()
