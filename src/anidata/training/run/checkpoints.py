"""Checkpoints: networks, their averages, optimizers and how far training has come, in one safetensors file.

    networks.NAME.KEY, ema.NAME.KEY        the tensors, as named_parameters and named_buffers name them
    optimizers.NAME.NUMBER.KEY             what an optimizer keeps of its NUMBERth parameter
    __metadata__ {"anidata": JSON}         format, facts, and the optimizers' groups

The file appears whole or not at all. Nothing is ever unpickled. Chance is a function of the images seen.
Source: the format safetensors, github.com/huggingface/safetensors
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn
from torch.optim import Optimizer

from anidata import storage
from anidata.errors import FormatError, RunError
from anidata.tar import untrusted
from anidata.training import ema, foreign
from anidata.training.baseline import Baseline
from anidata.training.run import forms
from anidata.training.run.forms import FORMAT, Facts, Header, Kept, Named

SUFFIX = ".safetensors"
WEIGHTS = "model.safetensors"  # of a run: made from a checkpoint
# What safetensors and PyTorch raise for a lying header: the latter for shapes that overflow.
UNREADABLE = (OSError, SafetensorError, ValueError, RuntimeError, TypeError, OverflowError)
META = "anidata"  # our one key in the file's metadata
NAMES = {
    torch.float64: "F64",
    torch.float32: "F32",
    torch.float16: "F16",
    torch.bfloat16: "BF16",
    torch.int64: "I64",
    torch.int32: "I32",
    torch.int16: "I16",
    torch.int8: "I8",
    torch.uint8: "U8",
    torch.bool: "BOOL",
}


def save(path: Path, baseline: Baseline, averages: ema.Tensors, facts: Facts) -> None:
    """Write a checkpoint. `facts`: what JSON can hold of how far training has come.

    Raises: StorageError: the disk is full, read-only or fails; what stood at `path` stands.
    """
    kept, groups = _optimizers(baseline)
    tensors = {**_named("networks", ema.tensors(trained(baseline))), **_named("ema", averages), **kept}
    write(path, tensors, Header(format=FORMAT, facts=facts, groups=groups))


def load(path: Path, baseline: Baseline, averages: ema.Tensors) -> Facts:
    """Bring a baseline and its averages to where a checkpoint has them; return its facts.

    Nothing is changed unless all of it fits. A memory that an earlier version didn't have stays empty.
    Raises: RunError: the file is damaged, or of another model. FormatError: of another format number.
    """
    tensors, about_file = read(path, ours=True)
    header = _checked(path, about_file)
    images = header["facts"].get("images", 0)
    if path.stem.isdecimal() and images != int(path.stem):
        raise _damaged(path, f"is that of {images:,} images", ours=True)
    known = {
        name: network
        for name, network in trained(baseline).items()
        if not is_memory(network) or below(f"networks.{name}.", tensors)
    }
    own = {**_named("networks", ema.tensors(known)), **_named("ema", averages)}
    _check_tensors(path, own, {n: t for n, t in tensors.items() if not n.startswith("optimizers.")})
    _check_optimizers(path, baseline, tensors, header["groups"])
    with torch.no_grad():
        for name, tensor in own.items():
            tensor.copy_(tensors[name])
    for name, optimizer in baseline.optimizers.items():
        optimizer.load_state_dict(_state(name, tensors, header["groups"][name]))
        _lay_out(optimizer)
    return header["facts"]


def about(path: Path) -> Any:
    """Our JSON in a safetensors file, None where there is none; the tensors aren't read."""
    with _opened(path) as file:
        return _about(path, file.metadata())


def sampled(path: Path, baseline_sampled: Iterable[str]) -> dict[str, Tensor]:
    """Of a checkpoint, the tensors NAME.KEY of the networks that sample: averages where it has them."""
    tensors, _ = read(path, ours=True)
    weights: ema.Tensors = {}
    for name in baseline_sampled:
        weights[name] = below(f"ema.{name}.", tensors) or below(f"networks.{name}.", tensors)
    return {f"{name}.{key}": t for name, of_network in weights.items() for key, t in of_network.items()}


