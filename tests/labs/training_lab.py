"""Shared by the tests of training: a data set of small drawings, batches by chance, the tiny model.

And a training in a few words.
"""

from pathlib import Path

import pytest
import torch
from typer.testing import CliRunner

import anidata.cli.entry
from anidata.training import models, train
from anidata.training.baseline import Batch
from anidata.training.config import Config
from drawings import drawing, save
from inline import Inline

TINY = Path(__file__).with_name("tiny_model.py")
SIDE = 16
torch.set_num_threads(1)  # tests run side by side, on nets for which a second thread is only in the way


def make_dataset(folder):
    """Twelve drawings of 32 px with their lines: 8 to train on, 3 to validate with, 1 to test with."""
    for n in range(12):
        save(folder / f"pile/{n:02d}.png", drawing(n, 64, 64))
    settings = ["clean.min_side=32", "clean.min_sharpness=0", "lineart.size=32", "shard.splits.val=0.3"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("anidata.engine.engine.Engine", Inline)
        words = ["run", "quickstart", folder / "work", folder / "pile", *as_options(settings)]
        done = CliRunner().invoke(anidata.cli.entry.app, [str(w) for w in words], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return folder / "work/dataset"


def as_options(settings):
    """Settings as words of a command line: --set each."""
    return [word for setting in settings for word in ("--set", setting)]


def run(dataset, folder, settings, *, model=TINY, preset="default", device="cpu"):
    """Train into a folder, as the command does; the outcome."""
    order = train.Order(
        baseline=str(model),
        dataset=str(dataset),
        run=folder,
        preset=preset,
        settings=settings,
        device=device,
    )
    return train.run(order)


def tiny(preset="default", seed=0, **settings):
    """The tiny model, with first weights drawn from a seed."""
    torch.manual_seed(seed)
    return models.build(models.load(str(TINY)), preset, settings, 1, SIDE)


def batches(size=4, seed=0, start=0, ranks=1, rank=0):
    """Batches without end, of `size` pictures in all processes; a batch is a function of its number."""
    number = start // size
    while True:
        generator = torch.Generator().manual_seed(1000 * seed + number)
        color = torch.rand(size, 3, SIDE, SIDE, generator=generator) * 2 - 1
        part = slice(rank * size // ranks, (rank + 1) * size // ranks)
        yield Batch(color[part], color.mean(1, keepdim=True)[part])
        number += 1


def config(**settings):
    return Config(**{"images": 24, "batch": 4, "size": SIDE, "clip": 0.0, "ema": 0, "workers": 0, **settings})


def weights(baseline):
    """All weights and buffers, copied."""
    return {
        f"{n}.{k}": t.clone()
        for n, network in baseline.networks.items()
        for k, t in network.state_dict().items()
    }


def same(one, other, **tolerance):
    """Whether two lots of tensors are equal, to the bit unless told otherwise."""
    close = torch.allclose if tolerance else torch.equal
    return one.keys() == other.keys() and all(close(one[k], other[k], **tolerance) for k in one)
