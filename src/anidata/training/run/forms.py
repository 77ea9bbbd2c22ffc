"""Checks of what a checkpoint says of itself, before anything of it is believed.

A safetensors file begins with a header whose offsets, shapes and types its library holds against the file's
size; how long a header may be, what our JSON in it may say, and what an optimizer may be given, is seen here.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, TypedDict, cast

import msgspec
from torch import Tensor
from torch.optim import Optimizer

from anidata.tar import opening

FORMAT = 1
# bytes of a safetensors header: fifty times that of a large model with its optimizer's state; parsed, it
# takes forty times as many
MOST_HEADER = 1 << 23
Named = Mapping[str, Tensor]
Count = Annotated[int, msgspec.Meta(ge=0)]
Number = bool | int | float | None


class Facts(TypedDict, total=False):
    """How far training has come; fields as in loop.State. What is missing is that of BEGINNING."""

    images: Count
    seconds: float
    waited: float
    skipped: Count
    running: int
    scores: list[dict[str, float]]
    versions: dict[str, int]  # of the metrics that the scores are by; 1 of those that aren't here


BEGINNING: Facts = {
    "images": 0,
    "seconds": 0.0,
    "waited": 0.0,
    "skipped": 0,
    "running": 0,
    "scores": [],
    "versions": {},
}


class Kept(TypedDict):
    """An optimizer without its tensors."""

    groups: list[dict[str, Any]]  # its param_groups, parameters by their numbers
    values: dict[str, Any]  # NUMBER.KEY → what it keeps of a parameter that is no tensor


class Header(TypedDict):
    """Our JSON in a checkpoint."""

    format: int
    facts: Facts
    groups: dict[str, Kept]  # by the optimizer's name


def check_header(path: Path) -> None:
    """See that a path leads to a file that begins with a header of a sensible length.

    Raises: OSError: no regular file, or it can't be read. ValueError: no safetensors.
    """
    with opening.opened(path) as file:
        length = int.from_bytes(file.read(8), "little")
    if length > MOST_HEADER:
        raise ValueError(f"its header of {length:,} bytes is longer than {MOST_HEADER:,}")


def header_of(about_file: Any) -> Header:
    """Our JSON as a checkpoint has it. Raises: ValueError: it says something else."""
    try:
        msgspec.convert(about_file, Header)
    except msgspec.ValidationError as error:
        raise ValueError(str(error)) from error
    header = cast("Header", about_file)
    if any("images" not in score for score in header["facts"].get("scores", ())):
        raise ValueError("a score without its images")
    return header


def check_optimizer(name: str, optimizer: Optimizer, tensors: Named, kept: Kept) -> None:
    """Hold what is kept of an optimizer, and its tensors by NUMBER.KEY, against the optimizer itself.

    Raises: ValueError: it is another one's, or nobody's.
    """
    own = optimizer.state_dict()["param_groups"]
    for number, (mine, stored) in enumerate(zip(own, kept["groups"], strict=False)):
        if mine["params"] != stored.get("params"):
            raise ValueError(f"its optimizer '{name}' has other parameters in group {number}")
        wrong = [key for key in sorted(mine.keys() & stored) if not _alike(mine[key], stored[key])]
        if wrong:
            raise ValueError(f"its optimizer '{name}' has {wrong[0]} = {str(stored[wrong[0]])[:40]}")
    shapes = [p.shape for group in optimizer.param_groups for p in group["params"]]
    for key, value in {**tensors, **kept["values"]}.items():
        if not _is_of(key, value, shapes):
            raise ValueError(f"its optimizer '{name}' keeps what is none of a parameter, {key[:40]}")


def _alike(own: Any, stored: Any) -> bool:
    """Whether two settings are of one kind: numbers, switches, lists of as many, nothing."""
    if isinstance(own, list | tuple) and isinstance(stored, list | tuple):
        return len(own) == len(stored) and all(map(_alike, own, stored))
    return _kind(own) == _kind(stored)


def _kind(value: Any) -> type:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return float if is_number else type(value)


def _is_of(key: str, value: Any, shapes: list[Any]) -> bool:
    """Whether a value is of one of the parameters: a number, or a tensor of one number or of its shape."""
    number, _, name = key.partition(".")
    if not (name and number.isdecimal() and len(number) < 10 and int(number) < len(shapes)):
        return False
    if isinstance(value, Tensor):
        return value.is_floating_point() and (value.numel() == 1 or value.shape == shapes[int(number)])
    return isinstance(value, Number)
