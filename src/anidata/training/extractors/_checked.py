"""Weights held against the network that they are to be: by name, and by shape."""

from collections.abc import Iterable, Mapping

from torch import Tensor

from anidata.training import foreign


def check_names(names: Iterable[str], own: Iterable[str]) -> None:
    """Raises: ValueError: a name too many or missing."""
    given, asked = set(names), set(own)
    if others := sorted(given ^ asked):
        raise ValueError(f"{others[0]}: {'none of this network' if others[0] in given else 'missing'}")


def check_values(weights: Mapping[str, Tensor]) -> None:
    """Raises: ValueError: a tensor that can't be weights."""
    if wrong := foreign.unlike(weights, sorted(weights)):
        raise ValueError(wrong)


def sized(weights: Mapping[str, Tensor], name: str, *shape: int) -> Tensor:
    """The tensor of a name, of a shape; -1: any size. Raises: ValueError: it has another."""
    tensor = weights[name]
    if len(tensor.shape) != len(shape) or any(
        asked not in (-1, size) for size, asked in zip(tensor.shape, shape, strict=True)
    ):
        asked = str(list(shape)).replace("-1", "n")
        raise ValueError(f"{name} is {list(tensor.shape)}, where this network has {asked}")
    return tensor
