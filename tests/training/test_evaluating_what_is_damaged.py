"""`anidata evaluate` of damaged or unfit runs and data sets: a typed error with a remedy, or honest figures.

Never a traceback, and nothing half-written: either a whole report lies at the output, or nothing.
"""

import json
import os
import shutil
import struct
import subprocess
import sys

import pytest
from typer.testing import CliRunner

import anidata.cli.entry
from anidata.errors import AnidataError, DatasetError, RecipeError, RunError, UnknownPart
from anidata.tar.writer import TarWriter, index_text
from inline import Inline
from resized import resized
from training_lab import run as trained

SETTINGS = ("train.images=8", "train.validate_every=0")
QUICK = ("--set", "evaluate.repetitions=50", "--set", "evaluate.shown=1", "--device", "cpu", "--json")
WHOLE = {"index.html", "evaluation.json", "figures.csv", "pictures.csv", "README.md", "pictures"}
WEIGHTS = "model.safetensors"


@pytest.fixture(scope="module")
def runs(dataset, tmp_path_factory):
    """A run, one of another width, and one that is told hints."""
    folder = tmp_path_factory.mktemp("runs")
    hints = 'train.conditions=["lineart", "hints"]'
    for name, setting in {"run": "train.seed=0", "wide": "model.width=5", "hinted": hints}.items():
        trained(dataset, folder / name, (*SETTINGS, setting))
    return folder


def outcome(out, *words):
    """The report's document, or the typed error after which nothing lies at the output."""
    command = ["evaluate", *map(str, words), "-o", str(out), *QUICK]
    done = CliRunner().invoke(anidata.cli.entry.app, command)
    if done.exception is None:
        assert {path.name for path in out.iterdir()} >= WHOLE
        return json.loads(done.stdout)
    if not isinstance(done.exception, AnidataError):
        raise done.exception
    assert not out.exists()
    return done.exception


def variant(source, folder, name, data):
    """A copy of a folder with another file in it; of None without."""
    shutil.copytree(source, folder, dirs_exist_ok=True)
    if data is None:
        (folder / name).unlink()
    else:
        (folder / name).write_bytes(data)
    return folder


