"""`anidata train-baseline` as a user meets it.

What a run's folder holds, what is refused and with which words, and when there is nothing to do.
"""

import csv
import json
import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import PIL.Image
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file
from skimage.metrics import peak_signal_noise_ratio

from anidata import recipe
from anidata.errors import (
    Interrupted,
    Locked,
    RecipeError,
    RunError,
    TrainingError,
    UnknownPart,
    WorkspaceError,
)
from anidata.training import train
from anidata.training.config import Config, resolve
from anidata.training.data.loader import Loader
from anidata.training.run import validation
from anidata.workspace import held
from training_lab import TINY, as_options
from training_lab import run as train_into
from training_lab import tiny as tiny_model

SETTINGS = (
    "train.images=48",
    "train.validate_every=16",
    "train.checkpoint_every=16",
    "train.log_every=8",
    "train.ema=20",
)
FILES = {
    "README.md",
    "checkpoints",
    "environment.json",
    "metrics.csv",
    "model.safetensors",
    "recipe.toml",
    "samples",
    "tensorboard",
}


@pytest.fixture
def trained(command, dataset, tmp_path):
    """Train the tiny model into tmp_path/run; the JSON of the outcome."""

    def run(*settings, words=(), name="run"):
        options = ["--json", "--device", "cpu", *as_options((*SETTINGS, *settings)), *words]
        return command("train-baseline", TINY, dataset, tmp_path / name, *options)

    return run


@pytest.fixture(scope="module")
def original(dataset, tmp_path_factory):
    """A finished run, and the outcome."""
    folder = tmp_path_factory.mktemp("original") / "run"
    return folder, train_into(dataset, folder, SETTINGS).to_json()


@pytest.fixture
def finished(original, tmp_path):
    """A copy of it as tmp_path/run; the outcome."""
    shutil.copytree(original[0], tmp_path / "run")
    return original[1] | {"run": str(tmp_path / "run"), "weights": str(tmp_path / "run/model.safetensors")}


def files(folder):
    return {
        str(p.relative_to(folder)): p.stat().st_mtime_ns
        for p in folder.rglob("*")
        if p.is_file() and p.name != ".lock"
    }


def test_a_run_holds_recipe_environment_figures_samples_weights_and_a_card(finished, tmp_path):
    done = finished
    run = tmp_path / "run"
    assert (done["images"], done["reason"]) == (48, "all 48 images are seen")
    assert (done["already"], done["skipped"]) == (False, 0)
    assert {p.name for p in run.iterdir()} - {".lock", ".anidata"} == FILES
    samples = [p.name for p in sorted((run / "samples").iterdir())]
    assert samples == ["000000000016.png", "000000000032.png", "000000000048.png"]
    side = 3 * 16 + 2 * 2  # 3 pictures: line | output | truth
    assert PIL.Image.open(run / "samples/000000000048.png").size == (side, side)
    environment = json.loads((run / "environment.json").read_text())
    assert set(environment) >= {"dataset", "model_file", "packages", "threads", "gpus"}
    assert len(list((run / "tensorboard").iterdir())) == 1


def test_the_recipe_that_is_kept_has_every_setting(trained, tmp_path):
    trained("model.width=6", "train.augment.flip=0")
    document = recipe.read(tmp_path / "run/recipe.toml")
    assert set(document["train"]) == set(Config.__dataclass_fields__)
    assert document["train"]["size"] == 16  # the preset's
    assert (document["train"]["augment"]["flip"], document["train"]["ema"]) == (0.0, 20)
    assert document["model"] == {
        "condition": 1,
        "size": 16,
        "width": 6,
        "colors": ["red", "green", "blue"],
        "lr": 0.01,
        "optimizer": "adam",
        "noise": 0.1,
        "dropout": 0.1,
        "kill_at": 0,
    }


