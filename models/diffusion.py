"""Conditional diffusion: rectified flow in pixel space (`default`), noise prediction (`ddpm`), \
or in a VAE's latents (`latent`).

    anidata train-baseline diffusion DATASET RUN                       a network that runs on a CPU too
    anidata train-baseline diffusion DATASET RUN --preset large        wider, for a GPU
    anidata train-baseline diffusion DATASET RUN --preset latent --set model.vae=SD/vae --set
        model.unet=SD/unet fine-tunes a UNet of Stable Diffusion's form (1.x, 2.x), folders as diffusers
        saves them, weights in safetensors

The conditions lie beside the noisy picture, as further channels of the network's input.

Hardware, time, result:
    16 pairs of 64 px learned by heart (benchmarks/overfit.py), one CPU core: `default` past 17 dB PSNR after
        135 to 181 s (4 seeds); given each other's lines, the loss is 3.9 times as high or more
    128 px, 217 pairs, 10 minutes of one CPU core (benchmarks/compare_baselines.py), 65 held-out pairs, one
        seed: `default` 11.73 dB, CIEDE2000 18.8 after 4,600 images, no better than the bare line: it has
        only begun, and clouds of color are all there is to see (before the jitter had brightness and
        contrast; after five minutes with it, 214 pairs, 3 seeds: 9.37 dB, SSIM .491, CIEDE2000 24.9)
    256 px on a GPU: not yet run
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import torch
import torch.nn.functional as F  # noqa: N812 its name everywhere
from diffusers import (
    AutoencoderKL,
    DDIMScheduler,
    FlowMatchEulerDiscreteScheduler,
    UNet2DConditionModel,
    UNet2DModel,
)
from torch import Tensor, nn

from anidata.errors import RecipeError
from anidata.recipe import Amount, Count, Positive, Share
from anidata.training import foreign, optimizers
from anidata.training.baseline import Batch, Update
from anidata.training.models import Widths, check_sides

TIMES = 1000  # steps of noise that a network's time is counted in
# share of noise in the pictures that a flow is trained on, at least: velocities are divided by it, and the
# last traces would outweigh all else. Sampling goes below it, and divides by what there is
LEAST = 0.05
MOST = 100  # by how much a noise's error may be multiplied in the picture that it tells: 1/√ᾱ where it begins


@dataclass(frozen=True, kw_only=True)
class Config:
    """The network, what it predicts, and how pictures are drawn from it."""

    condition: Positive = 1  # channels of the conditions; the trainer sets it
    size: Positive = 256  # px of a side; the trainer sets it
    # flow: rectified flow; epsilon: the noise; v: a mix of noise and picture
    objective: Literal["flow", "epsilon", "v"] = "flow"
    # what the network gives of a flow, from which the other follows
    prediction: Literal["sample", "velocity"] = "sample"
    shift: Positive = 3  # of a flow's times towards noise, where a picture's colors are decided; 1: none
    # how noise grows, for epsilon and v
    betas: Literal["linear", "scaled_linear", "squaredcos_cap_v2"] = "squaredcos_cap_v2"
    channels: Widths = (32, 64, 96, 128)  # of each level, half the sides of the one above
    blocks: Positive = 1  # residual blocks of a level on the way down, one more on the way up
    attention: Count = 1  # how many levels, counted from the lowest, have self-attention; 0: none
    # px of a side that the network sees as one place of more channels; 1: none are joined
    patch: Positive = 2
    # of the conditions are hidden in training, so that guidance can leave them out; 0: none
    dropped: Share = 0.1
    # how far a sample is driven away from what would be drawn without its condition; 1: off, in half the time
    guidance: Amount = 1.0
    steps: Positive = 20  # of sampling
    vae: str = ""  # folder of an AutoencoderKL, whose latents are noised in place of pixels; "": pixels
    unet: str = ""  # folder of a UNet2DConditionModel to be fine-tuned, with `vae`; "": a network made anew
    optimizer: optimizers.Name = "adamw"  # adam, adamw, rmsprop, sgd
    lr: Amount = 1e-3  # at its highest; train.schedule moves it
    beta1: Share = 0.9  # of adam, adamw: what stays of the gradient's average in a step; 0: off
    beta2: Share = 0.999  # of adam, adamw: what stays of the squared gradient's average
    momentum: Share = 0.0  # of rmsprop, sgd; 0: off
    alpha: Share = 0.99  # of rmsprop: what stays of the squared gradient's average
    weight_decay: Amount = 0.0  # share of the rate by which weights shrink in a step; 0: off


DEFAULT = Config()
PRESETS = {
    "default": DEFAULT,
    "ddpm": replace(DEFAULT, objective="epsilon"),
    "latent": replace(DEFAULT, objective="epsilon", betas="scaled_linear", lr=1e-5, weight_decay=0.01),
    "large": replace(DEFAULT, channels=(128, 256, 384, 512), blocks=2, attention=2, lr=1e-4),
    "smoke": replace(DEFAULT, channels=(16, 32), steps=8),
}
SMALL: dict[str, Any] = {"batch": 4}
TRAIN: dict[str, dict[str, Any]] = {
    "default": SMALL,
    "ddpm": SMALL,
    "smoke": {"images": 800, "size": 64, "batch": 8},
}


def build(config: Config) -> "Diffusion":
    """Raises: RecipeError: a size that can't be halved often enough, folders that hold no such networks."""
    if config.guidance != 1 and not config.dropped:
        raise RecipeError(
            "model.guidance needs a network that was trained without its condition too. "
            "Set model.dropped=0.1, or model.guidance=1."
        )
    space = Latents(config) if config.vae or config.unet else Pixels(config)
    if config.objective == "flow":
        return Diffusion(config, space, Flow(config))
    return Diffusion(config, space, Noise(config, clip=isinstance(space, Pixels)))


