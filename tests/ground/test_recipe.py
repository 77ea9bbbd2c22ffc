"""A recipe becomes a config, or an error that says where it went wrong and what was meant."""

import dataclasses
import hashlib
import json
from dataclasses import dataclass, field
from functools import reduce
from typing import Any, Literal

import pytest
import tomli_w
from hypothesis import given
from hypothesis import strategies as st

from anidata import pipeline, recipe, registry, workspace
from anidata.errors import RecipeError, UnknownPart
from anidata.recipe import Amount, Count, Positive, Share

MINE = "pipelines/mine.toml"


@dataclass(frozen=True)
class Inner:
    min_side: Count = 256
    max_aspect: Amount = 4.0
    share: Share = 0.5
    fit: Literal["pad", "crop"] = "pad"
    flips: bool = True
    where: str = ""
    styles: tuple[str, ...] = ("xdog",)
    splits: dict[str, float] = field(default_factory=lambda: {"train": 1.0})


@dataclass(frozen=True)
class Outer:
    clean: Inner = field(default_factory=Inner)
    workers: Positive = 1


def built(text: str, kind: type = pipeline.Recipe) -> Any:
    return recipe.build(kind, recipe.parse(text, MINE), MINE)


def refusal(text: str) -> str:
    with pytest.raises(RecipeError) as caught:
        built(text)
    assert caught.value.exit_code == 2
    return str(caught.value)


def settled(*settings: str) -> dict[str, Any]:
    return reduce(recipe.assigned, settings, {})


# --- unknown names --------------------------------------------------------------------------------


def test_an_unknown_setting_is_named_with_file_table_and_the_nearest_name():
    assert (
        refusal("[clean]\nmin_sid = 3")
        == "pipelines/mine.toml, [clean] min_sid: no such setting. Did you mean 'min_side'?"
    )


def test_an_unknown_setting_that_resembles_none_is_named_without_a_guess():
    assert refusal("[clean]\nqqqqq = 3") == "pipelines/mine.toml, [clean] qqqqq: no such setting."


def test_an_unknown_table_is_named_with_the_nearest():
    assert (
        refusal("[cleen]\nmin_side = 3")
        == "pipelines/mine.toml, [cleen]: no such table. Did you mean 'clean'?"
    )
    assert refusal("[clean.deep]\nx = 3") == "pipelines/mine.toml, [clean.deep]: no such table."


def test_an_unknown_setting_outside_of_any_table_is_named():
    assert (
        refusal("source = ['sample:']")
        == "pipelines/mine.toml, source: no such setting. Did you mean 'sources'?"
    )


def test_an_unknown_parameter_of_a_style_is_named_with_file_and_table():
    wrong = refusal("[lineart.style.xdog]\nsigm = 1")
    assert wrong == "pipelines/mine.toml, [lineart.style.xdog] sigm: no such setting. Did you mean 'sigma'?"


def test_an_unknown_style_names_the_nearest():
    with pytest.raises(UnknownPart, match="Did you mean 'xdog'"):
        built("[lineart]\nstyles = ['xdogg']")


