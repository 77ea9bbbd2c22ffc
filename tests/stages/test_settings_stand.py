"""A workspace's own sources, settings and limit stand until it is told otherwise; every change is said."""

import importlib
import json
import os
import shutil

import pytest
from typer.testing import CliRunner

import anidata.cli.entry
from anidata import pipeline, recipe, workspace
from anidata.errors import RecipeError, SourceError
from drawings import drawing, make_pile, save

SMALL = ("--set", "lineart.size=64")


@pytest.fixture
def run(inline):
    """Run a command: its JSON, and what it says on stderr."""

    def run(*words):
        done = CliRunner().invoke(anidata.cli.entry.app, [*map(str, words), "--json"])
        if done.exception and not isinstance(done.exception, SystemExit):
            raise done.exception
        assert done.exit_code == 0, done.output
        return json.loads(done.stdout), done.stderr

    return run


@pytest.fixture
def work(tmp_path, run):
    """A workspace of a few pictures."""
    for n in range(4):
        save(tmp_path / "pile" / f"{n}.png", drawing(n))
    run("run", "quickstart", tmp_path / "work", tmp_path / "pile", *SMALL)
    return tmp_path / "work"


def settings_of(work):
    return recipe.read(work / "recipe.toml")


def is_idle(result):
    return not any(result["done"].values())


def write(path, text):
    path.write_text(text)
    return path


# --- sources -------------------------------------------------------------------------------------


def test_a_run_without_a_source_goes_on_with_the_workspaces(work, run, tmp_path):
    save(tmp_path / "pile/new.png", drawing(9))
    result, said = run("run", "quickstart", work)
    assert result["funnel"]["found"] == 5
    assert settings_of(work)["sources"] == [str(tmp_path / "pile")]
    assert "sources" not in said


@pytest.mark.parametrize("others", [["sample:"], ["other"], ["sample:", "other"]])
def test_the_sources_of_a_recipe_do_not_join_a_set_that_has_its_own(work, run, tmp_path, others):
    save(tmp_path / "other/x.png", drawing(30))
    mine = write(tmp_path / "mine.toml", f"sources = {json.dumps(others)}\n")
    for words in (("run", mine, work), ("clean", work, "--recipe", mine), ("run", mine, work)):
        result, said = run(*words)
        assert result["funnel"]["found"] == 4
        assert f"sources {tmp_path / 'pile'} stays, as the workspace has them" in said
    assert settings_of(work)["sources"] == [str(tmp_path / "pile")]


def test_sources_that_are_replaced_are_told(work, run, tmp_path):
    save(tmp_path / "other/x.png", drawing(30))
    _, said = run("run", "quickstart", work, tmp_path / "other")
    assert f"sources {tmp_path / 'pile'} → {tmp_path / 'other'}" in said
    run("ingest", work, tmp_path / "pile", "--recipe", "quickstart")
    assert settings_of(work)["sources"] == [str(tmp_path / "other"), str(tmp_path / "pile")]


@pytest.mark.parametrize("name", ["quickstart", "colorize-512"])
def test_a_recipe_without_sources_asks_for_them_and_leaves_no_folder(tmp_path, command, name):
    new = tmp_path / "my set"
    with pytest.raises(SourceError) as caught:
        command("run", name, new)
    assert caught.value.exit_code == 2
    assert f"anidata run {name} '{new}' sample: for the bundled art" in str(caught.value)
    assert f"anidata run {name} '{new}' FOLDER " in str(caught.value)
    assert not new.exists()


def test_a_workspace_that_has_no_sources_yet_is_asked_too(tmp_path, command):
    workspace.create(tmp_path / "work")
    with pytest.raises(SourceError, match="names no sources"):
        command("run", "quickstart", tmp_path / "work")


# --- settings ------------------------------------------------------------------------------------

