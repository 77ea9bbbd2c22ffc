"""Write the trained network as the ONNX file that is shipped, and check that it is what was trained.

    python benchmarks/lines/net/export.py RUN/weights.safetensors OUT.onnx

Both runtimes must give torch's answer to 1e-5 on a picture (each of the three is within 4e-6 of
double precision); the milliseconds for 512 × 512 on one thread are printed, and the file's SHA-256.
"""

import argparse
import hashlib
import json
import sys
import time
from pathlib import Path

import cv2
import numpy as np
import torch
from safetensors import safe_open

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from anidata.lineart.styles import _line_net
from lines.net import onnx_file
from lines.net.model import WIDTHS, LineNet

EQUAL, MOST, TIMES = 1e-5, 1_000_000, 30  # largest difference; bytes of a file; runs that are timed


def loaded(path: Path) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    """Weights, and what they say of their training."""
    with safe_open(path, "np") as file:
        header = json.loads(file.metadata()["training"])
        return {name: file.get_tensor(name) for name in file.keys()}, header  # noqa: SIM118 (not a mapping)


def by_torch(weights: dict[str, np.ndarray], widths: str) -> _line_net.Ask:
    """Through torch."""
    net = LineNet(WIDTHS[widths])
    net.load_state_dict({name: torch.from_numpy(w) for name, w in weights.items()})
    return lambda picture: torch.sigmoid(net.eval()(torch.from_numpy(picture))).detach().numpy()


def differences(file: bytes, truth: _line_net.Ask) -> dict[str, float]:
    """Of each runtime the largest difference from torch."""
    picture = _noise((45, 67), (256, 336))
    expected = truth(picture)
    return {
        name: float(np.abs(make(file)(picture) - expected).max()) for name, make in _line_net.RUNTIMES.items()
    }


def milliseconds(ask: _line_net.Ask) -> float:
    """The least of 30 for 512 × 512."""
    picture = _noise((32, 32), (512, 512))
    return 1000 * min(_seconds(ask, picture) for _ in range(TIMES))


def _noise(grains: tuple[int, int], size: tuple[int, int]) -> np.ndarray:
    """A picture of smooth colors as the network takes it: (1, 3, h, w), 0 to 1."""
    rgb = np.random.default_rng(0).integers(0, 256, (*grains, 3)).astype(np.uint8)
    smooth = cv2.resize(rgb, size[::-1], interpolation=cv2.INTER_CUBIC)
    return np.ascontiguousarray(smooth.transpose(2, 0, 1)[None], np.float32) / np.float32(255)


def _seconds(ask: _line_net.Ask, picture: np.ndarray) -> float:
    begun = time.perf_counter()
    ask(picture)
    return time.perf_counter() - begun


def main() -> None:
    """Write, compare, time."""
    parser = argparse.ArgumentParser(description="Export the network.")
    parser.add_argument("weights", type=Path)
    parser.add_argument("out", type=Path)
    args = parser.parse_args()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    weights, header = loaded(args.weights)
    data = onnx_file.model(weights, header)
    args.out.write_bytes(data)
    apart = differences(data, by_torch(weights, header["widths"]))
    if max(apart.values()) > EQUAL or len(data) > MOST:
        raise SystemExit(f"{args.out}: {len(data)} bytes, differs by {apart}. Don't ship it.")
    print(f"{args.out}: {len(data)} bytes, sha256 {hashlib.sha256(data).hexdigest()}, {json.dumps(header)}")
    for name, make in _line_net.RUNTIMES.items():
        print(f"{name}: {milliseconds(make(data)):.1f} ms, differs from torch by {apart[name]:.1e}")


if __name__ == "__main__":
    main()
