"""Write the trained network as the ONNX file that is shipped, and check that it is what was trained.

    python benchmarks/lines/net/export.py RUN/weights.safetensors OUT.onnx

Both runtimes must give torch's answer to 1e-5 on a picture of odd size (each of the three is within 4e-6 of
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
from lines.net import onnx_file, run
from lines.net.model import WIDTHS, LineNet

EQUAL, MOST, TIMES = 1e-5, 1_000_000, 30  # largest difference; bytes of a file; runs that are timed


def loaded(path: Path) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    """Weights, and what they say of their training."""
    with safe_open(path, "np") as file:
        header = json.loads(file.metadata()["training"])
        return {name: file.get_tensor(name) for name in file.keys()}, header  # noqa: SIM118 (not a mapping)


def by_torch(weights: dict[str, np.ndarray], widths: str) -> run.Ask:
    """Through torch."""
    net = LineNet(WIDTHS[widths])
    net.load_state_dict({name: torch.from_numpy(w) for name, w in weights.items()})
    return lambda blob: torch.sigmoid(net.eval()(torch.from_numpy(blob))).detach().numpy()


def differences(path: Path, truth: run.Ask) -> dict[str, float]:
    """Of each runtime the largest difference from torch."""
    rgb = np.random.default_rng(0).integers(0, 256, (45, 67, 3)).astype(np.uint8)
    rgb = cv2.resize(rgb, (331, 253), interpolation=cv2.INTER_CUBIC)
    expected = run.opacity(truth, rgb)
    return {
        name: float(np.abs(run.opacity(make(path), rgb) - expected).max())
        for name, make in run.RUNTIMES.items()
    }


def milliseconds(ask: run.Ask) -> float:
    """The least of 30 for 512 × 512."""
    rgb = cv2.resize(np.random.default_rng(0).integers(0, 256, (32, 32, 3)).astype(np.uint8), (512, 512))
    return 1000 * min(_seconds(ask, rgb) for _ in range(TIMES))


def _seconds(ask: run.Ask, rgb: np.ndarray) -> float:
    begun = time.perf_counter()
    run.opacity(ask, rgb)
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
    apart = differences(args.out, by_torch(weights, header["widths"]))
    if max(apart.values()) > EQUAL or len(data) > MOST:
        raise SystemExit(f"{args.out}: {len(data)} bytes, differs by {apart}. Don't ship it.")
    print(f"{args.out}: {len(data)} bytes, sha256 {hashlib.sha256(data).hexdigest()}, {json.dumps(header)}")
    for name, make in run.RUNTIMES.items():
        print(f"{name}: {milliseconds(make(args.out)):.1f} ms, differs from torch by {apart[name]:.1e}")


if __name__ == "__main__":
    main()
