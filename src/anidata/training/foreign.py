"""Files of weights that others have made: what a file is that can't be read here, and how to convert it.

A user's file is never called for deletion: it is said what it is, and what to type.
"""

import re
import shlex
from collections.abc import Iterable, Mapping
from pathlib import Path

import torch
from torch import Tensor

from anidata.tar import opening

HEAD = 512  # bytes that tell one kind of file from another
PICKLE = re.compile(rb"\x80[\x02-\x05]|PK\x03\x04(?s:.)*data\.pkl")  # of old, and in a zip: torch.save
KINDS = {  # how a file of it begins → its name
    re.compile(rb"\x89HDF\r\n\x1a\n"): "an HDF5 file, as Keras writes them",
    re.compile(rb"GGUF"): "a GGUF file, of quantized weights",
    re.compile(rb"\x93NUMPY|PK\x03\x04(?s:.)*\.npy"): "a file of numpy's arrays",
    re.compile(rb"version https://git-lfs"): "a pointer of Git LFS in place of the weights: git lfs pull",
    re.compile(rb"\s*<(!DOCTYPE|html)", re.IGNORECASE): "a web page in place of the weights",
}
CONVERT = (
    "import torch; from safetensors.torch import save_file; "
    "w = torch.load({path!r}, map_location='cpu', weights_only=True); w = w.get('state_dict', w); "
    "save_file({{k: t.clone().contiguous() for k, t in w.items() if torch.is_tensor(t)}}, {target!r})"
)
INSTEAD = "Name a .safetensors file of the same weights; yours stays as it is."


def kind(path: Path) -> str:
    """A kind of weights that isn't read here, as a sentence goes on after `FILE is`; empty if unknown."""
    head = _head(path)
    if head[8:9] == b"{":  # safetensors, whose first 8 bytes, a length, may look like anything
        return ""
    if PICKLE.match(head):
        return "a pickle, as torch.save writes them: a program that runs when it is opened, so it isn't"
    if path.suffix.lower() == ".onnx":
        return "an ONNX graph"
    return next((name for pattern, name in KINDS.items() if pattern.match(head)), "")


def remedy(path: Path) -> str:
    """What to do about a file of the user's that isn't safetensors: sentences."""
    known = kind(path)
    if known.startswith("a pickle"):
        target = path.with_suffix(".safetensors")
        return f"It is {known}. Convert it: {conversion(path)}; then name {target}"
    return f"It is {known}. {INSTEAD}" if known else f"Get it anew where it came from. {INSTEAD}"


def conversion(path: Path) -> str:
    """The command that makes safetensors of a pickle's weights: of tensors alone, without running it."""
    target = path.with_suffix(".safetensors")
    return f"python -c {shlex.quote(CONVERT.format(path=str(path), target=str(target)))}"


def unlike(weights: Mapping[str, Tensor], names: Iterable[str]) -> str:
    """The first of the tensors that can't be weights, and why; empty if all can.

    Whole numbers are quantized weights without their scale, and what isn't finite spoils all that it meets.
    """
    for name in names:
        tensor = weights[name]
        if not tensor.is_floating_point():
            return f"{name} holds {str(tensor.dtype).removeprefix('torch.')}, no weights in floating point"
        if not torch.isfinite(tensor.float()).all():
            return f"{name} has values that aren't finite"
    return ""


def _head(path: Path) -> bytes:
    try:
        with opening.opened(path) as file:
            return file.read(HEAD)
    except OSError:
        return b""
