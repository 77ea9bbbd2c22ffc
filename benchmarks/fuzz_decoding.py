"""Damaged and random files for the decoder, in worker processes under ingest's limits.

    python benchmarks/fuzz_decoding.py --minutes 60

Prints how many there were by form and outcome, and the longest time and the most memory that one took.
A fault is a file that ends or hangs its worker (crashed, killed, timeout), asks for more memory than
it may (memory), shows a part of a picture as whole (half), or yields what no caller expects (wrong).
The bytes of each are kept, and the same --seed makes the same files. Exits 1 if there was one.
"""

import argparse
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from rich.console import Console
from rich.table import Table

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests/labs"))
import fuzz_lab
from anidata.engine.engine import Engine
from anidata.stages.ingest import config as ingest
from fuzz_lab import Tally

AT_ONCE = 500  # cases in a part: one that crashes is run again from its beginning
EVERY = 300  # seconds between tables


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--minutes", type=float, default=1)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument(
        "--faults", type=Path, default=Path("fuzz-faults"), help="folder for the files at fault"
    )
    asked = parser.parse_args()
    tally = run(asked.minutes * 60, asked.seed, asked.workers, asked.faults)
    show(tally, f"seed {asked.seed}, {asked.minutes:g} minutes")
    sys.exit(bool(tally.faults))


def run(seconds: float, seed: int, workers: int, folder: Path) -> Tally:
    """Judge cases from number 0 on until the time is over."""
    config, tally = ingest.Config(), Tally()
    shown = time.monotonic()
    with Engine(workers) as engine:
        for _, judged in engine.map(
            fuzz_lab.judge_part, _parts(seconds, seed, config.max_pixels), limits=ingest.limits(config)
        ):
            tally.add(judged)
            for number, outcome, message in judged.faults:
                keep(folder, seed, number, f"{outcome}: {message}")
            if time.monotonic() - shown > EVERY:
                shown = time.monotonic()
                show(tally, "so far")
    return tally


def keep(folder: Path, seed: int, number: int, why: str) -> None:
    """Write a case at fault to a file, and say so."""
    one = fuzz_lab.case(seed, number)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{seed}-{number}.{one.form}"
    path.write_bytes(one.data)
    print(f"{path}: {why}", flush=True)


def show(tally: Tally, title: str) -> None:
    outcomes = sorted(
        {outcome for _, outcome in tally.outcomes}, key=lambda name: (name in fuzz_lab.EXPECTED, name)
    )
    table = Table(title=f"{tally.outcomes.total():,} files, {len(tally.faults)} faults ({title})")
    for name in ("form", "files", *outcomes, "longest, s", "its number", "most MB"):
        table.add_column(name, justify="left" if name == "form" else "right")
    for form in sorted({form for form, _ in tally.outcomes}):
        counts = [tally.outcomes[form, outcome] for outcome in outcomes]
        longest, number = tally.seconds.get(form, (0.0, 0))
        most = f"{longest:.2f}", str(number), f"{tally.memory.get(form, 0) / 1e6:,.0f}"
        table.add_row(form, f"{sum(counts):,}", *(f"{count:,}" for count in counts), *most)
    Console(width=140).print(table)
    sys.stdout.flush()


def _parts(seconds: float, seed: int, limit: int) -> Iterator[tuple[int, range, int]]:
    end, start = time.monotonic() + seconds, 0
    while time.monotonic() < end:
        yield seed, range(start, start + AT_ONCE), limit
        start += AT_ONCE


if __name__ == "__main__":
    main()
