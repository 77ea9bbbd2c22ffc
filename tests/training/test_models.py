"""What every model file gives, whichever it is; and the properties that single ones promise."""

import ast
import copy
import math
import sys
from dataclasses import fields

import pytest
import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from torch import nn

from anidata import registry
from anidata.errors import MissingExtra, RecipeError, UnknownPart
from anidata.training import models
from anidata.training.baseline import Batch

SIZE, BATCH = 32, 2
TINY = {  # what makes a preset small enough to be tested at once; a model file that isn't named here is tested by its smoke preset alone
    "autoencoder": {"channels": [8, 16], "blocks": 1, "lr": 2e-3},
    "gan": {"channels": [8, 16], "blocks": 1, "discriminator": [8, 16], "lr": 2e-3},
    "diffusion": {"channels": [16, 32], "blocks": 1, "attention": 1, "steps": 3, "lr": 2e-3},
}


def cases():
    """Model and preset; of presets that come to the same once they are tiny, the first."""
    for name in registry.names("models"):
        module, seen = models.load(name), []
        for preset in module.PRESETS if name in TINY else ["smoke"]:
            config = models.configure(module, preset, TINY.get(name, {}), 1, SIZE)
            if config not in seen:
                seen.append(config)
                yield name, preset


CASES = list(cases())
every = pytest.mark.parametrize(("name", "preset"), CASES)


@pytest.fixture(autouse=True)
def _one_thread():
    """Tiny tensors are slower on several threads, and much slower on a busy machine."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def stable(tmp_path_factory):
    """Folders of a VAE and a UNet in Stable Diffusion's form, small, with random weights: settings of a model."""
    folder = tmp_path_factory.mktemp("stable")
    torch.manual_seed(0)
    AutoencoderKL(block_out_channels=(8, 8), down_block_types=("DownEncoderBlock2D",) * 2, up_block_types=("UpDecoderBlock2D",) * 2,
                  norm_num_groups=4, latent_channels=4, sample_size=SIZE).save_pretrained(folder / "vae")  # fmt: skip
    UNet2DConditionModel(block_out_channels=(8, 16), down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"), layers_per_block=1,
                         up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"), norm_num_groups=4, attention_head_dim=4,
                         cross_attention_dim=6).save_pretrained(folder / "unet")  # fmt: skip
    return {"vae": str(folder / "vae"), "unet": str(folder / "unet")}


@pytest.fixture
def built(stable):
    """A small baseline of a preset, always with the same weights."""

    def build(name, preset, condition=1, size=SIZE, **settings):
        torch.manual_seed(0)
        both = {**TINY.get(name, {}), **(stable if preset == "latent" else {}), **settings}
        return models.build(models.load(name), preset, both, condition, size)

    return build


def batch(condition=1, size=SIZE, count=BATCH, seed=0):
    """Flat colors with a line through them, which tells the color."""
    generator = torch.Generator().manual_seed(seed)
    color = torch.ones(count, 3, size, size) * (torch.rand(count, 3, 1, 1, generator=generator) * 1.6 - 0.8)
    line = torch.ones(count, condition, size, size)
    for n in range(count):
        line[n, :, 2 + 5 * n : 5 + 5 * n] = -1
    return Batch(color, line)


def drawn(seed=0):
    return torch.Generator().manual_seed(seed)


def update_of(baseline):
    """The plainest update there is: into that optimizer's parameters alone."""

    def update(loss, name):
        optimizer = baseline.optimizers[name]
        loss.backward(inputs=[p for group in optimizer.param_groups for p in group["params"]])
        optimizer.step()
        optimizer.zero_grad()

    return update


def losses_of(baseline, batch, seeds=4):
    """The mean loss of an untouched baseline, the same draws each time."""
    return (
        sum(baseline.step(batch, drawn(seed), lambda *_: None)["loss"].item() for seed in range(seeds))
        / seeds
    )