# --- wrong values ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("[clean]\nmin_side = 'x'", "[clean] min_side: Expected a whole number, got text."),
        ("[clean]\nmin_side = 1.5", "[clean] min_side: Expected a whole number, got a number."),
        ("[clean]\nmin_side = true", "[clean] min_side: Expected a whole number, got true or false."),
        ("[dedup]\nflips = 1", "[dedup] flips: Expected true or false, got a whole number."),
        ("[clean]\nwhere = 3", "[clean] where: Expected text, got a whole number."),
        ("[lineart]\nstyles = 'xdog'", "[lineart] styles: Expected a list, got text."),
        ("[lineart]\nstyles = [1]", "[lineart] styles[0]: Expected text, got a whole number."),
        ("[shard.splits]\ntrain = 'a'", "[shard] splits: Expected a number, got text."),
        ("[lineart.style]\nxdog = 3", "[lineart] style: Expected a table, got a whole number."),
        ("[lineart.style.xdog]\nsigma = 'a'", "[lineart.style.xdog] sigma: Expected a number, got text."),
        ("clean = 3", "clean: Expected a table, got a whole number."),
        ("[[clean]]\nmin_side = 3", "clean: Expected a table, got a list."),
    ],
)
def test_a_value_of_the_wrong_type_is_named_with_its_place(text, complaint):
    assert refusal(text) == f"{MINE}, {complaint}"


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("[clean]\nmin_side = -1", "[clean] min_side: Expected a whole number >= 0."),
        ("[clean]\nmax_flatness = 1.01", "[clean] max_flatness: Expected a number <= 1.0."),
        ("[clean]\nmin_chroma = -0.1", "[clean] min_chroma: Expected a number >= 0.0."),
        ("[ingest]\nmax_bytes = 0", "[ingest] max_bytes: Expected a whole number >= 1."),
        (
            "[clean]\nmin_side = 9223372036854775808",
            "[clean] min_side: Expected a whole number <= 9223372036854775807.",
        ),
        ("[clean]\nmin_chroma = nan", "[clean] min_chroma: Expected a finite number."),
        ("[ingest]\ntime_limit = inf", "[ingest] time_limit: Expected a finite number."),
        ("[shard.splits]\ntrain = nan", "[shard.splits] train: Expected a finite number."),
        ("[lineart.style.xdog]\nsigma = nan", "[lineart.style.xdog] sigma: Expected a finite number."),
    ],
)
def test_a_value_out_of_range_is_named_with_its_bound(text, complaint):
    assert refusal(text) == f"{MINE}, {complaint}"


def test_a_word_that_is_none_of_the_choices_is_answered_with_them():
    assert (
        refusal("[lineart]\nfit = 'padd'")
        == f"{MINE}, [lineart] fit: 'padd' is none of pad, crop, bucket. Did you mean 'pad'?"
    )
    assert refusal("[lineart]\nfit = 'a - at `$.b`'").startswith(
        f"{MINE}, [lineart] fit: 'a - at `$.b`' is none of pad"
    )


def test_a_check_of_the_config_itself_is_told_with_the_file():
    assert refusal("[shard.splits]\ntrain = 0.5").startswith(f"{MINE}, [shard] splits: ")
    assert refusal("[lineart]\nstyles = []").startswith(f"{MINE}, [lineart] styles: ")


def test_a_whole_number_serves_where_a_number_is_expected():
    max_aspect = built("[clean]\nmax_aspect = 3").clean.max_aspect
    assert (max_aspect, type(max_aspect)) == (3.0, float)


# --- files ----------------------------------------------------------------------------------------


def test_bad_toml_is_told_with_file_and_line(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text("[clean]\nmin_side = 3\nmin_side = \n")
    with pytest.raises(RecipeError, match=r"mine\.toml: .*line 3"):
        recipe.read(path)


@pytest.mark.parametrize("content", [b"\xff\xfe\x00", None])
def test_a_file_that_is_no_text_or_not_there_is_told(tmp_path, content):
    path = tmp_path / "mine.toml"
    if content:
        path.write_bytes(content)
    with pytest.raises(RecipeError, match=r"mine\.toml: can't be read as text"):
        recipe.read(path)


# --- --set ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "document"),
    [
        ("clean.min_side=128", {"clean": {"min_side": 128}}),
        ("clean.min_side = 128", {"clean": {"min_side": 128}}),
        ("clean.min_chroma=.5", {"clean": {"min_chroma": 0.5}}),
        ("clean.min_chroma=-.5", {"clean": {"min_chroma": -0.5}}),
        ("clean.min_chroma=7.", {"clean": {"min_chroma": 7.0}}),
        ("clean.min_chroma=1e-3", {"clean": {"min_chroma": 0.001}}),
        ("dedup.flips=false", {"dedup": {"flips": False}}),
        ("lineart.fit=crop", {"lineart": {"fit": "crop"}}),
        ("lineart.fit='crop'", {"lineart": {"fit": "crop"}}),
        ('lineart.fit="crop"', {"lineart": {"fit": "crop"}}),
        ('lineart.styles=["xdog", "dog"]', {"lineart": {"styles": ["xdog", "dog"]}}),
        ("lineart.style.xdog.sigma=0.7", {"lineart": {"style": {"xdog": {"sigma": 0.7}}}}),
        (
            "clean.where=rating in ('g', 's') and width >= 3",
            {"clean": {"where": "rating in ('g', 's') and width >= 3"}},
        ),
        ("clean.where=rating = 'g'", {"clean": {"where": "rating = 'g'"}}),
        ("clean.where=", {"clean": {"where": ""}}),
        ("clean.where=1\nx=2", {"clean": {"where": "1\nx=2"}}),
        ("shard.splits={train = 0.9, val = 0.1}", {"shard": {"splits": {"train": 0.9, "val": 0.1}}}),
    ],
)
def test_a_setting_is_taken_as_toml_and_else_as_text(text, document):
    assert settled(text) == document