BY_HAND = {
    "--set": (("clean", "--set", "clean.min_side=40"), "clean.min_side", 40),
    "as the recipe has it": (("clean", "--set", "clean.min_side=256"), "clean.min_side", 256),
    "--size": (("extract-lineart", "--size", 72), "lineart.size", 72),
    "--style": (("extract-lineart", "--style", "xdog"), "lineart.styles", ["xdog"]),
    "--fit": (("extract-lineart", "--fit", "crop"), "lineart.fit", "crop"),
    "--url-column": (("ingest", "--url-column", "where"), "ingest.url_column", "where"),
    "--allow-private": (("ingest", "--allow-private"), "ingest.fetch.allow_private", True),
    "a split": (
        ("shard", "--set", "shard.splits.test=.3"),
        "shard.splits",
        {"train": 0.6, "val": 0.1, "test": 0.3},
    ),
    "a style's": (
        ("extract-lineart", "--set", "lineart.style.xdog.sigma=0.7"),
        "lineart.style.xdog.sigma",
        0.7,
    ),
}
OTHER = """
[ingest]
url_column = "address"
[clean]
min_side = 30
max_aspect = 3.5
[lineart]
styles = ["dog"]
size = 80
fit = "bucket"
[lineart.style.xdog]
sigma = 0.9
[shard.splits]
train = 0.5
val = 0.5
"""


def value_at(work, name):
    value = settings_of(work)
    for key in name.split("."):
        value = value[key]
    return value


@pytest.mark.parametrize("how", BY_HAND)
def test_what_is_set_by_hand_stands_over_every_recipe_until_reset(work, run, tmp_path, how):
    (command, *words), name, value = BY_HAND[how]
    other = write(tmp_path / "other.toml", OTHER)
    run(command, work, *words)
    for named in ("quickstart", other, "colorize-512", other):
        result, said = run("clean", work, "--recipe", named)
        assert value_at(work, name) == value
    assert " stays, set by hand" in said
    [entry] = [entry for entry in result["settings"] if entry["setting"] == name]
    assert (entry["before"], entry["after"], entry["why"]) == (value, value, "set by hand")
    own = pipeline._leaves(pipeline.resolve(None, str(other), ()))[tuple(name.split("."))]
    run("clean", work, "--reset")
    assert value_at(work, name) == (list(own) if isinstance(own, tuple) else own) != value


def test_tuned_thresholds_survive_the_recipe_and_the_line_says_what_stays_and_what_changes(
    work, run, tmp_path
):
    run("clean", work, "--set", "clean.min_side=450")
    result, said = run("run", "quickstart", work)
    assert is_idle(result)
    assert said.strip() == (
        "min_side 450 stays, set by hand; size 64 stays, set by hand (--reset: by the recipe alone)"
    )
    other = write(tmp_path / "other.toml", "[clean]\nmin_side = 450\nmax_aspect = 3\n")
    result, said = run("clean", work, "--recipe", other)
    assert said.strip() == ("max_aspect 4.0 → 3.0; size 64 stays, set by hand (--reset: by the recipe alone)")
    assert result["settings"] == [
        {"setting": "clean.max_aspect", "before": 4.0, "after": 3.0, "recipe": 3.0, "why": ""},
        {"setting": "lineart.size", "before": 64, "after": 64, "recipe": 512, "why": "set by hand"},
    ]
    assert run("clean", work) == ({**result, "done": {}, "settings": []}, "")


def test_a_name_that_two_stages_have_is_told_with_its_stage(work, run):
    _, said = run("clean", work, "--set", "lineart.seed=3", "--set", "shard.seed=4")
    assert said.strip() == "lineart.seed 0 → 3; shard.seed 0 → 4"


def test_reset_and_set_in_one_command_leave_what_is_set_now(work, run):
    run("clean", work, "--set", "clean.min_side=40", "--set", "clean.max_aspect=3")
    _, said = run("run", "quickstart", work, "--reset", *SMALL)
    assert said.strip() == "min_side 40 → 256; max_aspect 3.0 → 4.0"
    assert recipe.read(work / "settings.toml")["by_hand"] == {"lineart": {"size": 64}}


def test_what_is_only_looked_at_is_not_remembered(work, run):
    before = (work / "settings.toml").read_bytes(), (work / "recipe.toml").read_bytes()
    run("clean", work, "--sweep", "min_side", "--set", "clean.min_side=40")
    assert ((work / "settings.toml").read_bytes(), (work / "recipe.toml").read_bytes()) == before


