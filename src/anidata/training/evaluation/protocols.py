"""What colorizers are told when they are compared: protocols, that are never mixed.

A protocol is the conditions that a picture is colored from, the number of hints, and the style of its lines.
A run takes part in those of its own conditions: one trained with hints in that without any (beside those that
know no hints) and in that with some.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from anidata.training.baseline import Batch
from anidata.training.data import augment, conditions
from anidata.training.data.loader import floats, to_tensor
from anidata.training.evaluation.pages import Page


@dataclass(frozen=True, order=True)
class Protocol:
    """What is told of a picture. Protocols sort as the report shows them."""

    conditions: tuple[str, ...]  # without hints: those are counted
    style: str  # of the lines; "" where none are told
    hints: int

    @property
    def name(self) -> str:
        """`lineart of ink, 10 hints`."""
        clauses = [f"{name} of {self.style}" if name == "lineart" else name for name in self.conditions]
        return ", ".join([*clauses, *([f"{self.hints} hints"] if self.hints else [])])


def of(given: Sequence[str], styles: Sequence[str], hints: int) -> list[Protocol]:
    """The protocols that a model of these conditions takes part in. hints: where there are any, so many."""
    others = tuple(name for name in given if name != "hints") or ("none",)
    drawn = styles if "lineart" in others else [""]
    counts = sorted({0, hints}) if "hints" in given else [0]
    return [Protocol(others, style, count) for style in drawn for count in counts]


def batch(pages: Sequence[Page], given: Sequence[str], protocol: Protocol, device: torch.device) -> Batch:
    """What a model of these conditions sees of some pages under a protocol; no color but what is told."""
    condition = torch.stack([_condition(page, given, protocol) for page in pages]).to(device)
    return Batch(
        condition.new_zeros(len(pages), 3, *condition.shape[2:]), condition, tuple(page.key for page in pages)
    )


def _condition(page: Page, given: Sequence[str], protocol: Protocol) -> Tensor:
    """(channels, size, size) of one page; chance is the same in every run of the command."""
    rng = augment.randomness(0, f"evaluation {protocol.hints}", page.key)
    line = page.lines.get(protocol.style)
    extras = conditions.extras(given, page.color, line, rng, protocol.hints)
    planes = [np.atleast_3d(extra) for extra in extras] or [np.empty((*page.color.shape[:2], 0), np.uint8)]
    extra = floats(torch.from_numpy(np.concatenate(planes, axis=2).transpose(2, 0, 1).copy()))
    return conditions.build(given, to_tensor(page.color)[None], extra[None])[0]
