"""Kills, starves and interrupts anidata at hundreds of moments, and plants links and files of somebody's.

Checks that the same command, run again, leaves what an undisturbed run leaves, and that nothing outside of
our own folders and the outputs named is made, changed or deleted.

    make torture                                         all of it: an hour or more on two cores
    python benchmarks/torture.py --moments 3 --seed 7    3 other moments of each kind in each stage
    python benchmarks/torture.py --only links outputs    some kinds of trials (see KINDS)

Needs Linux, and root for disks that are full or read-only: those trials are left out otherwise, which is
said. Exits 1 if anything is amiss.
"""

import argparse
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from queue import SimpleQueue

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests/labs"))

import fault_links
import fault_names
import fault_outputs
import fault_pairs
import fault_struck
import fault_work
from fault_lane import ALL, Lane, can_mount
from fault_trial import Trial
from fault_work import FEW, PICTURES, SHOWN
from fault_yard import Yard

OF_WORK = ("kills", "workers", "publishes", "full", "read-only", "ctrl-c", "two at once", "sources")
OF_YARD = ("links", "outputs", "names", "publishes", "full", "read-only", "two at once")
KINDS = tuple(dict.fromkeys(OF_WORK + OF_YARD))
Places = dict[str, Lane | Yard]  # lane, few, yard


def trials(moments: int, where: str, places: Places) -> Iterator[Trial]:
    """Yield every trial there is. moments: random ones of each kind in each stage."""
    some = -(-moments // 12)
    few, yard = places.get("few"), places.get("yard")
    if where != "yard" and isinstance(few, Lane):
        yield from fault_work.trials(moments, few.steps())
    if where != "work" and isinstance(yard, Yard):
        yield from fault_links.trials(yard)
        yield from fault_outputs.trials()
        yield from fault_names.trials()
        yield from fault_struck.trials(yard, some)
        yield from fault_pairs.trials(some)


def main() -> int:
    options = _options()
    begun = time.monotonic()
    with (
        tempfile.TemporaryDirectory(prefix="torture-") as folder,
        ThreadPoolExecutor(options.lanes) as threads,
    ):
        lanes: SimpleQueue[Places] = SimpleQueue()
        for made in threads.map(partial(_places, Path(folder), options.of), range(options.lanes)):
            lanes.put(made)
        every = trials(options.moments, options.of, made)
        todo = [t for t in every if not options.only or t.kind in options.only]
        print(f"{len(todo)} trials, {time.monotonic() - begun:.0f} s to prepare", flush=True)
        results = []
        for troubles in threads.map(partial(_make, lanes, options.seed), range(len(todo)), todo):
            results.append(troubles)
            if len(results) % 50 == 0:
                print(
                    f"{len(results)} made, {sum(map(bool, results))} amiss, {time.monotonic() - begun:.0f} s",
                    flush=True,
                )
    return _tell(todo, results, time.monotonic() - begun)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--moments", type=int, default=25, help="random moments in each stage (25)")
    parser.add_argument("--seed", type=int, default=0, help="of the moments (0)")
    parser.add_argument("--lanes", type=int, default=2, help="trials at the same time (2)")
    parser.add_argument("--only", nargs="+", choices=KINDS, help="kinds of trials")
    parser.add_argument(
        "--of", choices=("work", "yard", "all"), default="all", help="WORK alone; or all else (all)"
    )
    return parser.parse_args()


def _places(folder: Path, of: str, number: int) -> Places:
    """A lane for random moments, one for every publish, and a yard.

    One worker in the second: its steps come in the same order each time.
    """
    places: Places = {}
    if of != "yard":
        large = places["lane"] = Lane(folder / f"lane {number}", PICTURES)
        few = places["few"] = Lane(folder / f"few {number}", FEW, part=8, workers=1)
        large.prepare(*ALL)
        few.prepare("run")
    if of != "work":
        places["yard"] = Yard(folder / f"yard {number}")
    return places


def _make(lanes: "SimpleQueue[Places]", seed: int, number: int, trial: Trial) -> list[str]:
    places = lanes.get()
    try:
        dice = random.Random(f"{seed} {number}")  # noqa: S311
        troubles = trial.make(places[trial.place], dice)
    finally:
        lanes.put(places)
    if troubles:
        print(
            f"--- {trial.kind}, {trial.where} (trial {number})\n" + "\n".join(t[:SHOWN] for t in troubles),
            flush=True,
        )
    return troubles


def _tell(todo: list[Trial], results: list[list[str]], seconds: float) -> int:
    made = Counter((t.kind, t.where) for t in todo)
    amiss = Counter((t.kind, t.where) for t, troubles in zip(todo, results, strict=True) if troubles)
    for (kind, where), count in made.items():
        print(f"{kind:12} {where:32} {count:4}   {amiss[kind, where] or ''}")
    if not can_mount():
        print("left out: disks that are full or read-only, which take root")
    kills = sum(count for (kind, _), count in made.items() if kind in ("kills", "workers", "publishes"))
    print(f"{kills} kills, {made.total() - kills} other faults, {amiss.total()} mismatches, {seconds:.0f} s")
    return 1 if amiss else 0


if __name__ == "__main__":
    sys.exit(main())
