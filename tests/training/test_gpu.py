"""What only a GPU can show, run by `make gpu`.

Mixed precision, channels_last, compiled networks, resume and several GPUs on CUDA.
"""

import os
import socket
import subprocess
import sys

import pytest
import torch
from safetensors.torch import load_file

from anidata import registry
from anidata.training import models
from anidata.training.distributed import Processes
from anidata.training.loop import State, prepare
from anidata.training.loop import train as steps
from training_lab import TINY, as_options, batches, config, same, tiny, weights
from training_lab import run as train_into

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device and a CUDA build of torch"),
]
SETTINGS = (
    "train.images=48",
    "train.validate_every=16",
    "train.checkpoint_every=8",
    "train.ema=20",
    "train.workers=1",
)
LAST = "checkpoints/000000000048.safetensors"


@pytest.fixture
def gpu():
    return Processes(torch.device("cuda"))


def trained(baseline, settings, team):
    prepare(baseline, settings, team)
    return list(steps(baseline, batches(settings.batch), settings, State(), team))


def floating(baseline):
    return {k: t.cpu() for k, t in weights(baseline).items() if t.is_floating_point()}


@pytest.fixture
def full_precision():
    """No TF32, which keeps ten of a float's 23 bits."""
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("highest")
    with torch.backends.cudnn.flags(enabled=True, allow_tf32=False):
        yield
    torch.set_float32_matmul_precision(before)


@pytest.mark.usefixtures("full_precision")
def test_a_gpu_trains_as_a_cpu_does(gpu):
    here, there = tiny("plain", optimizer="sgd"), tiny("plain", optimizer="sgd")
    trained(here, config(), Processes(torch.device("cpu")))
    trained(there, config(), gpu)
    assert same(floating(here), floating(there), atol=1e-4)


@pytest.mark.parametrize(
    "settings",
    [
        {"precision": "bf16"},
        {"precision": "bf16", "channels_last": True},
        {"channels_last": True},
        {"compile": True},
    ],
)
def test_faster_ways_come_to_nearly_the_same(settings, gpu):
    plain, fast = tiny("plain", optimizer="sgd"), tiny("plain", optimizer="sgd")
    trained(plain, config(), gpu)
    trained(fast, config(**settings), gpu)
    assert all(t.dtype == torch.float32 for t in floating(fast).values())
    assert same(floating(plain), floating(fast), atol=0.1)


@pytest.mark.parametrize("name", registry.names("models"))
def test_each_family_trains_in_bf16_and_channels_last_compiled(name, gpu):
    torch.manual_seed(0)
    baseline = models.build(models.load(name), "smoke", {}, 1, 64)
    settings = config(size=64, precision="bf16", channels_last=True, compile=True, images=16)
    prepare(baseline, settings, gpu)
    big = (type(b)(*(t.repeat(1, 1, 4, 4) for t in (b.color, b.condition))) for b in batches(4))
    done = list(steps(baseline, big, settings, State(), gpu))
    assert all(torch.isfinite(loss) for s in done for loss in s.losses.values())
    assert not any(s.skipped for s in done)


def test_a_run_resumes_on_a_gpu(dataset, tmp_path):
    def go(name, *more):
        return train_into(dataset, tmp_path / name, (*SETTINGS, *more), device="cuda")

    go("whole")
    go("halves", "train.images=24")
    go("halves")
    whole, halves = (load_file(tmp_path / name / LAST) for name in ("whole", "halves"))
    assert same(whole, halves, atol=1e-4, rtol=1e-3)


def test_a_run_begun_on_a_gpu_goes_on_on_a_cpu(dataset, tmp_path):
    for device, images in (("cuda", 24), ("cpu", 48)):
        settings = (*SETTINGS, f"train.images={images}")
        assert train_into(dataset, tmp_path / "run", settings, device=device).images == images


def test_memory_does_not_grow(gpu):
    baseline, settings = tiny(), config(images=400)
    prepare(baseline, settings, gpu)
    used = {
        s.images: torch.cuda.memory_allocated() for s in steps(baseline, batches(), settings, State(), gpu)
    }
    assert used[400] == used[200]


@pytest.mark.skipif(torch.cuda.device_count() < 2, reason="needs two GPUs")
def test_two_gpus_train_one_run(dataset, tmp_path):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    settings = (*SETTINGS, "train.size=16", "train.batch=4")
    command = [sys.executable, "-m", "anidata", "train-baseline", str(TINY), str(dataset)]
    words = [*command, str(tmp_path / "run"), "--preset", "plain", *as_options(settings)]
    common = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "WORLD_SIZE": "2", "LOCAL_WORLD_SIZE": "2"}
    ranks = [{"RANK": str(n), "LOCAL_RANK": str(n)} for n in range(2)]
    both = [subprocess.Popen(words, env=os.environ | common | rank) for rank in ranks]
    assert [p.wait(timeout=300) for p in both] == [0, 0]
    train_into(dataset, tmp_path / "one", settings, preset="plain", device="cuda")
    ours, theirs = (load_file(tmp_path / name / LAST) for name in ("run", "one"))
    assert same(ours, theirs, atol=1e-3, rtol=1e-2)
