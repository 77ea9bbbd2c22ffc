"""Metrics: one file, a figure or several that belong together; the file's name is the first one's.

Each file has
    VERSION: int                     raised when the same pictures would get another value
    FIGURES: dict[str, Figure]       by name: the first is the file's own, further ones begin with it, as
                                     psnr, psnr_ab, psnr_drawn
    QUICK: bool                      also taken at each validation of a training: the first figure
    EXTRACTOR: str                   name of the extractor in training/extractors that it looks through;
                                     "": none
and
    metric(compared: Compared) -> dict[str, Tensor (b,)]
                                     pure; each figure's value for each picture, which depends on nothing but
                                     that picture, its truth and its line; nan where it isn't defined (too
                                     small, nothing drawn, no line given)
    metric(compared: Compared, network) -> dict[str, Tensor (b,)]
                                     where EXTRACTOR names one; network: what its `build` gives
or, with SET = True, of a whole set's features, float64 (n, d) and (m, d):
    metric(outputs: Tensor, truths: Tensor) -> dict[str, float]
A metric with ALONE = True is of the output alone, so that a truth's own value isn't the best there is.

Values are those of the uint8 pictures, 0 for black to 255 for white, which -1 and 1 stand for: a formula
that isn't indifferent to a shift is given values that begin at 0. The tests hold each file to an
implementation that reads uint8.
The docstring says what is measured, its unit and range, and its source. Means and intervals are the caller's.
"""

from typing import Literal, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

Value = TypeVar("Value", float, NDArray[np.float64])


class Figure(NamedTuple):
    """What is known of a figure beside its value."""

    better: Literal["higher", "lower", "one"]  # one: nearest to 1
    unit: str  # "dB", "ΔE00", "levels" of 255 …; "" without
    low: float  # the range's ends; math.inf: it has none
    high: float
    about: str  # what it is, in a clause
    side: Literal["color", "style"] = "color"  # the goal that it speaks of

    def loss(self, value: Value) -> Value:
        """The less, the better the value is; of an array, each."""
        match self.better:
            case "higher":
                return -value
            case "lower":
                return value
        return abs(value - 1)