def damages(whole):
    """Ways in which a file is damaged."""
    return {
        "cut": whole[:40],
        "half": whole[: len(whole) // 2],
        "empty": b"",
        "bytes": b"\xff\xfe\0\0",
        "list": b"[]",
    }


@pytest.mark.parametrize("how", ["cut", "half", "short", "empty", "bytes", "longer"])
def test_damaged_weights_are_refused_with_the_way_to_make_them_anew(runs, dataset, tmp_path, how):
    whole = (runs / "run" / WEIGHTS).read_bytes()
    data = {**damages(whole), "short": whole[:-1], "longer": whole + b"\0" * 8}[how]
    broken = variant(runs / "run", tmp_path / "broken", WEIGHTS, data)
    error = outcome(tmp_path / "out", broken, "--data", dataset)
    assert isinstance(error, RunError)
    assert WEIGHTS in str(error)
    assert str(error).endswith("The command that trained it writes it anew: type it again.")


def test_a_flipped_byte_in_the_header_of_weights_is_an_error_or_changes_nothing(runs, dataset, tmp_path):
    """Where it is none it is in what says nothing of the tensors: figures are those of the whole file."""
    whole = (runs / "run" / WEIGHTS).read_bytes()
    (header,) = struct.unpack("<Q", whole[:8])
    figures = outcome(tmp_path / "whole", runs / "run", "--data", dataset)["tables"]
    refused = 0
    for at in range(0, 8 + header, 17):
        flipped = whole[:at] + bytes([whole[at] ^ 0x40]) + whole[at + 1 :]
        broken = variant(runs / "run", tmp_path / f"{at}/run", WEIGHTS, flipped)
        found = outcome(tmp_path / f"{at}/out", broken, "--data", dataset)
        refused += isinstance(found, RunError)
        assert isinstance(found, RunError) or found["tables"] == figures, at
    assert refused > 10


def test_weights_of_another_model_are_refused_by_their_shapes(runs, dataset, tmp_path):
    broken = variant(runs / "run", tmp_path / "broken", WEIGHTS, (runs / "wide" / WEIGHTS).read_bytes())
    error = outcome(tmp_path / "out", broken, "--data", dataset)
    assert isinstance(error, RunError)
    assert "is of another model" in str(error)
    assert "Use the model file and settings that made it" in str(error)


@pytest.mark.parametrize("how", ["cut", "half", "empty", "bytes", "list"])
def test_a_damaged_recipe_is_refused_and_the_remedy_works(runs, dataset, tmp_path, how):
    whole = (runs / "run/recipe.toml").read_bytes()
    broken = variant(runs / "run", tmp_path / "run", "recipe.toml", damages(whole)[how])
    error = outcome(tmp_path / "out", broken, "--data", dataset)
    assert isinstance(error, RecipeError)
    assert "recipe.toml" in str(error)
    assert "put it back from a copy, or train anew into another folder" in str(error)
    (broken / "recipe.toml").write_bytes(whole)
    assert outcome(tmp_path / "out", broken, "--data", dataset)["pictures"] == 3


@pytest.mark.parametrize("how", ["cut", "half", "empty", "bytes", "list", "gone"])
def test_a_damaged_environment_is_refused_and_the_remedy_works(runs, dataset, tmp_path, how):
    data = {**damages((runs / "run/environment.json").read_bytes()), "gone": None}[how]
    broken = variant(runs / "run", tmp_path / "run", "environment.json", data)
    error = outcome(tmp_path / "out", broken, "--data", dataset)
    assert isinstance(error, RunError)
    assert "environment.json" in str(error)
    (broken / "environment.json").unlink(missing_ok=True)
    trained(dataset, broken, (*SETTINGS, "train.seed=0"))
    assert outcome(tmp_path / "out", broken, "--data", dataset)["pictures"] == 3


@pytest.mark.parametrize("name", ["README.md", "metrics.csv", "costs.json"])
@pytest.mark.parametrize("how", ["cut", "empty", "bytes", "list", "gone"])
def test_what_no_figure_is_taken_of_may_be_damaged(runs, dataset, tmp_path, name, how):
    (runs / "run/costs.json").touch()
    data = {**damages((runs / "run" / name).read_bytes()), "gone": None}[how]
    broken = variant(runs / "run", tmp_path / "run", name, data)
    assert outcome(tmp_path / "out", broken, "--data", dataset)["pictures"] == 3


SHAPES = {
    "of 1 px": [(1, 1)],
    "of 1 x 40 px": [(1, 40), (40, 1)],
    "of mixed sizes": [(1, 1), (1, 40), (33, 17), (200, 90), (64, 64)],
}


@pytest.mark.parametrize("shapes", SHAPES.values(), ids=SHAPES)
def test_pictures_of_any_size_have_figures_or_say_why_not(runs, dataset, tmp_path, shapes):
    data = resized(dataset, tmp_path / "data", shapes)
    document = outcome(tmp_path / "out", runs / "run", "--data", data)
    for table in document["tables"]:
        for row in table["rows"]:
            for name, figure in row["figures"].items():
                assert (figure["value"] is None) == bool(figure.get("skipped")), (row["name"], name)
            assert row["figures"]["psnr"]["value"] > 0
            assert row["figures"]["msssim"]["skipped"] == "too small"
    own = tmp_path / "own"
    trained(data, own, SETTINGS)
    assert outcome(tmp_path / "again", own, "--data", data)["pictures"] == 3


def test_an_unpaired_data_set_is_refused_with_what_to_do(runs, dataset, tmp_path):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("anidata.engine.engine.Engine", Inline)
        words = ["shard", str(dataset.parent), str(tmp_path / "apart"), "--set", "shard.unpaired=true"]
        assert CliRunner().invoke(anidata.cli.entry.app, words).exit_code == 0
    for more in ((), ("--set", "evaluate.other=true")):
        error = outcome(tmp_path / "out", runs / "run", "--data", tmp_path / "apart", *more)
        assert isinstance(error, DatasetError)
        assert "has no pairs" in str(error)
        assert "anidata shard WORK DATASET --set shard.unpaired=false" in str(error)


SPOILED = {
    "cut": lambda whole: whole[: len(whole) // 2],
    "cut after a sample, filled with zeros": lambda whole: whole[:3600] + bytes(len(whole) - 3600),
    "damaged within a picture": lambda whole: whole[:700] + bytes(40) + whole[740:],
    "empty": lambda _: b"",
    "gone": lambda _: None,
}


@pytest.mark.parametrize("split", ["val", "train"])
@pytest.mark.parametrize("spoil", SPOILED.values(), ids=SPOILED)
def test_a_damaged_tar_is_refused_by_name(runs, dataset, tmp_path, split, spoil):
    """Of the split that is looked at, and of the training pictures that the nearest is chosen of."""
    tar = f"data/{split}-00000-of-00001.tar"
    data = variant(dataset, tmp_path / "data", tar, spoil((dataset / tar).read_bytes()))
    error = outcome(tmp_path / "out", runs / "run", "--data", data)
    assert isinstance(error, DatasetError)
    assert tar in str(error)
    assert "anidata shard WORK DATASET" in str(error)


@pytest.mark.parametrize(
    "name",
    [
        "manifest.json",
        "index/shardindex.json",
        "index/val-00000-of-00001.idx",
        "metadata/val-00000-of-00001.parquet",
    ],
)
@pytest.mark.parametrize("how", ["cut", "empty", "bytes", "list", "gone"])
def test_a_damaged_document_of_a_data_set_is_refused_by_name(runs, dataset, tmp_path, name, how):
    data = variant(
        dataset, tmp_path / "data", name, {**damages((dataset / name).read_bytes()), "gone": None}[how]
    )
    error = outcome(tmp_path / "out", runs / "run", "--data", data)
    assert isinstance(error, DatasetError)
    assert name in str(error)
    assert "with: anidata " in str(error)


def emptied(dataset, folder):
    """A data set whose val has no samples."""
    shutil.copytree(dataset, folder)
    with open(folder / "data/val-00000-of-00001.tar", "wb") as file:
        size = TarWriter(file).close()
    (folder / "index/val-00000-of-00001.idx").write_text(index_text([]))
    path = folder / "index/shardindex.json"
    index = json.loads(path.read_bytes())
    for entry in index["shardlist"]:
        if entry["dataset"] == "val":
            entry |= {"filesize": size, "nsamples": 0}
    path.write_text(json.dumps(index))
    return folder


def test_a_split_without_pictures_or_of_one_cluster_is_refused(runs, dataset, tmp_path):
    run = runs / "run"
    error = outcome(tmp_path / "out", run, "--data", emptied(dataset, tmp_path / "data"))
    assert isinstance(error, DatasetError)
    assert "val" in str(error)
    error = outcome(tmp_path / "out", run, "--data", dataset, "--split", "test")
    assert "are of one cluster" in str(error)
    assert "anidata shard WORK --set" in str(error)
    error = outcome(tmp_path / "out", run, "--data", dataset, "--set", "evaluate.pictures=1")
    assert isinstance(error, RecipeError)
    assert "--set evaluate.pictures=0" in str(error)


@pytest.mark.parametrize(
    ("hints", "said"), [(257, "has 256 pixels"), (10**9, "has 256 pixels"), (-1, ">= 0")]
)
def test_more_hints_than_pixels_are_refused_at_once(runs, dataset, tmp_path, hints, said):
    error = outcome(tmp_path / "out", runs / "hinted", "--data", dataset, "--set", f"evaluate.hints={hints}")
    assert isinstance(error, RecipeError)
    assert said in str(error)


def test_as_many_hints_as_pixels_are_a_protocol(runs, dataset, tmp_path):
    document = outcome(tmp_path / "out", runs / "hinted", "--data", dataset, "--set", "evaluate.hints=256")
    assert [table["hints"] for table in document["tables"]] == [0, 256, 0, 256]


def test_a_style_that_is_named_twice_is_one(runs, dataset, tmp_path):
    words = (runs / "run", "--data", dataset, "--set")
    document = outcome(tmp_path / "out", *words, 'evaluate.styles=["ink", "ink"]')
    assert [table["style"] for table in document["tables"]] == ["ink"]
    assert isinstance(outcome(tmp_path / "no", *words, 'evaluate.styles=["none"]'), UnknownPart)


@pytest.mark.parametrize("name", ["two\nlines", "\x1b[31mred", "\u202egnp", "a|b*c_`d`"])
def test_names_of_any_characters_break_no_line_of_the_summary_and_no_table(runs, dataset, tmp_path, name):
    shutil.copytree(runs / "run", tmp_path / name)
    shutil.copytree(dataset, tmp_path / f"data {name}")
    words = ["evaluate", tmp_path / name, "--data", tmp_path / f"data {name}", "-o", tmp_path / "out"]
    done = CliRunner().invoke(anidata.cli.entry.app, [*map(str, words), *QUICK[:-1]])
    assert done.exit_code == 0, done.output
    assert all(line.isprintable() for line in done.stdout.splitlines())
    assert done.stdout.count("\n") == 5  # two notes, two tables, the report's path
    text = (tmp_path / "out/README.md").read_text(encoding="utf-8")
    assert all(line.isprintable() for line in text.splitlines())
    table = [line for line in text.splitlines() if line.startswith("|")]
    assert len({line.replace(r"\|", "").count("|") for line in table}) == 1
    document = json.loads((tmp_path / "out/evaluation.json").read_text(encoding="utf-8"))
    assert document["dataset"]["name"] == f"data {name}"


def test_a_data_set_whose_name_is_no_utf8_has_a_report(runs, dataset, tmp_path):
    data = tmp_path / os.fsdecode(b"data \xff")
    shutil.copytree(dataset, data)
    assert outcome(tmp_path / "out", runs / "run", "--data", data)["pictures"] == 3
    assert r"data \udcff" in (tmp_path / "out/index.html").read_text(encoding="utf-8")


@pytest.mark.parametrize(("setting", "code"), [("", 3), ("evaluate.goal=fame", 2)])
def test_the_command_exits_as_its_contract_says_without_a_traceback(runs, dataset, tmp_path, setting, code):
    broken = variant(runs / "run", tmp_path / "broken", WEIGHTS, b"")
    words = [
        "-m",
        "anidata",
        "evaluate",
        broken,
        "--data",
        dataset,
        "-o",
        tmp_path / "out",
        "--device",
        "cpu",
    ]
    more = ["--set", setting] if setting else []
    done = subprocess.run(
        [sys.executable, *map(str, words), *more], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == code
    assert "Traceback" not in done.stderr
    assert done.stdout == ""
    assert not (tmp_path / "out").exists()
