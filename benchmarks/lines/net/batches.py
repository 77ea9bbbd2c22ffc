"""Batches by their number: of a seed and a step always the same, so a training may stop and go on."""

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from lines.net import compose, grounds

SIDE, COUNT = 96, 8  # px of an example; examples in a batch
SHARES = {"scene": 0.32, "pair": 0.35, "sprite": 0.19, "lineless": 0.14}
NEW_GROUND = 0.5  # share of the pairs that get another ground
SCALES = (0.55, 1.6)  # px of the stored picture to one of the example's
SMALLER = (0.7, 3.0)  # the same of pairs, whose lines are up to 14 px wide as they are stored


@dataclass(frozen=True)
class Stored:
    """The four sets of make_data.py, read from the disk as they are needed."""

    pairs: np.ndarray
    scenes: np.ndarray
    sprites: np.ndarray
    grounds: np.ndarray


def stored(folder: Path) -> Stored:
    """What make_data.py made."""
    names = ("pairs", "scenes", "sprites", "grounds")
    return Stored(*(np.load(folder / f"{name}.npy", mmap_mode="r") for name in names))


def batch(data: Stored, seed: int, step: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """RGB float32 (8, 3, 96, 96) in [0, 1], and ink and weight (8, 1, 96, 96)."""
    rng = np.random.default_rng((seed, step))
    every = [example(data, rng) for _ in range(COUNT)]
    rgb = np.stack([e.rgb.transpose(2, 0, 1) for e in every]).astype(np.float32) / np.float32(255)
    return rgb, np.stack([e.ink for e in every])[:, None], np.stack([e.weight for e in every])[:, None]


def example(data: Stored, rng: np.random.Generator) -> compose.Example:
    """One picture of any kind, turned and mirrored."""
    kind = rng.choice(list(SHARES), p=list(SHARES.values()))
    turns, mirrored = int(rng.integers(4)), rng.random() < 0.5
    of = _of_kind(str(kind), data, rng)
    parts = [np.rot90(part, turns) for part in (of.rgb, of.ink, of.weight)]
    return compose.Example(*(np.ascontiguousarray(p[:, ::-1] if mirrored else p) for p in parts))


def _of_kind(kind: str, data: Stored, rng: np.random.Generator) -> compose.Example:
    if kind == "scene":
        return compose.scene(rng, _crop(rng, data.scenes))
    if kind == "lineless":
        return compose.lineless(rng, _crop(rng, data.grounds))
    ground = grounds.made(rng, data.grounds, SIDE)
    if kind == "sprite":
        return compose.sprite(rng, _crop(rng, data.sprites, 4), ground)
    return compose.pair(
        rng, _crop(rng, data.pairs, 3, SMALLER), ground if rng.random() < NEW_GROUND else None
    )


def _crop(
    rng: np.random.Generator,
    arrays: np.ndarray,
    channel: int | None = None,
    scales: tuple[float, float] = SCALES,
) -> np.ndarray:
    """A part of any picture at 96 px; mostly about a border of a channel, if one is given."""
    array = arrays[rng.integers(len(arrays))]
    side = round(SIDE * float(np.exp(rng.uniform(*np.log(scales)))))
    low = np.zeros(2, int)
    for _ in range(4):
        low = rng.integers(0, array.shape[0] - side + 1, 2)
        if channel is None or rng.random() < 0.1:
            break
        part = array[low[0] : low[0] + side : 4, low[1] : low[1] + side : 4, channel]
        if part.min() < 100 and part.max() > 150:
            break
    part = np.ascontiguousarray(array[low[0] : low[0] + side, low[1] : low[1] + side])
    return _resized(part)


def _resized(part: np.ndarray) -> np.ndarray:
    if part.shape[0] == SIDE:
        return part
    how = cv2.INTER_AREA if part.shape[0] > SIDE else cv2.INTER_LINEAR
    pieces = [np.ascontiguousarray(part[..., :3]), np.ascontiguousarray(part[..., 3:])]
    return np.dstack([cv2.resize(p, (SIDE, SIDE), interpolation=how) for p in pieces if p.shape[2]])
