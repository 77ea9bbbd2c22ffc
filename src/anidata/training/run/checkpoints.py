"""Checkpoints: networks, their averages, optimizers and how far training has come, in one safetensors file that appears whole or not at all.

    networks.NAME.KEY, ema.NAME.KEY        the tensors, as named_parameters and named_buffers name them
    optimizers.NAME.NUMBER.KEY             what an optimizer keeps of its NUMBERth parameter
    __metadata__ {"anidata": JSON}         the rest: format, facts, and the optimizers' groups

Nothing is ever unpickled. Random generators need no state: what is random in a step is a function of the images seen.
Source: the safetensors format, github.com/huggingface/safetensors, "Format"
"""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn
from torch.optim import Optimizer

from anidata import storage
from anidata.errors import FormatError, RunError
from anidata.training import ema
from anidata.training.baseline import Baseline

FORMAT = 1
SUFFIX = ".safetensors"
META = "anidata"  # our one key in the file's metadata
NAMES = {
    torch.float64: "F64", torch.float32: "F32", torch.float16: "F16", torch.bfloat16: "BF16", torch.int64: "I64", torch.int32: "I32",
    torch.int16: "I16", torch.int8: "I8", torch.uint8: "U8", torch.bool: "BOOL",
}  # fmt: skip

Facts = dict[str, Any]
Named = Mapping[str, Tensor]


def save(path: Path, baseline: Baseline, averages: ema.Tensors, facts: Facts) -> None:
    """Write a checkpoint. `facts`: what JSON can hold of how far training has come.

    Raises: StorageError: the disk is full, read-only or fails; what stood at `path` stands.
    """
    kept, groups = _optimizers(baseline)
    tensors = {**_named("networks", ema.tensors(_trained(baseline))), **_named("ema", averages), **kept}
    write(path, tensors, {"format": FORMAT, "facts": facts, "groups": groups})


def load(path: Path, baseline: Baseline, averages: ema.Tensors) -> Facts:
    """Bring a baseline and its averages to where a checkpoint has them; nothing is changed unless all of it fits. Returns the facts.

    Raises: RunError: the file is damaged, or of another model. FormatError: of another format number.
    """
    tensors, told = read(path)
    _check_format(path, told)
    own = {**_named("networks", ema.tensors(_trained(baseline))), **_named("ema", averages)}
    _check_tensors(path, own, {n: t for n, t in tensors.items() if not n.startswith("optimizers.")})
    _check_groups(path, baseline, told["groups"])
    with torch.no_grad():
        for name, tensor in own.items():
            tensor.copy_(tensors[name])
    for name, optimizer in baseline.optimizers.items():
        optimizer.load_state_dict(_state(name, tensors, told["groups"][name]))
        _lay_out(optimizer)
    facts: Facts = told["facts"]
    return facts


def about(path: Path) -> Any:
    """Our JSON in a safetensors file, None where there is none; the tensors aren't read."""
    with _opened(path) as file:
        return _about(path, file.metadata())


def sampled(path: Path, baseline_sampled: Iterable[str]) -> dict[str, Tensor]:
    """Of a checkpoint, the tensors NAME.KEY of the networks that sample: averages where it has them."""
    tensors, _ = read(path)
    found: dict[str, Tensor] = {}
    for name in baseline_sampled:
        averages = _below(f"ema.{name}.", tensors)
        found |= {f"{name}.{key}": t for key, t in (averages or _below(f"networks.{name}.", tensors)).items()}
    return found


def write(path: Path, tensors: Named, told: Any) -> None:
    """A safetensors file, whole or not at all, the same bytes for the same content; `told` goes into its metadata as JSON."""
    names = sorted(
        tensors, key=lambda n: (-tensors[n].element_size(), n)
    )  # wide types first: every tensor is aligned
    header: dict[str, Any] = {"__metadata__": {META: json.dumps(told, sort_keys=True)}}
    place = 0
    for name in names:
        tensor = tensors[name]
        end = place + tensor.numel() * tensor.element_size()
        header[name] = {
            "dtype": NAMES[tensor.dtype],
            "shape": list(tensor.shape),
            "data_offsets": [place, end],
        }
        place = end
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with storage.publishing(path) as file:
        file.write(len(text).to_bytes(8, "little") + text)
        for name in names:
            file.write(tensors[name].detach().cpu().contiguous().flatten().view(torch.uint8).numpy().data)


def read(path: Path) -> tuple[dict[str, Tensor], Any]:
    """The tensors of a safetensors file, and our JSON in it, None where there is none.

    Raises: RunError: there is none, or it is damaged.
    """
    with _opened(path) as file:
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - the file is no mapping
        return tensors, _about(path, file.metadata())


