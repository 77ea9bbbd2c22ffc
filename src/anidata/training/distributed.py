"""Several processes that train one model: each computes its part of every step, all hold the same weights.

`accelerate launch` and `torchrun` start them; started without, there is one process, and nothing of this
costs anything. Networks aren't wrapped: gradients are averaged when an optimizer steps, so a step may run a
network often, or differentiate twice.
"""

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, distributed, nn

from anidata.errors import TrainingError

DEVICES = ("auto", "cpu", "cuda")


@dataclass(frozen=True)
class Processes:
    """The process that asks, among `ranks`; the one of rank 0 writes and prints."""

    device: torch.device
    rank: int = 0
    ranks: int = 1

    @property
    def first(self) -> bool:
        return self.rank == 0

    def average(self, parameters: Sequence[nn.Parameter]) -> None:
        """Gradients become their means over the processes; a parameter that has one nowhere keeps none."""
        if self.ranks == 1:
            return
        used = torch.tensor([p.grad is not None for p in parameters], dtype=torch.float32, device=self.device)
        flat = torch.cat([used, *(_flat_gradient(p) for p in parameters)])
        distributed.all_reduce(flat)
        means = torch.split(flat[len(parameters) :] / self.ranks, [p.numel() for p in parameters])
        for parameter, mean, anywhere in zip(
            parameters, means, flat[: len(parameters)].tolist(), strict=True
        ):
            parameter.grad = mean.view_as(parameter).to(parameter.dtype) if anywhere else None

    def total(self, numbers: Tensor) -> Tensor:
        """Sums over the processes."""
        if self.ranks > 1:
            distributed.all_reduce(numbers)
        return numbers

    def share(self, networks: Mapping[str, nn.Module]) -> None:
        """Give every process the first one's weights."""
        if self.ranks > 1:
            for tensor in _tensors(networks):
                distributed.broadcast(tensor, 0)

    def leave(self) -> None:
        """Part from the other processes."""
        if self.ranks > 1:
            distributed.destroy_process_group()

    def wait(self) -> None:
        """Wait until every process is here."""
        if self.ranks > 1:
            distributed.barrier()


def join(device: str) -> Processes:
    """The process that asks, with its device: `cpu`, `cuda`, or `auto`, a GPU where there is one.

    Raises: TrainingError: no GPU where one is asked for.
    """
    if device == "cuda" and not torch.cuda.is_available():
        raise TrainingError(
            "--device cuda: PyTorch sees no GPU here (torch.cuda.is_available() is false). "
            "Use --device cpu, or install the driver and a CUDA build of torch."
        )
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        return Processes(torch.device("cuda" if device != "cpu" and torch.cuda.is_available() else "cpu"))
    from accelerate import PartialState  # noqa: PLC0415 - two seconds that a single process needn't wait

    state = PartialState(cpu=device == "cpu" or not torch.cuda.is_available())
    return Processes(state.device, state.process_index, state.num_processes)


def _flat_gradient(parameter: nn.Parameter) -> Tensor:
    if parameter.grad is None:
        return torch.zeros(parameter.numel(), device=parameter.device)
    return parameter.grad.flatten().float()


def _tensors(networks: Mapping[str, nn.Module]) -> Iterable[Tensor]:
    for network in networks.values():
        yield from (p.data for p in network.parameters())
        yield from network.buffers()