def write(path: Path, tensors: Named, metadata: Any) -> None:
    """Write a safetensors file, whole or not at all, the same bytes for the same content.

    `metadata` goes into it as JSON.
    """
    # wide types first: every tensor is aligned
    names = sorted(tensors, key=lambda n: (-tensors[n].element_size(), n))
    text = _header(names, tensors, metadata)
    with storage.publishing(path) as file:
        file.write(len(text).to_bytes(8, "little") + text)
        for name in names:
            file.write(tensors[name].detach().cpu().contiguous().flatten().view(torch.uint8).numpy().data)


def _header(names: Sequence[str], tensors: Named, metadata: Any) -> bytes:
    """The JSON that a safetensors file begins with, filled up to a multiple of 8 bytes."""
    header: dict[str, Any] = {"__metadata__": {META: json.dumps(metadata, sort_keys=True)}}
    start = 0
    for name in names:
        tensor = tensors[name]
        end = start + tensor.numel() * tensor.element_size()
        header[name] = {
            "dtype": NAMES[tensor.dtype],
            "shape": list(tensor.shape),
            "data_offsets": [start, end],
        }
        start = end
    text = json.dumps(header, separators=(",", ":")).encode()
    return text + b" " * (-len(text) % 8)


def read(path: Path, *, ours: bool = False) -> tuple[dict[str, Tensor], Any]:
    """The tensors of a safetensors file, and our JSON in it, None where there is none.

    ours: it is a checkpoint that this training wrote, and may be deleted.
    Raises: RunError: there is none, or it is damaged.
    """
    with _opened(path, ours=ours) as file:
        names = file.keys()  # the file is no mapping
        try:
            return {name: file.get_tensor(name) for name in names}, _about(path, file.metadata())
        except UNREADABLE as error:
            raise _damaged(path, f"can't be read ({error})", ours=ours) from error


def _opened(path: Path, *, ours: bool = False) -> Any:
    try:
        forms.check_header(path)
        return safe_open(path, "pt")
    except UNREADABLE as error:
        raise _damaged(path, f"can't be read as safetensors ({error})", ours=ours) from error


def _about(path: Path, metadata: Mapping[str, str] | None) -> Any:
    try:
        return untrusted.read_json((metadata or {}).get(META, "null"))
    except ValueError as error:
        raise _damaged(path, f"has damaged metadata ({error})") from error


def _damaged(path: Path, why: str, *, ours: bool = False) -> RunError:
    """What is wrong with a file, and what to do: only one of the run's own is called for deletion."""
    if ours:
        return RunError(f"{path} {why}. Delete it: training goes on from the one before.")
    if path.name == WEIGHTS and (path.parent / "recipe.toml").is_file():
        return RunError(f"{path} {why}. The command that trained it writes it anew: type it again.")
    return RunError(f"{path} {why}. {foreign.remedy(path)}")


def _checked(path: Path, about_file: Any) -> Header:
    """Check that a file says of itself that it is a checkpoint.

    Raises: RunError: it isn't. FormatError: of another format number.
    """
    number = about_file.get("format") if isinstance(about_file, dict) else None
    if number is None:
        raise RunError(
            f"{path} is no checkpoint of anidata. Move it elsewhere, or name another RUN; "
            f"--init {path} takes the weights that fit."
        )
    if number != FORMAT:
        raise FormatError(
            f"{path} has checkpoint format {number}; this version of anidata reads format {FORMAT}. "
            "Use the version that made it."
        )
    try:
        return forms.header_of(about_file)
    except ValueError as error:
        raise _damaged(path, f"has damaged metadata ({error})", ours=True) from error


def _check_tensors(path: Path, own: Named, stored: Named) -> None:
    """Raises: RunError: names, shapes or types differ."""
    lacking, foreign = sorted(own.keys() - stored.keys()), sorted(stored.keys() - own.keys())
    shared = sorted(own.keys() & stored.keys())
    misshapen = [n for n in shared if (own[n].shape, own[n].dtype) != (stored[n].shape, stored[n].dtype)]
    differences = []
    if lacking:
        differences.append(f"{len(lacking)} tensors are missing, such as {lacking[0]}")
    if foreign:
        differences.append(f"{len(foreign)} are unknown here, such as {foreign[0]}")
    if misshapen:
        name = misshapen[0]
        differences.append(f"{name} is {_form(stored[name])}, not {_form(own[name])}")
    if differences:
        _raise_foreign(path, "; ".join(differences))


