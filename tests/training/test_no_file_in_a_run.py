"""A FIFO or a device in place of a file of a run, a data set or a model ends in a typed error, soon."""

import os
import re
import shutil
import signal

import pytest
from typer.testing import CliRunner

import anidata
import anidata.cli.entry
from anidata.errors import AnidataError
from drawings import drawing, save
from training_lab import TINY
from training_lab import run as trained

SETTINGS = ("train.images=8", "train.validate_every=0")
SECONDS = 10


@pytest.fixture(scope="module")
def made(dataset, tmp_path_factory):
    folder = tmp_path_factory.mktemp("made")
    shutil.copy(TINY, folder / "mine.py")
    trained(dataset, folder / "run", SETTINGS, model=folder / "mine.py")
    save(folder / "a.png", drawing(1, 16, 16))
    return folder


@pytest.fixture
def copy(made, dataset, tmp_path):
    """Copies of the run and of the data set, and an alarm."""
    shutil.copytree(made, tmp_path / "made")
    shutil.copytree(dataset, tmp_path / "made/dataset")
    recipe = tmp_path / "made/run/recipe.toml"
    text = recipe.read_text().replace(str(made), str(tmp_path / "made"))
    recipe.write_text(text.replace(str(dataset), str(tmp_path / "made/dataset")))

    def late(*_):
        raise TimeoutError("it waited")

    before = signal.signal(signal.SIGALRM, late)
    signal.alarm(3 * SECONDS)
    yield tmp_path / "made"
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


def colorize(home, *more):
    words = ["colorize", home / "run", home / "a.png", "-o", home / "out", "--device", "cpu", *more]
    done = CliRunner().invoke(anidata.cli.entry.app, [str(word) for word in words])
    if done.exception and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done.exit_code


def train(home):
    trained(home / "dataset", home / "other", SETTINGS, model=home / "mine.py")


def go_on(home):
    trained(
        home / "dataset", home / "run", ("train.images=16", "train.validate_every=0"), model=home / "mine.py"
    )


def begin_from(home):
    settings = (*SETTINGS, f"train.init={home / 'run/model.safetensors'}")
    trained(home / "dataset", home / "other", settings, model=home / "mine.py")


def load(home):
    list(anidata.load_dataset(home / "dataset", split="train"))


def named(home):
    return colorize(home, "--model", home / "mine.py")


def by_reference(home):
    recipe = home / "run/recipe.toml"  # of a model that asks for one: it is read before any weights
    recipe.write_text(recipe.read_text().replace('"lineart",', '"lineart", "reference",', 1))
    return colorize(home, "--model", home / "mine.py", "--reference", home / "reference.png")


PLACES = [
    ("run/recipe.toml", colorize),
    ("run/recipe.toml", go_on),
    ("run/model.safetensors", named),
    ("run/model.safetensors", begin_from),
    ("run/checkpoints/*.safetensors", go_on),
    ("run/metrics.csv", go_on),
    ("run/.lock", go_on),
    ("mine.py", named),
    ("mine.py", train),
    ("reference.png", by_reference),
    ("dataset/manifest.json", load),
    ("dataset/index/shardindex.json", load),
    ("dataset/index/*.idx", load),
    ("dataset/data/*.tar", load),
    ("dataset/data/*.tar", train),
]


GOES_ON = [("run/environment.json", named), ("run/.anidata", go_on)]


def device(path):
    path.symlink_to("/dev/zero")


def planted(copy, name, make):
    for path in sorted(copy.glob(name)) or [copy / name]:
        path.unlink(missing_ok=True)
        make(path)


@pytest.mark.parametrize("make", [os.mkfifo, device])
@pytest.mark.parametrize(("name", "use"), PLACES)
def test_what_is_no_file_ends_in_words(copy, name, use, make):
    planted(copy, name, make)
    with pytest.raises(AnidataError, match=re.escape(str(copy))):
        use(copy)


@pytest.mark.parametrize(("name", "use"), GOES_ON)
def test_what_can_be_done_without_is(copy, name, use):
    planted(copy, name, os.mkfifo)
    assert use(copy) in (None, 0)
