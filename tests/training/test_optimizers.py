"""Optimizers by name beside PyTorch's own, and schedules beside their formulas."""

import math
from itertools import pairwise

import pytest
import torch
from torch import nn, optim

from anidata.errors import RecipeError
from anidata.training import optimizers

PLAIN = {
    "adam": lambda p: optim.Adam(p, lr=0.01, betas=(0.8, 0.95), weight_decay=0.1, foreach=False),
    "adamw": lambda p: optim.AdamW(p, lr=0.01, betas=(0.8, 0.95), weight_decay=0.1, foreach=False),
    "rmsprop": lambda p: optim.RMSprop(p, lr=0.01, momentum=0.8, alpha=0.95, weight_decay=0.1, foreach=False),
    "sgd": lambda p: optim.SGD(p, lr=0.01, momentum=0.8, weight_decay=0.1, foreach=False),
}


def trained(optimizer_of):
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 1))
    optimizer = optimizer_of(network.parameters())
    for _ in range(5):
        optimizer.zero_grad()
        network(torch.ones(2, 4)).square().mean().backward()
        optimizer.step()
    return torch.cat([p.detach().flatten() for p in network.parameters()])


@pytest.mark.parametrize("name", PLAIN)
def test_each_optimizer_steps_as_pytorchs_unfused_one(name):
    numbers = {"betas": (0.8, 0.95), "momentum": 0.8, "alpha": 0.95}
    ours = trained(lambda p: optimizers.build(name, p, lr=0.01, weight_decay=0.1, **numbers))
    torch.testing.assert_close(ours, trained(PLAIN[name]), rtol=1e-5, atol=1e-6)


BY_DEFAULT = {"adam": optim.Adam, "adamw": optim.AdamW, "rmsprop": optim.RMSprop, "sgd": optim.SGD}


@pytest.mark.parametrize("name", BY_DEFAULT)
def test_each_optimizer_has_its_own_numbers_and_no_others(name):
    """RMSprop took Adam's: a momentum of .9, and .999 of the squares."""
    theirs = BY_DEFAULT[name](nn.Linear(2, 2).parameters(), lr=0.1, weight_decay=0.0).param_groups[0]
    (ours,) = optimizers.build(name, nn.Linear(2, 2).parameters(), lr=0.1).param_groups
    for key in ("betas", "momentum", "alpha", "eps", "centered", "nesterov", "dampening", "weight_decay"):
        assert ours.get(key) == theirs.get(key), key


@pytest.mark.parametrize("model", ["autoencoder", "gan", "diffusion"])
@pytest.mark.parametrize("name", ["RMSprop", "SGD", "AdamW", "aDaM", "rmsprop"])
def test_a_models_optimizer_is_named_in_any_case_and_has_its_numbers(built, model, name):
    baseline = built(model, "smoke", optimizer=name, momentum=0.3, alpha=0.8, beta1=0.6, beta2=0.7)
    own = {"betas": (0.6, 0.7), "momentum": 0.3, "alpha": 0.8}
    for optimizer in baseline.optimizers.values():
        assert type(optimizer) is BY_DEFAULT[name.lower()]
        (group,) = optimizer.param_groups
        kept = {key: group[key] for key in own if key in group}
        assert kept
        assert kept == {key: own[key] for key in kept}


@pytest.mark.parametrize("model", ["autoencoder", "gan", "diffusion"])
def test_rmsprop_of_a_model_is_rmsprop_by_default(built, model):
    for optimizer in built(model, "smoke", optimizer="rmsprop").optimizers.values():
        (group,) = optimizer.param_groups
        assert (group["momentum"], group["alpha"]) == (0, 0.99)


@pytest.mark.parametrize("name", PLAIN)
def test_the_first_rate_is_kept_for_schedules(name):
    (group,) = optimizers.build(name, nn.Linear(2, 2).parameters(), lr=0.3).param_groups
    assert group["initial_lr"] == group["lr"] == 0.3


def test_frozen_parameters_are_left_out():
    layer = nn.Linear(2, 2)
    layer.bias.requires_grad_(False)
    (group,) = optimizers.build("adam", layer.parameters(), lr=0.1).param_groups
    assert [p.shape for p in group["params"]] == [(2, 2)]


def test_an_unknown_optimizer_names_the_nearest():
    message = r"optimizer: there is no 'adamm'\. Did you mean 'adam'\? There are: adam, adamw, rmsprop, sgd"
    with pytest.raises(RecipeError, match=message):
        optimizers.build("adamm", nn.Linear(2, 2).parameters(), lr=0.1)


def test_cosine_is_pytorchs_cosine_annealing():
    optimizer = optim.SGD(nn.Linear(1, 1).parameters(), lr=1.0)
    theirs = optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=100)
    for seen in range(101):
        assert optimizers.schedule("cosine", seen, 100) == pytest.approx(theirs.get_last_lr()[0], abs=1e-9)
        optimizer.step()
        theirs.step()


def test_linear_stays_for_half_of_the_images_and_falls_to_nothing():
    rates = [optimizers.schedule("linear", seen, 100) for seen in (0, 49, 50, 75, 100)]
    assert rates == pytest.approx([1, 1, 1, 0.5, 0])


def test_constant_stays():
    assert {optimizers.schedule("constant", seen, 100) for seen in range(0, 300, 7)} == {1.0}


@pytest.mark.parametrize("name", optimizers.SCHEDULES)
def test_a_rate_warms_up_evenly_and_is_never_nothing_at_first(name):
    rates = [optimizers.schedule(name, seen, 1000, warmup=100) for seen in range(100)]
    steps = [later - sooner for sooner, later in pairwise(rates)]
    assert rates[0] > 0
    assert max(steps) == pytest.approx(min(steps))
    assert optimizers.schedule(name, 100, 1000, warmup=100) == 1


@pytest.mark.parametrize("name", optimizers.SCHEDULES)
@pytest.mark.parametrize(("total", "warmup"), [(1000, 0), (1000, 10), (10, 100), (1, 0)])
def test_a_factor_lies_between_0_and_1_and_never_rises_after_the_warm_up(name, total, warmup):
    rates = [optimizers.schedule(name, seen, total, warmup) for seen in range(1500)]
    assert all(0 <= rate <= 1 for rate in rates)
    falling = rates[warmup:]
    assert all(later <= sooner + 1e-12 for sooner, later in pairwise(falling))


@pytest.mark.parametrize("name", optimizers.SCHEDULES)
def test_a_longer_run_goes_on_where_a_finished_one_ended(name):
    end = optimizers.schedule(name, 100, 100)
    assert optimizers.schedule(name, 5000, 100) == pytest.approx(end)
    assert math.isclose(end, 1 if name == "constant" else 0, abs_tol=1e-12)


def test_an_unknown_schedule_names_the_nearest():
    with pytest.raises(RecipeError, match=r"schedule: there is no 'cosin'\. Did you mean 'cosine'\?"):
        optimizers.schedule("cosin", 0, 1)
