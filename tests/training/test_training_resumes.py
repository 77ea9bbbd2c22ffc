"""A training that is stopped, wherever and however, ends with the same weights as one that isn't.

They are the same to the bit, on a CPU with one process.
"""

import errno
import os
import re
import signal
import socket
import subprocess
import sys
import threading
from itertools import islice
from pathlib import Path

import pytest

from anidata.errors import RunError, StorageError
from anidata.training.data.loader import Loader
from anidata.training.loop import Updater
from anidata.training.metrics import ssim
from anidata.training.run import logs
from training_lab import TINY, as_options
from training_lab import run as trained

SETTINGS = (
    "train.images=48",
    "train.validate_every=16",
    "train.checkpoint_every=8",
    "train.log_every=8",
    "train.ema=20",
)


class Stop(Exception):
    """Ends a training between two steps, as a crash would."""


def go(dataset, run, *settings):
    return trained(dataset, run, (*SETTINGS, *settings))


def bytes_of(run):
    return (run / "model.safetensors").read_bytes(), _tensors(
        (run / "checkpoints/000000000048.safetensors").read_bytes()
    )


def _tensors(data):
    """What follows a safetensors file's header: the header has the seconds."""
    return data[8 + int.from_bytes(data[:8], "little") :]


def figures(run):
    """The rows of metrics.csv that don't depend on the clock."""
    rows = (run / "metrics.csv").read_text().splitlines()
    return [r for r in rows if "images_per_second" not in r and "waiting" not in r]


@pytest.fixture(scope="module")
def whole(dataset, tmp_path_factory):
    run = tmp_path_factory.mktemp("whole")
    go(dataset, run)
    return run


@pytest.mark.parametrize("after", [1, 3, 4, 5, 11, 12])
def test_a_crash_between_steps_changes_nothing(after, dataset, whole, tmp_path, monkeypatch):
    batches = Loader.batches

    def cut(self, start=0):
        yield from islice(batches(self, start), after - 1)
        raise Stop

    with monkeypatch.context() as patch:
        patch.setattr(Loader, "batches", cut)
        with pytest.raises(Stop):
            go(dataset, tmp_path)
    go(dataset, tmp_path)
    assert bytes_of(tmp_path) == bytes_of(whole)
    assert figures(tmp_path) == figures(whole)


def test_a_crash_in_mid_step_changes_nothing(dataset, whole, tmp_path, monkeypatch):
    """One optimizer has stepped, the other hasn't."""
    call, calls = Updater.__call__, []

    def breaking(self, loss, name):
        calls.append(name)
        if len(calls) == 16:
            raise Stop
        call(self, loss, name)

    with monkeypatch.context() as patch:
        patch.setattr(Updater, "__call__", breaking)
        with pytest.raises(Stop):
            go(dataset, tmp_path)
    go(dataset, tmp_path)
    assert bytes_of(tmp_path) == bytes_of(whole)


def test_other_workers_and_another_rhythm_of_checkpoints_change_nothing(dataset, whole, tmp_path):
    go(dataset, tmp_path, "train.images=20", "train.checkpoint_every=4", "train.workers=2")
    go(dataset, tmp_path, "train.workers=1")
    assert _tensors((tmp_path / "checkpoints/000000000048.safetensors").read_bytes()) == bytes_of(whole)[1]


def test_parts_of_a_step_resume_too(dataset, tmp_path):
    runs = [tmp_path / name for name in "ab"]
    go(dataset, runs[0], "train.accumulate=2")
    go(dataset, runs[1], "train.accumulate=2", "train.images=28")
    go(dataset, runs[1], "train.accumulate=2")
    assert _tensors((runs[0] / "checkpoints/000000000048.safetensors").read_bytes()) == bytes_of(runs[1])[1]


def extended(dataset, run, capsys, first, then):
    """What a run that goes on with other settings says."""
    go(dataset, run, "train.images=24", *first)
    capsys.readouterr()
    go(dataset, run, *then)
    return " ".join(capsys.readouterr().err.split())


