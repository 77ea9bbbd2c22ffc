"""What losses don't tell of a training: who wins a game, and whether outputs still differ among themselves.

A model gives figures beside its losses, `judge/real`, `judge/fake` (shares of patches that the discriminator
takes for what they are) and `outputs/diversity`; `Watch` says when they show a collapse.
"""

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field

import torch
import torch.nn.functional as F  # noqa: N812 its name everywhere
from torch import Tensor

REAL, FAKE, DIVERSITY = "judge/real", "judge/fake", "outputs/diversity"

SIDE = 8  # px of the thumbnails that outputs are compared by
KEPT = 64  # pictures whose thumbnails are
LEAST = 16  # pictures before there is a figure
DIM = 1 / 255  # spread of truths below which there is none: of equal pictures

WINDOW = 250  # steps whose means are looked at
RUNNING = 2  # windows one after another that show the same, before it is said
SAME = 0.1  # diversity below which outputs count as the same
SURE = 0.99  # share of patches above which a discriminator is always right, or always says the same


class Diversity:
    """How much outputs differ among themselves, as a share of how much their truths do.

    It is the spread of thumbnails over the last pictures, in a memory that no step of training depends on.
    1: as much; 0: one output whatever the input.
    """

    def __init__(self) -> None:
        self._pairs: deque[Tensor] = deque(maxlen=KEPT)

    @torch.no_grad()
    def __call__(self, output: Tensor, truth: Tensor) -> dict[str, Tensor]:
        """(b, 3, h, w), twice → the figure by its name; nothing while it has seen few, or equal truths."""
        both = torch.stack([F.adaptive_avg_pool2d(p.float(), SIDE) for p in (output, truth)], 1)
        self._pairs.extend(both)
        if len(self._pairs) < LEAST:
            return {}
        spread = torch.stack(list(self._pairs)).std(dim=0).mean(dim=(1, 2, 3))
        return {DIVERSITY: spread[0] / spread[1].clamp(min=DIM)}


@dataclass
class Watch:
    """Looks at the figures of a training, a window of steps at a time; each collapse is said once."""

    steps: int = 0
    sums: dict[str, Tensor] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)
    running: dict[str, int] = field(default_factory=dict)  # windows that have shown it, by its name

    def add(self, losses: Mapping[str, Tensor]) -> list[str]:
        """Take a step in; sentences on what has come to light. The device is asked once in a window."""
        self.steps += 1
        for name in losses.keys() & {REAL, FAKE, DIVERSITY}:
            self.sums[name] = self.sums.get(name, torch.zeros_like(losses[name])) + losses[name]
            self.counts[name] = self.counts.get(name, 0) + 1
        if self.steps % WINDOW:
            return []
        shown = collapses({name: float(total) / self.counts[name] for name, total in self.sums.items()})
        self.sums, self.counts = {}, {}
        self.running = {name: self.running.get(name, 0) + 1 for name in shown}
        return [shown[name] for name, times in self.running.items() if times == RUNNING]


def collapses(means: Mapping[str, float]) -> dict[str, str]:
    """What figures show, by its name: a sentence, and what to type."""
    shown = {}
    if means.get(DIVERSITY, 1.0) < SAME:
        shown["outputs"] = (
            f"collapse: outputs differ among themselves {means[DIVERSITY]:.1%} as much as the true pictures, "
            "whatever is put in. In a new RUN: --set model.lr=… lower, or --set model.loss.l1=… higher."
        )
    real, fake = means.get(REAL, 0.5), means.get(FAKE, 0.5)
    seen = f"of {real:.1%} of true and {fake:.1%} of painted patches the discriminator says what they are"
    if min(real, fake) > SURE:
        shown["judge"] = (
            f"collapse: {seen}: the generator learns nothing from it. "
            "In a new RUN: --set model.discriminator_lr=… lower, or --set model.r1=… higher."
        )
    if max(real, fake) > SURE and min(real, fake) < 1 - SURE:
        shown["blind"] = (
            f"collapse: {seen}: it says the same of all. "
            "In a new RUN: --set model.discriminator_lr=… higher, or --set model.r1=… lower."
        )
    return shown
