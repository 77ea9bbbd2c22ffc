"""Train the network: resumable, and of one seed the same to the bit on one machine with one thread.

    python benchmarks/lines/net/train.py DATA RUN [--widths middle] [--seed 0] [--steps 40000] [--device cpu]

DATA: what make_data.py made. RUN/state.pt: where it stands (the same command goes on from there);
RUN/weights.safetensors: the averaged weights (EMA), in the header what they are of; RUN/log.csv: the loss.
A batch is a function of seed and step, so what was interrupted ends as what ran through.
On one core of 2026 40,000 steps take some 25 minutes; batches are made in a process of their own.
"""

import argparse
import csv
import json
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from lines.net import batches
from lines.net.loss import loss
from lines.net.model import WIDTHS, built, parameters

RATE, DECAY, WARM = 4e-3, 1e-4, 300  # AdamW's; steps until the rate is reached
AVERAGE = 0.999  # of the EMA
EVERY, SAVED = 200, 2000  # steps between lines of the log, and between checkpoints


class Steps(Dataset[tuple[np.ndarray, ...]]):
    """The batches from a step on."""

    def __init__(self, data: Path, seed: int, start: int, steps: int) -> None:
        self.folder, self.seed, self.start, self.steps = data, seed, start, steps
        self.data: batches.Stored | None = None

    def __len__(self) -> int:
        return self.steps - self.start

    def __getitem__(self, index: int) -> tuple[np.ndarray, ...]:
        self.data = self.data or batches.stored(self.folder)
        return batches.batch(self.data, self.seed, self.start + index)


class Training:
    """Network, optimizer and averaged weights, and how far they are."""

    def __init__(self, widths: str, seed: int, steps: int, device: str) -> None:
        self.widths, self.seed, self.steps, self.step = widths, seed, steps, 0
        self.device = device
        self.net = built(WIDTHS[widths], seed).to(device)
        self.optimizer = torch.optim.AdamW(self.net.parameters(), RATE, weight_decay=DECAY)
        self.average = {name: p.detach().clone() for name, p in self.net.state_dict().items()}

    def learn(self, rgb: Tensor, ink: Tensor, weight: Tensor) -> float:
        """One step; its loss."""
        for group in self.optimizer.param_groups:
            group["lr"] = rate(self.step, self.steps)
        rgb, ink, weight = (x.to(self.device, non_blocking=True) for x in (rgb, ink, weight))
        value = loss(self.net(rgb), ink, weight, self.step / self.steps)
        self.optimizer.zero_grad(set_to_none=True)
        value.backward()
        nn.utils.clip_grad_norm_(self.net.parameters(), 1.0)
        self.optimizer.step()
        self.step += 1
        share = min(AVERAGE, self.step / (self.step + 10))
        for name, p in self.net.state_dict().items():
            self.average[name].lerp_(p, 1 - share)
        return float(value.detach())

    def save(self, run: Path) -> None:
        """Write where it stands; a half-written file never stays."""
        state = {"net": self.net.state_dict(), "optimizer": self.optimizer.state_dict()}
        torch.save(state | {"average": self.average, "step": self.step, "of": self._of()}, run / "state.part")
        (run / "state.part").replace(run / "state.pt")
        header = {key: str(value) for key, value in (self._of() | {"step": self.step}).items()}
        header["parameters"] = str(parameters(self.net))
        tensors = {name: p.cpu().contiguous() for name, p in self.average.items()}
        save_file(tensors, run / "weights.part", metadata={"training": json.dumps(header, sort_keys=True)})
        (run / "weights.part").replace(run / "weights.safetensors")

    def load(self, run: Path) -> None:
        """Go on from what was saved, if it is of the same training."""
        if not (run / "state.pt").exists():
            return
        state = torch.load(run / "state.pt", map_location=self.device, weights_only=True)
        if state["of"] != self._of():
            raise SystemExit(f"{run} holds a training of {state['of']}. Choose another folder.")
        self.net.load_state_dict(state["net"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.average, self.step = state["average"], state["step"]

    def _of(self) -> dict[str, str | int]:
        return {"widths": self.widths, "seed": self.seed, "steps": self.steps}


def rate(step: int, steps: int) -> float:
    """The learning rate: up in a line, down as a cosine."""
    return RATE * min(1, (step + 1) / WARM) * 0.5 * (1 + float(np.cos(np.pi * step / steps)))


def batches_of(training: Training, data: Path, workers: int) -> Iterator[tuple[Tensor, ...]]:
    """Batches from where the training stands, as tensors."""
    steps = Steps(data, training.seed, training.step, training.steps)
    return iter(
        DataLoader(steps, batch_size=None, num_workers=workers, prefetch_factor=8 if workers else None)
    )


def main() -> None:
    """Train until the last step, and say how the loss falls."""
    parser = argparse.ArgumentParser(description="Train the network.")
    parser.add_argument("data", type=Path)
    parser.add_argument("run", type=Path)
    parser.add_argument("--widths", choices=list(WIDTHS), default="middle")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--steps", type=int, default=40000)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--workers", type=int, default=1, help="processes that make batches")
    parser.add_argument("--threads", type=int, default=1)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    torch.use_deterministic_algorithms(True)
    args.run.mkdir(parents=True, exist_ok=True)
    training = Training(args.widths, args.seed, args.steps, args.device)
    training.load(args.run)
    begun, values = time.time(), []
    for rgb, ink, weight in batches_of(training, args.data, args.workers):
        values.append(training.learn(rgb, ink, weight))
        if training.step % EVERY == 0:
            _logged(args.run, training.step, float(np.mean(values)), time.time() - begun)
            values = []
        if training.step % SAVED == 0 or training.step == training.steps:
            training.save(args.run)


def _logged(run: Path, step: int, value: float, seconds: float) -> None:
    with (run / "log.csv").open("a", newline="") as file:
        csv.writer(file).writerow([step, f"{value:.6f}", round(seconds)])
    print(step, f"{value:.4f}", round(seconds), flush=True)


if __name__ == "__main__":
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    main()