def trained(baseline, batch, steps, seed=0):
    generator, update = drawn(seed), update_of(baseline)
    for _ in range(steps):
        told = baseline.step(batch, generator, update)
    return told


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
    told = trained(baseline, pictures, 20)
    assert losses_of(baseline, pictures) < 0.9 * before
    assert all(torch.isfinite(loss) and loss.ndim == 0 and not loss.requires_grad for loss in told.values())
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
    with pytest.raises(
        RecipeError,
        match=r"pictures of 33×33 px: this model takes sides that are multiples of \d+\. Set train\.size=",
    ):
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
    steered = [
        id(p) for o in baseline.optimizers.values() for group in o.param_groups for p in group["params"]
    ]
    assert len(steered) == len(set(steered))
    assert set(steered) == {
        id(p) for network in baseline.networks.values() for p in network.parameters() if p.requires_grad
    }
    called = []

    def update(loss, optimizer):
        assert loss.ndim == 0
        assert loss.requires_grad
        called.append(optimizer)

    baseline.step(batch(), drawn(), update)
    assert sorted(called) == sorted(baseline.optimizers)
    assert all("initial_lr" in group for o in baseline.optimizers.values() for group in o.param_groups)


@every
def test_every_trained_parameter_gets_a_gradient(built, name, preset):
    baseline = built(name, preset)
    trained(baseline, batch(), 1)  # what is 0 at first lets nothing through
    without = []

    def update(loss, optimizer):
        held = [p for group in baseline.optimizers[optimizer].param_groups for p in group["params"]]
        found = torch.autograd.grad(loss, held, allow_unused=True, retain_graph=True)
        without.extend(p.shape for p, g in zip(held, found, strict=True) if g is None)

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
        told = baseline.step(batch(), drawn(), update_of(baseline))
        sample = baseline.sample(batch(), drawn())
    assert all(torch.isfinite(loss) for loss in told.values())
    assert sample.dtype == torch.float32
    assert all(
        torch.isfinite(p).all() for network in baseline.networks.values() for p in network.parameters()
    )


@every
def test_pictures_may_lie_channels_last(built, name, preset):
    baseline = built(name, preset)
    for network in baseline.networks.values():
        network.to(memory_format=torch.channels_last)
    told = baseline.step(batch().to("cpu", torch.channels_last), drawn(), update_of(baseline))
    assert torch.isfinite(told["loss"])


@pytest.mark.parametrize("name", registry.names("models"))
def test_a_model_file_says_what_it_is(name):
    module, path = models.load(name), registry.find("models", name)
    text = path.read_text(encoding="utf-8")
    assert f"anidata train-baseline {name} DATASET RUN" in (module.__doc__ or "")
    assert "Hardware, time, result:" in (module.__doc__ or "")
    assert {"default", "smoke"} <= set(module.PRESETS)
    config = next(
        node for node in ast.parse(text).body if isinstance(node, ast.ClassDef) and node.name == "Config"
    )
    lines = text.splitlines()
    for node in config.body:
        if isinstance(node, ast.AnnAssign):
            assert "  # " in lines[node.end_lineno - 1], f"{node.target.id} says nothing of itself"
    assert [f.name for f in fields(module.Config)][:2] == ["condition", "size"]
    assert set(getattr(module, "TRAIN", {})) <= set(module.PRESETS)


@pytest.mark.parametrize("name", registry.names("models"))
def test_a_model_file_is_short_enough_to_be_read_in_one_sitting(name):
    assert len(registry.find("models", name).read_text(encoding="utf-8").splitlines()) <= 420


# -- finding, loading, configuring ------------------------------------------------------------------------------------------------------

MINE = '''"""Mine."""
from dataclasses import dataclass

@dataclass(frozen=True)
class Config:
    condition: int = 1
    size: int = 256
    wide: "int" = 3  # an annotation that is looked up in the module

PRESETS = {"default": Config()}

def build(config):
    return config
'''