def test_figures_stand_in_the_table_the_json_and_the_card(finished, tmp_path):
    done = finished
    rows = list(csv.DictReader((tmp_path / "run/metrics.csv").open()))
    figures = {(int(r["images"]), r["name"]): float(r["value"]) for r in rows}
    assert len(figures) == len(rows)
    assert [images for images, name in figures if name == "loss/painter"] == [8, 16, 24, 32, 40, 48]
    for images in (8, 16, 24, 32, 40, 48):
        assert 0 <= figures[images, "waiting"] <= 1
        assert figures[images, "images_per_second"] > 0
    for score in done["scores"]:
        assert figures[score["images"], "val/psnr"] == pytest.approx(score["psnr"], rel=1e-5)
    card = (tmp_path / "run/README.md").read_text()
    best = max(done["scores"], key=lambda s: s["psnr"])
    assert re.search(rf"\| {best['images']} ← \|.* {best['psnr']:.4g} ", card)
    assert str(tmp_path) not in card


def test_validation_is_of_the_averaged_weights_on_fixed_pictures(trained, dataset, tmp_path):
    """The figures again, from the exported weights alone, with scikit-image."""
    done = trained("train.keep_best=0")
    baseline = tiny_model()
    exported = {key.removeprefix("painter."): t for key, t in load_file(done["weights"]).items()}
    baseline.painter.load_state_dict(exported)
    baseline.painter.eval()
    chosen = resolve(train.models.load(str(TINY)), (str(TINY), "default", str(dataset)), SETTINGS)
    _, loader = train._data(chosen, train.distributed.join("cpu"), train.sources.of(chosen, baseline))
    values = []
    for batch in loader.validation(3):
        with torch.no_grad():
            pairs = zip(batch.color, baseline.sample(batch, None), strict=True)
        values += [peak_signal_noise_ratio(t.numpy(), o.numpy(), data_range=2) for t, o in pairs]
    assert done["scores"][-1]["psnr"] == pytest.approx(sum(values) / 3, rel=1e-4)


def test_the_weights_are_those_of_the_best_validation(trained, tmp_path):
    done = trained("model.lr=0.3")
    best = max(done["scores"], key=lambda s: s["psnr"])["images"]
    with safe_open(done["weights"], "pt") as file:
        assert json.loads(file.metadata()["anidata"])["images"] == best
    kept = {int(p.stem) for p in (tmp_path / "run/checkpoints").iterdir()}
    assert kept == {best, 32, 48}


def test_a_finished_run_says_so_and_writes_nothing(trained, finished, tmp_path):
    before = files(tmp_path / "run")
    again = trained()
    assert (again["already"], again["images"], again["scores"]) == (True, 48, finished["scores"])
    after = files(tmp_path / "run")
    for name in (
        "recipe.toml",
        "model.safetensors",
        "metrics.csv",
        "README.md",
        "checkpoints/000000000048.safetensors",
        "environment.json",
    ):
        assert before[name] == after[name], name


def test_more_images_go_on_with_a_finished_run(trained, finished):
    more = trained("train.images=64")
    assert (more["already"], more["images"]) == (False, 64)
    assert [s["images"] for s in more["scores"]] == [16, 32, 48, 64]


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("train.batch=8", "was begun with train.batch = 4, not train.batch = 8"),
        ("model.lr=0.5", "was begun with model.lr = 0.01, not model.lr = 0.5"),
        ("train.augment.crop=1.0", "was begun with train.augment.crop = 0.7, not train.augment.crop = 1.0"),
    ],
)
def test_another_recipe_is_refused_by_the_name_of_its_setting(setting, message, trained, finished):
    remedy = r".*Give the same settings, or name a new RUN\. What may change: minutes, workers"
    with pytest.raises(RunError, match=re.escape(message) + remedy):
        trained(setting)


def test_another_preset_is_refused_too(trained, finished):
    message = r"model\.dropout = 0\.1, not model\.dropout = 0\.0 \(and \d+ more: .*preset"
    with pytest.raises(RunError, match=message):
        trained(words=["--preset", "plain"])


def test_what_may_change_changes(trained, finished, tmp_path):
    trained(
        "train.workers=1",
        "train.validate_every=48",
        "train.keep_best=2",
        "train.log_every=4",
        "train.images=52",
    )
    assert "workers = 1" in (tmp_path / "run/recipe.toml").read_text()


