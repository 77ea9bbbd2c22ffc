"""The network in benchmarks/lines/net: its loss in closed form, resuming, and the file that is shipped."""

import hashlib
import math
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

from lines.net import export, onnx_file, train  # noqa: E402
from lines.net.loss import loss, tversky  # noqa: E402
from lines.net.model import WIDTHS, built, parameters  # noqa: E402

SIDE = 512


def weights_of(widths, seed=0):
    return {name: p.numpy() for name, p in built(WIDTHS[widths], seed).state_dict().items()}


def test_the_loss_of_no_opinion_is_twice_ln_2_and_the_index():
    zero, ink = torch.zeros(1, 1, 4, 4), torch.zeros(1, 1, 4, 4)
    ink[..., :2] = 1
    one = torch.ones_like(ink)
    # of 16 pixels 8 are ink: TP 4, FP 4, FN 4; with α .4 and β .6 the index is 5 / (4 + 1.6 + 2.4 + 1)
    assert loss(zero, ink, one, 0.0).item() == pytest.approx(2 * math.log(2) + 0.5 * (1 - 5 / 9))


@pytest.mark.parametrize(("progress", "false", "missed"), [(0.0, 0.4, 0.6), (0.6, 0.4, 0.6), (0.7, 0.5, 0.5)])
def test_false_and_missed_ink_weigh_the_same_in_the_last_third(progress, false, missed):
    ink = torch.tensor([1.0, 1.0, 0.0, 0.0])
    drawn = torch.tensor([1.0, 0.0, 1.0, 1.0])
    expected = 1 - 2 / (1 + 2 * false + missed + 1)
    assert tversky(drawn, ink, torch.ones(4), progress).item() == pytest.approx(expected)


def test_pixels_without_weight_are_not_learned_from():
    logits, ink = torch.randn(1, 1, 4, 4), torch.ones(1, 1, 4, 4)
    weight = torch.zeros(1, 1, 4, 4)
    weight[..., 0, 0] = 1
    before = loss(logits, ink, weight, 0.0)
    logits[..., 2:, :] = 50
    assert torch.equal(before, loss(logits, ink, weight, 0.0))


def test_the_rate_rises_and_falls():
    assert train.rate(0, 1000) == pytest.approx(train.RATE / train.WARM)
    assert train.rate(500, 1000) == pytest.approx(train.RATE / 2)
    assert train.rate(999, 1000) < 1e-4 * train.RATE


@pytest.mark.parametrize(("widths", "count"), [("small", 48220), ("middle", 88364), ("large", 92548)])
def test_the_parameters_are_as_many_as_stated(widths, count):
    assert parameters(built(WIDTHS[widths], 0)) == count


def test_a_new_network_draws_little():
    with torch.no_grad():
        drawn = torch.sigmoid(built(WIDTHS["middle"], 0)(torch.rand(1, 3, 64, 64)))
    assert drawn.mean() < 0.2


@pytest.mark.parametrize("widths", list(WIDTHS))
def test_both_runtimes_give_what_torch_gives(widths):
    weights = weights_of(widths, seed=7)
    apart = export.differences(onnx_file.model(weights, {"widths": widths}), export.by_torch(weights, widths))
    assert set(apart) == {"cv2", "onnxruntime"}
    assert max(apart.values()) <= export.EQUAL


def test_the_same_weights_give_the_same_bytes():
    made = {
        hashlib.sha256(onnx_file.model(weights_of("small"), {"b": "1", "a": "2"})).digest() for _ in range(3)
    }
    assert len(made) == 1


def _data(folder):
    rng = np.random.default_rng(0)
    page = np.zeros((2, SIDE, SIDE, 5), np.uint8)
    page[..., :3], page[..., 4] = (200, 150, 90), 255
    for n in range(2):
        ink = cv2.circle(np.zeros((SIDE, SIDE), np.uint8), (256, 256), 150 + 20 * n, 255, 3)
        page[n, ..., 3] = ink
    for name in ("pairs", "scenes", "sprites"):
        np.save(folder / f"{name}.npy", page)
    np.save(folder / "grounds.npy", rng.integers(0, 256, (2, SIDE, SIDE, 3)).astype(np.uint8))


def _train(data, folder, until=None):
    training = train.Training("small", 5, 6, "cpu")
    training.load(folder)
    for batch in train.batches_of(training, data, workers=0):
        training.learn(*batch)
        if training.step == until:
            break
    training.save(folder)
    return (folder / "weights.safetensors").read_bytes()


def test_a_training_that_was_interrupted_ends_as_one_that_was_not(tmp_path):
    torch.set_num_threads(1)
    _data(tmp_path)
    runs = [tmp_path / name for name in ("through", "broken")]
    for folder in runs:
        folder.mkdir()
    through = _train(tmp_path, runs[0])
    half = _train(tmp_path, runs[1], until=3)
    assert half != through
    assert _train(tmp_path, runs[1]) == through


def test_a_folder_of_another_training_is_refused(tmp_path):
    train.Training("small", 5, 6, "cpu").save(tmp_path)
    with pytest.raises(SystemExit, match="Choose another folder"):
        train.Training("small", 6, 6, "cpu").load(tmp_path)


@pytest.mark.slow
def test_the_commands_train_and_export(tmp_path):
    _data(tmp_path)
    folder = Path(train.__file__).parent
    command = [sys.executable, str(folder / "train.py"), str(tmp_path), str(tmp_path / "run")]
    options = ["--widths", "small", "--steps", "4", "--workers", "0"]
    subprocess.run([*command, *options], check=True)
    out = tmp_path / "net.onnx"
    exported = [
        sys.executable,
        str(folder / "export.py"),
        str(tmp_path / "run/weights.safetensors"),
        str(out),
    ]
    printed = subprocess.run([*exported], check=True, capture_output=True, text=True).stdout
    assert hashlib.sha256(out.read_bytes()).hexdigest() in printed
    assert '"steps": "4"' in printed


@pytest.mark.parametrize("widths", list(WIDTHS))
def test_tiles_that_overlap_by_96_px_join_without_a_seam(widths):
    whole = torch.rand(1, 3, 240, 352, generator=torch.Generator().manual_seed(0))
    net = built(WIDTHS[widths], 3)
    with torch.no_grad():
        expected = torch.sigmoid(net(whole))
        left, right = torch.sigmoid(net(whole[..., :272])), torch.sigmoid(net(whole[..., 80:]))
    joined = torch.cat([left[..., :176], right[..., 96:]], 3)
    assert (joined - expected).abs().max() < 1e-6
