"""Losses by name, beside closed forms and independent ones.

And what is said where the weights of a network are missing.
"""

import hashlib

import numpy as np
import pytest
import torch
import torch.nn.functional as F  # noqa: N812 its name everywhere
from safetensors.torch import save_file

from anidata.errors import RecipeError
from anidata.training import losses
from anidata.training.losses import ADVERSARIAL, Comparison, Features, Weights


def picture(seed, size=32, batch=2):
    return torch.rand(batch, 3, size, size, generator=torch.Generator().manual_seed(seed)) * 2 - 1


def vgg(widths=((4, 4), (6, 6), (8, 8, 8))):
    """Weights of a small VGG under torchvision's names: a number for each convolution, ReLU and pooling."""
    generator = torch.Generator().manual_seed(0)
    weights, number, entering = {}, 0, 3
    for stage in widths:
        for width in stage:
            weights[f"features.{number}.weight"] = torch.randn(width, entering, 3, 3, generator=generator) / 3
            weights[f"features.{number}.bias"] = torch.randn(width, generator=generator) / 3
            number, entering = number + 2, width
        number += 1
    return weights


@pytest.fixture
def weights(tmp_path):
    path = tmp_path / "vgg.safetensors"
    save_file(vgg(), path)
    return {"features": str(path), "sha256": hashlib.sha256(path.read_bytes()).hexdigest()}


def test_l1_and_l2_are_means_over_everything():
    a, b = picture(1), picture(2)
    assert losses.l1(a, b).item() == pytest.approx(np.abs(a.numpy() - b.numpy()).mean(), rel=1e-6)
    assert losses.l2(a, b).item() == pytest.approx(((a.numpy() - b.numpy()) ** 2).mean(), rel=1e-6)


def test_the_gradient_loss_is_blind_to_a_shift_and_sees_an_edge():
    flat, edge = torch.zeros(1, 3, 8, 8), torch.zeros(1, 3, 8, 8)
    edge[..., 4:] = 1
    assert losses.gradient(flat, flat + 0.5).item() == 0
    # one of seven differences along x, none along y
    assert losses.gradient(edge, flat).item() == pytest.approx(1 / 7)


def test_the_gradient_loss_is_that_of_numpys_differences():
    a, b = picture(1), picture(2)
    error = a.numpy() - b.numpy()
    expected = sum(np.abs(np.diff(error, axis=axis)).mean() for axis in (2, 3))
    assert losses.gradient(a, b).item() == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("name", ["l1", "l2", "gradient"])
def test_a_loss_is_in_full_precision_whatever_comes_in(name):
    assert losses.PIXELS[name](picture(1).bfloat16(), picture(2)).dtype == torch.float32


def test_features_are_those_of_the_convolutions_one_after_the_other():
    weights, x = vgg(), picture(1)
    mean, std = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    h = (((x.permute(0, 2, 3, 1) + 1) / 2 - mean) / std).permute(0, 3, 1, 2)
    expected = []
    for stage in ((0, 2), (5, 7), (10, 12, 14)):
        h = h if not expected else F.max_pool2d(h, 2, 2)
        for number in stage:
            weight, bias = weights[f"features.{number}.weight"], weights[f"features.{number}.bias"]
            h = F.conv2d(h, weight, bias, padding=1).clamp(min=0)
        expected.append(h)
    features = Features(weights)(x)
    assert [f.shape for f in features] == [(2, 4, 32, 32), (2, 6, 16, 16), (2, 8, 8, 8)]
    for mine, theirs in zip(features, expected, strict=True):
        torch.testing.assert_close(mine, theirs, rtol=1e-4, atol=1e-5)


def test_of_a_whole_vgg16_four_stages_are_kept():
    whole = vgg(((4, 4), (4, 4), (4, 4, 4), (4, 4, 4), (4, 4, 4)))
    assert "features.28.weight" in whole  # torchvision's last
    assert [len(stage) for stage in Features(whole).stages] == [2, 2, 3, 3]


def test_features_are_not_trained():
    assert not any(p.requires_grad for p in Features(vgg()).parameters())


def test_a_gram_matrix_is_the_mean_product_of_two_channels():
    features = torch.randn(2, 3, 4, 5, generator=torch.Generator().manual_seed(0))
    expected = np.einsum("bihw,bjhw->bij", features.numpy(), features.numpy()) / (3 * 4 * 5)
    np.testing.assert_allclose(losses.gram(features).numpy(), expected, rtol=1e-4, atol=1e-6)


def test_style_does_not_ask_where_things_are(weights):
    features = Features(vgg())(picture(1))
    moved = [torch.roll(f, (3, 5), (2, 3)) for f in features]
    assert losses.style(features, moved).item() == pytest.approx(0, abs=1e-6)
    assert losses.perceptual(features, moved) > 0.01


def test_perceptual_and_style_are_means_over_stages():
    a, b = Features(vgg())(picture(1)), Features(vgg())(picture(2))
    each = [((x - y) ** 2).mean().item() for x, y in zip(a, b, strict=True)]
    assert losses.perceptual(a, b).item() == pytest.approx(np.mean(each), rel=1e-5)
    grams = [((losses.gram(x) - losses.gram(y)) ** 2).sum().item() / 2 for x, y in zip(a, b, strict=True)]
    assert losses.style(a, b).item() == pytest.approx(np.mean(grams), rel=1e-5)


