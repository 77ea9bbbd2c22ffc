"""A training writes and deletes only what is its own in RUN."""

import json

import pytest

from anidata import recipe, workspace
from anidata.errors import RunError, StorageError
from anidata.training import distributed
from anidata.training.config import Config, Recipe
from anidata.training.distributed import Processes
from anidata.training.run import folder
from anidata.training.run.folder import Run

LEFT = ".000000000008.safetensors.0123abcd.anidata"


@pytest.fixture
def processes() -> Processes:
    return distributed.join("cpu")


@pytest.fixture
def run(tmp_path, processes: Processes):
    made = Run(tmp_path / "run")
    with folder.held(made, processes):
        folder.publish_changed(made.recipe_file, recipe.dump(Recipe("gan", "default", "set", Config(), {})))
    return Run(tmp_path / "run")


def test_a_run_has_a_mark_that_stays(run, processes):
    mark = (run.path / ".anidata").read_bytes()
    assert json.loads(mark)["kind"] == "run"
    with folder.held(run, processes):
        assert (run.path / ".anidata").read_bytes() == mark


def test_the_users_files_in_a_run_stay_and_leftovers_go(run, processes):
    (run.path / "checkpoints").mkdir()
    theirs = [
        "z.png.part",
        "checkpoints/z.png.part",
        "checkpoints/7.safetensors",
        "checkpoints/best.safetensors",
    ]
    ours = [f"checkpoints/{LEFT}", "checkpoints/000000000008.safetensors.part"]
    for name in theirs + ours:
        (run.path / name).write_bytes(b"")
    with folder.held(run, processes):
        assert run.checkpoints() == {}
        run.keep([])
    assert [name for name in theirs if not (run.path / name).exists()] == []
    assert [name for name in ours if (run.path / name).exists()] == []


@pytest.mark.parametrize("name", ["checkpoints", "samples"])
def test_a_folder_of_a_run_that_is_a_link_is_told_and_nothing_behind_it_goes(run, processes, tmp_path, name):
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "000000000008.safetensors").write_bytes(b"mine")
    (mine / LEFT).write_bytes(b"mine")
    (run.path / name).symlink_to(mine)
    with pytest.raises(StorageError, match=f"{name} is a link"), folder.held(run, processes):
        pass
    if name == "checkpoints":
        with pytest.raises(StorageError, match="checkpoints is a link"):
            run.keep([])
    assert {p.name for p in mine.iterdir()} == {"000000000008.safetensors", LEFT}


def test_a_workspace_and_a_data_set_are_no_run(tmp_path, processes):
    workspace.create(tmp_path / "work")
    (tmp_path / "set").mkdir()
    (tmp_path / "set/.anidata").write_text('{"format": 1, "kind": "dataset"}')
    for name in ("work", "set"):
        with (
            pytest.raises(RunError, match=f"{name} is a workspace or a data set"),
            folder.held(Run(tmp_path / name), processes),
        ):
            pass
