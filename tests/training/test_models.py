"""What every model file gives, whichever it is."""

import ast
import copy
import math
from dataclasses import fields

import pytest
import torch

from anidata import registry
from anidata.errors import RecipeError
from anidata.training import models
from anidata.training.baseline import Batch
from model_lab import BATCH, SIZE, TINY, batch, count, drawn, full_size, losses_of, trained, update_of


def cases():
    """Model and preset; of presets that are the same once they are tiny, the first."""
    for name in registry.names("models"):
        module, seen = models.load(name), []
        for preset in module.PRESETS if name in TINY else ["smoke"]:
            config = models.configure(module, preset, TINY.get(name, {}), 1, SIZE)
            if config not in seen:
                seen.append(config)
                yield name, preset


CASES = list(cases())
every = pytest.mark.parametrize(("name", "preset"), CASES)


@every
def test_a_sample_is_a_picture(built, name, preset):
    sample = built(name, preset).sample(batch(), drawn())
    assert (sample.shape, sample.dtype) == ((BATCH, 3, SIZE, SIZE), torch.float32)
    assert torch.isfinite(sample).all()
    assert sample.abs().max() <= 1
    assert not sample.requires_grad


@every
def test_the_loss_falls_within_20_steps(built, name, preset):
    baseline, pictures = built(name, preset), batch()
    before = losses_of(baseline, pictures)
    losses = trained(baseline, pictures, 20)
    assert losses_of(baseline, pictures) < 0.9 * before
    assert all(torch.isfinite(loss) and loss.ndim == 0 for loss in losses.values())
    assert not any(loss.requires_grad for loss in losses.values())
    assert torch.isfinite(baseline.sample(pictures, drawn())).all()


@every
def test_the_same_seed_gives_the_same_bytes(built, name, preset):
    def once():
        baseline = built(name, preset)
        trained(baseline, batch(), 2)
        return baseline.sample(batch(), drawn(7)).numpy().tobytes()

    assert once() == once()


@every
def test_nothing_is_drawn_from_the_global_generator(built, name, preset):
    baseline = built(name, preset)
    before = torch.get_rng_state()
    trained(baseline, batch(), 1)
    baseline.sample(batch(), drawn())
    assert torch.equal(before, torch.get_rng_state())


@every
def test_a_size_that_does_not_divide_is_told_with_a_remedy(built, name, preset):
    message = r"pictures of 33×33 px: this model takes sides that are multiples of \d+\. Set train\.size="
    with pytest.raises(RecipeError, match=message):
        built(name, preset, size=33)
    baseline = built(name, preset)
    odd = batch(size=33)
    for act in (lambda: baseline.step(odd, drawn(), lambda *_: None), lambda: baseline.sample(odd, drawn())):
        with pytest.raises(RecipeError, match="pictures of 33×33 px"):
            act()


@every
def test_sides_may_differ_from_the_size_where_they_divide(built, name, preset):
    wide = Batch(torch.zeros(1, 3, SIZE, 2 * SIZE), torch.ones(1, 1, SIZE, 2 * SIZE))
    assert built(name, preset).sample(wide, drawn()).shape == wide.color.shape


@every
def test_each_trained_parameter_is_in_one_optimizer_which_is_updated_once(built, name, preset):
    baseline = built(name, preset)
    groups = [group for optimizer in baseline.optimizers.values() for group in optimizer.param_groups]
    steered = [id(p) for group in groups for p in group["params"]]
    assert len(steered) == len(set(steered))
    parameters = [p for network in baseline.networks.values() for p in network.parameters()]
    assert set(steered) == {id(p) for p in parameters if p.requires_grad}
    called = []

    def update(loss, optimizer):
        assert loss.ndim == 0
        assert loss.requires_grad
        called.append(optimizer)

    baseline.step(batch(), drawn(), update)
    assert sorted(called) == sorted(baseline.optimizers)
    assert all("initial_lr" in group for group in groups)


@every
def test_every_trained_parameter_gets_a_gradient(built, name, preset):
    baseline = built(name, preset)
    trained(baseline, batch(), 1)  # what is 0 at first lets nothing through
    without = []

    def update(loss, optimizer):
        held = [p for group in baseline.optimizers[optimizer].param_groups for p in group["params"]]
        gradients = torch.autograd.grad(loss, held, allow_unused=True, retain_graph=True)
        without.extend(p.shape for p, g in zip(held, gradients, strict=True) if g is None)

    baseline.step(batch(), drawn(), update)
    assert without == []