def test_a_model_file_is_loaded_by_its_path(tmp_path):
    (tmp_path / "mine.py").write_text(MINE)
    module = models.load(str(tmp_path / "mine.py"))
    config = models.build(module, "default", {"wide": 5}, condition=4, size=64)
    assert (config.wide, config.condition, config.size) == (5, 4, 64)


def test_a_file_that_was_changed_is_loaded_as_it_is_now(tmp_path):
    path = tmp_path / "mine.py"
    path.write_text(MINE)
    models.load(str(path))
    path.write_text(MINE.replace("= 3", "= 77"))
    assert models.load(str(path)).PRESETS["default"].wide == 77


def test_two_files_of_one_name_are_two_modules(tmp_path):
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "mine.py").write_text(MINE.replace("Mine", folder))
    loaded = [models.load(str(tmp_path / folder / "mine.py")) for folder in ("a", "b")]
    assert [m.__doc__ for m in loaded] == ["a.", "b."]
    assert len({m.__name__ for m in loaded} & set(sys.modules)) == 2


def test_a_file_that_is_no_model_is_told_what_it_lacks(tmp_path):
    (tmp_path / "mine.py").write_text("PRESETS = {}\n")
    with pytest.raises(
        UnknownPart,
        match=r"mine\.py: a model file has Config, PRESETS, build; this one lacks Config, build\. Copy models/autoencoder\.py",
    ):
        models.load(str(tmp_path / "mine.py"))


@pytest.mark.parametrize(
    ("package", "remedy"),
    [("no_such_package.inner", "no_such_package"), ("diffusers", "'anidata\\[train\\]'")],
)
def test_what_a_model_file_imports_may_be_missing(tmp_path, monkeypatch, package, remedy):
    (tmp_path / "mine.py").write_text(f"import {package}\n")
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(
        MissingExtra,
        match=rf"mine\.py needs {package.split('.')[0]}, which isn't installed\. Install it with: pip install {remedy}$",
    ):
        models.load(str(tmp_path / "mine.py"))


def test_a_mistake_in_a_model_file_is_shown_as_it_is(tmp_path):
    (tmp_path / "mine.py").write_text("1 / 0\n")
    with pytest.raises(ZeroDivisionError):
        models.load(str(tmp_path / "mine.py"))


def test_an_unknown_model_names_the_nearest():
    with pytest.raises(
        UnknownPart, match=r"models: there is no 'autoencoderr'\. Did you mean 'autoencoder'\?"
    ):
        models.load("autoencoderr")


@pytest.mark.parametrize(
    ("preset", "settings", "message"),
    [
        (
            "large",
            {"chanels": [8]},
            r"gan\.py, \[model\] chanels: no such setting\. Did you mean 'channels'\?",
        ),
        (
            "default",
            {"loss": {"l3": 1}},
            r"gan\.py, \[model\], \[loss\] l3: no such setting|\[model\.loss\]|loss\] l3: no such setting",
        ),
        ("default", {"lr": "fast"}, r"gan\.py, \[model\] lr: Expected a number, got text"),
        ("default", {"lr": -1.0}, r"gan\.py, \[model\] lr: Expected a number >= 0"),
        ("default", {"channels": []}, r"gan\.py, \[model\] channels: Expected a list of length >= 1"),
        (
            "default",
            {"adversarial": "hing"},
            r"'hing' is none of hinge, vanilla, lsgan\. Did you mean 'hinge'\?",
        ),
        (
            "default",
            {"size": 64},
            r"gan\.py, \[model\] size: follows from the training\. Set train\.size instead",
        ),
        ("default", {"condition": 3}, r"Set train\.conditions instead"),
    ],
)
def test_a_wrong_setting_is_told_with_its_place(preset, settings, message):
    with pytest.raises(RecipeError, match=message):
        models.configure(models.load("gan"), preset, settings, 1, 64)


