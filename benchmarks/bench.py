"""Speed and size, each a line: a figure taken in this run beside its reference, and the command that gave it.

Run by `make bench`. The collection of measuring scripts and artwork (SHARED: ../shared, or ANIDATA_SHARED)
is needed for the lines that time whole recipes; without it they say so. Close other programs first: ratios
are of CPU seconds, but a busy machine makes both sides slower unevenly.

    python benchmarks/bench.py [--pictures 100000] [--only NAME …]
"""

import argparse
import contextlib
import os
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

import peers
from anidata import registry
from anidata.stages.clean.stage import RULES

SHARED = Path(os.environ.get("ANIDATA_SHARED", Path(__file__).resolve().parents[2] / "shared"))
ANIDATA = [sys.executable, "-m", "anidata"]
ART = registry.PACKAGE / "art"
OFF = [f"clean.{rule.setting}={rule.off:g}" for rule in RULES]
OFF += ["lineart.min_ink=0", "lineart.max_ink=1", "lineart.max_scribble=1"]
XDOG = ["--set", "lineart.styles=['xdog']"]  # as cheap a style as the script's own
ANIME = ["--set", "lineart.styles=['anime']"]
ALL_KEPT = [word for setting in OFF for word in ("--set", setting)]
COMMAND = "anidata run quickstart WORK PILE --workers 2 --set lineart.size=128, clean's rules off"
BARE = """import typer
app = typer.Typer(rich_markup_mode=None)
@app.command()
def a(x: int = 1): ...
@app.command()
def b(y: str = ''): ...
app()
"""
DECODE = """import sys, cv2, pathlib
for path in pathlib.Path(sys.argv[1]).iterdir():
    cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
"""
ALONE = """import os, sys, cv2, pathlib
cv2.setNumThreads(1)
paths = sorted(pathlib.Path(sys.argv[1]).rglob("*.jpg"))
child = os.fork()
for path in paths[child > 0 :: 2]:
    cv2.imread(str(path))
os.waitpid(child, 0) if child else os._exit(0)
"""  # pictures opened, read and decoded, by two bare processes
# As workers have it.
MALLOC = {"MALLOC_MMAP_THRESHOLD_": str(32 << 20), "MALLOC_TRIM_THRESHOLD_": str(256 << 20)}
SCRIPTS = SHARED / "bench"
EVALUATED = 32, 128  # pictures that evaluate is timed over
COMPARED = 10  # pictures that it compares with each truth: two styles, of a run and four trivial colorizers
TIMES = 7  # runs of a start-up; the least counts


@dataclass(frozen=True)
class Took:
    """Time and memory that a command took with all its children."""

    cpu: float  # seconds
    wall: float  # seconds
    peak: float  # MB of the largest process


NOTHING = Took(0, 0, 0)


def took(command: list[str]) -> Took:
    """Run a command, quietly."""
    begun = time.monotonic()
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
        # Of this command and what it has waited for, unlike RUSAGE_CHILDREN.
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            log.seek(0)
            raise SystemExit(f"{' '.join(command)} failed:\n{log.read().decode()}")
    return Took(used.ru_utime + used.ru_stime, time.monotonic() - begun, used.ru_maxrss / 1000)


def line(name: str, figure: str, reference: str, command: str) -> None:
    print(f"{name:12s} {figure:34s} {reference:60s} {command}", flush=True)


