"""What the tests of model files share: small settings of every preset, batches, a plain update."""

import torch
from diffusers import AutoencoderKL, UNet2DConditionModel

from anidata.training import models
from anidata.training.baseline import Batch

SIZE, BATCH = 32, 2
# what makes a preset small enough to be tested at once; a model file that isn't named here is tested by its
# smoke preset alone
TINY = {
    "autoencoder": {"channels": [8, 16], "blocks": 1, "lr": 2e-3},
    "gan": {"channels": [8, 16], "blocks": 1, "discriminator": [8, 16], "lr": 2e-3},
    "diffusion": {"channels": [16, 32], "blocks": 1, "attention": 1, "steps": 3, "lr": 2e-3},
}


def save_stable_diffusion(folder):
    """Save a small VAE and UNet in Stable Diffusion's form, with random weights; return their settings."""
    torch.manual_seed(0)
    vae = AutoencoderKL(
        block_out_channels=(8, 8),
        down_block_types=("DownEncoderBlock2D",) * 2,
        up_block_types=("UpDecoderBlock2D",) * 2,
        norm_num_groups=4,
        latent_channels=4,
        sample_size=SIZE,
    )
    vae.save_pretrained(folder / "vae")
    unet = UNet2DConditionModel(
        block_out_channels=(8, 16),
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        layers_per_block=1,
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        norm_num_groups=4,
        attention_head_dim=4,
        cross_attention_dim=6,
    )
    unet.save_pretrained(folder / "unet")
    return {"vae": str(folder / "vae"), "unet": str(folder / "unet")}


def full_size(name, preset, size=256, **settings):
    """A preset in its full size, without memory for its weights."""
    with torch.device("meta"):
        return models.build(models.load(name), preset, settings, 3, size)


def count(network):
    return sum(p.numel() for p in network.parameters())


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
    results = (baseline.step(batch, drawn(seed), lambda *_: None) for seed in range(seeds))
    return sum(result["loss"].item() for result in results) / seeds


def trained(baseline, batch, steps, seed=0):
    generator, update = drawn(seed), update_of(baseline)
    for _ in range(steps):
        result = baseline.step(batch, generator, update)
    return result
