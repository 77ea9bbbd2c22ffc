"""Trials of what isn't a WORK's own: DATASET, RUN and outputs, struck at every step, starved, read-only."""

import random
import shutil
from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial

from fault_lane import can_mount, fill, read_only, small_disk
from fault_trial import Trial
from fault_yard import Yard, told

ROOM = 8 << 20  # bytes of a disk that holds a task, and no more than that
MOST = 200_000  # bytes that are left of it


def task_of(yard: Yard, name: str):
    return next(task for task in yard.tasks() if task.name == name)


def strike(name: str, step: int, blow: str, yard: Yard, _: random.Random) -> list[str]:
    """Kill all processes of a command at a step of a publish, or let there be no room from there on."""
    task = task_of(yard, name)
    yard.restore(*task.state)
    watch = yard.watch(*task.roots)
    ended = yard.nursery.run(*task.words, env=yard.blow(blow, step))
    troubles = list(ended.troubles)
    if blow == "all" and ended.code != -9:
        troubles.append(f"it wasn't killed: {ended.code}")
    if blow == "full":
        troubles += told(ended, 0, 5)
    troubles += watch.troubles()
    return troubles + yard.again(task) + watch.troubles()


def starve(name: str, yard: Yard, dice: random.Random) -> list[str]:
    """A disk that has room for a part of what a command writes."""
    task = task_of(yard, name)
    yard.restore()
    with small_disk(yard.home, ROOM):
        yard.restore(*task.state)
        ballast = fill(yard.home, int(dice.uniform(0, MOST)))
        watch = yard.watch(*task.roots, ballast)
        ended = yard.nursery.run(*task.words)
        troubles = told(ended, 0, 1, 5) + watch.troubles()
        ballast.unlink()
        troubles += yard.again(task) + watch.troubles()
    return troubles


def forbid(name: str, yard: Yard, dice: random.Random) -> list[str]:
    """What a command writes turns read-only at a random moment."""
    task = task_of(yard, name)
    yard.restore(*task.state)
    watch = yard.watch(*task.roots)
    command = yard.start(*task.words)
    command.is_over(dice.uniform(0, 1.2))
    with ExitStack() as stack:
        for root in filter(lambda path: path.exists(), task.roots):
            stack.enter_context(read_only(root))
        ended = command.ended()
    troubles = told(ended, 0, 1, 5) + watch.troubles()
    return troubles + yard.again(task) + watch.troubles()


def forbid_from_the_start(name: str, yard: Yard, _: random.Random) -> list[str]:
    """A command is told that nothing can be written, and writes nothing elsewhere."""
    task = task_of(yard, name)
    yard.restore(*task.state)
    shutil.rmtree(task.roots[-1], ignore_errors=True)
    task.roots[-1].mkdir()
    watch = yard.watch(*task.roots)
    with read_only(task.roots[-1]):
        ended = yard.nursery.run(*task.words)
    troubles = told(ended, 5) + watch.troubles()
    return troubles + yard.again(task) + watch.troubles()


def trials(yard: Yard, times: int) -> Iterator[Trial]:
    """Yield all of them. times: random moments of each."""
    for task in yard.tasks():
        for number, step in enumerate(yard.steps(task)):
            moment = " ".join(step.split(" ")[:2])
            yield Trial(
                "publishes", f"{task.name}, {moment}", partial(strike, task.name, number, "all"), "yard"
            )
            if moment == "before fsync":
                yield Trial(
                    "full", f"{task.name}, at a publish", partial(strike, task.name, number, "full"), "yard"
                )
        if can_mount():
            yield Trial(
                "read-only", f"{task.name}, from the start", partial(forbid_from_the_start, task.name), "yard"
            )
            for _ in range(times):
                yield Trial("full", f"{task.name}, a small disk", partial(starve, task.name), "yard")
                yield Trial("read-only", task.name, partial(forbid, task.name), "yard")
