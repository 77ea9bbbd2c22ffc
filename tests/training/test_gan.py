"""The properties that the GANs promise."""

import math

import pytest
import torch
from torch import nn

from anidata.errors import RecipeError
from anidata.training import losses, models
from anidata.training.baseline import Batch
from model_lab import SIZE, TINY, batch, count, drawn, full_size, trained, update_of


def test_pix2pix_has_as_many_weights_as_its_authors_networks():
    """54.414 M and 2.769 M, as junyanz/pytorch-CycleGAN-and-pix2pix prints."""
    networks = full_size("gan", "pix2pix").networks
    assert count(networks["generator"]) == pytest.approx(54.414e6, rel=1e-3)
    assert count(networks["discriminator"]) == pytest.approx(2.769e6, rel=1e-3)


def test_cyclegan_has_as_many_weights_as_its_authors_networks():
    networks = full_size("gan", "cyclegan").networks  # 11.378 M and 2.765 M
    assert count(networks["painter"]) == count(networks["drawer"]) == pytest.approx(11.378e6, rel=2e-3)
    assert count(networks["color_judge"]) == count(networks["line_judge"]) == pytest.approx(2.765e6, rel=1e-3)


@pytest.mark.parametrize("size", [64, 128, 256, 512])
def test_the_unet_of_pix2pix_halves_until_one_pixel_is_left(size):
    network = full_size("gan", "pix2pix", size=size).networks["generator"]
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
    networks = full_size("gan", "default").networks
    assert not any(
        isinstance(m, nn.ConvTranspose2d | nn.BatchNorm2d) for m in networks["generator"].modules()
    )
    judge = networks["discriminator"]
    assert len(judge.scales) == 2
    convolutions = [m for m in judge.modules() if isinstance(m, nn.Conv2d)]
    assert all(nn.utils.parametrize.is_parametrized(m, "weight") for m in convolutions)


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
            largest = torch.linalg.matrix_norm(layer.weight.detach().flatten(1), 2).item()
            assert largest == pytest.approx(1, abs=0.02)


def test_the_penalty_is_the_squared_gradient_at_real_colors():
    weights = torch.randn(4, 5, 5, generator=drawn())

    class Linear(nn.Module):
        def forward(self, pictures):
            return [(pictures * weights).sum(dim=(1, 2, 3)), 2 * pictures.sum(dim=(1, 2, 3))]

    penalty = models.load("gan").penalty(Linear(), torch.rand(3, 4, 5, 5))
    each = (weights[1:] ** 2).sum().item(), 4.0 * weights[1:].numel()
    assert penalty.item() == pytest.approx(sum(each) / 2, rel=1e-5)  # the mean over scales


def test_the_penalty_is_one_patchs_however_many_there_are():
    """Patches beside each other, each with the gradient of R1's one logit: theirs, not its multiple."""
    weights = torch.randn(1, 4, 8, 8, generator=drawn())

    class Patches(nn.Module):
        def forward(self, pictures):
            return [nn.functional.conv2d(pictures, weights, stride=8)]

    penalties = [models.load("gan").penalty(Patches(), torch.rand(2, 4, n, n)).item() for n in (8, 32, 128)]
    assert penalties == pytest.approx([(weights[0, 1:] ** 2).sum().item()] * 3, rel=1e-4)


def test_the_penaltys_share_of_the_gradient_does_not_grow_with_the_picture():
    """Summed over patches, it grew 36 times between 64 and 256 px."""
    shares = [share_of_penalty(size) for size in (64, 256)]
    assert 1 / 3 < shares[1] / shares[0] < 3


def share_of_penalty(size):
    module = models.load("gan")
    torch.manual_seed(0)
    small = {"discriminator": [8, 16, 32, 64], "channels": [8, 16]}
    judge = module.Discriminator(models.configure(module, "default", small, 1, size), 4)
    real, fake = (torch.rand(2, 4, size, size, generator=drawn(seed)) * 2 - 1 for seed in (0, 1))
    for _ in range(20):
        judge(real)  # spectral norm settles
    logits = judge(torch.cat([real, 0.5 * fake]))
    game = losses.ADVERSARIAL["hinge"].discriminator
    loss = torch.stack([game(*scale.chunk(2)) for scale in logits]).mean()
    return size_of_gradient(module.penalty(judge, real), judge) / size_of_gradient(loss, judge)


def size_of_gradient(loss, network):
    gradients = torch.autograd.grad(loss, list(network.parameters()), allow_unused=True)
    return torch.cat([g.flatten() for g in gradients if g is not None]).norm().item()


def test_the_penalty_comes_as_often_as_it_is_asked_for(built):
    module = models.load("gan")
    config = models.configure(module, "default", {"r1_every": 4, "r1": 1.0, **TINY["gan"]}, 1, SIZE)
    torch.manual_seed(0)
    judge, pictures, generator = module.Discriminator(config, 4), torch.rand(1, 4, SIZE, SIZE), drawn()
    judge.eval()  # power iterations would move the weights
    judged = [
        module.discriminator_loss(config, judge, pictures, pictures, generator)[0].item() for _ in range(100)
    ]
    assert 11 <= sum(loss > min(judged) + 1e-9 for loss in judged) <= 39  # 25 ± 3.3 sigma
    assert {round(loss, 5) for loss in judged} == {round(min(judged), 5), round(max(judged), 5)}


def test_pictures_too_small_for_the_discriminators_are_told_with_a_remedy(built):
    message = "pictures of 32 px are too small for discriminators of 4 layers in 2 scales: they take 48 px"
    with pytest.raises(RecipeError, match=rf"{message}\. Set train\.size=48"):
        built("gan", "default", discriminator=[8, 8, 8, 8])
    baseline = built("gan", "default", discriminator=[8, 8, 8, 8], size=48)  # and 48 do
    assert torch.isfinite(baseline.step(batch(size=48), drawn(), update_of(baseline))["loss"])


def test_unpaired_pictures_have_no_truth(built):
    message = r"no truth to be compared with\. Set all of model\.loss to 0, or model\.cycle=0"
    with pytest.raises(RecipeError, match=message):
        built("gan", "cyclegan", loss={"l1": 1.0})
    with pytest.raises(RecipeError, match=r"lines are pictures of 1 or 3 channels here, not of 5"):
        built("gan", "cyclegan", condition=5)


def test_cyclegan_never_compares_a_line_with_its_own_color(built):
    baseline, pictures = built("gan", "cyclegan"), batch(count=3)
    turned = Batch(pictures.color.roll(1, 0), pictures.condition)
    own, others = (baseline.step(p, drawn(), lambda *_: None) for p in (pictures, turned))
    for name, loss in own.items():
        assert loss.item() == pytest.approx(others[name].item(), rel=1e-3)
