"""Kills, starves and interrupts anidata at hundreds of moments.

Checks that the same command, run again, leaves what an undisturbed run leaves.

    make torture                                         all of it: half an hour or more on two cores
    python benchmarks/torture.py --moments 3 --seed 7    3 other moments of each kind in each stage
    python benchmarks/torture.py --only publishes kills  some kinds of trials (see KINDS)

Needs Linux, and root for disks that are full or read-only: those trials are left out otherwise, which is
said. Exits 1 if anything is amiss.
"""

import argparse
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from queue import SimpleQueue

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests/labs"))

from drawings import drawing, save
from fault_lab import children
from fault_lane import ALL, ENGINES, STAGES, Lane, can_mount, fill, read_only, small_disk

COMMANDS = (*STAGES, "run", "update")
DISK = 64 << 20  # bytes of the disk that fills
PICTURES, FEW = 24, 8  # in a pile for random moments, and in one whose every publish is struck
SHOWN = 700  # letters of a complaint


@dataclass(frozen=True)
class Trial:
    """One disturbance: of which kind, where, and how to make it; it gives what was amiss after healing."""

    kind: str
    where: str
    make: Callable[[Lane, random.Random], list[str]]
    few: bool = False  # in the lane with few pictures


# --- kills ----------------------------------------------------------------------------------------


def kill_at_random(stage: str, lane: Lane, dice: random.Random) -> list[str]:
    """The main process, once."""
    lane.restore(stage)
    command = lane.start(stage)
    if not command.is_over(dice.uniform(0, lane.seconds[stage])):
        command.kill()
    command.ended()
    return lane.again(stage, then=_whole(stage))


def kill_and_go_back(lane: Lane, dice: random.Random) -> list[str]:
    """Kill a run with other settings, then go back to the old ones."""
    lane.restore("retune")
    command = lane.start("retune")
    if not command.is_over(dice.uniform(0, lane.seconds["retune"])):
        command.kill()
    command.ended()
    return lane.again("run")


def kill_workers(stage: str, lane: Lane, dice: random.Random) -> list[str]:
    """One to three workers, whenever there are some: the command itself goes on to its end."""
    lane.restore(stage)
    command = lane.start(stage)
    for _ in range(dice.randint(1, 3)):
        while not (workers := command.workers()) and not command.is_over(0.005):
            pass
        if workers and not command.is_over(dice.uniform(0, 0.3)):
            with suppress(ProcessLookupError):
                os.kill(dice.choice(command.workers() or workers), signal.SIGKILL)
    ended = command.ended()
    troubles = [f"a worker's death ended it with {ended.code}: {ended.err[-SHOWN:]}"] if ended.code else []
    return troubles + lane.again(stage, then=_whole(stage))


def kill_template(stage: str, lane: Lane, dice: random.Random) -> list[str]:
    """The process that starts workers: the command says so, or ends well."""
    lane.restore(stage)
    command = lane.start(stage)
    command.is_over(dice.uniform(0, lane.seconds[stage]))
    for pid in children(command.pid):
        os.kill(pid, signal.SIGKILL)
    ended = command.ended()
    troubles = ended.troubles
    if ended.code not in (0, 6):
        troubles.insert(0, f"the template's death ended it with {ended.code}: {ended.err[-SHOWN:]}")
    return troubles + lane.again(stage, then=_whole(stage))


def kill_at_step(step: int, blow: str, lane: Lane, _: random.Random) -> list[str]:
    """The process that reaches a step of a publish (`one`), or all processes at that moment (`all`)."""
    lane.restore("run")
    ended = lane.nursery.run(*lane.words("run"), env=lane.blow(blow, step))
    troubles = ["the main process wasn't killed"] if blow == "all" and not ended.code else []
    return troubles + ended.troubles + lane.again("run")


# --- disks ----------------------------------------------------------------------------------------


def fill_at_step(step: int, lane: Lane, _: random.Random) -> list[str]:
    """The disk is full from one step on."""
    lane.restore("run")
    ended = lane.nursery.run(*lane.words("run"), env=lane.blow("full", step))
    return _of_storage(ended.code, ended.err) + ended.troubles + lane.again("run")


