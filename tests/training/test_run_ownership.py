"""A training writes and deletes only what is its own in RUN."""

import hashlib
import json
import shutil

import pytest

from anidata import recipe, workspace
from anidata.errors import AnidataError, RunError, StorageError
from anidata.training import distributed
from anidata.training.config import Config, Recipe
from anidata.training.distributed import Processes
from anidata.training.run import folder
from anidata.training.run.folder import Run
from training_lab import run as train

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


# --- links at everything that a training writes or deletes ----------------------------------------

SETTINGS = ["train.checkpoint_every=8", "train.validate_every=8", "train.log_every=4", "train.keep_best=1"]


@pytest.fixture(scope="module")
def begun(dataset, tmp_path_factory):
    """A training at its middle."""
    home = tmp_path_factory.mktemp("begun") / "run"
    train(dataset, home, [*SETTINGS, "train.images=24"])
    return home


def hashes(folder):
    """Everything below a folder: a file's digest, a link's target."""
    return {
        path.relative_to(folder): str(path.readlink()) if path.is_symlink()
        else path.is_file() and hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
    }  # fmt: skip


def planted(path, decoy):
    """Replace a path by a link to a copy of it that is somebody else's."""
    decoy.mkdir()
    shutil.move(path, decoy / path.name)
    homes = [p for p in (decoy, decoy / path.name) if p.is_dir()]
    for name in ("z.png.part", LEFT, f"{path.name}.part", "000000000016.safetensors.part"):
        for home in homes:
            (home / name).write_bytes(b"mine")
    path.symlink_to(decoy / path.name)


@pytest.fixture
def outcome(begun, dataset, tmp_path):
    """Whether what a link leads to is as before after the training went on; and what was told meanwhile."""

    def go_on(name):
        told = []
        home, decoy = tmp_path / "run", tmp_path / "decoy"
        for path in (home, decoy):
            shutil.rmtree(path, ignore_errors=True)
        shutil.copytree(begun, home)
        planted(home / name, decoy)
        before = hashes(decoy)
        for images in (24, 48):  # nothing to do but to look; and more to train
            try:
                train(dataset, home, [*SETTINGS, f"train.images={images}"])
            except AnidataError as error:  # what else is raised is a traceback
                told.append(str(error))
        return hashes(decoy) == before, told

    return go_on


def names_of(home):
    return sorted(path.relative_to(home) for path in home.rglob("*"))


def test_whatever_path_of_a_run_is_a_link_what_it_leads_to_is_unharmed(begun, outcome):
    outcomes = {name: outcome(name) for name in names_of(begun)}
    assert len(outcomes) >= 14
    assert [name for name, (is_unharmed, _) in outcomes.items() if not is_unharmed] == []
    told = {name: text for name, (_, texts) in outcomes.items() for text in texts}
    assert all(f"{name} is a link, and anidata writes" in text for name, text in told.items())
    assert {str(n) for n in told} >= {"checkpoints", "samples", "tensorboard", "metrics.csv", ".lock"}
