"""Peak memory of an ingest's whole process tree, for each file that asks for much.

`python benchmarks/bombs.py [NAME…]` tries these alone. Memory is proportional (PSS): shared pages count
once. The yardstick is the same run without a hostile file.
"""

import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests/labs"))

import cv2
import numpy as np

import bomb_lab as lab


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        pictures = home / "pictures"
        pictures.mkdir()
        for number in range(8):
            noise = np.random.default_rng(number).integers(0, 255, (512, 512, 3), np.uint8)
            cv2.imwrite(str(pictures / f"{number}.png"), noise)
        _show("none", home, [str(pictures)])
        for name in sys.argv[1:] or lab.BOMBS:
            make, kind = lab.BOMBS[name]
            nest = home / "bomb" / name
            nest.mkdir(parents=True)
            make(nest / name)
            stem = (nest / name).with_suffix(".png")
            if name.endswith(".json"):
                stem.write_bytes((pictures / "0.png").read_bytes())
            source = str(nest) if kind == "folder" else f"{kind}:{nest / name}"
            _show(name, home, [str(pictures), source])
            (nest / name).unlink()


def _show(name: str, home: Path, sources: list[str]) -> None:
    work = home / f"work-{name}"
    begun = time.monotonic()
    command = [sys.executable, "-m", "anidata", "ingest", str(work), *sources, "--workers", "2"]
    log = home / "log"
    with open(log, "wb") as file:
        process = subprocess.Popen(command, stdout=file, stderr=subprocess.STDOUT)
        peak = 0
        while process.poll() is None:
            peak = max(peak, sum(map(_pss, _tree(process.pid))))
            time.sleep(0.02)
    words = log.read_text(errors="replace").strip().splitlines()
    last = next((word for word in words if "listed" in word or "Error" in word), words[-1] if words else "")
    print(f"{name:24}{peak >> 20:6} MB{time.monotonic() - begun:7.1f} s  {process.returncode}  {last[:100]}")
    ask = (
        "SELECT error, min(message) AS message, count(*) AS n FROM records WHERE error IS NOT NULL GROUP BY 1"
    )
    query = [sys.executable, "-m", "anidata", "query", str(work), ask, "--format", "csv"]
    if name != "none":
        print("    " + subprocess.run(query, capture_output=True, text=True, check=False).stdout[20:500])


def _tree(pid: int) -> list[int]:
    pids = [pid]
    for one in pids:
        for path in Path(f"/proc/{one}/task").glob("*/children"):
            try:
                pids += map(int, path.read_text().split())
            except OSError:
                continue
    return pids


def _pss(pid: int) -> int:
    try:
        text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    except OSError:
        return 0
    return next((int(row.split()[1]) << 10 for row in text.splitlines() if row.startswith("Pss:")), 0)


if __name__ == "__main__":
    main()