def fill_disk(stage: str, lane: Lane, dice: random.Random) -> list[str]:
    """A disk that has room for a part of what a stage writes."""
    shutil.rmtree(lane.work, ignore_errors=True)
    with small_disk(lane.home, DISK):
        lane.restore(stage)
        ballast = fill(lane.home, int(dice.uniform(0, 1) * lane.grown[stage]))
        ended = lane.nursery.run(*lane.words(stage))
        troubles = _of_storage(ended.code, ended.err) + ended.troubles
        ballast.unlink()
        return troubles + lane.again(stage, then=_whole(stage))


def forbid_writing(stage: str, lane: Lane, dice: random.Random) -> list[str]:
    """A folder of the workspace turns read-only at a random moment."""
    lane.restore(stage)
    command = lane.start(stage)
    command.is_over(dice.uniform(0, lane.seconds[stage]))
    folders = [p for p in (lane.work, *lane.work.rglob("*")) if p.is_dir()] if lane.work.exists() else []
    with ExitStack() as stack:
        if folders:
            stack.enter_context(read_only(dice.choice(folders)))
        ended = command.ended()
    troubles = _of_storage(ended.code, ended.err) + ended.troubles
    return troubles + lane.again(stage, then=_whole(stage))


def _of_storage(code: int, err: str) -> list[str]:
    last = err.splitlines()[-1] if err else ""
    is_typed = code == 5 and last.startswith("StorageError: ") and "command again" in last
    return [] if code == 0 or is_typed else [f"no typed error with a remedy, but {code}: {err[-SHOWN:]}"]


# --- people ---------------------------------------------------------------------------------------


def press_ctrl_c(times: int, stage: str, lane: Lane, dice: random.Random) -> list[str]:
    """Once: what is in flight is finished. Twice: at once."""
    lane.restore(stage)
    command = lane.start(stage)
    over = command.is_over(dice.uniform(0, lane.seconds[stage]))
    begun = time.monotonic()
    for _ in range(times):
        if not over:
            command.press_ctrl_c()
        over = over or command.is_over(0.02)
    ended = command.ended()
    troubles = ended.troubles
    if ended.code not in (0, 130):
        troubles.append(f"Ctrl-C ended it with {ended.code}: {ended.err[-SHOWN:]}")
    if ended.code == 130 and "ame command" not in ended.err:
        troubles.append("no word on how to go on")
    if time.monotonic() - begun > 5:
        troubles.append("it took its time")
    return troubles + lane.again(stage, then=_whole(stage))


def start_twice(lane: Lane, dice: random.Random) -> list[str]:
    """A second run on a workspace in use stops at once and names the first."""
    lane.restore("run")
    first = lane.start("run")
    while not (lane.work / ".holder.json").exists() and not first.is_over(0.01):
        pass
    first.is_over(dice.uniform(0, lane.seconds["run"] / 2))
    begun = time.monotonic()
    second = lane.second.run(*lane.words("run"))
    troubles = []
    if second.code != 3 or f"process {first.pid} " not in second.err:
        troubles.append(f"the second: {second.code} {second.err}")
    if time.monotonic() - begun > 3:
        troubles.append("the second took its time")
    ended = first.ended()
    if ended.code:
        troubles.append(f"the first: {ended.err[-SHOWN:]}")
    return troubles + ended.troubles + lane.amiss()


def disturb_source(how: str, lane: Lane, dice: random.Random) -> list[str]:
    """A picture goes, or becomes another, at a random moment of a run; later it is as it was.

    One without copies: splits once written stay.
    """
    lane.restore("run")
    path = lane.pile / f"{dice.randrange(3, PICTURES):02d}.jpg"
    away = lane.folder / "away.jpg"
    shutil.copy(path, away)
    command = lane.start("run")
    command.is_over(dice.uniform(0, lane.seconds["run"]))
    path.unlink()
    if how == "changes":
        save(path, drawing(500))
    ended = command.ended()
    troubles = ended.troubles
    if ended.code:
        troubles.append(f"ended with {ended.code}: {ended.err[-SHOWN:]}")
    shutil.move(away, path)
    healed = lane.plain(*lane.words("run"), "--refresh")
    if healed.code:
        troubles.append(healed.err[-SHOWN:])
    return troubles + lane.amiss(grown=True)