@pytest.mark.parametrize("schedule", ["linear", "cosine"])
def test_a_decayed_run_that_is_extended_says_what_its_rate_does_and_what_to_type(
    schedule, dataset, tmp_path, capsys
):
    settings = (f"train.schedule={schedule}",)
    said = extended(dataset, tmp_path / "a run", capsys, settings, settings)
    assert "train.images was 24 and is 48" in said
    factor = {"linear": "1", "cosine": "0.5"}[schedule]
    assert f"after 24 images the learning rate's factor goes from 0 to {factor}." in said
    assert "To leave it: --set train.images=24." in said
    assert f"--init '{tmp_path / 'a run'}' --set train.schedule=constant --set model.lr=RATE" in said


def test_a_run_of_one_rate_is_extended_without_a_word(dataset, tmp_path, capsys):
    assert "train.images was" not in extended(dataset, tmp_path, capsys, (), ())


def test_a_run_that_goes_on_in_other_parts_says_so(dataset, tmp_path, capsys):
    said = extended(dataset, tmp_path, capsys, (), ("train.accumulate=2",))
    assert "train.accumulate was 1 and is 2: a step has the same pictures" in said
    assert "--set train.accumulate=1." in said


def test_a_setting_that_an_older_version_did_not_know_counts_as_its_default(dataset, tmp_path):
    go(dataset, tmp_path, "train.images=24")
    file = tmp_path / "recipe.toml"
    older = re.sub(r"\nnoise = .*", "", file.read_text())
    file.write_text(older)
    with pytest.raises(RunError, match=r"was begun with model\.noise = null, not model\.noise = 0\.2"):
        go(dataset, tmp_path, "model.noise=0.2")
    assert file.read_text() == older
    assert go(dataset, tmp_path).images == 48


def test_figures_of_a_metrics_earlier_version_are_not_set_beside_the_present_ones(
    dataset, tmp_path, monkeypatch
):
    go(dataset, tmp_path, "train.images=16", "train.metric=ssim")
    first = go(dataset, tmp_path, "train.images=16", "train.metric=ssim").scores
    monkeypatch.setattr(ssim, "VERSION", ssim.VERSION + 1)
    done = go(dataset, tmp_path, "train.metric=ssim")
    assert [score["images"] for score in done.scores] == [16, 32, 48]
    assert ["ssim" in score for score in done.scores] == [False, True, True]
    assert done.scores[0] == {name: value for name, value in first[0].items() if name != "ssim"}
    assert "| 16 |" in (tmp_path / "README.md").read_text()
    assert go(dataset, tmp_path, "train.metric=ssim").scores == done.scores  # of the version that they say


COMMAND = [sys.executable, "-m", "anidata", "train-baseline", str(TINY)]


@pytest.mark.slow
@pytest.mark.parametrize("step", [2, 10])
def test_a_real_kill_in_mid_step_changes_nothing(step, dataset, whole, tmp_path):
    """kill -9, by the model itself in the midst of a step, with two workers reading ahead.

    It comes before the first checkpoint, and after some.
    """
    settings = as_options((*SETTINGS, "train.workers=2", f"model.kill_at={step}"))
    words = [*COMMAND, str(dataset), str(tmp_path), "--device", "cpu", *settings]

    def run(**environment):
        one_thread = {**os.environ, "OMP_NUM_THREADS": "1"}  # as here: sums come in another order with two
        return subprocess.run(
            words, env=one_thread | environment, capture_output=True, text=True, timeout=120, check=False
        )

    assert run(KILLABLE="1").returncode == -signal.SIGKILL
    left = sorted(p.stem for p in tmp_path.glob("checkpoints/*.safetensors"))
    assert left[-1:] == ([] if step == 2 else ["000000000032"])
    done = run()
    assert done.returncode == 0, done.stderr
    assert bytes_of(tmp_path) == bytes_of(whole)
    assert figures(tmp_path) == figures(whole)


LIMITED = """
import resource, sys
# a disk that fills up: the second checkpoint's averages don't fit
resource.setrlimit(resource.RLIMIT_FSIZE, (40_000, 40_000))
from anidata.cli.entry import main
main()
"""


