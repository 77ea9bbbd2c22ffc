"""The limits of an audit, and how far it looks for copies: as far as dedup does unless told."""

from dataclasses import dataclass

from anidata.recipe import Amount, Count, Positive


@dataclass(frozen=True, kw_only=True)
class Config:
    """Check finished shards."""

    max_distance: Count = 8  # bits of 64 in which a window of a picture and another picture may differ
    flips: bool = True  # look for mirror images and quarter turns too
    places: bool = True  # look for parts, and for what was drawn over, by places
    max_pixels: Positive = 100_000_000  # width × height; a larger picture is too_large
    max_bytes: Positive = 268_435_456  # of one file
    time_limit: Amount = 60.0  # seconds for one sample; 0: none
    memory_limit: Count = 4_294_967_296  # bytes a worker may take; 0: no limit
    examples: Positive = 20  # findings of a code that are told; all are counted