@every
def test_its_weights_are_all_that_a_trained_baseline_is(built, name, preset):
    baseline, fresh = built(name, preset), built(name, preset)
    trained(baseline, batch(), 2)
    for key, network in fresh.networks.items():
        network.load_state_dict(baseline.networks[key].state_dict())
    for key, optimizer in fresh.optimizers.items():
        optimizer.load_state_dict(copy.deepcopy(baseline.optimizers[key].state_dict()))
    on = [trained(b, batch(), 2, seed=5)["loss"].item() for b in (baseline, fresh)]
    assert on[0] == on[1]
    assert torch.equal(*[b.sample(batch(), drawn()) for b in (baseline, fresh)])


@every
def test_what_samples_is_named_and_there(built, name, preset):
    baseline = built(name, preset)
    assert baseline.sampled
    assert set(baseline.sampled) <= set(baseline.networks)


@every
def test_sampling_does_not_look_at_the_color(built, name, preset):
    baseline, pictures = built(name, preset), batch()
    blind = Batch(torch.full_like(pictures.color, math.nan), pictures.condition)
    assert torch.equal(baseline.sample(pictures, drawn()), baseline.sample(blind, drawn()))


@every
def test_it_does_not_matter_whether_the_networks_are_in_training_mode(built, name, preset):
    baseline = built(name, preset)
    samples = []
    for mode in (True, False):
        for network in baseline.networks.values():
            network.train(mode)
        samples.append(baseline.sample(batch(), drawn()))
    assert torch.equal(*samples)


@every
def test_several_conditions_are_taken_side_by_side(built, name, preset):
    condition = 3 if preset == "cyclegan" else 5
    baseline, pictures = built(name, preset, condition=condition), batch(condition)
    assert torch.isfinite(baseline.step(pictures, drawn(), update_of(baseline))["loss"])
    assert baseline.sample(pictures, drawn()).shape == pictures.color.shape


@every
def test_a_step_in_bfloat16_stays_finite(built, name, preset):
    baseline = built(name, preset)
    with torch.autocast("cpu", torch.bfloat16, cache_enabled=False):
        losses = baseline.step(batch(), drawn(), update_of(baseline))
        sample = baseline.sample(batch(), drawn())
    assert all(torch.isfinite(loss) for loss in losses.values())
    assert sample.dtype == torch.float32
    parameters = [p for network in baseline.networks.values() for p in network.parameters()]
    assert all(torch.isfinite(p).all() for p in parameters)


@every
def test_pictures_may_lie_channels_last(built, name, preset):
    baseline = built(name, preset)
    for network in baseline.networks.values():
        network.to(memory_format=torch.channels_last)
    losses = baseline.step(batch().to("cpu", torch.channels_last), drawn(), update_of(baseline))
    assert torch.isfinite(losses["loss"])


@pytest.mark.parametrize("name", registry.names("models"))
def test_a_model_file_says_what_it_is(name):
    module, path = models.load(name), registry.find("models", name)
    text = path.read_text(encoding="utf-8")
    assert f"anidata train-baseline {name} DATASET RUN" in (module.__doc__ or "")
    assert "Hardware, time, result:" in (module.__doc__ or "")
    assert {"default", "smoke"} <= set(module.PRESETS)
    classes = [node for node in ast.parse(text).body if isinstance(node, ast.ClassDef)]
    config = next(node for node in classes if node.name == "Config")
    lines = text.splitlines()
    for node in config.body:
        if isinstance(node, ast.AnnAssign):
            beside, above = lines[node.end_lineno - 1], lines[node.lineno - 2]
            documented = "  # " in beside or above.startswith("    # ")
            assert documented, f"{node.target.id} says nothing of itself"
    assert [f.name for f in fields(module.Config)][:2] == ["condition", "size"]
    assert set(getattr(module, "TRAIN", {})) <= set(module.PRESETS)


@pytest.mark.parametrize("name", registry.names("models"))
def test_a_model_file_is_short_enough_to_be_read_in_one_sitting(name):
    assert len(registry.find("models", name).read_text(encoding="utf-8").splitlines()) <= 500


@pytest.mark.parametrize(
    ("name", "preset"),
    [(name, preset) for name in registry.names("models") for preset in models.load(name).PRESETS],
)
def test_every_preset_builds_in_its_full_size(name, preset):
    if preset == "latent":
        pytest.skip("its size is that of the folders it is given")
    networks = full_size(name, preset).networks
    assert sum(count(network) for network in networks.values()) > 1000


@pytest.mark.parametrize(
    ("name", "preset"), [("gan", "default"), ("autoencoder", "unet"), ("autoencoder", "cae")]
)
def test_a_picture_does_not_depend_on_those_beside_it(built, name, preset):
    baseline = built(name, preset)
    trained(baseline, batch(), 3)
    together = baseline.sample(batch(), drawn())
    alone = baseline.sample(Batch(batch().color[:1], batch().condition[:1]), drawn())
    torch.testing.assert_close(alone, together[:1], rtol=1e-4, atol=1e-5)
