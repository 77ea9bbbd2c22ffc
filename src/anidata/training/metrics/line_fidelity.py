"""Faithfulness to the line that the model was given, 0 to 1: lines drawn from the output against that line.

    F1 = 2 · precision · recall / (precision + recall)
    precision: share of the output's ink with ink of the line within 2 px
    recall: share of the line's ink with ink of the output within 2 px

The output's lines are drawn in the style `ink`; ink of the line is what is darker than 128. A line that
wasn't drawn by `ink` isn't reached in full by the truth either. Where the output has no ink, all three are
0; a line without ink, or none, gives no value.
Source: tolerance and F-measure as in Martin, Fowlkes, Malik 2004, "Learning to detect natural image
boundaries using local brightness, color, and texture cues", by nearest pixels in place of a matching
"""

import cv2
import numpy as np
from torch import Tensor

from anidata.lineart.draw import draw
from anidata.training.compared import INK, Compared, Mask, Pixels, disc, ink, near
from anidata.training.metrics import Figure

VERSION = 1
QUICK, EXTRACTOR = False, ""
NEAR = 2  # px
FIGURES = {
    "line_fidelity": Figure("higher", "", 0, 1, "F1 of the lines against the input's", "style"),
    "line_fidelity_precision": Figure("higher", "", 0, 1, "share of lines that the input has", "style"),
    "line_fidelity_recall": Figure("higher", "", 0, 1, "share of the input's lines that are left", "style"),
}


def metric(compared: Compared) -> dict[str, Tensor]:
    """Three values a picture."""
    lines, levels = compared.lines, compared.outputs.levels
    if lines is None:
        return compared.gathered(lambda _: dict.fromkeys(FIGURES, float("nan")))
    masks, wide = lines.once(ink), lines.once(near, NEAR)

    def measured(number: int) -> dict[str, float]:
        if not masks[number].any():
            return dict.fromkeys(FIGURES, float("nan"))
        return _scores(draw(np.ascontiguousarray(levels[number])) < INK, masks[number], wide[number])

    return compared.gathered(measured)


def _scores(drawn: Mask, mask: Mask, wide: Pixels) -> dict[str, float]:
    """Of two masks (h, w); the second has something in it. wide: what lies near to that."""
    precision, recall = _covered(drawn, wide), _covered(mask, cv2.dilate(drawn.astype(np.uint8), disc(NEAR)))
    total = precision + recall
    return dict(
        zip(FIGURES, (2 * precision * recall / total if total else 0.0, precision, recall), strict=True)
    )


def _covered(one: Mask, wide: Pixels) -> float:
    """The share of a mask that lies within what another has near to it; 0 of nothing."""
    return float((one & (wide > 0)).sum() / max(1, one.sum()))
