"""A model of a few hundred weights with all that makes training hard to resume.

It has two optimizers, dropout, noise, and a counter in a buffer.
"""

import os
import signal
from dataclasses import dataclass

import torch
from torch import nn

from anidata.training import optimizers


@dataclass(frozen=True, kw_only=True)
class Config:
    condition: int = 1
    size: int = 256
    width: int = 8
    colors: tuple[str, ...] = ("red", "green", "blue")  # TOML knows lists alone
    lr: float = 1e-2
    optimizer: optimizers.Name = "adam"
    noise: float = 0.1
    dropout: float = 0.1
    kill_at: int = 0  # step in which the process is killed, where KILLABLE is set; 0: none


PRESETS = {"default": Config(), "plain": Config(noise=0.0, dropout=0.0)}
TRAIN = {"default": {"images": 48, "batch": 4, "size": 16, "workers": 0}}


def build(config):
    return Tiny(config)


class Painter(nn.Sequential):
    def forward(self, planes):  # a frame of this file: those of torch's own modules alone aren't compiled
        return super().forward(planes)


class Critic(nn.Module):
    def __init__(self):
        super().__init__()
        self.judge = nn.Conv2d(3, 1, 3)
        self.register_buffer("steps", torch.zeros((), dtype=torch.int64))


class Tiny:
    sampled = ("painter",)

    def __init__(self, config):
        self.config = config
        layers = (
            nn.Conv2d(config.condition, config.width, 3, padding=1),
            nn.SiLU(),
            nn.Dropout(config.dropout),
            nn.Conv2d(config.width, 3, 1),
        )
        self.painter, self.critic = Painter(*layers), Critic()
        self.networks = {"painter": self.painter, "critic": self.critic}
        self.optimizers = {
            name: optimizers.build(config.optimizer, n.parameters(), config.lr)
            for name, n in self.networks.items()
        }

    def step(self, batch, generator, update):
        self.critic.steps += 1
        if int(self.critic.steps) == self.config.kill_at and os.environ.get("KILLABLE"):
            os.kill(os.getpid(), signal.SIGKILL)
        noise = torch.randn(batch.condition.shape, generator=generator, device=batch.condition.device)
        painted = self.painter(batch.condition + self.config.noise * noise)
        judged = self.critic.judge(painted.detach()).mean() - self.critic.judge(batch.color).mean()
        update(judged + 0.1 * self.critic.judge.weight.square().sum(), "critic")
        loss = (painted - batch.color).abs().mean() - 0.01 * self.critic.judge(painted).mean()
        update(loss, "painter")
        return {"painter": loss.detach(), "critic": judged.detach()}

    def sample(self, batch, generator):  # noqa: ARG002 - the interface
        return self.painter(batch.condition).tanh()