class Diffusion:
    """Noise is mixed into pictures; a network that sees their conditions learns to tell what to take away."""

    sampled = ("unet",)

    def __init__(self, config: Config, space: "Pixels | Latents", objective: "Flow | Noise") -> None:
        check_sides((config.size, config.size), space.multiple, space.remedy)
        self.config, self.space, self.objective, self.networks = config, space, objective, space.networks
        parameters = self.networks["unet"].parameters()
        self.optimizers = {"unet": optimizers.of(config, parameters, config.lr)}

    def step(self, batch: Batch, generator: torch.Generator, update: Update) -> Mapping[str, Tensor]:
        check_sides(batch.condition.shape, self.space.multiple, self.space.remedy)
        clean = self.space.encode(batch.color)
        noise = torch.randn(clean.shape, generator=generator, device=clean.device)
        noisy, time, target = self.objective.mix(clean, noise, generator)
        chance = torch.rand(len(clean), 1, 1, 1, generator=generator, device=clean.device)
        shown = chance >= self.config.dropped
        loss = F.mse_loss(self._predict(noisy, batch.condition * shown, time), target)
        update(loss, "unet")
        return {"loss": loss.detach()}

    @torch.no_grad()
    def sample(self, batch: Batch, generator: torch.Generator) -> Tensor:
        check_sides(batch.condition.shape, self.space.multiple, self.space.remedy)
        x = torch.randn(self.space.shape(batch.condition), generator=generator, device=batch.condition.device)
        steps = self.objective.steps()
        for time in steps.timesteps:
            output = self._guided(x, batch.condition, time.to(x.device).expand(len(x)))
            x = steps.step(output, time, x)[0]
        return self.space.decode(x).float().clamp(-1, 1)

    def _guided(self, x: Tensor, condition: Tensor, time: Tensor) -> Tensor:
        """The prediction, driven away from the one without the condition.

        Source: Ho, Salimans 2022, eq. 6 with 1 + w as `guidance`, arXiv 2207.12598
        """
        heeding = self._predict(x, condition, time)
        if self.config.guidance == 1:
            return heeding
        blind = self._predict(x, torch.zeros_like(condition), time)
        return blind + self.config.guidance * (heeding - blind)

    def _predict(self, noisy: Tensor, condition: Tensor, time: Tensor) -> Tensor:
        return self.objective.meant(self.space.predict(noisy, condition, time).float(), noisy, time)


