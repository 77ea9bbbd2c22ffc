"""The properties that the diffusion models promise."""

import copy

import pytest
import torch
from diffusers import DDIMScheduler, UNet2DConditionModel
from torch import nn

from anidata.errors import RecipeError
from anidata.training.baseline import Batch
from model_lab import SIZE, batch, drawn, losses_of, trained


class Knowing(nn.Module):
    """A network that knows the picture, and so tells the truth about any mix of it with noise."""

    def __init__(self, truth, noises=None, prediction="velocity", by_noise=False):
        super().__init__()
        self.by_noise = by_noise
        self.truth, self.noises, self.prediction, self.calls = truth, noises, prediction, 0

    def forward(self, x, time, return_dict):  # noqa: ARG002 what diffusers' networks take
        self.calls += 1
        x = x[:, : self.truth.shape[1]]
        if self.prediction == "sample":
            return (self.truth,)
        if self.noises is None:
            return ((x - self.truth) / (time.view(-1, 1, 1, 1) / 1000),)
        kept = self.noises.alphas_cumprod[time].view(-1, 1, 1, 1)
        noise = (x - kept.sqrt() * self.truth) / (1 - kept).sqrt()
        if self.by_noise:
            return (noise,)
        return (kept.sqrt() * noise - (1 - kept).sqrt() * self.truth,)


OBJECTIVES = pytest.mark.parametrize(
    ("objective", "prediction"),
    [("flow", "sample"), ("flow", "velocity"), ("epsilon", "velocity"), ("v", "velocity")],
)


@OBJECTIVES
def test_a_network_that_knows_the_picture_samples_it_in_20_passes(built, objective, prediction):
    baseline = built("diffusion", "default", objective=objective, prediction=prediction, steps=20, patch=1)
    truth = batch().color
    noises = getattr(baseline.objective, "noises", None)
    knowing = Knowing(truth, noises, prediction, objective == "epsilon")
    baseline.networks["unet"] = knowing
    atol = 2e-2 if objective != "flow" else 1e-4
    torch.testing.assert_close(baseline.sample(batch(), drawn()), truth, rtol=0, atol=atol)
    assert knowing.calls == 20


class Gaussian(nn.Module):
    """The best prediction there is of pictures whose values are N(0, spread²): a line through the origin."""

    def __init__(self, spread, noises=None):
        super().__init__()
        self.spread, self.noises = spread, noises

    def forward(self, x, time, return_dict):  # noqa: ARG002 what diffusers' networks take
        x, square = x[:, :3], self.spread**2
        if self.noises is None:
            share = time.view(-1, 1, 1, 1) / 1000
            return (x * (1 - share) * square / ((1 - share) ** 2 * square + share**2),)
        kept = self.noises.alphas_cumprod[time].view(-1, 1, 1, 1)
        return (x * (1 - kept).sqrt() / (kept * square + 1 - kept),)  # of the noise


@pytest.mark.parametrize("shift", [1, 3])
@pytest.mark.parametrize("steps", [20, 100, 400])
def test_a_flow_leaves_no_noise_of_a_network_that_knows_the_picture(built, shift, steps):
    """With times clamped in sampling, 100 steps at shift 1 left noise of σ = 1.8 levels of 255."""
    baseline = built("diffusion", "default", prediction="sample", shift=shift, steps=steps, patch=1)
    truth = batch().color
    baseline.networks["unet"] = Knowing(truth, None, "sample")
    left = (baseline.sample(batch(), drawn()) - truth) * 127.5
    assert left.std().item() < 0.01


@pytest.mark.parametrize(("objective", "betas"), [("flow", "linear"), ("epsilon", "squaredcos_cap_v2")])
def test_the_best_network_for_gaussian_values_samples_values_of_their_spread(built, objective, betas):
    baseline = built("diffusion", "default", objective=objective, betas=betas, steps=1000, patch=1)
    baseline.networks["unet"] = Gaussian(0.1, getattr(baseline.objective, "noises", None))
    values = baseline.sample(batch(), drawn())
    assert values.std().item() == pytest.approx(0.1, rel=0.05)