@pytest.mark.parametrize("size", [64, 512])
@pytest.mark.parametrize("how", ["same recipe", "no recipe", "another recipe"])
def test_a_workspace_of_an_older_version_goes_on_without_redoing_anything(work, run, tmp_path, how, size):
    run("run", "quickstart", work, "--set", "clean.min_side=40", "--set", f"lineart.size={size}")
    (work / "settings.toml").unlink()
    other = write(tmp_path / "other.toml", OTHER)
    words = {
        "same recipe": ("run", "quickstart", work),
        "no recipe": ("extract-lineart", work),
        "another recipe": ("run", other, work),
    }[how]
    result, said = run(*words)
    assert is_idle(result)
    assert ("min_side 40 stays, as this workspace had it" in said) == (how != "no recipe")
    assert (work / "settings.toml").exists()
    assert recipe.read(work / "settings.toml")["by_hand"] == {}
    for _ in range(2):
        result, said = run("run", "quickstart", work)
        assert is_idle(result)
        assert "min_side 40 stays, as this workspace had it" in said
        assert "by hand" not in said
    result, said = run("run", "quickstart", work, "--reset")
    assert "min_side 40 → 256" in said


def older(work, run, *words):
    """Make the workspace one of an older version, whose settings were tuned then."""
    run("run", "quickstart", work, *words)
    (work / "settings.toml").unlink()


def test_what_is_set_by_hand_in_a_workspace_of_an_older_version_alone_is_called_so(work, run):
    older(work, run, "--set", "clean.min_side=40", "--set", "clean.max_aspect=3")
    run("clean", work, "--set", "clean.max_aspect=3.5")
    assert recipe.read(work / "settings.toml")["by_hand"] == {"clean": {"max_aspect": 3.5}}
    for _ in range(2):
        _, said = run("run", "quickstart", work)
        assert "min_side 40 stays, as this workspace had it" in said
        assert "max_aspect 3.5 stays, set by hand" in said
    _, said = run("clean", work, "--set", "clean.min_side=40")
    _, said = run("run", "quickstart", work)
    assert "min_side 40 stays, set by hand" in said


def test_whether_commands_without_a_recipe_came_first_changes_nothing(work, run, tmp_path):
    other = write(tmp_path / "other.toml", OTHER)
    run("run", other, work, "--set", "clean.max_aspect=4.0")  # as quickstart has it, and not its recipe
    (work / "settings.toml").unlink()
    kept = tmp_path / "kept"
    shutil.copytree(work, kept)
    ends = []
    for first in ([], [("clean", work)], [("clean", work), ("shard", work)]):
        shutil.rmtree(work)
        shutil.copytree(kept, work)
        for words in first:
            run(*words)
        _, said = run("run", other, work)
        ends.append((said, settings_of(work), recipe.read(work / "settings.toml")))
    assert ends[0] == ends[1] == ends[2]
    assert "max_aspect 4.0 stays, as this workspace had it" in ends[0][0]
    assert ends[0][2]["older"]["clean"] == {"max_aspect": 4.0}


def test_what_no_recipe_is_known_of_is_left_as_it_is_by_reset(work, run):
    older(work, run, "--set", "clean.min_side=40")
    run("clean", work, "--set", "clean.min_side=50")
    _, said = run("clean", work, "--reset")
    assert said.strip() == "min_side 50 → 40"
    assert is_idle(run("extract-lineart", work)[0])


def test_an_edit_of_the_remembered_recipe_of_an_older_version_holds(work, run):
    older(work, run)
    run("clean", work)
    text = (work / "recipe.toml").read_text()
    (work / "recipe.toml").write_text(text.replace("max_aspect = 4.0", "max_aspect = 2.5"))
    run("clean", work)
    run("clean", work)
    assert value_at(work, "clean.max_aspect") == 2.5


def test_a_recipe_that_agrees_once_does_not_end_what_stood_over_another(work, run, tmp_path):
    older(work, run, "--set", "clean.min_side=40")
    agreeing = write(tmp_path / "agreeing.toml", "[clean]\nmin_side = 40\n")
    for named in ("quickstart", agreeing, agreeing, "quickstart"):
        _, said = run("run", named, work)
        assert value_at(work, "clean.min_side") == 40
    assert "min_side 40 stays, as this workspace had it" in said


