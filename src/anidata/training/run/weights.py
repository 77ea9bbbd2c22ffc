"""Weights alone, without what trains them: RUN/model.safetensors, and what starts from such a file.

A tensor is called NETWORK.KEY; of the networks that sample, the averages.
"""

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from anidata.errors import RunError
from anidata.training import ema
from anidata.training.baseline import Baseline
from anidata.training.run import checkpoints
from anidata.training.run.folder import Run

SHOWN = 4  # names in a message


@dataclass(frozen=True)
class Fit:
    """What became of a file's tensors."""

    fitted: tuple[str, ...]
    misshapen: dict[str, str]  # name → both shapes
    missing: tuple[str, ...]  # of the networks, what the file hasn't got
    unknown: tuple[str, ...]  # of the file, what the networks haven't got

    def __str__(self) -> str:
        own = len(self.fitted) + len(self.misshapen) + len(self.missing)
        told = [f"{len(self.fitted)} of {own} tensors fit"]
        told += (
            [f"of another shape: {_some([f'{n} ({s})' for n, s in self.misshapen.items()])}"]
            if self.misshapen
            else []
        )
        told += [f"not in it: {_some(self.missing)}"] if self.missing else []
        told += [f"in it alone: {_some(self.unknown)}"] if self.unknown else []
        return "; ".join(told)


def export(run: Run, checkpoint: Path, sampled: tuple[str, ...], about: checkpoints.Facts) -> None:
    """Write RUN/model.safetensors from a checkpoint."""
    checkpoints.write(run.weights, checkpoints.sampled(checkpoint, sampled), about)


def load(path: Path, baseline: Baseline) -> None:
    """Give the networks that sample the weights of a file made by `export`.

    Raises: RunError: it isn't there, is damaged, or doesn't fit as a whole.
    """
    fit = start_from(path, baseline, baseline.sampled)
    if fit.misshapen or fit.missing:
        raise RunError(f"{path} is of another model: {fit}. Use the model file and settings that made it.")


def start_from(place: Path, baseline: Baseline, networks: tuple[str, ...] | None = None) -> Fit:
    """Copy what fits by name and shape into a baseline's networks (all of them unless told), from a RUN or a safetensors file.

    A file of one network's bare keys fits too.
    Raises: RunError: no such file, no safetensors, or nothing in it fits.
    """
    found = _of(place, baseline)
    chosen = baseline.networks if networks is None else {n: baseline.networks[n] for n in networks}
    own = {f"{name}.{key}": t for name, below in ema.tensors(chosen).items() for key, t in below.items()}
    fitted = [n for n in own if n in found and found[n].shape == own[n].shape]
    misshapen = {
        n: f"{list(found[n].shape)}, here {list(own[n].shape)}"
        for n in own
        if n in found and found[n].shape != own[n].shape
    }
    fit = Fit(
        tuple(fitted),
        misshapen,
        tuple(n for n in own if n not in found),
        tuple(n for n in found if n not in own),
    )
    if not fitted:
        raise RunError(f"{place}: no tensor in it fits ({fit}). Name a run or a file of the same model.")
    with torch.no_grad():
        for name in fitted:
            own[name].copy_(found[name])
    return fit


def _of(place: Path, baseline: Baseline) -> dict[str, Tensor]:
    """The tensors of a RUN or file, by NETWORK.KEY."""
    path = _file(place)
    tensors, _ = checkpoints.read(path)
    if any(
        name.startswith("networks.") for name in tensors
    ):  # a checkpoint: averages of what samples, weights of the rest
        whole = {n.removeprefix("networks."): t for n, t in tensors.items() if n.startswith("networks.")}
        return whole | {n.removeprefix("ema."): t for n, t in tensors.items() if n.startswith("ema.")}
    return {_full(name, tensor, baseline): tensor for name, tensor in tensors.items()}


def _full(name: str, tensor: Tensor, baseline: Baseline) -> str:
    """NETWORK.KEY of a tensor that goes by it, or by KEY alone where only one network has that."""
    if name.partition(".")[0] in baseline.networks:
        return name
    homes = [
        n
        for n, found in ema.tensors(baseline.networks).items()
        if name in found and found[name].shape == tensor.shape
    ]
    return f"{homes[0]}.{name}" if len(homes) == 1 else name


def _file(place: Path) -> Path:
    """The file that holds a run's weights, or the place itself."""
    if not place.is_dir():
        if not place.is_file():
            raise RunError(
                f"{place}: there is no such run or file. Name a RUN of anidata train-baseline, or a .safetensors file."
            )
        return place
    run = Run(place)
    if run.weights.is_file():
        return run.weights
    if latest := run.latest():
        return latest
    raise RunError(
        f"{place} has no weights yet. Name a run that has come to its first checkpoint, or a .safetensors file."
    )


def _some(names: tuple[str, ...] | list[str]) -> str:
    more = len(names) - SHOWN
    return ", ".join(names[:SHOWN]) + (f" and {more} more" if more > 0 else "")
