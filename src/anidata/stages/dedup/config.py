"""The settings of dedup."""

from dataclasses import dataclass

from anidata.recipe import Count


@dataclass(frozen=True)
class Config:
    """Group near-duplicates and keep the best of each group."""

    max_distance: Count = 8  # bits of 64 in which a window of a picture and another picture may differ
    flips: bool = True  # match mirror images too
    # relations that are dropped; others are kept, in one split
    drop: tuple[str, ...] = ("exact", "reencoded", "flip", "crop")