def recipe(folder: Path, _: int) -> None:
    """Time the whole recipe over 400 pictures of 0.9 megapixels.

    Beside the script a user writes by hand, decoding alone, and the peers.
    """
    if not (SCRIPTS / "make_pile.py").exists():
        line("recipe", "not run", "the measuring scripts aren't here", "")
        return
    pile = folder / "pile"
    took([sys.executable, str(SCRIPTS / "make_pile.py"), str(SHARED / "data"), str(pile), "400"])
    run = [str(pile), "--workers", "2", *ALL_KEPT]
    script = [sys.executable, str(SCRIPTS / "hand_script.py"), str(pile)]
    plain = least([[*ANIDATA, "run", "quickstart", str(folder / f"plain{n}"), *run, *XDOG] for n in range(3)])
    ours = least([[*ANIDATA, "run", "quickstart", str(folder / f"work{n}"), *run] for n in range(3)])
    drawn = least(
        [[*ANIDATA, "run", "quickstart", str(folder / f"anime{n}"), *run, *ANIME] for n in range(3)]
    )
    hand = least([[*script, str(folder / f"hand{n}")] for n in range(3)])
    alone = least([[sys.executable, "-c", DECODE, str(pile)]] * 3)
    command = "anidata run quickstart WORK PILE --workers 2, clean's rules off"
    for took_by, limit, words in (
        (plain, 1.2, f"{command}, --set lineart.styles=['xdog']"),
        (ours, 2.0, command),
    ):
        beside = f"{took_by.cpu:.1f} s against {hand.cpu:.1f} s; at most {limit}"
        line("recipe", f"{took_by.cpu / hand.cpu:.2f} × the hand script's CPU s", beside, words)
    beside = f"{drawn.cpu:.1f} s against {ours.cpu:.1f} s"
    line("", f"{drawn.cpu / ours.cpu:.2f} × itself with ink", beside, f"{command}, lineart.styles=['anime']")
    line("", f"{ours.cpu / alone.cpu:.2f} × decoding alone with cv2", f"{alone.cpu:.1f} CPU s", command)
    beside_peers(pile, folder, ours, command)


def beside_peers(pile: Path, folder: Path, ours: Took, command: str) -> None:
    each = {name: took(words) for name, words in peers.commands(SCRIPTS, pile, folder).items()}
    theirs = " + ".join(f"{name} {one.wall:.1f}" for name, one in each.items())
    sum_of_walls = sum(one.wall for one in each.values())
    line(
        "peers",
        f"{sum_of_walls / ours.wall:.1f} × as fast as the glue",
        f"{theirs} s, one after the other, against {ours.wall:.1f} s",
        command,
    )


def least(commands: list[list[str]]) -> Took:
    """The run that took the least CPU time of several."""
    return min((took(command) for command in commands), key=lambda one: one.cpu)


def start(_: Path, __: int) -> None:
    """Time how soon help answers, beside a bare program of two commands."""
    with tempfile.NamedTemporaryFile("w", suffix=".py") as bare:
        bare.write(BARE)
        bare.flush()
        pairs = [
            (took([*ANIDATA, "--help"]).wall, took([sys.executable, bare.name, "--help"]).wall)
            for _ in range(TIMES)
        ]
    ours, theirs = (min(walls) for walls in zip(*pairs, strict=True))
    figure = f"{(ours - theirs) * 1000:.0f} ms over a bare Typer program"
    line("start", figure, f"{ours * 1000:.0f} against {theirs * 1000:.0f} ms; at most 60", "anidata --help")