@pytest.mark.parametrize("betas", ["linear", "scaled_linear", "squaredcos_cap_v2"])
def test_epsilon_begins_where_its_errors_are_multiplied_a_hundred_times_at_most(built, betas):
    module = built("diffusion", "default", objective="epsilon", betas=betas, steps=20).objective
    first = module.steps().timesteps[0].item()
    factor = module.noises.alphas_cumprod.rsqrt()
    assert factor[first] <= 100
    assert first == 999 or factor[first + 1] > 100
    of_v = built("diffusion", "default", objective="v", betas=betas, steps=20).objective
    assert of_v.steps().timesteps[0].item() == 999


def test_an_error_of_the_first_noise_does_not_decide_the_picture(built):
    """Told a thousandth too little of the noise, the first step of 999 would have made a picture of ±20."""
    steps = built("diffusion", "default", objective="epsilon", patch=1).objective.steps()
    noise = torch.randn(1, 3, 8, 8, generator=drawn())
    steps.clip = False
    first = steps.timesteps[0]
    share = (1 - float(steps._kept[first])) ** 0.5
    wrong = steps.step(noise / share * 0.999, first, noise)[0] - steps.step(noise / share, first, noise)[0]
    assert wrong.abs().max().item() < 0.1 * noise.abs().max().item()


@pytest.mark.parametrize("objective", ["epsilon", "v"])
@pytest.mark.parametrize("count", [10, 20, 50])
def test_steps_are_those_of_diffusers_where_it_can_take_them(built, objective, count):
    space = built("diffusion", "default", objective=objective, betas="scaled_linear", steps=count)
    prediction = {"epsilon": "epsilon", "v": "v_prediction"}[objective]
    theirs = DDIMScheduler(
        1000, 0.00085, 0.012, "scaled_linear", prediction_type=prediction, timestep_spacing="trailing"
    )
    theirs.set_timesteps(count)
    ours = space.objective.steps()
    assert ours.timesteps.tolist() == theirs.timesteps.tolist()
    x = torch.randn(1, 3, 8, 8, generator=drawn(1))
    for time in theirs.timesteps:
        output = torch.randn(1, 3, 8, 8, generator=drawn(int(time)))
        torch.testing.assert_close(
            ours.step(output, time, x)[0], theirs.step(output, time, x)[0], rtol=1e-3, atol=1e-4
        )
        x = ours.step(output, time, x)[0]


@OBJECTIVES
def test_a_network_that_knows_the_picture_has_no_loss(built, objective, prediction):
    baseline = built("diffusion", "default", objective=objective, prediction=prediction, patch=1)
    noises = getattr(baseline.objective, "noises", None)
    baseline.networks["unet"] = Knowing(batch().color, noises, prediction, objective == "epsilon")
    assert baseline.step(batch(), drawn(), lambda *_: None)["loss"].item() == pytest.approx(0, abs=1e-3)


@pytest.mark.parametrize("shift", [1, 3])
def test_a_flow_is_learned_and_sampled_at_times_shifted_alike(built, shift):
    """The median of the times, and the middle step: shift / (1 + shift), SD3's eq. 23 at a half."""
    flow = built("diffusion", "default", shift=shift, steps=20).objective
    many = torch.zeros(10_001, 1, 1, 1)
    _, times, _ = flow.mix(many, many, drawn())
    assert times.median().item() / 1000 == pytest.approx(shift / (1 + shift), abs=0.02)
    assert flow.steps().sigmas[10].item() == pytest.approx(shift / (1 + shift))