def test_settings_that_this_version_does_not_know_are_told_with_their_file_and_can_be_reset(work, run):
    write(work / "settings.toml", "[by_hand.clean]\nmin_sid = 3\n[beneath]\n")
    with pytest.raises(RecipeError, match=r"settings\.toml, \[clean\] min_sid: no such setting"):
        run("clean", work)
    run("clean", work, "--reset")
    assert recipe.read(work / "settings.toml")["by_hand"] == {}


def test_an_edit_of_the_remembered_recipe_holds(work, run):
    text = (work / "recipe.toml").read_text()
    (work / "recipe.toml").write_text(text.replace("max_aspect = 4.0", "max_aspect = 2.5"))
    run("clean", work)
    assert value_at(work, "clean.max_aspect") == 2.5


# --- relative paths ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("typed", "whole"),
    [
        ("pics", "{home}/pics"),
        ("./pics/", "{home}/pics"),
        ("../elsewhere", "{top}/elsewhere"),
        ("folder:pics", "folder:{home}/pics"),
        ("urls:list.csv", "urls:{home}/list.csv"),
        ("webdataset:a-{00..03}.tar", "webdataset:{home}/a-{{00..03}}.tar"),
        ("parquet:s3://bucket/x.parquet", "parquet:s3://bucket/x.parquet"),
        ("urls:https://example.org/list.csv", "urls:https://example.org/list.csv"),
        ("gallery:Danbooru:http://127.0.0.1/posts", "gallery:Danbooru:http://127.0.0.1/posts"),
        ("sample:", "sample:"),
        ("/abs/pics", "/abs/pics"),
    ],
)
def test_a_relative_source_lies_beside_its_recipe_or_where_it_is_typed(tmp_path, monkeypatch, typed, whole):
    for name in ("home/pics", "away/pics"):
        (tmp_path / name).mkdir(parents=True)
    mine = write(tmp_path / "home/mine.toml", f"sources = [{json.dumps(typed)}]\n")
    monkeypatch.chdir(tmp_path / "away")
    expected = whole.replace("{{", "{").replace("}}", "}").replace("{top}", str(tmp_path))
    for words, home in (((str(mine), ()), "home"), (("quickstart", (), [typed]), "away")):
        got = pipeline.resolve(None, *words).sources
        assert got == (expected.replace("{home}", str(tmp_path / home)),)


def test_a_folder_reached_over_a_link_stays_the_one_that_is_meant(tmp_path):
    (tmp_path / "real/sub").mkdir(parents=True)
    (tmp_path / "pics").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real/sub")
    mine = write(tmp_path / "mine.toml", 'sources = ["link/../pics"]\n')
    [source] = pipeline.resolve(None, str(mine), ()).sources
    assert os.path.realpath(source) == str(tmp_path / "real/pics")


@pytest.mark.parametrize("text", ['styles = ["onnx:net.onnx"]', '[lineart.style.onnx]\npath = "net.onnx"'])
def test_a_relative_network_lies_beside_its_recipe(tmp_path, monkeypatch, text):
    mine = write(tmp_path / "mine.toml", f"[lineart]\n{text}\n")
    (tmp_path / "away").mkdir()
    monkeypatch.chdir(tmp_path / "away")
    document = pipeline._spelled(recipe.read(mine), (), tmp_path)
    assert document["lineart"]["style"]["onnx"]["path"] == str(tmp_path / "net.onnx")
    typed = pipeline.resolve(None, "quickstart", ["lineart.style.onnx.path=net.onnx"])
    assert typed.lineart.style["onnx"]["path"] == str(tmp_path / "away/net.onnx")