def test_a_comparison_is_the_sum_of_its_losses_by_weight(weights):
    compare = Comparison(Weights(l1=2.0, gradient=0.5, perceptual=0.1, style=3.0, **weights))
    a, b = picture(1).requires_grad_(), picture(2)
    total, terms = compare(a, b)
    assert set(terms) == {"l1", "gradient", "perceptual", "style"}
    assert not any(t.requires_grad for t in terms.values())
    by_weight = {"l1": 2, "gradient": 0.5, "perceptual": 0.1, "style": 3}
    expected = sum(weight * terms[name].item() for name, weight in by_weight.items())
    assert total.item() == pytest.approx(expected, rel=1e-5)
    total.backward()
    assert torch.isfinite(a.grad).all()
    assert a.grad.abs().sum() > 0


def test_a_comparison_by_nothing_is_nothing():
    total, terms = Comparison(Weights())(picture(1), picture(2))
    assert (total.item(), terms) == (0, {})


def test_equal_pictures_have_no_loss(weights):
    every = Weights(l1=1, l2=1, gradient=1, perceptual=1, style=1, **weights)
    total, _ = Comparison(every)(picture(1), picture(1))
    assert total.item() == 0


def test_without_weights_it_is_said_what_to_bring():
    message = r"perceptual and style compare features of a VGG, whose weights you bring\. Convert LPIPS's"
    with pytest.raises(RecipeError, match=rf"{message} VGG16 .*model\.loss\.features=FILE"):
        Comparison(Weights(perceptual=1.0))


def test_a_missing_file_of_weights_is_named(tmp_path):
    with pytest.raises(RecipeError, match=r"nowhere\.safetensors: no such file.*model\.loss\.features=FILE"):
        Comparison(Weights(style=1.0, features=str(tmp_path / "nowhere.safetensors")))


@pytest.mark.parametrize("digest", ["", "00" * 32])
def test_weights_of_another_digest_are_not_loaded(weights, digest):
    with pytest.raises(RecipeError) as caught:
        Comparison(Weights(style=1.0, features=weights["features"], sha256=digest))
    assert f"its SHA-256 is {weights['sha256']}, not {digest or 'given'}" in str(caught.value)
    assert f"model.loss.sha256={weights['sha256']}" in str(caught.value)


@pytest.mark.parametrize("content", [b"", b"not a tensor in sight" * 10, None])
def test_a_file_of_something_else_is_told_from_weights(tmp_path, content):
    path = tmp_path / "other.safetensors"
    if content is None:
        save_file({"linear.weight": torch.zeros(3, 3)}, path)
    else:
        path.write_bytes(content)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    with pytest.raises(RecipeError, match=r"other\.safetensors: not the weights of a VGG in safetensors"):
        Comparison(Weights(style=1.0, features=str(path), sha256=digest))


def logits(seed):
    return torch.randn(4, 1, 6, 6, generator=torch.Generator().manual_seed(seed)) * 2


def test_vanilla_is_binary_cross_entropy():
    real, fake = logits(1), logits(2)
    ones, zeros = torch.ones_like(real), torch.zeros_like(fake)
    entropy = F.binary_cross_entropy
    expected = entropy(real.sigmoid(), ones) + entropy(fake.sigmoid(), zeros)
    game = ADVERSARIAL["vanilla"]
    assert game.discriminator(real, fake).item() == pytest.approx(expected.item(), rel=1e-5)
    assert game.generator(fake).item() == pytest.approx(entropy(fake.sigmoid(), ones).item(), rel=1e-5)


def test_lsgan_is_the_squared_distance_to_the_labels():
    real, fake = logits(1), logits(2)
    expected = ((real - 1) ** 2).mean().item() + (fake**2).mean().item()
    fooled = F.mse_loss(fake, torch.ones_like(fake)).item()
    game = ADVERSARIAL["lsgan"]
    assert game.discriminator(real, fake).item() == pytest.approx(expected, rel=1e-5)
    assert game.generator(fake).item() == pytest.approx(fooled, rel=1e-5)


def test_hinge_has_no_more_to_say_beyond_the_margin():
    discriminator, generator, middle = ADVERSARIAL["hinge"]
    assert middle == 0
    assert discriminator(torch.tensor([1.0, 5.0]), torch.tensor([-1.0, -7.0])).item() == 0
    assert discriminator(torch.tensor([0.0]), torch.tensor([0.0])).item() == 2
    assert discriminator(torch.tensor([-2.0]), torch.tensor([3.0])).item() == 3 + 4
    assert generator(torch.tensor([3.0, -1.0])).item() == -1


@pytest.mark.parametrize("name", ADVERSARIAL)
def test_each_side_of_a_game_pulls_its_own_way(name):
    real, fake = logits(1).requires_grad_(), logits(2).requires_grad_()
    ADVERSARIAL[name].discriminator(real, fake).backward()
    if name != "lsgan":  # which draws logits to labels from either side
        assert (real.grad <= 0).all()
        assert (fake.grad >= 0).all()
    fake.grad = None
    ADVERSARIAL[name].generator(fake).backward()
    assert (fake.grad[fake < 1] < 0).all()


def test_vanilla_stays_finite_where_a_discriminator_is_sure():
    sure = torch.full((2, 2), 200.0)
    assert torch.isfinite(ADVERSARIAL["vanilla"].discriminator(-sure, sure))
    assert torch.isfinite(ADVERSARIAL["vanilla"].generator(-sure))
