"""Spoilt workspaces, data sets, runs, sidecars, lists, tables, archives and answers, read by whole commands.

    python benchmarks/fuzz_foreign.py --minutes 60
    python benchmarks/fuzz_foreign.py --only run lists --seed 3 --number 17    one case again

Prints how many cases there were of each kind, and what was amiss (see tests/labs/foreign_lab.py). The same
--seed makes the same cases. Each command is watched by strace where there is one: what it opened, wrote,
deleted, started and reached. Exits 1 if anything was amiss. Needs Linux.
"""

import argparse
import os
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests/labs"))
import foreign_lab
import watched
from web_lab import Web

EVERY = 300  # seconds between counts


def main() -> None:
    asked = _asked()
    trace = watched.can_trace() and not asked.plain
    made, amiss = Counter[str](), Counter[str]()
    begun = shown = time.monotonic()
    os.environ["ANIDATA_QUIET"] = "1"
    with tempfile.TemporaryDirectory(prefix="foreign-") as folder, Web() as web:
        web.ways |= dict.fromkeys(("foreign", "robots.txt", ".well-known"), foreign_lab.answer)
        lane = foreign_lab.Lane(Path(folder).resolve(), web, trace)
        for kind, number in _cases(asked, begun):
            troubles = foreign_lab.faults(lane, kind, asked.seed, number)
            made[kind] += 1
            amiss[kind] += bool(troubles)
            for trouble in troubles:
                print(f"--- {kind} {number}: {trouble}", flush=True)
            if time.monotonic() - shown > EVERY:
                shown = time.monotonic()
                print(f"so far {dict(made)}, amiss {dict(+amiss)}", flush=True)
        if asked.number is not None and asked.keep:
            shutil.copytree(lane.case, asked.keep, symlinks=True)
    for kind, count in made.items():
        print(f"{kind:10} {count:6} {amiss[kind] or ''}")
    watch = "watched by strace" if trace else "not watched by strace"
    print(f"{made.total()} cases, {amiss.total()} amiss, {time.monotonic() - begun:.0f} s, {watch}")
    sys.exit(bool(amiss.total()))


def _asked() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--minutes", type=float, default=1)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", nargs="+", choices=foreign_lab.KINDS, default=list(foreign_lab.KINDS))
    parser.add_argument("--number", type=int, help="make this case alone")
    parser.add_argument("--keep", type=Path, help="a new folder for what that case left")
    parser.add_argument("--plain", action="store_true", help="without strace")
    return parser.parse_args()


def _cases(asked: argparse.Namespace, begun: float) -> Iterator[tuple[str, int]]:
    """Kinds in turn, from number 0 on, until the time is over."""
    if asked.number is not None:
        yield from ((kind, asked.number) for kind in asked.only)
        return
    number = 0
    while time.monotonic() - begun < asked.minutes * 60:
        yield from ((kind, number) for kind in asked.only)
        number += 1


if __name__ == "__main__":
    main()
