"""A run from elsewhere starts no program: a model file is executed once the user has named it."""

import py_compile
import shutil
import stat

import pytest
from typer.testing import CliRunner

import anidata.cli.entry
from anidata import registry
from anidata.errors import RecipeError, RunError
from anidata.training import models
from drawings import drawing, save
from training_lab import TINY
from training_lab import run as trained

EVIL = "from pathlib import Path\nPath({!r}).touch()\n"


@pytest.fixture(scope="module")
def made(dataset, tmp_path_factory):
    """A run of a model file of one's own, and that file beside it."""
    folder = tmp_path_factory.mktemp("made")
    shutil.copy(TINY, folder / "mine.py")
    trained(dataset, folder / "run", ("train.images=8", "train.validate_every=0"), model=folder / "mine.py")
    return folder


@pytest.fixture
def picture(tmp_path):
    save(tmp_path / "in/a.png", drawing(1, 16, 16))
    return tmp_path / "in/a.png"


@pytest.fixture
def stranger(tmp_path, monkeypatch):
    """Nothing is trusted: the machine of somebody who was given the run."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))


def colorize(run, picture, *more):
    words = ["colorize", run, picture, "-o", picture.parent.parent / "out", "--device", "cpu", *more]
    done = CliRunner().invoke(anidata.cli.entry.app, [str(word) for word in words])
    if done.exception and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done.exit_code


def planted(made, tmp_path, monkeypatch, where):
    """A copy of the run with a program in it that its recipe names, and the sign that it has run."""
    run, sign = tmp_path / "foreign", tmp_path / "has run"
    shutil.copytree(made / "run", run)
    evil = {"inside": run / "model.py", "beside": tmp_path / "model.py", "relative": tmp_path / "m.py"}[where]
    evil.write_text(EVIL.format(str(sign)) + TINY.read_text())
    monkeypatch.chdir(tmp_path)
    named = "m.py" if where == "relative" else str(evil)
    recipe = (run / "recipe.toml").read_text()
    assert str(made / "mine.py") in recipe
    (run / "recipe.toml").write_text(recipe.replace(str(made / "mine.py"), named))
    return run, sign, named


def test_ones_own_run_is_used_without_naming_its_model_again(made, picture):
    assert colorize(made / "run", picture) == 0
    assert (picture.parent.parent / "out/a.png").exists()


@pytest.mark.parametrize("where", ["inside", "beside", "relative"])
def test_a_program_that_a_run_names_is_not_started(made, picture, tmp_path, monkeypatch, where):
    run, sign, named = planted(made, tmp_path, monkeypatch, where)
    with pytest.raises(RunError) as caught:
        colorize(run, picture)
    assert not sign.exists()
    assert f"{run} names a model file, {named}, which nobody has trained with here" in str(caught.value)
    assert str(caught.value).endswith(f"anidata colorize {run} IMAGE -o DIR --model {named}")
    assert caught.value.exit_code == 3


@pytest.mark.parametrize("where", ["inside", "beside", "relative"])
def test_it_is_once_the_user_names_it_and_known_from_then_on(made, picture, tmp_path, monkeypatch, where):
    run, sign, named = planted(made, tmp_path, monkeypatch, where)
    assert colorize(run, picture, "--model", named) == 0
    assert sign.exists()
    sign.unlink()
    assert colorize(run, picture, "--overwrite", "--seed", "2") == 0
    assert sign.exists()


def test_a_run_is_refused_where_its_model_is_unknown_or_gone(made, picture, stranger, tmp_path):
    with pytest.raises(RunError, match="which nobody has trained with here as it stands"):
        colorize(made / "run", picture)
    shutil.copytree(made / "run", tmp_path / "moved")
    recipe = (tmp_path / "moved/recipe.toml").read_text().replace("mine.py", "gone.py")
    (tmp_path / "moved/recipe.toml").write_text(recipe)
    with pytest.raises(RunError, match=r"gone\.py, which can't be read here"):
        colorize(tmp_path / "moved", picture)
    assert colorize(tmp_path / "moved", picture, "--model", made / "mine.py") == 0


def test_a_model_file_that_has_changed_is_named_again(made, picture, tmp_path, monkeypatch):
    run, sign, named = planted(made, tmp_path, monkeypatch, "beside")
    assert colorize(run, picture, "--model", named) == 0
    sign.unlink()
    with (tmp_path / "model.py").open("a") as file:
        file.write("# changed\n")
    with pytest.raises(RunError, match="as it stands"):
        colorize(run, picture, "--seed", "3")
    assert not sign.exists()


def test_what_lies_in_pycache_is_never_executed_in_a_trusted_files_place(tmp_path):
    path, sign = tmp_path / "mine.py", tmp_path / "has run"
    text = TINY.read_text()
    evil = EVIL.format(str(sign)) + text
    path.write_text(evil)
    py_compile.compile(str(path), invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH)
    path.write_text(text)
    assert models.load(str(path)).PRESETS
    assert models.load_of(tmp_path, str(path)).PRESETS
    assert not sign.exists()


def test_no_name_of_a_shelf_leads_to_a_file(tmp_path, monkeypatch, stranger):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "gan").write_text("1 / 0")
    (tmp_path / "gan.py").write_text("1 / 0")
    assert models.load_of(tmp_path, "gan").__file__ == str(registry.find("models", "gan"))
    for name in ("../models/gan", "gan.py", "__init__", "os", "tests.labs.tiny_model", "", "a\0b"):
        with pytest.raises(RunError):
            models.load_of(tmp_path, name)


def test_what_is_trusted_is_remembered_for_the_user_alone(made, stranger, tmp_path):
    models.load(str(made / "mine.py"))
    paths = sorted((tmp_path / "state").rglob("*"))
    assert [p.relative_to(tmp_path / "state").parts[:2] for p in paths if p.is_file()] == [
        ("anidata", "models")
    ]
    for path in paths:
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600)


def test_a_state_folder_into_which_others_may_write_is_not_believed(made, picture, stranger, tmp_path):
    assert colorize(made / "run", picture, "--model", made / "mine.py") == 0
    (tmp_path / "state/anidata/models").chmod(0o777)
    with pytest.raises(RunError):
        colorize(made / "run", picture, "--seed", "4")


def test_without_a_home_a_model_of_ones_own_still_trains_and_is_named_again(made, tmp_path, monkeypatch):
    (tmp_path / "no folder").write_text("")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "no folder"))
    assert models.load(str(made / "mine.py")).PRESETS
    with pytest.raises(RunError, match="--model"):
        models.load_of(made / "run", str(made / "mine.py"))


def test_settings_of_another_model_are_still_told_by_name(made, picture):
    with pytest.raises(RecipeError, match="no such setting"):
        colorize(made / "run", picture, "--model", registry.find("models", "gan"), "--seed", "5")
