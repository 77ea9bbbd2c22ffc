"""Converted weights: one safetensors file for each extractor, in the user's own folder.

A file says of itself which file it was converted from, and has a digest of its tensors; where the bytes of a
conversion are known beforehand, they are held against that.
"""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import safetensors
import safetensors.torch
import torch
from torch import Tensor, nn

from anidata import registry, storage
from anidata.errors import NoWeights, WeightsError
from anidata.tar import opening, untrusted
from anidata.training.extractors import Array

MOST = 1 << 31  # bytes of a file of weights: the largest known has 1.7 GB
MOST_HEADER = 1 << 20  # bytes of a converted file's header: CLIP's has 50 kB
NAME, ABOUT = "__metadata__", "anidata"  # where safetensors has texts of its writer's, and the one of ours
FORMAT = 1


class Listed(NamedTuple):
    """An extractor, and where its weights come from."""

    name: str
    title: str
    license: str
    commands: tuple[str, ...]  # that bring them here
    sha256: str  # of the file that the first fetches
    path: Path  # where they lie, or would
    here: bool

    def to_json(self) -> dict[str, Any]:
        return {**self._asdict(), "commands": list(self.commands), "path": str(self.path)}


def folder() -> Path:
    """Where converted weights lie. Raises: StorageError: there is no home."""
    return registry.home("XDG_DATA_HOME", ".local/share") / "weights"


def available(name: str) -> Path | None:
    """The converted weights of an extractor; None: they aren't here.

    Raises: StorageError: there is no home.
    """
    path = folder() / f"{name}.safetensors"
    return path if path.is_file() else None


def listing() -> list[Listed]:
    """Every extractor. Raises: StorageError: there is no home."""
    return [_listed(name) for name in registry.names("extractors")]


def is_known(digest: str) -> bool:
    """Whether a file of this SHA-256 is one that weights are converted from."""
    modules = (registry.load("extractors", name) for name in registry.names("extractors"))
    return any(source.sha256 == digest for module in modules for source in module.SOURCES)


def _listed(name: str) -> Listed:
    module = registry.load("extractors", name)
    source = module.SOURCES[0]
    return Listed(
        name=name,
        title=module.TITLE,
        license=module.LICENSE,
        commands=(source.command, f"anidata weights convert {source.file}"),
        sha256=source.sha256,
        path=folder() / f"{name}.safetensors",
        here=available(name) is not None,
    )


def load(name: str, device: str | torch.device = "cpu") -> nn.Module:
    """An extractor's network with its weights, frozen, on a device.

    Raises: NoWeights: they aren't here. WeightsError: they aren't what was converted.
    """
    path = available(name)
    if path is None:
        fetch, convert = _listed(name).commands
        raise NoWeights(f"skipped: no weights of {name}. Type: {fetch} && {convert}")
    module = registry.load("extractors", name)
    try:
        network: nn.Module = module.build(read(path, name))
    except ValueError as error:
        raise _another(path, f"{error}") from error
    return network.to(device).eval()


def read(path: Path, name: str) -> dict[str, Tensor]:
    """A converted file's tensors.

    Raises: WeightsError: another file than was converted, by its digest; or none that can be read.
    """
    module = registry.load("extractors", name)
    try:
        data = opening.read_bytes(path, MOST)
    except OSError as error:
        raise _another(path, f"it can't be read ({opening.why(error)})") from error
    if module.CONVERTED and (digest := storage.digest(data)) != module.CONVERTED:
        raise _another(path, f"its SHA-256 is {digest}, not {module.CONVERTED}")
    try:
        _check(data, {source.sha256 for source in module.SOURCES})
        return safetensors.torch.load(data)
    except (ValueError, KeyError, TypeError, safetensors.SafetensorError) as error:
        raise _another(path, str(error)) from error


def _check(data: bytes, sources: set[str]) -> None:
    """Raises: ValueError, KeyError, TypeError: it isn't what one of these files was converted to."""
    header, about, start = header_of(data)
    if about["source"] not in sources:
        raise ValueError(f"it was converted from a file of SHA-256 {str(about['source'])[:64]}")
    if about["tensors"] != _digest(header, memoryview(data)[start:]):
        raise ValueError("its tensors are others than were converted")


def pack(arrays: Mapping[str, Array], source: str) -> bytes:
    """Arrays as safetensors, always the same bytes. source: SHA-256 of the file that they come from."""
    header: dict[str, Any] = {}
    offset = 0
    ordered = {name: np.ascontiguousarray(arrays[name], "<f4") for name in sorted(arrays)}
    for name, array in ordered.items():
        end = offset + array.nbytes
        header[name] = {"dtype": "F32", "shape": list(array.shape), "data_offsets": [offset, end]}
        offset = end
    blocks = [array.reshape(-1).view("u1").data for array in ordered.values()]
    about = {"format": FORMAT, "source": source, "tensors": _digest(header, *blocks)}
    text = _json({NAME: {ABOUT: _json(about)}, **header}).encode()
    text += b" " * (-len(text) % 8)
    return b"".join([len(text).to_bytes(8, "little"), text, *blocks])


def _json(value: Any) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"))


def _digest(header: Mapping[str, Any], *blocks: memoryview) -> str:
    digest = hashlib.sha256(_json(header).encode())
    for block in blocks:
        digest.update(block)
    return digest.hexdigest()


def header_of(data: bytes) -> tuple[dict[str, Any], dict[str, Any], int]:
    """What is said of tensors, what we said of the file, and where its numbers begin. Raises: ValueError."""
    length = int.from_bytes(data[:8], "little")
    if length > min(MOST_HEADER, len(data) - 8):
        raise ValueError("no converted weights: its header is longer than the file, or than any such")
    header = untrusted.read_json(data[8 : 8 + length])
    about = untrusted.read_json(header.pop(NAME)[ABOUT])
    return header, about, 8 + length


def _another(path: Path, why: str) -> WeightsError:
    return WeightsError(
        f"{path}: not the weights that were converted: {why.rstrip('.')}. "
        "Move it away, then convert them anew: anidata weights says from what."
    )
