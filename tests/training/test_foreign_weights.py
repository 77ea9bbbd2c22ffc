"""Weights that others have made are used to the last tensor, or refused by name; a user's file stays."""

import hashlib
import re
import subprocess
import sys

import numpy as np
import pytest
import torch
from diffusers import UNet2DConditionModel
from safetensors.torch import load_file, save_file
from test_losses import picture, vgg
from torch import nn

import weights_lab
from anidata.errors import RecipeError, RunError
from anidata.training import foreign, losses, weights
from anidata.training.extractors import lpips_vgg16
from anidata.training.losses import Comparison, Features, Weights
from anidata.training.run import weights as run_weights
from training_lab import run, tiny

DELETION = re.compile(r"\b(delete|remove|erase)\b", re.IGNORECASE)


def vgg_bn():
    """As torchvision's vgg11_bn begins: convolution, batch norm, ReLU, pooling."""
    layers = []
    for entering, width in ((3, 4), (4, 6)):
        conv = nn.Conv2d(entering, width, 3, padding=1)
        layers += [conv, nn.BatchNorm2d(width), nn.ReLU(), nn.MaxPool2d(2)]
    return nn.Sequential(*layers).state_dict()


def changed(**tensors):
    return {**vgg(), **{f"features.{name.replace('_', '.')}": t for name, t in tensors.items()}}


def lacking(name):
    return {key: t for key, t in vgg().items() if key != name}


WRONG = {
    "batch norm": (
        vgg_bn(),
        r"1\.running_mean: it has batch norm; take the VGG without: vgg16, not vgg16_bn",
    ),
    "folded statistics": (changed(**{"1_scale": torch.ones(4)}), r"1\.scale: none of a VGG"),
    "a head": ({**vgg(), "classifier.0.weight": torch.ones(2, 2)}, r"classifier\.0\.weight: none of a VGG"),
    "no bias": (lacking("features.2.bias"), r"2\.weight: none of a VGG"),
    "no weight": (lacking("features.5.weight"), r"5\.weight: missing"),
    "no first": (
        {k: t for k, t in vgg().items() if not k.startswith("features.0.")},
        r"2\.weight: no convol",
    ),
    "an alexnet": (
        changed(**{"0_weight": torch.ones(4, 3, 11, 11)}),
        r"0\.weight is \[4, 3, 11, 11\], where",
    ),
    "a wider layer": (
        changed(**{"2_weight": torch.ones(9, 4, 3, 3), "2_bias": torch.ones(9)}),
        r"2\.weight is",
    ),
    "whole numbers": (changed(**{"0_bias": torch.ones(4, dtype=torch.int8)}), r"0\.bias holds int8"),
    "nan": (changed(**{"2_bias": torch.full((4,), torch.nan)}), r"2\.bias has values that aren't finite"),
}


@pytest.mark.parametrize("kind", WRONG)
def test_weights_of_no_plain_vgg_are_refused_by_name(kind, tmp_path):
    weights, message = WRONG[kind]
    path = tmp_path / "foreign.safetensors"
    save_file({name: t.contiguous() for name, t in weights.items()}, path)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    with pytest.raises(RecipeError, match=rf"not the weights of a VGG in safetensors \({message}"):
        Comparison(Weights(style=1.0, features=str(path), sha256=digest))


def test_every_tensor_of_a_vgg_that_is_looked_through_matters():
    seen = [f.clone() for f in Features(vgg())(picture(1))]
    for name in vgg():
        other = {key: t + (key == name) for key, t in vgg().items()}
        moved = Features(other)(picture(1))
        assert not torch.allclose(moved[-1], seen[-1]), name


def pickled(path):
    torch.save({"state_dict": {"painter.0.bias": torch.full((8,), 3.0)}, "epoch": 4}, path)


def old_pickle(path):
    torch.save({"painter.0.bias": torch.full((8,), 3.0)}, path, _use_new_zipfile_serialization=False)


MADE = {
    "w.pt": (pickled, "a pickle, as torch.save writes them"),
    "w.ckpt": (old_pickle, "a pickle, as torch.save writes them"),
    "w.safetensors": (pickled, "a pickle, as torch.save writes them"),
    "w.npz": (lambda path: np.savez(path, a=np.ones(3)), "a file of numpy's arrays"),
    "w.h5": (lambda path: path.write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(50)), "an HDF5 file"),
    "w.gguf": (lambda path: path.write_bytes(b"GGUF" + bytes(50)), "a GGUF file"),
    "model.safetensors": (
        lambda path: path.write_bytes(b"<html>404</html>"),
        "a web page in place of the wei",
    ),
    "000000000008.safetensors": (lambda path: path.write_bytes(b"cut"), "Get it anew where it came from"),
}


