"""Which looks at a scene are pictures of it: frames that hardly differ are one picture that is held, and what differs is another.

Of a picture its sharpest frame is taken; what is held longer comes first, and what is like a picture already taken is left out. Frames in
a fade or a dissolve aren't held; of a pan, which goes on for longer, some are taken that differ. A plain frame is no picture.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import groupby

import cv2
import numpy as np
from numpy.typing import NDArray

from anidata.sources.videos.stream import Moment

SMALL = 64  # px a side at which frames are compared
HELD = 4.0  # grey levels of 255: the largest mean difference of a cell within which frames are one picture; noise of encoders is below 2
OTHER = 14.0  # from which two pictures of one scene are worth having both
CELLS = 8  # of the comparison, a side: a mouth moves one cell by more than HELD, and is no other picture below OTHER
FADE = 4  # looks that a fade or a dissolve may last
PLAIN = 3.0  # grey levels of standard deviation: black, white and title fades below it
MOST = 4  # pictures of one scene
WAITING = 64  # pictures of a scene that are held in memory before the longest held are chosen,
MEMORY = 300_000_000  # or as many as fill so many bytes, but
FEWEST = 8

Small = NDArray[np.float32]


@dataclass(frozen=True)
class Look:
    """A frame as it is compared."""

    moment: Moment
    small: Small  # (SMALL, SMALL) grey
    weight: int  # looks that fall into the time for which it is shown
    combed: bool

    @property
    def sharpness(self) -> float:
        """A combed frame is the last choice: its lines aren't all its own."""
        return 0.0 if self.combed else float(cv2.Laplacian(self.small, cv2.CV_32F).var())


@dataclass(frozen=True)
class Held:
    """A picture that is held for some looks, by its sharpest frame."""

    look: Look
    looks: int
    sharpness: float

    @property
    def number(self) -> int:
        return self.look.moment.number


class Scene:
    """The looks at one scene, of which no more than a few are kept in memory."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.found: list[Held] = []
        self.plain: list[Held] = []

    def add(self, look: Look) -> None:
        into = self.found if look.small.std() > PLAIN else self.plain
        _add(into, look)
        if len(self.found) > _most(look.moment):
            self.found.remove(min(self.found[:-1], key=lambda held: held.looks))
        del self.plain[1:]

    def pictures(self) -> list[Held]:
        """Those that are worth having, by frame."""
        return sorted(_chosen(self.found), key=lambda held: held.number)


def _most(moment: Moment) -> int:
    size: int = (
        moment.frame.width
        * moment.frame.height
        * 3
        // 2
        * (1 if moment.frame.format.components[0].bits == 8 else 2)
    )
    return max(FEWEST, min(WAITING, MEMORY // max(1, size)))


def _add(found: list[Held], look: Look) -> None:
    """Another look at the picture that is held, or the first at another."""
    sharpness = look.sharpness
    if found and _apart(found[-1].look.small, look.small) < HELD:
        last = replace(found[-1], looks=found[-1].looks + look.weight)
        found[-1] = (
            replace(last, look=look, sharpness=sharpness) if sharpness > 1.05 * last.sharpness else last
        )
        return
    found.append(Held(look, look.weight, sharpness))


def _apart(a: Small, b: Small) -> float:
    """The largest mean difference of a cell, in grey levels."""
    side = SMALL // CELLS
    return float(np.abs(a - b).reshape(CELLS, side, CELLS, side).mean(axis=(1, 3)).max())


def _chosen(found: list[Held]) -> Iterator[Held]:
    """Those that are held longest and differ, then those of long motion; of short motion only where there is nothing else."""
    some = [held for held in found if held.looks > 1] + _moving(found)
    taken: list[Held] = []
    for held in sorted(some or found, key=lambda held: (-held.looks, -held.sharpness, held.number)):
        if len(taken) < MOST and all(_apart(held.look.small, other.look.small) >= OTHER for other in taken):
            taken.append(held)
            yield held


def _moving(found: list[Held]) -> list[Held]:
    """Of motion longer than a fade or a dissolve, what lies further from its ends than these last."""
    inside = []
    for is_moving, run in groupby(found, key=lambda held: held.looks == 1):
        looks = list(run)
        inside += looks[FADE:-FADE] if is_moving else []
    return inside
