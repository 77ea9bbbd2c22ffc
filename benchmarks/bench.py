"""Speed and size, each a line: a figure taken in this run beside its reference, and the command that gave it. Run by `make bench`.

The collection of measuring scripts and artwork (SHARED: ../shared, or ANIDATA_SHARED) is needed for the lines that time whole recipes;
without it they say so. Close other programs first: ratios are of CPU seconds, but a busy machine makes both sides slower unevenly.

    python benchmarks/bench.py [--pictures 10000] [--only NAME …]
"""

import argparse
import contextlib
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import PIL.Image

SHARED = Path(os.environ.get("ANIDATA_SHARED", Path(__file__).resolve().parents[2] / "shared"))
ANIDATA = [sys.executable, "-m", "anidata"]
ALL_KEPT = ["clean.min_side=0", "clean.max_aspect=0", "clean.max_flatness=1", "clean.min_chroma=0", "clean.min_sharpness=0"]
ALL_KEPT += ["lineart.min_ink=0", "lineart.max_ink=1"]
BARE = "import typer\napp = typer.Typer()\n@app.command()\ndef a(x: int = 1): ...\n@app.command()\ndef b(y: str = ''): ...\napp()\n"
TIMES = 7  # runs of a start-up; the least counts


@dataclass(frozen=True)
class Took:
    """What a command took with all its children."""

    cpu: float  # seconds
    wall: float  # seconds
    peak: float  # MB of the largest process


def took(command: list[str]) -> Took:
    """Run a command, quietly."""
    before, begun = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    with tempfile.TemporaryFile() as log:
        done = subprocess.run(command, stdout=log, stderr=log, check=False)
        if done.returncode:
            log.seek(0)
            raise SystemExit(f"{' '.join(command)} failed:\n{log.read().decode()}")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return Took(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, time.monotonic() - begun, after.ru_maxrss / 1000)


def line(name: str, figure: str, reference: str, command: str) -> None:
    print(f"{name:12s} {figure:34s} {reference:60s} {command}", flush=True)


def recipe(folder: Path, _: int) -> None:
    """The whole recipe over 400 pictures of 0.9 megapixels, beside the script a user writes by hand, and decoding alone."""
    if not (SHARED / "bench/make_pile.py").exists():
        line("recipe", "not run", "the measuring scripts aren't here", "")
        return
    pile = folder / "pile"
    took([sys.executable, str(SHARED / "bench/make_pile.py"), str(SHARED / "data"), str(pile), "400"])
    settings = [word for setting in ALL_KEPT for word in ("--set", setting)]
    ours = [took([*ANIDATA, "run", "quickstart", str(folder / f"work{n}"), str(pile), "--workers", "2", *settings]) for n in range(3)]
    hand = [took([sys.executable, str(SHARED / "bench/hand_script.py"), str(pile), str(folder / f"hand{n}")]) for n in range(3)]
    decode = "import sys, cv2, pathlib; [cv2.imread(str(p), cv2.IMREAD_UNCHANGED) for p in pathlib.Path(sys.argv[1]).iterdir()]"
    alone = [took([sys.executable, "-c", decode, str(pile)]) for _ in range(3)]
    a, b, c = (min(t.cpu for t in runs) for runs in (ours, hand, alone))
    command = "anidata run quickstart WORK PILE --workers 2, clean's rules off"
    line("recipe", f"{a / b:.2f} × the hand script's CPU s", f"{a:.1f} s against {b:.1f} s; at most 1.2", command)
    line("", f"{a / c:.2f} × decoding alone with cv2", f"{c:.1f} s", command)
    line("", f"{min(t.wall for t in ours):.1f} s on the clock", f"hand script {min(t.wall for t in hand):.1f} s", command)