@pytest.mark.parametrize("name", MADE)
def test_no_file_of_the_users_is_called_for_deletion_but_told_what_it_is(name, tmp_path):
    make, message = MADE[name]
    path = tmp_path / name
    make(path)
    before = path.read_bytes()
    with pytest.raises(RunError, match=message) as init:
        run_weights.start_from(path, tiny())
    digest = hashlib.sha256(before).hexdigest()
    with pytest.raises(RecipeError, match=r"not the weights of a VGG in safetensors") as loss:
        Comparison(Weights(style=1.0, features=str(path), sha256=digest))
    for caught in (init, loss):
        assert not DELETION.search(str(caught.value))
    assert path.read_bytes() == before


@pytest.mark.parametrize("make", [pickled, old_pickle])
def test_the_command_that_converts_a_pickle_is_typed_as_it_stands(make, tmp_path):
    path = tmp_path / "it's mine.pt"
    make(path)
    with pytest.raises(RunError) as caught:
        run_weights.start_from(path, tiny())
    command = re.search(r"Convert it: (.*); then name (.*)", str(caught.value))
    words = command[1].replace("python", sys.executable, 1)
    subprocess.run(["sh", "-c", words], check=True, timeout=120)
    assert command[2] == str(tmp_path / "it's mine.safetensors")
    assert list(load_file(command[2])) == ["painter.0.bias"]
    target = tiny()
    assert run_weights.start_from(tmp_path / "it's mine.safetensors", target).fitted == ("painter.0.bias",)
    assert target.painter[0].bias.tolist() == [3.0] * 8


@pytest.mark.parametrize(
    ("bias", "message"),
    [
        (torch.ones(8, dtype=torch.int8), r"painter\.0\.bias holds int8, no weights in floating point"),
        (torch.full((8,), torch.inf), r"painter\.0\.bias has values that aren't finite"),
    ],
)
def test_weights_to_start_from_that_cant_be_weights_are_refused_and_nothing_moves(bias, message, tmp_path):
    save_file({"painter.0.bias": bias}, tmp_path / "w.safetensors")
    target = tiny()
    before = target.painter[0].bias.clone()
    with pytest.raises(RunError, match=message):
        run_weights.start_from(tmp_path / "w.safetensors", target)
    assert torch.equal(target.painter[0].bias, before)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda w: w.pop("mid_block.resnets.0.conv1.bias"), r"mid_block\.resnets\.0\.conv1\.bias is missing"),
        (lambda w: w.update({"lora.up": torch.ones(2)}), r"lora\.up is none of this network"),
        (lambda w: w["conv_out.bias"].fill_(torch.nan), r"conv_out\.bias has values that aren't finite"),
    ],
)
def test_a_unet_of_others_is_used_whole_or_refused_by_name(spoil, message, built, stable, tmp_path):
    given = UNet2DConditionModel.from_pretrained(stable["unet"], use_safetensors=True, local_files_only=True)
    given.save_pretrained(tmp_path / "unet")
    path = tmp_path / "unet/diffusion_pytorch_model.safetensors"
    tensors = load_file(path)
    spoil(tensors)
    save_file(tensors, path, {"format": "pt"})
    with pytest.raises(RecipeError, match=rf"model\.unet: .*{message}"):
        built("diffusion", "latent", unet=str(tmp_path / "unet"))


def test_a_folder_of_pickles_is_told_how_to_convert_them(built, stable, tmp_path):
    given = UNet2DConditionModel.from_pretrained(stable["unet"], use_safetensors=True, local_files_only=True)
    given.save_pretrained(tmp_path / "unet", safe_serialization=False)
    with pytest.raises(
        RecipeError, match=r"holds no UNet2DConditionModel in safetensors.* Convert it: python"
    ):
        built("diffusion", "latent", unet=str(tmp_path / "unet"))


def test_a_file_of_nothing_known_has_no_kind(tmp_path):
    (tmp_path / "w").write_bytes(b"")
    assert foreign.kind(tmp_path / "w") == ""
    assert foreign.kind(tmp_path / "nowhere") == ""