@pytest.mark.slow
def test_a_disk_that_fills_up_costs_nothing_but_time(dataset, tmp_path):
    wide = ("model.width=200", "train.workers=0")
    go(dataset, tmp_path / "whole", *wide)
    go(dataset, tmp_path / "run", *wide, "train.images=16")
    kept = {p.name: p.read_bytes() for p in (tmp_path / "run/checkpoints").iterdir()}
    settings = as_options((*SETTINGS, *wide))
    words = ["train-baseline", str(TINY), str(dataset), str(tmp_path / "run"), "--device", "cpu", *settings]
    done = subprocess.run(
        [sys.executable, "-c", LIMITED, *words], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 5, done.stderr
    assert re.search(
        r"StorageError: .*/checkpoints/000000000024\.safetensors: can't be written \(File too large\)\. "
        "Make room",
        done.stderr,
    )
    assert {p.name: p.read_bytes() for p in (tmp_path / "run/checkpoints").iterdir()} == kept
    go(dataset, tmp_path / "run", *wide)
    assert bytes_of(tmp_path / "run") == bytes_of(tmp_path / "whole")


TWICE = """
import os, sys
sys.path[:0] = sys.argv[1].split(os.pathsep)
from pathlib import Path
from training_lab import run
from test_training_resumes import SETTINGS
import torch
torch.set_num_threads(1)
done = run(sys.argv[2], Path(sys.argv[3]), (*SETTINGS, *sys.argv[4:]), preset="plain")
print(done.first, done.images, [round(s["psnr"], 3) for s in done.scores])
"""


@pytest.fixture
def launch(dataset, tmp_path):
    """Train in a folder with so many processes, as accelerate's launcher starts them; their last lines."""

    def run(name, ranks, *settings):
        folders = os.pathsep.join([str(Path(__file__).parent), str(TINY.parent)])
        words = [sys.executable, "-c", TWICE, folders, str(dataset), str(tmp_path / name), *settings]
        started = [_started(words, **environment) for environment in _environments(ranks)]
        outputs = [process.communicate(timeout=120) for process in started]
        assert all(process.returncode == 0 for process in started), outputs
        return [out.splitlines()[-1] for out, _ in outputs]

    return run


def _environments(ranks):
    """What the launcher of so many processes gives each of them."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    for rank in range(ranks):
        common = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "WORLD_SIZE": str(ranks)}
        local = {"RANK": str(rank), "LOCAL_RANK": str(rank), "LOCAL_WORLD_SIZE": str(ranks)}
        yield common | (local if ranks > 1 else {})


def _started(words, **environment):
    one_thread = {**os.environ, "OMP_NUM_THREADS": "1"}
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return subprocess.Popen(words, env=one_thread | environment, text=True, **pipes)


@pytest.mark.slow
def test_two_processes_train_a_run_that_one_goes_on_with(launch, tmp_path):
    """The whole command's way with accelerate's two processes; batches, figures and files are one run's."""
    small = ["train.size=16", "train.batch=4", "train.workers=0"]
    alone = launch("alone", 1, *small)
    both = launch("both", 2, *small, "train.images=32")
    assert [b.split()[0] for b in both] == ["True", "False"]
    assert launch("both", 1, *small)[0].split()[:2] == alone[0].split()[:2] == ["True", "48"]
    ours, theirs = (_scores(tmp_path / name) for name in ("both", "alone"))
    assert ours == pytest.approx(theirs, abs=0.01)


def _scores(run):
    rows = (run / "metrics.csv").read_text().splitlines()
    return [float(row.split(",")[2]) for row in rows if ",val/psnr," in row]


def log_beside_a_thread_that_fails(folder):
    with logs.logging(folder / "metrics.csv", folder / "tensorboard", 0) as log:
        other = threading.Thread(target=int, args=("x",))
        other.start()
        other.join()
        for images in range(8):
            log.add(images, {"loss": 1.0})


@pytest.mark.parametrize("room", [0, 1, 2])
def test_tensorboards_thread_ends_in_silence_and_the_run_says_why(tmp_path, monkeypatch, room):
    said, written = [], []

    def write(_, data):
        written.append(data)
        if len(written) > room:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(threading, "excepthook", said.append)
    monkeypatch.setattr("tensorboard.summary.writer.record_writer.RecordWriter.write", write)
    with pytest.raises(StorageError, match=r"metrics\.csv: can't be written \(No space left"):
        log_beside_a_thread_that_fails(tmp_path)
    assert [type(thrown.exc_value) for thrown in said] == [ValueError] * bool(room)