def test_guidance_is_the_difference_that_the_condition_makes_and_takes_a_second_pass(built):
    class Echo(nn.Module):
        calls = 0

        def forward(self, x, time, return_dict):  # noqa: ARG002 what diffusers' networks take
            self.calls += 1
            return (x[:, :3] * 0 + 2 + 3 * x[:, 3:].mean(),)

    baseline = built("diffusion", "default", patch=1, guidance=1.5, prediction="velocity")
    baseline.networks["unet"] = echo = Echo()
    noise, condition = torch.zeros(1, 3, SIZE, SIZE), torch.ones(1, 1, SIZE, SIZE)
    guided = baseline._guided(noise, condition, torch.zeros(1))
    assert guided.unique().item() == pytest.approx(2 + 1.5 * 3)
    assert echo.calls == 2


def test_guidance_needs_a_network_trained_without_conditions(built):
    with pytest.raises(RecipeError, match=r"Set model\.dropped=0\.1, or model\.guidance=1"):
        built("diffusion", "default", guidance=2.0, dropped=0.0)


@pytest.mark.parametrize(("dropped", "heeded"), [(1.0, False), (0.0, True)])
def test_a_dropped_condition_is_not_seen(built, dropped, heeded):
    baseline = built("diffusion", "default", dropped=dropped)
    trained(baseline, batch(), 3)
    other = Batch(batch().color, -batch().condition)
    assert (losses_of(baseline, batch(), 1) != losses_of(baseline, other, 1)) == heeded


def test_a_latent_model_begins_as_the_network_it_was_given(built, stable):
    baseline = built("diffusion", "latent", condition=2)
    given = UNet2DConditionModel.from_pretrained(stable["unet"], use_safetensors=True, local_files_only=True)
    x = torch.randn(1, 4, 16, 16, generator=drawn())
    condition, time = torch.rand(1, 2, SIZE, SIZE), torch.tensor([500])
    with torch.no_grad():
        ours = baseline.space.predict(x, condition, time)
        theirs = given(x, time, torch.zeros(1, 77, 6)).sample
    torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-5)


def test_a_latent_model_leaves_its_vae_as_it_is(built):
    baseline = built("diffusion", "latent")
    before = copy.deepcopy(baseline.networks["vae"].state_dict())
    trained(baseline, batch(), 2)
    after = baseline.networks["vae"].state_dict()
    assert all(torch.equal(before[key], value) for key, value in after.items())


def test_a_fine_tuned_network_can_be_fine_tuned_again(built, stable, tmp_path):
    baseline = built("diffusion", "latent")
    baseline.networks["unet"].save_pretrained(tmp_path / "unet")
    again = built("diffusion", "latent", unet=str(tmp_path / "unet"))
    assert torch.equal(*[b.sample(batch(), drawn()) for b in (baseline, again)])
    message = r"takes 8 channels, neither the VAE's 4 nor, with the conditions, 24"
    with pytest.raises(RecipeError, match=message):
        built("diffusion", "latent", condition=5, unet=str(tmp_path / "unet"))


def test_a_latent_model_without_its_folders_says_what_to_set(built, tmp_path):
    for settings, message in [
        ({"vae": ""}, r"model\.vae: not set\. Set model\.vae=FOLDER"),
        ({"unet": ""}, r"model\.unet: not set\. Set model\.unet=FOLDER"),
        ({"unet": str(tmp_path / "none")}, r"none: no such folder\. Set model\.unet=FOLDER"),
        ({"unet": str(tmp_path)}, r"holds no UNet2DConditionModel in safetensors"),
    ]:
        with pytest.raises(RecipeError, match=message):
            built("diffusion", "latent", **settings)


def test_pickled_weights_are_not_opened(built, stable, tmp_path):
    given = UNet2DConditionModel.from_pretrained(stable["unet"], use_safetensors=True, local_files_only=True)
    given.save_pretrained(tmp_path / "pickled", safe_serialization=False)
    with pytest.raises(RecipeError, match=r"pickled holds no UNet2DConditionModel in safetensors"):
        built("diffusion", "latent", unet=str(tmp_path / "pickled"))
