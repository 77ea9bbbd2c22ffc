"""Each way in which a picture gets to belong to another one, and the share of such pairs to be linked.

Most are transforms of copies.all; what is more stands in additions.py and pages.py.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
from PIL import Image

from copies import all as copied
from copies import turns
from copies.scoring import OLD
from copies.transform import JPEG
from placing import additions, pages

Rng = np.random.Generator
# Picture (RGB), a generator of its own, other pictures → the copy; None: it does nothing to it.
Make = Callable[[Image.Image, Rng, Sequence[Image.Image]], Image.Image | None]
OTHERS = 5  # pictures that a page takes besides the original, at most
OLD_ROUNDS = 4  # piles in which each original has one of the old transforms


@dataclass(frozen=True, kw_only=True)
class Case:
    """A way to make a copy; goal: the share of pairs that should be linked."""

    name: str
    group: str
    goal: float
    make: Make
    others: int = 0  # how many other pictures it takes
    suffix: str = "jpg"
    options: Mapping[str, Any] = field(default_factory=lambda: JPEG)


def _copied(group: str, goal: float, *names: str) -> list[Case]:
    """Transforms of copies.all by name."""
    return [
        Case(
            name=one.name,
            group=group,
            goal=goal,
            make=partial(_alone, one.make),
            suffix=one.suffix,
            options=one.options,
        )
        for one in (copied.TRANSFORMS[name] for name in names)
    ]


def _alone(make: Callable[..., Image.Image | None], image: Image.Image, rng: Rng, _: Any) -> Any:
    return make(image, rng)


def _more(name: str, group: str, goal: float, make: Callable[..., Image.Image | None], **how: Any) -> Case:
    """A transform that copies.all doesn't have."""
    return Case(name=name, group=group, goal=goal, make=partial(_alone, make), **how)


OVERLAYS = ("balloon", "balloons_2", "dialogue_box")
MARKS = ("watermark", "watermark_tiled", "watermark_logo", "watermark_big", "mosaic", "censor_bar")
AROUND = ("credit_bar", "letterbox", "frame_decorated")
TURNS = ("quarter_left", "quarter_right", "upside_down", "hflip")
PNG: Mapping[str, Any] = {"suffix": "png", "options": {}}

CASES = [
    *_copied("additions", 0.95, *OVERLAYS),
    _more("balloons_15", "additions", 0.95, partial(additions.scattered, 0.15)),
    *_copied("additions", 0.95, *MARKS),
    *_copied("around", 0.95, *AROUND),
    *_copied("parts", 0.95, "part_90", "part_75", "part_50"),
    _more("part_35", "parts", 0.85, partial(turns.part, 0.35), **PNG),
    *_copied("parts", 0.85, "part_25"),
    Case(name="page_panel", group="pages", goal=0.85, make=pages.page, others=OTHERS),
    Case(name="spread_half", group="pages", goal=0.95, make=pages.spread, others=1, **PNG),
    *_copied("turns", 0.98, *TURNS),
    _more("on_black", "ground", 0.95, additions.on_black, **PNG),
]
OLD_CASES = {case.name: case for case in _copied("old", 0.99, *OLD)}
OLD_PILES = [f"old_22_{turn}" for turn in range(OLD_ROUNDS)]
PILES = [*(case.name for case in CASES), *OLD_PILES]  # a case each; in the last of each original another one
_BY_NAME = {case.name: case for case in CASES}


def at(pile: str, number: int) -> Case:
    """The case that an original, by its number, has in a pile.

    Raises: KeyError: there is no such pile.
    """
    if pile not in OLD_PILES:
        return _BY_NAME[pile]
    turn = OLD_PILES.index(pile)
    return OLD_CASES[OLD[(number + turn * len(OLD) // OLD_ROUNDS) % len(OLD)]]
