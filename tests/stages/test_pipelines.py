"""The recipes on the shelf: they resolve, the first is the defaults themselves, and each says what it is."""

import pytest

from anidata import pipeline, recipe, registry


def test_quickstart_shows_every_default():
    assert pipeline.resolve(None, "quickstart", ()) == pipeline.Recipe()
    shown = recipe.read(registry.find("pipelines", "quickstart"))
    assert _keys(shown) == _keys(recipe.document_of(pipeline.Recipe()))


def test_every_setting_of_quickstart_has_a_comment():
    lines = (
        registry.find("pipelines", "quickstart")
        .read_text(encoding="utf-8")
        .split("[shard.splits]")[0]
        .splitlines()
    )
    assert [line for line in lines if "=" in line.split("#")[0] and "#" not in line] == []


@pytest.mark.parametrize("name", registry.names("pipelines"))
def test_a_recipe_resolves_and_says_what_it_is(name):
    assert pipeline.resolve(None, name, ())
    assert registry.find("pipelines", name).read_text(encoding="utf-8").startswith("# ")


def _keys(document, path=""):
    return {f"{path}{k}" for k in document} | {
        n for k, v in document.items() if isinstance(v, dict) for n in _keys(v, f"{path}{k}.")
    }
