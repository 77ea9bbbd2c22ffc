"""Trials: two processes at once on one RUN, DATASET, output folder, or new WORK."""

import random
import shutil
from collections.abc import Iterator
from functools import partial

from drawings import drawing, save
from fault_struck import task_of
from fault_trial import Trial
from fault_yard import Yard, audit, contents, differing, leftovers, told


def both(yard: Yard, dice: random.Random, first: list[object], second: list[object]) -> list[str]:
    """Start two commands with a short while between; troubles with how they end."""
    one = yard.start(*first)
    one.is_over(dice.choice((0, dice.uniform(0, 0.5))))
    other = yard.start(*second, second=True)
    ends = [one.ended(), other.ended()]
    troubles = [trouble for end in ends for trouble in told(end)]
    if all(end.code > 1 for end in ends):
        troubles.append(f"neither did its work: {ends}")
    return troubles


def one_work(yard: Yard, dice: random.Random) -> list[str]:
    """One that is new to both."""
    yard.restore()
    words = yard.make_work(yard.work)
    watch = yard.watch(yard.work)
    troubles = both(yard, dice, words, words)
    troubles += told(yard.plain(*words), 0) + leftovers(yard.work) + watch.troubles()
    after, wanted = contents(yard.work / "dataset"), contents(yard.kept / "work/dataset")
    return troubles + [f"other than undisturbed: {n}" for n in differing(after, wanted) if n != ".anidata"]


def one_data_set(yard: Yard, dice: random.Random) -> list[str]:
    """Two workspaces build it: it is one's or the other's, whole, and stays that."""
    yard.restore("work", "other")
    orders = [["shard", work, yard.set, "--workers", 1] for work in (yard.work, yard.other)]
    watch = yard.watch(yard.set, yard.work, yard.other)
    troubles = both(yard, dice, *orders)
    before = contents(yard.set)
    ends = [yard.plain(*order) for order in orders]
    if sorted(end.code for end in ends) != [0, 3]:
        troubles.append(f"it is not one's alone: {ends}")
    if contents(yard.set) != before:
        troubles.append("it was built anew")
    return troubles + audit(yard.set) + leftovers(yard.set) + watch.troubles()


def same_task(name: str, yard: Yard, dice: random.Random) -> list[str]:
    """Two commands make the same RUN, or the same outputs."""
    task = task_of(yard, name)
    yard.restore(*task.state)
    watch = yard.watch(*task.roots)
    troubles = both(yard, dice, task.words, task.words)
    return troubles + yard.again(task) + watch.troubles()


def other_pictures(yard: Yard, dice: random.Random) -> list[str]:
    """Two commands make outputs of the same names of other pictures: each is one's or the other's, whole."""
    yard.restore()
    piles = [yard.home / name for name in ("one", "two")]
    for n, pile in enumerate(piles):
        for k in range(6):
            save(pile / f"{k}.png", drawing(60 + 10 * n + k, 64, 64))
    orders = [["draw", pile, "-o", yard.out, "--style", "xdog"] for pile in piles]
    alone = []
    for order in orders:
        shutil.rmtree(yard.out, ignore_errors=True)
        yard.plain(*order)
        alone.append(contents(yard.out))
    shutil.rmtree(yard.out)
    watch = yard.watch(yard.out)
    troubles = both(yard, dice, *orders)
    after = contents(yard.out)
    strange = [n for n, digest in after.items() if digest not in (alone[0].get(n), alone[1].get(n))]
    troubles += [f"neither's: {n}" for n in strange]
    if after.keys() != alone[0].keys():
        troubles.append(f"not all: {sorted(after)}")
    return troubles + leftovers(yard.out) + watch.troubles()


def trials(times: int) -> Iterator[Trial]:
    for _ in range(times):
        yield Trial("two at once", "RUN", partial(same_task, "train"), "yard")
        yield Trial("two at once", "new WORK", one_work, "yard")
        yield Trial("two at once", "DATASET", one_data_set, "yard")
        for name in ("draw", "compare", "colorize"):
            yield Trial("two at once", f"outputs, {name}", partial(same_task, name), "yard")
        yield Trial("two at once", "outputs of other pictures", other_pictures, "yard")
