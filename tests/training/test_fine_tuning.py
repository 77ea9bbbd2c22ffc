"""Frozen weights stay to the bit, others move at a share of the rate, and both resume."""

import pytest
import torch
from safetensors.torch import load_file

from anidata.errors import RecipeError
from anidata.training import optimizers
from training_lab import run as trained
from training_lab import tiny, weights

SETTINGS = ("train.images=24", "train.validate_every=0", "train.ema=0", "train.checkpoint_every=24")


def checkpoint(dataset, folder, *settings, images=24):
    trained(dataset, folder, (*SETTINGS, f"train.images={images}", *settings))
    return load_file(folder / f"checkpoints/{images:012d}.safetensors")


def networks(tensors):
    return {n.removeprefix("networks."): t for n, t in tensors.items() if n.startswith("networks.")}


@pytest.mark.parametrize(
    ("patterns", "frozen"),
    [
        (["painter.0.*"], {"painter.0.weight", "painter.0.bias"}),
        (["*.bias"], {"painter.0.bias", "painter.3.bias", "critic.judge.bias"}),
        (["painter.0.weight", "critic.judge.weight"], {"painter.0.weight", "critic.judge.weight"}),
    ],
)
def test_what_is_frozen_stays_to_the_bit_and_all_else_moves(patterns, frozen, dataset, tmp_path):
    first = trained(dataset, tmp_path / "first", (*SETTINGS, "train.images=8"))
    before = load_file(tmp_path / "first/checkpoints/000000000008.safetensors")
    named = ",".join(f'"{pattern}"' for pattern in patterns)
    after = checkpoint(
        dataset,
        tmp_path / "run",
        f"train.freeze=[{named}]",
        f"train.init={first.run}/checkpoints/000000000008.safetensors",
    )
    own, later = networks(before), networks(after)
    still = {"critic.judge.bias"}  # it falls out of the critic's loss
    assert {n for n in own if torch.equal(own[n], later[n])} == frozen | still


def test_a_rate_by_pattern_is_that_share_of_the_models_and_of_its_schedule():
    baseline = tiny(optimizer="sgd", lr=0.2)
    optimizers.spread(baseline.optimizers, baseline.networks, {"painter.0.weight": 0.5, "painter.*": 0.1})
    rates = {
        tuple(p.shape): (group["lr"], group["initial_lr"])
        for group in baseline.optimizers["painter"].param_groups
        for p in group["params"]
    }
    shapes = {n: tuple(p.shape) for n, p in baseline.painter.named_parameters()}
    assert rates[shapes["0.weight"]] == pytest.approx((0.1, 0.1))  # the first pattern that fits
    assert rates[shapes["3.weight"]] == pytest.approx((0.02, 0.02))
    (group,) = baseline.optimizers["critic"].param_groups
    assert group["lr"] == 0.2


def test_a_step_of_sgd_is_so_much_smaller():
    whole, slow = (tiny("plain", optimizer="sgd", lr=0.2) for _ in range(2))
    optimizers.spread(slow.optimizers, slow.networks, {"painter.3.*": 0.25})
    before = weights(whole)
    for baseline in (whole, slow):
        baseline.painter(torch.ones(1, 1, 8, 8)).square().mean().backward()
        baseline.optimizers["painter"].step()
    moved = {name: weights(whole)[name] - before[name] for name in before}
    slower = {name: weights(slow)[name] - before[name] for name in before}
    torch.testing.assert_close(slower["painter.3.weight"], 0.25 * moved["painter.3.weight"])
    torch.testing.assert_close(slower["painter.0.weight"], moved["painter.0.weight"])
    assert moved["painter.3.weight"].abs().max() > 0


def test_a_fine_tuning_that_is_stopped_ends_as_one_that_is_not(dataset, tmp_path):
    settings = ('train.freeze=["painter.0.*"]', 'train.init_lr={"painter.3.*"=0.1}')
    whole = checkpoint(dataset, tmp_path / "whole", *settings)
    checkpoint(dataset, tmp_path / "parts", *settings, images=12)
    parts = checkpoint(dataset, tmp_path / "parts", *settings)
    assert whole.keys() == parts.keys()
    assert all(torch.equal(whole[name], parts[name]) for name in whole)


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ('train.freeze=["painter.9.*"]', r"no weight is called 'painter\.9\.\*'"),
        ('train.freeze=["painter.0.weigth"]', r"'painter\.0\.weigth'\. Did you mean 'painter\.0\.weight'\?"),
        ('train.init_lr={"painter"=0.1}', r"no weight is called 'painter'"),
        ('train.freeze=["critic.*"]', r"all that the optimizer 'critic' moves is frozen"),
        ('train.init_lr={"painter.*"=-1}', r"train.*init_lr"),
    ],
)
def test_a_pattern_that_fits_nothing_or_everything_is_a_typed_error(setting, message, dataset, tmp_path):
    with pytest.raises(RecipeError, match=message):
        trained(dataset, tmp_path / "run", (*SETTINGS, setting))