def test_another_data_set_is_refused_and_a_moved_one_is_not(finished, dataset, command, tmp_path):
    moved = tmp_path / "moved"
    shutil.copytree(dataset, moved)
    options = as_options(SETTINGS)
    assert command("train-baseline", TINY, moved, tmp_path / "run", "--json", *options)["already"]
    (moved / "manifest.json").write_text((moved / "manifest.json").read_text() + "\n")
    with pytest.raises(RunError, match="was begun on another data set"):
        command("train-baseline", TINY, moved, tmp_path / "run", *options)


def test_training_stops_early_where_nothing_gets_better(trained):
    settings = ("train.images=400", "train.validate_every=8", "model.lr=0")
    done = trained(*settings, "train.patience=2")
    assert done["reason"] == "2 validations without a better psnr"
    assert [s["images"] for s in done["scores"]] == [8, 16, 24]
    assert trained(*settings, "train.patience=2")["already"]
    more = trained(*settings, "train.patience=3")
    assert [s["images"] for s in more["scores"]] == [8, 16, 24, 32]


def test_best_and_stale_go_by_the_metric_s_own_direction():
    scores = [
        {"images": n, "psnr": p, "ciede2000": c}
        for n, p, c in ((1, 10.0, 9.0), (2, 12.0, 9.0), (3, 12.0, 8.0), (4, 11.0, 9.5))
    ]
    assert validation.best(scores, "psnr", 2) == [2, 3]  # the earlier of equals
    broken = [{"images": 1, "psnr": float("nan")}, {"images": 2, "psnr": 3.0}]
    assert validation.best(broken, "psnr", 2) == [2, 1]
    assert validation.best(scores, "ciede2000", 1) == [3]
    assert validation.stale(scores, "psnr") == 2
    assert validation.stale(scores, "ciede2000") == 1
    assert validation.stale([], "psnr") == 0


def test_a_limit_of_minutes_ends_training(trained, monkeypatch):
    clock = iter(range(0, 10_000_000, 10))
    # ten seconds between one look at it and the next
    monkeypatch.setattr("anidata.training.loop.time.perf_counter", lambda: float(next(clock)))
    done = trained("train.minutes=2")
    assert done["reason"] == "2 minutes are over"
    assert done["images"] < 48
    assert done["scores"][-1]["images"] == done["images"]
    assert trained("train.minutes=2")["already"]


def test_init_says_what_fits_and_starts_from_it(trained, finished):
    second = trained("model.width=6", words=["--init", finished["run"]], name="second")
    assert second["init"].startswith(
        "1 of 7 tensors fit; of another shape: painter.0.weight ([8, 1, 3, 3], here [6, 1, 3, 3])"
    )
    third = trained("model.lr=0", "train.ema=0", words=["--init", finished["weights"]], name="third")
    assert third["init"].startswith("4 of 7 tensors fit; not in it: critic.judge.weight")
    ours, theirs = (load_file(d["weights"]) for d in (third, finished))
    assert all(torch.equal(ours[k], theirs[k]) for k in theirs)


def test_a_training_without_validation_exports_the_last_weights(trained, tmp_path):
    done = trained("train.validate_every=0")
    assert done["scores"] == []
    assert "there are no figures" in (tmp_path / "run/README.md").read_text()
    with safe_open(done["weights"], "pt") as file:
        assert json.loads(file.metadata()["anidata"])["images"] == 48


@pytest.mark.parametrize(
    ("settings", "words", "error", "message"),
    [
        (["train.imags=3"], [], RecipeError, r"\[train\] imags: no such setting\. Did you mean 'images'\?"),
        (["modell.lr=3"], [], RecipeError, r"--set modell\.….*Did you mean 'model'\?"),
        (["model.widht=3"], [], RecipeError, r"\[model\] widht: no such setting\. Did you mean 'width'\?"),
        (["model.size=64"], [], RecipeError, r"train\.size"),
        (
            ["train.batch=6", "train.accumulate=4"],
            [],
            RecipeError,
            r"train\.batch = 6 can't be dealt out evenly .*--set train\.batch=8",
        ),
        (["train.metric=pnsr"], [], UnknownPart, r"metrics: there is no 'pnsr'\. Did you mean 'psnr'\?"),
        (
            ['train.conditions=["linart"]'],
            [],
            RecipeError,
            r"there is no 'linart'\. Did you mean 'lineart'\?",
        ),
        (["train.validation=vall"], [], Exception, r"val"),
        ([], ["--preset", "plan"], UnknownPart, r"no preset 'plan'\. Did you mean 'plain'\?"),
        ([], ["--init", "nowhere"], RunError, r"nowhere: there is no such run or file"),
    ],
)
def test_a_wrong_word_is_answered_with_the_right_one(settings, words, error, message, trained):
    with pytest.raises(error, match=message):
        trained(*settings, words=words)


