"""The training loop: a generator that knows no family.

Logging, validation, checkpoints and early stop belong to the caller:

    prepare(baseline, config, processes)
    for progress in train(baseline, batches, config, State()):
        print(progress.images, progress.losses)

What is random in a step is drawn from seeds of (seed, images seen, process, part): a run that goes on needs
no stored state of generators.
"""

import hashlib
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

import torch
from torch import Tensor
from torch.nn import Parameter
from torch.nn.utils import clip_grads_with_norm_, get_total_norm
from torch.optim import Optimizer

from anidata.errors import Diverged, TrainingError
from anidata.training.baseline import Baseline, Batch
from anidata.training.config import Config
from anidata.training.distributed import Processes
from anidata.training.ema import Ema

ALONE = Processes(torch.device("cpu"))


@dataclass(kw_only=True)
class State:
    """How far training has come; `train` moves it on."""

    images: int = 0  # seen by all processes
    seconds: float = 0.0  # spent in steps, waiting for data included
    waited: float = 0.0  # of these, for data
    skipped: int = 0  # steps in which an optimizer stood still, its gradient not being finite
    running: int = 0  # of these, the last ones without a sound step between
    ema: Ema | None = None


@dataclass(frozen=True, kw_only=True)
class Progress:
    """Result of one step: losses, seconds, images seen."""

    images: int  # seen so far by all processes
    step: int  # images of this step, over all processes
    losses: Mapping[str, Tensor]  # of this process, detached, on its device
    seconds: float  # the step took
    waited: float  # of these, for data
    skipped: bool  # an optimizer stood still


@dataclass
class Updater:
    """A step's one hook: backward, accumulate, average over the processes, clip, skip on NaN, step."""

    baseline: Baseline
    config: Config
    processes: Processes
    last: bool = True  # whether this is the step's last part: optimizers wait for it
    turn: int = 0  # which of a part's calls counts, where there are several parts
    calls: int = 0  # of this part so far
    broken: set[str] = field(default_factory=set)  # optimizers that stood still in this step

    def __call__(self, loss: Tensor, name: str) -> bool:
        self.calls += 1
        if self.config.accumulate > 1 and self.calls - 1 != self.turn:
            return False
        parameters = _parameters(self.baseline.optimizers[name])
        # backward takes each forward's own precision
        with torch.autocast(self.processes.device.type, enabled=False):
            (loss / self.config.accumulate).backward(inputs=parameters)  # type: ignore[no-untyped-call]
        spoiled = next((p.grad for p in parameters if p.grad is not None), loss.new_zeros(()))
        # a loss that isn't finite counts as such a gradient, though an absolute value's isn't
        spoiled += loss.detach() * 0
        if self.last:
            self._step(name)
        return True

    def _step(self, name: str) -> None:
        optimizer = self.baseline.optimizers[name]
        parameters = _parameters(optimizer)
        self.processes.average(parameters)
        norm = get_total_norm([p.grad for p in parameters if p.grad is not None])
        size = float(norm)
        if size - size != 0:  # nan or infinite, on every process alike
            self.broken.add(name)
        else:
            if 0 < self.config.clip < size:
                clip_grads_with_norm_(parameters, self.config.clip, norm)
            optimizer.step()
        optimizer.zero_grad(set_to_none=True)


def prepare(baseline: Baseline, config: Config, processes: Processes = ALONE) -> None:
    """Bring networks onto the device, in the config's memory format.

    Those that sample are compiled, if the config says so.
    """
    # all batches are of one size: the fastest kernels are looked for once
    torch.backends.cudnn.benchmark = True
    for network in baseline.networks.values():
        network.to(processes.device)
        if config.channels_last:
            network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # the stubs lack it
    for name in baseline.sampled if config.compile else ():
        baseline.networks[name].compile()  # others may be differentiated twice, which compiled ones can't


def train(
    baseline: Baseline, batches: Iterator[Batch], config: Config, state: State, processes: Processes = ALONE
) -> Iterator[Progress]:
    """Train until `config.images` are seen; yield a Progress for each step.

    A batch has the pictures of one process and part.
    Raises: Diverged: gradients haven't been finite in `config.max_skipped` steps running. TrainingError:
        torch.compile can't do it.
    """
    updater = Updater(baseline, config, processes)
    generator = torch.Generator(processes.device)
    for network in baseline.networks.values():
        network.train()
    while state.images < config.images:
        begun = time.perf_counter()
        set_rates(baseline, config.rate(state.images))
        with compiling():
            losses, waited = _step(updater, batches, generator, state.images)
        _count(state, updater, config)
        if state.ema:
            state.ema.update(config.batch, state.images)
        seconds = time.perf_counter() - begun
        state.seconds += seconds
        state.waited += waited
        yield Progress(
            images=state.images,
            step=config.batch,
            losses=losses,
            seconds=seconds,
            waited=waited,
            skipped=bool(updater.broken),
        )