# --- LPIPS's VGG16 as it is converted ----------------------------------------------------------------


@pytest.fixture
def lpips_vgg(tmp_path, monkeypatch):
    """A small one's converted file, and the same tensors without its linear layers."""
    data = weights_lab.pickled(weights_lab.vgg16())
    weights_lab.pin(monkeypatch, "lpips_vgg16", ("a.ckpt", data, "pickle", ""))
    (tmp_path / "a.ckpt").write_bytes(data)
    (done,) = weights.convert(tmp_path / "a.ckpt", tmp_path / "converted")
    return done.path, {k: t for k, t in load_file(done.path).items() if k.startswith("features.")}


def test_lpips_vgg_serves_the_perceptual_loss_and_its_linear_layers_are_left_aside(lpips_vgg):
    path, own = lpips_vgg
    features = Features(load_file(path))
    for one, other in zip(features(picture(1)), Features(own)(picture(1)), strict=True):
        assert torch.equal(one, other)
    chosen = {"features": str(path), "sha256": hashlib.sha256(path.read_bytes()).hexdigest()}
    total, terms = Comparison(Weights(perceptual=1, style=1, **chosen))(picture(1), picture(2))
    assert total > 0
    assert set(terms) == {"perceptual", "style"}


def test_the_loss_and_the_metric_look_through_the_same_activations(lpips_vgg):
    path, _ = lpips_vgg
    network = lpips_vgg16.build(load_file(path))
    # ImageNet's mean and deviation, which LPIPS rounds to three digits
    for one, other in zip(Features(load_file(path))(picture(1)), network(picture(1)), strict=False):
        assert (one - other).norm() < 0.01 * other.norm()


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"linear.2.weight": None}, r"linear\.2\.weight: missing"),
        ({"linear.0.weight": torch.ones(5)}, r"linear\.0\.weight is \[5\], where this VGG has \[4\]"),
        ({"linear.0.weight": torch.ones(1, 4, 1, 1)}, r"linear\.0\.weight is \[1, 4, 1, 1\], where"),
        ({"linear.5.weight": torch.ones(8)}, r"linear\.5\.weight: none of a VGG"),
        (
            {"linear.4.weight": torch.full((8,), torch.nan)},
            r"linear\.4\.weight has values that aren't finite",
        ),
    ],
)
def test_linear_layers_that_arent_its_own_are_refused_by_name(lpips_vgg, change, why):
    changed = {k: t for k, t in {**load_file(lpips_vgg[0]), **change}.items() if t is not None}
    with pytest.raises(ValueError, match=why):
        Features(changed)


@pytest.mark.parametrize("form", ["a.ckpt", "a.tar.gz"])
def test_a_known_file_that_isnt_converted_is_told_the_command(tmp_path, monkeypatch, form):
    data = weights_lab.pickled(weights_lab.vgg16())
    data = data if form == "a.ckpt" else weights_lab.package({"vgg16.ckpt": data})
    weights_lab.pin(monkeypatch, "lpips_vgg16", (form, data, "pickle", ""))
    (tmp_path / form).write_bytes(data)
    with pytest.raises(
        RecipeError, match=rf"anidata weights convert \S+{form}; then set model.loss.features"
    ):
        losses.load_features(str(tmp_path / form), "")
    assert (tmp_path / form).read_bytes() == data


def test_a_training_goes_by_lpips_vgg(lpips_vgg, dataset, tmp_path, one_thread):
    path, _ = lpips_vgg
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    settings = ["train.images=16", "train.batch=4", "train.size=32", "train.workers=0", "train.log_every=8"]
    settings += ["model.channels=[4,8]", "model.loss.l1=0", "model.loss.perceptual=1"]
    settings += [f"model.loss.features={path}", f"model.loss.sha256={digest}"]
    run(dataset, tmp_path / "run", settings, model="autoencoder", preset="smoke")
    rows = [line.split(",") for line in (tmp_path / "run/metrics.csv").read_text().splitlines()]
    values = [float(value) for _, name, value in rows[1:] if name == "loss/perceptual"]
    assert values
    assert all(0 < value < np.inf for value in values)
    wrong = [one.replace(digest, "0" * 64) for one in settings]
    with pytest.raises(RecipeError, match=f"its SHA-256 is {digest}, not {'0' * 64}"):
        run(dataset, tmp_path / "other", wrong, model="autoencoder", preset="smoke")