def _form(tensor: Tensor) -> str:
    kind = "" if tensor.dtype == torch.float32 else f" of {NAMES.get(tensor.dtype, tensor.dtype)}"
    return f"{list(tensor.shape)}{kind}"


def _check_optimizers(path: Path, baseline: Baseline, tensors: Named, groups: Mapping[str, Kept]) -> None:
    """Raises: RunError: an optimizer has other groups of parameters, or keeps what isn't its own."""
    for name, optimizer in baseline.optimizers.items():
        own = [len(g["params"]) for g in optimizer.param_groups]
        stored = [len(g.get("params", ())) for g in groups[name]["groups"]] if name in groups else []
        if own != stored:
            _raise_foreign(path, f"its optimizer '{name}' has groups of {stored} parameters, not {own}")
        try:
            forms.check_optimizer(name, optimizer, below(f"optimizers.{name}.", tensors), groups[name])
        except ValueError as error:
            _raise_foreign(path, str(error))


def _raise_foreign(path: Path, why: str) -> None:
    raise RunError(
        f"{path} is of another model: {why}. Train with the model file that made it, or in a new RUN; "
        f"--init {path.parent.parent} starts that from the weights that fit."
    )


def trained(baseline: Baseline) -> dict[str, nn.Module]:
    """The networks that training changes: one that is frozen, such as a VAE, is built as it was."""
    return {
        name: network
        for name, network in baseline.networks.items()
        if is_memory(network) or any(p.requires_grad for p in network.parameters())
    }


def is_memory(network: nn.Module) -> bool:
    """Whether a network has buffers alone, which its steps fill."""
    return not any(True for _ in network.parameters())


def _optimizers(baseline: Baseline) -> tuple[dict[str, Tensor], dict[str, Kept]]:
    """All that the optimizers keep: tensors, and the remainder for JSON."""
    tensors: dict[str, Tensor] = {}
    groups: dict[str, Kept] = {}
    for name, optimizer in baseline.optimizers.items():
        state = optimizer.state_dict()
        values = {f"{number}.{key}": v for number, kept in state["state"].items() for key, v in kept.items()}
        tensors |= {f"optimizers.{name}.{key}": v for key, v in values.items() if isinstance(v, Tensor)}
        plain = {key: v for key, v in values.items() if not isinstance(v, Tensor)}
        groups[name] = Kept(groups=state["param_groups"], values=plain)
    return tensors, groups


def _state(name: str, tensors: Named, kept: Kept) -> dict[str, Any]:
    """An optimizer's state_dict, back from what `_optimizers` made of it."""
    state: dict[int, dict[str, Any]] = {}
    for number_and_key, value in {**below(f"optimizers.{name}.", tensors), **kept["values"]}.items():
        number, _, key = number_and_key.partition(".")
        state.setdefault(int(number), {})[key] = value
    return {"state": state, "param_groups": [_group(group) for group in kept["groups"]]}


def _group(group: Mapping[str, Any]) -> dict[str, Any]:
    """A group of parameters as PyTorch has it: JSON knows no tuples."""
    return {key: tuple(value) if key == "betas" else value for key, value in group.items()}


def _lay_out(optimizer: Optimizer) -> None:
    """Give what an optimizer keeps of a parameter the parameter's own memory format.

    So it was before, and each step would be slower without.
    """
    for parameter, kept in optimizer.state.items():
        for key, value in kept.items():
            alike = isinstance(value, Tensor) and value.shape == parameter.shape
            if alike and value.stride() != parameter.stride():
                kept[key] = torch.empty_like(parameter, dtype=value.dtype, requires_grad=False).copy_(value)


def _named(kind: str, tensors: ema.Tensors) -> dict[str, Tensor]:
    return {f"{kind}.{name}.{key}": t for name, weights in tensors.items() for key, t in weights.items()}


def below(prefix: str, tensors: Named) -> dict[str, Tensor]:
    """The tensors whose names begin with `prefix`, by what follows it."""
    return {name.removeprefix(prefix): t for name, t in tensors.items() if name.startswith(prefix)}
