"""Model files are looked up, loaded and configured; what is wrong with one is told with a remedy."""

import sys

import pytest

from anidata.errors import MissingExtra, RecipeError, UnknownPart
from anidata.training import models

MINE = '''"""Mine."""
from dataclasses import dataclass

@dataclass(frozen=True)
class Config:
    condition: int = 1
    size: int = 256
    wide: "int" = 3  # an annotation that is looked up in the module

PRESETS = {"default": Config()}

def build(config):
    return config
'''


def test_a_model_file_is_loaded_by_its_path(tmp_path):
    (tmp_path / "mine.py").write_text(MINE)
    module = models.load(str(tmp_path / "mine.py"))
    config = models.build(module, "default", {"wide": 5}, condition=4, size=64)
    assert (config.wide, config.condition, config.size) == (5, 4, 64)


def test_a_file_that_was_changed_is_loaded_as_it_is_now(tmp_path):
    path = tmp_path / "mine.py"
    path.write_text(MINE)
    models.load(str(path))
    path.write_text(MINE.replace("= 3", "= 77"))
    assert models.load(str(path)).PRESETS["default"].wide == 77


def test_two_files_of_one_name_are_two_modules(tmp_path):
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "mine.py").write_text(MINE.replace("Mine", folder))
    loaded = [models.load(str(tmp_path / folder / "mine.py")) for folder in ("a", "b")]
    assert [m.__doc__ for m in loaded] == ["a.", "b."]
    assert len({m.__name__ for m in loaded} & set(sys.modules)) == 2


def test_a_file_that_is_no_model_is_told_what_it_lacks(tmp_path):
    (tmp_path / "mine.py").write_text("PRESETS = {}\n")
    lacking = r"a model file has Config, PRESETS, build; this one lacks Config, build"
    with pytest.raises(UnknownPart, match=rf"mine\.py: {lacking}\. Copy models/autoencoder\.py"):
        models.load(str(tmp_path / "mine.py"))


@pytest.mark.parametrize(
    ("package", "remedy"),
    [("no_such_package.inner", "no_such_package"), ("diffusers", "'anidata\\[train\\]'")],
)
def test_what_a_model_file_imports_may_be_missing(tmp_path, monkeypatch, package, remedy):
    (tmp_path / "mine.py").write_text(f"import {package}\n")
    monkeypatch.setitem(sys.modules, package, None)
    missing = rf"mine\.py needs {package.split('.')[0]}, which isn't installed"
    with pytest.raises(MissingExtra, match=rf"{missing}\. Install it with: pip install {remedy}$"):
        models.load(str(tmp_path / "mine.py"))


def test_a_mistake_in_a_model_file_is_shown_as_it_is(tmp_path):
    (tmp_path / "mine.py").write_text("1 / 0\n")
    with pytest.raises(ZeroDivisionError):
        models.load(str(tmp_path / "mine.py"))


def test_an_unknown_model_names_the_nearest():
    message = r"models: there is no 'autoencoderr'\. Did you mean 'autoencoder'\?"
    with pytest.raises(UnknownPart, match=message):
        models.load("autoencoderr")


@pytest.mark.parametrize(
    ("preset", "settings", "message"),
    [
        (
            "large",
            {"chanels": [8]},
            r"gan\.py, \[model\] chanels: no such setting\. Did you mean 'channels'\?",
        ),
        (
            "default",
            {"loss": {"l3": 1}},
            r"gan\.py, \[model\], \[loss\] l3: no such setting|\[model\.loss\]|loss\] l3: no such setting",
        ),
        ("default", {"lr": "fast"}, r"gan\.py, \[model\] lr: Expected a number, got text"),
        ("default", {"lr": -1.0}, r"gan\.py, \[model\] lr: Expected a number >= 0"),
        ("default", {"channels": []}, r"gan\.py, \[model\] channels: Expected a list of length >= 1"),
        (
            "default",
            {"adversarial": "hing"},
            r"'hing' is none of hinge, vanilla, lsgan\. Did you mean 'hinge'\?",
        ),
        (
            "default",
            {"size": 64},
            r"gan\.py, \[model\] size: follows from the training\. Set train\.size instead",
        ),
        ("default", {"condition": 3}, r"Set train\.conditions instead"),
    ],
)
def test_a_wrong_setting_is_told_with_its_place(preset, settings, message):
    with pytest.raises(RecipeError, match=message):
        models.configure(models.load("gan"), preset, settings, 1, 64)


def test_an_unknown_preset_names_the_nearest():
    message = r"gan\.py: there is no preset 'pix2pics'\. Did you mean 'pix2pix'\? There are: default, "
    with pytest.raises(UnknownPart, match=message):
        models.configure(models.load("gan"), "pix2pics", {}, 1, 64)


def test_settings_change_a_preset_and_no_more():
    module = models.load("gan")
    config = models.configure(module, "pix2pix", {"loss": {"gradient": 3.0}}, 4, 128)
    assert (config.loss.l1, config.loss.gradient) == (100.0, 3.0)
    assert (config.condition, config.size, config.adversarial) == (4, 128, "vanilla")