def test_an_unknown_preset_names_the_nearest():
    with pytest.raises(
        UnknownPart,
        match=r"gan\.py: there is no preset 'pix2pics'\. Did you mean 'pix2pix'\? There are: default, ",
    ):
        models.configure(models.load("gan"), "pix2pics", {}, 1, 64)


def test_settings_change_a_preset_and_no_more():
    module = models.load("gan")
    config = models.configure(module, "pix2pix", {"loss": {"gradient": 3.0}}, 4, 128)
    assert (config.loss.l1, config.loss.gradient) == (100.0, 3.0)
    assert (config.condition, config.size, config.adversarial) == (4, 128, "vanilla")


# -- gan --------------------------------------------------------------------------------------------------------------------------------


def meta(name, preset, size=256, **settings):
    """A preset in its full size, without memory for its weights."""
    with torch.device("meta"):
        return models.build(models.load(name), preset, settings, 3, size)


def count(network):
    return sum(p.numel() for p in network.parameters())


def test_pix2pix_has_as_many_weights_as_its_authors_networks():
    networks = meta(
        "gan", "pix2pix"
    ).networks  # 54.414 M and 2.769 M, as junyanz/pytorch-CycleGAN-and-pix2pix prints
    assert count(networks["generator"]) == pytest.approx(54.414e6, rel=1e-3)
    assert count(networks["discriminator"]) == pytest.approx(2.769e6, rel=1e-3)


def test_cyclegan_has_as_many_weights_as_its_authors_networks():
    networks = meta("gan", "cyclegan").networks  # 11.378 M and 2.765 M
    assert count(networks["painter"]) == count(networks["drawer"]) == pytest.approx(11.378e6, rel=2e-3)
    assert count(networks["color_judge"]) == count(networks["line_judge"]) == pytest.approx(2.765e6, rel=1e-3)


@pytest.mark.parametrize(
    ("name", "preset"),
    [(name, preset) for name in registry.names("models") for preset in models.load(name).PRESETS],
)
def test_every_preset_builds_in_its_full_size(name, preset):
    if preset == "latent":
        pytest.skip("its size is that of the folders it is given")
    networks = meta(name, preset).networks
    assert sum(count(network) for network in networks.values()) > 1000


@pytest.mark.parametrize("size", [64, 128, 256, 512])
def test_the_unet_of_pix2pix_halves_until_one_pixel_is_left(size):
    network = meta("gan", "pix2pix", size=size).networks["generator"]
    assert len(network.down) == len(network.up) == math.log2(size)


def test_the_discriminator_of_pix2pix_sees_patches_of_70_px(built):
    judge = built("gan", "pix2pix", size=128, discriminator=[4, 4, 4, 4]).networks["discriminator"]
    linear = [nn.Identity() if isinstance(layer, nn.GroupNorm) else layer for layer in judge.scales[0]]
    picture = torch.rand(1, 4, 128, 128, requires_grad=True)
    logits = nn.Sequential(*linear)(picture)
    logits[0, 0, 7, 7].backward()
    rows = picture.grad[0].abs().sum(dim=(0, 2)).nonzero().flatten()
    assert rows.max() - rows.min() + 1 == 70


def test_the_default_gan_is_what_it_says():
    networks = meta("gan", "default").networks
    assert not any(
        isinstance(m, nn.ConvTranspose2d | nn.BatchNorm2d) for m in networks["generator"].modules()
    )
    judge = networks["discriminator"]
    assert len(judge.scales) == 2
    convolutions = [m for m in judge.modules() if isinstance(m, nn.Conv2d)]
    assert all(nn.utils.parametrize.is_parametrized(m, "weight") for m in convolutions)


@pytest.mark.parametrize(
    ("name", "preset"), [("gan", "default"), ("autoencoder", "unet"), ("autoencoder", "cae")]
)
def test_a_picture_does_not_depend_on_those_beside_it(built, name, preset):
    baseline = built(name, preset)
    trained(baseline, batch(), 3)
    together = baseline.sample(batch(), drawn())
    alone = baseline.sample(Batch(batch().color[:1], batch().condition[:1]), drawn())
    torch.testing.assert_close(alone, together[:1], rtol=1e-4, atol=1e-5)


