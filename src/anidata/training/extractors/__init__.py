"""Extractors: one file, one network that pictures are looked at through; the file's name is its name.

A metric names its extractor, and a loss may look through one; its weights are others' work, fetched and
converted by the user (anidata.training.weights). Each file has
    TITLE: str                      the network in a few words
    LICENSE: str                    of its weights, as their authors state it
    SOURCES: tuple[Source, ...]     files that hold them, by their SHA-256; the first is the one to fetch
    CONVERTED: str                  SHA-256 of what they are converted to; "": known by its own record alone
    convert(arrays: Mapping[str, Array]) -> dict[str, Array]    what a file holds → weights as build has them
    build(weights: Mapping[str, Tensor]) -> nn.Module
The module takes pictures, float32 (b, 3, h, w), sRGB in [-1, 1]; of no more than these it makes features.
Both refuse by a ValueError, to the last tensor, what isn't the network's; widths are read off the weights.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.floating]


class Source(NamedTuple):
    """A file that weights are converted from."""

    file: str  # its name where it comes from
    sha256: str
    form: str  # pickle: a dict of numpy's arrays; torch: of torch.save
    command: str = ""  # what fetches it; "": it lies in another one
    member: str = ""  # of a tar.gz: the file in it that has this form
