"""A training that diverges keeps its last finite weights, and names none that don't exist."""

import re
from itertools import count

import pytest
import torch
from safetensors.torch import load_file

from anidata.errors import Diverged
from anidata.training.baseline import Batch
from anidata.training.data.loader import Loader
from anidata.training.loop import Updater
from training_lab import run as trained

SETTINGS = ("train.images=80", "train.max_skipped=3", "train.log_every=8")


@pytest.fixture
def broken(monkeypatch):
    """Colors that aren't numbers from the nth batch on."""

    def begin(number):
        batches = Loader.batches

        def spoiled(self, start=0):
            for n, batch in zip(count(start // 4), batches(self, start), strict=False):
                color = batch.color * torch.nan if n >= number else batch.color
                yield Batch(color, batch.condition, batch.keys)

        monkeypatch.setattr(Loader, "batches", spoiled)

    return begin


def test_the_last_finite_weights_are_kept_and_training_starts_from_them(
    broken, dataset, tmp_path, monkeypatch
):
    broken(4)
    with pytest.raises(Diverged) as caught:
        trained(dataset, tmp_path / "a run", (*SETTINGS, "train.validate_every=0", "train.ema=0"))
    said = re.search(r"--init '(.*)' starts it from those after (\d+) images\.", str(caught.value))
    assert (said[1], said[2]) == (str(tmp_path / "a run"), "28")  # 16 sound ones, 12 that moved nothing
    kept = load_file(tmp_path / "a run/model.safetensors")
    assert all(torch.isfinite(t.float()).all() for t in kept.values())
    monkeypatch.undo()
    trained(dataset, tmp_path / "sound", ("train.images=16", "train.validate_every=0", "train.ema=0"))
    sound = load_file(tmp_path / "sound/model.safetensors")
    assert all(torch.equal(kept[name], sound[name]) for name in sound)
    again = trained(dataset, tmp_path / "new", (*SETTINGS, f"train.init={said[1]}", "train.validate_every=0"))
    assert "tensors fit" in again.init
    assert again.images == 80


def test_a_run_that_was_never_finite_names_no_weights(dataset, tmp_path, monkeypatch):
    def spoiling(self, loss, name):
        with torch.no_grad():
            next(iter(self.baseline.networks.values()))[0].bias.fill_(torch.nan)
        self.broken.add(name)

    monkeypatch.setattr(Updater, "__call__", spoiling)
    with pytest.raises(Diverged) as caught:
        trained(dataset, tmp_path / "run", SETTINGS)
    assert "There are no finite weights of this run to start from." in str(caught.value)
    assert "--init" not in str(caught.value)
    assert not (tmp_path / "run/model.safetensors").exists()
    assert not list((tmp_path / "run/checkpoints").glob("*"))


def test_weights_that_are_not_finite_do_not_take_the_place_of_those_that_are(dataset, tmp_path, monkeypatch):
    call, calls = Updater.__call__, []

    def spoiling(self, loss, name):
        call(self, loss, name)
        calls.append(name)
        if len(calls) == 14:  # in the seventh of ten steps
            with torch.no_grad():
                self.baseline.networks["painter"][0].weight[0] = torch.inf

    monkeypatch.setattr(Updater, "__call__", spoiling)
    settings = ("train.images=40", "train.checkpoint_every=8", "train.validate_every=0", "train.ema=0")
    with pytest.raises(
        Diverged, match=r"after 32 images painter\.0\.weight has values that aren't finite"
    ) as caught:
        trained(dataset, tmp_path / "run", (*settings, "train.max_skipped=20"))
    assert "starts it from those after 24 images." in str(caught.value)
    written = sorted(path.name for path in (tmp_path / "run/checkpoints").iterdir())
    assert written == ["000000000016.safetensors", "000000000024.safetensors"]