def size(folder: Path, pictures: int) -> None:
    """Memory and time a picture of the whole recipe, and an up-to-date run.

    Over small generated pictures: 1 % broken, 2 % copies.
    """
    counts = sorted({1000, max(1000, pictures // 10), pictures})
    runs, alone = {0: NOTHING}, {0: NOTHING}
    for count in counts:
        runs[count], alone[count] = of_size(folder, count)
    for few, many in zip([0, *counts], counts, strict=False):
        ours, bare = apiece(runs, few, many), apiece(alone, few, many)
        figure = f"{ours.wall:.2f} ms a picture from {few:,} to {many:,}"
        line("time", figure, "flat within 15 %; the first with start-up", COMMAND)
        beside = f"reading and decoding alone: {bare.cpu:.3f} ms of CPU, {bare.wall:.3f} ms"
        line("", f"{ours.cpu:.2f} ms of CPU", beside, COMMAND)


def of_size(folder: Path, count: int) -> tuple[Took, Took]:
    """A run over so many pictures, and decoding them alone."""
    pile, work = folder / f"small{count}", folder / f"small-work{count}"
    generate(pile, count)
    run = [*ANIDATA, "run", "quickstart", str(work), str(pile), "--workers", "2", *ALL_KEPT]
    command = [*run, "--set", "lineart.size=128"]
    ours, peak = took_with_main(command)
    again, alone = took(command), took([sys.executable, "-c", ALONE, str(pile)])
    shutil.rmtree(pile)
    figure = f"{again.wall:.2f} s over {count:,} pictures"
    line("up to date", figure, "at most 3 s over 100,000", f"{COMMAND}, again")
    figure = f"main {peak:.0f} MB over {count:,} pictures"
    line("memory", figure, "flat within 10 %, under 500 MB", COMMAND)
    return ours, alone


def apiece(runs: dict[int, Took], few: int, many: int) -> Took:
    """Time of each picture that the larger of two runs has more, ms."""
    each = 1000 / (many - few)
    cpu, wall = runs[many].cpu - runs[few].cpu, runs[many].wall - runs[few].wall
    return Took(cpu * each, wall * each, runs[many].peak)


def pixels(folder: Path, _: int) -> None:
    """The largest process over pictures of as many pixels as are allowed at all."""
    for name, mode, options in (
        ("jpg", "RGB", {}),
        ("png", "RGB", {"compress_level": 1}),
        ("png", "RGBA", {"compress_level": 1}),
    ):
        pile = folder / f"large-{mode}-{name}"
        pile.mkdir()
        noise = np.random.default_rng(0).integers(0, 256, (100, 100, len(mode)), np.uint8)
        tile = PIL.Image.fromarray(noise).resize((500, 500))
        PIL.Image.fromarray(np.tile(np.asarray(tile), (20, 20, 1))).save(pile / f"large.{name}", **options)
        work = folder / f"large-work-{mode}-{name}"
        command = [*ANIDATA, "run", "quickstart", str(work), str(pile), "--workers", "1", *ALL_KEPT]
        figure = f"worker {took(command).peak:.0f} MB"
        limit = f"under 1,000 at 100 megapixels, {mode} {name}"
        line("pixels", figure, limit, "anidata run quickstart WORK PILE")


def took_with_main(command: list[str]) -> tuple[Took, float]:
    """Time and memory of a command, and the peak of its main process alone, MB."""
    begun, peak = time.monotonic(), 0.0
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while not os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT):
        with contextlib.suppress(OSError, IndexError):  # it has just ended
            status = Path(f"/proc/{process.pid}/status").read_text()
            peak = max(peak, float(status.split("VmHWM:")[1].split()[0]) / 1000)
        time.sleep(0.05)
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{' '.join(command)} failed")
    return Took(used.ru_utime + used.ru_stime, time.monotonic() - begun, used.ru_maxrss / 1000), peak


def generate(folder: Path, count: int) -> None:
    """Write small pictures unlike each other, 64 to 256 px.

    Every hundredth is cut short, every fiftieth a copy in other bytes.
    """
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


def measures(folder: Path, _: int) -> None:
    """Time each measure of a decoded picture of 0.9 megapixels, on one core.

    The least of three passes counts.
    """
    if not (SCRIPTS / "make_pile.py").exists():
        line("measures", "not run", "the measuring scripts aren't here", "")
        return
    pile = folder / "pile-to-measure"
    took([sys.executable, str(SCRIPTS / "make_pile.py"), str(SHARED / "data"), str(pile), "100"])
    words = [sys.executable, str(Path(__file__).with_name("time_measures.py")), str(pile)]
    table = subprocess.run(words, check=True, capture_output=True, text=True, env=os.environ | MALLOC).stdout
    limits = {"all": "together, rasters with them: at most 5 and 8 ms"}
    for name, mean, high in (row.split() for row in table.splitlines()):
        limit = limits.get(name, "once the rasters are there")
        figure = f"{name} {mean} ms, 95th percentile {high}"
        line("measures", figure, limit, "benchmarks/time_measures.py PILE")


def timed_metrics(count: int) -> tuple[float, float, float, float, float, str]:
    """What time_metrics.py prints of so many pictures."""
    pictures = SHARED / "data" if SCRIPTS.exists() else ART
    words = [sys.executable, str(Path(__file__).with_name("time_metrics.py")), str(pictures), str(count)]
    alone = os.environ | {"OMP_NUM_THREADS": "1"}
    table = subprocess.run(words, check=True, capture_output=True, text=True, env=alone).stdout
    mine, theirs, early, late, deep, of = table.split()
    return float(mine), float(theirs), float(early), float(late), float(deep), of


def metrics(_: Path, __: int) -> None:
    """Time all metrics without weights over 1,000 pictures of 256 px, three of torchmetrics, and LPIPS."""
    mine, theirs, early, late, deep, of = timed_metrics(1000)
    figure = f"{mine / theirs:.2f} × torchmetrics' SSIM, MS-SSIM and PSNR"
    memory = f"{early:.0f} MB after a tenth, {late:.0f} after all"
    beside = f"{mine:.0f} ms of CPU a picture, at most 120; {memory}"
    line("metrics", figure, beside, "benchmarks/time_metrics.py FOLDER")
    beside = f"{deep:.0f} ms of CPU a picture, {of} weights; at most 3"
    line(
        "lpips",
        f"{deep / mine:.2f} × all metrics without weights",
        beside,
        "benchmarks/time_metrics.py FOLDER",
    )


def evaluate(folder: Path, _: int) -> None:
    """Time the whole command on a tiny run over drawn pictures of 256 px, beside the metrics alone."""
    script = str(Path(__file__).with_name("time_evaluate.py"))
    few, many = EVALUATED
    took([sys.executable, script, str(folder / "evaluated"), str(many)])
    os.environ["OMP_NUM_THREADS"] = "1"
    runs = [took([*ANIDATA, *evaluating(folder / "evaluated", count)]) for count in EVALUATED]
    cost = 1000 * (runs[1].cpu - runs[0].cpu) / (many - few) / COMPARED
    mine = timed_metrics(100)[0]
    beside = f"{cost:.0f} ms of CPU a picture and colorizer against {mine:.0f}; at most 1.3"
    line("evaluate", f"{cost / mine:.2f} × the metrics alone", beside, "anidata evaluate RUN --data DATASET")
    figure = f"{runs[0].peak:.0f} MB over {few} pictures, {runs[1].peak:.0f} over {many}"
    line("", figure, "flat within 5 %", "anidata evaluate RUN --data DATASET")


def evaluating(folder: Path, count: int) -> list[str]:
    """The command's words: as many pictures of what time_evaluate.py has made."""
    words = ["evaluate", str(folder / "run"), "--data", str(folder / "work/dataset"), "--device", "cpu"]
    return [*words, "-o", str(folder / f"report{count}"), "--set", f"evaluate.pictures={count}"]


def million(folder: Path, _: int) -> None:
    """Time clean over a hundred thousand and a million rows that were made up."""
    script = str(Path(__file__).with_name("made_up_catalog.py"))
    for count in (100_000, 1_000_000):
        work = folder / f"made-up{count}"
        took([sys.executable, script, str(work), str(count)])
        clean = [*ANIDATA, "clean", str(work)]
        commands = {
            "clean --sweep min_side": [*clean, "--sweep", "min_side"],
            "clean, deciding": [sys.executable, script, str(work)],
            "clean --set clean.min_side=300, with the funnel": [*clean, "--set", "clean.min_side=300"],
        }
        for words, command in commands.items():
            used = took(command)
            figure = f"{used.wall:.2f} s ({used.cpu:.2f} of CPU), {used.peak:.0f} MB"
            line("clean", figure, f"over {count:,} pictures; deciding: under 3 s, memory flat", words)


BENCHES: dict[str, Callable[[Path, int], None]] = {
    "recipe": recipe,
    "start": start,
    "pixels": pixels,
    "size": size,
    "measures": measures,
    "metrics": metrics,
    "evaluate": evaluate,
    "million": million,
}


@contextlib.contextmanager
def scratch() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="anidata-bench-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    options.add_argument(
        "--pictures", type=int, default=100_000, help="generated pictures for the lines on size"
    )
    options.add_argument("--only", nargs="*", choices=list(BENCHES), default=list(BENCHES))
    chosen = options.parse_args()
    os.environ["ANIDATA_QUIET"] = "1"
    with scratch() as folder:
        for name in chosen.only:
            BENCHES[name](folder, chosen.pictures)


if __name__ == "__main__":
    main()
