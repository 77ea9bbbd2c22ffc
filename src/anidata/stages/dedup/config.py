"""The settings of dedup."""

from dataclasses import dataclass
from typing import Literal

from anidata.recipe import Count, Document

Places = Literal["auto", "on", "off"]


@dataclass(frozen=True)
class Config:
    """Group near-duplicates and keep the best of each group."""

    max_distance: Count = 8  # bits of 64 in which a window of a picture and another picture may differ
    flips: bool = True  # match mirror images and quarter turns too
    # compare places within pictures too, which finds parts and what was drawn over: on, off, or auto: up to
    # 50,000 pictures
    places: Places = "auto"
    # relations that are dropped; others are kept, in one split
    drop: tuple[str, ...] = ("exact", "reencoded", "flip", "crop", "turn")
    # whose copies stay where pixels don't tell: patterns of paths, the first that matches wins
    prefer: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.prefer:
            from anidata.stages.dedup import preference  # noqa: PLC0415  for those alone who prefer

            preference.check(self.prefer)


def portable(table: Document) -> Document:
    """The table without `prefer` where there is none: such data sets keep their bytes."""
    return table if table["prefer"] else {name: table[name] for name in table if name != "prefer"}