def test_dropout_is_the_noise_of_pix2pix(built):
    baseline = built("gan", "pix2pix")
    a, b, again = (baseline.sample(batch(), drawn(seed)) for seed in (1, 2, 1))
    assert not torch.equal(a, b)
    assert torch.equal(a, again)


def test_spectral_norm_holds_the_discriminators_weights_at_1(built):
    baseline = built("gan", "default")
    trained(baseline, batch(), 5)
    judge = baseline.networks["discriminator"]
    for _ in range(50):  # each forward is one power iteration
        judge(torch.zeros(1, 4, SIZE, SIZE))
    for layer in judge.modules():
        if isinstance(layer, nn.Conv2d):
            assert torch.linalg.matrix_norm(layer.weight.detach().flatten(1), 2).item() == pytest.approx(
                1, abs=0.02
            )


def test_the_penalty_is_the_squared_gradient_at_real_colors():
    weights = torch.randn(4, 5, 5, generator=drawn())

    class Linear(nn.Module):
        def forward(self, pictures):
            return [(pictures * weights).sum(dim=(1, 2, 3)), 2 * pictures.sum(dim=(1, 2, 3))]

    found = models.load("gan").penalty(Linear(), torch.rand(3, 4, 5, 5))
    assert found.item() == pytest.approx(((weights[1:] + 2) ** 2).sum().item(), rel=1e-5)


def test_the_penalty_comes_as_often_as_it_is_asked_for(built):
    module = models.load("gan")
    config = models.configure(module, "default", {"r1_every": 4, "r1": 1.0, **TINY["gan"]}, 1, SIZE)
    torch.manual_seed(0)
    judge, pictures, generator = module.Discriminator(config, 4), torch.rand(1, 4, SIZE, SIZE), drawn()
    judge.eval()  # power iterations would move the weights
    found = [
        module.discriminator_loss(config, judge, pictures, pictures, generator).item() for _ in range(100)
    ]
    assert 11 <= sum(loss > min(found) + 1e-9 for loss in found) <= 39  # 25 ± 3.3 sigma
    assert {round(loss, 5) for loss in found} == {round(min(found), 5), round(max(found), 5)}


def test_pictures_too_small_for_the_discriminators_are_told_with_a_remedy(built):
    with pytest.raises(
        RecipeError,
        match=r"pictures of 32 px are too small for discriminators of 4 layers in 2 scales: they take 48 px\. Set train\.size=48",
    ):
        built("gan", "default", discriminator=[8, 8, 8, 8])
    baseline = built("gan", "default", discriminator=[8, 8, 8, 8], size=48)  # and 48 do
    assert torch.isfinite(baseline.step(batch(size=48), drawn(), update_of(baseline))["loss"])


def test_unpaired_pictures_have_no_truth(built):
    with pytest.raises(
        RecipeError, match=r"no truth to be compared with\. Set all of model\.loss to 0, or model\.cycle=0"
    ):
        built("gan", "cyclegan", loss={"l1": 1.0})
    with pytest.raises(RecipeError, match=r"lines are pictures of 1 or 3 channels here, not of 5"):
        built("gan", "cyclegan", condition=5)


def test_cyclegan_never_compares_a_line_with_its_own_color(built):
    baseline, pictures = built("gan", "cyclegan"), batch(count=3)
    turned = Batch(pictures.color.roll(1, 0), pictures.condition)
    told = [baseline.step(p, drawn(), lambda *_: None) for p in (pictures, turned)]
    assert all(told[0][name].item() == pytest.approx(told[1][name].item(), rel=1e-3) for name in told[0])


# -- autoencoder ------------------------------------------------------------------------------------------------------------------------


