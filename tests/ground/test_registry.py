"""A folder is a registry, and a file's name is the plugin's name."""

from pathlib import Path

import pytest

import anidata
from anidata import registry
from anidata.errors import UnknownPart

FOLDERS = {"sources": "sources", "measures": "measures", "styles": "lineart/styles"}
CHECKOUT = Path(anidata.__file__).parents[2]


@pytest.mark.parametrize("kind", FOLDERS)
def test_every_file_of_a_registry_is_a_plugin_but_those_that_begin_with_an_underscore(kind):
    files = {p.stem for p in (Path(anidata.__file__).parent / FOLDERS[kind]).iterdir() if p.suffix == ".py"}
    assert set(registry.names(kind)) == {name for name in files if not name.startswith("_")}
    assert list(registry.names(kind)) == sorted(registry.names(kind))


@pytest.mark.parametrize("kind", FOLDERS)
def test_every_plugin_loads_and_has_a_title_of_one_line(kind):
    for name in registry.names(kind):
        plugin = registry.load(kind, name)
        assert plugin.__name__ == f"anidata.{FOLDERS[kind].replace('/', '.')}.{name}"
        assert registry.title(plugin)
        assert "\n" not in registry.title(plugin)


def test_an_unknown_plugin_names_the_nearest_and_all_there_are():
    with pytest.raises(UnknownPart) as caught:
        registry.load("styles", "xdogg")
    assert str(caught.value).startswith(
        "styles: there is no 'xdogg'. Did you mean 'xdog'? There are: adaptive, anime, canny, "
    )
    assert caught.value.exit_code == 2


@pytest.mark.parametrize("name", ["_gauss", "__init__", "../stages/clean", "", "zzzzzz"])
def test_what_is_no_plugin_is_not_loaded(name):
    with pytest.raises(UnknownPart, match=r"^styles: there is no '"):
        registry.load("styles", name)


def test_recipes_are_found_in_the_checkout():
    if not (CHECKOUT / "pyproject.toml").is_file():
        pytest.skip("this is no checkout")
    assert "quickstart" in registry.names("pipelines")
    assert registry.find("pipelines", "quickstart") == CHECKOUT / "pipelines/quickstart.toml"


def test_a_recipe_is_found_by_its_path(tmp_path, monkeypatch):
    (tmp_path / "mine.toml").write_text("")
    monkeypatch.chdir(tmp_path)
    assert registry.find("pipelines", "mine.toml") == Path("mine.toml")
    assert registry.find("pipelines", str(tmp_path / "mine.toml")) == tmp_path / "mine.toml"


@pytest.mark.parametrize("name", ["quikstart", "quikstart.toml", "folder.toml", "mine.txt"])
def test_a_recipe_that_is_neither_name_nor_file_names_the_nearest(tmp_path, monkeypatch, name):
    (tmp_path / "folder.toml").mkdir()
    (tmp_path / "mine.txt").write_text("")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UnknownPart) as caught:
        registry.find("pipelines", name)
    assert str(caught.value).startswith(f"pipelines: there is no '{name}'.")
    assert ("Did you mean 'quickstart'?" in str(caught.value)) == name.startswith("quik")


def test_a_name_of_the_registry_is_not_hidden_by_a_file_of_that_name(tmp_path, monkeypatch):
    (tmp_path / "quickstart").write_text("not a recipe")
    monkeypatch.chdir(tmp_path)
    assert registry.find("pipelines", "quickstart").suffix == ".toml"


def test_every_test_file_has_tests():
    empty = [
        path.name
        for path in Path(__file__).parents[1].rglob("test_*.py")
        if "def test_" not in path.read_text(encoding="utf-8")
    ]
    assert empty == []