# --- all of it ------------------------------------------------------------------------------------


def _whole(stage: str) -> str:
    """The command that does all that is left after a stage."""
    return stage if stage in ("update", "retune") else "run"


def trials(moments: int, steps: list[tuple[str, int]]) -> Iterator[Trial]:
    """Yield every trial there is. `steps`: those of a small run."""
    third, some = -(-moments // 3), range(-(-moments // 12))
    yield from _trials_of_commands(moments, third, some)
    yield from [Trial("kills", "retune, then back", kill_and_go_back)] * third
    for stage in (*ENGINES, "run"):
        yield from [Trial("workers", stage, partial(kill_workers, stage))] * third
        yield from [Trial("workers", f"{stage}, their template", partial(kill_template, stage)) for _ in some]
    yield from _trials_of_steps(steps)
    for _ in some:
        yield Trial("two at once", "run", start_twice)
        yield from [Trial("sources", how, partial(disturb_source, how)) for how in ("goes", "changes")]


def _trials_of_commands(moments: int, third: int, some: range) -> Iterator[Trial]:
    for stage in COMMANDS:
        kills = third if stage == "update" else moments
        yield from [Trial("kills", stage, partial(kill_at_random, stage))] * kills
        yield from [Trial("ctrl-c", f"{stage}, once", partial(press_ctrl_c, 1, stage)) for _ in some]
        yield from [Trial("ctrl-c", f"{stage}, twice", partial(press_ctrl_c, 2, stage)) for _ in some]
        yield from [Trial("full", stage, partial(fill_disk, stage)) for _ in some if can_mount()]
        yield from [Trial("read-only", stage, partial(forbid_writing, stage)) for _ in some if can_mount()]


def _trials_of_steps(steps: list[tuple[str, int]]) -> Iterator[Trial]:
    main = steps[0][1]
    for number, (step, process) in enumerate(steps):
        moment = " ".join(step.split(" ")[:2])
        yield Trial("publishes", f"{moment}, all", partial(kill_at_step, number, "all"), few=True)
        if process != main and moment == "after rename":
            yield Trial("publishes", f"{moment}, a worker", partial(kill_at_step, number, "one"), few=True)
        if moment == "before fsync":
            yield Trial("full", "at a publish", partial(fill_at_step, number), few=True)


KINDS = ("kills", "workers", "publishes", "full", "read-only", "ctrl-c", "two at once", "sources")


def main() -> int:
    options = _options()
    begun = time.monotonic()
    with (
        tempfile.TemporaryDirectory(prefix="torture-") as folder,
        ThreadPoolExecutor(options.lanes) as threads,
    ):
        lanes: SimpleQueue[tuple[Lane, Lane]] = SimpleQueue()
        for made in threads.map(partial(_lanes, Path(folder)), range(options.lanes)):
            lanes.put(made)
        first = made[1]
        todo = [
            t for t in trials(options.moments, first.steps()) if not options.only or t.kind in options.only
        ]
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
    return parser.parse_args()


def _lanes(folder: Path, number: int) -> tuple[Lane, Lane]:
    """A lane for random moments and one for every publish.

    One worker in the latter: its steps come in the same order each time.
    """
    large = Lane(folder / f"lane {number}", PICTURES)
    few = Lane(folder / f"few {number}", FEW, part=8, workers=1)
    large.prepare(*ALL)
    few.prepare("run")
    return large, few


def _make(lanes: "SimpleQueue[tuple[Lane, Lane]]", seed: int, number: int, trial: Trial) -> list[str]:
    large, few = pair = lanes.get()
    try:
        dice = random.Random(f"{seed} {number}")  # noqa: S311
        troubles = trial.make(few if trial.few else large, dice)
    finally:
        lanes.put(pair)
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
