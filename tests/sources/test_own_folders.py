"""Folders that anidata made, among the sources: known by their marks, passed by and counted."""

import json
import shutil

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

import anidata.cli.entry
from anidata import workspace
from anidata.ownership import OTHER as MARK
from anidata.sources import Options, folder, parquet, video, webdataset
from anidata.sources.listing.own import is_own
from drawings import drawing, save


def make_workspace(path):
    workspace.create(path)


def make_dataset(path):
    path.mkdir(parents=True)
    (path / MARK).write_text("A data set of anidata, format 1.\n")


def make_run(path):
    path.mkdir(parents=True)
    (path / "recipe.toml").write_text('baseline = "gan"\n')
    (path / "environment.json").write_text(json.dumps({"anidata": "0.1.0", "styles": ["ink"]}))


OWN = {"workspace": make_workspace, "data set": make_dataset, "run": make_run}


@pytest.fixture
def art(tmp_path):
    """Three pictures, and deeper down a workspace, a data set and a run, each with a picture in it."""
    for n in range(3):
        save(tmp_path / "art" / f"{n}.png", drawing(n))
    for n, (name, make) in enumerate(OWN.items()):
        make(tmp_path / "art/deep" / name)
        save(tmp_path / "art/deep" / name / "inner" / "own.png", drawing(50 + n))
    return tmp_path / "art"


def names(source, tmp_path, kind=folder):
    options = Options(base=tmp_path / "work")
    return sorted(record.name for record in kind.records(str(source), options)), options.passed_by


def test_each_kind_of_own_folder_is_passed_by_and_noted(art, tmp_path):
    listed, passed_by = names(art, tmp_path)
    assert listed == ["0.png", "1.png", "2.png"]
    assert passed_by == {art / "deep" / name for name in OWN}


@pytest.mark.parametrize("name", OWN)
def test_an_own_folder_that_is_named_outright_is_taken(art, tmp_path, name):
    assert "inner/own.png" in names(art / "deep" / name, tmp_path)[0]


@pytest.mark.parametrize(
    "files",
    [
        {"workspace.json": '{"version": 2, "projects": {}}'},
        {"workspace.json": "no json"},
        {"recipe.toml": "[clean]\nmin_side = 3\n"},
        {"recipe.toml": "", "environment.json": '{"python": "3.11"}'},
        {"environment.json": '{"anidata": "0.1.0"}'},
        {"manifest.json": '{"format": 1}'},
    ],
)
def test_what_others_call_alike_is_no_mark(tmp_path, files):
    save(tmp_path / "art/sub/0.png", drawing(0))
    for name, text in files.items():
        (tmp_path / "art/sub" / name).write_text(text)
    assert not is_own(tmp_path / "art/sub")
    listed, passed_by = names(tmp_path / "art", tmp_path)
    assert "sub/0.png" in listed
    assert not passed_by


def test_a_folder_that_may_not_be_looked_into_is_nobodys(tmp_path, monkeypatch):
    def refuse(self, **_):
        raise PermissionError(13, "denied")

    monkeypatch.setattr("pathlib.Path.stat", refuse)
    assert not is_own(tmp_path)


@pytest.mark.parametrize("name", OWN)
def test_what_happens_in_an_own_folder_leaves_the_state_and_all_else_changes_it(art, tmp_path, name):
    options = Options(base=tmp_path / "work")
    before = folder.state(str(art), options)
    save(art / "deep" / name / "more.png", drawing(70))
    assert folder.state(str(art), options) == before
    save(art / "deep" / "more.png", drawing(71))
    assert folder.state(str(art), options) != before


def fill_with_tables(art):
    for parent in (art, *(art / "deep" / name for name in OWN)):
        pq.write_table(pa.table({"image": [b"none"]}), parent / "rows.parquet")
    return "parquet:"


def fill_with_tars(art):
    for parent in (art, *(art / "deep" / name for name in OWN)):
        shutil.make_archive(str(parent / "shard"), "tar", art, "0.png")
    return "webdataset:"


@pytest.mark.parametrize(("kind", "fill"), [(parquet, fill_with_tables), (webdataset, fill_with_tars)])
def test_other_kinds_of_folders_pass_them_by_too(art, tmp_path, kind, fill):
    prefix = fill(art)
    (tmp_path / "work/blobs").mkdir(parents=True)
    listed, passed_by = names(f"{prefix}{art}", tmp_path, kind)
    assert len(listed) == 1
    assert passed_by == {art / "deep" / name for name in OWN}
    alone, _ = names(f"{prefix}{art / 'deep/data set'}", tmp_path, kind)
    assert len(alone) == 1


def test_videos_in_own_folders_are_passed_by(art):
    for parent in (art, *(art / "deep" / name for name in OWN)):
        (parent / "a.mp4").write_bytes(b"none")
    passed_by = set()
    assert video._files(f"video:{art}", passed_by)[1] == [art / "a.mp4"]
    assert passed_by == {art / "deep" / name for name in OWN}


def test_a_run_beside_its_own_workspaces_takes_the_pictures_alone_and_says_so_once(tmp_path, inline):
    """Found 8, then 42: what one run had made became another's source."""
    for n in range(3):
        save(tmp_path / "art" / f"{n}.png", drawing(n))
    art, words = str(tmp_path / "art"), ["--set", "lineart.size=64"]

    def run(work):
        done = CliRunner().invoke(
            anidata.cli.entry.app, ["run", "quickstart", str(work), art, "--json", *words]
        )
        assert done.exit_code == 0, done.output
        return json.loads(done.stdout)["funnel"]["found"], done.stderr

    found_first, said = run(tmp_path / "art/work")
    assert (found_first, "passed by" in said) == (3, False)
    shutil.copytree(tmp_path / "art/work/dataset", tmp_path / "art/set")
    count, said = run(tmp_path / "art/another")
    assert count == 3
    assert said.count("passed by 2 folders that anidata made") == 1
    count, said = run(tmp_path / "art/another")
    assert (count, "passed by" in said) == (3, False)


def test_a_run_of_training_has_the_mark(tmp_path):
    run_folder = pytest.importorskip("anidata.training.run.folder", reason="PyTorch isn't installed")
    made = run_folder.Run(tmp_path / "run")
    made.path.mkdir()
    made.recipe_file.write_text("")
    run_folder.publish_changed(made.environment, json.dumps(run_folder.environment()))
    assert is_own(made.path)
