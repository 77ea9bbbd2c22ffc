"""CPU of this checkout beside another one: --help, nothing to do, the whole recipe, by turns in pairs.

    python benchmarks/compare_checkouts.py OTHER [--pairs 10] [--pile FOLDER]

OTHER is a checkout of another version, such as a clone of the last release. Each pair runs the same command
with both, in an order that changes from pair to pair; the ratio is this over that, of user and system time of
all processes. The interval is Student's, of the logarithms of the ratios. Run it on an idle machine.
"""

import argparse
import math
import os
import resource
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import mean, stdev

from scipy import stats

HERE = Path(__file__).resolve().parents[1]


@dataclass(frozen=True)
class Checkout:
    """A version of the code, and the workspaces that it makes."""

    path: Path
    works: Path

    def run(self, *words: str) -> float:
        """CPU seconds of a command, its workers' too."""
        before = _cpu()
        environment = {**os.environ, "PYTHONPATH": str(self.path / "src"), "ANIDATA_QUIET": "1"}
        subprocess.run(
            [sys.executable, "-m", "anidata", *words], env=environment, stdout=subprocess.DEVNULL, check=True
        )
        return _cpu() - before

    def fresh(self, *words: str) -> float:
        shutil.rmtree(self.works / "fresh", ignore_errors=True)
        return self.run("run", "quickstart", str(self.works / "fresh"), *words)


def main() -> None:
    parser = argparse.ArgumentParser(description="CPU of this checkout beside another one.")
    parser.add_argument("other", type=Path, help="a checkout of another version")
    parser.add_argument("--pairs", type=int, default=10)
    parser.add_argument(
        "--pile", type=Path, help="a folder of pictures for the whole recipe; the bundled art unless given"
    )
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        ours, theirs = (
            Checkout(path.resolve(), Path(folder) / name) for path, name in ((HERE, "a"), (asked.other, "b"))
        )
        sources = [str(asked.pile.resolve())] if asked.pile else ["sample:"]
        for checkout in (ours, theirs):
            checkout.works.mkdir()
            checkout.run("run", "quickstart", str(checkout.works / "done"), *sources)
        commands: dict[str, Callable[[Checkout], float]] = {
            "--help": lambda checkout: checkout.run("--help"),
            "nothing to do": lambda c: c.run("run", "quickstart", str(c.works / "done"), *sources),
            "the whole recipe": lambda checkout: checkout.fresh(*sources),
        }
        for name, command in commands.items():
            ratios = list(_ratios(command, ours, theirs, asked.pairs))
            low, high = interval(ratios)
            middle = math.exp(mean(map(math.log, ratios)))
            print(f"{name:20} {middle:.3f}   95 % {low:.3f} to {high:.3f}, {asked.pairs} pairs", flush=True)


def _ratios(
    command: Callable[[Checkout], float], ours: Checkout, theirs: Checkout, pairs: int
) -> Iterator[float]:
    for number in range(pairs):
        if number % 2:
            below, above = command(theirs), command(ours)
        else:
            above, below = command(ours), command(theirs)
        yield above / below


def interval(ratios: list[float]) -> tuple[float, float]:
    """Student's 95 % interval of the mean of the logarithms, as ratios."""
    logs = [math.log(ratio) for ratio in ratios]
    half = float(stats.t.ppf(0.975, len(logs) - 1)) * stdev(logs) / math.sqrt(len(logs))
    return math.exp(mean(logs) - half), math.exp(mean(logs) + half)


def _cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    main()