@contextmanager
def compiling() -> Iterator[None]:
    """Translate the compiler's errors around what compiled networks do: they are compiled at their first use.

    Raises: TrainingError: the compiler fails.
    """
    try:
        yield
    except RuntimeError as error:
        if type(error).__module__.startswith(("torch._dynamo", "torch._inductor")):
            why = str(error).strip().splitlines()[0]
            raise TrainingError(
                f"torch.compile fails ({why}). The same command goes on without it: --set train.compile=false"
            ) from error
        raise


def autocast(config: Config, device: torch.device) -> torch.autocast:
    """Mixed precision where it is asked for.

    No cache of cast weights: within a step weights change, and some forwards need no gradient.
    """
    mixed = config.precision == "bf16"
    return torch.autocast(device.type, torch.bfloat16, enabled=mixed, cache_enabled=False)


def placed(batch: Batch, config: Config, device: torch.device) -> Batch:
    """The batch on the device, in the networks' memory format."""
    return batch.to(device, torch.channels_last if config.channels_last else torch.contiguous_format)


def seed(*numbers: int) -> int:
    """63 bits that look random, of a few numbers."""
    return int.from_bytes(hashlib.blake2b(repr(numbers).encode(), digest_size=8).digest()) >> 1


def set_rates(baseline: Baseline, factor: float) -> None:
    """The learning rate of each group: its own first one, times the schedule's factor."""
    for optimizer in baseline.optimizers.values():
        for group in optimizer.param_groups:
            group["lr"] = group.setdefault("initial_lr", group["lr"]) * factor


def _step(
    updater: Updater, batches: Iterator[Batch], generator: torch.Generator, images: int
) -> tuple[dict[str, Tensor], float]:
    """One step: the losses' means over its parts, and the seconds waited for data.

    Where there are several, each update has a pass over all parts to itself, in a part's order: a generator
    is trained against the discriminator as all parts have left it. A pass draws what the one before drew;
    losses are those of the first.
    """
    config, processes = updater.config, updater.processes
    updater.broken.clear()
    begun = time.perf_counter()
    parts = [placed(next(batches), config, processes.device) for _ in range(config.accumulate)]
    waited = time.perf_counter() - begun
    seeds = [seed(config.seed, images, processes.rank, part) for part in range(config.accumulate)]
    losses = _pass(updater, parts, seeds, generator, 0)
    for turn in range(1, updater.calls if config.accumulate > 1 else 1):
        _pass(updater, parts, seeds, generator, turn)
    return losses, waited


def _pass(
    updater: Updater, parts: list[Batch], seeds: list[int], generator: torch.Generator, turn: int
) -> dict[str, Tensor]:
    """The losses' means over those parts that have them, one update of each being done."""
    losses: dict[str, list[Tensor]] = {}
    updater.turn = turn
    for batch, number in zip(parts, seeds, strict=True):
        generator.manual_seed(number)
        torch.manual_seed(number)  # for what draws from the global generator, as dropout does
        updater.last, updater.calls = batch is parts[-1], 0
        with autocast(updater.config, updater.processes.device):
            of_part = updater.baseline.step(batch, generator, updater)
        for name, loss in of_part.items():
            losses.setdefault(name, []).append(loss.detach())
    return {name: torch.stack(of_parts).mean(0) for name, of_parts in losses.items()}


def _count(state: State, updater: Updater, config: Config) -> None:
    state.images += config.batch
    state.skipped += bool(updater.broken)
    state.running = state.running + 1 if updater.broken else 0
    if state.running >= config.max_skipped:
        raise Diverged(
            f"the gradient of '{', '.join(sorted(updater.broken))}' hasn't been finite "
            f"in {state.running} steps running, up to image {state.images:,}. "
            "Train with a lower learning rate (--set model.lr=…) "
            "or in full precision (--set train.precision=fp32), in a new RUN."
        )


def _parameters(optimizer: Optimizer) -> list[Parameter]:
    return [p for group in optimizer.param_groups for p in group["params"]]