@pytest.mark.parametrize(
    "text", ["clean.min_side", "min_side=3", "=3", "clean.=3", ".min_side=3", "clean..x=3", ""]
)
def test_a_setting_without_stage_key_or_equals_sign_is_answered_with_an_example(text):
    with pytest.raises(RecipeError) as caught:
        settled(text)
    assert (
        str(caught.value)
        == f"--set {text}: write it as stage.key=value, for example --set clean.min_side=128"
    )


def test_settings_change_what_they_name_and_nothing_else():
    before = {"clean": {"min_side": 1, "where": "a"}, "sources": ["x"]}
    after = recipe.assigned(before, "clean.min_side=2")
    assert after == {"clean": {"min_side": 2, "where": "a"}, "sources": ["x"]}
    assert before == {"clean": {"min_side": 1, "where": "a"}, "sources": ["x"]}


def test_of_two_settings_of_one_key_the_later_wins():
    assert settled("clean.min_side=1", "clean.min_side=2") == {"clean": {"min_side": 2}}


# --- there and back -------------------------------------------------------------------------------

finite = st.floats(0, 1e300)
words = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
inner = st.builds(
    Inner,
    min_side=st.integers(0, 2**63 - 1),
    max_aspect=finite,
    share=st.floats(0, 1),
    fit=st.sampled_from(["pad", "crop"]),
    flips=st.booleans(),
    where=words,
    styles=st.lists(words, max_size=3).map(tuple),
    splits=st.dictionaries(words, st.floats(-1e300, 1e300), max_size=3),
)


@given(st.builds(Outer, clean=inner, workers=st.integers(1, 9)))
def test_a_dumped_config_is_built_again_as_it_was(config):
    assert recipe.build(Outer, recipe.parse(recipe.dump(config), MINE), MINE) == config


def test_the_whole_recipe_is_built_again_as_it_was_with_all_values_visible():
    text = recipe.dump(pipeline.Recipe())
    assert built(text) == pipeline.Recipe()
    document = recipe.parse(text, MINE)
    for name in ("ingest", "clean", "dedup", "lineart", "shard"):
        kind = type(getattr(pipeline.Recipe(), name))
        assert set(document[name]) == {f.name for f in dataclasses.fields(kind)}


@pytest.mark.parametrize("text", ["", "[clean]\nmin_side = 256", "[lineart]\nsize = 512\n[shard]\nseed = 0"])
def test_what_a_recipe_leaves_out_is_visible_and_tells_in_its_fingerprint(text):
    """Else a run is out of date as soon as a default is spelled out.

    And up to date when the default has changed.
    """
    assert recipe.document_of(built(text)) == recipe.document_of(pipeline.Recipe())
    assert recipe.dump(built(text)) == recipe.dump(pipeline.Recipe())
    assert recipe.fingerprint(built(text)) == recipe.fingerprint(pipeline.Recipe())


@given(inner, inner)
def test_fingerprints_are_equal_where_configs_are(one, other):
    assert recipe.fingerprint(one) == recipe.fingerprint(dataclasses.replace(one))
    assert (recipe.fingerprint(one) == recipe.fingerprint(other)) == (
        json.dumps(dataclasses.asdict(one), sort_keys=True)
        == json.dumps(dataclasses.asdict(other), sort_keys=True)
    )


def test_a_fingerprint_is_the_digest_of_sorted_json():
    written = b'[1,["a"],{"clean":{"fit":"pad"},"workers":1}]'
    assert (
        recipe.fingerprint(1, ["a"], {"workers": 1, "clean": {"fit": "pad"}})
        == hashlib.sha256(written).hexdigest()[:16]
    )


def test_a_fingerprint_does_not_depend_on_the_order_of_a_table():
    assert recipe.fingerprint({"a": 1, "b": 2}) == recipe.fingerprint({"b": 2, "a": 1})
    assert recipe.fingerprint("a", "b") != recipe.fingerprint("ab")
    assert recipe.fingerprint(["a"], "b") != recipe.fingerprint("a", ["b"])