def start(_: Path, __: int) -> None:
    """How soon help answers, beside a bare program of two commands."""
    with tempfile.NamedTemporaryFile("w", suffix=".py") as bare:
        bare.write(BARE)
        bare.flush()
        ours = min(took([*ANIDATA, "--help"]).wall for _ in range(TIMES))
        theirs = min(took([sys.executable, bare.name, "--help"]).wall for _ in range(TIMES))
    line(
        "start",
        f"{(ours - theirs) * 1000:.0f} ms over a bare Typer program",
        f"{ours * 1000:.0f} against {theirs * 1000:.0f} ms; at most 60",
        "anidata --help",
    )


def size(folder: Path, pictures: int) -> None:
    """Memory, time a picture, and an up-to-date run, over small generated pictures: 1 % broken, 2 % copies."""
    few = max(1000, pictures // 10)
    results = []
    for count in (few, pictures):
        pile, work = folder / f"small{count}", folder / f"work{count}"
        generate(pile, count)
        command = [*ANIDATA, "ingest", str(work), str(pile), "--workers", "2"]
        results.append((count, took_with_main(command), took_with_main([*ANIDATA, "run", "quickstart", str(work), str(pile)])))
        again = took([*ANIDATA, "run", "quickstart", str(work), str(pile)])
        line(
            "up to date",
            f"{again.wall:.1f} s over {count:,} pictures",
            "at most 3 s over 100,000",
            "anidata run quickstart WORK PILE, again",
        )
    (n, (a, main_a), (_, run_a)), (m, (b, main_b), (_, run_b)) = results
    line("memory", f"main {main_b:.0f} MB over {m:,} pictures", f"{main_a:.0f} MB over {n:,}; flat, under 500", "anidata ingest WORK PILE")
    line("", f"main {run_b:.0f} MB over {m:,} pictures", f"{run_a:.0f} MB over {n:,}; flat, under 500", "anidata run quickstart WORK PILE")
    each = (b.wall / m) / (a.wall / n)
    line(
        "time",
        f"{each:.2f} × the time a picture",
        f"{b.wall / m * 1000:.2f} ms over {m:,}, {a.wall / n * 1000:.2f} ms over {n:,}",
        "anidata ingest WORK PILE",
    )


def took_with_main(command: list[str]) -> tuple[Took, float]:
    """What a command took, and the peak of its main process alone, MB."""
    begun, peak = time.monotonic(), 0.0
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while process.poll() is None:
        with contextlib.suppress(OSError, IndexError):  # it has just ended
            status = Path(f"/proc/{process.pid}/status").read_text()
            peak = max(peak, float(status.split("VmHWM:")[1].split()[0]) / 1000)
        time.sleep(0.05)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Took(cpu, time.monotonic() - begun, after.ru_maxrss / 1000), peak


def generate(folder: Path, count: int) -> None:
    """Small pictures unlike each other, 64 to 256 px; every hundredth is cut short, every fiftieth a copy in other bytes."""
    folder.mkdir(parents=True)
    for n in range(count):
        rng = np.random.default_rng(n - 1 if n % 50 == 1 else n)
        width, height = rng.integers(64, 257, 2)
        blocks = rng.integers(0, 256, (8, 8, 3), np.uint8)
        picture = PIL.Image.fromarray(blocks).resize((int(width), int(height)), PIL.Image.Resampling.BICUBIC)
        path = folder / f"{n % 100:02d}" / f"{n:07d}.jpg"
        path.parent.mkdir(exist_ok=True)
        picture.save(path, quality=88 if n % 50 == 1 else 90)
        if n % 100 == 7:
            path.write_bytes(path.read_bytes()[:300])


BENCHES: dict[str, Callable[[Path, int], None]] = {"recipe": recipe, "start": start, "size": size}


@contextlib.contextmanager
def scratch() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="anidata-bench-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    options.add_argument("--pictures", type=int, default=10_000, help="generated pictures for the lines on size")
    options.add_argument("--only", nargs="*", choices=list(BENCHES), default=list(BENCHES))
    chosen = options.parse_args()
    os.environ["ANIDATA_QUIET"] = "1"
    with scratch() as folder:
        for name in chosen.only:
            BENCHES[name](folder, chosen.pictures)


if __name__ == "__main__":
    main()