class Flow:
    """Rectified flow: the velocity from picture to noise, learned at points between them.

    The points crowd where there is more noise than picture. A small network needn't hold all of the noise
    that it sees if it predicts the picture; the loss is of the velocity all the same.
    Source: Liu et al. 2022, eq. 1, arXiv 2209.03003; logit-normal times and their shift: Esser et al. 2024,
    section 3.1 and eq. 23, arXiv 2403.03206; the picture in place of the velocity: Li, He 2025, section 4,
    arXiv 2511.13720
    """

    def __init__(self, config: Config) -> None:
        self.config = config

    def mix(self, clean: Tensor, noise: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
        """(noisy, time, target)."""
        middle = math.log(self.config.shift)
        logits = middle + torch.randn(len(clean), 1, 1, 1, generator=generator, device=clean.device)
        share = logits.sigmoid().clamp(min=LEAST)
        return (1 - share) * clean + share * noise, share.flatten() * TIMES, noise - clean

    def meant(self, output: Tensor, noisy: Tensor, time: Tensor) -> Tensor:
        """The velocity, from the network's output."""
        if self.config.prediction == "velocity":
            return output
        return (noisy - output) / (time.view(-1, 1, 1, 1) / TIMES)

    def steps(self) -> FlowMatchEulerDiscreteScheduler:
        euler, count = FlowMatchEulerDiscreteScheduler(TIMES, shift=self.config.shift), self.config.steps
        # its own would spend the last step on a thousandth
        euler.set_timesteps(sigmas=[1 - n / count for n in range(count)])
        return euler


class Noise:
    """DDPM: the network tells the noise (epsilon) in a noisy picture, or v. Sampled by DDIM.

    A picture told by its noise is multiplied by 1/√ᾱ, and so is every error: 20,291 times at the last time of
    squaredcos. So sampling by epsilon begins at the last time at which that is `MOST` or less; v, which tells
    the picture where there is nothing but noise, begins at the last of all.
    Source: Ho et al. 2020, arXiv 2006.11239; Song et al. 2021 (DDIM), arXiv 2010.02502; Salimans, Ho 2022
    (v), arXiv 2202.00512
    """

    def __init__(self, config: Config, *, clip: bool) -> None:
        """clip: pictures are known to lie in [-1, 1]; latents aren't."""
        # Stable Diffusion's, and the paper's
        start, end = (0.00085, 0.012) if config.betas == "scaled_linear" else (0.0001, 0.02)
        self.count, self.clip, self.by_noise = config.steps, clip, config.objective == "epsilon"
        self.noises = DDIMScheduler(TIMES, start, end, config.betas)

    def mix(self, clean: Tensor, noise: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
        """(noisy, time, target)."""
        time = torch.randint(TIMES, (len(clean),), generator=generator, device=clean.device)
        target = noise if self.by_noise else self.noises.get_velocity(clean, noise, time)
        return self.noises.add_noise(clean, noise, time), time, target

    def meant(self, output: Tensor, noisy: Tensor, time: Tensor) -> Tensor:  # noqa: ARG002 it is just that
        return output

    def steps(self) -> "Ddim":
        kept = self.noises.alphas_cumprod
        usable = int((kept.rsqrt() <= MOST).sum()) if self.by_noise else TIMES  # ᾱ falls: the first ones
        return Ddim(kept[:usable], self.count, by_noise=self.by_noise, clip=self.clip)


class Ddim:
    """Steps of DDIM without noise of their own, evenly from the last time down to the picture.

    diffusers' own goes by whole strides of all times: neither other times nor numbers of steps that don't
    divide them are met exactly.
    Source: Song et al. 2021, eq. 12 with σ = 0, arXiv 2010.02502; from the last time on ("trailing"): Lin et
    al. 2024, arXiv 2305.08891
    """

    def __init__(self, kept: Tensor, count: int, *, by_noise: bool, clip: bool) -> None:
        """kept: ᾱ by time. clip: pictures are known to lie in [-1, 1]."""
        times = torch.linspace(len(kept), 0, min(count, len(kept)) + 1).round().long()[:-1] - 1
        self.timesteps, self.by_noise, self.clip = times, by_noise, clip
        self._kept = kept
        self._next = dict(zip(times.tolist(), [*kept[times[1:]].tolist(), 1.0], strict=True))

    def step(self, output: Tensor, time: Tensor, noisy: Tensor) -> tuple[Tensor]:
        """The picture at the next time."""
        kept, then = float(self._kept[time]), self._next[int(time)]
        signal, share = kept**0.5, (1 - kept) ** 0.5
        clean = (noisy - share * output) / signal if self.by_noise else signal * noisy - share * output
        clean = clean.clamp(-1, 1) if self.clip else clean
        noise = output if self.by_noise else share * noisy + signal * output
        return (then**0.5 * clean + (1 - then) ** 0.5 * noise,)


class Pixels:
    """Noise in the picture itself, patches of pixels side by side as channels."""

    def __init__(self, config: Config) -> None:
        levels, attentive = len(config.channels), min(config.attention, len(config.channels))
        down = ["DownBlock2D"] * (levels - attentive) + ["AttnDownBlock2D"] * attentive
        up = ["AttnUpBlock2D"] * attentive + ["UpBlock2D"] * (levels - attentive)
        unet = UNet2DModel(
            in_channels=(3 + config.condition) * config.patch**2,
            out_channels=3 * config.patch**2,
            block_out_channels=config.channels,
            down_block_types=tuple(down),
            up_block_types=tuple(up),
            layers_per_block=config.blocks,
            add_attention=attentive > 0,
            attention_head_dim=math.gcd(32, *config.channels),
            norm_num_groups=math.gcd(8, *config.channels),
        )
        self.networks: dict[str, nn.Module] = {"unet": unet}
        self.patch = config.patch
        self.multiple = config.patch * 2 ** (levels - 1)
        self.remedy = ", model.patch=1, or fewer levels in model.channels"

    def shape(self, condition: Tensor) -> tuple[int, ...]:
        """Of the noise that a sample begins with."""
        b, _, h, w = condition.shape
        return b, 3 * self.patch**2, h // self.patch, w // self.patch

    def encode(self, color: Tensor) -> Tensor:
        return F.pixel_unshuffle(color, self.patch)

    def decode(self, patches: Tensor) -> Tensor:
        return F.pixel_shuffle(patches, self.patch)

    def predict(self, patches: Tensor, condition: Tensor, time: Tensor) -> Tensor:
        seen = torch.cat([patches, F.pixel_unshuffle(condition, self.patch)], 1)
        output: Tensor = self.networks["unet"](seen, time, return_dict=False)[0]
        return output


class Latents:
    """Noise in the latents of a user's VAE, for a UNet of Stable Diffusion's form.

    The condition's pixels lie beside each latent as channels. The UNet's first layer is widened for them by
    weights of 0, so that it begins as it was; in place of a prompt's embedding it sees zeros.
    """

    def __init__(self, config: Config) -> None:
        vae = opened(AutoencoderKL, "vae", config.vae)
        unet = opened(UNet2DConditionModel, "unet", config.unet)
        self.networks: dict[str, nn.Module] = {"unet": unet, "vae": vae.requires_grad_(requires_grad=False)}
        self.scale, self.shift = vae.config.scaling_factor, vae.config.shift_factor or 0.0
        self.channels: int = vae.config.latent_channels
        self.factor: int = 2 ** (len(vae.config.block_out_channels) - 1)
        self.multiple: int = self.factor * 2 ** (len(unet.config.block_out_channels) - 1)
        self.remedy = ""
        self.width: int = check_form(unet, config.unet)
        widen(unet, self.channels, self.channels + config.condition * self.factor**2, config.unet)

    def shape(self, condition: Tensor) -> tuple[int, ...]:
        """Of the noise that a sample begins with."""
        b, _, h, w = condition.shape
        return b, self.channels, h // self.factor, w // self.factor

    def encode(self, color: Tensor) -> Tensor:
        with torch.no_grad():
            # a method, nn.Module thinks it a tensor
            posterior = self.networks["vae"].encode(color).latent_dist  # type: ignore[operator]
            latents: Tensor = posterior.mode().float()
        return (latents - self.shift) * self.scale

    def decode(self, latents: Tensor) -> Tensor:
        scaled = latents / self.scale + self.shift
        color: Tensor = self.networks["vae"].decode(scaled, return_dict=False)[0]  # type: ignore[operator]
        return color

    def predict(self, latents: Tensor, condition: Tensor, time: Tensor) -> Tensor:
        seen = torch.cat([latents, F.pixel_unshuffle(condition, self.factor)], 1)
        no_words = latents.new_zeros(len(latents), 1, self.width)
        output: Tensor = self.networks["unet"](seen, time, no_words, return_dict=False)[0]
        return output


def opened(kind: Any, name: str, folder: str) -> Any:
    """A network of diffusers from its folder, never from afar, never unpickled.

    Raises: RecipeError: no such folder, none that holds this network in safetensors, or one with tensors
        missing or too many.
    """
    if not folder or not Path(folder).expanduser().is_dir():
        missing = f"{folder}: no such folder" if folder else "not set"
        raise RecipeError(
            f"model.{name}: {missing}. Set model.{name}=FOLDER, as save_pretrained of diffusers writes it: "
            "config.json and safetensors."
        )
    path = Path(folder).expanduser()
    try:
        network, fit = kind.from_pretrained(
            path,
            use_safetensors=True,
            local_files_only=True,
            torch_dtype=torch.float32,
            output_loading_info=True,
        )
    # diffusers' words for a file that is missing, damaged or of another shape
    except (OSError, ValueError, RuntimeError) as error:
        raise RecipeError(
            f"model.{name}: {folder} holds no {kind.__name__} in safetensors: {error}{_pickled(path)}"
        ) from error
    check_whole(network, fit, f"model.{name}: {folder}")
    return network


def check_whole(network: nn.Module, fit: Mapping[str, Any], where: str) -> None:
    """Hold a network against how a file of weights fitted it: diffusers draws by chance what is missing.

    Raises: RecipeError: a tensor missing, too many, of another shape, or that can't be weights.
    """
    kinds = {
        "missing": "missing_keys",
        "none of this network": "unexpected_keys",
        "of another shape": "mismatched_keys",
    }
    for what, key in kinds.items():
        if names := sorted(map(str, fit[key])):
            raise RecipeError(f"{where}: {names[0]} is {what}. Take weights and config.json of one network.")
    weights = network.state_dict()
    floating = (name for name, tensor in network.named_parameters() if tensor.is_floating_point())
    if wrong := foreign.unlike(weights, floating):
        raise RecipeError(f"{where}: {wrong}. Take whole weights.")


def _pickled(folder: Path) -> str:
    """How to convert the pickle that a folder has in place of safetensors; empty if it has none."""
    pickles = sorted(folder.glob("*.bin"))
    return f" {foreign.remedy(pickles[0])}" if pickles else ""


def check_form(unet: UNet2DConditionModel, folder: str) -> int:
    """The width of the words that the UNet listens to.

    Raises: RecipeError: it wants to be told more than words.
    """
    others = ("addition_embed_type", "class_embed_type", "encoder_hid_dim_type")
    asked = [name for name in others if unet.config.get(name)]
    width = unet.config.cross_attention_dim
    if asked or not isinstance(width, int):
        raise RecipeError(
            f"model.unet: {folder} has {', '.join(asked) or 'several widths'}. "
            "Take a UNet of the form of Stable Diffusion 1.x or 2.x."
        )
    return width


def widen(unet: UNet2DConditionModel, before: int, after: int, folder: str) -> None:
    """Give the first layer `after` channels, the new ones of weight 0; one that has them already stays.

    Raises: RecipeError: it has neither `before` nor `after` channels.
    """
    old = unet.conv_in
    if old.in_channels not in (before, after):
        raise RecipeError(
            f"model.unet: {folder} takes {old.in_channels} channels, neither the VAE's {before} "
            f"nor, with the conditions, {after}."
        )
    wide = nn.Conv2d(after, old.out_channels, old.kernel_size, padding=old.padding)
    with torch.no_grad():
        wide.weight.zero_()[:, : old.in_channels].copy_(old.weight)
        wide.bias.copy_(old.bias)  # type: ignore[union-attr]  # it has one: bias is on by default
    unet.conv_in = wide
    unet.register_to_config(in_channels=after)
