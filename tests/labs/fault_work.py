"""Trials of WORK: kills, full disks, Ctrl-Cs and sources that go, at random moments and at every publish."""

import os
import random
import shutil
import signal
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from functools import partial

from drawings import drawing, save
from fault_lab import children
from fault_lane import ENGINES, STAGES, Lane, can_mount, fill, read_only, small_disk
from fault_trial import Trial

COMMANDS = (*STAGES, "run", "update")
DISK = 64 << 20  # bytes of the disk that fills
PICTURES, FEW = 24, 8  # in a pile for random moments, and in one whose every publish is struck
SHOWN = 700  # letters of a complaint


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
        yield Trial("publishes", f"{moment}, all", partial(kill_at_step, number, "all"), "few")
        if process != main and moment != "after fsync":
            yield Trial("publishes", f"{moment}, a worker", partial(kill_at_step, number, "one"), "few")
        if moment == "before fsync":
            yield Trial("full", "at a publish", partial(fill_at_step, number), "few")
