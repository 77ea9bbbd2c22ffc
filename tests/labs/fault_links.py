"""Trials: a link at every path of WORK, DATASET and RUN that a command writes or deletes."""

import random
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from decoys import replace_by_link
from fault_trial import Trial
from fault_yard import OTHERWISE, Yard, told

HOW = ("copy", "ahead", "dangling")
# of a folder → the state it starts in, and the path below `home`
PLACES = {
    "WORK": (("work",), "work"),
    "new WORK": (("begun",), "work"),
    "DATASET": (("work with set", "set"), "set"),
    "RUN": (("set", "run"), "run"),
    "new RUN": (("set",), "run"),
}


def words_of(place: str, yard: Yard) -> list[object]:
    """The command that writes or deletes there as much as one can."""
    if place.endswith("RUN"):
        return yard.train()
    if place == "DATASET":
        return ["shard", yard.work, yard.set, "--workers", 1, *OTHERWISE[-2:]]
    return [*yard.make_work(yard.work), *OTHERWISE]


def paths_of(place: str, yard: Yard) -> list[Path]:
    """The paths below a folder that may be there in the end."""
    end = {"WORK": "work", "new WORK": "work", "DATASET": "set", "RUN": "trained", "new RUN": "trained"}[
        place
    ]
    top = yard.kept / end
    return sorted(path.relative_to(top) for path in top.rglob("*"))


def plant(place: str, name: Path, how: str, yard: Yard, _: random.Random) -> list[str]:
    """A link at one path; what it leads to stays as it is, and the command ends well or says why not."""
    state, folder = PLACES[place]
    yard.restore(*state)
    replace_by_link(yard.home / folder / name, yard.decoy, how)
    watch = yard.watch(yard.work, yard.home / folder)
    ended = yard.plain(*words_of(place, yard))
    troubles = watch.troubles()
    if name.name == "tmp":  # may be a link to another disk: its private folders come and go there
        troubles = [text for text in troubles if not text.startswith("changed: ")]
    return told(ended) + troubles


def trials(yard: Yard) -> Iterator[Trial]:
    for place in PLACES:
        for name in paths_of(place, yard):
            for how in HOW[1:] if place.startswith("new") else HOW:
                yield Trial("links", f"{place}, {how}", partial(plant, place, name, how), "yard")