def test_a_recipe_runs_from_anywhere_and_its_data_set_has_no_path_of_this_machine(tmp_path, run, monkeypatch):
    save(tmp_path / "home/pics/0.png", drawing(0))
    save(tmp_path / "home/pics/1.png", drawing(1))
    mine = write(tmp_path / "home/mine.toml", 'sources = ["pics"]\n[lineart]\nsize = 64\n')
    (tmp_path / "away").mkdir()
    for n, here in enumerate(("home", "away")):
        monkeypatch.chdir(tmp_path / here)
        result, _ = run("run", os.path.relpath(mine), tmp_path / f"work{n}")
        assert result["funnel"]["found"] == 2
        assert settings_of(tmp_path / f"work{n}")["sources"] == [str(tmp_path / "home/pics")]
        assert run("run", os.path.relpath(mine), tmp_path / f"work{n}")[0]["done"]["ingest"] == {}
    manifests = [(tmp_path / f"work{n}/dataset/manifest.json").read_text() for n in range(2)]
    assert manifests[0] == manifests[1]
    assert str(tmp_path) not in manifests[0]
    assert json.loads(manifests[0])["recipe"]["sources"] == ["pics"]


def test_a_relative_source_of_an_older_version_is_not_named_twice(work, run, tmp_path, monkeypatch):
    text = (work / "recipe.toml").read_text()
    (work / "recipe.toml").write_text(text.replace(str(tmp_path / "pile"), "pile"))
    monkeypatch.chdir(tmp_path)
    assert run("run", "quickstart", work)[0]["funnel"]["found"] == 4
    assert "sources" not in run("ingest", work, "pile")[1]
    assert settings_of(work)["sources"] == [str(tmp_path / "pile")]


# --- the limit -----------------------------------------------------------------------------------


class Killed(Exception):
    pass


@pytest.fixture
def begun(tmp_path, run, monkeypatch):
    """A workspace with a plan under a limit, of which nothing is done."""
    make_pile(tmp_path / "pile")

    def die(*_):
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr("anidata.stages.ingest.work.measure_part", die)
        with pytest.raises(Killed):
            run("ingest", tmp_path / "work", tmp_path / "pile", "--limit", 4)
    return tmp_path / "work"


@pytest.mark.parametrize(
    ("again", "finds", "says"),
    [
        (("ingest", "--limit", 4), [4, 4], ""),
        (("ingest",), [4, 13], "limit 4 stays"),
        (("run",), [4, 13], "limit 4 stays"),
        (("ingest", "--limit", 6), [6, 6], ""),
    ],
)
def test_a_plan_begun_under_a_limit_is_finished_under_it(begun, run, tmp_path, again, finds, says):
    command, *words = again
    start = ("run", "quickstart", begun) if command == "run" else ("ingest", begun)
    counts = []
    for n in range(2):
        result, said = run(*start, tmp_path / "pile", *words, *SMALL)
        counts.append(result["funnel"]["found"])
        if says:
            assert (says if n == 0 else "limit 4 → none") in said
        else:
            assert "limit" not in said
    assert counts == finds
    assert "limit" not in run(*start, tmp_path / "pile", *words, *SMALL)[1]


def test_going_on_without_a_source_takes_no_more(begun, run):
    assert run("ingest", begun)[0]["funnel"]["found"] == 4
    assert run("ingest", begun)[0]["funnel"]["found"] == 4


def test_the_next_command_of_status_keeps_the_limit(begun, run):
    shutil.rmtree(begun / "records", ignore_errors=True)
    assert run("status", begun)[0]["next_command"].endswith(" --limit 4")


# --- networks ------------------------------------------------------------------------------------


def test_a_network_that_is_set_by_hand_stays_pinned_under_any_recipe(work, run, tmp_path, monkeypatch):
    pytest.importorskip("onnxruntime", reason="onnxruntime isn't installed")
    pytest.importorskip("onnx", reason="onnx isn't installed")
    networks = importlib.import_module("networks")
    networks.identity(tmp_path / "net.onnx")
    monkeypatch.chdir(tmp_path)
    run("extract-lineart", work, "--style", "onnx:net.onnx")
    pin = value_at(work, "lineart.style.onnx")
    assert (pin["path"], len(pin["sha256"])) == (str(tmp_path / "net.onnx"), 64)
    for named in ("quickstart", write(tmp_path / "other.toml", OTHER)):
        run("clean", work, "--recipe", named)
        assert value_at(work, "lineart.style.onnx") == pin
    networks.scaled(tmp_path / "net.onnx", 2.0, 0.0)
    with pytest.raises(RecipeError, match="Bring the pinned file back"):
        run("run", "quickstart", work)