def _opened(path: Path) -> Any:
    try:
        return safe_open(path, "pt")
    except (OSError, SafetensorError) as error:
        raise RunError(
            f"{path} can't be read as safetensors ({error}). Delete it: training goes on from the one before."
        ) from error


def _about(path: Path, metadata: Mapping[str, str] | None) -> Any:
    try:
        return json.loads((metadata or {}).get(META, "null"))
    except ValueError as error:
        raise RunError(
            f"{path}: its metadata is damaged. Delete it: training goes on from the one before."
        ) from error


def _check_format(path: Path, told: Any) -> None:
    found = told.get("format") if isinstance(told, dict) else None
    if found is None:
        raise RunError(
            f"{path} is no checkpoint of anidata. Delete it, or name another RUN; --init {path} takes the weights that fit."
        )
    if found != FORMAT:
        raise FormatError(
            f"{path} has checkpoint format {found}; this version of anidata reads format {FORMAT}. Use the version that made it."
        )


def _check_tensors(path: Path, own: Named, found: Named) -> None:
    lacking, foreign = sorted(own.keys() - found.keys()), sorted(found.keys() - own.keys())
    shapes = [n for n in sorted(own.keys() & found.keys()) if own[n].shape != found[n].shape]
    if lacking or foreign or shapes:
        told = [f"{len(lacking)} tensors are missing, such as {lacking[0]}"] if lacking else []
        told += [f"{len(foreign)} are unknown here, such as {foreign[0]}"] if foreign else []
        told += (
            [f"{shapes[0]} is {list(found[shapes[0]].shape)}, not {list(own[shapes[0]].shape)}"]
            if shapes
            else []
        )
        _raise_foreign(path, "; ".join(told))


def _check_groups(path: Path, baseline: Baseline, groups: Mapping[str, Any]) -> None:
    for name, optimizer in baseline.optimizers.items():
        own = [len(g["params"]) for g in optimizer.param_groups]
        found = [len(g["params"]) for g in groups.get(name, {}).get("groups", [])]
        if own != found:
            _raise_foreign(path, f"its optimizer '{name}' has groups of {found} parameters, not {own}")


def _raise_foreign(path: Path, why: str) -> None:
    raise RunError(
        f"{path} is of another model: {why}. Train with the model file that made it, or in a new RUN; "
        f"--init {path.parent.parent} starts that from the weights that fit."
    )


def _trained(baseline: Baseline) -> dict[str, nn.Module]:
    """The networks that training changes: one that is frozen, such as a VAE, is built as it was."""
    return {
        name: network
        for name, network in baseline.networks.items()
        if any(p.requires_grad for p in network.parameters())
    }


def _optimizers(baseline: Baseline) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """What the optimizers keep: tensors, and the rest for JSON."""
    tensors: dict[str, Tensor] = {}
    groups: dict[str, Any] = {}
    for name, optimizer in baseline.optimizers.items():
        state = optimizer.state_dict()
        values = {f"{number}.{key}": v for number, kept in state["state"].items() for key, v in kept.items()}
        tensors |= {f"optimizers.{name}.{key}": v for key, v in values.items() if isinstance(v, Tensor)}
        groups[name] = {
            "groups": state["param_groups"],
            "values": {k: v for k, v in values.items() if not isinstance(v, Tensor)},
        }
    return tensors, groups


def _state(name: str, tensors: Named, told: Mapping[str, Any]) -> dict[str, Any]:
    """An optimizer's state_dict, back from what `_optimizers` made of it."""
    state: dict[int, dict[str, Any]] = {}
    for place, value in {**_below(f"optimizers.{name}.", tensors), **told["values"]}.items():
        number, _, key = place.partition(".")
        state.setdefault(int(number), {})[key] = value
    return {
        "state": state,
        "param_groups": [{k: tuple(v) if k == "betas" else v for k, v in g.items()} for g in told["groups"]],
    }


def _lay_out(optimizer: Optimizer) -> None:
    """Give what an optimizer keeps of a parameter the parameter's own memory format, as it had before; or each step would be slower."""
    for parameter, kept in optimizer.state.items():
        for key, value in kept.items():
            if (
                isinstance(value, Tensor)
                and value.shape == parameter.shape
                and value.stride() != parameter.stride()
            ):
                kept[key] = torch.empty_like(parameter, dtype=value.dtype, requires_grad=False).copy_(value)


def _named(kind: str, tensors: ema.Tensors) -> dict[str, Tensor]:
    return {f"{kind}.{name}.{key}": t for name, found in tensors.items() for key, t in found.items()}


def _below(prefix: str, tensors: Named) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): t for name, t in tensors.items() if name.startswith(prefix)}
