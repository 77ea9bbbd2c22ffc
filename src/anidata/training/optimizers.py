"""Optimizers by name, and schedules.

    optimizer = build("adamw", network.parameters(), lr=1e-3)
    factor = schedule("cosine", seen, total, warmup=1000)  # times `initial_lr` of each group, before each
    step

Schedules are pure functions of the images seen, so that a resumed run goes on at the rate it had.
"""

import math
from collections.abc import Callable, Iterable, Mapping
from fnmatch import fnmatchcase
from typing import Any, Literal, Protocol

from torch import nn, optim
from torch.nn import Parameter

from anidata.errors import RecipeError
from anidata.registry import nearest

Name = Literal["adam", "adamw", "rmsprop", "sgd"]

# of the images after the warm-up: how long `linear` keeps its full rate, as CycleGAN's 100 of 200 epochs
HOLD = 0.5

SCHEDULES: dict[str, Callable[[float], float]] = {  # share of the images after the warm-up → factor
    "constant": lambda _: 1.0,
    "linear": lambda gone: min(1.0, (1 - gone) / (1 - HOLD)),
    # Loshchilov, Hutter 2017, eq. 5, one period, arXiv 1608.03983
    "cosine": lambda gone: (1 + math.cos(math.pi * gone)) / 2,
}


class Settings(Protocol):
    """What a model's Config says of its optimizer; `weight_decay` too, if it has it."""

    @property
    def optimizer(self) -> str: ...
    @property
    def beta1(self) -> float: ...
    @property
    def beta2(self) -> float: ...
    @property
    def momentum(self) -> float: ...
    @property
    def alpha(self) -> float: ...


def build(
    name: str,
    parameters: Iterable[Parameter],
    lr: float,
    betas: tuple[float, float] = (0.9, 0.999),
    weight_decay: float = 0.0,
    *,
    momentum: float = 0.0,
    alpha: float = 0.99,
) -> optim.Optimizer:
    """An optimizer of those parameters that need a gradient.

    Each group keeps `lr` as its `initial_lr`, which schedules refer to.
    name: in any case. Each optimizer has its own numbers: adam and adamw take `betas`, how much stays, in a
    step, of the gradient's average and of its square's; rmsprop takes `momentum` and `alpha`, its average's
    of squares; sgd takes `momentum`.
    Raises: RecipeError: an unknown name.
    """
    group = {
        "params": [p for p in parameters if p.requires_grad],
        "lr": lr,
        "initial_lr": lr,
        "weight_decay": weight_decay,
    }
    match name.lower():  # fused: one pass over the weights where there would be ten
        case "adam":
            return optim.Adam([group], betas=betas, fused=True)
        case "adamw":
            return optim.AdamW([group], betas=betas, fused=True)
        case "rmsprop":
            return optim.RMSprop([group], momentum=momentum, alpha=alpha)
        case "sgd":
            return optim.SGD([group], momentum=momentum, fused=True)
    known = ("adam", "adamw", "rmsprop", "sgd")
    raise RecipeError(f"optimizer: there is no '{name}'.{nearest(name, known)} There are: {', '.join(known)}")


def of(config: Settings, parameters: Iterable[Parameter], lr: float) -> optim.Optimizer:
    """The optimizer that a model's settings name, with its own numbers among them."""
    return build(
        config.optimizer,
        parameters,
        lr,
        (config.beta1, config.beta2),
        getattr(config, "weight_decay", 0.0),
        momentum=config.momentum,
        alpha=config.alpha,
    )


def spread(
    optimizers: Mapping[str, optim.Optimizer], networks: Mapping[str, nn.Module], rates: Mapping[str, float]
) -> None:
    """Give weights that a pattern of NETWORK.KEY fits their own share of the learning rate; 0 freezes them.

    rates: pattern → factor; the first that fits counts. A frozen weight belongs to no optimizer, so that
    nothing is computed for it, and stays in checkpoints as any other.
    Raises: RecipeError: a pattern that fits nothing, or an optimizer without anything to move.
    """
    names = {
        parameter: f"{network}.{key}"
        for network, n in networks.items()
        for key, parameter in n.named_parameters()
    }
    for pattern in rates:
        if not any(fnmatchcase(name, pattern) for name in names.values()):
            raise RecipeError(
                f"train.freeze, train.init_lr: no weight is called '{pattern}'."
                f"{nearest(pattern, names.values())} Write NETWORK.KEY, with * for any part of it."
            )
    for name, optimizer in optimizers.items() if rates else ():
        groups = [part for group in optimizer.param_groups for part in _parts(group, names, rates)]
        if not groups:
            raise RecipeError(
                f"train.freeze: all that the optimizer '{name}' moves is frozen. Freeze less of its networks."
            )
        optimizer.param_groups[:] = groups


def _parts(
    group: Mapping[str, Any], names: Mapping[Parameter, str], rates: Mapping[str, float]
) -> list[dict[str, Any]]:
    """A group of parameters as those of one factor each, without what is frozen."""
    by_factor: dict[float, list[Parameter]] = {}
    for parameter in group["params"]:
        name = names.get(parameter, "")
        factor = next((rates[pattern] for pattern in rates if fnmatchcase(name, pattern)), 1.0)
        by_factor.setdefault(factor, []).append(parameter)
    rated = [key for key in ("lr", "initial_lr") if key in group]
    return [
        {**group, "params": params, **{key: group[key] * factor for key in rated}}
        for factor, params in by_factor.items()
        if factor
    ]


def schedule(name: str, seen: int, total: int, warmup: int = 0) -> float:
    """The factor of the learning rate after `seen` of `total` images.

    It rises to 1 over the first `warmup`, then goes by name; after `total` it stays as it is there.
    constant: 1. linear: 1 for half of the images, then down to 0. cosine: down to 0 by half a wave.
    Raises: RecipeError: an unknown name.
    """
    if name not in SCHEDULES:
        raise RecipeError(
            f"schedule: there is no '{name}'.{nearest(name, SCHEDULES)} There are: {', '.join(SCHEDULES)}"
        )
    if seen < warmup:
        return (seen + 1) / (warmup + 1)  # the first step moves too
    return SCHEDULES[name](min(1.0, (seen - warmup) / max(1, total - warmup)))
