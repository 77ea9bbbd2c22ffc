"""The network that tells which way a strip of letters reads, as it is fitted; lettering.py runs it."""

from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn import functional

from anidata.duplicates import lettering, strokes

TEXT, NOTHING = 1, 0
LONGEST, SHORTEST = 130, 60  # px of the piece of a strip that is looked at while fitting
BATCH, EVERY = 64, 250
Rng = np.random.Generator
Strip = NDArray[np.uint8]
Batch = tuple[torch.Tensor, torch.Tensor, torch.Tensor]  # strips (n, h, w), their columns, their classes


class Net(nn.Module):
    """Per column of four px: what speaks for reading this way, and for nothing."""

    def __init__(self) -> None:
        super().__init__()
        a, b, c = lettering.WIDTHS
        self.layers = nn.ModuleList(
            [
                nn.Conv2d(1, a, 5, stride=2, padding=2),
                nn.Conv2d(a, b, 3, stride=2, padding=1),
                nn.Conv2d(b, c, (6, 5), padding=(0, 2)),
                nn.Conv2d(c, 2, 1),
            ]
        )
        self.norms = nn.ModuleList([nn.BatchNorm2d(width) for width in lettering.WIDTHS])

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(n, 2, w / 4) of (n, 1, h, w)."""
        for layer, norm in zip(self.layers, self.norms, strict=False):
            x = functional.relu(norm(layer(x)))
        return self.layers[-1](x)[:, :, 0]


def logits(net: Net, x: torch.Tensor, columns: torch.Tensor) -> torch.Tensor:
    """(n, 3): this way, mirrored, nothing."""
    both = net(torch.cat([x, x.flip(2)])[:, None] / lettering.SCALE)
    n, at, first = len(x), torch.arange(both.shape[2]), lettering.SPACE // lettering.COLUMN
    mask = ((at >= first) & (at < first + columns[:, None])).float()
    straight = (both[:n] * mask[:, None]).sum(2)
    turned = (both[n:] * mask.flip(1)[:, None]).sum(2)
    root = columns.float().sqrt()
    nothing = (straight[:, 1] + turned[:, 1]) / columns / 2 * lettering.NOTHING
    return torch.stack([straight[:, 0] / root, turned[:, 0] / root, nothing], 1)


def folded(net: Net) -> list[tuple[torch.Tensor, torch.Tensor]]:
    """Weight and bias of each layer, what normalizes it included."""
    some = []
    for layer, norm in zip(net.layers, net.norms, strict=False):
        by = norm.weight / (norm.running_var + norm.eps).sqrt()
        bias = (layer.bias - norm.running_mean) * by + norm.bias
        some.append((layer.weight * by[:, None, None, None], bias))
    return [*some, (net.layers[-1].weight, net.layers[-1].bias)]


def batch(some: list[Strip], labels: NDArray[np.int64], rng: Rng) -> Batch:
    """Strips, each as it lies or mirrored by a coin, and their classes: this way, mirrored, nothing."""
    some, space = [_piece(strip, rng) for strip in some], lettering.SPACE
    columns = np.array([-(-strip.shape[1] // lettering.COLUMN) for strip in some])
    x = np.zeros((len(some), strokes.HEIGHT, columns.max() * lettering.COLUMN + 2 * space), np.float32)
    is_turned = rng.random(len(some)) < 0.5
    for n, strip in enumerate(some):
        x[n, :, space : space + strip.shape[1]] = strip[:, ::-1] if is_turned[n] else strip
    classes = np.where(labels == TEXT, is_turned.astype(int), 2)
    return torch.from_numpy(x), torch.from_numpy(columns), torch.from_numpy(classes)


def _piece(strip: Strip, rng: Rng) -> Strip:
    """A piece of a strip, or all of a short one."""
    width = strip.shape[1]
    if width <= LONGEST and (width <= 1.5 * SHORTEST or rng.random() > 0.4):
        return strip
    wide = int(rng.integers(SHORTEST, min(width, LONGEST)))
    start = int(rng.integers(0, width - wide + 1))
    return strip[:, start : start + wide]


def _batches(seen: list[Strip], labels: NDArray[np.int64], rng: Rng) -> Iterator[Batch]:
    """Yield batches of strips of like width, half of them text, without end."""
    by_class = [np.flatnonzero(labels == one) for one in (NOTHING, TEXT)]
    width = np.array([strip.shape[1] for strip in seen])
    while True:
        chosen = np.concatenate([rng.choice(one, BATCH * 8) for one in by_class])
        chosen = chosen[np.argsort(width[chosen], kind="stable")].reshape(-1, BATCH)
        for some in rng.permutation(chosen):
            yield batch([seen[n] for n in some], labels[some], rng)


def fit(seen: list[Strip], labels: NDArray[np.int64], steps: int) -> Net:
    """The net, fitted so many steps; prints its loss."""
    torch.manual_seed(0)
    rng, net, total = np.random.default_rng(0), Net(), 0.0
    adam = torch.optim.AdamW(net.parameters(), 2e-3, weight_decay=1e-3)
    plan = torch.optim.lr_scheduler.OneCycleLR(adam, 4e-3, total_steps=steps, pct_start=0.15)
    for step, (x, columns, classes) in zip(range(1, steps + 1), _batches(seen, labels, rng), strict=False):
        loss = functional.cross_entropy(logits(net, x, columns), classes)
        adam.zero_grad()
        loss.backward()
        adam.step()
        plan.step()
        total += float(loss.detach())
        if step % EVERY == 0:
            print(f"{step:6} {total / EVERY:.4f}", flush=True)
            total = 0.0
    return net.eval()


def chances(net: Net, seen: list[Strip], labels: NDArray[np.int64]) -> tuple[NDArray, NDArray]:
    """(n, 3) chances and (n,) classes, in batches."""
    rng, rows, classes = np.random.default_rng(1), [], []
    with torch.no_grad():
        for start in range(0, len(seen), BATCH):
            some = slice(start, start + BATCH)
            x, columns, theirs = batch(seen[some], labels[some], rng)
            rows.append(logits(net, x, columns).softmax(1).numpy())
            classes.append(theirs.numpy())
    return np.concatenate(rows), np.concatenate(classes)