def test_a_wrong_word_leaves_no_folder_behind(trained, tmp_path):
    with pytest.raises(RecipeError):
        trained("train.imags=3")
    assert not (tmp_path / "run").exists()


def test_what_is_no_data_set_is_told(command, tmp_path):
    with pytest.raises(WorkspaceError, match="is no data set"):
        command("train-baseline", TINY, tmp_path, tmp_path / "run")


@pytest.mark.skipif(torch.cuda.is_available(), reason="a GPU is here")
def test_no_gpu_where_one_is_asked_for(command, dataset, tmp_path):
    with pytest.raises(TrainingError, match=r"--device cuda: PyTorch sees no GPU here.*Use --device cpu"):
        command("train-baseline", TINY, dataset, tmp_path / "run", "--device", "cuda")


def test_a_folder_with_other_things_in_it_is_left_alone(trained, tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run/thesis.txt").write_text("mine")
    with pytest.raises(RunError, match=r"has files in it and is no run\. Name a new or empty folder"):
        trained()
    assert [p.name for p in (tmp_path / "run").iterdir()] == ["thesis.txt"]


def test_a_run_in_use_is_told_with_its_holder(trained, finished, tmp_path):
    message = rf"is in use by process {os.getpid()}"
    with held(tmp_path / "run", lambda: None), pytest.raises(Locked, match=message):
        trained("train.images=96")


def test_a_damaged_checkpoint_is_told_and_the_one_before_goes_on(trained, finished, tmp_path):
    latest = tmp_path / "run/checkpoints/000000000048.safetensors"
    latest.write_bytes(latest.read_bytes()[:500])
    message = r"000000000048\.safetensors can't be read .*Delete it: training goes on from the one before"
    with pytest.raises(RunError, match=message):
        trained("train.images=64")
    latest.unlink()
    assert trained("train.images=64")["images"] == 64


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_finishes_the_step_and_keeps_everything(number, trained, original, monkeypatch, tmp_path):
    batches = Loader.batches

    def signaled(self, start=0):
        for n, batch in enumerate(batches(self, start)):
            if n == 4:
                os.kill(os.getpid(), number)
            yield batch

    with monkeypatch.context() as patch:
        patch.setattr(Loader, "batches", signaled)
        message = r"stopped after 20 images, all of it kept\. The same command goes on"
        with pytest.raises(Interrupted, match=message):
            trained()
    assert [p.stem for p in sorted((tmp_path / "run/checkpoints").iterdir())][-1] == "000000000020"
    done = trained()
    assert same_weights(original[1], done)


def same_weights(one, other):
    return Path(one["weights"]).read_bytes() == Path(other["weights"]).read_bytes()


WITHOUT_TORCH = "import sys; sys.modules['torch'] = None; from anidata.cli.entry import main; main()"


def test_training_without_torch_says_what_to_install(dataset, tmp_path):
    words = ["train-baseline", "gan", str(dataset), str(tmp_path / "run")]
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_TORCH, *words],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 4
    assert done.stderr.strip() == (
        "MissingExtra: training needs torch, which isn't installed. "
        "Install it with: pip install 'anidata[train]'"
    )


@pytest.mark.parametrize(
    ("registry", "some"), [("models", {"autoencoder"}), ("metrics", {"psnr", "ssim", "ciede2000"})]
)
def test_models_and_metrics_are_listed_without_torch(registry, some):
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_TORCH, "list", registry, "--json"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    titles = json.loads(done.stdout)
    assert set(titles) >= some
    assert all(title and "\n" not in title for title in titles.values())
