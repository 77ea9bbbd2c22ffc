"""The choice among the looks at a scene.

Frames that hardly differ are one picture that is held, and what differs is another. Of a picture its sharpest
frame is taken; what is held longer comes first, and what is like a picture already taken is left out. Frames
in a fade or a dissolve aren't held; of a pan, which goes on for longer, some are taken that differ. A plain
frame is no picture.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import groupby

import cv2
import numpy as np
from numpy.typing import NDArray

from anidata.sources.videos.stream import Moment

SMALL = 64  # px a side at which frames are compared
# grey levels of 255: the largest mean difference of a cell within which frames are one picture;
# the noise of encoders is below 2
HELD = 4.0
OTHER = 14.0  # the same, from which two pictures of one scene are worth having both
# of the comparison, a side: a mouth moves one cell by more than HELD, and is no other picture below OTHER
CELLS = 8
SHARPER = 1.05  # times as sharp as the frame that stands for a picture is the one that takes its stead
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
        self.held: list[Held] = []
        self.plain: list[Held] = []

    def add(self, look: Look) -> None:
        _add(self.held if look.small.std() > PLAIN else self.plain, look)
        if len(self.held) > _most(look.moment):
            self.held.remove(min(self.held[:-1], key=lambda held: held.looks))
        del self.plain[1:]

    def pictures(self) -> list[Held]:
        """The pictures that are worth having, by frame."""
        return sorted(_chosen(self.held), key=lambda held: held.number)


def _most(moment: Moment) -> int:
    """Pictures of this size that may wait in memory, as the decoder holds them: 4:2:0 of 8 bits, or of 16."""
    frame = moment.frame
    bytes_of_a_value = 1 if frame.format.components[0].bits == 8 else 2
    size: int = frame.width * frame.height * 3 // 2 * bytes_of_a_value
    return max(FEWEST, min(WAITING, MEMORY // max(1, size)))


def _add(pictures: list[Held], look: Look) -> None:
    """Add another look at the picture that is held, or the first at another."""
    sharpness = look.sharpness
    if not pictures or _apart(pictures[-1].look.small, look.small) >= HELD:
        pictures.append(Held(look, look.weight, sharpness))
        return
    last = replace(pictures[-1], looks=pictures[-1].looks + look.weight)
    if sharpness > SHARPER * last.sharpness:
        last = replace(last, look=look, sharpness=sharpness)
    pictures[-1] = last


def _apart(a: Small, b: Small) -> float:
    """The largest mean difference of a cell, in grey levels."""
    side = SMALL // CELLS
    return float(np.abs(a - b).reshape(CELLS, side, CELLS, side).mean(axis=(1, 3)).max())


def _chosen(pictures: list[Held]) -> Iterator[Held]:
    """Yield those that are held longest and differ, then those of long motion.

    Of short motion only where there is nothing else.
    """
    some = [held for held in pictures if held.looks > 1] + _moving(pictures)
    taken: list[Held] = []
    for held in sorted(some or pictures, key=lambda held: (-held.looks, -held.sharpness, held.number)):
        differs = all(_apart(held.look.small, other.look.small) >= OTHER for other in taken)
        if differs and len(taken) < MOST:
            taken.append(held)
            yield held


def _moving(pictures: list[Held]) -> list[Held]:
    """The pictures of motion longer than a fade or a dissolve, further from its ends than these last."""
    inside = []
    for is_moving, run in groupby(pictures, key=lambda held: held.looks == 1):
        looks = list(run)
        inside += looks[FADE:-FADE] if is_moving else []
    return inside