# --- layers ---------------------------------------------------------------------------------------


@pytest.fixture
def work(tmp_path):
    return workspace.create(tmp_path / "work")


def test_without_any_recipe_the_defaults_hold(work):
    assert pipeline.resolve(work, None, ()) == pipeline.resolve(None, None, ()) == pipeline.Recipe()


def test_the_last_recipe_wins_over_the_defaults_and_a_setting_over_both(work):
    work.remember(recipe.dump(pipeline.resolve(work, None, ["clean.min_side=99", "dedup.max_distance=3"])))
    again = pipeline.resolve(work, None, ["clean.min_side=11"])
    assert (again.clean.min_side, again.dedup.max_distance) == (11, 3)
    assert again.clean.max_aspect == pipeline.Recipe().clean.max_aspect


def test_a_named_recipe_stands_in_the_place_of_the_last_one(work, tmp_path):
    work.remember_settings({"by_hand": {}, "beneath": {}})
    work.remember(recipe.dump(pipeline.resolve(work, None, ["clean.min_side=99", "dedup.max_distance=3"])))
    (tmp_path / "mine.toml").write_text("[clean]\nmin_side = 55\n")
    resolved = pipeline.resolve(work, str(tmp_path / "mine.toml"), ())
    assert resolved.clean.min_side == 55
    assert resolved.dedup.max_distance == pipeline.Recipe().dedup.max_distance


def test_sources_of_the_command_line_replace_the_recipes(work):
    mine = work.path.parent / "mine.toml"
    mine.write_text('sources = ["sample:"]')
    assert pipeline.resolve(work, str(mine), ()).sources == ("sample:",)
    assert pipeline.resolve(work, str(mine), (), ["/a", "/b"]).sources == ("/a", "/b")


def test_every_recipe_of_the_registry_resolves():
    for name in registry.names("pipelines"):
        pipeline.resolve(None, name, ())


def test_a_wrong_setting_is_told_as_such():
    with pytest.raises(
        RecipeError, match=r"^--set, \[clean\] min_sid: no such setting. Did you mean 'min_side'\?$"
    ):
        pipeline.resolve(None, None, ["clean.min_sid=3"])


def test_a_remembered_recipe_that_was_spoiled_is_told_with_its_file(work):
    work.recipe_file.write_text(tomli_w.dumps({"clean": {"min_sid": 3}}))
    with pytest.raises(RecipeError, match=r"recipe\.toml, \[clean\] min_sid: no such setting"):
        pipeline.resolve(work, None, ())


@pytest.mark.parametrize(
    ("settings", "splits"),
    [
        (["shard.splits.test=.1"], {"train": 0.8, "val": 0.1, "test": 0.1}),
        (["shard.splits.test=0.3"], {"train": 0.6, "val": 0.1, "test": 0.3}),
        (["shard.splits.test=0", "shard.splits.val=0"], {"train": 1.0, "val": 0.0, "test": 0.0}),
        (["shard.splits.train=0.5"], {"train": 0.5, "val": 0.4, "test": 0.1}),
        (["shard.splits.extra=0.2"], {"train": 0.6, "val": 0.1, "test": 0.1, "extra": 0.2}),
        (["shard.splits={train = 0.9, val = 0.1}"], {"train": 0.9, "val": 0.1}),
    ],
)
def test_a_split_that_is_set_takes_from_the_first_that_is_not(settings, splits):
    assert pipeline.resolve(None, None, settings).shard.splits == pytest.approx(splits)


@pytest.mark.parametrize(
    "settings",
    [
        ["shard.splits.test=1.5"],
        ["shard.splits.test=a"],
        ["shard.splits.train=0.5", "shard.splits.val=0.1", "shard.splits.test=0.1"],
    ],
)
def test_splits_that_cannot_sum_to_one_are_refused(settings):
    with pytest.raises(RecipeError, match=r"^--set, \[shard\] splits: "):
        pipeline.resolve(None, None, settings)


@pytest.mark.parametrize("word", ["crop", "Crop", "CROP"])
def test_a_choice_is_taken_in_any_case_and_kept_as_it_is_named(word: str) -> None:
    config = recipe.build(Outer, {"clean": {"fit": word, "where": word}}, MINE)
    assert (config.clean.fit, config.clean.where) == ("crop", word)
