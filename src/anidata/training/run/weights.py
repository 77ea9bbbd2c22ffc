"""Weights alone, without what trains them: RUN/model.safetensors, and what starts from such a file.

A tensor is called NETWORK.KEY; of the networks that sample, the averages.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypedDict

import torch
from torch import Tensor

from anidata.errors import RunError
from anidata.training import ema, foreign
from anidata.training.baseline import Baseline
from anidata.training.run import checkpoints, forms
from anidata.training.run.folder import Run

SHOWN = 4  # names in a message


@dataclass(frozen=True)
class Fit:
    """How a file's tensors fit a baseline's."""

    fitted: tuple[str, ...]
    misshapen: dict[str, str]  # name → both shapes
    missing: tuple[str, ...]  # of the networks, what the file hasn't got
    unknown: tuple[str, ...]  # of the file, what the networks haven't got

    def __str__(self) -> str:
        own = len(self.fitted) + len(self.misshapen) + len(self.missing)
        clauses = [f"{len(self.fitted)} of {own} tensors fit"]
        if self.misshapen:
            shapes = [f"{name} ({both})" for name, both in self.misshapen.items()]
            clauses.append(f"of another shape: {_some(shapes)}")
        if self.missing:
            clauses.append(f"not in it: {_some(self.missing)}")
        if self.unknown:
            clauses.append(f"in it alone: {_some(self.unknown)}")
        return "; ".join(clauses)


class About(TypedDict):
    """What model.safetensors says of its weights."""

    images: int  # seen by then
    baseline: str
    preset: str


def export(run: Run, checkpoint: Path, sampled: tuple[str, ...], about: About) -> None:
    """Write RUN/model.safetensors from a checkpoint."""
    checkpoints.write(run.weights, checkpoints.sampled(checkpoint, sampled), about)


def known(run: Run) -> Any:
    """All that RUN/model.safetensors says of itself; None where it isn't there, or is damaged."""
    try:
        return checkpoints.about(run.weights) if run.weights.is_file() else None
    except RunError:
        return None


def load(path: Path, baseline: Baseline) -> None:
    """Give the networks that sample the weights of a file made by `export`.

    Raises: RunError: it isn't there, is damaged, or doesn't fit as a whole.
    """
    fit = start_from(path, baseline, baseline.sampled)
    if fit.misshapen or fit.missing:
        raise RunError(f"{path} is of another model: {fit}. Use the model file and settings that made it.")


def start_from(run_or_file: Path, baseline: Baseline, networks: tuple[str, ...] | None = None) -> Fit:
    """Copy what fits by name and shape into a baseline's networks, from a RUN or a safetensors file.

    networks: those to copy into; None: all. A file of one network's bare keys fits too.
    Raises: RunError: no such file, no safetensors, nothing in it fits, or what fits can't be weights.
    """
    source = _source(run_or_file, baseline)
    learning = {n: net for n, net in baseline.networks.items() if not checkpoints.is_memory(net)}
    chosen = learning if networks is None else {n: baseline.networks[n] for n in networks}
    own = {f"{name}.{key}": t for name, below in ema.tensors(chosen).items() for key, t in below.items()}
    fit = _compared(own, source)
    if not fit.fitted:
        raise RunError(
            f"{run_or_file}: no tensor in it fits ({fit}). Name a run or a file of the same model."
        )
    floating = (name for name in fit.fitted if own[name].is_floating_point())
    if wrong := foreign.unlike(source, floating):
        raise RunError(f"{run_or_file}: {wrong}. Name a run or file whose weights are whole.")
    with torch.no_grad():
        for name in fit.fitted:
            own[name].copy_(source[name])
    return fit


def _compared(own: forms.Named, source: forms.Named) -> Fit:
    """How the tensors of a file, `source`, fit a baseline's own, by name and shape."""
    shared = [name for name in own if name in source]
    fitted = [name for name in shared if source[name].shape == own[name].shape]
    misshapen = {
        name: f"{list(source[name].shape)}, here {list(own[name].shape)}"
        for name in shared
        if source[name].shape != own[name].shape
    }
    missing = tuple(name for name in own if name not in source)
    unknown = tuple(name for name in source if name not in own)
    return Fit(tuple(fitted), misshapen, missing, unknown)


def _source(run_or_file: Path, baseline: Baseline) -> dict[str, Tensor]:
    """The tensors of a RUN or file, by NETWORK.KEY; of a checkpoint, averages where there are any."""
    tensors, _ = checkpoints.read(_file(run_or_file))
    weights = checkpoints.below("networks.", tensors)
    if weights:
        return weights | checkpoints.below("ema.", tensors)
    return {_full(name, tensor, baseline): tensor for name, tensor in tensors.items()}


def _full(name: str, tensor: Tensor, baseline: Baseline) -> str:
    """NETWORK.KEY of a tensor that goes by it, or by KEY alone where only one network has that."""
    if name.partition(".")[0] in baseline.networks:
        return name
    homes = [
        network
        for network, weights in ema.tensors(baseline.networks).items()
        if name in weights and weights[name].shape == tensor.shape
    ]
    return f"{homes[0]}.{name}" if len(homes) == 1 else name


def _file(run_or_file: Path) -> Path:
    """The file that holds a run's weights, or the file itself."""
    if run_or_file.is_file():
        return run_or_file
    if not run_or_file.is_dir():
        raise RunError(
            f"{run_or_file}: there is no such run or file. "
            "Name a RUN of anidata train-baseline, or a .safetensors file."
        )
    run = Run(run_or_file)
    if run.weights.is_file():
        return run.weights
    if latest := run.latest():
        return latest
    raise RunError(
        f"{run_or_file} has no weights yet. "
        "Name a run that has come to its first checkpoint, or a .safetensors file."
    )


def _some(names: tuple[str, ...] | list[str]) -> str:
    more = len(names) - SHOWN
    return ", ".join(names[:SHOWN]) + (f" and {more} more" if more > 0 else "")
