"""What a model file gives the training loop.

A model file has `Config` (a frozen dataclass whose `condition` and `size` the trainer sets),
`PRESETS: dict[str, Config]` and `build(config) -> Baseline`. Networks and optimizers are reachable by name,
so that EMA, several processes and checkpoints need not know the family. The loop's one hook into a step is
`update`: backward, accumulate, clip, skip on NaN, step.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol, Self

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

Update = Callable[[Tensor, str], bool | None]
"""`update(loss, optimizer_name)`: takes the loss's gradient into that optimizer's parameters and steps it.

False: the same step comes again, and this loss counts there: what a step remembers isn't to change yet.
"""


@dataclass(frozen=True)
class Batch:
    """Pictures as a model sees them."""

    color: Tensor  # float32 (b, 3, h, w) in [-1, 1]
    # float32 (b, c, h, w) in [-1, 1]: lineart, gray, hints … side by side in the recipe's order; zeros where
    # there is none
    condition: Tensor
    keys: tuple[str, ...] = ()

    def to(
        self, device: torch.device | str, memory_format: torch.memory_format = torch.contiguous_format
    ) -> Self:
        """The same batch on a device."""
        color, condition = (
            x.to(device, non_blocking=True, memory_format=memory_format) for x in (self.color, self.condition)
        )
        return type(self)(color, condition, self.keys)


class Baseline(Protocol):
    """A model with what trains it. `sampled` names the networks that `sample` runs: those the EMA follows.

    A network without parameters is a memory: checkpoints have its buffers. One that learns without pairs has
    `unpaired = True`: its batches have the color of one picture and the line of another.
    """

    networks: dict[str, nn.Module]
    optimizers: dict[str, Optimizer]
    sampled: tuple[str, ...]

    def step(self, batch: Batch, generator: torch.Generator, update: Update) -> Mapping[str, Tensor]:
        """Compute the losses, call `update(loss, optimizer_name)` for each optimizer.

        All that is random is drawn from `generator`, which lives on the batch's device.
        Returns: the losses by name, detached.
        """

    def sample(self, batch: Batch, generator: torch.Generator) -> Tensor:
        """Colored pictures for the batch's conditions: (b, 3, h, w) in [-1, 1].

        `batch.color` isn't looked at (it may be zeros).
        """
