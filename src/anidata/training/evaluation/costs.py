"""What a colorizer costs: seconds and memory for a picture, parameters, operations.

Seconds depend on the machine and its load, so they are measured once for each file of weights and machine,
and kept in RUN/costs.json: whoever evaluates again gets the same report. Memory is counted, not observed:
what tensors take at once beside the weights, the same on every machine.
"""

import platform
import time
import weakref
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import FlopCounterMode

from anidata import storage
from anidata.catalog.damage import read_json
from anidata.errors import StorageError
from anidata.tar import opening
from anidata.training.evaluation import colorizers
from anidata.training.evaluation.colorizers import Trained
from anidata.training.evaluation.pages import Page
from anidata.training.evaluation.protocols import Protocol
from anidata.training.run.folder import Run, digest_of

FILE = "costs.json"
TIMES = 3  # that a batch is timed: the quickest counts


@dataclass(frozen=True, kw_only=True)
class Cost:
    """What one picture of a protocol takes."""

    weights: str  # SHA-256
    machine: str
    pictures: int  # colored at once
    seconds: float  # for one
    memory: int  # bytes for one, beside the weights
    operations: int  # multiplications and additions of matrices and convolutions, for one
    parameters: int


def of(trained: Trained, pages: Sequence[Page], protocol: Protocol) -> Cost:
    """A run's cost: as it was measured before on this machine, or measured now and remembered."""
    weights, machine = digest_of(trained.run.weights), machine_name(trained.device)
    known = remembered(trained.run)
    for cost in known:
        if (cost.weights, cost.machine, cost.pictures) == (weights, machine, len(pages)):
            return cost
    cost = _measured(trained, pages, protocol, weights, machine)
    with suppress(StorageError):  # a run that can't be written to is measured anew next time
        storage.publish_json(trained.run.path / FILE, [vars(one) for one in (*known, cost)])
    return cost


def remembered(run: Run) -> list[Cost]:
    """What RUN/costs.json says; nothing where it isn't there, or is damaged."""
    path = run.path / FILE
    try:
        return read_json(path, list[Cost]) if path.is_file() else []
    except (StorageError, OSError):
        return []


def machine_name(device: torch.device) -> str:
    """The device, and what else speed depends on."""
    if device.type == "cuda":
        return f"{torch.cuda.get_device_name(device)}, torch {torch.__version__}"
    return f"{_processor()}, {torch.get_num_threads()} threads, torch {torch.__version__}"


def _processor() -> str:
    with suppress(OSError, UnicodeDecodeError):
        for line in opening.read_text(Path("/proc/cpuinfo")).splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _measured(
    trained: Trained, pages: Sequence[Page], protocol: Protocol, weights: str, machine: str
) -> Cost:
    def color() -> Any:
        return trained.color(pages, protocol, 0)

    with Peak() as peak:
        color()
    with FlopCounterMode(display=False) as counter:
        color()
    return Cost(
        weights=weights,
        machine=machine,
        pictures=len(pages),
        seconds=float(f"{min(_seconds(color) for _ in range(TIMES)) / len(pages):.3g}"),
        memory=peak.bytes // len(pages),
        operations=counter.get_total_flops() // len(pages),
        parameters=colorizers.parameters(trained.baseline),
    )


def _seconds(color: Callable[[], Any]) -> float:
    begun = time.perf_counter()
    color()  # its result lies on the CPU: a device has done its work by then
    return time.perf_counter() - begun


class Peak(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Counts the bytes of the tensors made within its block that live at once, at most."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.bytes, self._now = 0, 0
        self._known: weakref.WeakSet[Any] = weakref.WeakSet()

    def __torch_dispatch__(self, func: Any, _types: Any, args: Any = (), kwargs: Any = None) -> Any:
        made = func(*args, **(kwargs or {}))
        for tensor in tree_leaves(made):
            if isinstance(tensor, Tensor):
                self._count(tensor.untyped_storage())
        return made

    def _count(self, memory: Any) -> None:
        if memory in self._known:
            return
        self._known.add(memory)
        size = memory.nbytes()
        self._now += size
        self.bytes = max(self.bytes, self._now)
        weakref.finalize(memory, self._forget, size)

    def _forget(self, size: int) -> None:
        self._now -= size