def test_all_that_passes_the_bottleneck_is_its_numbers(built):
    network = built("autoencoder", "cae").networks["network"]
    seen = []
    squeeze = next(m for m in network.modules() if isinstance(m, nn.Conv2d) and m.out_channels == 64)
    squeeze.register_forward_hook(lambda _module, _inputs, output: seen.append(output))
    line = torch.rand(1, 1, SIZE, SIZE)
    network(line)
    kept = seen[0]
    squeeze.register_forward_hook(lambda *_: kept)
    assert torch.equal(network(line), network(torch.rand(1, 1, SIZE, SIZE)))  # whatever came before it


def test_a_regression_without_a_loss_is_refused(built):
    with pytest.raises(RecipeError, match=r"model\.loss: all of it is 0\. Set model\.loss\.l1=1"):
        built("autoencoder", "unet", loss={"l1": 0.0})


# -- diffusion --------------------------------------------------------------------------------------------------------------------------


class Knowing(nn.Module):
    """A network that knows the picture, and so tells the truth about any mix of it with noise."""

    def __init__(self, truth, noises=None, prediction="velocity"):
        super().__init__()
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
        return (
            noise
            if self.noises.config.prediction_type == "epsilon"
            else kept.sqrt() * noise - (1 - kept).sqrt() * self.truth,
        )


OBJECTIVES = pytest.mark.parametrize(
    ("objective", "prediction"),
    [("flow", "sample"), ("flow", "velocity"), ("epsilon", "velocity"), ("v", "velocity")],
)


@OBJECTIVES
def test_a_network_that_knows_the_picture_samples_it_in_20_passes(built, objective, prediction):
    baseline = built("diffusion", "default", objective=objective, prediction=prediction, steps=20, patch=1)
    truth = batch().color
    knowing = Knowing(truth, getattr(baseline.objective, "noises", None), prediction)
    baseline.networks["unet"] = knowing
    torch.testing.assert_close(
        baseline.sample(batch(), drawn()), truth, rtol=0, atol=2e-2 if objective != "flow" else 1e-4
    )
    assert knowing.calls == 20


@OBJECTIVES
def test_a_network_that_knows_the_picture_has_no_loss(built, objective, prediction):
    baseline = built("diffusion", "default", objective=objective, prediction=prediction, patch=1)
    baseline.networks["unet"] = Knowing(
        batch().color, getattr(baseline.objective, "noises", None), prediction
    )
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
    told = baseline._guided(torch.zeros(1, 3, SIZE, SIZE), torch.ones(1, 1, SIZE, SIZE), torch.zeros(1))
    assert told.unique().item() == pytest.approx(2 + 1.5 * 3)
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
    x, condition, time = (
        torch.randn(1, 4, 16, 16, generator=drawn()),
        torch.rand(1, 2, SIZE, SIZE),
        torch.tensor([500]),
    )
    with torch.no_grad():
        told = baseline.space.predict(x, condition, time)
        torch.testing.assert_close(told, given(x, time, torch.zeros(1, 77, 6)).sample, rtol=1e-4, atol=1e-5)


def test_a_latent_model_leaves_its_vae_as_it_is(built):
    baseline = built("diffusion", "latent")
    before = copy.deepcopy(baseline.networks["vae"].state_dict())
    trained(baseline, batch(), 2)
    assert all(
        torch.equal(before[key], value) for key, value in baseline.networks["vae"].state_dict().items()
    )


def test_a_fine_tuned_network_can_be_fine_tuned_again(built, stable, tmp_path):
    baseline = built("diffusion", "latent")
    baseline.networks["unet"].save_pretrained(tmp_path / "unet")
    again = built("diffusion", "latent", unet=str(tmp_path / "unet"))
    assert torch.equal(*[b.sample(batch(), drawn()) for b in (baseline, again)])
    with pytest.raises(
        RecipeError, match=r"takes 8 channels, neither the VAE's 4 nor, with the conditions, 24"
    ):
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
