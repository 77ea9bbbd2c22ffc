"""Running averages of weights (EMA), which sample better than the weights of any one step.

Source: Karras et al. 2022 (EDM), arXiv 2206.00364, appendix F: a half-life in images, and its ramp
"""

from collections.abc import Iterator, Mapping
from itertools import chain

import torch
from torch import Tensor, nn

# the half-life is at most this share of the images seen so far: the first weights are soon forgotten
WARM_UP = 0.05

Tensors = dict[str, dict[str, Tensor]]  # by network and name


def tensors(networks: Mapping[str, nn.Module]) -> Tensors:
    """Parameters and buffers as they are in the networks; one that has two names goes by its first."""
    return {
        name: dict(chain(network.named_parameters(), network.named_buffers()))
        for name, network in networks.items()
    }


def decay(step: int, seen: int, half_life: int) -> float:
    """How much of the average stays in a step of `step` images, the last of `seen`."""
    return float(0.5 ** (step / max(min(half_life, WARM_UP * seen), 1e-8)))


class Ema:
    """The averages of some networks' parameters and of their floating buffers; other buffers are copied."""

    def __init__(self, networks: Mapping[str, nn.Module], half_life: int) -> None:
        self._networks, self._half_life = networks, half_life
        self.tensors = {name: _copied(weights) for name, weights in tensors(networks).items()}

    @torch.no_grad()
    def update(self, step: int, seen: int) -> None:
        """Take the weights in, after a step of `step` images, the last of `seen`."""
        pairs = [(kept, live.detach()) for kept, live in self._pairs()]
        floating = [pair for pair in pairs if pair[0].is_floating_point()]
        weight = 1 - decay(step, seen, self._half_life)
        torch._foreach_lerp_([kept for kept, _ in floating], [live for _, live in floating], weight)
        for kept, live in pairs:
            if not kept.is_floating_point():
                kept.copy_(live)

    def trade(self) -> None:
        """Put the averages into the networks; the weights stand here until the next trade.

        Nothing is copied.
        """
        for kept, live in self._pairs():
            kept.data, live.data = live.data, kept.data

    def _pairs(self) -> Iterator[tuple[Tensor, Tensor]]:
        for name, weights in tensors(self._networks).items():
            for key, live in weights.items():
                yield self.tensors[name][key], live


def _copied(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {key: tensor.detach().clone() for key, tensor in weights.items()}
